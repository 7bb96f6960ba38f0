//! Published ports and hairpins: how the outside reaches a service inside, and how the inside does
//! by the same name.

use lab::wire::{RST, SYN, SYN_ACK};
use lab::{Lab, Packet, Port};
use nat::Listen;
use packet::DropReason;

use crate::common::{home, masqueraded};

const CLIENT: &str = "198.51.100.9:40000";

#[test]
fn a_published_port_leads_inside_and_the_answer_comes_from_it() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    lab.ip("wan", &Packet::tcp(CLIENT, "203.0.113.1:8080", SYN, b""));
    assert_eq!(lab.packet("red"), Packet::tcp(CLIENT, "192.168.0.2:80", SYN, b"").ttl(63));
    lab.ip("red", &Packet::tcp("192.168.0.2:80", CLIENT, SYN_ACK, b""));
    assert_eq!(lab.packet("wan"), Packet::tcp("203.0.113.1:8080", CLIENT, SYN_ACK, b"").ttl(63));
    let flow = lab.flows()[0];
    assert!(flow.is_dst_nat && !flow.is_src_nat);
}

#[test]
fn a_port_may_be_published_under_its_own_number_and_udp_too() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:53/udp", "192.168.0.3:53");
    lab.ip("wan", &Packet::udp(CLIENT, "203.0.113.1:53", b"?"));
    assert_eq!(lab.packet("blue"), Packet::udp(CLIENT, "192.168.0.3:53", b"?").ttl(63));
    lab.ip("blue", &Packet::udp("192.168.0.3:53", CLIENT, b"!"));
    assert_eq!(lab.packet("wan"), Packet::udp("203.0.113.1:53", CLIENT, b"!").ttl(63));
    lab.ip("wan", &Packet::tcp(CLIENT, "203.0.113.1:53", SYN, b""));
    assert!(lab.packets("blue").is_empty(), "the other protocol is not published");
}

#[test]
fn publishing_works_without_masquerade() {
    let mut lab = home();
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    lab.ip("wan", &Packet::tcp(CLIENT, "203.0.113.1:8080", SYN, b""));
    assert_eq!(lab.packet("red").to().to_string(), "192.168.0.2:80");
    lab.ip("red", &Packet::tcp("192.168.0.2:80", CLIENT, SYN_ACK, b""));
    assert_eq!(lab.packet("wan").from().to_string(), "203.0.113.1:8080");
}

#[test]
fn a_listener_is_an_address_an_interface_or_any() {
    let mut lab = masqueraded();
    let wan = lab.interface_id("wan");
    lab.publish_on(Listen::Interface(wan), 81, "tcp", "192.168.0.2:81");
    lab.publish_on(Listen::Any, 82, "tcp", "192.168.0.2:82");
    lab.publish("203.0.113.1:83/tcp", "192.168.0.2:83");
    for (to, hears) in [
        ("203.0.113.1:81", true),
        ("203.0.113.1:82", true),
        ("203.0.113.1:83", true),
        ("192.168.0.1:81", false),
        ("192.168.0.1:82", true),
        ("192.168.0.1:83", false),
    ] {
        // Each time another client: two ways to one service are told apart by their clients alone.
        let client = format!("198.51.100.9:{}", 40_000 + lab.rng().below(20_000));
        lab.ip("wan", &Packet::tcp(&*client, to, SYN, b""));
        assert_eq!(lab.packets("red").len(), usize::from(hears), "{to}");
    }
}

#[test]
fn a_segment_that_begins_nothing_does_not_enter_a_published_port() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    lab.ip("wan", &Packet::tcp(CLIENT, "203.0.113.1:8080", RST, b""));
    lab.ip("wan", &Packet::tcp(CLIENT, "203.0.113.1:8080", SYN_ACK, b""));
    assert!(lab.packets("red").is_empty());
    assert_eq!(lab.drops(), [("wan", DropReason::NatNoFlow, 2)]);
}

/// NU10, NT6.
#[test]
fn a_host_reaches_its_own_published_address() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    let own = "192.168.0.2:40000";
    lab.ip("red", &Packet::tcp(own, "203.0.113.1:8080", SYN, b""));
    let turned = lab.packet("red");
    assert_eq!(turned.to().to_string(), "192.168.0.2:80");
    assert_eq!(turned.source.to_string(), "203.0.113.1", "seen as from outside");
    lab.ip("red", &Packet::tcp(turned.to(), turned.from(), SYN_ACK, b""));
    assert_eq!(lab.packet("red"), Packet::tcp("203.0.113.1:8080", own, SYN_ACK, b"").ttl(63));
}

/// NU10.
#[test]
fn a_neighbour_reaches_a_published_service_by_its_outside_name() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:53/udp", "192.168.0.2:53");
    lab.ip("blue", &Packet::udp("192.168.0.3:5000", "203.0.113.1:53", b"?"));
    let asked = lab.packet("red");
    assert_eq!(asked, Packet::udp("203.0.113.1:5000", "192.168.0.2:53", b"?").ttl(63));
    lab.ip("red", &Packet::udp("192.168.0.2:53", "203.0.113.1:5000", b"!"));
    assert_eq!(lab.packet("blue"), Packet::udp("203.0.113.1:53", "192.168.0.3:5000", b"!").ttl(63));
}

