//! Tunnel sockets over loopback: what is sent arrives cut where it was, in order, with its outer
//! header as asked.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::num::{NonZeroU8, NonZeroU16};
use std::time::Duration;

use os::links::Links;
use os::netns::Netns;
use os::poller::{Events, Poller};
use os::underlay::{Datagrams, Listener, Outbound, Report, Scratch, Sender, SenderOptions, Slots};
use os::underlay::{UnderlayError, path};
use packet::Pool;
use socket2::{Domain, Protocol, Socket, Type};

use crate::scene::{Host, is_root, play};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const PORT: u16 = 4789;
const TO: SocketAddrV4 = SocketAddrV4::new(HERE, PORT);
const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));
const OPTIONS: SenderOptions =
    SenderOptions { local: Ipv4Addr::UNSPECIFIED, dont_fragment: true, checksum: true, lanes: 5 };

/// Runs the test in a namespace with nothing but a loopback device of this MTU.
pub(crate) fn alone(mtu: u32, test: impl FnOnce() + Send) {
    if !is_root() {
        return;
    }
    let netns = Netns::anonymous().unwrap();
    play(async {
        let links = Links::open(&netns).await.unwrap();
        links.set_mtu(1, mtu).await.unwrap();
        links.loopback_up().await.unwrap();
    });
    netns.run(test).unwrap();
}

fn one(lane: usize, bytes: &[u8]) -> Outbound<[&[u8]; 1]> {
    let ttl = NonZeroU8::new(64).unwrap();
    Outbound { lane, to: TO, ttl, tos: 0, segment: None, parts: [bytes] }
}

fn train(size: u16, bytes: &[u8]) -> Outbound<[&[u8]; 1]> {
    Outbound { segment: NonZeroU16::new(size), ..one(0, bytes) }
}

fn send(sender: &Sender, messages: Vec<Outbound<[&[u8]; 1]>>) -> Report {
    sender.send(messages, &mut Scratch::new())
}

fn assert_all_sent(report: &Report, count: usize) {
    assert_eq!((report.sent, report.failed, report.too_big), (count, 0, 0), "{report:?}");
    assert!(report.error.is_none());
}

struct Ear {
    listeners: Vec<Listener>,
    poller: Poller,
    slots: Slots,
    pool: Pool,
}

/// One datagram: its source port, its TOS and its bytes.
type Heard = (u16, u8, Vec<u8>);

impl Ear {
    fn new(count: usize) -> Self {
        let listeners = Listener::open(HERE, PORT, count).unwrap();
        let poller = Poller::new().unwrap();
        for (token, listener) in (0..).zip(&listeners) {
            poller.add(listener, token).unwrap();
        }
        Self { listeners, poller, slots: Slots::new(), pool: Pool::new(32) }
    }

    /// Waits for `count` datagrams, after which there are no more.
    fn hear(&mut self, count: usize) -> Vec<Heard> {
        let mut heard = Vec::new();
        self.hear_joined(count, |_, datagrams| {
            let pieces = datagrams.frame.bytes().chunks(datagrams.size);
            heard.extend(pieces.map(|it| (datagrams.from.port(), datagrams.tos, it.to_vec())));
        });
        heard
    }

    fn hear_joined(&mut self, count: usize, mut each: impl FnMut(usize, &Datagrams)) {
        let mut left = count;
        let mut events = Events::with_capacity(4);
        while left > 0 {
            self.poller.wait(&mut events, PATIENCE).unwrap();
            assert!(!events.is_empty(), "{left} of {count} did not arrive");
            for (token, _) in events.iter() {
                let listener = &self.listeners[token as usize];
                let mut used = Vec::new();
                let receive = listener.receive(&mut self.slots, &mut self.pool, |datagrams| {
                    assert!(!datagrams.truncated);
                    assert_eq!(*datagrams.from.ip(), HERE);
                    left -= datagrams.frame.len().div_ceil(datagrams.size);
                    each(token as usize, &datagrams);
                    used.push(datagrams.frame);
                });
                receive.unwrap();
                used.into_iter().for_each(|frame| self.pool.give(frame));
            }
        }
        for listener in &self.listeners {
            let more = listener.receive(&mut self.slots, &mut self.pool, |more| panic!("{more:?}"));
            assert_eq!(more.unwrap(), 0);
            assert_eq!(listener.lost().unwrap(), 0);
        }
    }
}

