//! Who makes room at the limits, in tables as large as they are by default.

use std::net::Ipv4Addr;

use packet::{DropReason, Instant, Ipv4, PortId, Protocol};
use tapswitch_nat::{Limits, Mapping, Masquerade, PortRange};

use crate::common::*;
use crate::publish::web;

const RED_PORT: PortId = PortId::new(10);
const BLUE_PORT: PortId = PortId::new(11);

/// A router that publishes red's port 80, with the limits that are usual.
fn router() -> Router {
    let mut router =
        Router::with(vec![inside_rule()], [Protocol::UDP, Protocol::TCP].map(web).to_vec());
    router.nat.set_limits(Limits::default());
    router
}

fn millis(at: u64) -> Instant {
    Instant::from_millis(at)
}

/// An address that nobody had before.
fn stranger(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0d00_0001 + n)
}

/// An inside address under which somebody may speak.
fn made_up(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(192, 168, 0, 16)) + n % 200)
}

impl Router {
    fn by(&mut self, now: Instant, port: PortId, packet: Ipv4) -> Outcome {
        self.pass_by(now, packet, BR0, port)
    }

    fn number(&self) -> u64 {
        let refused = self.nat.stats().refused;
        refused.no_port + refused.table_full + refused.host_limit
    }
}

/// NC12.
#[test]
fn ended_connections_hold_no_port() {
    let mut router = router();
    router.nat.set_limits(Limits { flows: 262_144, flows_per_host: 16_384 });
    for n in 0..64_512u32 {
        let now = millis(u64::from(n) * 3);
        let host = (Ipv4Addr::from(u32::from(RED) + n % 5), 1024 + (n / 5) as u16);
        let server = (Ipv4Addr::from(u32::from(OTHER) + n % 50), 80);
        let sent = router.pass(now, tcp(host, server, SYN)).sent();
        router.pass(now, tcp(server, ends(&sent).0, RST | ACK)).sent();
    }
    for host in 2..7 {
        let host = (Ipv4Addr::new(192, 168, 0, host), 60_000);
        router.pass(s(200), tcp(host, (OTHER, 443), SYN)).sent();
    }
    assert_eq!(router.number(), 0);
}

/// NC12.
#[test]
fn a_range_of_ports_that_ended_connections_hold_serves_the_next() {
    let rule = Masquerade { ports: PortRange::new(40_000, 40_001), ..inside_rule() };
    let mut router = Router::with(vec![rule], vec![]);
    for n in 0..20 {
        let (near, far) =
            ((RED, 40_000 + n), (Ipv4Addr::from(u32::from(OTHER) + u32::from(n)), 80));
        let sent = router.pass(s(u64::from(n)), tcp(near, far, SYN)).sent();
        router.pass(s(u64::from(n)), tcp(far, ends(&sent).0, RST | ACK)).sent();
    }
    router.pass(s(30), tcp((BLUE, 5), (OTHER, 80), SYN)).sent();
    assert_eq!(router.nat.stats().flows, 2);
}

/// NC12.
#[test]
fn a_server_is_reached_though_ended_connections_to_it_hold_every_port() {
    let mapping = Mapping::AddressAndPortDependent;
    let ports = PortRange::new(40_000, 40_001);
    let mut router = Router::with(vec![Masquerade { mapping, ports, ..inside_rule() }], vec![]);
    for port in 1..=5 {
        let sent = router.pass(s(1), tcp((RED, port), (OTHER, 80), SYN)).sent();
        router.pass(s(1), tcp((OTHER, 80), ends(&sent).0, RST | ACK)).sent();
    }
    let stats = router.nat.stats();
    assert_eq!((stats.flows, stats.created, stats.evicted), (2, 5, 3));
}

/// NC13.
#[test]
fn outsiders_who_begin_and_never_answer_keep_nobody_out() {
    let mut router = router();
    let (friend, listener, server) = ((OTHER, 40_000), (EXTERNAL, 8080), (RED, 80));
    router.pass(s(0), tcp(friend, listener, SYN)).sent();
    router.pass(s(0), tcp(server, friend, SYN | ACK)).sent();
    router.pass(s(0), tcp(friend, listener, ACK)).sent();
    for n in 0..300_000u32 {
        let now = millis(1000 + u64::from(n) / 70);
        router.pass(now, tcp((stranger(n), 1024), listener, SYN)).sent();
    }
    router.pass(s(6), tcp((REMOTE, 40_000), listener, SYN)).sent();
    router.pass(s(6), tcp(server, (REMOTE, 40_000), SYN | ACK)).sent();
    router.pass(s(6), udp((RED, 1234), (OTHER, 53))).sent();
    assert_eq!(ends(&router.pass(s(6), tcp(friend, listener, ACK)).sent()).1, server);
    assert_eq!(router.number(), 0);
}

/// NC13: as many as the server may have flows of its own, and it still has all of them.
#[test]
fn what_outsiders_begin_is_not_charged_to_the_server() {
    let mut router = router();
    router.nat.set_limits(Limits { flows: 100, flows_per_host: 3 });
    for n in 0..20 {
        router.pass(s(1), tcp((stranger(n), 9), (EXTERNAL, 8080), SYN)).sent();
        router.pass(s(1), tcp((RED, 80), (stranger(n), 9), SYN | ACK)).sent();
        router.pass(s(1), tcp((stranger(n), 9), (EXTERNAL, 8080), ACK)).sent();
    }
    for port in 1..=3 {
        router.pass(s(1), udp((RED, port), (REMOTE, 9))).sent();
        router.pass(s(1), udp((REMOTE, 9), (EXTERNAL, port))).sent();
    }
    assert_eq!(router.pass(s(1), udp((RED, 4), (REMOTE, 9))).refused(), DropReason::NatHostLimit);
    for port in 10..13 {
        router.pass(s(1), udp((OTHER, port), (EXTERNAL, 8080))).sent();
        router.pass(s(1), udp((RED, 80), (OTHER, port))).sent();
    }
    let own = router.pass(s(1), udp((OTHER, 13), (EXTERNAL, 8080))).refused();
    assert_eq!(own, DropReason::NatHostLimit, "an outsider has its own limit");
}

