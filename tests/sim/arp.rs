//! What the router hears and answers in ARP (RFC 826, RFC 5227).

use core::time::Duration;

use lab::wire::{announcement, arp_probe, arp_reply, arp_request, frame};
use lab::{Lab, Packet, Port};
use packet::arp::{Arp, Operation};
use packet::{DropReason, Mac};
use switch::Notice;
use switch::view::NeighborState;

use crate::common::stranger;

/// A bridge with the router as 192.168.0.1/24 and stations a and b.
fn with_router() -> Lab {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.station("a", Port::on("br0"));
    lab.station("b", Port::on("br0"));
    lab.clear();
    lab
}

/// Lets a station broadcast an ARP packet; gives what the station itself gets back.
fn broadcast(lab: &mut Lab, from: &str, arp: &Arp) -> Vec<Arp> {
    let bytes = frame(Mac::BROADCAST, lab.mac(from)).arp(arp);
    lab.send(from, &bytes);
    lab.take(from).iter().filter_map(|seen| seen.arp()).collect()
}

/// AR2, AR9.
#[test]
fn the_router_answers_for_its_own_address_alone() {
    let mut lab = with_router();
    let (a, own) = (lab.mac("a"), lab.router_mac("br0"));
    let answer = broadcast(&mut lab, "a", &arp_request(a, "192.168.0.2", "192.168.0.1"));
    assert_eq!(answer, [arp_reply(own, "192.168.0.1", a, "192.168.0.2")]);
    for other in ["192.168.0.3", "192.168.0.255", "192.168.0.2", "203.0.113.1"] {
        let answer = broadcast(&mut lab, "a", &arp_request(a, "192.168.0.2", other));
        assert!(answer.is_empty(), "not for {other}");
    }
}

/// AR9.
#[test]
fn an_answer_goes_to_the_asker_alone_and_fills_60_bytes() {
    let mut lab = with_router();
    let asked = arp_request(lab.mac("a"), "192.168.0.2", "192.168.0.1");
    let bytes = frame(Mac::BROADCAST, lab.mac("a")).arp(&asked);
    lab.send("a", &bytes);
    let answer = lab.take("a").remove(0);
    assert_eq!((answer.destination(), answer.source()), (lab.mac("a"), lab.router_mac("br0")));
    assert_eq!(answer.bytes.len(), 60);
    assert_eq!(lab.heard(), ["b"], "b heard the question and not the answer");
    let unicast = frame(lab.router_mac("br0"), lab.mac("a")).arp(&asked);
    lab.send("a", &unicast);
    assert_eq!(lab.heard(), ["a"], "a question to the router alone is answered too");
}

/// AR2.
#[test]
fn every_one_of_several_addresses_is_answered_for() {
    let mut lab = with_router();
    lab.router("br0", "10.0.0.1/8");
    lab.clear();
    let (a, own) = (lab.mac("a"), lab.router_mac("br0"));
    for (address, asker) in [("192.168.0.1", "192.168.0.2"), ("10.0.0.1", "10.1.2.3")] {
        let answer = broadcast(&mut lab, "a", &arp_request(a, asker, address));
        assert_eq!(answer, [arp_reply(own, address, a, asker)]);
    }
}

/// AR1.
#[test]
fn whoever_asks_the_router_is_known_to_it() {
    let mut lab = with_router();
    let a = lab.mac("a");
    broadcast(&mut lab, "a", &arp_request(a, "192.168.0.2", "192.168.0.1"));
    assert_eq!(lab.neighbor("br0", "192.168.0.2"), Some((NeighborState::Stale, Some(a))));
    lab.clear();
    let to_a = Packet::ping("192.168.0.2", "192.168.0.1", 1, 1);
    lab.ip("a", &to_a);
    let first = lab.take("a").remove(0);
    assert_eq!(first.destination(), a, "answered at once, or asked of a alone");
}

/// AR1.
#[test]
fn questions_for_others_update_what_is_known_and_add_nothing() {
    let mut lab = with_router();
    let a = lab.mac("a");
    broadcast(&mut lab, "a", &arp_request(a, "192.168.0.2", "192.168.0.3"));
    assert_eq!(lab.neighbor("br0", "192.168.0.2"), None);
    broadcast(&mut lab, "a", &arp_request(a, "192.168.0.2", "192.168.0.1"));
    let b = lab.mac("b");
    broadcast(&mut lab, "b", &arp_request(b, "192.168.0.2", "192.168.0.3"));
    assert_eq!(lab.neighbor("br0", "192.168.0.2").unwrap().1, Some(b));
}

/// AR1.
#[test]
fn an_answer_that_nobody_asked_for_teaches_nothing() {
    let mut lab = with_router();
    let a = lab.mac("a");
    let own = lab.router_mac("br0");
    let bytes = frame(own, a).arp(&arp_reply(a, "192.168.0.2", own, "192.168.0.1"));
    lab.send("a", &bytes);
    assert_eq!(lab.neighbor("br0", "192.168.0.2"), None);
}

/// AR1.
#[test]
fn a_sender_of_another_subnet_is_answered_and_not_remembered() {
    let mut lab = with_router();
    let a = lab.mac("a");
    let answer = broadcast(&mut lab, "a", &arp_request(a, "10.9.9.9", "192.168.0.1"));
    assert_eq!(answer.len(), 1);
    assert_eq!(lab.neighbor("br0", "10.9.9.9"), None);
}

