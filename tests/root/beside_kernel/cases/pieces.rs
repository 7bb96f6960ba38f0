//! Fragments through the translation.

use lab::wire::Packet;

use crate::beside_kernel::script::{Case, all, answer, case, send};
use crate::beside_kernel::wires::Wire::{Blue, Red, Thin, Wan};

pub(in crate::beside_kernel) fn all_of() -> Vec<Case> {
    let long = |port: u16, id: u16| {
        let from = format!("192.168.7.2:{port}");
        Packet::udp(from.as_str(), "203.0.113.2:53", &[7; 1300]).id(id)
    };
    let reversed = |mut pieces: Vec<Packet>| {
        pieces.reverse();
        pieces
    };
    vec![
        case("pieces in order", [all(Red, long(9200, 0x51a0).fragments(800))]),
        case("pieces in reverse", [all(Red, reversed(long(9201, 0x51a1).fragments(400)))]),
        case(
            "pieces one by one",
            [
                send(Red, long(9202, 0x51a2).fragments(800).remove(0)),
                send(Red, long(9202, 0x51a2).fragments(800).remove(1)),
            ],
        ),
        case(
            "a piece twice",
            [all(Red, {
                let pieces = long(9203, 0x51a3).fragments(800);
                vec![pieces[0].clone(), pieces[0].clone(), pieces[1].clone()]
            })],
        ),
        case(
            "pieces that overlap",
            [all(Red, {
                let pieces = long(9204, 0x51a4).fragments(800);
                let early = Packet { offset: 792, ..pieces[1].clone() };
                vec![pieces[0].clone(), early, pieces[1].clone()]
            })],
        ),
        case(
            "a piece is missing",
            [all(Red, {
                let mut pieces = long(9205, 0x51a5).fragments(400);
                pieces.remove(1);
                pieces
            })],
        ),
        case("a later piece alone", [send(Red, long(9206, 0x51a6).fragments(800).remove(1))]),
        case(
            "a piece of no multiple of eight",
            [all(Red, {
                let mut pieces = long(9207, 0x51a7).fragments(800);
                pieces[0].payload.truncate(795);
                pieces
            })],
        ),
        case(
            "pieces beyond 65535 bytes",
            [send(
                Red,
                Packet {
                    offset: 65_528,
                    ..Packet::new(17, "192.168.7.2", "203.0.113.2", vec![1; 64]).id(0x51a8)
                },
            )],
        ),
        case(
            "an answer in pieces",
            [
                send(Red, Packet::udp("192.168.7.2:9208", "203.0.113.2:53", b"x")),
                all(
                    Wan,
                    Packet::udp("203.0.113.2:53", "203.0.113.1:9208", &[3; 1300])
                        .id(0x51a9)
                        .fragments(800),
                ),
            ],
        ),
        case(
            "a large answer is cut",
            [
                send(Thin, Packet::udp("198.51.100.2:9209", "203.0.113.1:5353", b"x")),
                answer(Blue, |asked| Packet::udp(asked.to(), asked.from(), &[4; 1200])),
            ],
        ),
        case(
            "masqueraded and cut",
            [send(Red, Packet::udp("192.168.7.2:9210", "198.51.100.2:53", &[4; 1200]))],
        ),
        case(
            "pieces are cut smaller",
            [all(
                Red,
                Packet::udp("192.168.7.2:9211", "198.51.100.2:53", &[4; 1300])
                    .id(0x51aa)
                    .fragments(800),
            )],
        ),
        case("pieces with df", [all(Red, long(9212, 0x51ab).df().fragments(800))]),
        case(
            "pieces with df, too large",
            [all(
                Red,
                Packet::udp("192.168.7.2:9213", "198.51.100.2:53", &[4; 1300])
                    .id(0x51ac)
                    .df()
                    .fragments(800),
            )],
        ),
        case(
            "an excepted packet in pieces",
            [all(
                Red,
                Packet::udp("192.168.7.2:9214", "203.0.113.9:53", &[4; 1300])
                    .id(0x51ad)
                    .fragments(800),
            )],
        ),
        case(
            "a ping in pieces",
            [all(
                Red,
                Packet::icmp("192.168.7.2", "203.0.113.2", (8, 0), [0x24, 0, 0, 1], &[5; 1300])
                    .id(0x51ae)
                    .fragments(800),
            )],
        ),
        case(
            "to a published port in pieces",
            [all(
                Wan,
                Packet::udp("203.0.113.2:9215", "203.0.113.1:5353", &[6; 1300])
                    .id(0x51af)
                    .fragments(800),
            )],
        ),
        case(
            "pieces with options",
            [all(Red, long(9216, 0x51b0).options(&[148, 4, 0, 0]).fragments(800))],
        ),
        case(
            "pieces of unlike ttl",
            [all(Red, {
                let mut pieces = long(9217, 0x51b1).fragments(800);
                pieces[1].ttl = 9;
                pieces
            })],
        ),
        case(
            "pieces of unlike traffic class",
            [all(Red, {
                let mut pieces = long(9218, 0x51b2).fragments(800);
                pieces[0].traffic_class = 2;
                pieces[1].traffic_class = 3;
                pieces
            })],
        ),
    ]
}
