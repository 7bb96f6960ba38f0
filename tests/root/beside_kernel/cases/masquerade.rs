//! Flows from inside under the router's address, and what comes back to them.

use lab::wire::Packet;

use crate::beside_kernel::script::{Case, all, answer, case, send};
use crate::beside_kernel::wires::Wire::{Blue, Red, Thin, Wan};

/// UDP and pings: ports, exceptions, filtering.
pub(in crate::beside_kernel) fn datagrams() -> Vec<Case> {
    let udp = |from: &str, to: &str, data: &[u8]| Packet::udp(from, to, data);
    vec![
        case(
            "udp out and back",
            [
                send(Red, udp("192.168.7.2:6000", "203.0.113.2:53", b"a question")),
                answer(Wan, back),
                send(Red, udp("192.168.7.2:6000", "203.0.113.2:53", b"another")),
                answer(Wan, back),
            ],
        ),
        case(
            "udp out by the other way",
            [
                send(Blue, udp("192.168.7.3:6001", "198.51.100.2:53", b"a question")),
                answer(Thin, back),
            ],
        ),
        case(
            "udp without checksum out and back",
            [
                send(Red, udp("192.168.7.2:6002", "203.0.113.2:53", b"x").unsummed()),
                answer(Wan, |sent| back(sent).unsummed()),
            ],
        ),
        case("udp whose checksum comes out as zero", [send(Red, zero_sum())]),
        case(
            "one port to two remotes",
            [
                send(Red, udp("192.168.7.2:6003", "203.0.113.2:53", b"one")),
                send(Red, udp("192.168.7.2:6003", "203.0.113.3:53", b"other")),
                send(Wan, udp("203.0.113.3:53", "203.0.113.1:6003", b"other")),
            ],
        ),
        case(
            "one port of two hosts to one remote",
            [
                send(Red, udp("192.168.7.2:6004", "203.0.113.2:53", b"red")),
                send(Blue, udp("192.168.7.3:6004", "203.0.113.2:53", b"blue")),
                answer(Wan, back),
                send(Wan, udp("203.0.113.2:53", "203.0.113.1:6004", b"red")),
            ],
        ),
        case(
            "one port of two hosts to two remotes",
            [
                send(Red, udp("192.168.7.2:6005", "203.0.113.2:53", b"red")),
                send(Blue, udp("192.168.7.3:6005", "203.0.113.3:53", b"blue")),
                send(Wan, udp("203.0.113.2:53", "203.0.113.1:6005", b"red")),
                send(Wan, udp("203.0.113.3:53", "203.0.113.1:6005", b"blue")),
            ],
        ),
        case(
            "a low port of two hosts",
            [
                send(Red, udp("192.168.7.2:100", "203.0.113.2:53", b"red")),
                send(Blue, udp("192.168.7.3:100", "203.0.113.2:53", b"blue")),
            ],
        ),
        case(
            "a port under 1024 of two hosts",
            [
                send(Red, udp("192.168.7.2:700", "203.0.113.2:53", b"red")),
                send(Blue, udp("192.168.7.3:700", "203.0.113.2:53", b"blue")),
            ],
        ),
        case("source port 0", [send(Red, udp("192.168.7.2:0", "203.0.113.2:53", b"x"))]),
        case(
            "the port of a published service",
            [send(Red, udp("192.168.7.2:5353", "203.0.113.2:53", b"x")), answer(Wan, back)],
        ),
        case(
            "an excepted destination",
            [send(Red, udp("192.168.7.2:6006", "203.0.113.9:53", b"as I am")), answer(Wan, back)],
        ),
        case(
            "from outside to an inside address",
            [send(Wan, udp("203.0.113.2:53", "192.168.7.2:6007", b"hello")), answer(Red, back)],
        ),
        case(
            "another remote to a mapped port",
            [
                send(Red, udp("192.168.7.2:6008", "203.0.113.2:53", b"x")),
                send(Wan, udp("203.0.113.3:53", "203.0.113.1:6008", b"let me in")),
                send(Wan, udp("203.0.113.2:54", "203.0.113.1:6008", b"let me in")),
            ],
        ),
        case(
            "to a port that nobody has",
            [send(Wan, udp("203.0.113.2:53", "203.0.113.1:6009", b"x"))],
        ),
        case(
            "a wrong udp checksum from inside",
            [send(Red, {
                let mut packet = udp("192.168.7.2:6010", "203.0.113.2:53", b"x");
                packet.payload[6] ^= 1;
                packet
            })],
        ),
        case(
            "a wrong udp checksum from outside",
            [
                send(Red, udp("192.168.7.2:6011", "203.0.113.2:53", b"x")),
                answer(Wan, |sent| {
                    let mut packet = back(sent);
                    packet.payload[6] ^= 1;
                    packet
                }),
            ],
        ),
        case(
            "ping out and back",
            [
                send(Red, Packet::ping("192.168.7.2", "203.0.113.2", 6100, 1)),
                answer(Wan, back),
                send(Red, Packet::ping("192.168.7.2", "203.0.113.2", 6100, 2)),
                answer(Wan, back),
                answer(Wan, back),
            ],
        ),
        case(
            "one identifier of two hosts",
            [
                send(Red, Packet::ping("192.168.7.2", "203.0.113.2", 6101, 1)),
                send(Blue, Packet::ping("192.168.7.3", "203.0.113.2", 6101, 1)),
                answer(Wan, back),
            ],
        ),
        case(
            "a reply that nobody asked for, from inside",
            [send(Red, Packet::pong("192.168.7.2", "203.0.113.2", 6102, 1))],
        ),
        case(
            "a reply that nobody asked for, from outside",
            [send(Wan, Packet::pong("203.0.113.2", "203.0.113.1", 6103, 1))],
        ),
        case(
            "a wrong icmp checksum from inside",
            [send(Red, {
                let mut ping = Packet::ping("192.168.7.2", "203.0.113.2", 6104, 1);
                ping.payload[2] ^= 1;
                ping
            })],
        ),
        case(
            "a timestamp request out and back",
            [
                send(
                    Red,
                    Packet::icmp("192.168.7.2", "203.0.113.2", (13, 0), [1, 2, 0, 1], &[0; 12]),
                ),
                answer(Wan, |sent| {
                    Packet::icmp(
                        sent.destination,
                        sent.source,
                        (14, 0),
                        [sent.payload[4], sent.payload[5], 0, 1],
                        &[0; 12],
                    )
                }),
            ],
        ),
        case(
            "another protocol out and back",
            [
                send(Red, Packet::new(200, "192.168.7.2", "203.0.113.2", vec![1; 9])),
                answer(Wan, |sent| Packet::new(200, sent.destination, sent.source, vec![2; 9])),
            ],
        ),
        case(
            "another protocol of two hosts",
            [
                send(Red, Packet::new(200, "192.168.7.2", "203.0.113.2", vec![1; 9])),
                send(Blue, Packet::new(200, "192.168.7.3", "203.0.113.2", vec![1; 9])),
            ],
        ),
        case(
            "an unknown icmp type from inside",
            [send(Red, Packet::icmp("192.168.7.2", "203.0.113.2", (40, 0), [0; 4], b"x"))],
        ),
        case(
            "masqueraded, ttl 1",
            [send(Red, udp("192.168.7.2:6012", "203.0.113.2:53", b"x").ttl(1))],
        ),
        case(
            "masqueraded, record route",
            [send(
                Red,
                udp("192.168.7.2:6013", "203.0.113.2:53", b"x")
                    .options(&[7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0]),
            )],
        ),
        case(
            "an answer with ttl 1",
            [
                send(Red, udp("192.168.7.2:6014", "203.0.113.2:53", b"x")),
                answer(Wan, |sent| back(sent).ttl(1)),
            ],
        ),
        case(
            "several at once",
            [all(
                Red,
                vec![
                    udp("192.168.7.2:6015", "203.0.113.2:53", b"1"),
                    udp("192.168.7.2:6016", "203.0.113.2:53", b"2"),
                    udp("192.168.7.2:6015", "203.0.113.2:53", b"3"),
                ],
            )],
        ),
    ]
}

