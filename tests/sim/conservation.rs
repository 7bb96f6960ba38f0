//! Whatever comes in, on whatever port, every frame is accounted for, nothing panics, and all of it
//! can be repeated.
//!
//! The lab itself asserts, after each step: the books balance, only right frames leave, and no
//! inside address leaves untranslated.

use core::num::NonZeroU16;
use core::time::Duration;

use lab::rng::Rng;
use lab::wire::{arp_request, frame};
use lab::{Lab, Packet, Port};
use packet::{Frame, Mac, Offload, SegmentKind, Span};
use proptest::prelude::*;
use switch::change::{BridgeSettings, InterfaceSettings};
use switch::vlan::PriorityTags;
use switch::{Change, Event};

pub(crate) const PORTS: [&str; 7] = ["red", "blue", "ten", "trunk", "alone", "wan", "dmz"];
const INTERFACES: [&str; 4] = ["br0", "br0.10", "wan", "dmz"];
const ADDRESSES: [&str; 14] = [
    "192.168.0.1",
    "192.168.0.2",
    "192.168.0.3",
    "192.168.0.77",
    "192.168.0.255",
    "10.0.10.1",
    "10.0.10.2",
    "203.0.113.1",
    "203.0.113.254",
    "198.51.100.9",
    "172.16.0.1",
    "172.16.0.2",
    "127.0.0.1",
    "224.0.0.1",
];

/// Everything at once: VLANs, isolation, routed ports, masquerade with and without exceptions,
/// published ports.
pub(crate) fn town(seed: u64) -> Lab {
    let mut lab = Lab::new(seed);
    let small = BridgeSettings { capacity: 12, forward: 1 << 14, ..BridgeSettings::default() };
    lab.bridge_with("br0", small);
    lab.router("br0", "192.168.0.1/24");
    lab.router("br0.10", "10.0.10.1/24");
    lab.peer("red", Port::on("br0").offload(), "192.168.0.2");
    lab.peer("blue", Port::on("br0").isolated().mtu(1000), "192.168.0.3");
    lab.peer("ten", Port::on("br0").access(10).priority_tags(PriorityTags::Always), "10.0.10.2");
    lab.station("trunk", Port::on("br0").native_untagged(10, &[10, 20]).offload());
    lab.station("alone", Port::on("br0").isolated().native_tagged(20, &[10]));
    lab.peer("wan", Port::routed("203.0.113.1/24").mtu(1200), "203.0.113.254");
    lab.peer("dmz", Port::routed("172.16.0.1/24").offload(), "172.16.0.2");
    lab.route("0.0.0.0/0", "203.0.113.254");
    let mut rule = lab.rule("192.168.0.0/24", "wan");
    rule.except = vec!["198.51.100.64/28".parse().expect("a network")];
    lab.masquerade_with(rule);
    lab.masquerade("10.0.10.0/24", "wan");
    lab.publish("203.0.113.1:80/tcp", "192.168.0.2:80");
    lab.publish("203.0.113.1:53/udp", "10.0.10.2:53");
    lab.limits(20, 6);
    lab.clear();
    lab
}

/// Addresses that packets arrive at.
const REACHED: &[&str] = &[
    "198.51.100.9",
    "198.51.100.10",
    "198.51.100.70",
    "203.0.113.1",
    "203.0.113.254",
    "192.168.0.2",
    "10.0.10.2",
    "172.16.0.2",
];

/// A port's station with its address and the router's interface beside it.
const STATIONS: [(&str, &str, &str); 6] = [
    ("red", "192.168.0.2", "br0"),
    ("blue", "192.168.0.3", "br0"),
    ("ten", "10.0.10.2", "br0.10"),
    ("wan", "203.0.113.254", "wan"),
    ("wan", "198.51.100.9", "wan"),
    ("dmz", "172.16.0.2", "dmz"),
];

/// A right packet of a station's own, to anybody, or an answer to what it heard.
fn purposeful(lab: &mut Lab, rng: &mut Rng) -> (&'static str, Vec<u8>) {
    let (port, own, interface) = *rng.pick(&STATIONS);
    let heard = lab.packets(port);
    let packet = match heard.last() {
        Some(heard) if rng.chance(700) => answer(rng, heard),
        _ => {
            let to = if rng.chance(800) { REACHED } else { &ADDRESSES[..] };
            let to = *rng.pick(to);
            packet(rng, own, to)
        }
    };
    let begun = frame(lab.router_mac(interface), lab.mac(port));
    if packet.payload.is_empty() || rng.chance(850) {
        return (port, begun.ip(&packet));
    }
    let pieces = packet.fragments(8 * (20 + rng.below(100) as usize));
    for piece in &pieces[1..] {
        lab.send(port, &begun.clone().ip(piece));
    }
    (port, begun.ip(&pieces[0]))
}

