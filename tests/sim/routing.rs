//! Which way packets go, and what the router says of itself: routes, addresses, pings (RFC 1812).

use core::net::Ipv4Addr;

use lab::wire::{ACK, RST, SYN, SYN_ACK, frame};
use lab::{Lab, Packet, Port};
use packet::{DropReason, Ipv4Net, Mac};
use switch::change::{Hop, Reject, Route};
use switch::view::Target;
use switch::{Change, ChangeError};

use crate::common::crossing;

fn across() -> Packet {
    Packet::udp("10.1.0.2:1000", "10.2.0.2:2000", b"to the other side")
}

#[test]
fn a_packet_crosses_with_one_hop_less_and_the_routers_addresses() {
    let mut lab = crossing();
    lab.ip("left", &across().id(77).df().class(0xb8));
    let seen = lab.take("right").remove(0);
    assert_eq!(seen.packet(), Some(across().id(77).df().class(0xb8).ttl(63)));
    assert_eq!((seen.destination(), seen.source()), (lab.mac("right"), lab.router_mac("right")));
    assert!(lab.drops().is_empty());
}

/// RT1.
#[test]
fn padding_behind_a_packet_does_not_cross() {
    let mut lab = crossing();
    let mut bytes = frame(lab.router_mac("left"), lab.mac("left")).ip(&across());
    let len = bytes.len();
    bytes.resize(len + 30, 0xee);
    lab.send("left", &bytes);
    assert_eq!(lab.take("right")[0].bytes.len(), len);
}

#[test]
fn an_error_that_quotes_nothing_is_routed_like_any_packet() {
    let mut lab = crossing();
    let empty = Packet::icmp("10.1.0.2", "10.2.0.2", (3, 3), [0; 4], &[]);
    let mut first = empty.clone();
    first.more_fragments = true;
    for packet in [empty, first] {
        lab.ip("left", &packet);
        assert_eq!(lab.packets("right"), [packet.ttl(63)]);
    }
}

/// RT11.
#[test]
fn the_longest_prefix_wins() {
    let mut lab = Lab::new(1);
    lab.peer("in", Port::routed("10.0.0.1/24"), "10.0.0.2");
    for (number, to) in
        [(1, "0.0.0.0/0"), (2, "172.16.0.0/12"), (3, "172.16.5.0/24"), (4, "172.16.5.9/32")]
    {
        let peer: Ipv4Addr = format!("10.9.{number}.2").parse().unwrap();
        lab.peer(&format!("w{number}"), Port::routed(&format!("10.9.{number}.1/24")), peer);
        lab.route(to, peer);
    }
    lab.clear();
    for (to, way) in [
        ("8.8.8.8", "w1"),
        ("172.31.255.255", "w2"),
        ("172.16.4.1", "w2"),
        ("172.16.5.1", "w3"),
        ("172.16.5.9", "w4"),
        ("172.16.5.10", "w3"),
        ("10.9.3.2", "w3"),
    ] {
        lab.ip("in", &Packet::ping("10.0.0.2", to, 1, 1));
        assert_eq!(lab.heard(), [way], "to {to}");
    }
    lab.change(Change::DeleteRoute("172.16.5.9/32".parse().unwrap()));
    lab.change(Change::DeleteRoute("172.16.5.0/24".parse().unwrap()));
    lab.ip("in", &Packet::ping("10.0.0.2", "172.16.5.9", 1, 1));
    assert_eq!(lab.heard(), ["w2"]);
    let none = "172.16.5.0/24".parse().unwrap();
    assert_eq!(lab.try_change(Change::DeleteRoute(none)), Err(ChangeError::NoRoute(none)));
}

/// RT3.
#[test]
fn a_route_may_refuse_loudly_or_without_a_word() {
    let mut lab = crossing();
    lab.route_to("172.16.0.0/16", Hop::Reject(Reject::Unreachable));
    lab.route_to("172.17.0.0/16", Hop::Reject(Reject::Prohibit));
    lab.route_to("172.18.0.0/16", Hop::Reject(Reject::Blackhole));
    lab.ip("left", &Packet::ping("10.1.0.2", "172.16.0.1", 1, 1));
    assert_eq!(lab.packet("left").kind(), (3, 0));
    lab.ip("left", &Packet::ping("10.1.0.2", "172.17.0.1", 1, 1));
    assert_eq!(lab.packet("left").kind(), (3, 13));
    lab.ip("left", &Packet::ping("10.1.0.2", "172.18.0.1", 1, 1));
    assert!(lab.heard().is_empty());
    let expected = [("left", DropReason::NoRoute, 1), ("left", DropReason::Prohibited, 2)];
    assert_eq!(lab.drops(), expected);
}

