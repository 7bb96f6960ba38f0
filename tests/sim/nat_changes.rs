//! Flows under changes: what ends them and what does not.

use core::time::Duration;

use lab::wire::{ACK, FIN, RST, SYN, SYN_ACK, arp_reply, frame};
use lab::{Lab, Packet, Port};
use nat::Rules;
use packet::DropReason;
use switch::Change;
use switch::change::InterfaceSettings;

use crate::common::masqueraded;

pub(crate) const INSIDE: &str = "192.168.0.2:5000";
pub(crate) const OUTSIDE: &str = "203.0.113.1:5000";
pub(crate) const REMOTE: &str = "198.51.100.9:53";

pub(crate) fn ask(lab: &mut Lab) {
    lab.ip("red", &Packet::udp(INSIDE, REMOTE, b"?"));
}

/// Whether an answer from the remote still reaches red.
pub(crate) fn answered(lab: &mut Lab) -> bool {
    lab.clear();
    lab.ip("wan", &Packet::udp(REMOTE, OUTSIDE, b"!"));
    !lab.packets("red").is_empty()
}

/// Opens a connection from red; leaves it established.
pub(crate) fn establish(lab: &mut Lab) {
    lab.ip("red", &Packet::tcp(INSIDE, REMOTE, SYN, b""));
    lab.ip("wan", &Packet::tcp(REMOTE, OUTSIDE, SYN_ACK, b""));
    lab.ip("red", &Packet::tcp(INSIDE, REMOTE, ACK, b""));
    lab.clear();
}

/// Whether a segment from the server still reaches red.
pub(crate) fn connected(lab: &mut Lab) -> bool {
    lab.clear();
    lab.ip("wan", &Packet::tcp(REMOTE, OUTSIDE, ACK, b"data"));
    !lab.packets("red").is_empty()
}

#[test]
fn a_connection_that_is_known_only_here_is_picked_up_in_midstream() {
    let mut lab = masqueraded();
    lab.ip("red", &Packet::tcp(INSIDE, REMOTE, ACK, b"still there?"));
    assert_eq!(lab.packet("wan").from().to_string(), OUTSIDE);
    assert!(connected(&mut lab));
}

/// NC11.
#[test]
fn what_is_established_survives_a_change_of_rules() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    let client = "198.51.100.77:40000";
    lab.ip("wan", &Packet::tcp(client, "203.0.113.1:8080", SYN, b""));
    lab.ip("red", &Packet::tcp("192.168.0.2:80", client, SYN_ACK, b""));
    lab.ip("wan", &Packet::tcp(client, "203.0.113.1:8080", ACK, b""));
    establish(&mut lab);
    let mut rules = lab.rules().clone();
    rules.publish.clear();
    rules.masquerade[0].source = "192.168.0.3/32".parse().unwrap();
    lab.set_rules(rules);
    lab.ip("red", &Packet::tcp(INSIDE, REMOTE, ACK, b"?"));
    assert_eq!(lab.packet("wan").from().to_string(), OUTSIDE, "it keeps its translation");
    assert!(connected(&mut lab));
    lab.ip("red", &Packet::tcp("192.168.0.2:80", client, ACK, b"!"));
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

/// The invariant above all: a published service's own traffic is masqueraded, its answers keep
/// their port.
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

/// A second uplink with a masquerade rule of its own.
fn two_uplinks() -> Lab {
    let mut lab = masqueraded();
    lab.peer("wan1", Port::routed("198.18.0.1/24"), "198.18.0.254");
    lab.masquerade("192.168.0.0/24", "wan1");
    lab
}

/// Lets all that goes out go through the second uplink.
fn move_route(lab: &mut Lab) {
    lab.route("0.0.0.0/0", "198.18.0.254");
    lab.clear();
}

/// NC10: the kernel, too, drops the first packet and forgets the flow.
#[test]
fn a_flow_whose_route_moves_begins_anew_under_the_other_uplinks_address() {
    let (ping, syn) =
        (Packet::ping("192.168.0.2", "198.51.100.9", 1, 1), Packet::tcp(INSIDE, REMOTE, ACK, b"?"));
    for packet in [Packet::udp(INSIDE, REMOTE, b"?"), ping, syn] {
        let mut lab = two_uplinks();
        establish(&mut lab);
        for _ in 0..3 {
            lab.ip("red", &packet);
            assert_eq!(lab.packet("wan").source.to_string(), "203.0.113.1");
        }
        move_route(&mut lab);
        lab.ip("red", &packet);
        assert_eq!(lab.drops(), [("red", DropReason::NatNoFlow, 1)]);
        lab.clear();
        lab.ip("red", &packet);
        assert!(lab.packets("wan").is_empty());
        assert_eq!(lab.packet("wan1").source.to_string(), "198.18.0.1");
    }
}

/// NC9, NC10.
#[test]
fn a_connection_opened_anew_behind_a_moved_route_leaves_at_once() {
    let mut lab = two_uplinks();
    establish(&mut lab);
    lab.ip("wan", &Packet::tcp(REMOTE, OUTSIDE, RST, b""));
    move_route(&mut lab);
    lab.ip("red", &Packet::tcp(INSIDE, REMOTE, SYN, b""));
    assert_eq!(lab.packet("wan1").source.to_string(), "198.18.0.1");
}

/// NC10: the client would not know whom the answer is from, and the other provider would not let it
/// out.
#[test]
fn answers_from_a_published_port_leave_by_no_other_uplink() {
    let mut lab = two_uplinks();
    lab.publish("203.0.113.1:53/udp", "192.168.0.2:53");
    let (ask, answer) = (
        Packet::udp("198.51.100.9:4000", "203.0.113.1:53", b"?"),
        Packet::udp("192.168.0.2:53", "198.51.100.9:4000", b"!"),
    );
    lab.ip("wan", &ask);
    lab.clear();
    lab.ip("red", &answer);
    assert_eq!(lab.packet("wan").source.to_string(), "203.0.113.1");
    move_route(&mut lab);
    lab.ip("red", &answer);
    assert!(lab.packets("wan1").is_empty());
    lab.ip("red", &answer);
    assert_eq!(lab.packet("wan1").source.to_string(), "198.18.0.1", "what it says itself");
}