/// Bytes that differ from place to place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

#[test]
fn a_train_arrives_joined_and_is_cut_where_it_was() {
    alone(65_536, || {
        let (sender, mut ear) = (Sender::open(&OPTIONS).unwrap(), Ear::new(1));
        for len in [44 * 1472, 43 * 1472 + 1, 1472, 1] {
            let bytes = pattern(len);
            assert_all_sent(&send(&sender, vec![train(1472, &bytes)]), 1);
            let (mut joined, mut receives) = (Vec::new(), 0);
            ear.hear_joined(len.div_ceil(1472), |_, datagrams| {
                assert_eq!(datagrams.size, len.min(1472));
                joined.extend_from_slice(datagrams.frame.bytes());
                receives += 1;
            });
            assert!(joined == bytes, "{len}");
            assert_eq!(receives, 1, "loopback keeps a train whole");
        }
        // More pieces, and more bytes, than one send takes.
        let bytes = pattern(200_003);
        assert_all_sent(&send(&sender, vec![train(1000, &bytes)]), 1);
        let heard = ear.hear(201);
        assert!(heard.iter().map(|heard| &heard.2[..]).eq(bytes.chunks(1000)));
    });
}

#[test]
fn a_message_in_many_parts_is_one() {
    alone(65_536, || {
        let (sender, mut ear) = (Sender::open(&OPTIONS).unwrap(), Ear::new(1));
        let bytes = pattern(64 * 1000);
        let parts = bytes.chunks(1000).flat_map(|piece| [&piece[..8], &piece[8..]]);
        let base = train(1000, &[]);
        let Outbound { lane, to, ttl, tos, segment, .. } = base;
        let message = Outbound { lane, to, ttl, tos, segment, parts };
        assert_all_sent(&sender.send([message], &mut Scratch::new()), 1);
        let heard = ear.hear(64);
        assert!(heard.iter().map(|heard| &heard.2[..]).eq(bytes.chunks(1000)));
    });
}

#[test]
fn every_lane_has_a_source_port_of_its_own() {
    alone(65_536, || {
        let sender = Sender::open(&SenderOptions { lanes: 16, ..OPTIONS }).unwrap();
        let second = Sender::open(&SenderOptions { lanes: 16, ..OPTIONS }).unwrap();
        let mut ports: Vec<u16> = sender.ports().chain(second.ports()).collect();
        let mut ear = Ear::new(1);
        assert_all_sent(&send(&sender, (0..16).map(|lane| one(lane + 160, b"x")).collect()), 16);
        let heard: Vec<u16> = ear.hear(16).iter().map(|heard| heard.0).collect();
        assert!(heard.iter().copied().eq(sender.ports()), "the remainder is the lane");
        assert!(ports.iter().all(|port| *port >= 49_152));
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 32);
        for lanes in [0, 257] {
            let error = Sender::open(&SenderOptions { lanes, ..OPTIONS }).unwrap_err();
            assert!(matches!(error, UnderlayError::BadCount { .. }), "{error}");
        }
    });
}

#[test]
fn a_mixed_batch_loses_nothing_and_keeps_the_order_of_each_lane() {
    alone(65_536, || {
        let (sender, mut ear) = (Sender::open(&OPTIONS).unwrap(), Ear::new(2));
        let ports: Vec<u16> = sender.ports().collect();
        let mut scratch = Scratch::new();
        for round in 0..20usize {
            let lane = |number: usize| (number * 7 + number / 3 + round) % 5;
            // Runs of equal sizes, shorter ones and longer ones, some with a TOS of their own.
            let bytes = |number: usize| vec![number as u8; [64, 64, 64, 900, 30][number / 4 % 5]];
            let tos = |number: usize| if number.is_multiple_of(11) { 2 } else { 0 };
            let all: Vec<Vec<u8>> = (0..64).map(bytes).collect();
            let messages = all
                .iter()
                .enumerate()
                .map(|(number, bytes)| Outbound { tos: tos(number), ..one(lane(number), bytes) });
            assert_all_sent(&sender.send(messages, &mut scratch), 64);
            let heard = ear.hear(64);
            for (lane_number, port) in ports.iter().enumerate() {
                let came = heard.iter().filter(|it| it.0 == *port).map(|it| (it.1, it.2.clone()));
                let went = (0..64).filter(|it| lane(*it) == lane_number);
                assert!(came.eq(went.map(|it| (tos(it), bytes(it)))), "lane {lane_number}");
            }
        }
    });
}

