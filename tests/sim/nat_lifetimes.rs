//! Flows and time: how long each kind lives.

use core::time::Duration;

use lab::Packet;
use lab::wire::{ACK, RST, SYN};
use nat::Lifetimes;

use crate::common::masqueraded;

use crate::nat_changes::{INSIDE, OUTSIDE, REMOTE, answered, ask, connected, establish};

/// NU6.
#[test]
fn a_udp_flow_lives_300_seconds_of_silence_and_no_longer() {
    let mut lab = masqueraded();
    ask(&mut lab);
    lab.run_for(Duration::from_secs(299));
    assert!(answered(&mut lab));
    lab.run_for(Duration::from_secs(302));
    assert!(!answered(&mut lab));
    assert!(lab.flows().is_empty());
    assert_eq!(lab.drops().len(), 1, "{:?}", lab.drops());
}

/// NU7.
#[test]
fn what_the_inside_says_keeps_a_flow_alive() {
    let mut lab = masqueraded();
    for _ in 0..10 {
        ask(&mut lab);
        lab.run_for(Duration::from_secs(200));
    }
    assert!(answered(&mut lab));
    assert_eq!(lab.switch().nat_stats().created, 1);
}

/// NU6, NI2, NT4.
#[test]
fn lifetimes_can_be_set() {
    let mut lab = masqueraded();
    lab.lifetimes(Lifetimes { udp_unreplied: Duration::from_secs(30), ..Lifetimes::RFC });
    ask(&mut lab);
    lab.run_for(Duration::from_secs(31));
    assert!(!answered(&mut lab));
}

/// NI2.
#[test]
fn a_pings_flow_lives_60_seconds() {
    let mut lab = masqueraded();
    lab.ip("red", &Packet::ping("192.168.0.2", "198.51.100.9", 1, 1));
    let pong = Packet::pong("198.51.100.9", "203.0.113.1", 1, 1);
    lab.run_for(Duration::from_secs(59));
    lab.ip("wan", &pong);
    assert_eq!(lab.packets("red").len(), 1);
    lab.run_for(Duration::from_secs(61));
    lab.ip("wan", &pong);
    assert!(lab.packets("red").is_empty());
}

/// NT4.
#[test]
fn an_established_connection_lives_two_hours_and_a_half_open_one_four_minutes() {
    let mut lab = masqueraded();
    establish(&mut lab);
    lab.run_for(Duration::from_secs(7439));
    assert!(connected(&mut lab));
    lab.run_for(Duration::from_secs(7441));
    assert!(!connected(&mut lab));
    let mut lab = masqueraded();
    lab.ip("red", &Packet::tcp(INSIDE, REMOTE, SYN, b""));
    lab.run_for(Duration::from_secs(239));
    assert_eq!(lab.flows().len(), 1);
    lab.run_for(Duration::from_secs(2));
    assert!(lab.flows().is_empty());
}

/// NT5.
#[test]
fn a_reset_passes_and_its_flow_stays_four_minutes() {
    let mut lab = masqueraded();
    establish(&mut lab);
    lab.ip("wan", &Packet::tcp(REMOTE, OUTSIDE, RST, b""));
    assert_eq!(lab.packet("red").flags(), RST);
    lab.run_for(Duration::from_secs(230));
    assert!(connected(&mut lab), "a forged reset ends nothing");
    lab.run_for(Duration::from_secs(250));
    assert!(!connected(&mut lab));
}

/// NT4.
#[test]
fn a_closed_connection_is_forgotten_in_four_minutes() {
    let mut lab = masqueraded();
    establish(&mut lab);
    lab.ip("red", &Packet::tcp(INSIDE, REMOTE, 0x11, b""));
    lab.ip("wan", &Packet::tcp(REMOTE, OUTSIDE, 0x11, b""));
    lab.ip("red", &Packet::tcp(INSIDE, REMOTE, ACK, b""));
    lab.run_for(Duration::from_secs(241));
    assert!(lab.flows().is_empty());
}
