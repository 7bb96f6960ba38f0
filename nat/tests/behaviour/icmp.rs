//! ICMP errors through NAT, both ways, and the packets they quote.

use std::net::{Ipv4Addr, SocketAddrV4};

use packet::{DropReason, Ipv4, Protocol};
use tapswitch_nat::{Arrival, Listen, Publish};

use crate::common::*;

const HOP: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 99);

fn published() -> Router {
    let publish = Publish {
        protocol: Protocol::UDP,
        listen: Listen::Address(EXTERNAL),
        port: 8080,
        to: SocketAddrV4::new(RED, 80),
        keep: false,
    };
    Router::with(vec![inside_rule()], vec![publish])
}

/// A router whose red and blue both use port 4000, and red's packet as it left.
fn busy(make: fn(Ipv4Addr) -> Ipv4) -> (Router, Ipv4, Ipv4) {
    let mut router = Router::new();
    router.pass(s(1), make(BLUE)).sent();
    let sent = router.pass(s(1), make(RED)).sent();
    assert_ne!(ports(&sent).0, 4000);
    (router, make(RED), sent)
}

/// NI3, NI4, NI10, NU12: from the remote itself and from a hop in between, with short and with
/// whole quotes.
#[test]
fn an_error_from_outside_reaches_the_sender_and_quotes_its_own_packet() {
    let kinds: [fn(Ipv4Addr) -> Ipv4; 3] = [
        |host| udp((host, 4000), (REMOTE, 53)),
        |host| tcp((host, 4000), (REMOTE, 53), SYN),
        |host| query(host, REMOTE, 8, 4000),
    ];
    for make in kinds {
        for (from, kind, code) in [(REMOTE, 3, 3), (HOP, 11, 0), (HOP, 3, 4)] {
            for quote in [28, 576] {
                let (mut router, original, sent) = busy(make);
                let got = router.pass(s(2), error(from, kind, code, &sent, quote)).sent();
                assert_eq!((got.source(), got.destination()), (from, RED));
                assert_eq!(got.payload()[..2], [kind, code]);
                assert_eq!(quoted(&got), ends(&original));
                if quote == 576 {
                    assert_eq!(got.payload()[8..], *original.bytes(), "byte for byte");
                }
            }
        }
    }
}

/// NI5: an inside host's own error about a packet that came in.
#[test]
fn an_error_from_inside_leaves_under_the_external_address() {
    let mut router = Router::new();
    router.map(s(1), (RED, 4000), (REMOTE, 53));
    let inward = udp((REMOTE, 53), (EXTERNAL, 4000));
    let came = router.pass(s(1), udp((REMOTE, 53), (EXTERNAL, 4000))).sent();
    let got = router.pass(s(1), error(RED, 3, 3, &came, 576)).sent();
    assert_eq!((got.source(), got.destination()), (EXTERNAL, REMOTE));
    assert_eq!(got.payload()[8..], *inward.bytes());
}

/// NI5: a router inside tells about a packet that was published.
#[test]
fn an_error_from_an_inside_router_leaves_under_the_external_address() {
    let mut router = published();
    let came = router.pass(s(1), udp((OTHER, 9), (EXTERNAL, 8080))).sent();
    for inside in [RED, BLUE] {
        let got = router.pass(s(1), error(inside, 3, 1, &came, 576)).sent();
        assert_eq!((got.source(), got.destination()), (EXTERNAL, OTHER));
        assert_eq!(quoted(&got), ((OTHER, 9), (EXTERNAL, 8080)));
    }
}