/// AR3.
#[test]
fn a_probe_is_answered_and_never_remembered() {
    let mut lab = with_router();
    let (a, own) = (lab.mac("a"), lab.router_mac("br0"));
    let answer = broadcast(&mut lab, "a", &arp_probe(a, "192.168.0.1"));
    assert_eq!(answer, [arp_reply(own, "192.168.0.1", a, "0.0.0.0")]);
    assert!(lab.switch().neighbors().is_empty());
    assert!(broadcast(&mut lab, "a", &arp_probe(a, "192.168.0.9")).is_empty());
}

/// AR4.
#[test]
fn an_announcement_updates_what_is_known_and_adds_nothing() {
    let mut lab = with_router();
    let (a, b) = (lab.mac("a"), lab.mac("b"));
    broadcast(&mut lab, "a", &announcement(a, "192.168.0.2"));
    assert_eq!(lab.neighbor("br0", "192.168.0.2"), None);
    broadcast(&mut lab, "a", &arp_request(a, "192.168.0.2", "192.168.0.1"));
    broadcast(&mut lab, "b", &announcement(b, "192.168.0.2"));
    assert_eq!(lab.neighbor("br0", "192.168.0.2").unwrap().1, Some(b), "the address moved to b");
}

/// AR5.
#[test]
fn a_claim_to_the_routers_address_is_met_once_in_ten_seconds() {
    let mut lab = with_router();
    let (a, own) = (lab.mac("a"), lab.router_mac("br0"));
    let claim = announcement(a, "192.168.0.1");
    let defence = announcement(own, "192.168.0.1");
    assert_eq!(broadcast(&mut lab, "a", &claim), [defence]);
    assert_eq!(lab.take("b").len(), 2, "everybody hears the claim and the defence");
    for _ in 0..9 {
        lab.run_for(Duration::from_secs(1));
        assert!(broadcast(&mut lab, "a", &claim).is_empty());
    }
    lab.run_for(Duration::from_secs(1));
    assert_eq!(broadcast(&mut lab, "a", &claim), [defence]);
    let interface = lab.interface_id("br0");
    let address = "192.168.0.1".parse().unwrap();
    let told = Notice::AddressConflict { interface, address, station: a };
    assert_eq!(lab.notices(), [told, told]);
    assert_eq!(lab.switch().totals().arp_conflicts, 11, "every claim is counted");
    assert_eq!(lab.neighbor("br0", "192.168.0.1"), None);
}

/// AR8.
#[test]
fn a_sender_that_is_not_the_frames_source_is_suspicious_and_not_believed() {
    let mut lab = with_router();
    let a = lab.mac("a");
    for spoofed in [stranger(1), Mac::BROADCAST, Mac::ZERO] {
        let asked = arp_request(spoofed, "192.168.0.2", "192.168.0.1");
        let bytes = frame(Mac::BROADCAST, a).arp(&asked);
        lab.send("a", &bytes);
    }
    assert_eq!(lab.switch().totals().arp_suspicious, 3);
    assert!(lab.take("a").is_empty());
    assert!(lab.switch().neighbors().is_empty());
}

/// AR1.
#[test]
fn other_hardware_and_cut_off_arp_is_bridged_and_not_heard() {
    let mut lab = with_router();
    let asked = arp_request(lab.mac("a"), "192.168.0.2", "192.168.0.1");
    let good = frame(Mac::BROADCAST, lab.mac("a")).arp(&asked);
    for (at, value) in [(15, 6), (17, 6), (18, 8), (19, 16), (21, 9)] {
        let mut bytes = good.clone();
        bytes[at] = value;
        lab.send("a", &bytes);
        assert_eq!(lab.heard(), ["b"], "byte {at}");
    }
    lab.send("a", &good[..41]);
    assert_eq!(lab.heard(), ["b"]);
    assert!(lab.switch().neighbors().is_empty());
}

/// AR1.
#[test]
fn on_a_routed_port_arp_is_for_the_router_or_for_nobody() {
    let mut lab = Lab::new(1);
    lab.station("wan", Port::routed("203.0.113.1/24"));
    lab.clear();
    let (wan, own) = (lab.mac("wan"), lab.router_mac("wan"));
    let answer = broadcast(&mut lab, "wan", &arp_request(wan, "203.0.113.254", "203.0.113.1"));
    assert_eq!(answer, [arp_reply(own, "203.0.113.1", wan, "203.0.113.254")]);
    assert!(
        broadcast(&mut lab, "wan", &arp_request(wan, "203.0.113.254", "203.0.113.9")).is_empty()
    );
    assert_eq!(lab.switch().totals().consumed, 2);
    let bytes = frame(Mac::BROADCAST, wan).payload(0x0806, &[0; 10]);
    lab.send("wan", &bytes);
    assert_eq!(lab.drops(), [("wan", DropReason::BadArp, 1)]);
}

/// AR4: what the router says of itself.
#[test]
fn the_router_announces_its_addresses_where_they_are_new() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.station("a", Port::on("br0"));
    lab.router("br0", "192.168.0.1/24");
    let own = lab.router_mac("br0");
    let said: Vec<Arp> = lab.take("a").iter().filter_map(|seen| seen.arp()).collect();
    assert_eq!(said, [announcement(own, "192.168.0.1")]);
    lab.station("b", Port::on("br0"));
    assert_eq!(lab.heard(), ["b"], "a port that comes up is told, the others are not");
    lab.down("a");
    lab.up("a");
    assert_eq!(lab.heard(), ["a"]);
}

#[test]
fn operations_other_than_request_and_reply_are_not_heard() {
    let mut lab = with_router();
    let asked = Arp {
        operation: Operation::Reply,
        ..arp_request(lab.mac("a"), "192.168.0.2", "192.168.0.1")
    };
    assert!(broadcast(&mut lab, "a", &asked).is_empty(), "a reply asks nothing");
}