#[test]
fn a_route_onto_a_segment_asks_for_every_destination_there() {
    let mut lab = crossing();
    let right = lab.interface_id("right");
    lab.route_to("172.16.0.0/16", Hop::Interface(right));
    lab.ip("left", &Packet::ping("10.1.0.2", "172.16.3.4", 1, 1));
    let asked = lab.take("right")[0].arp().unwrap();
    assert_eq!(
        (asked.target, asked.sender),
        ("172.16.3.4".parse().unwrap(), "10.2.0.1".parse().unwrap())
    );
}

#[test]
fn a_route_waits_for_its_gateways_subnet() {
    let mut lab = crossing();
    lab.route("172.16.0.0/16", "10.3.0.2");
    lab.ip("left", &Packet::ping("10.1.0.2", "172.16.0.1", 1, 1));
    assert_eq!(lab.packet("left").kind(), (3, 0));
    lab.peer("late", Port::routed("10.3.0.1/24"), "10.3.0.2");
    lab.clear();
    lab.ip("left", &Packet::ping("10.1.0.2", "172.16.0.1", 1, 1));
    assert_eq!(lab.heard(), ["late"]);
    lab.change(Change::DeleteInterface(lab.interface_id("late")));
    lab.ip("left", &Packet::ping("10.1.0.2", "172.16.0.1", 1, 1));
    assert_eq!(lab.packet("left").kind(), (3, 0));
}

#[test]
fn the_listing_of_routes_is_in_order_and_without_own_addresses() {
    let mut lab = crossing();
    lab.route("0.0.0.0/0", "10.2.0.2");
    let (left, right) = (lab.interface_id("left"), lab.interface_id("right"));
    let net = |text: &str| text.parse::<Ipv4Net>().unwrap();
    let gateway = "10.2.0.2".parse().unwrap();
    let expected = [
        (net("0.0.0.0/0"), Target::Via { interface: right, gateway }),
        (net("10.1.0.0/24"), Target::Connected(left)),
        (net("10.2.0.0/24"), Target::Connected(right)),
    ];
    assert_eq!(lab.switch().routes(), expected);
}

/// RT2, RT11.
#[test]
fn the_router_answers_pings_to_each_of_its_addresses() {
    let mut lab = crossing();
    for own in ["10.1.0.1", "10.2.0.1"] {
        lab.ip("left", &Packet::ping("10.1.0.2", own, 7, 9).ttl(1));
        assert_eq!(lab.packet("left"), Packet::pong(own, "10.1.0.2", 7, 9));
    }
    assert_eq!(lab.switch().totals().consumed, 3, "two pings and an ARP answer");
    assert!(lab.drops().is_empty());
}

#[test]
fn a_large_ping_in_fragments_is_answered_whole_in_fragments() {
    let mut lab = crossing();
    let body = lab.rng().bytes(4000);
    let ping = Packet::icmp("10.1.0.2", "10.1.0.1", (8, 0), [0, 1, 0, 2], &body).id(5);
    for piece in ping.fragments(1480).into_iter().rev() {
        lab.ip("left", &piece);
    }
    let answer = lab.packets("left");
    assert_eq!(answer.len(), 3);
    let payload: Vec<u8> = answer.iter().flat_map(|piece| piece.payload.clone()).collect();
    let expected = Packet::icmp("10.1.0.1", "10.1.0.2", (0, 0), [0, 1, 0, 2], &body);
    assert_eq!(payload, expected.payload);
    assert!(answer.windows(2).all(|pair| pair[0].identification == pair[1].identification));
}

/// RT3.
#[test]
fn the_router_has_no_udp_service_and_says_so() {
    let mut lab = crossing();
    lab.ip("left", &Packet::udp("10.1.0.2:5000", "10.1.0.1:53", b"who are you?"));
    let told = lab.packet("left");
    assert_eq!((told.kind(), told.source.to_string()), ((3, 3), "10.1.0.1".into()));
    assert_eq!(told.quote().to().to_string(), "10.1.0.1:53");
    assert_eq!(lab.drops(), [("left", DropReason::PortUnreachable, 1)]);
}

