//! What NAT does when it runs out: what has ended, is unanswered or idle makes room; else the new
//! are refused and told.

use core::time::Duration;

use lab::wire::{ACK, RST, SYN, frame};
use lab::{Lab, Packet, Port};
use nat::PortRange;
use packet::DropReason;

use crate::common::{home, masqueraded};

/// An exchange of datagrams that red (2) or blue (3) begins; its external port. What is answered is
/// not evicted.
fn exchange(lab: &mut Lab, host: u8, port: u16) -> u16 {
    lab.clear();
    lab.ip(if host == 2 { "red" } else { "blue" }, &from(host, port));
    let external = lab.packet("wan").from();
    lab.ip("wan", &Packet::udp("198.51.100.9:53", external, b"!"));
    external.port()
}

/// A datagram from a port of red's (2) or blue's (3).
fn from(host: u8, port: u16) -> Packet {
    Packet::udp(&*format!("192.168.0.{host}:{port}"), "198.51.100.9:53", b"?")
}

/// NC2, NC4, NI8.
#[test]
fn a_host_at_its_limit_is_told_and_the_others_are_not_touched() {
    let mut lab = masqueraded();
    lab.limits(1000, 5);
    for port in 5000..5005 {
        exchange(&mut lab, 2, port);
    }
    lab.clear();
    lab.ip("red", &from(2, 6000));
    let told = lab.packet("red");
    assert_eq!((told.kind(), told.source.to_string()), ((3, 13), "192.168.0.1".into()));
    assert_eq!(told.quote(), from(2, 6000), "quoted as it was sent");
    assert_eq!(lab.drops(), [("red", DropReason::NatHostLimit, 1)]);
    lab.ip("blue", &from(3, 6000));
    lab.ip("red", &from(2, 5000));
    assert_eq!(lab.packets("wan").len(), 2, "another host, and a living flow");
}

/// NC4.
#[test]
fn a_full_table_refuses_the_new_and_never_evicts_what_goes_on() {
    let mut lab = masqueraded();
    lab.limits(10, 10);
    for port in 5000..5010 {
        exchange(&mut lab, 2, port);
    }
    lab.clear();
    for port in 7000..7100 {
        lab.ip("blue", &from(3, port));
    }
    assert!(lab.packets("wan").is_empty());
    assert_eq!(lab.drops(), [("blue", DropReason::NatTableFull, 100)]);
    for port in 5000..5010 {
        let external = format!("203.0.113.1:{port}");
        lab.ip("wan", &Packet::udp("198.51.100.9:53", &*external, b"!"));
    }
    assert_eq!(lab.packets("red").len(), 10);
    lab.run_for(Duration::from_secs(11));
    lab.clear();
    lab.ip("blue", &from(3, 7000));
    assert_eq!(lab.packets("wan").len(), 1, "there is room once the old are silent");
}

/// NC4, NT5.
#[test]
fn short_connections_without_end_meet_no_limit() {
    let mut lab = masqueraded();
    lab.limits(20, 10);
    for port in 5000..5200 {
        let (near, far) = (format!("192.168.0.2:{port}"), "198.51.100.9:80");
        lab.ip("red", &Packet::tcp(&*near, far, SYN, b""));
        let external = lab.packet("wan").from().to_string();
        lab.ip("wan", &Packet::tcp(far, &*external, SYN | ACK, b""));
        lab.ip("red", &Packet::tcp(&*near, far, ACK, b"?"));
        lab.ip("wan", &Packet::tcp(far, &*external, RST, b""));
        lab.clear();
    }
    assert_eq!(lab.drops(), []);
    let stats = lab.switch().nat_stats();
    assert_eq!((stats.flows, stats.evicted), (10, 190));
}

/// NU3.
#[test]
fn an_exhausted_range_refuses_and_shares_nothing() {
    let mut lab = home();
    let mut rule = lab.rule("192.168.0.0/24", "wan");
    rule.ports = PortRange::new(6000, 6003);
    rule.parity = false;
    lab.masquerade_with(rule);
    let mut ports: Vec<u16> = (5000..5004).map(|port| exchange(&mut lab, 2, port)).collect();
    ports.sort_unstable();
    assert_eq!(ports, [6000, 6001, 6002, 6003]);
    lab.ip("blue", &from(3, 5000));
    assert_eq!(lab.packet("blue").kind(), (3, 13));
    assert_eq!(lab.drops(), [("blue", DropReason::NatNoPort, 1)]);
    lab.ip("blue", &Packet::tcp("192.168.0.3:5000", "198.51.100.9:80", SYN, b""));
    assert_eq!(lab.packets("wan").len(), 1, "TCP's ports are other ports");
}

/// NU3, NU5.
#[test]
fn with_parity_only_half_of_a_range_is_for_even_ports() {
    let mut lab = home();
    let mut rule = lab.rule("192.168.0.0/24", "wan");
    rule.ports = PortRange::new(6000, 6003);
    lab.masquerade_with(rule);
    for port in [5000, 5002] {
        assert_eq!(exchange(&mut lab, 2, port) % 2, 0);
    }
    lab.ip("red", &from(2, 5004));
    assert_eq!(lab.dropped("red", DropReason::NatNoPort), 1);
}

