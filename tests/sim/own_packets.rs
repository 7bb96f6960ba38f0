//! What the router says of its own accord, whatever the sources of masquerade rules hold beside the
//! hosts inside.

use lab::wire::{ACK, SYN, SYN_ACK};
use lab::{Lab, Packet, Port};
use nat::{Filtering, Listen};
use packet::DropReason;

use crate::common::{home, masqueraded};

/// Sources that hold the router's address outside, 203.0.113.1.
const WIDE: [&str; 4] = ["0.0.0.0/0", "203.0.113.0/24", "203.0.113.1/32", "192.0.0.0/4"];
const OUTSIDE: &str = "203.0.113.1";
const STRANGER: &str = "198.51.100.9";

/// [`home`] with a masquerade rule of this source, and a published service on a segment that takes
/// no packet larger than 1400 bytes.
fn wide(source: &str) -> Lab {
    let mut lab = home();
    lab.masquerade(source, "wan");
    lab.peer("dmz", Port::routed("172.16.0.1/24").mtu(1400), "172.16.0.2");
    lab.publish("203.0.113.1:5300/udp", "172.16.0.2:53");
    lab.clear();
    lab
}

/// Two ways out, "wan" and "two", with a rule of this source for each.
fn two_ways(source: &str) -> Lab {
    let mut lab = home();
    lab.peer("two", Port::routed("203.0.114.1/24"), "203.0.114.254");
    lab.masquerade(source, "wan");
    lab.masquerade(source, "two");
    lab.clear();
    lab
}

#[test]
fn it_answers_pings_outside_though_a_rule_covers_its_address() {
    for source in WIDE {
        let mut lab = wide(source);
        lab.ip("wan", &Packet::ping(STRANGER, OUTSIDE, 7, 1));
        assert_eq!(lab.packet("wan"), Packet::pong(OUTSIDE, STRANGER, 7, 1), "{source}");
        assert!(lab.flows().is_empty(), "{source}");
    }
}

/// NU13, RT2, RT3.
#[test]
fn it_tells_outside_what_became_of_a_packet_though_a_rule_covers_its_address() {
    for source in WIDE {
        let mut lab = wide(source);
        let published = Packet::udp("198.51.100.9:4000", "203.0.113.1:5300", &[0; 1400]);
        for (cause, wire, mtu) in [
            (published.clone().df(), (3, 4), 1400),
            (published.ttl(1), (11, 0), 0),
            (Packet::udp("198.51.100.9:4000", "203.0.113.1:9", b"?"), (3, 3), 0),
            (Packet::new(132, STRANGER, OUTSIDE, vec![0; 12]), (3, 2), 0),
        ] {
            lab.ip("wan", &cause);
            let told = lab.packet("wan");
            assert_eq!((told.kind(), told.next_hop_mtu()), (wire, mtu), "{source}");
            assert_eq!(told.source.to_string(), OUTSIDE, "{source}");
            assert_eq!(told.destination.to_string(), STRANGER, "{source}");
            assert_eq!(told.quote().to(), cause.to(), "it quotes what was sent");
        }
    }
}

/// RT3.
#[test]
fn it_tells_outside_of_a_service_that_nobody_answers_for_though_a_rule_covers_its_address() {
    let mut lab = wide("0.0.0.0/0");
    lab.publish("203.0.113.1:5301/udp", "172.16.0.9:53");
    lab.ip("wan", &Packet::udp("198.51.100.9:4000", "203.0.113.1:5301", b"?"));
    lab.run_for(core::time::Duration::from_secs(10));
    let told = lab.packets("wan").into_iter().find(Packet::is_error).unwrap();
    assert_eq!((told.kind(), told.source.to_string()), ((3, 1), OUTSIDE.into()));
    assert_eq!(told.quote().to().to_string(), "203.0.113.1:5301");
}

/// NT3, RFC 9293.
#[test]
fn it_refuses_connections_from_inside_though_a_rule_covers_its_address() {
    for source in WIDE {
        let mut lab = wide(source);
        for own in ["192.168.0.1:80", "203.0.113.1:80", "172.16.0.1:80"] {
            lab.ip("red", &Packet::tcp("192.168.0.2:4000", own, SYN, b""));
            let reset = lab.packet("red");
            assert_eq!((reset.from().to_string(), reset.flags()), (own.into(), 0x14), "{source}");
        }
    }
}