#[test]
fn the_router_resets_connections_to_itself() {
    let mut lab = crossing();
    let (us, them) = ("10.1.0.1:22", "10.1.0.2:5000");
    lab.ip("left", &Packet::tcp_at(them, us, SYN, 1000, 0, b""));
    let expected = Packet::tcp_at(us, them, RST | ACK, 0, 1001, b"").df().window(0);
    assert_eq!(lab.packet("left"), expected);
    lab.ip("left", &Packet::tcp_at(them, us, 0x18, 1000, 2000, b"data"));
    let expected = Packet::tcp_at(us, them, RST, 2000, 0, b"").df().window(0);
    assert_eq!(lab.packet("left"), expected);
    lab.ip("left", &Packet::tcp_at(them, us, RST, 1000, 0, b""));
    lab.ip("left", &Packet::tcp_at(them, us, RST | SYN_ACK, 1000, 0, b""));
    assert!(lab.heard().is_empty(), "no reset is reset");
}

#[test]
fn frames_for_others_on_a_routed_port_are_not_taken() {
    let mut lab = crossing();
    let bytes = frame(Mac([2, 9, 9, 9, 9, 9]), lab.mac("left")).ip(&across());
    lab.send("left", &bytes);
    let bytes = frame(lab.router_mac("left"), lab.mac("left")).payload(0x86dd, &[0x60; 40]);
    lab.send("left", &bytes);
    let bytes = frame(lab.router_mac("left"), lab.mac("left")).tag(5).ip(&across());
    lab.send("left", &bytes);
    assert_eq!(lab.dropped("left", DropReason::NotForUs), 1);
    assert_eq!(lab.dropped("left", DropReason::UnknownProtocol), 1);
    assert!(
        lab.heard().is_empty(),
        "a tagged frame on a routed port is of a VLAN that is not there"
    );
}

/// RT7.
#[test]
fn a_packet_may_leave_where_it_came_from_and_no_redirect_is_sent() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "10.1.0.1/24");
    lab.peer("host", Port::on("br0"), "10.1.0.2");
    lab.peer("other", Port::on("br0"), "10.1.0.3");
    lab.route("172.16.0.0/16", "10.1.0.3");
    lab.clear();
    let packet = Packet::ping("10.1.0.2", "172.16.0.1", 1, 1);
    lab.ip("host", &packet);
    assert_eq!(lab.packet("other"), packet.ttl(63));
    assert!(lab.packets("host").is_empty());
}

#[test]
fn two_subnets_on_one_segment_are_routed_between() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "10.1.0.1/24");
    lab.router("br0", "10.2.0.1/24");
    lab.host("one", Port::on("br0"), "10.1.0.2/24");
    lab.host("two", Port::on("br0"), "10.2.0.2/24");
    assert!(lab.ping("one", "10.2.0.2").is_some());
    assert!(lab.ping("two", "10.1.0.1").is_some());
    assert!(lab.ping("two", "10.2.0.1").is_some());
}

#[test]
fn contradicting_changes_are_refused_and_change_nothing() {
    let mut lab = crossing();
    lab.bridge("br0");
    lab.router("br0", "10.3.0.1/24");
    let (left, bridge) = (lab.interface_id("left"), lab.bridge_id("br0"));
    assert_eq!(lab.try_change(Change::DeleteBridge(bridge)), Err(ChangeError::BridgeInUse(bridge)));
    let unknown = packet::InterfaceId::new(99);
    let route = Route { to: "1.0.0.0/8".parse().unwrap(), hop: Hop::Interface(unknown) };
    assert_eq!(lab.try_change(Change::SetRoute(route)), Err(ChangeError::NoInterface(unknown)));
    let neighbor = Change::DeleteNeighbor(left, "10.1.0.77".parse().unwrap());
    assert_eq!(
        lab.try_change(neighbor),
        Err(ChangeError::NoNeighbor("10.1.0.77".parse().unwrap()))
    );
    let own = lab.interface_settings("left");
    let new: Ipv4Net = "10.2.0.128/25".parse().unwrap();
    let overlapping = switch::change::InterfaceSettings { addresses: vec![new], ..own.clone() };
    let wrong = lab.try_change(Change::SetInterface(left, overlapping));
    assert_eq!(wrong, Err(ChangeError::Overlap(new, "10.2.0.1/24".parse().unwrap())));
    let small = switch::change::InterfaceSettings { mtu: 67, ..own };
    assert_eq!(lab.try_change(Change::SetInterface(left, small)), Err(ChangeError::TooSmall));
    lab.ip("left", &across());
    assert_eq!(lab.heard(), ["right"]);
}
