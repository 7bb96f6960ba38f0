//! ICMP errors about translated packets, from others and from the router itself.

use lab::wire::{ACK, Packet, SYN};

use super::masquerade::back;
use crate::beside_kernel::script::{Case, Step, answer, case, send};
use crate::beside_kernel::wires::Wire::{Blue, Red, Thin, Wan};

/// From outside, about what came from inside.
pub(in crate::beside_kernel) fn inbound() -> Vec<Case> {
    vec![
        case("host unreachable for udp", [ask(9000), complain(|sent| error(sent, (3, 1), 0))]),
        case("port unreachable for udp", [ask(9001), complain(|sent| error(sent, (3, 3), 0))]),
        case("time exceeded for udp", [ask(9002), complain(|sent| error(sent, (11, 0), 0))]),
        case(
            "fragmentation needed for udp",
            [ask(9003), complain(|sent| error(sent, (3, 4), 1400))],
        ),
        case("prohibited for udp", [ask(9004), complain(|sent| error(sent, (3, 13), 0))]),
        case(
            "an error from a router on the way",
            [
                ask(9005),
                complain(|sent| {
                    Packet::error("198.18.0.5", sent.source, (11, 0), 0, &sent.clone().ttl(1), 8)
                }),
            ],
        ),
        case(
            "an error that quotes all of udp",
            [
                ask(9006),
                complain(|sent| Packet::error(sent.destination, sent.source, (3, 3), 0, sent, 500)),
            ],
        ),
        case(
            "fragmentation needed for tcp",
            [
                send(Red, Packet::tcp_at("192.168.7.2:9007", "203.0.113.2:80", SYN, 1000, 0, b"")),
                complain(|sent| error(sent, (3, 4), 1400)),
            ],
        ),
        case(
            "an error that quotes all of tcp",
            [
                send(
                    Red,
                    Packet::tcp_at("192.168.7.2:9008", "203.0.113.2:80", SYN, 1000, 0, b"data"),
                ),
                complain(|sent| Packet::error(sent.destination, sent.source, (3, 1), 0, sent, 500)),
            ],
        ),
        case(
            "an error about a ping",
            [
                send(Red, Packet::ping("192.168.7.2", "203.0.113.2", 9009, 1)),
                complain(|sent| error(sent, (3, 1), 0)),
            ],
        ),
        case("source quench", [ask(9010), complain(|sent| error(sent, (4, 0), 0))]),
        case("a redirect", [ask(9011), complain(|sent| error(sent, (5, 1), 0xcb00_7103))]),
        case("a parameter problem", [ask(9012), complain(|sent| error(sent, (12, 0), 0))]),
        case(
            "an error with options in its quote",
            [
                send(
                    Red,
                    Packet::udp("192.168.7.2:9013", "203.0.113.2:53", b"x")
                        .options(&[148, 4, 0, 0]),
                ),
                complain(|sent| error(sent, (3, 3), 0)),
            ],
        ),
        case(
            "an error about no flow",
            [send(Wan, {
                let quoted = Packet::udp("203.0.113.1:9014", "203.0.113.2:53", b"never sent");
                Packet::error("203.0.113.2", "203.0.113.1", (3, 3), 0, &quoted, 8)
            })],
        ),
        case(
            "an error that quotes another source",
            [
                ask(9015),
                complain(|sent| {
                    let quoted = Packet { source: [203, 0, 113, 3].into(), ..sent.clone() };
                    Packet::error(sent.destination, sent.source, (3, 3), 0, &quoted, 8)
                }),
            ],
        ),
        case(
            "an error with a wrong checksum",
            [
                ask(9016),
                complain(|sent| {
                    let mut error = error(sent, (3, 3), 0);
                    error.payload[2] ^= 1;
                    error
                }),
            ],
        ),
        case(
            "an error whose quote has a wrong checksum",
            [
                ask(9017),
                complain(|sent| {
                    let mut error = error(sent, (3, 3), 0);
                    error.payload[8 + 10] ^= 1;
                    error.summed()
                }),
            ],
        ),
        case(
            "an error whose quote is cut",
            [
                ask(9018),
                complain(|sent| Packet::error(sent.destination, sent.source, (3, 3), 0, sent, 4)),
            ],
        ),
        case(
            "an error whose quote is a later fragment",
            [
                ask(9019),
                complain(|sent| {
                    let quoted = Packet { offset: 800, ..sent.clone() };
                    Packet::error(sent.destination, sent.source, (3, 3), 0, &quoted, 8)
                }),
            ],
        ),
        case(
            "an error about an answer",
            [ask(9020), answer(Wan, back), complain(|sent| error(sent, (3, 3), 0))],
        ),
        case(
            "an error ends nothing",
            [ask(9021), complain(|sent| error(sent, (3, 3), 0)), ask(9021), answer(Wan, back)],
        ),
        case("an error with ttl 1", [ask(9022), complain(|sent| error(sent, (3, 3), 0).ttl(1))]),
        case(
            "an error about an excepted packet",
            [
                send(Red, Packet::udp("192.168.7.2:9023", "203.0.113.9:53", b"as I am")),
                complain(|sent| error(sent, (3, 3), 0)),
            ],
        ),
    ]
}