/// NC3.
#[test]
fn an_external_port_is_not_lent_to_another_host_for_120_seconds_while_there_are_others() {
    let mut lab = home();
    let mut rule = lab.rule("192.168.0.0/24", "wan");
    rule.ports = PortRange::new(6000, 6001);
    rule.parity = false;
    lab.masquerade_with(rule);
    let port = exchange(&mut lab, 2, 5000);
    lab.run_for(Duration::from_secs(301));
    assert_ne!(exchange(&mut lab, 3, 5000), port, "it rests");
    assert_eq!(exchange(&mut lab, 3, 5001), port, "there is no other left");
}

/// The invariant above all.
#[test]
fn an_outside_port_without_an_address_sends_nothing() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.peer("red", Port::on("br0"), "192.168.0.2");
    lab.peer("wan", Port::routed("203.0.113.1/24"), "198.51.100.9");
    let wan = lab.interface_id("wan");
    lab.masquerade("192.168.0.0/24", "wan");
    let bare = switch::change::InterfaceSettings {
        addresses: Vec::new(),
        ..lab.interface_settings("wan")
    };
    lab.change(switch::Change::SetInterface(wan, bare));
    lab.route_to("0.0.0.0/0", switch::change::Hop::Interface(wan));
    lab.clear();
    lab.ip("red", &from(2, 5000));
    assert!(lab.packets("wan").is_empty());
    assert_eq!(lab.drops(), [("red", DropReason::NatNoAddress, 1)]);
}

/// NC12: the order in which flows make room, one after the other.
#[test]
fn the_ended_give_way_before_the_unanswered_and_these_before_the_idle() {
    let mut lab = masqueraded();
    lab.limits(100, 4);
    exchange(&mut lab, 2, 5000);
    exchange(&mut lab, 2, 5001);
    lab.run_for(Duration::from_secs(6));
    lab.ip("red", &from(2, 5000));
    lab.ip("red", &from(2, 5002));
    let far = "198.51.100.9:80";
    lab.ip("red", &Packet::tcp("192.168.0.2:5003", far, SYN, b""));
    lab.ip("wan", &Packet::tcp(far, "203.0.113.1:5003", RST | ACK, b""));
    lab.run_for(Duration::from_secs(6));
    let mut living = |port: u16| {
        lab.ip("red", &from(2, port));
        let mut ports: Vec<_> = lab.flows().iter().map(|flow| flow.original.source_port).collect();
        ports.sort_unstable();
        ports
    };
    assert_eq!(living(6000), [5000, 5001, 5002, 6000], "the ended one");
    assert_eq!(living(6001), [5000, 5001, 6000, 6001], "the unanswered one");
    assert_eq!(living(6002), [5000, 5001, 6001, 6002], "the next unanswered one");
    assert_eq!(lab.drops(), []);
    let mut lab = masqueraded();
    lab.limits(100, 2);
    exchange(&mut lab, 2, 5000);
    exchange(&mut lab, 2, 5001);
    lab.run_for(Duration::from_secs(9));
    lab.ip("red", &from(2, 6000));
    assert_eq!(lab.dropped("red", DropReason::NatHostLimit), 1, "nothing is idle yet");
    lab.ip("red", &from(2, 5000));
    lab.run_for(Duration::from_secs(2));
    exchange(&mut lab, 2, 6000);
    let ports: Vec<_> = lab.flows().iter().map(|flow| flow.original.source_port).collect();
    assert!(ports.contains(&5000) && !ports.contains(&5001), "{ports:?}");
}

/// NC13.
#[test]
fn outsiders_do_not_use_up_what_a_published_server_may_have() {
    let mut lab = masqueraded();
    lab.limits(40, 10);
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    for n in 1..100 {
        lab.ip("wan", &Packet::tcp(&*format!("198.51.100.{n}:1024"), "203.0.113.1:8080", SYN, b""));
        lab.clear();
    }
    lab.ip("wan", &Packet::tcp("198.51.100.200:40000", "203.0.113.1:8080", SYN, b""));
    assert_eq!(lab.packet("red").from().to_string(), "198.51.100.200:40000");
    lab.ip("red", &from(2, 1234));
    assert_eq!(lab.packets("wan").len(), 1);
    assert_eq!(lab.drops(), []);
}

/// NC14.
#[test]
fn a_guest_under_its_neighbours_address_displaces_its_own() {
    let mut lab = masqueraded();
    lab.limits(100, 5);
    for port in 5000..5004 {
        lab.ip("blue", &from(3, port));
    }
    let forged = lab.mac("red");
    for port in 6000..6100 {
        lab.send("red", &frame(lab.router_mac("br0"), forged).ip(&from(3, port)));
    }
    let of = |low: u16| {
        let flows = lab.flows();
        flows.iter().filter(|flow| flow.original.source_port / 1000 == low).count()
    };
    assert_eq!((of(5), of(6)), (4, 5));
    lab.ip("blue", &from(3, 5004));
    assert_eq!(lab.flows().len(), 10);
}
