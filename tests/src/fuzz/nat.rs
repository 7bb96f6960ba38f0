//! NAT alone: any rules, then packets both ways and the clock, against linear tables.
//!
//! A router around [`Nat`] that is as small as can be: two inside interfaces, two outside. Every
//! translation is as the [reference](crate::reference) predicts it, every checksum is right, a
//! refused packet is as its sender knew it, and behind each step the tables of NAT agree with each
//! other.

use core::net::{Ipv4Addr, SocketAddrV4};

use nat::{Arrival, Departure, Filtering, Limits, Listen, Mapping, Masquerade, Nat, PortRange};
use nat::{Publish, Rules};
use packet::{DropReason, Dropped, Frame, Instant, InterfaceId, Ipv4, Mac, PortId, Protocol};
use switch::Change;

use super::bytes::Bytes;
use crate::reference::ipv4::Transport;
use crate::reference::nat::{self as reference, Inbound, Outbound, Translator};
use crate::topology::net;
use crate::wire::{Address, Packet, frame};

const MOST: usize = 200;
/// The interfaces' own addresses, by number.
const OWN: [&str; 4] = ["192.168.0.1", "192.168.1.1", "203.0.113.1", "198.51.100.1"];
/// Hosts, then addresses of the router's own, from which nothing comes in.
const ENDS: [&str; 10] = [
    "192.168.0.2",
    "192.168.0.3",
    "192.168.1.2",
    "203.0.113.9",
    "203.0.113.10",
    "198.51.100.9",
    "10.0.0.1",
    "203.0.113.1",
    "198.51.100.1",
    "192.168.0.1",
];
const HOSTS: usize = 7;
const PORTS: [u16; 8] = [4000, 4001, 53, 80, 1000, 40_000, 0, 4002];

/// Packets, a byte or two for each choice.
pub fn nat(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut router = Router::read(&mut bytes);
    for _ in 0..MOST {
        if bytes.is_empty() {
            break;
        }
        router.step(&mut bytes);
    }
}

struct Router {
    nat: Nat,
    reference: Translator,
    now: Instant,
    /// Packets that left, to be answered.
    seen: Vec<Packet>,
}

/// What became of a packet.
#[derive(Debug)]
enum Outcome {
    Sent(Packet),
    Local,
    Refused(DropReason),
}

impl Router {
    fn read(bytes: &mut Bytes<'_>) -> Self {
        let (nat, reference) = (Nat::new(7), Translator::default());
        let mut router = Self { nat, reference, now: Instant::from_secs(1000), seen: Vec::new() };
        router.set(Change::SetRules(rules(bytes)));
        let limits = Limits { flows: bytes.pick(&[64, 8]), flows_per_host: bytes.pick(&[64, 4]) };
        router.set(Change::SetLimits(limits));
        router
    }

    fn set(&mut self, change: Change) {
        self.reference.begin(self.now);
        self.reference.change(self.now, &change);
        match change {
            Change::SetRules(rules) => {
                self.nat.set_rules(rules);
                self.nat.sweep();
            }
            Change::SetLimits(limits) => self.nat.set_limits(limits),
            Change::FlushFlows => drop(self.nat.flush(0..u32::MAX, |_| false)),
            other => unreachable!("no matter of NAT's: {other:?}"),
        }
        self.confirm();
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.below(16) {
            0..=7 => {
                let (from, to) = (end(bytes, &ENDS[..HOSTS]), end(bytes, &ENDS));
                self.pass(&packet(bytes, from, to));
            }
            8..=12 => {
                let Some(heard) = self.seen.pop() else { return };
                let answer = answer(bytes, &heard);
                // A packet of the router's own would not come in.
                if owner(answer.source).is_none() {
                    self.pass(&answer);
                }
            }
            13 | 14 => {
                let seconds = bytes.pick(&[1, 30, 61, 119, 121, 241, 301, 7500]);
                self.wait(self.now + core::time::Duration::from_secs(seconds));
            }
            _ if bytes.one_in(3) => self.set(Change::FlushFlows),
            _ => self.set(Change::SetRules(rules(bytes))),
        }
    }

    /// Lets time pass; whatever is due runs in its own second.
    fn wait(&mut self, end: Instant) {
        while self.now < end {
            self.now = self.nat.next_timeout().map_or(end, |due| due.clamp(self.now, end));
            self.reference.begin(self.now);
            self.nat.timeout(self.now);
            self.confirm();
        }
    }

