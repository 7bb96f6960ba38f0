//! Flows by what they are: which of them a filter means, listed and ended, as conntrack(8) has it.

use lab::wire::{SYN, SYN_ACK};
use lab::{Lab, Packet, Port};
use nat::{FlowView, Mapping};
use packet::{Ipv4Net, Protocol};
use switch::Change;
use switch::change::{ALL_FLOWS, Behind, FlowFilter, FlowRule};

use crate::common::masqueraded;

const CLIENT: &str = "198.51.100.9:40000";
const LISTENER: &str = "203.0.113.1:8080";

/// Flows of four kinds: red asks by UDP and by ping, blue by TCP, and a client has come to red's
/// published port.
fn busy() -> Lab {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    lab.ip("red", &Packet::udp("192.168.0.2:5000", "198.51.100.9:53", b"?"));
    lab.ip("red", &Packet::ping("192.168.0.2", "198.51.100.7", 77, 1));
    lab.ip("blue", &Packet::tcp("192.168.0.3:6000", "198.51.100.7:443", SYN, b""));
    lab.ip("wan", &Packet::tcp("198.51.100.7:443", "203.0.113.1:6000", SYN_ACK, b""));
    lab.ip("wan", &Packet::tcp(CLIENT, LISTENER, SYN, b""));
    lab.ip("red", &Packet::tcp("192.168.0.2:80", CLIENT, SYN_ACK, b""));
    assert_eq!(lab.flows().len(), 4);
    lab
}

/// A word for each flow: "udp", "icmp", "out" and "in".
fn kinds(flows: &[FlowView]) -> Vec<&'static str> {
    let kind = |flow: &FlowView| match flow.protocol {
        Protocol::UDP => "udp",
        Protocol::ICMP => "icmp",
        _ if flow.is_src_nat => "out",
        _ => "in",
    };
    let mut kinds: Vec<_> = flows.iter().map(kind).collect();
    kinds.sort_unstable();
    kinds
}

fn net(text: &str) -> Option<Ipv4Net> {
    Some(text.parse().unwrap())
}

/// Lists by a filter, ends by it, and sees that one comes to the other and nothing else is gone.
fn meant(filter: &FlowFilter) -> Vec<&'static str> {
    meant_in(busy(), filter)
}

fn meant_in(mut lab: Lab, filter: &FlowFilter) -> Vec<&'static str> {
    let listed = lab.switch().flows_of(lab.now(), filter, ALL_FLOWS);
    let mut all = lab.flows();
    lab.change(Change::EndFlows(filter.clone(), ALL_FLOWS));
    all.retain(|flow| !listed.contains(flow));
    assert_eq!(lab.flows(), all, "those that were not listed are left");
    kinds(&listed)
}

fn any() -> FlowFilter {
    FlowFilter::default()
}

#[test]
fn a_filter_without_keys_means_every_flow() {
    assert_eq!(meant(&any()), ["icmp", "in", "out", "udp"]);
}

#[test]
fn flows_are_meant_by_protocol_addresses_and_ports_of_the_original_direction() {
    let tcp = FlowFilter { protocol: Some(Protocol::TCP), ..any() };
    assert_eq!(meant(&tcp), ["in", "out"]);
    assert_eq!(meant(&FlowFilter { source: net("192.168.0.2/32"), ..any() }), ["icmp", "udp"]);
    let to_the_listener = FlowFilter { destination: net("203.0.113.1/32"), ..any() };
    assert_eq!(meant(&to_the_listener), ["in"]);
    let to_the_server = FlowFilter { destination: net("192.168.0.2/32"), ..any() };
    assert!(meant(&to_the_server).is_empty(), "that is the reply direction's source");
    assert_eq!(meant(&FlowFilter { source_port: Some(6000), ..any() }), ["out"]);
    assert_eq!(meant(&FlowFilter { destination_port: Some(8080), ..any() }), ["in"]);
    let identifier = FlowFilter { source_port: Some(77), ..any() };
    assert!(meant(&identifier).is_empty(), "an identifier is no port");
    let both = FlowFilter { source: net("192.168.0.2/32"), destination_port: Some(53), ..any() };
    assert_eq!(meant(&both), ["udp"]);
    assert!(meant(&FlowFilter { source_port: Some(53), ..both }).is_empty(), "all keys must fit");
}

