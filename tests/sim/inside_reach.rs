//! Hosts behind a masquerade rule, from outside at their own addresses: out of reach, or in reach
//! where the rule says so.

use core::time::Duration;

use lab::wire::{ACK, SYN, SYN_ACK, arp_reply, frame};
use lab::{Lab, Packet, Port};
use packet::DropReason;

use crate::common::home;

const INSIDE: &str = "192.168.0.2";
const STRANGER: &str = "198.51.100.9";

/// [`home`] with a masquerade rule of this source.
fn hidden(source: &str) -> Lab {
    let mut lab = home();
    lab.masquerade(source, "wan");
    lab
}

/// [`hidden`], but in reach.
fn reachable(source: &str) -> Lab {
    let mut lab = home();
    let mut rule = lab.rule(source, "wan");
    rule.inside_reachable = true;
    lab.masquerade_with(rule);
    lab
}

/// One packet of every kind, from a stranger to an address.
fn every_kind(to: &str) -> Vec<Packet> {
    let (from, at) = (format!("{STRANGER}:4000"), format!("{to}:80"));
    let (from, at) = (from.as_str(), at.as_str());
    let never_sent = Packet::udp(at, from, b"never sent");
    vec![
        Packet::udp(from, at, b"hello"),
        Packet::tcp(from, at, SYN, b""),
        Packet::tcp(from, at, SYN_ACK, b""),
        Packet::tcp(from, at, ACK, b"data"),
        Packet::tcp(from, at, 0x14, b""),
        Packet::ping(STRANGER, to, 1, 1),
        Packet::pong(STRANGER, to, 1, 1),
        Packet::icmp(STRANGER, to, (9, 0), [0; 4], &[]),
        Packet::error(STRANGER, to, (3, 3), 0, &never_sent, 8),
        Packet::new(47, STRANGER, to, vec![0, 0, 8, 0]),
        Packet::new(17, STRANGER, to, vec![0; 3]),
    ]
}

/// NC7, NT7: as home routers have it.
#[test]
fn nobody_outside_reaches_a_masqueraded_host_at_its_own_address() {
    for source in ["192.168.0.0/24", "192.168.0.2/32", "0.0.0.0/0"] {
        let mut lab = hidden(source);
        for packet in every_kind(INSIDE) {
            let before = lab.dropped("wan", DropReason::Unsolicited);
            lab.ip("wan", &packet);
            assert_eq!(lab.dropped("wan", DropReason::Unsolicited), before + 1, "{packet:?}");
        }
        assert!(lab.heard().is_empty(), "{source}");
        assert!(lab.flows().is_empty(), "{source}");
    }
}

#[test]
fn nor_in_fragments() {
    let mut lab = hidden("192.168.0.0/24");
    let whole = Packet::udp("198.51.100.9:4000", "192.168.0.2:80", &[7; 3000]);
    for piece in whole.fragments(1480) {
        lab.ip("wan", &piece);
    }
    assert_eq!(lab.drops(), [("wan", DropReason::Unsolicited, 3)], "each as it comes");
    assert!(lab.heard().is_empty());
}

/// The router's own address inside is no less inside.
#[test]
fn nor_the_router_at_its_address_inside() {
    for source in ["192.168.0.0/24", "0.0.0.0/0"] {
        let mut lab = hidden(source);
        for packet in every_kind("192.168.0.1") {
            lab.ip("wan", &packet);
        }
        assert!(lab.heard().is_empty(), "{source}");
        let mut lab = reachable(source);
        lab.ip("wan", &Packet::ping(STRANGER, "192.168.0.1", 1, 1));
        assert_eq!(lab.packet("wan"), Packet::pong("192.168.0.1", STRANGER, 1, 1), "{source}");
    }
}

#[test]
fn who_is_not_covered_is_reached_as_ever() {
    let mut lab = hidden("192.168.0.3/32");
    let hello = Packet::udp("198.51.100.9:4000", "192.168.0.2:80", b"hello");
    lab.ip("wan", &hello);
    assert_eq!(lab.packet("red"), hello.ttl(63));
    let mut lab = home();
    let mut rule = lab.rule("192.168.0.0/24", "wan");
    rule.except = vec!["198.51.100.0/24".parse().unwrap()];
    lab.masquerade_with(rule);
    for packet in every_kind(INSIDE) {
        lab.ip("wan", &packet);
        assert_eq!(
            lab.packet("red"),
            packet.ttl(63),
            "who sees the inside address may speak to it"
        );
    }
    assert!(lab.drops().is_empty());
}

#[test]
fn from_inside_everybody_inside_is_reached() {
    let mut lab = hidden("0.0.0.0/0");
    lab.peer("dmz", Port::routed("172.16.0.1/24"), "172.16.0.2");
    lab.clear();
    let hello = Packet::udp("172.16.0.2:4000", "192.168.0.2:80", b"hello");
    lab.ip("dmz", &hello);
    assert_eq!(lab.packet("red"), hello.ttl(63));
}

/// Each is inside for the other, and goes out to it under the router's address.
#[test]
fn two_segments_masqueraded_towards_each_other_speak() {
    let mut lab = Lab::new(1);
    lab.peer("left", Port::routed("10.1.0.1/24"), "10.1.0.2");
    lab.peer("right", Port::routed("10.2.0.1/24"), "10.2.0.2");
    lab.masquerade("10.1.0.0/24", "right");
    lab.masquerade("10.2.0.0/24", "left");
    lab.clear();
    lab.ip("left", &Packet::udp("10.1.0.2:4000", "10.2.0.2:80", b"?"));
    assert_eq!(lab.packet("right").from().to_string(), "10.2.0.1:4000");
    lab.ip("right", &Packet::udp("10.2.0.2:80", "10.2.0.1:4000", b"!"));
    assert_eq!(lab.packet("left").from().to_string(), "10.2.0.2:80");
}

