//! Bytes that cross two TAP devices and a loop of our own between them, and come out as they went
//! in.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
use os::poller::{Events, Poller, Waker};
use os::tap::{self, Queue, Received};
use packet::coalesce::Fragments;
use packet::{Offload, Pool};

use crate::scene::{Host, is_root, play};

const RED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const BLUE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 3);
const PORT: u16 = 4000;
pub(crate) const TOTAL: usize = 8 << 20;
/// How long a read or a write may take before the test fails.
pub(crate) const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));

#[test]
fn transfers_arrive_intact_with_offload() {
    transfers_arrive_intact(true, 1, 1500);
}

#[test]
fn transfers_arrive_intact_without_offload() {
    transfers_arrive_intact(false, 1, 1500);
}

#[test]
fn transfers_arrive_intact_over_several_queues() {
    transfers_arrive_intact(true, 3, 1500);
}

#[test]
fn transfers_arrive_intact_in_jumbo_frames_with_offload() {
    transfers_arrive_intact(true, 2, 9000);
}

#[test]
fn transfers_arrive_intact_in_jumbo_frames_without_offload() {
    transfers_arrive_intact(false, 1, 9000);
}

fn transfers_arrive_intact(offload: bool, queues: usize, mtu: u32) {
    if !is_root() {
        return;
    }
    let (red, blue) = play(async {
        let (red, blue) = (Host::new(offload, queues).await, Host::new(offload, queues).await);
        red.up("192.0.2.2/24", mtu).await;
        blue.up("192.0.2.3/24", mtu).await;
        (red, blue)
    });
    let (red_net, blue_net) = (red.netns, blue.netns);
    let cable = Cable::between(red.queues, blue.queues);

    let listener = blue_net.run(|| TcpListener::bind((BLUE, PORT))).unwrap().unwrap();
    let stream = red_net.run(|| TcpStream::connect((BLUE, PORT))).unwrap().unwrap();
    let (peer, _) = listener.accept().unwrap();
    tcp(stream, peer);

    let sender = red_net.run(|| UdpSocket::bind((RED, PORT))).unwrap().unwrap();
    let receiver = blue_net.run(|| UdpSocket::bind((BLUE, PORT))).unwrap().unwrap();
    udp(&sender, &receiver, mtu as usize - 28);

    let seen = cable.cut();
    assert_eq!(seen.malformed, 0);
    assert_eq!(seen.lost, 0);
    assert!(seen.longest >= mtu as usize, "frames use the MTU: {seen:?}");
    if offload {
        assert!(
            seen.tcp_segments > 0 && seen.udp_segments > 0,
            "super-frames stay whole: {seen:?}"
        );
    } else {
        assert_eq!((seen.tcp_segments, seen.udp_segments, seen.partial), (0, 0, 0));
        assert!(seen.longest <= mtu as usize + 14, "{seen:?}");
    }
}

#[test]
fn a_limit_on_super_frames_is_kept() {
    if !is_root() {
        return;
    }
    const LIMIT: u32 = 30_000;
    let (red, blue) = play(async {
        let (red, blue) = (Host::new(true, 1).await, Host::new(true, 1).await);
        for (host, address) in [(&red, "192.0.2.2/24"), (&blue, "192.0.2.3/24")] {
            host.links.set_gso_max_size(host.device.index, LIMIT).await.unwrap();
            host.up(address, 1500).await;
        }
        (red, blue)
    });
    let cable = Cable::between(red.queues, blue.queues);
    let listener = blue.netns.run(|| TcpListener::bind((BLUE, PORT))).unwrap().unwrap();
    let stream = red.netns.run(|| TcpStream::connect((BLUE, PORT))).unwrap().unwrap();
    let (peer, _) = listener.accept().unwrap();
    tcp(stream, peer);
    let seen = cable.cut();
    assert!(seen.tcp_segments > 0 && seen.longest > 1514, "{seen:?}");
    assert!(seen.longest <= LIMIT as usize, "{seen:?}");
}

