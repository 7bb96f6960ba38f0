//! Published ports, from outside and from inside.

use lab::wire::{ACK, Packet, RST, SYN, SYN_ACK};

use super::masquerade::back;
use crate::beside_kernel::script::{Case, answer, case, send};
use crate::beside_kernel::wires::Wire::{Blue, Red, Thin, Wan};

pub(in crate::beside_kernel) fn all() -> Vec<Case> {
    let syn = |from: &str, to: &str| Packet::tcp_at(from, to, SYN, 1000, 0, b"");
    vec![
        case(
            "published tcp with another port",
            [
                send(Wan, syn("203.0.113.2:8000", "203.0.113.1:8080")),
                answer(Red, welcome),
                send(
                    Wan,
                    Packet::tcp_at("203.0.113.2:8000", "203.0.113.1:8080", ACK, 1001, 5001, b"get"),
                ),
                answer(Red, |got| Packet::tcp_at(got.to(), got.from(), ACK, 5001, 1004, b"got")),
            ],
        ),
        case(
            "published tcp with the same port",
            [send(Wan, syn("203.0.113.2:8001", "203.0.113.1:22")), answer(Red, welcome)],
        ),
        case(
            "published udp",
            [
                send(Wan, Packet::udp("203.0.113.2:8002", "203.0.113.1:5353", b"who?")),
                answer(Blue, back),
            ],
        ),
        case(
            "published, from the other outside",
            [send(Thin, syn("198.51.100.2:8003", "203.0.113.1:8080")), answer(Red, welcome)],
        ),
        case(
            "published, from an excepted host",
            [send(Wan, syn("203.0.113.9:8004", "203.0.113.1:8080")), answer(Red, welcome)],
        ),
        case(
            "published, refused by the server",
            [
                send(Wan, syn("203.0.113.2:8005", "203.0.113.1:8080")),
                answer(Red, |syn| Packet::tcp_at(syn.to(), syn.from(), RST | ACK, 0, 1001, b"")),
            ],
        ),
        case(
            "published, the server's port is closed",
            [
                send(Wan, Packet::udp("203.0.113.2:8006", "203.0.113.1:5353", b"who?")),
                answer(Blue, |asked| {
                    Packet::error("192.168.7.3", asked.source, (3, 3), 0, asked, 12)
                }),
            ],
        ),
        case(
            "published, a router inside complains",
            [
                send(Wan, Packet::udp("203.0.113.2:8007", "203.0.113.1:5353", b"who?")),
                answer(Blue, |asked| {
                    Packet::error("192.168.7.2", asked.source, (11, 0), 0, asked, 12)
                }),
            ],
        ),
        case("published, ttl 1", [send(Wan, syn("203.0.113.2:8008", "203.0.113.1:8080").ttl(1))]),
        case(
            "published, the server is gone",
            [send(Wan, syn("203.0.113.2:8009", "203.0.113.1:8081")).until(1, 8)],
        ),
        case(
            "published, an ack of no connection",
            [send(Wan, Packet::tcp_at("203.0.113.2:8010", "203.0.113.1:8080", ACK, 1, 1, b"x"))],
        ),
        case(
            "published, a rst of no connection",
            [send(Wan, Packet::tcp_at("203.0.113.2:8011", "203.0.113.1:8080", RST, 1, 0, b""))],
        ),
        case(
            "published, too large an answer with df",
            [
                send(Thin, syn("198.51.100.2:8012", "203.0.113.1:8080")),
                answer(Red, welcome),
                send(
                    Thin,
                    Packet::tcp_at("198.51.100.2:8012", "203.0.113.1:8080", ACK, 1001, 5001, b""),
                ),
                answer(Red, |got| {
                    Packet::tcp_at(got.to(), got.from(), ACK, 5001, 1001, &[1; 900]).df()
                }),
            ],
        ),
        case(
            "hairpin from another host",
            [
                send(Blue, syn("192.168.7.3:8013", "203.0.113.1:8080")),
                answer(Red, welcome),
                send(
                    Blue,
                    Packet::tcp_at("192.168.7.3:8013", "203.0.113.1:8080", ACK, 1001, 5001, b""),
                ),
            ],
        ),
        case(
            "hairpin from the server itself",
            [send(Red, syn("192.168.7.2:8014", "203.0.113.1:8080")), answer(Red, welcome)],
        ),
        case(
            "hairpin of udp",
            [
                send(Red, Packet::udp("192.168.7.2:8015", "203.0.113.1:5353", b"who?")),
                answer(Blue, back),
            ],
        ),
        case("hairpin, ttl 1", [send(Blue, syn("192.168.7.3:8016", "203.0.113.1:8080").ttl(1))]),
        case(
            "hairpin, the server's port is closed",
            [
                send(Red, Packet::udp("192.168.7.2:8017", "203.0.113.1:5353", b"who?")),
                answer(Blue, |asked| {
                    Packet::error("192.168.7.3", asked.source, (3, 3), 0, asked, 12)
                }),
            ],
        ),
        case(
            "the server itself begins",
            [send(Red, syn("192.168.7.2:80", "203.0.113.2:8018")), answer(Wan, welcome)],
        ),
        case(
            "straight to the server's own address",
            [send(Wan, syn("203.0.113.2:8019", "192.168.7.2:80"))],
        ),
        case(
            "the published port of another protocol",
            [send(Wan, Packet::udp("203.0.113.2:8020", "203.0.113.1:8080", b"x"))],
        ),
        case(
            "the published port at another address",
            [send(Red, syn("192.168.7.2:8021", "192.168.7.1:8080"))],
        ),
    ]
}

/// The second segment of a connection.
fn welcome(syn: &Packet) -> Packet {
    Packet::tcp_at(syn.to(), syn.from(), SYN_ACK, 5000, 1001, b"")
}
