//! Flows and time, and flows under changes: what ends them and what does not.

use core::time::Duration;

use lab::wire::{ACK, FIN, RST, SYN, SYN_ACK, arp_reply, frame};
use lab::{Lab, Packet, Port};
use nat::{Lifetimes, Rules};
use packet::DropReason;
use switch::Change;
use switch::change::InterfaceSettings;

use crate::common::masqueraded;

const INSIDE: &str = "192.168.0.2:5000";
const OUTSIDE: &str = "203.0.113.1:5000";
const REMOTE: &str = "198.51.100.9:53";

fn ask(lab: &mut Lab) {
    lab.ip("red", &Packet::udp(INSIDE, REMOTE, b"?"));
}

/// Whether an answer from the remote still reaches red.
fn answered(lab: &mut Lab) -> bool {
    lab.clear();
    lab.ip("wan", &Packet::udp(REMOTE, OUTSIDE, b"!"));
    !lab.packets("red").is_empty()
}

/// Opens a connection from red; leaves it established.
fn establish(lab: &mut Lab) {
    lab.ip("red", &Packet::tcp(INSIDE, REMOTE, SYN, b""));
    lab.ip("wan", &Packet::tcp(REMOTE, OUTSIDE, SYN_ACK, b""));
    lab.ip("red", &Packet::tcp(INSIDE, REMOTE, ACK, b""));
    lab.clear();
}

/// Whether a segment from the server still reaches red.
fn connected(lab: &mut Lab) -> bool {
    lab.clear();
    lab.ip("wan", &Packet::tcp(REMOTE, OUTSIDE, ACK, b"data"));
    !lab.packets("red").is_empty()
}

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

#[test]
fn a_connection_that_is_known_only_here_is_picked_up_in_midstream() {
    let mut lab = masqueraded();
    lab.ip("red", &Packet::tcp(INSIDE, REMOTE, ACK, b"still there?"));
    assert_eq!(lab.packet("wan").from().to_string(), OUTSIDE);
    assert!(connected(&mut lab));
}

#[test]
fn flows_survive_a_change_of_rules() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    let client = "198.51.100.77:40000";
    lab.ip("wan", &Packet::tcp(client, "203.0.113.1:8080", SYN, b""));
    ask(&mut lab);
    lab.clear();
    let mut rules = lab.rules().clone();
    rules.publish.clear();
    rules.masquerade[0].source = "192.168.0.3/32".parse().unwrap();
    lab.set_rules(rules);
    ask(&mut lab);
    assert_eq!(lab.packet("wan").from().to_string(), OUTSIDE, "it keeps its translation");
    assert!(answered(&mut lab));
    lab.ip("red", &Packet::tcp("192.168.0.2:80", client, SYN_ACK, b""));
    assert_eq!(lab.packet("wan").from().to_string(), "203.0.113.1:8080");
    lab.ip("wan", &Packet::tcp("198.51.100.78:1", "203.0.113.1:8080", SYN, b""));
    assert!(lab.packets("red").is_empty(), "the new follow the new rules");
}

#[test]
fn flows_survive_other_changes() {
    let mut lab = masqueraded();
    ask(&mut lab);
    lab.peer("new", Port::on("br0"), "192.168.0.9");
    lab.router("br0", "172.16.0.1/24");
    lab.route("10.0.0.0/8", "192.168.0.3");
    lab.change(Change::FlushNeighbors);
    lab.change(Change::FlushStations(None, None));
    lab.down("wan");
    lab.up("wan");
    assert!(answered(&mut lab));
}

#[test]
fn flushing_ends_all_flows() {
    let mut lab = masqueraded();
    ask(&mut lab);
    establish(&mut lab);
    lab.change(Change::FlushFlows);
    assert!(lab.flows().is_empty());
    assert!(!answered(&mut lab));
    assert!(!connected(&mut lab));
}

#[test]
fn flows_end_with_the_address_they_stand_under() {
    let mut lab = masqueraded();
    ask(&mut lab);
    let wan = lab.interface_id("wan");
    let moved = InterfaceSettings {
        addresses: vec!["203.0.113.2/24".parse().unwrap()],
        ..lab.interface_settings("wan")
    };
    lab.change(Change::SetInterface(wan, moved));
    assert!(lab.flows().is_empty());
    lab.clear();
    ask(&mut lab);
    assert_eq!(lab.packet("wan").source.to_string(), "203.0.113.2");
}

/// The invariant above all.
#[test]
fn a_flow_that_a_new_rule_covers_does_not_go_on_untranslated() {
    let mut lab = crate::common::home();
    lab.publish("203.0.113.1:9/udp", "192.168.0.3:9");
    ask(&mut lab);
    assert_eq!(lab.packet("wan").from().to_string(), INSIDE, "no rule, no translation");
    lab.masquerade("192.168.0.0/24", "wan");
    ask(&mut lab);
    assert_eq!(lab.packet("wan").from().to_string(), OUTSIDE);
}

/// The invariant above all: a published service's own traffic is masqueraded, its answers keep their port.
#[test]
fn without_rules_nothing_is_tracked() {
    let mut lab = masqueraded();
    lab.set_rules(Rules::default());
    ask(&mut lab);
    assert_eq!(lab.packet("wan").from().to_string(), INSIDE);
    assert!(lab.flows().is_empty());
}

