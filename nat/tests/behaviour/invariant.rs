//! No packet with an inside source ever leaves the outside interface untranslated, whatever it is.

use std::net::{Ipv4Addr, SocketAddrV4};

use packet::{DropReason, Instant, Ipv4, Protocol};
use proptest::prelude::*;
use tapswitch_nat::{Filtering, Listen, Mapping, Masquerade, Publish};

use crate::common::*;

const ADDRESSES: [Ipv4Addr; 7] = [RED, BLUE, GREEN, GATEWAY, EXTERNAL, REMOTE, OTHER];

fn address() -> impl Strategy<Value = Ipv4Addr> {
    prop::sample::select(&ADDRESSES[..])
}

fn end() -> impl Strategy<Value = (Ipv4Addr, u16)> {
    (address(), prop::sample::select(vec![53, 80, 4000, 4001, 8080]))
}

fn packet() -> impl Strategy<Value = Ipv4> {
    let bytes = prop::collection::vec(any::<u8>(), 0..60);
    prop_oneof![
        4 => (end(), end()).prop_map(|(from, to)| udp(from, to)),
        4 => (end(), end(), 0u8..32).prop_map(|(from, to, flags)| tcp(from, to, flags)),
        1 => (end(), end()).prop_map(|(from, to)| partial_tcp(from, to, SYN)),
        2 => (address(), address(), prop::sample::select(vec![0, 8, 13, 14]), 0u16..3)
            .prop_map(|(from, to, kind, id)| query(from, to, kind, id)),
        4 => (address(), end(), end(), any::<bool>(), 0usize..60).prop_map(|(by, from, to, is_tcp, len)| {
            let cause = if is_tcp { tcp(from, to, ACK) } else { udp(from, to) };
            error(by, 3, 3, &cause, len)
        }),
        2 => (address(), address(), prop::sample::select(vec![1, 2, 6, 17, 47, 50]), bytes)
            .prop_map(|(from, to, protocol, bytes)| raw(from, to, Protocol(protocol), &bytes)),
        2 => (end(), end(), 0u16..0x4000).prop_map(|(from, to, field)| fragment(udp(from, to), field)),
    ]
}

/// The packet with another flags-and-offset field.
fn fragment(packet: Ipv4, field: u16) -> Ipv4 {
    let mut frame = packet.into_frame();
    frame.bytes_mut()[20..22].copy_from_slice(&field.to_be_bytes());
    frame.bytes_mut()[24..26].fill(0);
    let sum = packet::checksum::of(&frame.bytes()[14..34]);
    frame.bytes_mut()[24..26].copy_from_slice(&sum.to_be_bytes());
    Ipv4::in_frame(frame).unwrap()
}

fn rules() -> impl Strategy<Value = (Vec<Masquerade>, Vec<Publish>)> {
    let filtering = prop::sample::select(vec![
        Filtering::EndpointIndependent,
        Filtering::AddressDependent,
        Filtering::AddressAndPortDependent,
    ]);
    let mapping =
        prop::sample::select(vec![Mapping::EndpointIndependent, Mapping::AddressAndPortDependent]);
    let listen = prop::sample::select(vec![Listen::Any, Listen::Address(EXTERNAL)]);
    (filtering, mapping, any::<bool>(), any::<bool>(), listen).prop_map(
        |(filtering, mapping, except, second, listen)| {
            let except = if except { vec![net("198.51.100.0/24")] } else { vec![] };
            let mut masquerade = vec![Masquerade { except, filtering, mapping, ..inside_rule() }];
            if second {
                masquerade.push(Masquerade::new(net("192.168.1.0/24"), BR0));
            }
            let to = SocketAddrV4::new(RED, 80);
            let publish = [Protocol::TCP, Protocol::UDP].map(|protocol| Publish {
                protocol,
                listen,
                port: 8080,
                to,
                keep: false,
            });
            (masquerade, publish.to_vec())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_inside_source_leaves_untranslated(
        (masquerade, publish) in rules(),
        packets in prop::collection::vec((packet(), 0u64..100_000), 1..80),
    ) {
        let mut router = Router::with(masquerade.clone(), publish);
        let mut now = 0;
        for (packet, pause) in packets {
            now += pause;
            let source = packet.source();
            // `pass` checks that what leaves has right checksums and what is refused is as it came.
            if let Outcome::Sent(sent, out) = router.pass(Instant::from_millis(now), packet) {
                let destination = sent.destination();
                let covers = |rule: &Masquerade| rule.covers(source, destination, out);
                prop_assert!(
                    sent.source() != source || !masquerade.iter().any(covers),
                    "{sent:?} left {out}"
                );
            }
            let stats = router.nat.stats();
            prop_assert_eq!(router.nat.flows(s(0)).count(), stats.flows);
            prop_assert_eq!(stats.created - stats.expired - stats.evicted - stats.flushed, stats.flows as u64);
        }
        router.nat.flush(0..u32::MAX, |_| false);
        let stats = router.nat.stats();
        prop_assert_eq!((stats.flows, stats.mappings, stats.ports, stats.hosts), (0, 0, 0, 0));
    }
}

#[test]
fn each_thing_that_cannot_be_translated_is_refused_by_its_reason() {
    let mut router = Router::new();
    let cases = [
        (raw(RED, REMOTE, Protocol::TCP, &[0; 19]), DropReason::BadTransport),
        (raw(RED, REMOTE, Protocol::UDP, &[0; 7]), DropReason::BadTransport),
        (raw(RED, REMOTE, Protocol::ICMP, &[9, 0, 0, 0, 0, 0, 0, 0]), DropReason::NatNoFlow),
        (raw(RED, REMOTE, Protocol::ICMP, &[3, 3, 0, 0, 0, 0, 0, 0]), DropReason::NatBadError),
        (query(RED, REMOTE, 0, 1), DropReason::NatNoFlow),
        (fragment(udp((RED, 1), (REMOTE, 1)), 0x2000), DropReason::NatNoFlow),
        (fragment(udp((RED, 1), (REMOTE, 1)), 0x0003), DropReason::NatNoFlow),
    ];
    for (packet, reason) in cases {
        assert_eq!(router.pass(s(1), packet).refused(), reason);
    }
    assert_eq!(router.nat.stats().flows, 0);
}
