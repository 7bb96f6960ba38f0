//! The router's own addresses and untranslated neighbours, while it translates others.

use lab::wire::{Packet, SYN, SYN_ACK};

use super::masquerade::back;
use crate::beside_kernel::script::{Case, all, answer, case, send};
use crate::beside_kernel::wires::Wire::{Blue, Red, Thin, Wan};

pub(in crate::beside_kernel) fn cases() -> Vec<Case> {
    let ping = |from: &str, to: &str| Packet::ping(from, to, 9300, 1);
    let syn = |from: &str, to: &str| Packet::tcp(from, to, SYN, b"");
    vec![
        case("translating, ping from outside", [send(Wan, ping("203.0.113.2", "203.0.113.1"))]),
        case(
            "translating, ping from the other outside",
            [send(Thin, ping("198.51.100.2", "203.0.113.1"))],
        ),
        case(
            "translating, ping from inside",
            [
                send(Red, ping("192.168.7.2", "192.168.7.1")),
                send(Red, ping("192.168.7.2", "203.0.113.1")),
            ],
        ),
        case(
            "translating, ping from outside to the inside address",
            [send(Wan, ping("203.0.113.2", "192.168.7.1"))],
        ),
        case(
            "translating, ping from an excepted host to the inside address",
            [send(Wan, ping("203.0.113.9", "192.168.7.1"))],
        ),
        case(
            "translating, udp from outside to the inside address",
            [send(Wan, Packet::udp("203.0.113.2:9301", "192.168.7.1:9", b"x"))],
        ),
        case(
            "translating, a long ping in pieces from outside",
            [all(
                Wan,
                Packet::icmp("203.0.113.2", "203.0.113.1", (8, 0), [0x24, 0, 0, 1], &[5; 1400])
                    .id(0x51c0)
                    .fragments(800),
            )],
        ),
        case(
            "translating, udp from inside to a closed port",
            [send(Red, Packet::udp("192.168.7.2:9302", "192.168.7.1:9", b"x"))],
        ),
        case(
            "translating, udp from inside to a closed port outside",
            [send(Red, Packet::udp("192.168.7.2:9303", "203.0.113.1:9304", b"x"))],
        ),
        case(
            "translating, syn from inside to a closed port",
            [send(Red, syn("192.168.7.2:9305", "192.168.7.1:81"))],
        ),
        case(
            "translating, syn from inside to a closed port outside",
            [send(Red, syn("192.168.7.2:9306", "203.0.113.1:81"))],
        ),
        case(
            "the reply to a ping goes to the one who asked",
            [
                send(Red, ping("192.168.7.2", "203.0.113.2")),
                send(Wan, ping("203.0.113.2", "203.0.113.1")),
                send(Wan, Packet::pong("203.0.113.2", "203.0.113.1", 9300, 1)),
            ],
        ),
        case(
            "from one outside to the other",
            [
                send(Wan, Packet::udp("203.0.113.2:9307", "198.51.100.2:53", b"x")),
                answer(Thin, back),
            ],
        ),
        case(
            "from inside to inside by the router",
            [
                send(Red, Packet::udp("192.168.7.2:9308", "192.168.7.3:53", b"x")),
                answer(Blue, back),
            ],
        ),
        case(
            "from outside back to outside",
            [send(Wan, Packet::udp("203.0.113.2:9309", "198.18.0.1:53", b"x"))],
        ),
        case(
            "an inside source from outside",
            [send(Wan, Packet::udp("192.168.7.2:9310", "198.18.0.1:53", b"x"))],
        ),
        case(
            "an outside address from inside",
            [send(Red, Packet::udp("203.0.113.1:9311", "203.0.113.2:53", b"x"))],
        ),
        case(
            "another source from inside",
            [send(Red, Packet::udp("172.16.0.1:9312", "203.0.113.2:53", b"x"))],
        ),
        case(
            "to a broadcast address outside",
            [send(Red, Packet::udp("192.168.7.2:9313", "203.0.113.255:53", b"x"))],
        ),
        case("to multicast", [send(Red, Packet::udp("192.168.7.2:9314", "224.0.0.251:53", b"x"))]),
        case(
            "a hop more for the router than for its answer",
            [
                send(Red, syn("192.168.7.2:9315", "203.0.113.2:80").ttl(2)),
                answer(Wan, |syn| {
                    Packet::tcp_at(syn.to(), syn.from(), SYN_ACK, 5000, 1001, b"").ttl(2)
                }),
            ],
        ),
        case(
            "hairpin of udp from the server itself",
            [
                send(Blue, Packet::udp("192.168.7.3:9316", "203.0.113.1:5353", b"who?")),
                answer(Blue, back),
            ],
        ),
        case(
            "hairpin in pieces",
            [all(
                Red,
                Packet::udp("192.168.7.2:9317", "203.0.113.1:5353", &[6; 1300])
                    .id(0x51c1)
                    .fragments(800),
            )],
        ),
        case(
            "hairpin to a mapped port",
            [
                send(Red, Packet::udp("192.168.7.2:9318", "203.0.113.2:53", b"x")),
                send(Blue, Packet::udp("192.168.7.3:9319", "203.0.113.1:9318", b"neighbour?")),
            ],
        ),
    ]
}