#[test]
fn a_network_means_every_address_in_it_whatever_its_host_bits() {
    for inside in ["192.168.0.0/24", "192.168.0.77/24", "192.168.0.2/31", "128.0.0.0/1"] {
        let expected = if inside == "128.0.0.0/1" {
            &["icmp", "in", "out", "udp"][..]
        } else {
            &["icmp", "out", "udp"]
        };
        assert_eq!(meant(&FlowFilter { source: net(inside), ..any() }), expected, "{inside}");
    }
    let everywhere = FlowFilter { destination: net("0.0.0.0/0"), ..any() };
    assert_eq!(meant(&everywhere), ["icmp", "in", "out", "udp"]);
    assert!(meant(&FlowFilter { source: net("192.168.1.0/24"), ..any() }).is_empty());
}

#[test]
fn flows_are_meant_by_what_is_translated_and_to_which_address() {
    let everywhere = net("0.0.0.0/0");
    let source = FlowFilter { src_nat: everywhere, ..any() };
    assert_eq!(meant(&source), ["icmp", "out", "udp"]);
    assert_eq!(meant(&FlowFilter { dst_nat: everywhere, ..any() }), ["in"]);
    let both = FlowFilter { src_nat: everywhere, dst_nat: everywhere, ..any() };
    assert!(meant(&both).is_empty(), "both at once, as conntrack");
    assert_eq!(meant(&FlowFilter { any_nat: everywhere, ..any() }).len(), 4);
    assert_eq!(meant(&FlowFilter { src_nat: net("203.0.113.1/32"), ..any() }).len(), 3);
    assert!(meant(&FlowFilter { src_nat: net("203.0.113.2/32"), ..any() }).is_empty());
    assert_eq!(meant(&FlowFilter { dst_nat: net("192.168.0.2/32"), ..any() }), ["in"]);
    assert_eq!(meant(&FlowFilter { any_nat: net("192.168.0.0/24"), ..any() }), ["in"]);
}

#[test]
fn a_hairpin_is_translated_at_both_ends() {
    let mut lab = busy();
    lab.ip("blue", &Packet::tcp("192.168.0.3:7000", LISTENER, SYN, b""));
    let everywhere = net("0.0.0.0/0");
    let both = FlowFilter { src_nat: everywhere, dst_nat: everywhere, ..any() };
    let listed = lab.switch().flows_of(lab.now(), &both, ALL_FLOWS);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].original.source_port, 7000);
}

#[test]
fn flows_are_meant_by_the_rule_that_translates_them() {
    let of = |rule| FlowFilter { rule: Some(rule), ..any() };
    assert_eq!(meant(&of(FlowRule::Masquerade(0))), ["icmp", "out", "udp"]);
    assert_eq!(meant(&of(FlowRule::Publish(0))), ["in"]);
    assert!(meant(&of(FlowRule::Masquerade(1))).is_empty(), "there is no second");
    assert!(meant(&of(FlowRule::Publish(1))).is_empty());

    let mut lab = crate::common::home();
    let mut first = lab.rule("192.168.0.0/28", "wan");
    first.except = vec!["198.51.100.7/32".parse().unwrap()];
    first.mapping = Mapping::AddressAndPortDependent;
    lab.masquerade_with(first);
    lab.masquerade("192.168.0.0/24", "wan");
    lab.ip("red", &Packet::udp("192.168.0.2:5000", "198.51.100.9:53", b"?"));
    lab.ip("blue", &Packet::tcp("192.168.0.3:6000", "198.51.100.7:443", SYN, b""));
    let listed = |at| lab.switch().flows_of(lab.now(), &of(FlowRule::Masquerade(at)), ALL_FLOWS);
    assert_eq!(kinds(&listed(0)), ["udp"]);
    assert_eq!(kinds(&listed(1)), ["out"], "the first rule excepts where it goes");
}