/// What a host may say to a packet that it got.
fn answer(rng: &mut Rng, heard: &Packet) -> Packet {
    let data = rng.bytes(100);
    match heard.protocol {
        _ if rng.chance(150) => {
            let wire = *rng.pick(&[(3, 1), (3, 3), (3, 4), (11, 0)]);
            Packet::error(heard.destination, heard.source, wire, 1000, heard, 60)
        }
        17 => Packet::udp(heard.to(), heard.from(), &data),
        6 => {
            Packet::tcp(heard.to(), heard.from(), *rng.pick(&[0x12, 0x10, 0x18, 0x11, 0x04]), &data)
        }
        1 => Packet::pong(heard.destination, heard.source, heard.from().port(), 1),
        other => Packet::new(other, heard.destination, heard.source, data),
    }
}

/// A frame that may well be right.
pub(crate) fn plausible(lab: &Lab, rng: &mut Rng, port: &str) -> Vec<u8> {
    let macs = [
        lab.mac("red"),
        lab.mac("blue"),
        lab.mac("ten"),
        lab.router_mac("br0"),
        lab.router_mac("br0.10"),
        lab.router_mac("wan"),
        lab.router_mac("dmz"),
        Mac::BROADCAST,
        Mac([1, 0x80, 0xc2, 0, 0, rng.below(17) as u8]),
        Mac([2, 9, 9, 9, 9, rng.below(30) as u8]),
    ];
    let own = if rng.chance(800) { lab.mac(port) } else { *rng.pick(&macs) };
    let mut begun = frame(*rng.pick(&macs), own);
    if rng.chance(250) {
        begun = begun.tag_bits(*rng.pick(&[0, 10, 20, 30, 4095, 0xa00a, 0xe000]));
    }
    let (from, to) = (*rng.pick(&ADDRESSES), *rng.pick(&ADDRESSES));
    if rng.chance(150) {
        return begun.arp(&arp_request(own, from, to));
    }
    let packet = packet(rng, from, to);
    let packet = packet.ttl(*rng.pick(&[0, 1, 2, 64])).id(rng.below(4) as u16);
    let packet = if rng.chance(300) { packet.df() } else { packet };
    if packet.payload.is_empty() || rng.chance(800) {
        return begun.ip(&packet);
    }
    let size = 8 * (1 + rng.below(100) as usize);
    begun.ip(rng.pick(&packet.fragments(size)))
}

fn packet(rng: &mut Rng, from: &str, to: &str) -> Packet {
    let ports = [53u16, 80, 1000, 1001, 40_000];
    let (source, target) =
        (format!("{from}:{}", rng.pick(&ports)), format!("{to}:{}", rng.pick(&ports)));
    let len = *rng.pick(&[0, 1, 30, 100, 100, 1000, 1400, 3000]);
    let data = rng.bytes(len);
    match rng.below(6) {
        0 | 1 => Packet::udp(&*source, &*target, &data),
        2 => Packet::tcp(&*source, &*target, rng.below(64) as u8, &data),
        3 => Packet::ping(from, to, rng.below(4) as u16, 1),
        4 => {
            let about = Packet::udp(&*target, &*source, &data);
            let wire = *rng.pick(&[(3, 0), (3, 3), (3, 4), (11, 0), (5, 1)]);
            Packet::error(from, to, wire, 576, &about, rng.below(60) as usize)
        }
        _ => Packet::new(rng.below(256) as u8, from, to, data),
    }
}

/// The same with bytes changed, lost or added.
fn mutated(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..rng.below(4) {
        let len = bytes.len() as u64;
        match rng.below(4) {
            0 if len > 0 => bytes.truncate(rng.below(len) as usize),
            1 => {
                let more = rng.below(40) as usize;
                bytes.extend(rng.bytes(more));
            }
            _ if len > 0 => bytes[rng.below(len.min(60)) as usize] ^= 1 << rng.below(8),
            _ => {}
        }
    }
    bytes
}