/// NC2.
#[test]
fn a_flow_lists_itself_as_conntrack_does() {
    let mut lab = masqueraded();
    ask(&mut lab);
    let line = lab.flows()[0].to_string();
    let fields: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(fields[..2], ["udp", "17"]);
    for field in ["src=192.168.0.2", "sport=5000", "dst=203.0.113.1", "[UNREPLIED]"] {
        assert!(fields.contains(&field), "{field} in {line}");
    }
    lab.ip("wan", &Packet::udp(REMOTE, OUTSIDE, b"!"));
    assert!(!lab.flows()[0].to_string().contains("UNREPLIED"));
}

#[test]
fn an_ended_flow_takes_no_more_answers() {
    let mut lab = masqueraded();
    ask(&mut lab);
    lab.run_for(Duration::from_secs(301));
    lab.ip("wan", &Packet::udp(REMOTE, OUTSIDE, b"!"));
    let dropped = [DropReason::NatFiltered, DropReason::PortUnreachable, DropReason::NatNoFlow];
    assert_eq!(dropped.iter().map(|reason| lab.dropped("wan", *reason)).sum::<u64>(), 1);
}

/// Found by the fuzz target `network`: the packet had passed NAT before there was a rule for it.
#[test]
fn a_packet_that_waits_when_a_rule_comes_does_not_leave_untranslated() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.peer("red", Port::on("br0"), "192.168.0.2");
    lab.station("wan", Port::routed("203.0.113.1/24"));
    for excepted in ["203.0.113.9:53", "203.0.113.10:53"] {
        lab.ip("red", &Packet::udp("192.168.0.2:5000", excepted, b"?"));
    }
    lab.clear();
    let mut rule = lab.rule("192.168.0.0/24", "wan");
    rule.except = vec!["203.0.113.10/32".parse().unwrap()];
    lab.masquerade_with(rule);
    assert_eq!(lab.dropped("red", DropReason::NatNoFlow), 1);
    for waited_for in ["203.0.113.9", "203.0.113.10"] {
        let (wan, router) = (lab.mac("wan"), lab.router_mac("wan"));
        let reply = arp_reply(wan, waited_for, router, "203.0.113.1");
        lab.send("wan", &frame(router, wan).arp(&reply));
    }
    assert_eq!(lab.packet("wan").destination.to_string(), "203.0.113.10");
}

/// NC9: a SYN on a connection that has ended is another connection, which today's rules judge.
#[test]
fn a_connection_opened_anew_follows_the_rules_of_today() {
    let (client, listen) = ("198.51.100.77:40000", "203.0.113.1:8080");
    for last in [RST, FIN | ACK] {
        let mut lab = masqueraded();
        lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
        lab.ip("wan", &Packet::tcp(client, listen, SYN, b""));
        lab.ip("red", &Packet::tcp("192.168.0.2:80", client, SYN_ACK, b""));
        lab.ip("wan", &Packet::tcp(client, listen, ACK, b""));
        let mut rules = lab.rules().clone();
        rules.publish[0].to = "192.168.0.3:80".parse().unwrap();
        lab.set_rules(rules);
        lab.clear();
        lab.ip("wan", &Packet::tcp(client, listen, ACK, b"?"));
        assert_eq!(lab.packets("red").len(), 1, "what is established goes on");
        lab.ip("wan", &Packet::tcp(client, listen, last, b""));
        lab.ip("red", &Packet::tcp("192.168.0.2:80", client, last, b""));
        lab.ip("wan", &Packet::tcp(client, listen, ACK, b""));
        lab.clear();
        lab.ip("wan", &Packet::tcp(client, listen, SYN, b""));
        assert_eq!(lab.packet("blue").to().to_string(), "192.168.0.3:80");
        assert!(lab.packets("red").is_empty());
        assert_eq!(lab.flows().len(), 1);
    }
}

/// NC9.
#[test]
fn the_other_end_of_an_ended_connection_opens_none_past_the_filter() {
    let mut lab = masqueraded();
    establish(&mut lab);
    lab.ip("wan", &Packet::tcp(REMOTE, OUTSIDE, RST, b""));
    lab.clear();
    lab.ip("wan", &Packet::tcp(REMOTE, OUTSIDE, SYN, b""));
    assert!(lab.packets("red").is_empty());
    assert_eq!(lab.drops(), [("wan", DropReason::NatFiltered, 1)]);
    lab.ip("red", &Packet::tcp(INSIDE, REMOTE, SYN, b""));
    assert_eq!(lab.packet("wan").from().to_string(), OUTSIDE, "the port stays its own");
}

/// NC9, the invariant above all.
#[test]
fn a_connection_opened_anew_that_no_rule_covers_leaves_nothing_of_the_old() {
    let mut lab = masqueraded();
    establish(&mut lab);
    lab.set_rules(Rules::default());
    lab.ip("wan", &Packet::tcp(REMOTE, OUTSIDE, RST, b""));
    lab.clear();
    for flags in [SYN, ACK] {
        lab.ip("red", &Packet::tcp(INSIDE, REMOTE, flags, b""));
        assert_eq!(lab.packet("wan").from().to_string(), INSIDE);
    }
}
