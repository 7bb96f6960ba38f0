//! Masquerade through the whole switch: whose packets leave under the router's address, and who may
//! answer.

use lab::wire::{ACK, RST, SYN, SYN_ACK};
use lab::{Lab, Packet, Port};
use nat::{Filtering, Mapping, PortRange};
use packet::DropReason;

use crate::common::{home, masqueraded};

const REMOTE: &str = "198.51.100.9:53";

/// red asks a remote; gives what arrives outside.
fn ask(lab: &mut Lab, from: &str, to: &str) -> Packet {
    lab.ip("red", &Packet::udp(from, to, b"?"));
    lab.packet("wan")
}

/// NU1, NU7.
#[test]
fn an_inside_host_speaks_as_the_router_and_hears_the_answer() {
    let mut lab = masqueraded();
    let asked = ask(&mut lab, "192.168.0.2:5000", REMOTE);
    assert_eq!(asked, Packet::udp("203.0.113.1:5000", REMOTE, b"?").ttl(63));
    lab.ip("wan", &Packet::udp(REMOTE, "203.0.113.1:5000", b"!"));
    assert_eq!(lab.packet("red"), Packet::udp(REMOTE, "192.168.0.2:5000", b"!").ttl(63));
    assert_eq!(lab.flows().len(), 1);
    assert!(lab.drops().is_empty());
}

/// NT2.
#[test]
fn a_connection_is_translated_from_its_first_segment_to_its_last() {
    let mut lab = masqueraded();
    let (inside, outside, server) = ("192.168.0.2:40000", "203.0.113.1:40000", "198.51.100.9:80");
    for (flags, data) in [(SYN, &b""[..]), (ACK, b"GET"), (0x11, b"")] {
        lab.ip("red", &Packet::tcp(inside, server, flags, data));
        assert_eq!(lab.packet("wan"), Packet::tcp(outside, server, flags, data).ttl(63));
        let back = if flags == SYN { SYN_ACK } else { flags };
        lab.ip("wan", &Packet::tcp(server, outside, back, data));
        assert_eq!(lab.packet("red"), Packet::tcp(server, inside, back, data).ttl(63));
    }
}

/// NI1.
#[test]
fn a_ping_keeps_its_identifier_where_it_can() {
    let mut lab = masqueraded();
    lab.ip("red", &Packet::ping("192.168.0.2", "198.51.100.9", 77, 1));
    assert_eq!(lab.packet("wan"), Packet::ping("203.0.113.1", "198.51.100.9", 77, 1).ttl(63));
    lab.ip("wan", &Packet::pong("198.51.100.9", "203.0.113.1", 77, 1));
    assert_eq!(lab.packet("red"), Packet::pong("198.51.100.9", "192.168.0.2", 77, 1).ttl(63));
    lab.ip("blue", &Packet::ping("192.168.0.3", "198.51.100.9", 77, 1));
    let other = lab.packet("wan");
    assert_ne!(other.from().port(), 77, "two hosts, two identifiers");
    lab.ip("wan", &Packet::pong("198.51.100.9", "203.0.113.1", other.from().port(), 1));
    assert_eq!(lab.packet("blue"), Packet::pong("198.51.100.9", "192.168.0.3", 77, 1).ttl(63));
}

/// NI1: timestamps, information and address masks are queries as echo is.
#[test]
fn every_query_with_an_identifier_is_translated_as_a_ping_is() {
    let mut lab = masqueraded();
    for (ask, reply) in [(13, 14), (15, 16), (17, 18)] {
        let rest = [0x12, ask, 0, 1];
        let query = |from: &str| Packet::icmp(from, "198.51.100.9", (ask, 0), rest, &[7; 12]);
        lab.ip("red", &query("192.168.0.2"));
        assert_eq!(lab.packet("wan"), query("203.0.113.1").ttl(63));
        let answer = |to: &str| Packet::icmp("198.51.100.9", to, (reply, 0), rest, &[9; 12]);
        lab.ip("wan", &answer("203.0.113.1"));
        assert_eq!(lab.packet("red"), answer("192.168.0.2").ttl(63));
        // Another host's, under the same identifier.
        lab.ip("blue", &query("192.168.0.3"));
        let other = lab.packet("wan");
        let [a, b] = other.from().port().to_be_bytes();
        assert_ne!([a, b], rest[..2], "two hosts, two identifiers");
        let error = Packet::error("192.0.2.77", "203.0.113.1", (11, 0), 0, &other, 20);
        lab.ip("wan", &error);
        let told = lab.packet("blue");
        assert_eq!((told.kind(), told.quote().source.octets()[3]), ((11, 0), 3));
        assert_eq!(told.quote().from().port().to_be_bytes(), rest[..2]);
        let back = Packet::icmp("198.51.100.9", "203.0.113.1", (reply, 0), [a, b, 0, 1], &[9; 12]);
        lab.ip("wan", &back);
        assert_eq!(lab.packet("blue"), answer("192.168.0.3").ttl(63));
        let listed = lab.switch().flows(lab.now()).into_iter().map(|flow| flow.to_string());
        let wanted = format!("type={ask} code=0");
        assert_eq!(listed.filter(|line| line.contains(&wanted)).count(), 2, "{wanted}");
        // An answer that nobody asked for.
        lab.ip(
            "wan",
            &Packet::icmp("198.51.100.9", "203.0.113.1", (reply, 0), [1, 1, 0, 1], &[9; 12]),
        );
        assert!(lab.packets("red").is_empty() && lab.packets("blue").is_empty());
    }
}

