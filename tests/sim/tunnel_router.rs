//! The router and tunnels: routed packets through one, ARP over it, and far ends as neighbours and
//! hosts.

use core::time::Duration;

use lab::tunnel::encapsulated;
use lab::wire::{announcement, arp_reply, arp_request, frame};
use lab::{Lab, Packet, Port, Tunnel};
use packet::{DropReason, Mac};
use switch::Notice;
use switch::change::Hop;
use switch::view::Location;

use crate::common::{FAR, FARTHER, far_hello, hello, sent_to, stranger};

/// A peer on the routed port `left`, and beyond a tunnel of `br0`, where the router has 10.9.0.1/24
/// with room for 1450 bytes, whoever a test wants.
fn lab() -> Lab {
    let mut lab = Lab::new(7);
    lab.bridge("br0");
    lab.router("br0", "10.9.0.1/24");
    lab.router_mtu("br0", 1450);
    lab.station("red", Port::on("br0"));
    lab.peer("left", Port::routed("192.168.0.1/24"), "192.168.0.2");
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR).to(FARTHER));
    lab.clear();
    lab.datagrams();
    lab
}

/// Takes what left through tunnels, and gives the far end and the packet of each datagram that has
/// one: the router also asks whether who spoke first is still there.
fn packets(lab: &mut Lab) -> Vec<(String, Packet)> {
    let datagrams = lab.datagrams().into_iter();
    let packet =
        |datagram: lab::Datagram| Some((datagram.remote.to_string(), datagram.inside().packet()?));
    datagrams.filter_map(packet).collect()
}

fn packet(to: &str, len: usize) -> Packet {
    Packet::udp("192.168.0.2:1000", &*format!("{to}:53"), &vec![0x5a; len - 28]).id(9)
}

/// A far station answers the router's question for an address.
fn answer(lab: &mut Lab, remote: &str, mac: Mac, address: &str) {
    let router = lab.router_mac("br0");
    let reply = arp_reply(mac, address, router, "10.9.0.1");
    lab.from_remote(remote, &encapsulated(42, &frame(router, mac).arp(&reply)));
}

#[test]
fn the_router_asks_every_remote_and_sends_to_the_one_that_answers() {
    let mut lab = lab();
    lab.ip("left", &packet("10.9.0.9", 100));
    let questions = lab.datagrams();
    let far: Vec<_> = questions.iter().map(|question| question.remote.to_string()).collect();
    assert_eq!(far, [FAR, FARTHER]);
    let asked = questions[0].inside().arp().unwrap();
    assert_eq!(
        (asked.target.to_string(), asked.sender.to_string()),
        ("10.9.0.9".into(), "10.9.0.1".into())
    );
    assert_eq!(lab.switch().totals().held, 1);
    answer(&mut lab, FARTHER, stranger(1), "10.9.0.9");
    let sent = lab.datagrams();
    assert_eq!((sent.len(), sent[0].remote.to_string()), (1, FARTHER.into()));
    let inside = sent[0].inside();
    assert_eq!((inside.destination(), inside.source()), (stranger(1), lab.router_mac("br0")));
    assert_eq!(inside.packet().unwrap(), packet("10.9.0.9", 100).ttl(63));
}

#[test]
fn a_far_station_reaches_through_the_router_and_pings_it() {
    let mut lab = lab();
    let router = lab.router_mac("br0");
    let request = arp_request(stranger(1), "10.9.0.9", "10.9.0.1");
    lab.from_remote(FAR, &encapsulated(42, &frame(Mac::BROADCAST, stranger(1)).arp(&request)));
    let reply = lab.datagrams().remove(0);
    assert_eq!(
        (reply.remote.to_string(), reply.inside().arp().unwrap().sender_mac),
        (FAR.into(), router)
    );
    let ping = Packet::ping("10.9.0.9", "10.9.0.1", 1, 1);
    lab.from_remote(FAR, &encapsulated(42, &frame(router, stranger(1)).ip(&ping)));
    let (remote, pong) = packets(&mut lab).remove(0);
    assert_eq!((&*remote, pong.kind()), (FAR, (0, 0)));
    let udp = Packet::udp("10.9.0.9:53", "192.168.0.2:1000", b"over there");
    lab.from_remote(FAR, &encapsulated(42, &frame(router, stranger(1)).ip(&udp)));
    assert_eq!(lab.packet("left"), udp.ttl(63));
}

