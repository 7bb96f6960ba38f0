//! Whose packets the router takes where (RFC 3704), and whose it lets out beside those that it
//! masquerades.

use lab::wire::{SYN, SYN_ACK};
use lab::{Lab, Packet, Port};
use packet::DropReason;
use switch::change::{Hop, Reject, RpFilter};

use crate::common::{crossing, home, masqueraded};

const MODES: [RpFilter; 3] = [RpFilter::Off, RpFilter::Loose, RpFilter::Strict];

/// Sends from `from` in at left to right; whether it passed in each of [`MODES`].
fn passed(lab: &mut Lab, from: &str) -> [bool; 3] {
    MODES.map(|mode| {
        lab.rp_filter("left", mode);
        lab.clear();
        let before = lab.dropped("left", DropReason::ReversePath);
        lab.ip("left", &Packet::udp(from, "10.2.0.2:2", b"x"));
        let passed = lab.packets("right").len() == 1;
        let dropped = lab.dropped("left", DropReason::ReversePath) - before;
        assert_eq!(dropped, u64::from(!passed), "{mode:?} {from}: {:?}", lab.drops());
        passed
    })
}

/// RT9.
#[test]
fn a_source_is_taken_where_its_route_leads_or_some_route_or_anywhere() {
    let mut lab = crossing();
    assert_eq!(passed(&mut lab, "10.1.0.77:1"), [true, true, true], "a neighbour");
    assert_eq!(passed(&mut lab, "10.2.0.77:1"), [true, true, false], "from the other side");
    assert_eq!(passed(&mut lab, "198.51.100.9:1"), [true, false, false], "no route");
    lab.route("198.51.100.0/24", "10.1.0.2");
    assert_eq!(passed(&mut lab, "198.51.100.9:1"), [true, true, true], "behind a neighbour");
    lab.route("198.51.100.0/24", "10.2.0.2");
    assert_eq!(passed(&mut lab, "198.51.100.9:1"), [true, true, false], "behind another's");
    for hop in [
        Hop::Reject(Reject::Unreachable),
        Hop::Reject(Reject::Prohibit),
        Hop::Reject(Reject::Blackhole),
    ] {
        lab.route_to("198.51.100.0/24", hop);
        assert_eq!(passed(&mut lab, "198.51.100.9:1"), [true, false, false], "{hop:?}");
    }
    lab.route("0.0.0.0/0", "10.2.0.2");
    assert_eq!(passed(&mut lab, "192.0.2.9:1"), [true, true, false], "the default route is one");
    lab.route("0.0.0.0/0", "10.1.0.2");
    assert_eq!(passed(&mut lab, "192.0.2.9:1"), [true, true, true]);
}

/// RT9: whatever the filter.
#[test]
fn a_subnets_broadcast_address_sends_nothing() {
    for mode in MODES {
        let mut lab = crossing();
        lab.rp_filter("left", mode);
        for source in ["10.1.0.255", "10.1.0.0", "10.2.0.255"] {
            lab.ip("left", &Packet::ping(source, "10.2.0.2", 1, 1));
        }
        assert_eq!(lab.drops(), [("left", DropReason::MartianSource, 3)]);
    }
}

#[test]
fn the_router_itself_hears_nobody_else_either() {
    let mut lab = crossing();
    lab.rp_filter("left", RpFilter::Strict);
    lab.clear();
    lab.ip("left", &Packet::ping("10.2.0.2", "10.1.0.1", 1, 1));
    assert!(lab.heard().is_empty());
    assert_eq!(lab.drops(), [("left", DropReason::ReversePath, 1)]);
}

/// Packets of a known flow take the shortcut, but not past the filter.
#[test]
fn a_known_flow_does_not_pass_the_filter_by() {
    for first_by in ["br0", "two"] {
        let mut lab = masqueraded();
        lab.peer("two", Port::routed("172.16.0.1/24"), "172.16.0.2");
        lab.rp_filter("br0", RpFilter::Strict);
        lab.rp_filter("two", RpFilter::Strict);
        let asked = Packet::udp("192.168.0.2:5000", "198.51.100.9:53", b"?");
        for _ in 0..3 {
            if first_by == "two" {
                lab.ip("two", &asked);
                assert!(lab.packets("wan").is_empty());
            }
            lab.ip("red", &asked);
            assert_eq!(lab.packets("wan").len(), 1);
            lab.ip("two", &asked);
            assert!(lab.packets("wan").is_empty());
        }
        let lies = if first_by == "two" { 6 } else { 3 };
        assert_eq!(lab.drops(), [("two", DropReason::ReversePath, lies)]);
    }
}