/// NU10.
#[test]
fn a_hairpin_works_without_masquerade() {
    let mut lab = home();
    lab.publish("203.0.113.1:53/udp", "192.168.0.2:53");
    lab.ip("blue", &Packet::udp("192.168.0.3:5000", "203.0.113.1:53", b"?"));
    let asked = lab.packet("red");
    assert_eq!(asked.source.to_string(), "203.0.113.1", "so that the answer comes back here");
    lab.ip("red", &Packet::udp("192.168.0.2:53", asked.from(), b"!"));
    let answer = Packet::udp("203.0.113.1:53", "192.168.0.3:5000", b"!").ttl(63);
    assert_eq!(lab.packet("blue"), answer);
}

/// NU10.
#[test]
fn two_inside_hosts_reach_each_other_by_their_external_ports() {
    let mut lab = masqueraded();
    lab.ip("red", &Packet::udp("192.168.0.2:5000", "198.51.100.9:3478", b"stun"));
    lab.ip("blue", &Packet::udp("192.168.0.3:6000", "198.51.100.9:3478", b"stun"));
    lab.clear();
    lab.ip("blue", &Packet::udp("192.168.0.3:6000", "203.0.113.1:5000", b"hello"));
    assert_eq!(
        lab.packet("red"),
        Packet::udp("203.0.113.1:6000", "192.168.0.2:5000", b"hello").ttl(63)
    );
    lab.ip("red", &Packet::udp("192.168.0.2:5000", "203.0.113.1:6000", b"hi"));
    assert_eq!(
        lab.packet("blue"),
        Packet::udp("203.0.113.1:5000", "192.168.0.3:6000", b"hi").ttl(63)
    );
}

/// NI7.
#[test]
fn an_inside_host_may_ping_the_outside_address() {
    let mut lab = masqueraded();
    lab.ip("red", &Packet::ping("192.168.0.2", "203.0.113.1", 5, 5));
    assert_eq!(lab.packet("red"), Packet::pong("203.0.113.1", "192.168.0.2", 5, 5));
}

#[test]
fn a_masqueraded_port_avoids_the_published_ones() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:5000/udp", "192.168.0.2:53");
    lab.ip("blue", &Packet::udp("192.168.0.3:5000", "198.51.100.9:53", b"?"));
    assert_ne!(lab.packet("wan").from().port(), 5000);
}

#[test]
fn the_first_of_two_listeners_decides_and_both_may_lead_to_one_service() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:80/tcp", "192.168.0.2:80");
    lab.publish_on(Listen::Any, 80, "tcp", "192.168.0.3:80");
    lab.publish("203.0.113.1:81/tcp", "192.168.0.2:80");
    lab.ip("wan", &Packet::tcp(CLIENT, "203.0.113.1:80", SYN, b""));
    assert_eq!((lab.packets("red").len(), lab.packets("blue").len()), (1, 0));
    lab.ip("wan", &Packet::tcp("198.51.100.9:40001", "203.0.113.1:81", SYN, b""));
    assert_eq!(lab.packet("red").to().to_string(), "192.168.0.2:80");
    lab.ip("red", &Packet::tcp("192.168.0.2:80", "198.51.100.9:40001", SYN_ACK, b""));
    assert_eq!(lab.packet("wan").from().to_string(), "203.0.113.1:81");
}

/// RT3: the outside hears of the packet it sent, and nothing of the inside.
#[test]
fn a_published_host_that_does_not_answer_arp_is_unreachable_under_its_outside_name() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.77:80");
    let sent = Packet::tcp(CLIENT, "203.0.113.1:8080", SYN, b"");
    lab.ip("wan", &sent);
    lab.run_for(core::time::Duration::from_secs(5));
    let told = lab.packet("wan");
    assert_eq!(told.kind(), (3, 1));
    assert_eq!(told.source.to_string(), "203.0.113.1");
    assert_eq!(told.quote().to(), sent.to(), "no inside address in the quote");
    assert_eq!(lab.drops(), [("wan", DropReason::NoNeighbor, 1)]);
}

/// RT2: the outside hears of the packet it sent, and nothing of the inside.
#[test]
fn a_packet_that_dies_behind_a_published_port_is_quoted_as_it_was_sent() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    let sent = Packet::tcp(CLIENT, "203.0.113.1:8080", SYN, b"").ttl(1);
    lab.ip("wan", &sent);
    let told = lab.packet("wan");
    assert_eq!((told.kind(), told.quote()), ((11, 0), sent));
    lab.router_mtu("br0", 576);
    lab.clear();
    let sent = Packet::tcp(CLIENT, "203.0.113.1:8080", 0x10, &[0; 1000]).df();
    lab.ip("wan", &sent);
    let told = lab.packet("wan");
    assert_eq!((told.kind(), told.next_hop_mtu()), ((3, 4), 576));
    assert_eq!(told.quote().to(), sent.to());
}