/// NU1, NT1.
#[test]
fn one_inside_socket_has_one_external_port_whomever_it_speaks_to() {
    let mut lab = masqueraded();
    lab.ip("blue", &Packet::udp("192.168.0.3:5000", REMOTE, b"taken"));
    lab.clear();
    let first = ask(&mut lab, "192.168.0.2:5000", REMOTE).from();
    assert_ne!(first.port(), 5000, "blue has it");
    for to in ["198.51.100.9:54", "198.51.100.10:53", "192.0.2.1:9"] {
        assert_eq!(ask(&mut lab, "192.168.0.2:5000", to).from(), first);
    }
}

/// NU3, NU4, NU5.
#[test]
fn a_taken_port_gives_way_to_one_of_its_kind() {
    let mut lab = masqueraded();
    for port in [80u16, 81, 1023, 1024, 40_000, 40_001, 65_535] {
        lab.ip("red", &Packet::udp(&*format!("192.168.0.2:{port}"), REMOTE, b"?"));
        lab.ip("blue", &Packet::udp(&*format!("192.168.0.3:{port}"), REMOTE, b"?"));
        let packets = lab.packets("wan");
        let [red, blue] = [0, 1].map(|at: usize| packets[at].from().port());
        assert_eq!(red, port, "kept");
        assert_ne!(blue, port, "not shared");
        assert_eq!(blue % 2, port % 2, "parity");
        assert_eq!(blue < 1024, port < 1024, "range");
    }
}

/// NC1.
#[test]
pub(crate) fn excepted_destinations_see_the_inside_address() {
    let mut lab = home();
    let mut rule = lab.rule("192.168.0.0/24", "wan");
    rule.except = vec!["10.0.0.0/8".parse().unwrap()];
    lab.masquerade_with(rule);
    let to = "10.1.2.3:53";
    assert_eq!(
        ask(&mut lab, "192.168.0.2:5000", to),
        Packet::udp("192.168.0.2:5000", to, b"?").ttl(63)
    );
    assert_eq!(ask(&mut lab, "192.168.0.2:5000", REMOTE).source.to_string(), "203.0.113.1");
    lab.ip("wan", &Packet::udp(to, "192.168.0.2:5000", b"!"));
    assert_eq!(lab.packet("red").source.to_string(), "10.1.2.3");
}

#[test]
fn the_first_rule_that_covers_a_packet_decides() {
    let mut lab = home();
    let mut first = lab.rule("192.168.0.2/32", "wan");
    first.ports = PortRange::new(7000, 7009);
    lab.masquerade_with(first);
    let mut second = lab.rule("192.168.0.0/24", "wan");
    second.ports = PortRange::new(8000, 8009);
    lab.masquerade_with(second);
    assert!((7000..=7009).contains(&ask(&mut lab, "192.168.0.2:5000", REMOTE).from().port()));
    lab.ip("blue", &Packet::udp("192.168.0.3:5000", REMOTE, b"?"));
    assert!((8000..=8009).contains(&lab.packet("wan").from().port()));
}