/// NC8: what nobody inside bears does not leave there either.
#[test]
fn a_made_up_source_does_not_leave_where_others_are_masqueraded() {
    for packet in [
        Packet::udp("6.6.6.6:5000", "198.51.100.9:53", b"x"),
        Packet::tcp("6.6.6.6:5000", "198.51.100.9:80", SYN, b""),
        Packet::ping("6.6.6.6", "198.51.100.9", 1, 1),
        Packet::new(47, "6.6.6.6", "198.51.100.9", vec![0; 8]),
        Packet::udp("203.0.113.77:5000", "198.51.100.9:53", b"x"),
    ] {
        for mode in [RpFilter::Off, RpFilter::Loose] {
            let mut lab = masqueraded();
            lab.rp_filter("br0", mode);
            lab.ip("red", &packet);
            assert!(lab.packets("wan").is_empty(), "{packet:?}");
            assert_eq!(lab.drops(), [("red", DropReason::NatForeignSource, 1)], "{packet:?}");
        }
        let mut lab = home();
        lab.ip("red", &packet);
        assert_eq!(lab.packets("wan").len(), 1, "where nobody is masqueraded it does");
    }
}

#[test]
fn nor_by_a_published_port_outside() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:8080/tcp", "198.51.100.9:80");
    lab.ip("red", &Packet::tcp("6.6.6.6:5000", "203.0.113.1:8080", SYN, b""));
    assert!(lab.packets("wan").is_empty());
    assert_eq!(lab.drops(), [("red", DropReason::NatForeignSource, 1)]);
}

#[test]
fn what_a_subnet_inside_holds_leaves_as_it_is_though_no_rule_covers_it() {
    let mut lab = masqueraded();
    lab.peer("dmz", Port::routed("172.16.0.1/24"), "172.16.0.2");
    lab.route("172.31.0.0/16", "172.16.0.2");
    lab.clear();
    for source in ["172.16.0.2:1", "172.31.9.9:1"] {
        lab.ip("dmz", &Packet::udp(source, "198.51.100.9:53", b"x"));
        assert_eq!(lab.packet("wan").from().to_string(), source);
    }
}

/// Who is outside is no liar for that.
#[test]
fn what_comes_in_where_it_belongs_may_turn_back() {
    let mut lab = masqueraded();
    lab.peer("two", Port::routed("203.0.114.1/24"), "203.0.114.254");
    lab.masquerade("192.168.0.0/24", "two");
    lab.route("100.64.0.0/10", "203.0.114.254");
    lab.clear();
    let turns = Packet::udp("203.0.113.254:1", "198.51.100.9:53", b"x");
    lab.ip("wan", &turns);
    assert_eq!(lab.packet("wan"), turns.ttl(63));
    let across = Packet::udp("203.0.113.254:1", "100.64.1.1:53", b"x");
    lab.ip("wan", &across);
    assert_eq!(lab.packet("two"), across.ttl(63));
    lab.ip("red", &Packet::udp("203.0.113.254:1", "100.64.1.1:53", b"x"));
    assert_eq!(lab.drops(), [("red", DropReason::NatForeignSource, 1)], "but not from inside");
}

#[test]
fn answers_to_a_published_service_leave_as_ever() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    lab.ip("wan", &Packet::tcp("198.51.100.9:1", "203.0.113.1:8080", SYN, b""));
    lab.ip("red", &Packet::tcp("192.168.0.2:80", "198.51.100.9:1", SYN_ACK, b""));
    assert_eq!(lab.packet("wan").from().to_string(), "203.0.113.1:8080");
    assert!(lab.drops().is_empty());
}
