//! The two steps of a packet one by one, and what is looked up ahead of them.

use std::net::SocketAddrV4;

use packet::{DropReason, Ipv4, Protocol};
use tapswitch_nat::{Arrival, CachedHop, Departure, Publish, Rules};

use crate::common::*;
use crate::publish::web;

/// A packet that waits between its two steps, while another of its flow goes on or the rules
/// change.
#[test]
fn a_packet_whose_flow_began_meanwhile_follows_it_or_is_refused() {
    let arrival = |packet: &Ipv4, interface| Arrival {
        interface,
        owner: Router::owner(packet.destination()),
        port: None,
    };
    let through = |router: &mut Router, packets: [Ipv4; 2], interface, to, rules: Option<Rules>| {
        let [first, second] = packets;
        let arrivals = [&first, &second].map(|packet| arrival(packet, interface));
        let first = router.nat.inbound(s(1), first, arrivals[0]).unwrap();
        if let Some(rules) = rules {
            router.nat.set_rules(rules);
        }
        let second = router.nat.inbound(s(1), second, arrivals[1]).unwrap();
        let departure = Departure { interface: to, external: router.external };
        let first = router.nat.outbound(s(1), first, arrivals[0], departure).unwrap().into_packet();
        let second = router.nat.outbound(s(1), second, arrivals[1], departure);
        (first, second.map(|sent| sent.into_packet()).map_err(|dropped| dropped.reason))
    };
    for packet in [|| udp((RED, 4000), (REMOTE, 53)), || query(RED, REMOTE, 8, 77)] {
        let mut router = Router::new();
        // The wish is another's, so that the flow has another port or identifier outside.
        router.pass(s(1), udp((BLUE, 4000), (REMOTE, 53))).sent();
        router.pass(s(1), query(BLUE, REMOTE, 8, 77)).sent();
        let (first, second) = through(&mut router, [packet(), packet()], BR0, WAN, None);
        assert_eq!(ends(&first), ends(&second.unwrap()));
        let flow = router.nat.flows(s(1)).last().unwrap();
        assert_eq!((router.nat.stats().flows, flow.original.packets), (3, 2));
    }
    let packet = || udp((REMOTE, 5), (EXTERNAL, 8080));
    let to = |host, port| Rules {
        masquerade: vec![inside_rule()],
        publish: vec![Publish { to: SocketAddrV4::new(host, port), ..web(Protocol::UDP) }],
    };
    for (host, port) in [(RED, 81), (BLUE, 80), (BLUE, 81)] {
        let Rules { masquerade, publish } = to(RED, 80);
        let mut router = Router::with(masquerade, publish);
        let rules = Some(to(host, port));
        let (first, second) = through(&mut router, [packet(), packet()], WAN, BR0, rules);
        assert_eq!(ends(&first).1, (RED, 80));
        assert_eq!(second.unwrap_err(), DropReason::NatNoFlow, "it goes to {host}:{port}");
    }
}

#[test]
fn the_hash_of_a_packet_leads_to_its_flow_and_what_is_cached_with_it() {
    let mut router = Router::new();
    let packet = |port| udp((RED, port), (REMOTE, 53));
    let hint = |router: &Router, port| {
        router.nat.flow_hash(packet(port).ip()).and_then(|hash| router.nat.flow_hint(hash))
    };
    assert_eq!(hint(&router, 4000), None);
    for port in [4000, 4001] {
        router.pass(s(1), packet(port)).sent();
    }
    let hints = [hint(&router, 4000), hint(&router, 4001)];
    assert!(hints.iter().all(Option::is_some) && hints[0] != hints[1], "{hints:?}");
    let arrival = Arrival { interface: BR0, owner: None, port: None };
    let departure = Departure { interface: WAN, external: router.external };
    let destined = router.nat.inbound(s(1), packet(4000), arrival).unwrap();
    let sent = router.nat.outbound(s(1), destined, arrival, departure).unwrap();
    router.nat.cache_hop(sent.flow().unwrap(), CachedHop(7));
    for (port, hop) in [(4000, CachedHop(7)), (4001, CachedHop::default())] {
        let lookup = router.nat.lookup(s(1), &packet(port)).unwrap();
        assert_eq!(router.nat.cached_hop_of(&lookup), Some(hop));
    }
}
