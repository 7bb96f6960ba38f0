//! What NAT leaves alone, and what it tells about itself.

use lab::wire::{ACK, SYN, SYN_ACK};
use lab::{Lab, Packet, Port};

use crate::common::masqueraded;

/// NU2.
#[test]
fn all_flows_of_a_host_use_one_external_address() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.peer("red", Port::on("br0"), "192.168.0.2");
    lab.peer("wan", Port::routed("203.0.113.1/24").and("198.51.100.1/24"), "203.0.113.254");
    lab.route("0.0.0.0/0", "203.0.113.254");
    lab.masquerade("192.168.0.0/24", "wan");
    lab.clear();
    for number in 0..50u16 {
        let (from, to) = (format!("192.168.0.2:{}", 5000 + number), format!("192.0.2.{number}:53"));
        lab.ip("red", &Packet::udp(from.as_str(), to.as_str(), b"?"));
        assert_eq!(lab.packet("wan").from().ip().to_string(), "203.0.113.1");
    }
}

/// NU11, NT8: a PORT command names the inside address, and stays as it is.
#[test]
fn payloads_pass_as_they_are_whatever_the_port() {
    let mut lab = masqueraded();
    let (inside, outside, server) = ("192.168.0.2:40000", "203.0.113.1:40000", "198.51.100.9:21");
    lab.ip("red", &Packet::tcp(inside, server, SYN, b""));
    lab.clear();
    lab.ip("wan", &Packet::tcp(server, outside, SYN_ACK, b""));
    lab.clear();
    let command = b"PORT 192,168,0,2,156,64\r\n";
    lab.ip("red", &Packet::tcp(inside, server, ACK, command));
    assert_eq!(lab.packet("wan").data(), command);
    lab.ip("wan", &Packet::tcp("198.51.100.9:20", "203.0.113.1:40000", SYN, b""));
    assert!(lab.packets("red").is_empty(), "no flow was opened by what a payload said");
}

/// NC5.
#[test]
fn a_mapping_is_listed_with_its_external_port_while_it_lives() {
    let mut lab = masqueraded();
    lab.ip("red", &Packet::udp("192.168.0.2:5000", "198.51.100.9:53", b"?"));
    let line = lab.flows().first().unwrap().to_string();
    assert!(line.contains("src=192.168.0.2 dst=198.51.100.9 sport=5000 dport=53"), "{line}");
    assert!(line.contains("src=198.51.100.9 dst=203.0.113.1 sport=53 dport=5000"), "{line}");
    let stats = lab.switch().nat_stats();
    assert_eq!((stats.flows, stats.mappings), (1, 1));
}

/// NC6.
#[test]
fn identifications_pass_unchanged() {
    let mut lab = masqueraded();
    for identification in [0, 1, 0xffff] {
        let asked = Packet::udp("192.168.0.2:5000", "198.51.100.9:53", b"?").id(identification);
        lab.ip("red", &asked);
        let expected = Packet::udp("203.0.113.1:5000", "198.51.100.9:53", b"?");
        assert_eq!(lab.packet("wan"), expected.id(identification).ttl(63));
    }
}
