//! Connections from inside under the router's address, and segments that fit none.

use lab::wire::{ACK, FIN, Packet, RST, SYN, SYN_ACK};

use crate::beside_kernel::script::{Case, Step, answer, case, send};
use crate::beside_kernel::wires::Wire::{Blue, Red, Wan};

/// Connections from their opening to their end.
pub(in crate::beside_kernel) fn connections() -> Vec<Case> {
    vec![
        case(
            "tcp opens, talks and closes",
            after(
                open(7000),
                [
                    out(7000, PUSH, 1001, 5001, b"a question"),
                    back(7000, PUSH, 5001, 1011, b"an answer"),
                    out(7000, FIN, 1011, 5010, b""),
                    back(7000, ACK, 5010, 1012, b""),
                    back(7000, FIN, 5010, 1012, b""),
                    out(7000, ACK, 1012, 5011, b""),
                ],
            ),
        ),
        case("tcp opens", open(7001)),
        case("a syn waits", [out(7002, SYN, 1000, 0, b"")]),
        case("a syn twice", [out(7003, SYN, 1000, 0, b""), out(7003, SYN, 1000, 0, b"")]),
        case(
            "a syn is answered",
            [out(7004, SYN, 1000, 0, b""), back(7004, SYN_ACK, 5000, 1001, b"")],
        ),
        case(
            "a syn is refused",
            [out(7005, SYN, 1000, 0, b""), back(7005, RST | ACK, 0, 1001, b"")],
        ),
        case("a side closes", after(open(7006), [out(7006, FIN, 1001, 5001, b"")])),
        case(
            "a side closes and is acknowledged",
            after(open(7007), [out(7007, FIN, 1001, 5001, b""), back(7007, ACK, 5001, 1002, b"")]),
        ),
        case(
            "both close",
            after(open(7008), [out(7008, FIN, 1001, 5001, b""), back(7008, FIN, 5001, 1002, b"")]),
        ),
        case("the far side resets", after(open(7009), [back(7009, RST, 5001, 1001, b"")])),
        case("the near side resets", after(open(7010), [out(7010, RST, 1001, 5001, b"")])),
        case(
            "data behind a fin",
            after(
                open(7011),
                [
                    out(7011, FIN, 1001, 5001, b""),
                    back(7011, PUSH, 5001, 1002, b"late"),
                    out(7011, ACK, 1002, 5005, b""),
                ],
            ),
        ),
        case(
            "a new syn on a closed connection",
            after(
                open(7012),
                [
                    back(7012, RST, 5001, 1001, b""),
                    out(7012, SYN, 900_000, 0, b""),
                    back(7012, SYN_ACK, 800_000, 900_001, b""),
                ],
            ),
        ),
        case(
            "a simultaneous open",
            [
                out(7013, SYN, 1000, 0, b""),
                back(7013, SYN, 5000, 0, b""),
                out(7013, SYN_ACK, 1000, 5001, b""),
                back(7013, SYN_ACK, 5000, 1001, b""),
                out(7013, ACK, 1001, 5001, b""),
            ],
        ),
        case(
            "one tcp port of two hosts to one remote",
            [
                out(7014, SYN, 1000, 0, b""),
                send(Blue, Packet::tcp_at("192.168.7.3:7014", "203.0.113.2:80", SYN, 3000, 0, b"")),
                answer(Wan, |syn| Packet::tcp_at(syn.to(), syn.from(), SYN_ACK, 5000, 3001, b"")),
            ],
        ),
        case(
            "urgent data and every bit of the window",
            after(
                open(7015),
                [
                    out(7015, PUSH | 0x20, 1001, 5001, b"now"),
                    send(Red, segment(7015, ACK, 1004, 5001, b"").window(0)),
                ],
            ),
        ),
    ]
}

