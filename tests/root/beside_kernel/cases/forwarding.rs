//! Routing without translation: hops, ways, sizes and options.

use lab::wire::{Packet, SYN, frame};

use crate::beside_kernel::script::{Case, all, broadcast, case, frames, send};
use crate::beside_kernel::wires::Wire::{Blue, Red, Thin, Wan};

/// Packets that go on, and those that cannot.
pub(in crate::beside_kernel) fn ways() -> Vec<Case> {
    let udp = |to: &str| Packet::udp("192.168.7.2:4000", to, b"a datagram");
    let long = |to: &str| Packet::udp("192.168.7.2:4000", to, &[7; 1200]);
    vec![
        case(
            "udp is forwarded and answered",
            [
                send(Red, udp("203.0.113.2:53")),
                send(Wan, Packet::udp("203.0.113.2:53", "192.168.7.2:4000", b"an answer")),
            ],
        ),
        case(
            "tcp is forwarded",
            [
                send(Red, Packet::tcp("192.168.7.2:4000", "198.18.0.1:80", SYN, b"")),
                send(Wan, Packet::tcp("198.18.0.1:80", "192.168.7.3:4000", 0x3f, b"every flag")),
            ],
        ),
        case(
            "echo is forwarded",
            [
                send(Thin, Packet::ping("198.51.100.2", "203.0.113.2", 7, 1)),
                send(Wan, Packet::pong("203.0.113.2", "198.51.100.2", 7, 1)),
            ],
        ),
        case(
            "another protocol is forwarded",
            [send(Red, Packet::new(47, "192.168.7.2", "203.0.113.2", vec![0, 0, 8, 0, 1, 2, 3]))],
        ),
        case(
            "no payload at all",
            [send(Red, Packet::new(200, "192.168.7.2", "203.0.113.2", vec![]))],
        ),
        case(
            "back out of where it came from",
            [send(Wan, Packet::ping("203.0.113.3", "198.18.0.1", 7, 1))],
        ),
        case("between hosts of one bridge by the router", [send(Red, udp("192.168.7.3:4000"))]),
        case(
            "between hosts of one bridge",
            [frames(Red, vec![frame(Blue.mac(), Red.mac()).ip(&udp("192.168.7.3:4000").ttl(1))])],
        ),
        case(
            "traffic class and id stay",
            [send(Red, udp("203.0.113.2:53").class(0xb9).id(0x51aa))],
        ),
        case(
            "ttl 255 and ttl 2",
            [all(Red, vec![udp("203.0.113.2:53").ttl(255), udp("203.0.113.2:53").ttl(2)])],
        ),
        case(
            "ttl 1",
            [
                send(Red, udp("203.0.113.2:53").ttl(1)),
                send(Wan, Packet::ping("203.0.113.2", "192.168.7.3", 1, 1).ttl(1)),
            ],
        ),
        case("ttl 1, from where the sender is not", [send(Wan, udp("192.168.7.3:53").ttl(1))]),
        case("ttl 0", [send(Red, udp("203.0.113.2:53").ttl(0))]),
        case("ttl 1, a traffic class", [send(Red, udp("203.0.113.2:53").ttl(1).class(0x28))]),
        case("ttl 1, long", [send(Red, long("203.0.113.2:53").ttl(1))]),
        case("ttl 1, options", [send(Red, udp("203.0.113.2:53").ttl(1).options(&RECORD_ROUTE))]),
        case(
            "ttl 1 of an icmp error",
            [send(
                Red,
                Packet::error("192.168.7.2", "203.0.113.2", (3, 3), 0, &udp("203.0.113.2:1"), 8)
                    .ttl(1),
            )],
        ),
        case(
            "ttl 1 of a reply",
            [send(Red, Packet::pong("192.168.7.2", "203.0.113.2", 1, 1).ttl(1))],
        ),
        case("ttl 1 of a later fragment", [send(Red, late_fragment().ttl(1))]),
        case("ttl 1 in a broadcast frame", [broadcast(Red, &udp("203.0.113.2:53").ttl(1))]),
        case(
            "no route",
            [send(Red, udp("8.8.8.8:53")), send(Wan, Packet::ping("203.0.113.2", "8.8.8.8", 1, 1))],
        ),
        case("no route, ttl 1", [send(Red, udp("8.8.8.8:53").ttl(1))]),
        case("a prohibited route", [send(Red, udp("100.64.1.1:53"))]),
        case("a prohibited route, ttl 1", [send(Red, udp("100.64.1.1:53").ttl(1))]),
        case("a blackhole route", [send(Red, udp("100.64.2.1:53"))]),
        case("an unreachable route", [send(Red, udp("100.64.3.1:53"))]),
        case(
            "too large with df",
            [
                send(Red, long("198.51.100.2:53").df()),
                send(Wan, Packet::tcp("203.0.113.2:80", "198.51.100.2:4000", 0x18, &[1; 600]).df()),
            ],
        ),
        case("too large with df and ttl 1", [send(Red, long("198.51.100.2:53").df().ttl(1))]),
        case(
            "just fits with df",
            [send(Red, Packet::udp("192.168.7.2:4000", "198.51.100.2:53", &[7; 572]).df())],
        ),
        case(
            "one byte too large with df",
            [send(Red, Packet::udp("192.168.7.2:4000", "198.51.100.2:53", &[7; 573]).df())],
        ),
    ]
}

