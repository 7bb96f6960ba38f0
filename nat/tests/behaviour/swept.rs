//! Flows that a change ends: of rules, or of the router's addresses.

use crate::common::*;
use crate::publish::web;
use packet::Protocol;
use tapswitch_nat::{Masquerade, Rules};

#[test]
fn flows_end_with_their_rule_unless_it_says_keep() {
    let mut router = Router::new();
    router.map(s(1), (RED, 4000), (REMOTE, 53));
    router.nat.set_rules(Rules::default());
    router.nat.sweep();
    assert!(!router.nat.is_configured());
    let keep = Masquerade { keep: true, ..inside_rule() };
    let mut router = Router::with(vec![keep], vec![]);
    router.map(s(1), (RED, 4000), (REMOTE, 53));
    router.nat.set_rules(Rules::default());
    assert!(router.nat.is_configured());
    assert_eq!(router.map(s(2), (RED, 4000), (REMOTE, 53)), 4000);
    let other = router.pass(s(2), udp((RED, 4001), (REMOTE, 53))).sent();
    assert_eq!(other.source(), RED);
    router.nat.timeout(s(400));
    assert!(!router.nat.is_configured());
}

#[test]
fn forgetting_an_address_ends_what_stood_under_it() {
    let mut router = Router::new();
    router.map(s(1), (RED, 4000), (REMOTE, 53));
    router.external = Some(OTHER);
    router.pass(s(1), udp((RED, 4000), (REMOTE, 54))).sent();
    for _ in 0..2 {
        router.nat.forget_address(EXTERNAL);
        router.nat.sweep();
    }
    assert_eq!(router.nat.stats().flows, 1);
    assert_eq!(router.nat.stats().flushed, 1);
}

#[test]
fn forgetting_an_address_leaves_what_is_published_under_another() {
    let mut router = Router::with(vec![inside_rule()], vec![web(Protocol::UDP)]);
    router.pass(s(1), udp((REMOTE, 5), (EXTERNAL, 8080))).sent();
    router.pass(s(1), udp((RED, 4000), (REMOTE, 53))).sent();
    for (address, flows) in [(OTHER, 2), (REMOTE, 2), (RED, 2), (EXTERNAL, 0)] {
        router.nat.forget_address(address);
        router.nat.sweep();
        assert_eq!(router.nat.stats().flows, flows, "{address}");
    }
}

#[test]
fn an_address_that_is_forgotten_and_comes_back_has_no_ports_that_rest() {
    let mut router = Router::new();
    for forget in [false, true] {
        router.map(s(1), (RED, 4000), (REMOTE, 53));
        router.nat.flush(0..u32::MAX, |_| false);
        if forget {
            router.nat.forget_address(EXTERNAL);
            router.nat.sweep();
        }
        let port = router.map(s(1), (BLUE, 4000), (REMOTE, 53));
        assert_eq!(port == 4000, forget, "{port}");
        router.nat.flush(0..u32::MAX, |_| false);
    }
}
