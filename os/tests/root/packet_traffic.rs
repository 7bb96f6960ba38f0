//! Streams that cross two interfaces and a loop of our own between their packet sockets, and come
//! out as they went in.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use os::netns::Netns;
use os::packet_socket::PacketSocket;
use os::poller::{Events, Poller, Waker};
use os::tap::Received;
use packet::segment::{InnerOffload, inner_offload};
use packet::{Offload, Pool};
use rtnetlink::LinkVxlan;

use crate::packet_socket::Guest;
use crate::scene::{is_root, netlink, play};
use crate::traffic::tcp;

const RED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const BLUE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 3);
/// The same two, inside a tunnel of their own.
const INNER_RED: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const INNER_BLUE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 3);
const PORT: u16 = 4000;

#[test]
fn streams_cross_two_interfaces_intact_both_ways() {
    if !is_root() {
        return;
    }
    let (red, blue) = play(async {
        let near = Netns::anonymous().unwrap();
        let red = Guest::new(&near, "red", RED).await;
        let blue = Guest::new(&near, "blue", BLUE).await;
        (red, blue)
    });
    let cable = Cable::between(red.socket, blue.socket);
    let listener = blue.netns.run(|| TcpListener::bind((BLUE, PORT))).unwrap().unwrap();
    for reversed in [false, true] {
        let stream = red.netns.run(|| TcpStream::connect((BLUE, PORT))).unwrap().unwrap();
        let (peer, _) = listener.accept().unwrap();
        if reversed { tcp(peer, stream) } else { tcp(stream, peer) }
    }
    let (seen, _) = cable.cut();
    assert_eq!((seen.malformed, seen.refused, seen.overruns), (0, 0, 0), "{seen:?}");
    assert!(seen.segments > 0 && seen.partial > 0, "super-frames stay whole: {seen:?}");
}

/// Their kernels hand over the inner super-frames in one piece, described as if there were no
/// tunnel.
#[test]
fn a_super_frame_inside_a_guests_tunnel_is_known_as_such() {
    if !is_root() {
        return;
    }
    let tunnelled = play(async {
        let near = Netns::anonymous().unwrap();
        let red = Guest::new(&near, "red", RED).await;
        let blue = Guest::new(&near, "blue", BLUE).await;
        for (guest, remote, inner) in [(&red, BLUE, INNER_RED), (&blue, RED, INNER_BLUE)] {
            let device = LinkVxlan::new("vx0", 42).remote(remote).port(4789).build();
            if let Err(error) = netlink(&guest.netns).link().add(device).execute().await {
                println!("skipped: this kernel makes no VXLAN device: {error}");
                return None;
            }
            let device = guest.links.find("vx0").await.unwrap().unwrap().index;
            guest.links.add_address(device, format!("{inner}/24").parse().unwrap()).await.unwrap();
            guest.links.set_up(device).await.unwrap();
        }
        Some((red, blue))
    });
    let Some((red, blue)) = tunnelled else {
        return;
    };
    let cable = Cable::between(red.socket, blue.socket);
    let listener = blue.netns.run(|| TcpListener::bind((INNER_BLUE, PORT))).unwrap().unwrap();
    let stream = red.netns.run(|| TcpStream::connect((INNER_BLUE, PORT))).unwrap().unwrap();
    let (peer, _) = listener.accept().unwrap();
    let (seen, [red, _blue]) = cable.cut();
    assert_eq!((seen.malformed, seen.refused), (0, 0), "{seen:?}");
    assert!(seen.partial > 0, "single segments pass: {seen:?}");
    // More than one segment, less than the first window.
    (&stream).write_all(&[7; 10_000]).unwrap();
    let (poller, mut events) = (Poller::new().unwrap(), Events::with_capacity(1));
    poller.add(&red, 0).unwrap();
    let mut frame = Pool::new(1).take();
    let deadline = Instant::now() + Duration::from_secs(10);
    while inner_offload(&frame) != Some(InnerOffload::Segments) {
        assert!(Instant::now() < deadline, "no super-frame came");
        if red.read(&mut frame).unwrap() == Received::Empty {
            poller.wait(&mut events, Some(Duration::from_secs(1))).unwrap();
        }
    }
    assert!(frame.len() > 1514, "{frame:?}");
    drop(peer);
}

/// A thread that carries frames between two interfaces.
struct Cable {
    waker: Waker,
    thread: JoinHandle<(Seen, [PacketSocket; 2])>,
}

/// What passed.
#[derive(Debug, Default)]
struct Seen {
    partial: u64,
    segments: u64,
    malformed: u64,
    refused: u64,
    overruns: u32,
}

impl Cable {
    fn between(red: PacketSocket, blue: PacketSocket) -> Self {
        let waker = Waker::new().unwrap();
        let woken = waker.clone();
        let thread = thread::spawn(move || {
            let sides = [red, blue];
            (carry(&sides, &woken), sides)
        });
        Self { waker, thread }
    }

    fn cut(self) -> (Seen, [PacketSocket; 2]) {
        self.waker.wake().unwrap();
        self.thread.join().unwrap()
    }
}

fn carry(sides: &[PacketSocket; 2], waker: &Waker) -> Seen {
    let poller = Poller::new().unwrap();
    poller.add(waker, 2).unwrap();
    for (side, token) in sides.iter().zip(0..) {
        poller.add(side, token).unwrap();
    }
    let (mut pool, mut seen) = (Pool::new(1), Seen::default());
    let mut events = Events::with_capacity(4);
    loop {
        poller.wait(&mut events, None).unwrap();
        for (token, ready) in events.iter() {
            if token == 2 {
                seen.overruns = sides.iter().map(|side| side.take_overruns().unwrap()).sum();
                return seen;
            }
            assert!(ready.readable && !ready.gone, "{ready:?}");
            let side = token as usize;
            relay(&sides[side], &sides[1 - side], &mut pool, &mut seen);
        }
    }
}

fn relay(from: &PacketSocket, to: &PacketSocket, pool: &mut Pool, seen: &mut Seen) {
    let mut frame = pool.take();
    for _ in 0..32 {
        match from.read(&mut frame).unwrap() {
            Received::Empty => break,
            Received::Malformed => seen.malformed += 1,
            Received::Frame => {
                match frame.offload() {
                    Offload::Complete => {}
                    Offload::Checksum(_) => seen.partial += 1,
                    Offload::Segment { .. } => seen.segments += 1,
                }
                seen.refused += u64::from(to.write(&mut frame).is_err());
            }
        }
    }
    pool.give(frame);
}
