//! Guarded ports: only who a port belongs to speaks on it.

use lab::wire::{arp_reply, arp_request, frame};
use lab::{Lab, Packet, Port};
use packet::arp::Arp;
use packet::{DropReason, Mac};

use crate::common::{EXPERIMENT, hello, stranger};

const ROUTER: &str = "192.168.0.1";

/// A router and two guarded ports on a bridge, red 192.168.0.2 and 192.168.0.22 and blue .3, and
/// green .4, which is not guarded.
fn guarded() -> Lab {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.peer("red", Port::on("br0").guard(&["192.168.0.2", "192.168.0.22"]), "192.168.0.2");
    lab.peer("blue", Port::on("br0").guard(&["192.168.0.3"]), "192.168.0.3");
    lab.peer("green", Port::on("br0"), "192.168.0.4");
    for name in ["red", "blue", "green"] {
        let bytes = hello(Mac::BROADCAST, lab.mac(name));
        lab.send(name, &bytes);
    }
    lab.clear();
    lab
}

/// What red says comes to nobody, and is counted so.
#[track_caller]
fn refused(lab: &mut Lab, bytes: &[u8], reason: DropReason) {
    let before = lab.dropped("red", reason);
    lab.send("red", bytes);
    assert_eq!(lab.dropped("red", reason), before + 1, "{:?}", lab.drops());
    assert!(lab.heard().is_empty(), "somebody heard it");
}

/// What red says is heard.
#[track_caller]
fn passes(lab: &mut Lab, bytes: &[u8]) {
    lab.send("red", bytes);
    assert!(!lab.heard().is_empty(), "{:?}", lab.drops());
    lab.clear();
}

#[test]
fn a_port_speaks_as_itself_as_ever() {
    let mut lab = guarded();
    let (red, green, router) = (lab.mac("red"), lab.mac("green"), lab.router_mac("br0"));
    for own in ["192.168.0.2", "192.168.0.22"] {
        passes(
            &mut lab,
            &frame(green, red).ip(&Packet::udp(&*format!("{own}:1"), "192.168.0.4:2", b"x")),
        );
        passes(&mut lab, &frame(Mac::BROADCAST, red).arp(&arp_request(red, own, "192.168.0.4")));
        passes(&mut lab, &frame(green, red).arp(&arp_reply(red, own, green, "192.168.0.4")));
    }
    lab.send("red", &frame(router, red).ip(&Packet::ping("192.168.0.2", ROUTER, 1, 1)));
    assert_eq!(lab.packet("red").kind(), (0, 0));
    assert!(lab.drops().is_empty());
}

/// BR19.
#[test]
fn nobody_takes_anothers_mac_address() {
    let mut lab = guarded();
    let (blue, green, router) = (lab.mac("blue"), lab.mac("green"), lab.router_mac("br0"));
    for source in [blue, green, stranger(1)] {
        for bytes in [
            hello(green, source),
            hello(Mac::BROADCAST, source),
            frame(green, source).ip(&Packet::udp("192.168.0.2:1", "192.168.0.4:2", b"x")),
            frame(router, source).ip(&Packet::ping("192.168.0.2", ROUTER, 1, 1)),
        ] {
            refused(&mut lab, &bytes, DropReason::GuardMac);
        }
    }
    assert_eq!(lab.location("br0", 0, blue), Some("blue"), "and nothing is learned of it");
    assert_eq!(lab.location("br0", 0, stranger(1)), None);
}

/// BR19.
#[test]
fn nobody_takes_anothers_address() {
    let mut lab = guarded();
    let (red, green, router) = (lab.mac("red"), lab.mac("green"), lab.router_mac("br0"));
    for source in ["192.168.0.3", "192.168.0.4", "192.168.0.1", "198.51.100.9", "0.0.0.0"] {
        let packet = Packet::udp(&*format!("{source}:53"), "192.168.0.4:2", b"x");
        refused(&mut lab, &frame(green, red).ip(&packet), DropReason::GuardAddress);
        refused(&mut lab, &frame(router, red).ip(&packet), DropReason::GuardAddress);
        for piece in packet.fragments(8) {
            refused(&mut lab, &frame(green, red).ip(&piece), DropReason::GuardAddress);
        }
    }
    refused(&mut lab, &frame(green, red).payload(0x0800, &[0x45; 19]), DropReason::GuardAddress);
}

/// BR19, AR8.
#[test]
fn nobody_answers_arp_for_another() {
    let mut lab = guarded();
    let (red, blue, green) = (lab.mac("red"), lab.mac("blue"), lab.mac("green"));
    let router = lab.router_mac("br0");
    let lies: [Arp; 5] = [
        arp_reply(red, "192.168.0.3", green, "192.168.0.4"),
        arp_request(red, "192.168.0.3", "192.168.0.4"),
        arp_request(red, "192.168.0.3", "192.168.0.3"),
        arp_reply(blue, "192.168.0.2", green, "192.168.0.4"),
        arp_reply(red, ROUTER, router, "192.168.0.4"),
    ];
    for lie in &lies {
        for to in [green, router, Mac::BROADCAST] {
            refused(&mut lab, &frame(to, red).arp(lie), DropReason::GuardAddress);
        }
    }
    refused(&mut lab, &frame(green, red).payload(0x0806, &[0; 28]), DropReason::GuardAddress);
}

