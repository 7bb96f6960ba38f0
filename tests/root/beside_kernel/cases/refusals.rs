//! What no router takes, and what is for the router itself.

use lab::wire::{ACK, FIN, Packet, RST, SYN, SYN_ACK};

use crate::beside_kernel::script::{Case, all, answer, broadcast, bytes, case, send};
use crate::beside_kernel::wires::Wire::{Red, Thin, Wan};

/// Broken headers, impossible addresses, broadcasts.
pub(in crate::beside_kernel) fn broken() -> Vec<Case> {
    let good = || Packet::udp("192.168.7.2:4000", "203.0.113.2:53", b"a datagram").id(0x5190);
    let bent = |bend: fn(&mut Vec<u8>)| {
        let mut whole = good().bytes();
        bend(&mut whole);
        [bytes(Red, &whole)]
    };
    let from =
        |source: &str| [send(Red, Packet { source: source.parse().unwrap(), ..good() }.summed())];
    let to =
        |to: &str| [send(Red, Packet::udp("192.168.7.2:4000", format!("{to}:53").as_str(), b"x"))];
    vec![
        case("padding behind the packet", bent(|whole| whole.extend([0xaa; 20]))),
        case("a wrong header checksum", bent(|whole| whole[10] ^= 1)),
        case("version 6", bent(|whole| summed(whole, 0, 0x65))),
        case("version 5", bent(|whole| summed(whole, 0, 0x55))),
        case("a header of 16 bytes", bent(|whole| summed(whole, 0, 0x44))),
        case("a header beyond the packet", bent(|whole| summed(whole, 0, 0x4f))),
        case("a total length beyond the frame", bent(|whole| summed(whole, 3, 200))),
        case("a total length under the header", bent(|whole| summed(whole, 3, 19))),
        case("cut in the header", bent(|whole| whole.truncate(15))),
        case("the reserved flag", bent(|whole| summed(whole, 6, 0x80))),
        case("a wrong udp checksum", bent(|whole| whole[26] ^= 1)),
        case("no udp checksum", [send(Red, good().unsummed())]),
        case("a udp length beyond the packet", bent(|whole| whole[25] = 200)),
        case("a cut udp header", [send(Red, Packet { payload: vec![1, 2, 3], ..good() })]),
        case(
            "a cut tcp header",
            [send(Red, Packet::new(6, "192.168.7.2", "203.0.113.2", vec![1; 12]))],
        ),
        case("from 127.0.0.1", from("127.0.0.1")),
        case("from 0.0.0.0", from("0.0.0.0")),
        case("from 0.1.2.3", from("0.1.2.3")),
        case("from 240.0.0.1", from("240.0.0.1")),
        case("from 169.254.1.1", from("169.254.1.1")),
        case("from 255.255.255.255", from("255.255.255.255")),
        case("from 224.0.0.1", from("224.0.0.1")),
        case("from the router's own address", from("192.168.7.1")),
        case("from the router's address elsewhere", from("203.0.113.1")),
        case("from the subnet's broadcast address", from("192.168.7.255")),
        case("from the subnet's own address", from("192.168.7.0")),
        case("from an address of nowhere", from("9.9.9.9")),
        case("from a blackhole", from("100.64.2.9")),
        case("from an unreachable network", from("100.64.3.9")),
        case("from a network behind another wire", from("198.18.7.7")),
        case("to 127.0.0.1", to("127.0.0.1")),
        case("to 0.0.0.0", to("0.0.0.0")),
        case("to 0.1.2.3", to("0.1.2.3")),
        case("to 240.0.0.1", to("240.0.0.1")),
        case("to 169.254.1.1", to("169.254.1.1")),
        case("to 255.255.255.255", to("255.255.255.255")),
        case("to 224.0.0.251", to("224.0.0.251")),
        case("to 239.1.2.3", to("239.1.2.3")),
        case("to the own subnet's broadcast address", to("192.168.7.255")),
        case("to another subnet's broadcast address", to("203.0.113.255")),
        case("to another subnet's own address", to("203.0.113.0")),
        case("to one host in a broadcast frame", [broadcast(Red, &good())]),
        case(
            "a broadcast ping",
            [broadcast(Red, &Packet::ping("192.168.7.2", "192.168.7.255", 1, 1))],
        ),
        case(
            "a ping of all hosts",
            [broadcast(Red, &Packet::ping("192.168.7.2", "255.255.255.255", 1, 1))],
        ),
    ]
}