/// Segments out of place.
pub(in crate::beside_kernel) fn oddities() -> Vec<Case> {
    vec![
        case(
            "picked up in midstream",
            [out(7100, PUSH, 1001, 5001, b"still here"), back(7100, ACK, 5001, 1011, b"")],
        ),
        case("a fin of no connection", [out(7101, FIN, 1001, 5001, b"")]),
        case("a rst of no connection", [out(7102, RST, 1001, 0, b"")]),
        case("a syn-ack of no connection", [out(7103, SYN_ACK, 1001, 5001, b"")]),
        case("a segment without flags", [out(7104, 0, 1001, 0, b"")]),
        case("syn and fin", [out(7105, SYN | 1, 1001, 0, b"")]),
        case("syn and rst", [out(7106, SYN | RST, 1001, 0, b"")]),
        case("every flag at once", [out(7107, 0x3f, 1001, 5001, b"")]),
        case(
            "data out of the window from inside",
            after(open(7108), [out(7108, PUSH, 90_001_001, 5001, b"far away")]),
        ),
        case(
            "data out of the window from outside",
            after(open(7109), [back(7109, PUSH, 90_005_001, 1001, b"far away")]),
        ),
        case(
            "a rst out of the window",
            after(open(7110), [back(7110, RST, 90_005_001, 1001, b"")]),
        ),
        case(
            "an acknowledgement of what was not sent",
            after(open(7111), [back(7111, ACK, 5001, 70_001_001, b"")]),
        ),
        case(
            "a wrong tcp checksum from inside",
            [send(Red, bent(segment(7112, SYN, 1000, 0, b"")))],
        ),
        case("a syn that nobody asked for", [back(7113, SYN, 5000, 0, b"")]),
        case("an ack that nobody asked for", [back(7114, ACK, 5000, 1000, b"")]),
        case(
            "a syn to a mapped port",
            after(
                open(7115),
                [send(Wan, Packet::tcp("203.0.113.3:80", "203.0.113.1:7115", SYN, b""))],
            ),
        ),
        case(
            "a syn in the middle of a connection",
            after(open(7116), [out(7116, SYN, 70_000, 0, b"")]),
        ),
        case(
            "a data offset beyond the segment",
            [send(Red, {
                let mut packet = segment(7117, SYN, 1000, 0, b"");
                packet.payload[12] = 0xf0;
                packet.summed()
            })],
        ),
        case(
            "a data offset under 5",
            [send(Red, {
                let mut packet = segment(7118, SYN, 1000, 0, b"");
                packet.payload[12] = 0x40;
                packet.summed()
            })],
        ),
    ]
}

const PUSH: u8 = ACK | 0x08;

fn segment(port: u16, flags: u8, sequence: u32, acknowledged: u32, data: &[u8]) -> Packet {
    let from = format!("192.168.7.2:{port}");
    Packet::tcp_at(from.as_str(), "203.0.113.2:80", flags, sequence, acknowledged, data)
}

fn out(port: u16, flags: u8, sequence: u32, acknowledged: u32, data: &[u8]) -> Step {
    send(Red, segment(port, flags, sequence, acknowledged, data))
}

/// To the outside port, which is the inside one.
fn back(port: u16, flags: u8, sequence: u32, acknowledged: u32, data: &[u8]) -> Step {
    let to = format!("203.0.113.1:{port}");
    send(Wan, Packet::tcp_at("203.0.113.2:80", to.as_str(), flags, sequence, acknowledged, data))
}

/// Three segments.
fn open(port: u16) -> Vec<Step> {
    vec![
        out(port, SYN, 1000, 0, b""),
        back(port, SYN_ACK, 5000, 1001, b""),
        out(port, ACK, 1001, 5001, b""),
    ]
}

fn after<const N: usize>(mut steps: Vec<Step>, more: [Step; N]) -> Vec<Step> {
    steps.extend(more);
    steps
}

fn bent(mut packet: Packet) -> Packet {
    packet.payload[16] ^= 1;
    packet
}
