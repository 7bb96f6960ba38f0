//! The first inputs of the targets: small lives that reach far. `fuzz/run seeds` writes them to the
//! corpora.

use packet::Mac;

use crate::rng::Rng;
use crate::tunnel::encapsulated;
use crate::wire::{Packet, SYN, announcement, arp_reply, arp_request, frame, pseudo};

/// An EtherType for local experiments (IEEE 802, clause 9.2.3): nobody looks inside.
const EXPERIMENT: u16 = 0x88b5;

/// The stations and the router's ends of the fuzz targets' topology.
const RED: Mac = Mac([2, 0, 0, 0, 0, 1]);
const BLUE: Mac = Mac([2, 0, 0, 0, 0, 2]);
const TRUNK: Mac = Mac([2, 0, 0, 0, 0, 3]);
const WAN: Mac = Mac([2, 0, 0, 0, 0, 4]);
const ROUTER: Mac = Mac([2, 0xff, 0, 0, 0, 1]);
const ROUTER_10: Mac = Mac([2, 0xff, 0, 0, 0, 2]);
const ROUTER_WAN: Mac = Mac([2, 0xff, 0, 0, 0, 3]);

/// A station that is not at the end of any cable of its own.
const fn stranger(number: u8) -> Mac {
    Mac([2, 0xaa, 0, 0, 0, number])
}

/// One record of an input, as `lab::fuzz` reads it.
fn record(a: u8, b: u8, five_bits: u8, bytes: &[u8]) -> Vec<u8> {
    let [high, low] = (bytes.len() as u16).to_be_bytes();
    [&[a, b, five_bits << 3 | high][..], &[low], bytes].concat()
}

/// A SYN that announces an MSS of 1460.
fn syn(from: &str, to: &str) -> Packet {
    let mut packet = Packet::tcp(from, to, SYN, &[2, 4, 5, 180]);
    packet.payload[12] = 0x60;
    packet.summed()
}

/// A connection's segments, each a datagram of VNI 42 and of 64 bytes times `units`, the last one
/// short.
fn train(units: usize) -> Vec<u8> {
    let size = units * 64 - 62;
    let data = vec![0x5a; 3 * size + 7];
    let segment = |(index, chunk): (usize, &[u8])| {
        let (from, to) = ("192.168.0.9:80", "192.168.0.3:1000");
        let sequence = 1 + (index * size) as u32;
        let packet = Packet::tcp_at(from, to, 0x10, sequence, 5, chunk).df().id(index as u16);
        encapsulated(42, &frame(BLUE, stranger(1)).ip(&packet))
    };
    data.chunks(size).enumerate().flat_map(segment).collect()
}

