//! Packet sockets on veth ends: what arrives, what leaves, and what becomes of them when the
//! interface goes.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::num::NonZeroU16;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use os::links::Links;
use os::netns::Netns;
use os::packet_socket::{PacketSocket, PacketSocketError};
use os::poller::{Events, Poller};
use os::tap::Received;
use packet::{Frame, Mac, Offload, Pool, SegmentKind, Span, Tag};
use rtnetlink::packet_route::link::LinkAttribute;

use crate::scene::{is_root, netlink, play};
use crate::watch::until;

const RED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const PORT: u16 = 4000;

/// A namespace with a veth end `eth0`, whose other end has a packet socket in `near`.
pub(crate) struct Guest {
    pub(crate) netns: Netns,
    pub(crate) links: Links,
    pub(crate) device: u32,
    pub(crate) socket: PacketSocket,
}

impl Guest {
    pub(crate) async fn new(near: &Netns, cable: &str, address: Ipv4Addr) -> Self {
        let netns = Netns::anonymous().unwrap();
        let mac = Mac([2, 0, 0, 0, 0, address.octets()[3]]);
        let ours = Links::open(near).await.unwrap();
        ours.make_veth(cable, &netns, "eth0", 1500, mac).await.unwrap();
        let links = Links::open(&netns).await.unwrap();
        let device = links.find("eth0").await.unwrap().unwrap().index;
        os::sysctl::set_in(&netns, "net/ipv6/conf/eth0/disable_ipv6", "1").unwrap();
        links.add_address(device, format!("{address}/24").parse().unwrap()).await.unwrap();
        links.set_up(device).await.unwrap();
        until(&ours, |link| link.name == cable && link.running).await;
        let socket = PacketSocket::open(near, cable).unwrap();
        Self { netns, links, device, socket }
    }

    /// Both ends through packet sockets.
    async fn alone() -> (Netns, Self, PacketSocket) {
        let near = Netns::anonymous().unwrap();
        let guest = Self::new(&near, "cable", RED).await;
        let far = PacketSocket::open(&guest.netns, "eth0").unwrap();
        (near, guest, far)
    }
}

/// The next frame, waited for.
fn next(socket: &PacketSocket) -> Frame {
    let deadline = Instant::now() + Duration::from_secs(10);
    let poller = Poller::new().unwrap();
    poller.add(socket, 0).unwrap();
    let mut events = Events::with_capacity(1);
    let mut frame = Pool::new(1).take();
    while Instant::now() < deadline {
        match socket.read(&mut frame).unwrap() {
            Received::Frame => return frame,
            Received::Malformed => panic!("malformed: {frame:?}"),
            Received::Empty => poller.wait(&mut events, Some(Duration::from_secs(1))).unwrap(),
        }
    }
    panic!("no frame came");
}

/// Sends a frame until it arrives: the first ones after a far end came up may be lost.
fn pass(from: &PacketSocket, to: &PacketSocket, frame: &Frame) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut arrived = Pool::new(1).take();
    while Instant::now() < deadline {
        from.write(&mut frame.clone()).unwrap();
        if to.read(&mut arrived).unwrap() == Received::Frame {
            assert_eq!(arrived, *frame);
            return;
        }
        thread::yield_now();
    }
    panic!("no frame passed");
}

fn assert_silent(socket: &PacketSocket) {
    let mut frame = Pool::new(1).take();
    assert_eq!(socket.read(&mut frame).unwrap(), Received::Empty, "{frame:?}");
}

/// An experimental EtherType (IEEE 802, local experimental 1) and a payload, to a station that
/// nobody is.
fn plain(len: usize) -> Frame {
    let mut bytes = vec![2, 0, 0, 0, 0, 0xee, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];
    bytes.extend((0..len - 14).map(|number| number as u8));
    Frame::copied_from(&bytes)
}