#[test]
fn what_came_in_to_a_mapping_is_of_the_rule_that_made_it() {
    let mut lab = crate::common::home();
    let mut open = lab.rule("192.168.0.0/24", "wan");
    open.filtering = nat::Filtering::EndpointIndependent;
    lab.masquerade_with(open);
    lab.ip("red", &Packet::udp("192.168.0.2:5000", "198.51.100.9:53", b"?"));
    lab.ip("wan", &Packet::udp("198.51.100.77:9", "203.0.113.1:5000", b"me too"));
    assert_eq!(lab.flows().len(), 2);
    let filter = FlowFilter { rule: Some(FlowRule::Masquerade(0)), ..any() };
    assert_eq!(lab.switch().flows_of(lab.now(), &filter, ALL_FLOWS).len(), 2);
}

#[test]
fn what_a_published_service_sends_by_itself_is_of_its_rule_too() {
    let mut lab = busy();
    lab.ip("red", &Packet::tcp("192.168.0.2:80", "198.51.100.7:25", SYN, b""));
    let own = lab.flows().into_iter().find(|flow| flow.original.destination_port == 25).unwrap();
    assert_eq!(own.reply.destination_port, 8080, "it leaves from where it is reached");
    for (rule, expected) in [
        (FlowRule::Publish(0), &["in", "out"][..]),
        (FlowRule::Masquerade(0), &["icmp", "out", "out", "udp"]),
    ] {
        let filter = FlowFilter { rule: Some(rule), ..any() };
        assert_eq!(kinds(&lab.switch().flows_of(lab.now(), &filter, ALL_FLOWS)), expected);
    }
}

#[test]
fn flows_are_meant_by_the_port_that_an_end_is_behind() {
    let lab = busy();
    let behind = |port: &str, addresses: &[&str]| {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let behind = Some(Behind { port: lab.port_id(port), addresses });
        FlowFilter { behind, ..any() }
    };
    assert_eq!(meant(&behind("red", &[])), ["icmp", "in", "udp"]);
    assert_eq!(meant(&behind("blue", &[])), ["out"]);
    assert_eq!(meant(&behind("wan", &[])), ["icmp", "in", "out", "udp"]);
    // Of somebody who has been silent for so long that nobody remembers, what is written remains.
    let quiet = || {
        let mut lab = busy();
        lab.change(Change::FlushNeighbors);
        lab
    };
    assert!(meant_in(quiet(), &behind("blue", &[])).is_empty());
    assert_eq!(meant_in(quiet(), &behind("blue", &["192.168.0.3"])), ["out"]);
}

#[test]
fn an_end_beyond_a_tunnel_is_behind_the_tunnel() {
    let mut lab = crate::common::tunnelled();
    lab.router("br0", "192.168.0.1/24");
    lab.peer("wan", Port::routed("203.0.113.1/24"), "203.0.113.254");
    lab.masquerade("192.168.0.0/24", "wan");
    let (far, router) = (crate::common::stranger(1), lab.router_mac("br0"));
    let asked = Packet::udp("192.168.0.9:5000", "203.0.113.254:53", b"?");
    let arp = lab::wire::arp_request(far, "192.168.0.9", "192.168.0.1");
    for frame in [lab::wire::frame(router, far).arp(&arp), lab::wire::frame(router, far).ip(&asked)]
    {
        lab.from_remote(crate::common::FAR, &lab::tunnel::encapsulated(42, &frame));
    }
    assert_eq!(lab.flows().len(), 1);
    let behind = |port: &str| FlowFilter {
        behind: Some(Behind { port: lab.port_id(port), addresses: Vec::new() }),
        ..any()
    };
    let listed = |port| lab.switch().flows_of(lab.now(), &behind(port), ALL_FLOWS).len();
    assert_eq!((listed("red"), listed("wan"), listed("vx0")), (0, 1, 1));
}

#[test]
fn a_flow_that_was_ended_lets_no_answer_in_and_gives_its_port_back() {
    let mut lab = busy();
    let filter = FlowFilter { protocol: Some(Protocol::UDP), ..any() };
    let before = lab.switch().nat_stats().ports;
    lab.change(Change::EndFlows(filter, ALL_FLOWS));
    lab.clear();
    lab.ip("wan", &Packet::udp("198.51.100.9:53", "203.0.113.1:5000", b"!"));
    assert!(lab.packets("red").is_empty());
    let stats = lab.switch().nat_stats();
    assert_eq!((stats.ports, stats.flushed), (before - 1, 1));
}