/// BR19, AR3; RFC 2131 section 4.1.
#[test]
fn who_has_no_address_yet_may_ask_for_one() {
    let mut lab = guarded();
    let red = lab.mac("red");
    passes(&mut lab, &frame(Mac::BROADCAST, red).arp(&arp_request(red, "0.0.0.0", "192.168.0.9")));
    let discover = Packet::udp("0.0.0.0:68", "255.255.255.255:67", &[1; 240]);
    passes(&mut lab, &frame(Mac::BROADCAST, red).ip(&discover));
    let other = Packet::udp("0.0.0.0:68", "255.255.255.255:53", b"x");
    refused(&mut lab, &frame(Mac::BROADCAST, red).ip(&other), DropReason::GuardAddress);
}

/// The lab knows no addresses of theirs.
#[test]
fn other_protocols_are_judged_by_the_mac_address_alone() {
    let mut lab = guarded();
    let (red, green) = (lab.mac("red"), lab.mac("green"));
    for ethertype in [0x86dd, EXPERIMENT, 0x88cc, 64] {
        passes(&mut lab, &frame(green, red).payload(ethertype, &[0x60; 64]));
        let lie = frame(green, stranger(1)).payload(ethertype, &[0x60; 64]);
        refused(&mut lab, &lie, DropReason::GuardMac);
    }
}

/// BR10: whatever hides it.
#[test]
fn a_lie_behind_tags_is_one() {
    let mut lab = guarded();
    let (red, green) = (lab.mac("red"), lab.mac("green"));
    let truth = frame(green, red).ip(&Packet::udp("192.168.0.2:1", "192.168.0.4:2", b"x"));
    let lie = frame(green, red).ip(&Packet::udp("192.168.0.3:1", "192.168.0.4:2", b"x"));
    let arp = frame(green, red).arp(&arp_reply(red, "192.168.0.3", green, "192.168.0.4"));
    let tagged =
        |bytes: &[u8], tags: &[[u8; 4]]| [&bytes[..12], &tags.concat(), &bytes[12..]].concat();
    let (inner, service) = ([0x81, 0, 0, 7], [0x88, 0xa8, 0, 9]);
    for tags in [&[inner][..], &[service], &[service, inner], &[inner, inner, inner]] {
        passes(&mut lab, &tagged(&hello(Mac::BROADCAST, red), tags));
        lab.send("red", &tagged(&truth, tags));
        assert!(lab.drops().iter().all(|(_, reason, _)| *reason == DropReason::GuardAddress));
        lab.clear();
        refused(&mut lab, &tagged(&lie, tags), DropReason::GuardAddress);
        refused(&mut lab, &tagged(&arp, tags), DropReason::GuardAddress);
    }
}

#[test]
fn a_routed_port_is_guarded_too() {
    let mut lab = Lab::new(1);
    let port = Port::routed("10.1.0.1/24").guard(&["10.1.0.2"]);
    lab.peer("red", port, "10.1.0.2");
    lab.clear();
    lab.ip("red", &Packet::ping("10.1.0.2", "10.1.0.1", 1, 1));
    assert_eq!(lab.packet("red").kind(), (0, 0));
    lab.clear();
    let (red, router) = (lab.mac("red"), lab.router_mac("red"));
    let lie = frame(router, red).ip(&Packet::ping("10.1.0.3", "10.1.0.1", 1, 1));
    refused(&mut lab, &lie, DropReason::GuardAddress);
    let lie = frame(router, stranger(1)).ip(&Packet::ping("10.1.0.2", "10.1.0.1", 1, 1));
    refused(&mut lab, &lie, DropReason::GuardMac);
}

/// What is usual ends early on a bridge: not where it would pass a guard by.
#[test]
fn a_guard_stands_ahead_of_the_short_ways() {
    let mut lab = guarded();
    let (red, green, router) = (lab.mac("red"), lab.mac("green"), lab.router_mac("br0"));
    for _ in 0..3 {
        passes(
            &mut lab,
            &frame(green, red).ip(&Packet::udp("192.168.0.2:1", "192.168.0.4:2", b"x")),
        );
        let lie = Packet::udp("192.168.0.3:1", "192.168.0.4:2", b"x");
        refused(&mut lab, &frame(green, red).ip(&lie), DropReason::GuardAddress);
        refused(&mut lab, &frame(router, red).ip(&lie), DropReason::GuardAddress);
        lab.send("green", &frame(red, green).ip(&lie));
        assert_eq!(lab.take("red").len(), 1, "who is not guarded may");
        lab.clear();
    }
}