/// From inside, and the router's own.
pub(in crate::beside_kernel) fn outbound() -> Vec<Case> {
    vec![
        case(
            "an answer meets a closed port",
            [
                ask(9100),
                answer(Wan, back),
                answer(Red, |got| Packet::error("192.168.7.2", got.source, (3, 3), 0, got, 9)),
            ],
        ),
        case(
            "another host complains about an answer",
            [
                ask(9101),
                answer(Wan, back),
                answer(Red, |got| Packet::error("192.168.7.3", got.source, (11, 0), 0, got, 9)),
            ],
        ),
        case(
            "an error from inside about no flow",
            [send(Red, {
                let quoted = Packet::udp("203.0.113.2:53", "192.168.7.2:9102", b"never came");
                Packet::error("192.168.7.2", "203.0.113.2", (3, 3), 0, &quoted, 8)
            })],
        ),
        case(
            "masqueraded, too large with df",
            [send(Red, Packet::udp("192.168.7.2:9103", "198.51.100.2:53", &[1; 1000]).df())],
        ),
        case(
            "masqueraded tcp, too large with df",
            [send(
                Red,
                Packet::tcp_at("192.168.7.2:9104", "198.51.100.2:80", ACK, 1000, 1, &[1; 1000])
                    .df(),
            )],
        ),
        case(
            "an answer too large with df",
            [
                send(Thin, Packet::udp("198.51.100.2:9105", "203.0.113.1:5353", b"x")),
                answer(Blue, |got| Packet::udp(got.to(), got.from(), &[1; 1000]).df()),
            ],
        ),
        case(
            "masqueraded, no route",
            [send(Red, Packet::udp("192.168.7.2:9106", "8.8.8.8:53", b"x"))],
        ),
        // Both routers ask for three seconds before they say so.
        case(
            "the next hops are silent, masqueraded and not",
            [
                send(Red, Packet::udp("192.168.7.2:9107", "203.0.113.66:53", b"x")),
                send(Wan, Packet::udp("203.0.113.9:9109", "192.168.7.67:53", b"x")).until(2, 8),
            ],
        ),
        case(
            "excepted, ttl 1",
            [send(Red, Packet::udp("192.168.7.2:9108", "203.0.113.9:53", b"x").ttl(1))],
        ),
    ]
}

fn ask(port: u16) -> Step {
    let from = format!("192.168.7.2:{port}");
    send(Red, Packet::udp(from.as_str(), "203.0.113.2:53", b"a question"))
}

fn complain(make: fn(&Packet) -> Packet) -> Step {
    answer(Wan, make)
}

/// An error from whom a packet was sent to, with the least that it must quote.
fn error(sent: &Packet, wire: (u8, u8), rest: u32) -> Packet {
    Packet::error(sent.destination, sent.source, wire, rest, sent, 8)
}