#[test]
fn a_service_behind_a_vlan_and_an_isolated_port_is_reached_too() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0.10", "192.168.10.1/24");
    lab.peer("box", Port::on("br0").access(10).isolated(), "192.168.10.2");
    lab.peer("wan", Port::routed("203.0.113.1/24"), "203.0.113.254");
    lab.route("0.0.0.0/0", "203.0.113.254");
    lab.masquerade("192.168.10.0/24", "wan");
    lab.publish("203.0.113.1:80/tcp", "192.168.10.2:80");
    lab.clear();
    lab.ip("wan", &Packet::tcp(CLIENT, "203.0.113.1:80", SYN, b""));
    assert_eq!(lab.packet("box").to().to_string(), "192.168.10.2:80");
}

/// NU1, NC7: a published endpoint is a mapping, before anybody has spoken to it and after
/// everything is forgotten.
#[test]
fn a_published_service_that_speaks_first_speaks_from_its_published_port() {
    for (port, published) in [(123, 123), (5060, 15060), (500, 500)] {
        let mut lab = masqueraded();
        let (inside, outside) = (format!("192.168.0.2:{port}"), format!("203.0.113.1:{published}"));
        lab.publish(&format!("{outside}/udp"), &inside);
        for _ in 0..2 {
            for peer in ["198.51.100.7:123", "198.51.100.8:9"] {
                lab.ip("red", &Packet::udp(&*inside, peer, b"?"));
                assert_eq!(lab.packet("wan").from().to_string(), outside);
                lab.ip("wan", &Packet::udp(peer, &*outside, b"!"));
                assert_eq!(lab.packet("red").to().to_string(), inside);
            }
            lab.ip("wan", &Packet::udp("198.51.100.9:7", &*outside, b"?"));
            assert_eq!(lab.packet("red").to().to_string(), inside, "a stranger");
            lab.change(switch::Change::FlushFlows);
        }
        assert_eq!(lab.drops(), []);
    }
}

/// NC7.
#[test]
fn the_first_listener_that_leads_to_a_service_is_what_it_speaks_from() {
    let mut lab = masqueraded();
    let wan = lab.interface_id("wan");
    // The first is another's port, the second not the uplink's.
    lab.publish("203.0.113.1:5060/udp", "192.168.0.3:5060");
    lab.publish_on(Listen::Any, 5060, "udp", "192.168.0.2:5060");
    lab.publish("192.168.0.1:5061/udp", "192.168.0.2:5060");
    lab.publish_on(Listen::Interface(wan), 5064, "udp", "192.168.0.2:5060");
    lab.publish_on(Listen::Any, 5062, "udp", "192.168.0.2:5060");
    lab.ip("red", &Packet::udp("192.168.0.2:5060", "198.51.100.7:5060", b"?"));
    assert_eq!(lab.packet("wan").from().to_string(), "203.0.113.1:5064");
    // A client of that very listener has this name for its own; towards it the next one serves.
    lab.ip("wan", &Packet::udp("198.51.100.8:5060", "203.0.113.1:5062", b"?"));
    lab.clear();
    lab.ip("red", &Packet::udp("192.168.0.2:5060", "198.51.100.8:5060", b"!"));
    assert_eq!(lab.packet("wan").from().to_string(), "203.0.113.1:5062", "an answer");
    lab.ip("red", &Packet::udp("192.168.0.2:5062", "198.51.100.7:5060", b"?"));
    assert_ne!(lab.packet("wan").from().port(), 5062, "another socket is not the service");
}

/// NC8.
#[test]
fn a_client_reaches_two_listeners_of_one_service_from_one_port() {
    for protocol in ["udp", "tcp"] {
        let packet = |from: &str, to: &str, flags| match protocol {
            "udp" => Packet::udp(from, to, b"?"),
            _ => Packet::tcp(from, to, flags, b""),
        };
        // A client outside, one behind the same bridge, and the service's own host.
        for (port, client) in
            [("wan", "198.51.100.7:700"), ("blue", "192.168.0.3:700"), ("red", "192.168.0.2:700")]
        {
            for others in
                [["203.0.113.1:5060", "203.0.113.1:5062"], ["203.0.113.1:5060", "192.168.0.1:5060"]]
            {
                let mut lab = masqueraded();
                for listen in others {
                    lab.publish(&format!("{listen}/{protocol}"), "192.168.0.2:5070");
                }
                let mut seen = Vec::new();
                for listen in others {
                    lab.ip(port, &packet(client, listen, SYN));
                    let asked = lab.packet("red");
                    assert_eq!(asked.to().to_string(), "192.168.0.2:5070");
                    assert!(!seen.contains(&asked.from()), "{seen:?} twice");
                    lab.ip("red", &packet("192.168.0.2:5070", &asked.from().to_string(), SYN_ACK));
                    let answer = lab.packet(port);
                    assert_eq!(
                        (answer.from().to_string(), answer.to().to_string()),
                        (listen.into(), client.into())
                    );
                    seen.push(asked.from());
                }
                assert_eq!(lab.drops(), []);
            }
        }
    }
}