#[test]
fn small_datagrams_of_one_flow_travel_together() {
    alone(65_536, || {
        let (sender, mut ear) = (Sender::open(&OPTIONS).unwrap(), Ear::new(1));
        let bytes = pattern(64);
        let mut messages: Vec<_> = (0..70).map(|_| one(3, &bytes)).collect();
        messages.push(one(3, &bytes[..20]));
        assert_all_sent(&send(&sender, messages), 71);
        let mut receives = Vec::new();
        ear.hear_joined(71, |_, datagrams| {
            receives.push(datagrams.frame.len());
            assert_eq!(datagrams.size, 64);
        });
        assert_eq!(receives, [64 * 64, 6 * 64 + 20]);
    });
}

#[test]
fn flows_are_spread_over_the_listeners() {
    alone(65_536, || {
        let sender = Sender::open(&SenderOptions { lanes: 64, ..OPTIONS }).unwrap();
        let mut ear = Ear::new(2);
        send(&sender, (0..128).map(|lane| one(lane, b"x")).collect());
        let mut seen = [Vec::new(), Vec::new()];
        ear.hear_joined(128, |listener, datagrams| seen[listener].push(datagrams.from.port()));
        let [first, second] = seen;
        assert!(!first.is_empty() && !second.is_empty());
        assert!(first.iter().all(|port| !second.contains(port)), "a flow stays with one");
    });
}

/// A raw socket shows whole packets.
#[test]
fn the_outer_header_is_as_asked() {
    alone(65_536, || {
        let mut ear = Ear::new(1);
        let mut wire = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)).unwrap();
        wire.set_read_timeout(PATIENCE).unwrap();
        for (dont_fragment, checksum) in [(true, true), (false, true), (true, false)] {
            let options = SenderOptions { dont_fragment, checksum, local: HERE, lanes: 2 };
            let sender = Sender::open(&options).unwrap();
            for (ttl, tos) in [(64, 0), (7, 0), (64, 0xb9), (255, 3)] {
                let ttl = NonZeroU8::new(ttl).unwrap();
                assert_all_sent(&send(&sender, vec![Outbound { ttl, tos, ..one(1, b"x") }]), 1);
                assert_eq!(ear.hear(1).first().map(|heard| heard.1), Some(tos));
                let mut packet = [0; 100];
                let count = wire.read(&mut packet).unwrap();
                assert_eq!(count, 29);
                assert_eq!((packet[8], packet[1]), (ttl.get(), tos));
                assert_eq!(packet[6], if dont_fragment { 0x40 } else { 0 });
                assert_eq!(packet[26..28] != [0, 0], checksum);
            }
        }
    });
}

#[test]
fn what_does_not_fit_is_refused_alone_and_never_fragmented() {
    alone(1500, || {
        let mut ear = Ear::new(1);
        let bytes = pattern(70_000);
        for dont_fragment in [true, false] {
            let sender = Sender::open(&SenderOptions { dont_fragment, ..OPTIONS }).unwrap();
            // The small one could close the train that the large one starts.
            let messages = vec![
                one(0, &bytes[..1473]),
                one(0, &bytes[..60]),
                one(1, &bytes),
                one(0, &bytes[..1472]),
                train(1473, &bytes[..3 * 1473]),
                train(1472, &bytes[..3 * 1472]),
            ];
            let report = send(&sender, messages);
            assert_eq!((report.sent, report.failed, report.too_big), (3, 3, 3), "{report:?}");
            assert!(report.error.is_some());
            let lengths: Vec<usize> = ear.hear(5).iter().map(|heard| heard.2.len()).collect();
            assert_eq!(lengths, [60, 1472, 1472, 1472, 1472]);
            // A refusal for size is none of segmentation: trains still travel whole.
            send(&sender, vec![train(1000, &bytes[..9000])]);
            ear.hear_joined(9, |_, datagrams| assert_eq!(datagrams.frame.len(), 9000));
        }
    });
}