#[test]
fn only_the_rules_source_through_the_rules_port_is_translated() {
    let mut lab = masqueraded();
    lab.peer("dmz", Port::routed("172.16.0.1/24"), "172.16.0.2");
    lab.clear();
    let to = "172.16.0.2:53";
    lab.ip("red", &Packet::udp("192.168.0.2:5000", to, b"?"));
    assert_eq!(lab.packet("dmz"), Packet::udp("192.168.0.2:5000", to, b"?").ttl(63));
    lab.ip("dmz", &Packet::udp("172.16.0.2:5000", REMOTE, b"?"));
    assert_eq!(lab.packet("wan").source.to_string(), "172.16.0.2");
    assert!(lab.flows().is_empty(), "what no rule concerns leaves no trace");
}

#[test]
fn a_second_address_outside_is_chosen_by_the_next_hop() {
    let mut lab = home();
    lab.peer("two", Port::routed("198.51.100.1/24").and("192.0.2.1/24"), "192.0.2.254");
    lab.route("10.0.0.0/8", "192.0.2.254");
    lab.masquerade("192.168.0.0/24", "two");
    lab.clear();
    lab.ip("red", &Packet::ping("192.168.0.2", "10.9.9.9", 1, 1));
    assert_eq!(lab.packet("two").source.to_string(), "192.0.2.1");
}

/// NU9.
#[test]
fn by_default_only_the_address_and_port_that_were_asked_may_answer() {
    let mut lab = masqueraded();
    ask(&mut lab, "192.168.0.2:5000", REMOTE);
    for stranger in ["198.51.100.9:54", "198.51.100.10:53"] {
        lab.ip("wan", &Packet::udp(stranger, "203.0.113.1:5000", b"!"));
    }
    assert!(lab.packets("red").is_empty());
    assert_eq!(lab.drops(), [("wan", DropReason::NatFiltered, 2)]);
}

/// NU9.
#[test]
fn a_rule_may_let_in_an_address_or_everybody() {
    for (filtering, let_in) in [
        (Filtering::AddressAndPortDependent, [false, false]),
        (Filtering::AddressDependent, [true, false]),
        (Filtering::EndpointIndependent, [true, true]),
    ] {
        let mut lab = home();
        let mut rule = lab.rule("192.168.0.0/24", "wan");
        rule.filtering = filtering;
        lab.masquerade_with(rule);
        ask(&mut lab, "192.168.0.2:5000", REMOTE);
        for (stranger, let_in) in ["198.51.100.9:54", "198.51.100.10:53"].into_iter().zip(let_in) {
            lab.ip("wan", &Packet::udp(stranger, "203.0.113.1:5000", b"!"));
            assert_eq!(lab.packets("red").len(), usize::from(let_in), "{filtering:?} {stranger}");
        }
        lab.ip("wan", &Packet::udp("198.51.100.10:53", "203.0.113.1:5001", b"!"));
        assert!(lab.packets("red").is_empty(), "another port is nobody's");
    }
}

/// NU1, NU3: as Linux does it, where it is asked for.
#[test]
fn address_and_port_dependent_mapping_shares_a_port_between_hosts() {
    let mut lab = home();
    let mut rule = lab.rule("192.168.0.0/24", "wan");
    rule.mapping = Mapping::AddressAndPortDependent;
    lab.masquerade_with(rule);
    lab.ip("red", &Packet::udp("192.168.0.2:5000", REMOTE, b"?"));
    lab.ip("blue", &Packet::udp("192.168.0.3:5000", "198.51.100.10:53", b"?"));
    let packets = lab.packets("wan");
    assert!(packets.iter().all(|packet| packet.from().port() == 5000));
    lab.ip("wan", &Packet::udp(REMOTE, "203.0.113.1:5000", b"!"));
    assert_eq!(lab.packet("red").to().to_string(), "192.168.0.2:5000");
    lab.ip("wan", &Packet::udp("198.51.100.10:53", "203.0.113.1:5000", b"!"));
    assert_eq!(lab.packet("blue").to().to_string(), "192.168.0.3:5000");
}

/// NT3.
#[test]
fn an_unsolicited_connection_from_outside_is_met_with_silence() {
    let mut lab = masqueraded();
    lab.ip("wan", &Packet::tcp("198.51.100.9:80", "203.0.113.1:40000", SYN, b""));
    assert!(lab.packets("wan").is_empty());
    assert!(lab.packets("red").is_empty());
    assert_eq!(lab.switch().totals().dropped, 1);
}

