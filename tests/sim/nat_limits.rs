//! What NAT does when it runs out: the new are refused and told, the living stay.

use core::time::Duration;

use lab::wire::{ACK, RST, SYN};
use lab::{Lab, Packet, Port};
use nat::PortRange;
use packet::DropReason;

use crate::common::{home, masqueraded};

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
        lab.ip("red", &from(2, port));
    }
    assert_eq!(lab.packets("wan").len(), 5);
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
fn a_full_table_refuses_the_new_and_never_evicts_the_living() {
    let mut lab = masqueraded();
    lab.limits(10, 10);
    for port in 5000..5010 {
        lab.ip("red", &from(2, port));
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
    lab.run_for(Duration::from_secs(301));
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
    assert_eq!((stats.flows, stats.displaced), (10, 190));
}

/// NU3.
#[test]
fn an_exhausted_range_refuses_and_shares_nothing() {
    let mut lab = home();
    let mut rule = lab.rule("192.168.0.0/24", "wan");
    rule.ports = PortRange::new(6000, 6003);
    rule.parity = false;
    lab.masquerade_with(rule);
    for port in 5000..5004 {
        lab.ip("red", &from(2, port));
    }
    let mut ports: Vec<u16> =
        lab.packets("wan").iter().map(|packet| packet.from().port()).collect();
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
    for port in [5000, 5002, 5004] {
        lab.ip("red", &from(2, port));
    }
    assert!(lab.packets("wan").iter().all(|packet| packet.from().port() % 2 == 0));
    assert_eq!(lab.dropped("red", DropReason::NatNoPort), 1);
}

/// NC3.
#[test]
fn an_external_port_is_not_lent_to_another_host_for_120_seconds() {
    let mut lab = home();
    let mut rule = lab.rule("192.168.0.0/24", "wan");
    rule.ports = PortRange::new(6000, 6000);
    rule.parity = false;
    lab.masquerade_with(rule);
    lab.ip("red", &from(2, 5000));
    lab.run_for(Duration::from_secs(301));
    lab.clear();
    lab.ip("blue", &from(3, 5000));
    assert!(lab.packets("wan").is_empty(), "the port rests");
    lab.run_for(Duration::from_secs(121));
    lab.ip("blue", &from(3, 5000));
    assert_eq!(lab.packets("wan").len(), 1);
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