/// NI3.
#[test]
fn errors_with_wrong_checksums_are_refused() {
    let (mut router, _, sent) = busy(|host| udp((host, 4000), (REMOTE, 53)));
    let mut outer = error(REMOTE, 3, 3, &sent, 576);
    outer.payload_mut()[2] ^= 1;
    assert_eq!(router.pass(s(2), outer).refused(), DropReason::NatBadError);
    let mut broken = sent.bytes().to_vec();
    broken[8] ^= 1; // The quoted TTL, without its checksum.
    let body = [&[3, 3, 0, 0, 0, 0, 0, 0], &broken[..]].concat();
    let mut inner = raw(REMOTE, EXTERNAL, Protocol::ICMP, &body);
    packet::icmp::recompute(inner.payload_mut());
    assert_eq!(router.pass(s(2), inner).refused(), DropReason::NatBadError);
    // REQ-3c: the quoted transport checksum is nobody's business.
    let mut quoting = sent.bytes().to_vec();
    quoting[26] ^= 1;
    let body = [&[3, 3, 0, 0, 0, 0, 0, 0], &quoting[..]].concat();
    let mut inner = raw(REMOTE, EXTERNAL, Protocol::ICMP, &body);
    packet::icmp::recompute(inner.payload_mut());
    assert_eq!(router.pass(s(2), inner).sent().destination(), RED);
    assert_eq!(router.nat.stats().refused.bad_error, 2);
}

/// NI4, and what an inside host says about packets that nobody sent.
#[test]
fn an_error_about_no_flow_is_local_or_refused() {
    let mut router = Router::new();
    let never = udp((EXTERNAL, 4000), (REMOTE, 53));
    assert!(router.pass(s(1), error(REMOTE, 3, 3, &never, 576)).is_local());
    let never = udp((REMOTE, 53), (RED, 4000));
    let reason = router.pass(s(1), error(RED, 3, 3, &never, 576)).refused();
    assert_eq!(reason, DropReason::NatBadError);
}

#[test]
fn an_error_to_another_than_the_quoted_sender_is_refused() {
    let (mut router, _, sent) = busy(|host| udp((host, 4000), (REMOTE, 53)));
    let message = error(REMOTE, 3, 3, &sent, 576);
    let stray = raw(REMOTE, GREEN, Protocol::ICMP, message.payload());
    assert_eq!(router.pass(s(2), stray).refused(), DropReason::NatBadError);
}

/// NU12, NI6, NT6.
#[test]
fn errors_neither_refresh_nor_end_a_flow() {
    let (mut router, _, sent) = busy(|host| tcp((host, 4000), (REMOTE, 53), SYN));
    let before: Vec<_> = router.nat.flows(s(200)).collect();
    router.pass(s(200), error(REMOTE, 3, 3, &sent, 28)).sent();
    assert_eq!(router.nat.flows(s(200)).collect::<Vec<_>>(), before);
}

/// What the router itself has to say about a packet that it has translated already, when ARP
/// failed.
#[test]
fn the_routers_own_error_about_a_translated_packet_finds_its_sender() {
    let (mut router, original, sent) = busy(|host| udp((host, 4000), (REMOTE, 53)));
    let own = error(EXTERNAL, 3, 1, &sent, 548);
    let arrival = Arrival { interface: WAN, owner: Some(WAN), port: None };
    let destined = router.nat.inbound(s(2), own, arrival).unwrap();
    assert!(!destined.is_local());
    let got = destined.into_packet();
    assert_eq!((got.source(), got.destination()), (EXTERNAL, RED));
    assert_eq!(got.payload()[8..], *original.bytes());

    let mut router = published();
    let sent = router.pass(s(1), udp((OTHER, 9), (EXTERNAL, 8080))).sent();
    let got = router.pass(s(1), error(GATEWAY, 3, 1, &sent, 548));
    // Its addressee is as it was; what it quotes is what the addressee had sent.
    let got = got.sent();
    assert_eq!(got.destination(), OTHER);
    assert_eq!(quoted(&got), ((OTHER, 9), (EXTERNAL, 8080)));
}

#[test]
fn an_error_that_is_undone_is_as_it_came() {
    let (mut router, _, sent) = busy(|host| query(host, REMOTE, 8, 4000));
    let came = error(HOP, 11, 0, &sent, 576);
    let before = came.frame().clone();
    let arrival = Arrival { interface: WAN, owner: Some(WAN), port: None };
    let destined = router.nat.inbound(s(2), came, arrival).unwrap();
    assert_eq!(destined.packet().destination(), RED);
    assert_eq!(*destined.undo().frame(), before);
}