/// Packets that are cut, and pieces that pass.
pub(in crate::beside_kernel) fn cuts() -> Vec<Case> {
    let long = |count: usize| Packet::udp("192.168.7.2:4000", "198.51.100.2:53", &vec![7; count]);
    vec![
        case(
            "too large is cut",
            [send(Red, long(1200)), send(Red, long(573)), send(Red, long(1400))],
        ),
        case(
            "tcp too large is cut",
            [send(Red, Packet::tcp("192.168.7.2:4000", "198.51.100.2:80", 0x18, &[9; 900]))],
        ),
        case(
            "what is cut has options",
            [
                send(Red, long(900).options(&RECORD_ROUTE)),
                send(Red, long(900).options(&[ROUTER_ALERT, &RECORD_ROUTE].concat())),
                send(Red, long(900).options(&TIMESTAMP)),
            ],
        ),
        case(
            "a piece is cut again",
            [
                all(Red, long(1400).id(0x5180).fragments(800)),
                send(Red, Packet { more_fragments: true, ..long(1000) }),
            ],
        ),
        case("pieces pass", [all(Red, long(1000).id(0x5181).fragments(400))]),
        case("a later piece alone passes", [send(Red, late_fragment())]),
        case("pieces with df pass", [all(Red, long(1000).df().id(0x5182).fragments(400))]),
        case(
            "a piece too large with df",
            [
                send(Red, Packet { more_fragments: true, ..long(1000).df() }),
                send(Red, Packet { offset: 800, ..long(1000).df() }),
            ],
        ),
    ]
}

/// Header options.
pub(in crate::beside_kernel) fn options() -> Vec<Case> {
    let with = |options: &[u8]| {
        send(
            Red,
            Packet::udp("192.168.7.2:4000", "203.0.113.2:53", b"with options").options(options),
        )
    };
    vec![
        case("record route", [with(&RECORD_ROUTE)]),
        case("record route, full", [with(&[7, 7, 8, 1, 2, 3, 4])]),
        case("timestamp", [with(&TIMESTAMP)]),
        case("timestamp with addresses", [with(&[68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0])]),
        case("router alert", [with(ROUTER_ALERT)]),
        case("no operation", [with(&[1, 1, 1, 0])]),
        case("an unknown option", [with(&[0x9e, 4, 1, 2])]),
        case("loose source route", [with(&[131, 7, 4, 198, 18, 0, 1])]),
        case("strict source route", [with(&[137, 7, 4, 198, 18, 0, 1])]),
        case("source route at its end", [with(&[131, 7, 8, 198, 18, 0, 1])]),
        case("an option too long", [with(&[7, 40, 4, 0])]),
        case("an option without length", [with(&[1, 1, 1, 7])]),
        case("an option of length 1", [with(&[148, 1, 0, 0])]),
        case("record route with a bad pointer", [with(&[7, 7, 2, 0, 0, 0, 0])]),
        case("commercial security", [with(&[134, 6, 0, 0, 0, 1])]),
    ]
}

fn late_fragment() -> Packet {
    Packet { offset: 800, ..Packet::new(17, "192.168.7.2", "203.0.113.2", vec![5; 64]) }
}

/// Room for two addresses.
const RECORD_ROUTE: [u8; 11] = [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0];
/// Room for two time stamps.
const TIMESTAMP: [u8; 12] = [68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const ROUTER_ALERT: &[u8] = &[148, 4, 0, 0];