/// VX6: the router cuts to its own MTU; the tunnel never does.
#[test]
fn the_router_fragments_to_its_own_mtu_or_tells_the_sender() {
    let mut lab = lab();
    lab.ip("left", &packet("10.9.0.9", 1460));
    answer(&mut lab, FAR, stranger(1), "10.9.0.9");
    let pieces: Vec<_> = lab.datagrams().iter().filter_map(|sent| sent.inside().packet()).collect();
    assert_eq!(pieces.len(), 2);
    assert!(pieces.iter().all(|piece| piece.is_fragment() && piece.bytes().len() <= 1450));
    lab.ip("left", &packet("10.9.0.9", 1460).df());
    assert_eq!(lab.datagrams(), []);
    let told = lab.packet("left");
    assert_eq!((told.kind(), told.next_hop_mtu()), ((3, 4), 1450));
    assert_eq!(lab.drops(), [("left", DropReason::FragmentationNeeded, 1)]);
}

/// VX6: a tunnel may take less than the interface in front of it.
#[test]
fn the_router_cuts_to_the_tunnel_or_tells_the_sender() {
    let mut lab = lab();
    lab.router_mtu("br0", 1500);
    // While they wait for an answer nobody knows that a tunnel is ahead.
    let (whole, marked) = (packet("10.9.0.9", 1460), packet("10.9.0.9", 1460).df());
    for packet in [&whole, &marked] {
        lab.ip("left", packet);
    }
    for round in 1..=3 {
        match round {
            1 => answer(&mut lab, FAR, stranger(1), "10.9.0.9"),
            _ => [&whole, &marked].into_iter().for_each(|packet| lab.ip("left", packet)),
        }
        let sent = packets(&mut lab);
        let pieces: Vec<_> = sent.iter().filter(|(_, piece)| piece.is_fragment()).collect();
        assert_eq!((sent.len(), pieces.len()), (2, 2), "{sent:?}");
        assert!(pieces.iter().all(|(far, piece)| far == FAR && piece.bytes().len() <= 1450));
        let told = lab.packet("left");
        assert_eq!((told.kind(), told.next_hop_mtu()), ((3, 4), 1450));
        assert_eq!((told.quote().from(), told.quote().to()), (marked.from(), marked.to()));
        assert_eq!(lab.dropped("left", DropReason::ExceedsTunnelMtu), round);
        if round == 2 {
            lab.masquerade("192.168.0.0/24", "br0");
        }
    }
    lab.ip("left", &packet("10.9.0.9", 1450).df());
    assert_eq!(packets(&mut lab).len(), 1);
    assert!(lab.packets("left").is_empty());
}

/// A route onto the segment may lead beyond the interface's subnets: whoever is asked there answers
/// and is believed.
#[test]
fn a_neighbour_beyond_the_subnets_answers_through_a_tunnel() {
    let mut lab = lab();
    lab.route_to("198.51.100.0/24", Hop::Interface(lab.interface_id("br0")));
    lab.ip("left", &packet("198.51.100.7", 100));
    assert_eq!(lab.datagrams().len(), 2);
    answer(&mut lab, FAR, stranger(1), "198.51.100.7");
    let sent = lab.datagrams();
    assert_eq!((sent.len(), sent[0].remote.to_string()), (1, FAR.into()));
    assert_eq!(sent[0].inside().packet().unwrap().destination.to_string(), "198.51.100.7");
}