/// One TCP segment of 30,000 bytes, to be cut into segments of 1448.
fn super_frame() -> Frame {
    let mut bytes = vec![2, 0, 0, 0, 0, 0xee, 2, 0, 0, 0, 0, 1, 8, 0];
    let len = (20 + 20 + 30_000u16).to_be_bytes();
    bytes.extend([0x45, 0, len[0], len[1], 0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 9]);
    bytes.extend([0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.resize(54 + 30_000, 7);
    let mut frame = Frame::copied_from(&bytes);
    frame.set_offload(Offload::Segment {
        kind: SegmentKind::Tcp4 { ecn: false },
        size: NonZeroU16::new(1448).unwrap(),
        span: Span { start: 34, offset: 16 },
    });
    frame
}

#[test]
fn a_datagram_arrives_with_the_checksum_that_its_kernel_left_open() {
    if !is_root() {
        return;
    }
    play(async {
        let near = Netns::anonymous().unwrap();
        let guest = Guest::new(&near, "cable", RED).await;
        let sender = guest.netns.run(|| UdpSocket::bind((RED, PORT))).unwrap().unwrap();
        sender.set_broadcast(true).unwrap();
        sender.send_to(b"hello", (Ipv4Addr::new(192, 0, 2, 255), PORT)).unwrap();
        let frame = next(&guest.socket);
        assert_eq!(frame.offload(), Offload::Checksum(Span { start: 34, offset: 6 }));
        assert_eq!(frame.bytes().get(42..), Some(&b"hello"[..]));
        assert_eq!(frame.bytes().get(6..12), Some(&[2, 0, 0, 0, 0, 2][..]));
    });
}

#[test]
fn tags_arrive_beside_the_bytes_and_service_tags_in_them() {
    if !is_root() {
        return;
    }
    play(async {
        let (_near, guest, far) = Guest::alone().await;
        let tag = Tag::from_bits(0x600a);
        let tagged = |mut frame: Frame| {
            frame.set_tag(Some(tag));
            assert!(frame.push_tag());
            frame
        };
        far.write(&mut tagged(plain(100))).unwrap();
        let frame = next(&guest.socket);
        assert_eq!((frame.tag(), frame.bytes()), (Some(tag), plain(100).bytes()));

        // A service tag, and a customer tag behind it.
        let mut service = tagged(tagged(super_frame()));
        service.bytes_mut()[12..14].copy_from_slice(&[0x88, 0xa8]);
        far.write(&mut service).unwrap();
        let frame = next(&guest.socket);
        assert_eq!(frame.tag(), None);
        assert!(frame.bytes() == service.bytes(), "{frame:?}");
        assert_eq!(frame.offload(), service.offload());
        assert_eq!(frame.offload().span(), Some(Span { start: 42, offset: 16 }));

        let mut twice = tagged(tagged(plain(100)));
        far.write(&mut twice).unwrap();
        let frame = next(&guest.socket);
        assert_eq!((frame.tag(), frame.bytes()), (Some(tag), tagged(plain(100)).bytes()));
    });
}

#[test]
fn frames_for_anybody_arrive_and_what_the_host_sends_does_not() {
    if !is_root() {
        return;
    }
    play(async {
        let (near, guest, far) = Guest::alone().await;
        let second = PacketSocket::open(&near, "cable").unwrap();
        guest.socket.write(&mut plain(60)).unwrap();
        assert_eq!(next(&far).bytes(), plain(60).bytes());
        assert_silent(&guest.socket);
        assert_silent(&second);
        let mut shortest = plain(14);
        far.write(&mut shortest).unwrap();
        for socket in [&guest.socket, &second] {
            assert_eq!(next(socket), shortest);
        }
        assert_silent(&far);
    });
}

#[test]
fn a_frame_that_the_interface_will_not_have_is_refused_alone() {
    if !is_root() {
        return;
    }
    play(async {
        let (_near, guest, far) = Guest::alone().await;
        let mut runt = Frame::copied_from(&[1; 13]);
        for (frame, errno) in [(&mut plain(1515), libc::EMSGSIZE), (&mut runt, libc::EINVAL)] {
            let error = guest.socket.write(frame).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno), "{error}");
            assert!(!guest.socket.is_gone(&error) && !guest.socket.is_down(&error));
        }
        guest.socket.write(&mut plain(1514)).unwrap();
        assert_eq!(next(&far).len(), 1514);
        let error = guest.socket.read(&mut Frame::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let mut small = Frame::in_buffer(vec![0; 200].into_boxed_slice());
        far.write(&mut plain(300)).unwrap();
        assert_eq!(guest.socket.read(&mut small).unwrap(), Received::Malformed);
        assert_silent(&guest.socket);
    });
}

#[test]
fn super_frames_stay_whole_up_to_the_limit_of_the_interface() {
    if !is_root() {
        return;
    }
    play(async {
        let (_near, guest, far) = Guest::alone().await;
        far.write(&mut super_frame()).unwrap();
        assert!(next(&guest.socket) == super_frame());
        guest.links.set_gso_max_size(guest.device, 20_000).await.unwrap();
        far.write(&mut super_frame()).unwrap();
        let mut payload = 0;
        while payload < 30_000 {
            let frame = next(&guest.socket);
            assert_eq!(frame.offload(), Offload::Checksum(Span { start: 34, offset: 16 }));
            assert!(frame.len() <= 1514, "{frame:?}");
            payload += frame.len() - 54;
        }
        assert_eq!(payload, 30_000);
        assert_silent(&guest.socket);
    });
}

#[test]
fn an_interface_that_was_down_goes_on() {
    if !is_root() {
        return;
    }
    play(async {
        let (near, guest, far) = Guest::alone().await;
        let links = Links::open(&near).await.unwrap();
        let socket = &guest.socket;
        let (mut frame, poller) = (Pool::new(1).take(), Poller::new().unwrap());
        poller.add(socket, 5).unwrap();
        far.write(&mut plain(60)).unwrap();
        links.set_down(socket.index()).await.unwrap();
        let mut events = Events::with_capacity(1);
        poller.wait(&mut events, Some(Duration::from_secs(10))).unwrap();
        assert!(events.iter().any(|(token, state)| token == 5 && state.gone));

        let error = socket.read(&mut frame).unwrap_err();
        assert!(socket.is_down(&error) && !socket.is_gone(&error), "{error}");
        assert_eq!(next(socket), plain(60), "what was queued is still there");
        assert_silent(socket);
        poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty(), "the news is told once");
        let error = socket.write(&mut plain(60)).unwrap_err();
        assert!(socket.is_down(&error), "{error}");

        let while_down = PacketSocket::open(&near, "cable").unwrap();
        let error = while_down.read(&mut frame).unwrap_err();
        assert!(while_down.is_down(&error), "{error}");
        links.set_up(socket.index()).await.unwrap();
        pass(&far, socket, &plain(70));
        assert_eq!(next(&while_down), plain(70));
        for socket in [socket, &while_down] {
            pass(socket, &far, &plain(80));
        }
    });
}