/// Packets for the router itself.
pub(in crate::beside_kernel) fn local() -> Vec<Case> {
    let ping = |to: &str| Packet::ping("192.168.7.2", to, 77, 3);
    vec![
        case(
            "ping to the router",
            [
                send(Red, ping("192.168.7.1")),
                send(Wan, Packet::ping("203.0.113.2", "203.0.113.1", 78, 4)),
                send(Thin, Packet::ping("198.51.100.2", "198.51.100.1", 79, 5)),
            ],
        ),
        case(
            "ping to the router's other addresses",
            [send(Red, ping("203.0.113.1")), send(Red, ping("198.51.100.1"))],
        ),
        case("ping to the router, ttl 1", [send(Red, ping("192.168.7.1").ttl(1))]),
        case("ping to the router, a traffic class", [send(Red, ping("192.168.7.1").class(0xb8))]),
        case("ping to the router, df", [send(Red, ping("192.168.7.1").df())]),
        case(
            "ping to the router, record route",
            [send(Red, ping("192.168.7.1").options(&[7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0]))],
        ),
        case(
            "ping to the router, wrong checksum",
            [send(Red, {
                let mut ping = ping("192.168.7.1");
                ping.payload[2] ^= 1;
                ping
            })],
        ),
        case(
            "a long ping to the router",
            [send(
                Red,
                Packet::icmp("192.168.7.2", "192.168.7.1", (8, 0), [0, 1, 0, 1], &[3; 1400]),
            )],
        ),
        case(
            "a ping in pieces to the router",
            [all(
                Red,
                Packet::icmp("192.168.7.2", "192.168.7.1", (8, 0), [0, 1, 0, 1], &[3; 2500])
                    .id(0x5191)
                    .fragments(1000),
            )],
        ),
        case(
            "a ping with a code",
            [send(Red, Packet::icmp("192.168.7.2", "192.168.7.1", (8, 3), [0, 1, 0, 1], b"x"))],
        ),
        case(
            "a timestamp request",
            [send(
                Red,
                Packet::icmp("192.168.7.2", "192.168.7.1", (13, 0), [0, 1, 0, 1], &[0; 12]),
            )],
        ),
        case(
            "an address mask request",
            [send(Red, Packet::icmp("192.168.7.2", "192.168.7.1", (17, 0), [0, 1, 0, 1], &[0; 4]))],
        ),
        case(
            "a reply that nobody asked for",
            [send(Red, Packet::pong("192.168.7.2", "192.168.7.1", 1, 1))],
        ),
        case(
            "udp to the router",
            [send(Red, Packet::udp("192.168.7.2:4000", "192.168.7.1:7", b"anybody?"))],
        ),
        case(
            "udp to the router's other address",
            [send(Red, Packet::udp("192.168.7.2:4000", "203.0.113.1:7", b"anybody?"))],
        ),
        case(
            "udp to the router, wrong checksum",
            [send(Red, {
                let mut packet = Packet::udp("192.168.7.2:4000", "192.168.7.1:7", b"anybody?");
                packet.payload[6] ^= 1;
                packet
            })],
        ),
        case(
            "udp to the router, no checksum",
            [send(Red, Packet::udp("192.168.7.2:4000", "192.168.7.1:7", b"x").unsummed())],
        ),
        case(
            "syn to the router",
            [send(Red, Packet::tcp("192.168.7.2:4000", "192.168.7.1:81", SYN, b""))],
        ),
        case(
            "syn with data to the router",
            [send(Red, Packet::tcp("192.168.7.2:4000", "192.168.7.1:81", SYN, b"early"))],
        ),
        case(
            "ack to the router",
            [send(Red, Packet::tcp("192.168.7.2:4000", "192.168.7.1:81", ACK, b"data"))],
        ),
        case(
            "syn-ack to the router",
            [send(Red, Packet::tcp("192.168.7.2:4000", "192.168.7.1:81", SYN_ACK, b""))],
        ),
        case(
            "fin to the router",
            [send(Red, Packet::tcp("192.168.7.2:4000", "192.168.7.1:81", FIN, b""))],
        ),
        case(
            "rst to the router",
            [send(Red, Packet::tcp("192.168.7.2:4000", "192.168.7.1:81", RST, b""))],
        ),
        case(
            "a segment without flags to the router",
            [send(Red, Packet::tcp("192.168.7.2:4000", "192.168.7.1:81", 0, b""))],
        ),
        case(
            "syn to the router, a traffic class",
            [send(Red, Packet::tcp("192.168.7.2:4000", "192.168.7.1:81", SYN, b"").class(0xb8))],
        ),
        case(
            "syn to the router, wrong checksum",
            [send(Red, {
                let mut packet = Packet::tcp("192.168.7.2:4000", "192.168.7.1:81", SYN, b"");
                packet.payload[16] ^= 1;
                packet
            })],
        ),
        case(
            "another protocol to the router",
            [send(Red, Packet::new(200, "192.168.7.2", "192.168.7.1", vec![1; 20]))],
        ),
        case(
            "an error to the router",
            [
                send(Red, ping("192.168.7.1")),
                answer(Red, |reply| {
                    Packet::error("192.168.7.2", "192.168.7.1", (3, 3), 0, reply, 8)
                }),
            ],
        ),
        case(
            "udp to the router in pieces",
            [all(
                Red,
                Packet::udp("192.168.7.2:4000", "192.168.7.1:7", &[1; 1500])
                    .id(0x5192)
                    .fragments(800),
            )],
        ),
        case(
            "udp to the router, long",
            [send(Red, Packet::udp("192.168.7.2:4000", "192.168.7.1:7", &[1; 1400]))],
        ),
    ]
}

/// Sets a byte of a header and mends the checksum over its first 20 bytes.
fn summed(whole: &mut [u8], at: usize, value: u8) {
    whole[at] = value;
    whole[10..12].fill(0);
    let sum = !lab::wire::sum(&whole[..20]);
    whole[10..12].copy_from_slice(&sum.to_be_bytes());
}