/// NT2, NT3.
#[test]
fn a_simultaneous_open_succeeds() {
    let mut lab = masqueraded();
    let (inside, outside, peer) = ("192.168.0.2:40000", "203.0.113.1:40000", "198.51.100.9:80");
    lab.ip("red", &Packet::tcp(inside, peer, SYN, b""));
    lab.ip("wan", &Packet::tcp(peer, outside, SYN, b""));
    assert_eq!(lab.packet("red"), Packet::tcp(peer, inside, SYN, b"").ttl(63));
    lab.clear();
    lab.ip("red", &Packet::tcp(inside, peer, SYN_ACK, b""));
    assert_eq!(lab.packet("wan"), Packet::tcp(outside, peer, SYN_ACK, b"").ttl(63));
}

/// NT7: the invariant above all.
#[test]
fn what_can_begin_no_flow_is_never_sent_as_it_is() {
    let mut lab = masqueraded();
    let server = "198.51.100.9:80";
    lab.ip("red", &Packet::tcp("192.168.0.2:4000", server, RST, b""));
    lab.ip("red", &Packet::tcp("192.168.0.2:4000", server, SYN_ACK, b""));
    lab.ip("red", &Packet::tcp("192.168.0.2:4000", server, 0x11, b""));
    lab.ip("red", &Packet::tcp("192.168.0.2:4000", server, 0, b""));
    lab.ip("red", &Packet::pong("192.168.0.2", "198.51.100.9", 1, 1));
    lab.ip("red", &Packet::icmp("192.168.0.2", "198.51.100.9", (9, 0), [0; 4], &[]));
    assert_eq!(lab.drops(), [("red", DropReason::NatNoFlow, 6)]);
    assert!(lab.packets("wan").is_empty());
}

/// NT7: other protocols have no ports, and one host at a time may speak one to a remote.
#[test]
fn a_protocol_without_ports_is_translated_by_address() {
    let mut lab = masqueraded();
    let gre = |from: &str, to: &str| Packet::new(47, from, to, vec![0, 0, 8, 0, 1, 2, 3, 4]);
    lab.ip("red", &gre("192.168.0.2", "198.51.100.9"));
    assert_eq!(lab.packet("wan"), gre("203.0.113.1", "198.51.100.9").ttl(63));
    lab.ip("wan", &gre("198.51.100.9", "203.0.113.1"));
    assert_eq!(lab.packet("red"), gre("198.51.100.9", "192.168.0.2").ttl(63));
    lab.ip("blue", &gre("192.168.0.3", "198.51.100.9"));
    assert!(lab.packets("wan").is_empty());
    assert_eq!(lab.drops(), [("blue", DropReason::NatNoPort, 1)]);
}

/// NU15.
#[test]
fn a_datagram_without_a_checksum_stays_without() {
    let mut lab = masqueraded();
    lab.ip("red", &Packet::udp("192.168.0.2:5000", REMOTE, b"?").unsummed());
    assert_eq!(lab.packet("wan"), Packet::udp("203.0.113.1:5000", REMOTE, b"?").unsummed().ttl(63));
}

/// NU15, NI10.
#[test]
fn checksums_are_right_for_every_content() {
    let mut lab = masqueraded();
    for number in 0..=0xffffu32 {
        let data = number.to_be_bytes();
        if number % 7 == 0 || number > 0xff00 {
            lab.ip("red", &Packet::udp("192.168.0.2:5000", REMOTE, &data));
            assert_eq!(lab.packet("wan"), Packet::udp("203.0.113.1:5000", REMOTE, &data).ttl(63));
        }
    }
}

#[test]
fn the_router_never_answers_outside_from_an_inside_address() {
    let mut lab = masqueraded();
    lab.ip("wan", &Packet::ping("203.0.113.254", "192.168.0.1", 1, 1));
    lab.ip("wan", &Packet::udp("203.0.113.254:1", "192.168.0.1:2", b"?"));
    let leaked = lab.packets("wan").into_iter().filter(|p| p.source.octets()[0] == 192);
    assert_eq!(leaked.count(), 0);
    lab.ip("wan", &Packet::ping("203.0.113.254", "203.0.113.1", 1, 1));
    assert_eq!(lab.packet("wan").kind(), (0, 0));
}

/// The invariant above all.
#[test]
fn who_is_spoken_to_directly_does_not_answer_untranslated() {
    let mut lab = masqueraded();
    lab.ip("wan", &Packet::udp("203.0.113.254:7", "192.168.0.2:9", b"I know where you live"));
    lab.clear();
    lab.ip("red", &Packet::udp("192.168.0.2:9", "203.0.113.254:7", b"who is this?"));
    let answers = lab.packets("wan");
    assert!(answers.iter().all(|answer| answer.source.to_string() == "203.0.113.1"));
}