/// VX11: from one far end to another is no way on the bridge; a routed packet is the router's own.
#[test]
fn the_router_may_answer_to_a_remote_what_came_from_another() {
    let mut lab = lab();
    let router = lab.router_mac("br0");
    for (remote, number) in [(FAR, 1), (FARTHER, 2)] {
        let address = format!("10.9.0.{number}0");
        let request = arp_request(stranger(number), &*address, "10.9.0.1");
        lab.from_remote(
            remote,
            &encapsulated(42, &frame(Mac::BROADCAST, stranger(number)).arp(&request)),
        );
    }
    lab.datagrams();
    let udp = Packet::udp("10.9.0.10:1", "10.9.0.20:2", b"through the router");
    lab.from_remote(FAR, &encapsulated(42, &frame(router, stranger(1)).ip(&udp)));
    assert_eq!(packets(&mut lab), [(FARTHER.into(), udp.ttl(63))]);
}

/// VX9: the router's own MAC is nobody else's.
#[test]
fn a_remote_cannot_take_the_router_s_place() {
    let mut lab = lab();
    let router = lab.router_mac("br0");
    far_hello(&mut lab, FAR, Mac::BROADCAST, router);
    let red = lab.mac("red");
    far_hello(&mut lab, FAR, red, router);
    assert_eq!(lab.drops(), [("vx0", DropReason::SourceIsOurs, 2)]);
    assert_eq!(lab.location("br0", 0, router), Some("router"));
    let (interface, tunnel) = (lab.interface_id("br0"), lab.port_id("vx0"));
    let from = Location::Remote { tunnel, remote: FAR.parse().unwrap() };
    let told = Notice::OwnSource { interface, station: router, from };
    assert_eq!(lab.notices(), [told], "once, with the far end's name");
    lab.run_for(Duration::from_secs(60));
    far_hello(&mut lab, FAR, Mac::BROADCAST, router);
    assert_eq!(lab.notices(), [told], "and again a minute later");
    let claim = announcement(stranger(1), "10.9.0.1");
    lab.from_remote(FAR, &encapsulated(42, &frame(Mac::BROADCAST, stranger(1)).arp(&claim)));
    assert_eq!(lab.switch().totals().arp_conflicts, 1);
    let defence = lab.datagrams().remove(0).inside().arp().unwrap();
    assert_eq!((defence.sender_mac, defence.sender.to_string()), (router, "10.9.0.1".into()));
}

#[test]
fn a_tunnel_that_comes_up_hears_the_router_s_addresses() {
    let mut lab = lab();
    lab.down("vx0");
    lab.up("vx0");
    let said = lab.datagrams();
    assert_eq!(said.len(), 2, "one for each far end");
    assert!(said.iter().all(|said| said.inside().arp().unwrap().is_announcement()));
}

#[test]
fn a_masqueraded_host_beyond_a_tunnel_has_its_answers() {
    let mut lab = lab();
    lab.masquerade("10.9.0.0/24", "left");
    let router = lab.router_mac("br0");
    let request = arp_request(stranger(1), "10.9.0.9", "10.9.0.1");
    lab.from_remote(FAR, &encapsulated(42, &frame(Mac::BROADCAST, stranger(1)).arp(&request)));
    lab.datagrams();
    let query = Packet::udp("10.9.0.9:5000", "192.168.0.2:53", b"?");
    lab.from_remote(FAR, &encapsulated(42, &frame(router, stranger(1)).ip(&query)));
    let seen = lab.packet("left");
    assert_eq!(seen.source.to_string(), "192.168.0.1");
    lab.ip("left", &Packet::udp(seen.to(), seen.from(), b"!"));
    let (_, answer) = packets(&mut lab).remove(0);
    assert_eq!((answer.to().to_string(), answer.data()), ("10.9.0.9:5000".into(), &b"!"[..]));
    lab.send("red", &hello(stranger(1), lab.mac("red")));
    assert_eq!(sent_to(&mut lab), [("vx0".into(), FAR.into())]);
}
