//! Published ports: services inside under the router's address.

use std::net::SocketAddrV4;

use packet::{DropReason, Protocol};
use tapswitch_nat::{Listen, Publish, Rules};

use crate::common::*;

pub(crate) fn web(protocol: Protocol) -> Publish {
    Publish {
        protocol,
        listen: Listen::Address(EXTERNAL),
        port: 8080,
        to: SocketAddrV4::new(RED, 80),
        keep: false,
    }
}

fn router() -> Router {
    let publish = vec![web(Protocol::TCP), web(Protocol::UDP)];
    Router::with(vec![inside_rule()], publish)
}

#[test]
fn a_published_port_leads_inside_and_its_answers_come_from_it() {
    let mut router = router();
    let sent = router.pass(s(1), tcp((OTHER, 9), (EXTERNAL, 8080), SYN)).sent();
    assert_eq!(ends(&sent), ((OTHER, 9), (RED, 80)));
    let back = router.pass(s(1), tcp((RED, 80), (OTHER, 9), SYN | ACK)).sent();
    assert_eq!(ends(&back), ((EXTERNAL, 8080), (OTHER, 9)));
    let sent = router.pass(s(1), udp((OTHER, 9), (EXTERNAL, 8080))).sent();
    assert_eq!(ends(&sent).1, (RED, 80));
    assert!(router.pass(s(1), tcp((OTHER, 9), (EXTERNAL, 8081), SYN)).is_local());
}

#[test]
fn what_cannot_begin_a_connection_to_a_published_port_is_refused() {
    let mut router = router();
    for flags in [RST, FIN | ACK, SYN | ACK, 0] {
        let segment = tcp((OTHER, 9), (EXTERNAL, 8080), flags);
        assert_eq!(router.pass(s(1), segment).refused(), DropReason::NatNoFlow);
    }
    router.pass(s(1), tcp((OTHER, 9), (EXTERNAL, 8080), ACK)).sent();
}

#[test]
fn no_mapping_gets_a_published_port() {
    let mut router = router();
    assert_ne!(router.map(s(1), (BLUE, 8080), (REMOTE, 9)), 8080);
    router.nat.set_rules(Rules { masquerade: vec![inside_rule()], publish: vec![] });
    assert_eq!(router.map(s(1), (RED, 8080), (REMOTE, 9)), 8080);
    let rules = Rules {
        masquerade: vec![inside_rule()],
        publish: vec![Publish { listen: Listen::Any, port: 9090, ..web(Protocol::UDP) }],
    };
    router.nat.set_rules(rules);
    assert_ne!(router.map(s(1), (RED, 9090), (REMOTE, 9)), 9090);
}

#[test]
fn a_published_port_answers_inside_hosts_of_other_subnets_directly() {
    let rule = Publish { listen: Listen::Any, ..web(Protocol::TCP) };
    let mut router = Router::with(vec![inside_rule()], vec![rule]);
    let sent = router.pass(s(1), tcp((GREEN, 9), (EXTERNAL, 8080), SYN)).sent();
    assert_eq!(ends(&sent), ((GREEN, 9), (RED, 80)), "no rule covers green");
    let back = router.pass(s(1), tcp((RED, 80), (GREEN, 9), SYN | ACK)).sent();
    assert_eq!(ends(&back), ((EXTERNAL, 8080), (GREEN, 9)));
}

#[test]
fn rules_that_come_to_cover_a_published_flow_stop_it_rather_than_leak() {
    let mut router = router();
    let (client, listener, server) = ((GREEN, 9), (EXTERNAL, 8080), (RED, 80));
    router.pass(s(1), tcp(client, listener, SYN)).sent();
    router.pass(s(1), tcp(server, client, SYN | ACK)).sent();
    router.pass(s(1), tcp(client, listener, ACK)).sent();
    router.pass(s(1), udp(client, listener)).sent();
    let mut masquerade = vec![inside_rule()];
    masquerade.push(tapswitch_nat::Masquerade::new(net("192.168.1.0/24"), BR0));
    let publish = [Protocol::UDP, Protocol::TCP].map(web).to_vec();
    router.nat.set_rules(Rules { masquerade, publish });
    let reason = router.pass(s(2), tcp(client, listener, ACK)).refused();
    assert_eq!(reason, DropReason::NatNoFlow, "established, and would leak");
    assert_eq!(ends(&router.pass(s(2), udp(client, listener)).sent()).0, (GATEWAY, 9));
    let sent = router.pass(s(2), udp((GREEN, 10), (EXTERNAL, 8080))).sent();
    assert_eq!(ends(&sent), ((GATEWAY, 10), (RED, 80)), "new ones get both ends translated");
    let back = router.pass(s(2), udp((RED, 80), (GATEWAY, 10))).sent();
    assert_eq!(ends(&back), ((EXTERNAL, 8080), (GREEN, 10)));
}