/// VX5.
#[test]
fn without_checksums_datagrams_go_one_by_one() {
    alone(65_536, || {
        let sender = Sender::open(&SenderOptions { checksum: false, ..OPTIONS }).unwrap();
        let mut ear = Ear::new(1);
        let bytes = pattern(10_001);
        let mut messages = vec![one(0, b"ahead"), train(1000, &bytes), one(0, b"behind")];
        messages.extend((0..40).map(|_| one(2, &bytes[..50])));
        assert_all_sent(&send(&sender, messages), 43);
        let heard = ear.hear(13 + 40);
        let mut wanted: Vec<&[u8]> = vec![b"ahead"];
        wanted.extend(bytes.chunks(1000));
        wanted.push(b"behind");
        wanted.extend([&bytes[..50]; 40]);
        assert!(heard.iter().map(|heard| &heard.2[..]).eq(wanted));
    });
}

#[test]
fn nobody_at_the_far_end_harms_no_later_datagram() {
    alone(65_536, || {
        let sender = Sender::open(&OPTIONS).unwrap();
        for _ in 0..3 {
            assert_all_sent(&send(&sender, vec![one(0, b"lost"), one(0, b"too")]), 2);
        }
        let mut ear = Ear::new(1);
        assert_all_sent(&send(&sender, vec![one(0, b"x")]), 1);
        assert_eq!(ear.hear(1).len(), 1);
        // No device leads there; the others go.
        let nowhere = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), PORT);
        let messages = vec![one(0, b"a"), Outbound { to: nowhere, ..one(0, b"b") }, one(0, b"c")];
        let report = send(&sender, messages);
        assert_eq!((report.sent, report.failed, report.too_big), (2, 1, 0), "{report:?}");
        assert_eq!(ear.hear(2).len(), 2);
    });
}

#[test]
fn an_empty_datagram_arrives_as_one() {
    alone(65_536, || {
        let (sender, ear) = (Sender::open(&OPTIONS).unwrap(), Ear::new(1));
        assert_all_sent(&send(&sender, vec![one(0, b""), one(0, b"")]), 2);
        let (mut slots, mut pool) = (Slots::new(), Pool::new(16));
        let mut seen = Vec::new();
        let listener = ear.listeners.first().unwrap();
        let count = listener.receive(&mut slots, &mut pool, |datagrams| {
            seen.push((datagrams.frame.len(), datagrams.size));
        });
        assert_eq!((count.unwrap(), seen), (2, vec![(0, 1), (0, 1)]));
    });
}

#[test]
fn the_way_to_a_far_endpoint_is_known_or_why_there_is_none() {
    if !is_root() {
        return;
    }
    play(async {
        let host = Host::new(true, 1).await;
        host.up("192.0.2.2/24", 1400).await;
        host.links.loopback_up().await.unwrap();
        let far = Ipv4Addr::new(192, 0, 2, 9);
        let (own, strange) = (Ipv4Addr::new(192, 0, 2, 2), Ipv4Addr::new(198, 51, 100, 1));
        let ask = |remote, local| host.netns.run(|| path(remote, local)).unwrap();
        for local in [None, Some(own)] {
            let path = ask(far, local).unwrap();
            assert_eq!((path.source, path.mtu, path.device.as_str()), (own, 1400, "eth0"));
        }
        let error = ask(strange, None).unwrap_err();
        assert!(matches!(error, UnderlayError::NoRoute { remote, .. } if remote == strange));
        assert!(error.to_string().contains("no route leads to 198.51.100.1"), "{error}");
        for (remote, local) in [(own, None), (HERE, None), (own, Some(HERE))] {
            let error = ask(remote, local).unwrap_err();
            assert!(matches!(error, UnderlayError::OwnAddress { .. }), "{error}");
        }
        let error = ask(far, Some(strange)).unwrap_err();
        assert!(matches!(error, UnderlayError::NotOurs { local } if local == strange), "{error}");
    });
}

/// A datagram from an ordinary socket is one like any other.
#[test]
fn a_stranger_is_heard() {
    alone(65_536, || {
        let mut ear = Ear::new(1);
        let stranger = UdpSocket::bind((HERE, 0)).unwrap();
        let bytes = pattern(65_507);
        stranger.send_to(&bytes, TO).unwrap();
        let port = stranger.local_addr().unwrap().port();
        assert!(ear.hear(1) == [(port, 0, bytes)]);
    });
}