/// Any duty at all, right or wrong.
fn burdened(rng: &mut Rng, bytes: &[u8]) -> Frame {
    let mut frame = Frame::copied_from(bytes);
    let span = Span { start: *rng.pick(&[34, 38, 14, 54]), offset: *rng.pick(&[6, 16, 2, 60_000]) };
    // A device lets no span reach beyond its frame.
    if span.field() + 2 > bytes.len() || rng.chance(700) {
        return frame;
    }
    let size = NonZeroU16::new(rng.below(1500) as u16 + 1).expect("one or more");
    let kind = *rng.pick(&[
        SegmentKind::Udp,
        SegmentKind::Fragments,
        SegmentKind::Tcp4 { ecn: true },
        SegmentKind::Tcp6 { ecn: false },
    ]);
    frame.set_offload(match rng.chance(500) {
        true => Offload::Checksum(span),
        false => Offload::Segment { kind, size, span },
    });
    frame
}

/// Time, cables and settings change as well.
fn disturb(lab: &mut Lab, rng: &mut Rng) {
    match rng.below(12) {
        8 => lab.router_mtu(rng.pick::<&str>(&INTERFACES), 300 + rng.below(1201) as u16),
        9 => {
            let wan = lab.interface_id("wan");
            let own = *rng.pick(&["203.0.113.1/24", "203.0.113.2/24"]);
            let addresses = vec![own.parse().expect("an address")];
            let settings = InterfaceSettings { addresses, ..lab.interface_settings("wan") };
            lab.change(Change::SetInterface(wan, settings));
        }
        10 => {
            let dmz = lab.interface_id("dmz");
            let settings = lab.interface_settings("dmz");
            lab.change(Change::DeleteInterface(dmz));
            lab.change(Change::SetInterface(dmz, settings));
        }
        11 => lab.change(Change::SetErrorRate { rate: rng.below(100) as u32, burst: 5 }),
        0 => lab.down(rng.pick::<&str>(&PORTS)),
        1 => lab.run_for(Duration::from_secs(rng.below(400))),
        2 => lab.change(Change::FlushNeighbors),
        3 => lab.change(Change::FlushStations(None, None)),
        4 => lab.change(Change::FlushFlows),
        5 => {
            let port = lab.port_id(rng.pick::<&str>(&PORTS));
            lab.step(Event::Malformed { port });
        }
        6 => {
            let mut rules = lab.rules().clone();
            rules.masquerade.rotate_left(1);
            lab.set_rules(rules);
        }
        _ => lab.run_for(Duration::from_millis(rng.below(3000))),
    }
}

/// A life of `frames` frames; the digest of all that left.
fn life(seed: u64, frames: u32) -> u64 {
    live(town(seed), seed, frames)
}

/// The same in this town.
pub(crate) fn live(mut lab: Lab, seed: u64, frames: u32) -> u64 {
    let mut rng = Rng::new(!seed);
    // Half a datagram with a wrong checksum cannot be told from a right one.
    lab.distrust();
    live_on(&mut lab, &mut rng, frames);
    lab.run_for(Duration::from_secs(200));
    assert_eq!(lab.switch().totals().held, 0, "nothing waits for ever");
    lab.digest()
}

/// Some frames of a life, and what disturbs it.
pub(crate) fn live_on(lab: &mut Lab, rng: &mut Rng, frames: u32) {
    for _ in 0..frames {
        if rng.chance(600) {
            let (port, bytes) = purposeful(lab, rng);
            let bytes = if rng.chance(100) { mutated(rng, bytes) } else { bytes };
            lab.send(port, &bytes);
        } else {
            let port = *rng.pick(&PORTS);
            let bytes = plausible(lab, rng, port);
            let bytes = if rng.chance(400) { mutated(rng, bytes) } else { bytes };
            let frame = burdened(rng, &bytes);
            lab.send_frame(port, frame);
        }
        if rng.chance(15) {
            disturb(lab, rng);
        }
        if rng.chance(50) {
            PORTS.iter().for_each(|port| lab.up(port));
        }
        if rng.chance(20) {
            lab.clear();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// RT1, AR6, NC4, and the invariant above all.
    #[test]
    fn every_frame_is_accounted_for_whatever_it_is(seed: u64) {
        life(seed, 400);
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes(seed: u64) {
        prop_assert_eq!(life(seed, 150), life(seed, 150));
    }

    #[test]
    fn every_step_does_what_was_explained_ahead(seed: u64) {
        let mut lab = town(seed);
        lab.foretell();
        prop_assert_eq!(live(lab, seed, 60), life(seed, 60), "questions change nothing");
    }

    #[test]
    fn random_bytes_are_accounted_for(
        frames in prop::collection::vec((0usize..7, prop::collection::vec(any::<u8>(), 0..200)), 1..50)
    ) {
        let mut lab = town(1);
        lab.distrust();
        for (port, bytes) in &frames {
            lab.send(PORTS[*port], bytes);
        }
        let totals = lab.switch().totals();
        prop_assert!(totals.received >= frames.len() as u64);
    }
}