/// As a device with UDP fragmentation offload hands it over: nobody puts anything together.
#[test]
fn a_datagram_arrives_in_place_of_its_fragments() {
    if !is_root() {
        return;
    }
    let (red, blue) = play(async {
        let (red, blue) = (Host::new(true, 1).await, Host::new(true, 1).await);
        red.up("192.0.2.2/24", 1500).await;
        blue.up("192.0.2.3/24", 1500).await;
        (red, blue)
    });
    let sender = red.netns.run(|| UdpSocket::bind((RED, PORT))).unwrap().unwrap();
    let receiver = blue.netns.run(|| UdpSocket::bind((BLUE, PORT))).unwrap().unwrap();
    receiver.set_nonblocking(true).unwrap();
    let sent = &noise(3)[..8000];
    sender.send_to(sent, (BLUE, PORT)).unwrap();
    let (mut pool, mut fragments) = (Pool::new(8), Fragments::default());
    let (end, mut heard) = (Instant::now() + Duration::from_secs(20), vec![0; 9000]);
    let count = loop {
        assert!(Instant::now() < end, "it arrives");
        for (from, to) in [(&red, &blue), (&blue, &red)] {
            let mut frame = pool.take();
            if !matches!(from.queues[0].read(&mut frame).unwrap(), Received::Frame) {
                continue;
            }
            match fragments.push(frame) {
                Ok(false) => {}
                Ok(true) => {
                    let mut whole = fragments.join(&mut pool).unwrap();
                    assert_eq!(whole.len(), 14 + 28 + sent.len());
                    to.queues[0].write(&mut whole).unwrap();
                }
                // Others' frames.
                Err(mut frame) => to.queues[0].write(&mut frame).unwrap(),
            }
        }
        match receiver.recv(&mut heard) {
            Ok(count) => break count,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    };
    assert!(heard[..count] == *sent);
}

/// One direction of 8 MiB.
pub(crate) fn tcp(mut sender: TcpStream, mut receiver: TcpStream) {
    sender.set_write_timeout(PATIENCE).unwrap();
    receiver.set_read_timeout(PATIENCE).unwrap();
    let sending = thread::spawn(move || {
        sender.write_all(&noise(1)).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
        sender
    });
    let mut received = Vec::with_capacity(TOTAL);
    receiver.read_to_end(&mut received).unwrap();
    sending.join().unwrap();
    assert!(received == noise(1), "{} bytes arrived, and they differ", received.len());
}

/// 8 MiB in bursts of equal datagrams, each burst one send and confirmed by one datagram, so that
/// none overruns the receiver's buffer.
fn udp(sender: &UdpSocket, receiver: &UdpSocket, size: usize) {
    sender.connect((BLUE, PORT)).unwrap();
    receiver.connect((RED, PORT)).unwrap();
    for socket in [sender, receiver] {
        socket.set_read_timeout(PATIENCE).unwrap();
    }
    setsockopt(sender, UdpGsoSegment, &i32::try_from(size).unwrap()).unwrap();
    let mut datagram = vec![0; size + 1];
    for burst in noise(2).chunks(size * (60_000 / size).min(20)) {
        assert_eq!(sender.send(burst).unwrap(), burst.len());
        for piece in burst.chunks(size) {
            let count = receiver.recv(&mut datagram).unwrap();
            assert!(datagram[..count] == *piece, "a datagram of {count} bytes differs");
        }
        receiver.send(&[1]).unwrap();
        sender.recv(&mut datagram).unwrap();
    }
}

/// The same bytes for the same seed (xorshift64).
pub(crate) fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed | 1 << 63;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_ne_bytes()
    };
    (0..TOTAL / 8).flat_map(|_| next()).collect()
}

/// A thread that carries frames from each queue of one side to the same queue of the other.
struct Cable {
    waker: Waker,
    thread: JoinHandle<Seen>,
}

/// What passed.
#[derive(Debug, Default)]
struct Seen {
    longest: usize,
    partial: u64,
    tcp_segments: u64,
    udp_segments: u64,
    malformed: u64,
    lost: u64,
}

impl Cable {
    fn between(red: Vec<Queue>, blue: Vec<Queue>) -> Self {
        let waker = Waker::new().unwrap();
        let woken = waker.clone();
        let thread = thread::spawn(move || carry(&[red, blue], &woken));
        Self { waker, thread }
    }

    fn cut(self) -> Seen {
        self.waker.wake().unwrap();
        self.thread.join().unwrap()
    }
}

fn carry(sides: &[Vec<Queue>; 2], waker: &Waker) -> Seen {
    const STOP: u64 = u64::MAX;
    let poller = Poller::new().unwrap();
    poller.add(waker, STOP).unwrap();
    for (side, queues) in sides.iter().enumerate() {
        for (number, queue) in queues.iter().enumerate() {
            poller.add(queue, (number * 2 + side) as u64).unwrap();
        }
    }
    let (mut pool, mut seen) = (Pool::new(1), Seen::default());
    let mut events = Events::with_capacity(16);
    loop {
        poller.wait(&mut events, None).unwrap();
        for (token, ready) in events.iter() {
            if token == STOP {
                return seen;
            }
            assert!(ready.readable && !ready.gone, "{ready:?}");
            let (number, side) = (token as usize / 2, token as usize % 2);
            relay(&sides[side][number], &sides[1 - side][number], &mut pool, &mut seen);
        }
    }
}

fn relay(from: &Queue, to: &Queue, pool: &mut Pool, seen: &mut Seen) {
    let mut frame = pool.take();
    for _ in 0..32 {
        match from.read(&mut frame).unwrap() {
            Received::Empty => break,
            Received::Malformed => seen.malformed += 1,
            Received::Frame => {
                seen.longest = seen.longest.max(frame.len());
                match frame.offload() {
                    Offload::Complete => {}
                    Offload::Checksum(_) => seen.partial += 1,
                    Offload::Segment { kind: packet::SegmentKind::Udp, .. } => {
                        seen.udp_segments += 1
                    }
                    Offload::Segment { .. } => seen.tcp_segments += 1,
                }
                match to.write(&mut frame) {
                    Ok(()) => {}
                    Err(error) => {
                        assert!(
                            !tap::is_gone(&error) && error.kind() != ErrorKind::InvalidInput,
                            "{error}"
                        );
                        seen.lost += 1;
                    }
                }
            }
        }
    }
    pool.give(frame);
}