/// A tenth of what is usual, for a tenth of 100 queries a second.
const TENTH: Limits = Limits { flows: 26_214, flows_per_host: 1638 };

/// NC12: each query from a new port, each answered.
#[test]
fn a_resolver_inside_asks_for_an_hour() {
    let mut router = router();
    router.nat.set_limits(TENTH);
    for n in 0..36_000u32 {
        let now = millis(u64::from(n) * 100);
        let (near, far) = ((RED, 1024 + (n * 7919 % 64_000) as u16), (stranger(n % 5000), 53));
        let asked = router.pass(now, udp(near, far)).sent();
        let answer = router.pass(now, udp(far, ends(&asked).0)).sent();
        assert_eq!(ends(&answer).1, near);
    }
    assert_eq!(router.number(), 0);
    assert_eq!(router.nat.stats().flows, TENTH.flows_per_host);
}

/// NC13.
#[test]
fn a_published_resolver_answers_ever_new_clients_for_an_hour() {
    let mut router = router();
    router.nat.set_limits(TENTH);
    for n in 0..36_000u32 {
        let now = millis(u64::from(n) * 100);
        let client = (stranger(n), 1024 + (n % 60_000) as u16);
        router.pass(now, udp(client, (EXTERNAL, 8080))).sent();
        let answer = router.pass(now, udp((RED, 80), client)).sent();
        assert_eq!(ends(&answer), ((EXTERNAL, 8080), client));
    }
    assert_eq!(router.number(), 0);
}

/// NC14: blue has a query on its way, an exchange and a connection; red floods; blue keeps them and
/// begins others.
fn flood(limits: Limits, packets: u32, source: impl Fn(u32) -> (Ipv4Addr, u16)) {
    let mut router = router();
    router.nat.set_limits(limits);
    let server = (REMOTE, 53);
    router.by(s(1), BLUE_PORT, udp((BLUE, 5001), server)).sent();
    router.by(s(1), BLUE_PORT, udp((BLUE, 5002), server)).sent();
    router.pass(s(1), udp(server, (EXTERNAL, 5002))).sent();
    router.by(s(1), BLUE_PORT, tcp((BLUE, 5003), server, SYN)).sent();
    router.pass(s(1), tcp(server, (EXTERNAL, 5003), SYN | ACK)).sent();
    router.by(s(1), BLUE_PORT, tcp((BLUE, 5003), server, ACK)).sent();
    for n in 0..packets {
        let now = s(2) + std::time::Duration::from_nanos(u64::from(n) * 20_000);
        drop(router.by(now, RED_PORT, udp(source(n), (OTHER, 9))));
    }
    let now = s(9);
    for port in [5001, 5002] {
        let answer = router.pass(now, udp(server, (EXTERNAL, port))).sent();
        assert_eq!(ends(&answer).1, (BLUE, port));
    }
    let segment = router.pass(now, tcp(server, (EXTERNAL, 5003), ACK)).sent();
    assert_eq!(ends(&segment).1, (BLUE, 5003));
    for port in 6000..6100 {
        let sent = router.by(now, BLUE_PORT, udp((BLUE, port), server)).sent();
        let answer = router.pass(now, udp(server, ends(&sent).0)).sent();
        assert_eq!(ends(&answer).1, (BLUE, port));
    }
}

/// NC14.
#[test]
fn who_sends_under_its_neighbours_address_takes_nothing_from_it() {
    flood(Limits::default(), 20_000, |n| (BLUE, 10_000 + n as u16));
}

/// NC14.
#[test]
fn who_makes_up_its_sources_takes_nothing_from_its_neighbour() {
    flood(Limits::default(), 20_000, |n| (made_up(n), 10_000 + (n / 200) as u16));
    // More than there are ports, and more than there are flows.
    flood(Limits::default(), 150_000, |n| (made_up(n), 1024 + (n % 64_000) as u16));
    let small = Limits { flows: 2000, flows_per_host: 500 };
    flood(small, 20_000, |n| (made_up(n), 10_000 + (n / 200) as u16));
}

/// NC14: whoever answers what it makes up, a port of the switch leaves something for the others.
#[test]
fn a_guest_with_a_friend_outside_leaves_room_for_its_neighbour() {
    let mut router = router();
    router.nat.set_limits(Limits { flows: 2000, flows_per_host: 500 });
    let mut refused = 0;
    for n in 0..3000u32 {
        let (near, far) = ((made_up(n), 1024 + (n / 200) as u16), (OTHER, 80));
        let Outcome::Sent(syn, _) = router.by(s(1), RED_PORT, tcp(near, far, SYN)) else {
            refused += 1;
            continue;
        };
        router.pass(s(1), tcp(far, ends(&syn).0, SYN | ACK)).sent();
        router.by(s(1), RED_PORT, tcp(near, far, ACK)).sent();
    }
    assert!(refused > 1000);
    for port in 6000..6020 {
        router.by(s(2), BLUE_PORT, udp((BLUE, port), (REMOTE, 53))).sent();
    }
    assert_eq!(router.nat.flows(s(2)).filter(|flow| flow.assured).count(), 3000 - refused);
}