#[test]
fn an_interface_that_left_is_gone_and_another_of_its_name_is_not_it() {
    if !is_root() {
        return;
    }
    play(async {
        for down_first in [false, true] {
            let (near, guest, _far) = Guest::alone().await;
            let links = Links::open(&near).await.unwrap();
            let socket = &guest.socket;
            assert!(socket.still_there());
            let mut frame = Pool::new(1).take();
            if down_first {
                links.set_down(socket.index()).await.unwrap();
                assert!(socket.read(&mut frame).is_err());
            }
            links.delete(socket.index()).await.unwrap();
            let far = Netns::anonymous().unwrap();
            links.make_veth("cable", &far, "eth0", 1500, Mac([2; 6])).await.unwrap();
            assert!(!socket.still_there());
            if down_first {
                assert_silent(socket);
            } else {
                let error = socket.read(&mut frame).unwrap_err();
                assert!(socket.is_gone(&error) && !socket.is_down(&error), "{error}");
            }
            let error = socket.write(&mut plain(60)).unwrap_err();
            assert!(socket.is_gone(&error) && !socket.is_down(&error), "{error}");
            assert!(socket.is_gone(&socket.interface().unwrap_err()));
            assert!(socket.is_gone(&socket.mtu().unwrap_err()));
            assert!(PacketSocket::open(&near, "cable").unwrap().still_there());
        }
    });
}

#[test]
fn only_an_ethernet_interface_that_exists_is_opened() {
    if !is_root() {
        return;
    }
    let netns = Netns::anonymous().unwrap();
    let error = PacketSocket::open(&netns, "lo").unwrap_err();
    assert!(matches!(error, PacketSocketError::NotEthernet { .. }), "{error}");
    assert!(error.to_string().starts_with("`lo` in "), "{error}");
    for name in ["eth9", "", "a-name-that-is-much-too-long"] {
        let error = PacketSocket::open(&netns, name).unwrap_err();
        assert!(matches!(error, PacketSocketError::NoSuchInterface { .. }), "{name}: {error}");
    }
    let text = PacketSocket::open(&netns, "eth9").unwrap_err().to_string();
    assert!(text.starts_with("there is no interface `eth9` in the unnamed namespace"), "{text}");
}

#[test]
fn promiscuity_ends_with_the_socket_and_the_interface_is_described() {
    if !is_root() {
        return;
    }
    play(async {
        let (near, guest, _far) = Guest::alone().await;
        let handle = netlink(&near);
        let promiscuity = async || {
            let message = handle.link().get().match_name("cable").execute().try_next().await;
            let attributes = message.unwrap().unwrap().attributes;
            let count = attributes.iter().find_map(|attribute| match attribute {
                LinkAttribute::Promiscuity(count) => Some(*count),
                _ => None,
            });
            count.unwrap()
        };
        assert_eq!(promiscuity().await, 1);
        let links = Links::open(&near).await.unwrap();
        let link = links.find("cable").await.unwrap().unwrap();
        let socket = guest.socket;
        assert_eq!(
            (socket.index(), socket.mac(), socket.mtu().unwrap()),
            (link.index, link.mac, 1500)
        );
        assert_eq!(socket.interface().unwrap(), "cable");
        assert!(socket.offloads());
        links.set_mtu(link.index, 9000).await.unwrap();
        assert_eq!(socket.mtu().unwrap(), 9000);
        drop(socket);
        assert_eq!(promiscuity().await, 0);
    });
}