#[test]
fn it_answers_on_one_way_out_for_its_address_on_another() {
    for source in ["0.0.0.0/0", "203.0.112.0/20", "192.168.0.0/24"] {
        let mut lab = two_ways(source);
        for own in [OUTSIDE, "203.0.114.1"] {
            lab.ip("two", &Packet::ping("203.0.114.254", own, 7, 1));
            assert_eq!(lab.packet("two"), Packet::pong(own, "203.0.114.254", 7, 1), "{source}");
        }
    }
}

/// The invariant above all.
#[test]
fn an_inside_address_of_its_own_never_leaves_outside() {
    for source in ["0.0.0.0/0", "192.168.0.0/24"] {
        let mut lab = home();
        lab.masquerade(source, "wan");
        lab.ip("wan", &Packet::ping(STRANGER, "192.168.0.1", 7, 1));
        lab.ip("wan", &Packet::udp("198.51.100.9:4000", "192.168.0.1:9", b"?"));
        assert!(lab.packets("wan").is_empty(), "{source}");
        assert_eq!(lab.drops(), [("wan", DropReason::Unsolicited, 2)], "{source}");
    }
}

/// RT4: what came in inside from a sender that is reached outside.
#[test]
fn an_error_that_leaves_outside_bears_the_address_there() {
    for source in ["0.0.0.0/0", "192.168.0.0/24"] {
        let mut lab = home();
        lab.masquerade(source, "wan");
        lab.ip("red", &Packet::udp("198.51.100.9:4000", "192.168.0.3:9", b"?").ttl(1));
        let told = lab.packet("wan");
        assert_eq!((told.kind(), told.source.to_string()), ((11, 0), OUTSIDE.into()), "{source}");
    }
}

/// NU9: covered is not inside.
#[test]
fn a_stranger_on_another_way_out_is_filtered_though_a_rule_covers_it() {
    for filtering in [Filtering::AddressAndPortDependent, Filtering::AddressDependent] {
        let mut lab = two_ways("0.0.0.0/0");
        let mut rules = lab.rules().clone();
        rules.masquerade.iter_mut().for_each(|rule| rule.filtering = filtering);
        lab.set_rules(rules);
        lab.ip("red", &Packet::udp("192.168.0.2:5000", "198.51.100.9:53", b"?"));
        lab.clear();
        lab.ip("two", &Packet::udp("203.0.114.254:9", "203.0.113.1:5000", b"let me in"));
        assert!(lab.packets("red").is_empty());
        assert_eq!(lab.drops(), [("two", DropReason::NatFiltered, 1)]);
    }
}

/// Covered is not inside: only a hairpin is seen to come from the router.
#[test]
fn a_service_sees_who_speaks_to_it_by_another_way_out() {
    let mut lab = two_ways("0.0.0.0/0");
    lab.publish_on(Listen::Any, 8080, "tcp", "192.168.0.2:80");
    let client = "203.0.114.254:4000";
    lab.ip("two", &Packet::tcp(client, "203.0.113.1:8080", SYN, b""));
    assert_eq!(lab.packet("red").from().to_string(), client);
    lab.ip("red", &Packet::tcp("192.168.0.2:80", client, SYN_ACK, b""));
    assert_eq!(lab.packet("two").from().to_string(), "203.0.113.1:8080");
    lab.ip("blue", &Packet::tcp("192.168.0.3:4000", "203.0.113.1:8080", SYN, b""));
    assert_eq!(lab.packet("red").source.to_string(), OUTSIDE, "a hairpin");
}

/// NT3: silence is for the outside, and for no want of an address.
#[test]
fn it_stays_silent_to_connections_from_outside() {
    let mut lab = masqueraded();
    for flags in [SYN, ACK] {
        lab.ip("wan", &Packet::tcp("198.51.100.9:4000", "203.0.113.1:80", flags, b""));
    }
    assert_eq!(lab.drops(), [("wan", DropReason::Unsolicited, 2)]);
    assert!(lab.packets("wan").is_empty());
}