fn datagrams() -> Vec<(&'static str, Vec<u8>)> {
    let udp = Packet::udp("192.168.0.9:5000", "198.51.100.9:53", b"?");
    let ping = Packet::ping("192.168.0.9", "192.168.0.1", 1, 1);
    let on_42 = |who, class, bytes: Vec<u8>| record(who, class, 0, &encapsulated(42, &bytes));
    let begun = frame(ROUTER, stranger(1));
    let ask = arp_request(stranger(1), "192.168.0.9", "192.168.0.1");
    let known = on_42(0, 0, frame(Mac::BROADCAST, stranger(1)).arp(&ask));
    let in_ten = frame(ROUTER_10, stranger(2)).tag(10);
    let large = Packet::udp("192.168.0.9:1", "198.51.100.9:2", &[7; 1500]);
    let pieces = large.fragments(800);
    let about = Packet::udp("198.51.100.9:53", "192.168.0.9:5000", b"!");
    vec![
        (
            "announcement",
            on_42(
                0,
                0,
                frame(Mac::BROADCAST, stranger(1)).arp(&announcement(stranger(1), "192.168.0.9")),
            ),
        ),
        ("ping", [known.clone(), on_42(0, 0, begun.clone().ip(&ping))].concat()),
        ("masqueraded", [known.clone(), on_42(0, 0, begun.clone().ip(&udp))].concat()),
        (
            "fragments",
            [
                known.clone(),
                on_42(0, 0, begun.clone().ip(&pieces[0])),
                on_42(0, 0, begun.clone().ip(&pieces[1])),
            ]
            .concat(),
        ),
        (
            "error",
            on_42(
                0,
                0,
                begun.clone().ip(&Packet::error(
                    "192.168.0.9",
                    "198.51.100.9",
                    (3, 3),
                    0,
                    &about,
                    8,
                )),
            ),
        ),
        ("congested", on_42(0, 3, frame(RED, stranger(1)).ip(&udp.clone().class(2)))),
        ("lost", on_42(0, 3, frame(RED, stranger(1)).ip(&udp))),
        ("mss", on_42(1, 0, frame(RED, stranger(1)).ip(&syn("192.168.0.9:1", "192.168.0.2:80")))),
        (
            "moved",
            [
                known.clone(),
                on_42(1, 0, frame(RED, stranger(1)).payload(EXPERIMENT, b"moved")),
                on_42(0, 0, frame(stranger(1), stranger(2)).payload(EXPERIMENT, b"no")),
            ]
            .concat(),
        ),
        (
            "tagged",
            record(
                0,
                0,
                0,
                &encapsulated(
                    43,
                    &in_ten.clone().ip(&Packet::ping("10.0.10.9", "10.0.10.1", 1, 1)),
                ),
            ),
        ),
        (
            "strict",
            record(0, 0, 0, &[&[8, 0, 0, 1][..], &encapsulated(43, &in_ten.bytes())[4..]].concat()),
        ),
        (
            "tagged_in_access",
            on_42(0, 0, frame(RED, stranger(1)).tag(10).payload(EXPERIMENT, b"no")),
        ),
        ("no_learning", on_42(2, 0, frame(Mac::BROADCAST, ROUTER).payload(EXPERIMENT, b"no"))),
        (
            "stranger",
            [record(3, 0, 0, &encapsulated(42, &[])), record(0, 0, 0, &encapsulated(99, &[]))]
                .concat(),
        ),
        ("cut", [record(0, 0, 0, &[8, 0, 0]), on_42(0, 0, vec![2; 13])].concat()),
        (
            "train",
            [
                on_42(0, 0, frame(Mac::BROADCAST, stranger(1)).payload(EXPERIMENT, b"here")),
                record(0, 2, 5, &train(5)),
            ]
            .concat(),
        ),
        ("late", [known, record(0x80, 0, 0, &[8, 0, 0, 0, 0, 0, 42, 0])].concat()),
    ]
}

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let (red, blue, trunk, wan) = (0, 1, 2, 3);
    let plain = |port, bytes: Vec<u8>| record(port, 0, 0, &bytes);
    let query = Packet::udp("192.168.0.2:5000", "198.51.100.9:53", b"?");
    let published = Packet::tcp("198.51.100.9:4000", "203.0.113.1:80", SYN, b"");
    let bulk = Packet::tcp("192.168.0.3:1", "198.51.100.9:80", 0x10, &[1; 1000]).df();
    let begun = frame(ROUTER, RED);
    let opened = Packet::tcp("192.168.0.3:1", "198.51.100.9:80", SYN, b"");
    let large = Packet::udp("192.168.0.2:1", "192.168.0.9:2", &[7; 1460]).df();
    let pieces = Packet::udp("192.168.0.2:1", "198.51.100.9:2", &[7; 1500]).fragments(800);
    let shout = |from| frame(Mac::BROADCAST, from);
    vec![
        ("hello", plain(red, shout(RED).payload(EXPERIMENT, b"hello"))),
        ("arp", plain(red, shout(RED).arp(&arp_request(RED, "192.168.0.2", "192.168.0.1")))),
        (
            "reply",
            plain(
                red,
                frame(ROUTER, RED).arp(&arp_reply(RED, "192.168.0.2", ROUTER, "192.168.0.1")),
            ),
        ),
        ("conflict", plain(red, shout(RED).arp(&announcement(RED, "192.168.0.1")))),
        ("ping", plain(red, begun.clone().ip(&Packet::ping("192.168.0.2", "192.168.0.1", 1, 1)))),
        (
            "query",
            [
                plain(red, begun.clone().ip(&query)),
                plain(
                    wan,
                    frame(ROUTER_WAN, WAN).ip(&Packet::udp(
                        "198.51.100.9:53",
                        "203.0.113.1:5000",
                        b"!",
                    )),
                ),
            ]
            .concat(),
        ),
        ("published", plain(wan, frame(ROUTER_WAN, WAN).ip(&published))),
        (
            "fragments",
            [plain(red, begun.clone().ip(&pieces[1])), plain(red, begun.clone().ip(&pieces[0]))]
                .concat(),
        ),
        ("expired", plain(red, begun.clone().ip(&query.clone().ttl(1)))),
        (
            "too_large",
            [
                plain(red, shout(RED).payload(EXPERIMENT, b"hello")),
                plain(red, frame(stranger(1), RED).ip(&large)),
            ]
            .concat(),
        ),
        (
            "super_frame",
            [
                plain(blue, frame(ROUTER, BLUE).ip(&opened)),
                record(blue, 2, 4, &frame(ROUTER, BLUE).ip(&bulk)),
            ]
            .concat(),
        ),
        (
            "partial",
            record(
                blue,
                0x11,
                0,
                &frame(RED, BLUE).ip(&Packet::udp("192.168.0.3:1", "192.168.0.2:2", b"left")),
            ),
        ),
        (
            "tagged",
            plain(
                trunk,
                frame(ROUTER_10, TRUNK).tag(10).ip(&Packet::ping("10.0.10.2", "10.0.10.1", 1, 1)),
            ),
        ),
        (
            "double",
            plain(trunk, frame(RED, TRUNK).service_tag(5).tag(10).payload(EXPERIMENT, b"inside")),
        ),
        ("mss", plain(red, shout(RED).ip(&syn("192.168.0.2:1", "192.168.0.9:80")))),
        (
            "late",
            [
                plain(red, begun.ip(&query)),
                record(
                    0x83,
                    0,
                    0,
                    &frame(ROUTER_WAN, WAN).arp(&announcement(WAN, "203.0.113.254")),
                ),
            ]
            .concat(),
        ),
        ("underlay", plain(4, shout(RED).payload(EXPERIMENT, b"no"))),
    ]
}

