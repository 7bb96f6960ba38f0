//! Who may answer: the three filters of RFC 4787 section 5, as a STUN client would find them.

use packet::DropReason;
use tapswitch_nat::{Filtering, Masquerade};

use crate::common::*;

fn router(filtering: Filtering) -> Router {
    let rule = Masquerade { filtering, ..inside_rule() };
    Router::with(vec![rule], vec![])
}

/// What comes of a packet from the known remote's other port and from a stranger, to a mapping of
/// red's port 4000.
fn probe(filtering: Filtering) -> [Option<DropReason>; 2] {
    let mut router = router(filtering);
    router.map(s(1), (RED, 4000), (REMOTE, 3478));
    [(REMOTE, 3479), (OTHER, 3478)].map(|from| {
        match router.pass(s(2), udp(from, (EXTERNAL, 4000))) {
            Outcome::Sent(packet, _) => {
                assert_eq!(ends(&packet), (from, (RED, 4000)));
                let back = router.pass(s(2), udp((RED, 4000), from)).sent();
                assert_eq!(ends(&back), ((EXTERNAL, 4000), from));
                None
            }
            other => Some(other.refused()),
        }
    })
}

/// NU9.
#[test]
fn each_filter_lets_in_whom_it_should() {
    let filtered = Some(DropReason::NatFiltered);
    assert_eq!(probe(Filtering::EndpointIndependent), [None, None]);
    assert_eq!(probe(Filtering::AddressDependent), [None, filtered]);
    assert_eq!(probe(Filtering::AddressAndPortDependent), [filtered, filtered]);
}

#[test]
fn a_port_without_mapping_is_the_routers_own() {
    let mut router = router(Filtering::EndpointIndependent);
    assert!(router.pass(s(1), udp((OTHER, 1), (EXTERNAL, 4000))).is_local());
    assert!(router.pass(s(1), tcp((OTHER, 1), (EXTERNAL, 4000), SYN)).is_local());
    assert!(router.pass(s(1), query(OTHER, EXTERNAL, 8, 4000)).is_local());
}

#[test]
fn a_ping_to_our_address_is_for_us_even_when_its_identifier_is_mapped() {
    let mut router = router(Filtering::EndpointIndependent);
    router.pass(s(1), query(RED, REMOTE, 8, 7)).sent();
    assert!(router.pass(s(1), query(OTHER, EXTERNAL, 8, 7)).is_local());
    assert!(router.pass(s(1), query(REMOTE, EXTERNAL, 8, 7)).is_local());
    let stranger = router.pass(s(1), query(OTHER, EXTERNAL, 0, 7)).refused();
    assert_eq!(stranger, DropReason::NatFiltered);
}

#[test]
fn an_address_is_forgotten_with_its_last_flow() {
    let mut router = router(Filtering::AddressDependent);
    router.map(s(0), (RED, 4000), (REMOTE, 1));
    router.map(s(200), (RED, 4000), (OTHER, 1));
    router.pass(s(299), udp((REMOTE, 2), (EXTERNAL, 4000))).sent();
    router.nat.timeout(s(450));
    let reason = router.pass(s(599), udp((REMOTE, 3), (EXTERNAL, 4000)));
    assert!(reason.is_local(), "neither flow nor mapping is left: {reason:?}");
    router.map(s(600), (RED, 4000), (OTHER, 1));
    let reason = router.pass(s(601), udp((REMOTE, 3), (EXTERNAL, 4000))).refused();
    assert_eq!(reason, DropReason::NatFiltered);
}

/// NU7: otherwise anyone outside could hold a mapping for ever.
#[test]
fn a_stranger_does_not_keep_a_flow_that_the_inside_ignores() {
    let mut router = router(Filtering::EndpointIndependent);
    router.map(s(0), (RED, 4000), (REMOTE, 1));
    for second in 1..=300 {
        router.pass(s(second), udp((OTHER, 9), (EXTERNAL, 4000))).sent();
    }
    // The flow of second 1 ended at 301; the mapping goes with it, since red's own ended at 300.
    assert!(router.pass(s(301), udp((OTHER, 9), (EXTERNAL, 4000))).is_local());
    router.map(s(400), (RED, 4000), (REMOTE, 1));
    router.pass(s(401), udp((OTHER, 9), (EXTERNAL, 4000))).sent();
    router.pass(s(402), udp((RED, 4000), (OTHER, 9))).sent();
    for second in (500..3000).step_by(250) {
        router.pass(s(second), udp((OTHER, 9), (EXTERNAL, 4000))).sent();
    }
}

#[test]
fn an_open_filter_lets_only_a_syn_begin_a_connection() {
    let mut router = router(Filtering::EndpointIndependent);
    router.pass(s(1), tcp((RED, 4000), (REMOTE, 80), SYN)).sent();
    for flags in [ACK, SYN | ACK, RST, FIN | ACK] {
        let segment = tcp((OTHER, 9), (EXTERNAL, 4000), flags);
        assert_eq!(router.pass(s(1), segment).refused(), DropReason::NatFiltered);
    }
    let sent = router.pass(s(1), tcp((OTHER, 9), (EXTERNAL, 4000), SYN)).sent();
    assert_eq!(sent.destination(), RED);
}