    fn confirm(&mut self) {
        let flows: Vec<_> = self.nat.flows(self.now).collect();
        self.reference.confirm(self.now, &flows);
        if let Err(wrong) = self.nat.audit() {
            panic!("{wrong}");
        }
    }

    fn pass(&mut self, packet: &Packet) {
        let arrival = (way(packet.source), owner(packet.destination));
        self.reference.begin(self.now);
        self.reference.came_by(arrival.0.index() as u32);
        let inbound = self.reference.inbound(packet, arrival);
        let outcome = self.translate(packet, arrival);
        let expected = match inbound {
            Inbound::Destined(destined) => {
                let interface = way(*destined.to.ip());
                let external = Some(own(interface));
                let departure = reference::Departure { interface, external };
                self.reference.outbound(packet, destined, departure)
            }
            Inbound::Local => {
                self.confirm();
                return assert!(
                    matches!(outcome, Outcome::Local),
                    "{outcome:?} for us: {packet:?}"
                );
            }
            Inbound::Refused(reason) => Outbound::Refused(reason),
            Inbound::Unknown => Outbound::Unknown,
        };
        if matches!(expected, Outbound::Unknown) {
            self.reference.lose_track();
        }
        self.confirm();
        let translated = match (&expected, &outcome) {
            (Outbound::Unknown, _) => return self.seen.extend(sent(outcome)),
            (Outbound::Refused(reason), Outcome::Refused(was)) => {
                return assert_eq!(reason, was, "{packet:?}");
            }
            (Outbound::Either(reason, _), Outcome::Refused(was)) if reason == was => return,
            (Outbound::Passed(passed) | Outbound::Either(_, passed), Outcome::Sent(_)) => passed,
            _ => panic!("{outcome:?} of {packet:?}"),
        };
        let from = self.reference.seen_as(translated, packet);
        let to = translated.to;
        let Outcome::Sent(left) = outcome else { return };
        assert_eq!((left.source, left.destination), (*from.ip(), *to.ip()), "{packet:?}");
        if matches!(Transport::of(packet), Transport::Tcp { .. } | Transport::Udp) {
            assert_eq!((left.from(), left.to()), (from, to), "{packet:?}");
        }
        self.seen.push(left);
    }

    /// Both steps of the packet through NAT itself.
    fn translate(
        &mut self,
        packet: &Packet,
        (interface, owner): (InterfaceId, Option<InterfaceId>),
    ) -> Outcome {
        let right = packet.checksum_holds(packet::Offload::Complete);
        let bytes = frame(Mac::ZERO, Mac::ZERO).ip(packet);
        let before = Frame::copied_from(&bytes);
        let packet = Ipv4::in_frame(before.clone()).expect("a right header");
        let refused = |dropped: Dropped| {
            assert_eq!(dropped.frame, before, "a refused packet is as its sender knew it");
            Outcome::Refused(dropped.reason)
        };
        let arrival =
            Arrival { interface, owner, port: Some(PortId::new(interface.index() as u32)) };
        let destined = match self.nat.inbound(self.now, packet, arrival) {
            Ok(destined) if destined.is_local() => return Outcome::Local,
            Ok(destined) => destined,
            Err(dropped) => return refused(dropped),
        };
        let interface = way(destined.packet().destination());
        let departure = Departure { interface, external: Some(own(interface)) };
        match self.nat.outbound(self.now, destined, arrival, departure) {
            Err(dropped) => refused(dropped),
            Ok(translated) => {
                let left = translated.into_packet();
                let left = Packet::parse(left.bytes()).unwrap_or_else(|wrong| panic!("{wrong}"));
                let holds = left.checksum_holds(packet::Offload::Complete);
                assert!(holds || !right, "a wrong sum: {left:?}");
                Outcome::Sent(left)
            }
        }
    }
}

fn sent(outcome: Outcome) -> Option<Packet> {
    match outcome {
        Outcome::Sent(packet) => Some(packet),
        Outcome::Local | Outcome::Refused(_) => None,
    }
}