/// Headers as a kernel writes them, each with its frame.
fn devices() -> Vec<(&'static str, Vec<u8>)> {
    let bulk = Packet::tcp("192.168.0.3:1000", "198.51.100.9:80", 0x10, &[7; 3000]);
    let datagrams = Packet::udp("192.168.0.3:1000", "192.168.0.2:53", &[7; 3000]);
    let short = Packet::tcp("192.168.0.3:1000", "198.51.100.9:80", SYN, b"");
    let to_router = frame(ROUTER, BLUE);
    let header = |flags: u8, gso: u8, size: u16, start: u16, offset: u16| {
        let words = [0, size, start, offset].map(u16::to_ne_bytes).concat();
        [&[flags, gso], &words[..]].concat()
    };
    let device = |header: Vec<u8>, bytes: Vec<u8>| {
        [header, (bytes.len() as u16).to_be_bytes().to_vec(), bytes].concat()
    };
    let bulky = || to_router.clone().ip(&bulk);
    // A guest's VXLAN: the inner IP header starts at byte 64.
    let inside = Packet::tcp("10.77.0.1:1000", "10.77.0.2:80", 0x10, &[7; 3000]);
    let partial = pseudo(inside.source, inside.destination, 6, inside.payload.len());
    let mut inside = inside.bytes();
    inside[36..38].copy_from_slice(&partial.to_be_bytes());
    let inner =
        [&[8, 0, 0, 0, 0, 0, 7, 0], &frame(RED, BLUE).payload(0x0800, &inside)[..]].concat();
    let tunnel = Packet::udp("192.168.0.3:50000", "198.51.100.9:4789", &inner);
    let bare = Packet::new(4, "192.168.0.3", "198.51.100.9", inside);
    vec![
        ("complete", device(header(0, 0, 0, 0, 0), to_router.clone().ip(&short))),
        ("checksum", device(header(1, 0, 0, 34, 16), to_router.clone().ip(&short))),
        ("segments", device(header(1, 1, 1448, 34, 16), bulky())),
        ("congested", device(header(1, 0x81, 1448, 34, 16), bulky())),
        ("datagrams", device(header(1, 5, 500, 34, 6), frame(RED, BLUE).ip(&datagrams))),
        ("six", device(header(1, 4, 500, 54, 16), bulky())),
        ("tagged", device(header(1, 1, 500, 38, 16), frame(ROUTER, BLUE).tag(0).ip(&bulk))),
        ("beyond", device(header(1, 0, 0, 34, 16), frame(ROUTER, BLUE).bytes())),
        ("over_addresses", device(header(1, 0, 0, 14, 2), bulky())),
        ("without_sum", device(header(0, 1, 1448, 34, 16), bulky())),
        ("unknown", device(header(1, 3, 1448, 34, 6), frame(RED, BLUE).ip(&datagrams))),
        ("no_size", device(header(1, 1, 0, 34, 16), bulky())),
        ("inside", device(header(1, 0, 0, 84, 16), to_router.clone().ip(&tunnel))),
        ("inside_segments", device(header(1, 1, 1350, 84, 16), to_router.clone().ip(&tunnel))),
        ("inside_bridged", device(header(1, 1, 700, 84, 16), frame(RED, BLUE).ip(&tunnel))),
        ("inside_bare", device(header(1, 1, 1350, 54, 16), to_router.clone().ip(&bare))),
        ("inside_nowhere", device(header(1, 1, 1350, 86, 16), to_router.clone().ip(&tunnel))),
    ]
}

/// Lives of random choices.
fn lives() -> Vec<(&'static str, Vec<u8>)> {
    const NAMES: [&str; 12] = [
        "life_0", "life_1", "life_2", "life_3", "life_4", "life_5", "life_6", "life_7", "life_8",
        "life_9", "life_10", "life_11",
    ];
    let lives = NAMES.iter().zip(1000..);
    lives.map(|(name, seed)| (*name, Rng::new(seed).bytes(600))).collect()
}

/// Every seed: its target, its name and its bytes.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let targets = [
        ("datagram", datagrams()),
        ("frame", frames()),
        ("nat", lives()),
        ("network", lives()),
        ("virtio", devices()),
    ];
    let of = |(target, seeds): (&'static str, Vec<(&'static str, Vec<u8>)>)| {
        seeds.into_iter().map(move |(name, bytes)| (target, name, bytes))
    };
    targets.into_iter().flat_map(of).collect()
}