/// The datagram, or the reply to the ping, that answers a packet.
pub(super) fn back(sent: &Packet) -> Packet {
    match sent.protocol {
        1 => Packet::pong(
            sent.destination,
            sent.source,
            sent.from().port(),
            u16::from(sent.payload[7]),
        ),
        _ => Packet::udp(sent.to(), sent.from(), b"an answer"),
    }
}

/// A datagram whose checksum is 0xffff once its source is 203.0.113.1.
fn zero_sum() -> Packet {
    let made = |a: u8, b: u8| Packet::udp("203.0.113.1:6017", "203.0.113.2:53", &[a, b]);
    let mut pairs = (0..=u16::MAX).map(u16::to_be_bytes);
    let pair = pairs.find(|[a, b]| made(*a, *b).payload[6..8] == [0xff, 0xff]).unwrap();
    Packet::udp("192.168.7.2:6017", "203.0.113.2:53", &pair)
}

/// Whose flows are over after six seconds, where flows of UDP live four: those that were not used
/// meanwhile.
pub(in crate::beside_kernel) fn lifetimes() -> Vec<Case> {
    let ask = |port: u16| {
        let from = format!("192.168.7.2:{port}");
        send(Red, Packet::udp(from.as_str(), "203.0.113.2:53", b"x"))
    };
    let answer_to = |port: u16| {
        let to = format!("203.0.113.1:{port}");
        send(Wan, Packet::udp("203.0.113.2:53", to.as_str(), b"y"))
    };
    vec![case(
        "flows end and go on",
        [
            ask(6200),
            ask(6201),
            ask(6202),
            answer_to(6202).until(NEVER, 2),
            ask(6201).until(NEVER, 2),
            ask(6201).until(NEVER, 2),
            answer_to(6200),
            answer_to(6201),
            answer_to(6202),
        ],
    )]
}

/// More packets than arrive: the whole time goes by.
const NEVER: usize = usize::MAX;