/// The interface that an address is behind.
fn way(address: Ipv4Addr) -> InterfaceId {
    InterfaceId::new(match address.octets() {
        [192, 168, 0, _] => 0,
        [192, 168, 1, _] => 1,
        [203, ..] => 2,
        _ => 3,
    })
}

fn own(interface: InterfaceId) -> Ipv4Addr {
    OWN[interface.index()].address()
}

fn owner(address: Ipv4Addr) -> Option<InterfaceId> {
    let at = OWN.iter().position(|own| own.address() == address)?;
    Some(InterfaceId::new(at as u16))
}

fn end(bytes: &mut Bytes<'_>, addresses: &[&str]) -> SocketAddrV4 {
    SocketAddrV4::new(bytes.pick(addresses).address(), bytes.pick(&PORTS))
}

fn packet(bytes: &mut Bytes<'_>, from: SocketAddrV4, to: SocketAddrV4) -> Packet {
    match bytes.below(8) {
        0..=2 => Packet::udp(from, to, b"hello"),
        3 | 4 => Packet::tcp(from, to, bytes.pick(&[2, 0x10, 0x12, 0x11, 4, 0x18, 0]), b"data"),
        5 => Packet::ping(*from.ip(), *to.ip(), from.port(), 1),
        6 => {
            Packet::icmp(*from.ip(), *to.ip(), (bytes.pick(&[13, 14, 0, 17]), 0), [0, 1, 0, 0], &[])
        }
        _ => {
            Packet::new(bytes.pick(&[47, 6, 17, 1]), *from.ip(), *to.ip(), vec![0; bytes.below(9)])
        }
    }
}

/// What may be said to a packet, by who got it or by a router on its way.
fn answer(bytes: &mut Bytes<'_>, heard: &Packet) -> Packet {
    let (from, to) = (heard.to(), heard.from());
    match heard.protocol {
        _ if bytes.one_in(5) => {
            let by = if bytes.one_in(2) { heard.destination } else { bytes.pick(&ENDS).address() };
            Packet::error(by, heard.source, bytes.pick(&[(3, 1), (3, 4), (11, 0)]), 1000, heard, 8)
        }
        17 if heard.payload.len() >= 8 => Packet::udp(from, to, b"!"),
        6 if heard.payload.len() >= 20 => {
            Packet::tcp(from, to, bytes.pick(&[0x12, 0x10, 0x11, 4]), b"")
        }
        1 if heard.kind().0 == 8 => Packet::pong(heard.destination, heard.source, to.port(), 1),
        other => Packet::new(other, heard.destination, heard.source, heard.payload.clone()),
    }
}

fn rules(bytes: &mut Bytes<'_>) -> Rules {
    let mut rules = Rules::default();
    let interfaces = [2, 3, 0].map(InterfaceId::new);
    for _ in 0..1 + bytes.below(3) {
        let inside_reachable;
        rules.masquerade.push(Masquerade {
            except: if bytes.one_in(4) { vec![net("203.0.113.8/30")] } else { Vec::new() },
            mapping: bytes.pick(&[Mapping::EndpointIndependent, Mapping::AddressAndPortDependent]),
            filtering: bytes.pick(&[
                Filtering::AddressAndPortDependent,
                Filtering::AddressDependent,
                Filtering::EndpointIndependent,
            ]),
            ports: bytes.pick(&[None, PortRange::new(4000, 4003), PortRange::new(1000, 1027)]),
            // One byte for both, so that what was found keeps its meaning.
            parity: {
                let choice = bytes.below(4);
                inside_reachable = choice > 1;
                choice.is_multiple_of(2)
            },
            inside_reachable,
            keep: bytes.one_in(4),
            ..Masquerade::new(
                net(bytes.pick(&["192.168.0.0/24", "192.168.0.0/16", "192.168.0.3/32"])),
                bytes.pick(&interfaces),
            )
        });
    }
    for _ in 0..bytes.below(4) {
        let listen = [
            Listen::Any,
            Listen::Interface(interfaces[0]),
            Listen::Address(OWN[2].address()),
            Listen::Address(OWN[3].address()),
        ];
        rules.publish.push(Publish {
            protocol: bytes.pick(&[Protocol::TCP, Protocol::UDP]),
            listen: bytes.pick(&listen),
            port: bytes.pick(&PORTS),
            to: end(bytes, &ENDS),
            keep: bytes.one_in(4),
        });
    }
    rules
}
