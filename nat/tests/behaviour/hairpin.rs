//! Inside hosts that speak to one another by their external addresses.

use std::net::SocketAddrV4;

use packet::Protocol;
use tapswitch_nat::{Listen, Masquerade, Publish};

use crate::common::*;

fn router(rule: Masquerade) -> Router {
    let publish = Publish {
        protocol: Protocol::TCP,
        listen: Listen::Any,
        port: 8080,
        to: SocketAddrV4::new(RED, 80),
        keep: false,
    };
    Router::with(vec![rule], vec![publish])
}

/// NU10, NT6: the server sees the client under the external address, so that its answer comes
/// through the router.
#[test]
fn a_host_reaches_its_neighbours_published_port() {
    let mut router = router(inside_rule());
    let sent = router.pass(s(1), tcp((BLUE, 4000), (EXTERNAL, 8080), SYN)).sent();
    assert_eq!(ends(&sent), ((EXTERNAL, 4000), (RED, 80)));
    let back = router.pass(s(1), tcp((RED, 80), (EXTERNAL, 4000), SYN | ACK)).sent();
    assert_eq!(ends(&back), ((EXTERNAL, 8080), (BLUE, 4000)));
    let sent = router.pass(s(1), tcp((BLUE, 4000), (EXTERNAL, 8080), ACK)).sent();
    assert_eq!(ends(&sent), ((EXTERNAL, 4000), (RED, 80)));
    let flow = router.nat.flows(s(1)).next().unwrap();
    assert!(flow.is_src_nat && flow.is_dst_nat && flow.assured);
}

/// NU10: docker's `userland-proxy=false` case.
#[test]
fn a_host_reaches_its_own_published_port() {
    for address in [EXTERNAL, GATEWAY] {
        let mut router = router(inside_rule());
        let sent = router.pass(s(1), tcp((RED, 4000), (address, 8080), SYN)).sent();
        assert_eq!(ends(&sent), ((address, 4000), (RED, 80)));
        let back = router.pass(s(1), tcp((RED, 80), (address, 4000), SYN | ACK)).sent();
        assert_eq!(ends(&back), ((address, 8080), (RED, 4000)));
    }
}

#[test]
fn an_exception_for_the_own_subnet_does_not_spoil_hairpin() {
    let except = vec![net("192.168.0.0/16")];
    let mut router = router(Masquerade { except, ..inside_rule() });
    let sent = router.pass(s(1), tcp((BLUE, 4000), (EXTERNAL, 8080), SYN)).sent();
    assert_eq!(ends(&sent), ((EXTERNAL, 4000), (RED, 80)));
}

#[test]
fn a_rule_for_every_source_does_not_hide_clients_from_outside() {
    let everybody = Masquerade::new(net("0.0.0.0/0"), WAN);
    let mut router = router(everybody);
    let sent = router.pass(s(1), tcp((OTHER, 4000), (EXTERNAL, 8080), SYN)).sent();
    assert_eq!(ends(&sent), ((OTHER, 4000), (RED, 80)));
    let back = router.pass(s(1), tcp((RED, 80), (OTHER, 4000), SYN | ACK)).sent();
    assert_eq!(ends(&back), ((EXTERNAL, 8080), (OTHER, 4000)));
}

/// NU10: "A -> ext(B) is seen by B from ext(A)".
#[test]
fn two_hosts_reach_each_other_by_their_mapped_ports() {
    let mut router = router(inside_rule());
    let red = router.map(s(1), (RED, 5000), (REMOTE, 3478));
    let blue = router.map(s(1), (BLUE, 5000), (REMOTE, 3478));
    let sent = router.pass(s(2), udp((BLUE, 5000), (EXTERNAL, red))).sent();
    assert_eq!(ends(&sent), ((EXTERNAL, blue), (RED, 5000)));
    let back = router.pass(s(2), udp((RED, 5000), (EXTERNAL, blue))).sent();
    assert_eq!(ends(&back), ((EXTERNAL, red), (BLUE, 5000)));
    // Both mappings live while the flow does.
    for second in [200, 400, 600] {
        router.pass(s(second), udp((BLUE, 5000), (EXTERNAL, red))).sent();
        router.nat.timeout(s(second));
    }
    assert_eq!(router.nat.stats().flows, 1);
    assert_eq!(router.nat.stats().mappings, 2);
    router.nat.timeout(s(1000));
    assert_eq!(router.nat.stats().mappings, 0);
}

#[test]
fn a_host_that_speaks_to_its_own_mapped_port_hears_itself_from_another() {
    let mut router = router(inside_rule());
    let red = router.map(s(1), (RED, 5000), (REMOTE, 3478));
    let own = router.pass(s(2), udp((RED, 5000), (EXTERNAL, red))).sent();
    let ((from, port), to) = ends(&own);
    assert_eq!((from, to), (EXTERNAL, (RED, 5000)));
    assert_ne!(port, red, "its answers would look like what it sent");
    let sent = router.pass(s(2), udp((RED, 5002), (EXTERNAL, red))).sent();
    assert_eq!(ends(&sent), ((EXTERNAL, 5002), (RED, 5000)));
}

/// NI7, 5508 REQ-7a.
#[test]
fn an_error_about_a_hairpinned_packet_comes_back_by_the_external_address() {
    let mut router = router(inside_rule());
    let sent = router.pass(s(1), tcp((BLUE, 4000), (EXTERNAL, 8080), SYN)).sent();
    let error = router.pass(s(1), error(RED, 3, 3, &sent, 28)).sent();
    assert_eq!((error.source(), error.destination()), (EXTERNAL, BLUE));
    assert_eq!(quoted(&error), ((BLUE, 4000), (EXTERNAL, 8080)));
}
