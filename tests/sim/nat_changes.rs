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

/// Changes `lab`'s rules.
fn alter(lab: &mut Lab, change: impl FnOnce(&mut Rules)) {
    let mut rules = lab.rules().clone();
    change(&mut rules);
    lab.set_rules(rules);
    lab.clear();
}

/// NC11: a sender that never pauses follows the rule.
#[test]
fn a_published_datagram_goes_where_its_rule_leads_today() {
    let listen = "203.0.113.1:5140";
    let log = Packet::udp("198.51.100.77:40000", listen, b"log");
    let begun = || {
        let mut lab = masqueraded();
        lab.publish("203.0.113.1:5140/udp", "192.168.0.2:514");
        lab.ip("wan", &log);
        lab.clear();
        lab
    };
    let mut lab = begun();
    alter(&mut lab, |rules| rules.publish[0].to = "192.168.0.3:514".parse().unwrap());
    lab.ip("wan", &log);
    assert_eq!(lab.packet("blue").to().to_string(), "192.168.0.3:514");
    let mut lab = begun();
    alter(&mut lab, |rules| rules.publish.clear());
    lab.ip("wan", &log);
    assert!(lab.packets("red").is_empty(), "the rule is gone");
    let mut lab = begun();
    alter(&mut lab, |rules| rules.publish[0].port = 5141);
    lab.ip("wan", &log);
    assert!(lab.packets("red").is_empty(), "it listens elsewhere");
    let mut lab = begun();
    alter(&mut lab, |rules| {
        let first = nat::Publish { to: "192.168.0.3:514".parse().unwrap(), ..rules.publish[0] };
        rules.publish.insert(0, first);
    });
    lab.ip("wan", &log);
    assert_eq!(lab.packets("blue").len(), 1, "another rule is asked first");
    let mut lab = begun();
    alter(&mut lab, |rules| {
        rules.publish[0].listen = nat::Listen::Any;
        rules.publish.push(nat::Publish { port: 9, ..rules.publish[0] });
    });
    assert_eq!(lab.flows().len(), 1, "what leads to the same stays");
    let mut lab = begun();
    alter(&mut lab, |rules| rules.publish[0].keep = true);
    assert_eq!(lab.flows().len(), 1);
    alter(&mut lab, |rules| rules.publish.clear());
    lab.ip("wan", &log);
    assert_eq!(lab.packet("red").to().to_string(), "192.168.0.2:514", "the rule said keep");
}

/// NC11.
#[test]
fn a_masqueraded_flow_ends_with_what_its_rule_said_of_it() {
    type Alter = fn(&mut Rules);
    let changes: [(&str, Alter); 6] = [
        ("the rule is gone", |rules| rules.masquerade.clear()),
        ("its destination is excepted", |rules| {
            rules.masquerade[0].except.push("198.51.100.0/24".parse().unwrap());
        }),
        ("its source is no longer covered", |rules| {
            rules.masquerade[0].source = "192.168.0.3/32".parse().unwrap();
        }),
        ("its port is out of the range", |rules| {
            rules.masquerade[0].ports = nat::PortRange::new(6000, 6999);
        }),
        ("it is filtered otherwise", |rules| {
            rules.masquerade[0].filtering = nat::Filtering::EndpointIndependent;
        }),
        ("another rule is asked first", |rules| {
            let first = nat::Masquerade {
                mapping: nat::Mapping::AddressAndPortDependent,
                ..rules.masquerade[0].clone()
            };
            rules.masquerade.insert(0, first);
        }),
    ];
    for (why, change) in changes {
        for keep in [false, true] {
            let mut lab = masqueraded();
            alter(&mut lab, |rules| rules.masquerade[0].keep = keep);
            establish(&mut lab);
            ask(&mut lab);
            lab.ip("red", &Packet::ping("192.168.0.2", "198.51.100.9", 6500, 1));
            assert_eq!(lab.flows().len(), 3);
            alter(&mut lab, change);
            let pinged = u16::from(!keep && why != "its port is out of the range");
            let living: Vec<_> = lab.flows().iter().map(|flow| flow.protocol.0).collect();
            let expected = match (keep, pinged) {
                (true, _) => vec![6, 17, 1],
                (false, 0) => vec![6, 1],
                (false, _) => vec![6],
            };
            assert_eq!(living, expected, "{why}, keep {keep}");
            assert!(connected(&mut lab), "{why}: what is established goes on");
        }
    }
    let mut lab = masqueraded();
    ask(&mut lab);
    alter(&mut lab, |rules| {
        rules.masquerade[0].source = "192.168.0.0/16".parse().unwrap();
        rules.masquerade[0].ports = nat::PortRange::new(5000, 5009);
        let other = nat::Masquerade::new("10.0.0.0/8".parse().unwrap(), rules.masquerade[0].out);
        rules.masquerade.insert(0, other);
    });
    assert!(answered(&mut lab), "what says the same of it ends nothing");
}

/// NC11.
#[test]
fn a_hairpin_follows_its_rule() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:53/udp", "192.168.0.2:53");
    let ask = Packet::udp("192.168.0.3:5000", "203.0.113.1:53", b"?");
    lab.ip("blue", &ask);
    assert_eq!(lab.packets("red").len(), 1);
    alter(&mut lab, |rules| rules.publish[0].to = "192.168.0.3:53".parse().unwrap());
    lab.ip("blue", &ask);
    assert_eq!(lab.packet("blue").to().to_string(), "192.168.0.3:53");
}
