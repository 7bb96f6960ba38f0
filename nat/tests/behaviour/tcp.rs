//! TCP connections through a masquerade rule: states, lifetimes, resets.

use packet::DropReason;
use tapswitch_nat::Lifetimes;

use crate::common::*;

const CLIENT: (std::net::Ipv4Addr, u16) = (RED, 4000);
const SERVER: (std::net::Ipv4Addr, u16) = (REMOTE, 80);
const OUTSIDE: (std::net::Ipv4Addr, u16) = (EXTERNAL, 4000);

fn open(router: &mut Router, at: u64) {
    router.pass(s(at), tcp(CLIENT, SERVER, SYN)).sent();
    router.pass(s(at), tcp(SERVER, OUTSIDE, SYN | ACK)).sent();
    router.pass(s(at), tcp(CLIENT, SERVER, ACK)).sent();
}

fn state(router: &Router, at: u64) -> Option<(&'static str, u64)> {
    let flow = router.nat.flows(s(at)).next()?;
    Some((flow.state?, flow.expires_in.as_secs()))
}

/// NT4.
#[test]
fn an_idle_connection_lives_7440_seconds_and_a_half_open_one_240() {
    let mut router = Router::new();
    router.pass(s(0), tcp(CLIENT, SERVER, SYN)).sent();
    assert_eq!(state(&router, 0), Some(("SYN_SENT", 240)));
    open(&mut router, 100);
    assert_eq!(state(&router, 100), Some(("ESTABLISHED", 7440)));
    router.nat.timeout(s(7539));
    router.pass(s(7539), tcp(SERVER, OUTSIDE, ACK)).sent();
    assert_eq!(state(&router, 7539), Some(("ESTABLISHED", 7440)));
    router.nat.timeout(s(7539 + 7440));
    assert_eq!(state(&router, 7539 + 7440), None);
}

#[test]
fn a_closed_connection_lives_on_in_time_wait_for_240_seconds() {
    let mut router = Router::new();
    open(&mut router, 0);
    // The half-open flow's time is over: the wheel looks again when the established one's is.
    router.nat.timeout(s(240));
    router.pass(s(250), tcp(CLIENT, SERVER, FIN | ACK)).sent();
    assert_eq!(state(&router, 250), Some(("FIN_WAIT", 240)));
    router.pass(s(251), tcp(SERVER, OUTSIDE, ACK)).sent();
    assert_eq!(state(&router, 251), Some(("CLOSE_WAIT", 240)));
    router.pass(s(252), tcp(SERVER, OUTSIDE, FIN | ACK)).sent();
    assert_eq!(state(&router, 252), Some(("LAST_ACK", 240)));
    router.pass(s(253), tcp(CLIENT, SERVER, ACK)).sent();
    assert_eq!(state(&router, 253), Some(("TIME_WAIT", 240)));
    router.nat.timeout(s(492));
    assert_eq!(router.nat.stats().flows, 1);
    router.nat.timeout(s(493));
    assert_eq!(router.nat.stats().flows, 0, "the wheel was told of the earlier deadline");
}

/// NT5.
#[test]
fn a_reset_is_translated_and_the_flow_stays_for_240_seconds() {
    let mut router = Router::new();
    open(&mut router, 0);
    let sent = router.pass(s(10), tcp(SERVER, OUTSIDE, RST)).sent();
    assert_eq!(ends(&sent).1, CLIENT);
    assert_eq!(state(&router, 10), Some(("CLOSE", 240)));
    router.pass(s(100), tcp(SERVER, OUTSIDE, RST)).sent();
    assert_eq!(state(&router, 100), Some(("CLOSE", 150)), "resets refresh nothing");
    router.nat.timeout(s(250));
    assert_eq!(state(&router, 250), None);
}

#[test]
fn a_new_syn_on_a_closed_tuple_begins_another_flow() {
    let mut router = Router::new();
    open(&mut router, 0);
    router.pass(s(10), tcp(CLIENT, SERVER, RST)).sent();
    let sent = router.pass(s(20), tcp(CLIENT, SERVER, SYN)).sent();
    assert_eq!(ends(&sent).0, OUTSIDE);
    assert_eq!(state(&router, 20), Some(("SYN_SENT", 240)));
    let flow = router.nat.flows(s(20)).next().unwrap();
    assert!(flow.unreplied && !flow.assured && flow.original.packets == 1);
    open(&mut router, 30);
    assert_eq!(state(&router, 30), Some(("ESTABLISHED", 7440)));
    assert_eq!(router.nat.stats().created, 2);
}

/// NT2.
#[test]
fn both_ends_may_open_at_once() {
    let mut router = Router::new();
    router.pass(s(0), tcp(CLIENT, SERVER, SYN)).sent();
    router.pass(s(0), tcp(SERVER, OUTSIDE, SYN)).sent();
    router.pass(s(0), tcp(CLIENT, SERVER, SYN | ACK)).sent();
    router.pass(s(0), tcp(SERVER, OUTSIDE, SYN | ACK)).sent();
    router.pass(s(0), tcp(CLIENT, SERVER, ACK)).sent();
    assert_eq!(state(&router, 0), Some(("ESTABLISHED", 7440)));
}

/// NT7.
#[test]
fn a_connection_in_midstream_is_picked_up_and_nothing_else_without_a_flow() {
    let mut router = Router::new();
    for flags in [RST, RST | ACK, FIN, FIN | ACK, SYN | ACK, SYN | FIN, 0] {
        let reason = router.pass(s(0), tcp(CLIENT, SERVER, flags)).refused();
        assert_eq!(reason, DropReason::NatNoFlow, "{flags:#x}");
    }
    router.pass(s(0), tcp(CLIENT, SERVER, ACK)).sent();
    assert_eq!(state(&router, 0), Some(("ESTABLISHED", 240)), "not before it is answered");
    router.pass(s(0), tcp(SERVER, OUTSIDE, ACK)).sent();
    assert_eq!(state(&router, 0), Some(("ESTABLISHED", 7440)));
}

#[test]
fn linux_lifetimes_are_linuxs() {
    let mut router = Router::new();
    router.nat.set_lifetimes(Lifetimes::LINUX);
    open(&mut router, 0);
    assert_eq!(state(&router, 0), Some(("ESTABLISHED", 432_000)));
    router.nat.timeout(s(431_999));
    assert_eq!(router.nat.stats().flows, 1);
    router.pass(s(431_999), tcp(SERVER, OUTSIDE, RST)).sent();
    router.nat.timeout(s(432_009));
    assert_eq!(router.nat.stats().flows, 0);
}