/// NC7.
#[test]
fn a_host_in_reach_answers_as_itself_and_speaks_first_as_the_router() {
    for source in ["192.168.0.0/24", "0.0.0.0/0"] {
        let mut lab = reachable(source);
        let (stranger, inside) = ("198.51.100.9:4000", "192.168.0.2:80");
        let back_and_forth = [
            (Packet::udp(stranger, inside, b"?"), Packet::udp(inside, stranger, b"!")),
            (Packet::tcp(stranger, inside, SYN, b""), Packet::tcp(inside, stranger, SYN_ACK, b"")),
            (Packet::tcp(stranger, inside, ACK, b"GET"), Packet::tcp(inside, stranger, ACK, b"OK")),
            (Packet::ping(STRANGER, INSIDE, 7, 1), Packet::pong(INSIDE, STRANGER, 7, 1)),
            (
                Packet::new(47, STRANGER, INSIDE, vec![1]),
                Packet::new(47, INSIDE, STRANGER, vec![2]),
            ),
        ];
        for (there, back) in back_and_forth {
            for _ in 0..3 {
                lab.ip("wan", &there);
                assert_eq!(lab.packet("red"), there.clone().ttl(63), "{source}");
                lab.ip("red", &back);
                assert_eq!(lab.packet("wan"), back.clone().ttl(63), "{source}");
            }
        }
        assert_eq!(lab.flows().len(), 4);
        lab.ip("red", &Packet::udp("192.168.0.2:81", stranger, b"hello"));
        assert_eq!(lab.packet("wan").from().to_string(), "203.0.113.1:81", "{source}");
        assert!(lab.drops().is_empty());
    }
}

#[test]
fn a_host_in_reach_is_so_in_fragments() {
    let mut lab = reachable("192.168.0.0/24");
    let there = Packet::udp("198.51.100.9:4000", "192.168.0.2:80", &[7; 3000]);
    let back = Packet::udp("192.168.0.2:80", "198.51.100.9:4000", &[8; 3000]);
    for (at, beyond, whole) in [("wan", "red", there), ("red", "wan", back)] {
        whole.fragments(1480).iter().for_each(|piece| lab.ip(at, piece));
        let pieces = lab.packets(beyond);
        assert!(pieces.len() > 1, "{at}");
        assert!(pieces.iter().all(|piece| piece.source == whole.source), "{at}");
    }
}

/// NI5, NI9.
#[test]
fn a_host_in_reach_tells_of_errors_as_itself() {
    let mut lab = reachable("192.168.0.0/24");
    lab.ip("wan", &Packet::udp("198.51.100.9:4000", "192.168.0.2:80", b"?"));
    let came = lab.packet("red");
    let refused = Packet::error(INSIDE, STRANGER, (3, 3), 0, &came, 8);
    lab.ip("red", &refused);
    assert_eq!(lab.packet("wan"), refused.ttl(63));
    lab.ip("wan", &Packet::udp("198.51.100.9:4000", "192.168.0.2:80", b"?").ttl(1));
    let told = lab.packet("wan");
    assert_eq!((told.kind(), told.source.to_string()), ((11, 0), "203.0.113.1".into()));
}

/// NU7: whoever is outside cannot keep a flow that nobody answers.
#[test]
fn a_host_in_reach_that_does_not_answer_is_forgotten() {
    let mut lab = reachable("192.168.0.0/24");
    for _ in 0..4 {
        lab.ip("wan", &Packet::udp("198.51.100.9:4000", "192.168.0.2:80", b"?"));
        lab.run_for(Duration::from_secs(100));
    }
    lab.clear();
    lab.ip("red", &Packet::udp("192.168.0.2:80", "198.51.100.9:4000", b"!"));
    assert_eq!(lab.flows().len(), 1);
}

/// What has passed the old rules waits for a neighbour, and no new rule translates it.
#[test]
fn an_answer_that_waits_outlives_a_change_of_other_rules() {
    let mut lab = reachable("192.168.0.0/24");
    let (stranger, inside) = ("203.0.113.77:4000", "192.168.0.2:80");
    lab.ip("wan", &Packet::udp(stranger, inside, b"?"));
    lab.clear();
    lab.ip("red", &Packet::udp(inside, stranger, b"!"));
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.3:80");
    let (there, router) = (lab.mac("wan"), lab.router_mac("wan"));
    lab.send(
        "wan",
        &frame(router, there).arp(&arp_reply(there, "203.0.113.77", router, "203.0.113.1")),
    );
    assert_eq!(lab.packet("wan"), Packet::udp(inside, stranger, b"!").ttl(63));
}

#[test]
fn who_was_in_reach_is_no_longer_when_the_rule_changes() {
    for gone in [false, true] {
        let mut lab = reachable("192.168.0.0/24");
        let (stranger, inside) = ("198.51.100.9:4000", "192.168.0.2:80");
        lab.ip("wan", &Packet::udp(stranger, inside, b"?"));
        lab.ip("red", &Packet::udp(inside, stranger, b"!"));
        lab.clear();
        let mut rules = lab.rules().clone();
        rules.masquerade[0].inside_reachable = false;
        if gone {
            rules.masquerade.clear();
        }
        lab.set_rules(rules);
        assert!(lab.flows().is_empty());
        lab.ip("wan", &Packet::udp(stranger, inside, b"?"));
        assert_eq!(lab.packets("red").len(), usize::from(gone));
    }
}
