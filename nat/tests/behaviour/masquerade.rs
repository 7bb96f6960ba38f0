//! Inside hosts behind one external address: mappings, ports, lifetimes, limits.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::*;
use crate::publish::web;
use packet::{DropReason, Protocol};
use tapswitch_nat::{Lifetimes, Limits, Mapping, Masquerade, PortRange, Publish, Rules};

#[test]
fn a_reply_comes_back_to_the_host_that_asked() {
    let mut router = Router::new();
    let sent = router.pass(s(1), udp((RED, 4000), (REMOTE, 53))).sent();
    assert_eq!(ends(&sent), ((EXTERNAL, 4000), (REMOTE, 53)));
    let back = router.pass(s(1), udp((REMOTE, 53), (EXTERNAL, 4000))).sent();
    assert_eq!(ends(&back), ((REMOTE, 53), (RED, 4000)));
}

#[test]
fn tcp_udp_and_echo_of_one_host_pass_side_by_side() {
    let mut router = Router::new();
    router.pass(s(1), udp((RED, 4000), (REMOTE, 80))).sent();
    router.pass(s(1), tcp((RED, 4000), (REMOTE, 80), SYN)).sent();
    router.pass(s(1), query(RED, REMOTE, 8, 4000)).sent();
    router.pass(s(1), query(RED, REMOTE, 13, 4000)).sent();
    assert_eq!(router.nat.stats().flows, 4);
    assert_eq!(router.nat.stats().ports, 3);
    let back = router.pass(s(1), query(REMOTE, EXTERNAL, 14, 4000)).sent();
    assert_eq!(back.destination(), RED);
}

/// NU1, NT1, NI1.
#[test]
fn one_inside_port_has_one_external_port_for_all_remotes() {
    let mut router = Router::new();
    router.map(s(1), (BLUE, 4000), (REMOTE, 53));
    let first = router.map(s(1), (RED, 4000), (REMOTE, 53));
    assert_ne!(first, 4000, "it is the other host's");
    for to in [(REMOTE, 54), (OTHER, 53), (OTHER, 54)] {
        assert_eq!(router.map(s(1), (RED, 4000), to), first);
    }
    let a = ports(&router.pass(s(1), query(BLUE, REMOTE, 8, 9)).sent());
    let b = ports(&router.pass(s(1), query(RED, REMOTE, 8, 9)).sent());
    let c = ports(&router.pass(s(1), query(RED, OTHER, 8, 9)).sent());
    assert!(a != b && b == c);
    assert_eq!(router.nat.stats().mappings, 4);
}

/// NU4, NU5.
#[test]
fn a_port_that_is_taken_gives_way_to_one_of_its_class_and_parity() {
    let mut router = Router::new();
    for port in [1u16, 52, 53, 1023, 1024, 4000, 65_535] {
        assert_eq!(router.map(s(1), (BLUE, port), (REMOTE, 9)), port);
        let other = router.map(s(1), (RED, port), (REMOTE, 9));
        assert_ne!(other, port);
        assert_eq!(other % 2, port % 2);
        assert_eq!(other < 1024, port < 1024, "{port} became {other}");
    }
}

/// NU3, NI8.
#[test]
fn when_the_range_is_used_up_the_next_is_refused_and_nobody_shares() {
    let ports = PortRange::new(5000, 5099);
    let parity = false;
    let rule = Masquerade { ports, parity, ..inside_rule() };
    let mut router = Router::with(vec![rule], vec![]);
    let used: BTreeSet<u16> =
        (0..100).map(|n| router.exchange(s(1), (RED, 10_000 + n), (REMOTE, 9))).collect();
    assert_eq!(used, (5000..5100).collect());
    let next = router.pass(s(1), udp((BLUE, 5000), (OTHER, 9))).refused();
    assert_eq!(next, DropReason::NatNoPort);
    let again = router.map(s(2), (RED, 10_000), (OTHER, 9));
    assert!(used.contains(&again), "a mapping serves new remotes");
    assert_eq!(router.nat.stats().refused.no_port, 1);
}

#[test]
fn a_range_of_one_port_serves_one_flow() {
    let rule = Masquerade { ports: PortRange::new(5001, 5001), ..inside_rule() };
    let mut router = Router::with(vec![rule], vec![]);
    let to = (REMOTE, 53);
    assert_eq!(router.exchange(s(0), (RED, 4001), to), 5001);
    let refused = router.pass(s(0), udp((RED, 4003), to)).refused();
    assert_eq!(refused, DropReason::NatNoPort);
}

/// NU3.
#[test]
fn all_ports_of_an_address_can_be_used() {
    let mut router = Router::new();
    let mut used = BTreeSet::new();
    for n in 0..64_512u32 {
        let from = if n % 2 == 0 { RED } else { BLUE };
        let port = 1024 + (n / 4 * 2 + n / 2 % 2) as u16;
        used.insert(router.exchange(s(1), (from, port), (REMOTE, 9)));
    }
    assert_eq!(used.len(), 64_512);
    let last = router.pass(s(1), udp((RED, 60_000), (REMOTE, 9))).refused();
    assert_eq!(last, DropReason::NatNoPort);
}

/// NC3.
#[test]
fn a_freed_port_rests_before_another_host_gets_it() {
    let ports = PortRange::new(5000, 5001);
    let rule = Masquerade { ports, parity: false, ..inside_rule() };
    let mut router = Router::with(vec![rule], vec![]);
    assert_eq!(router.map(s(0), (RED, 5000), (REMOTE, 9)), 5000);
    router.nat.timeout(s(301));
    assert_eq!(router.nat.stats().ports, 0);
    assert_eq!(router.map(s(400), (BLUE, 5000), (REMOTE, 9)), 5001, "the other one is free");
    assert_eq!(router.map(s(400), (RED, 5000), (REMOTE, 9)), 5000, "its own host may");
    router.nat.timeout(s(701));
    assert_eq!(router.map(s(822), (BLUE, 5000), (REMOTE, 9)), 5000, "120 seconds later");
    assert_eq!(router.map(s(822), (BLUE, 5002), (REMOTE, 9)), 5001);
    router.nat.timeout(s(1200));
    router.map(s(1200), (RED, 5000), (REMOTE, 9));
    assert_eq!(router.map(s(1200), (RED, 5001), (REMOTE, 9)), 5001, "there is no other");
}

#[test]
fn address_and_port_dependent_mapping_shares_a_port_between_remotes() {
    let rule = Masquerade { mapping: Mapping::AddressAndPortDependent, ..inside_rule() };
    let mut router = Router::with(vec![rule], vec![]);
    assert_eq!(router.map(s(1), (RED, 4000), (REMOTE, 53)), 4000);
    assert_eq!(router.map(s(1), (BLUE, 4000), (OTHER, 53)), 4000);
    let clash = router.map(s(1), (BLUE, 4000), (REMOTE, 53));
    assert_ne!(clash, 4000);
    for (remote, host) in [(REMOTE, RED), (OTHER, BLUE)] {
        let back = router.pass(s(1), udp((remote, 53), (EXTERNAL, 4000))).sent();
        assert_eq!(ends(&back).1, (host, 4000));
    }
    let stranger = router.pass(s(1), udp((REMOTE, 54), (EXTERNAL, 4000))).refused();
    assert_eq!(stranger, DropReason::NatFiltered);
    assert_eq!(router.nat.stats().ports, 2);
    assert_eq!(router.nat.flush(0..u32::MAX, |_| false), 3);
    assert_eq!(router.nat.stats().ports, 0);
}

/// NU6, NU7.
#[test]
fn udp_lives_300_seconds_after_its_last_packet() {
    let mut router = Router::new();
    router.map(s(0), (RED, 4000), (REMOTE, 53));
    router.map(s(299), (RED, 4000), (REMOTE, 53));
    router.pass(s(598), udp((REMOTE, 53), (EXTERNAL, 4000))).sent();
    router.nat.timeout(s(897));
    assert_eq!(router.nat.stats().flows, 1);
    let late = router.pass(s(898), udp((REMOTE, 53), (EXTERNAL, 4000)));
    assert!(late.is_local(), "the flow ended, though nobody called expire: {late:?}");
    assert_eq!(router.nat.stats().expired, 1);
    assert!(!lines(&router.nat, s(897)).iter().any(|line| line.contains("udp")));
}

/// NI2.
#[test]
fn an_echo_flow_lives_60_seconds() {
    let mut router = Router::new();
    router.pass(s(0), query(RED, REMOTE, 8, 1)).sent();
    router.pass(s(59), query(REMOTE, EXTERNAL, 0, 1)).sent();
    router.nat.timeout(s(118));
    assert_eq!(router.nat.stats().flows, 1);
    router.nat.timeout(s(119));
    assert_eq!(router.nat.stats().flows, 0);
    assert_eq!(router.nat.next_timeout(), None);
}

#[test]
fn profiles_change_lifetimes() {
    let mut router = Router::new();
    router.nat.set_lifetimes(Lifetimes::LINUX);
    router.map(s(0), (RED, 4000), (REMOTE, 53));
    let expires = |router: &Router| router.nat.flows(s(0)).next().unwrap().expires_in;
    assert_eq!(expires(&router), Duration::from_secs(30));
    router.pass(s(0), udp((REMOTE, 53), (EXTERNAL, 4000))).sent();
    router.map(s(0), (RED, 4000), (REMOTE, 53));
    assert_eq!(expires(&router), Duration::from_secs(120));
    router.nat.set_lifetimes(Lifetimes::OVS);
    router.map(s(0), (RED, 4000), (REMOTE, 53));
    assert_eq!(expires(&router), Duration::from_secs(30));
}

/// NC1.
#[test]
fn an_excepted_destination_sees_the_inside_address() {
    let except = vec![net("198.51.100.0/24")];
    let rule = Masquerade { except, ..inside_rule() };
    let mut router = Router::with(vec![rule], vec![]);
    let sent = router.pass(s(1), udp((RED, 4000), (OTHER, 53))).sent();
    assert_eq!(sent.source(), RED);
    assert_eq!(router.nat.stats().flows, 0);
    router.map(s(1), (RED, 4000), (REMOTE, 53));
}

#[test]
fn the_first_rule_that_covers_a_packet_decides() {
    let narrow = Masquerade {
        source: net("192.168.0.2/32"),
        ports: PortRange::new(7000, 7009),
        ..inside_rule()
    };
    let mut router = Router::with(vec![narrow, inside_rule()], vec![]);
    assert!((7000..7010).contains(&router.map(s(1), (RED, 4000), (REMOTE, 53))));
    assert_eq!(router.map(s(1), (BLUE, 4000), (REMOTE, 53)), 4000);
}

#[test]
fn without_an_external_address_covered_packets_are_refused() {
    let mut router = Router::new();
    router.external = None;
    let reason = router.pass(s(1), udp((RED, 4000), (REMOTE, 53))).refused();
    assert_eq!(reason, DropReason::NatNoAddress);
    assert_eq!(router.nat.stats().flows, 0);
}

/// NC2, NC4, NI8.
#[test]
fn limits_refuse_the_new_and_keep_the_living() {
    let mut router = Router::new();
    router.nat.set_limits(Limits { flows: 3, flows_per_host: 2 });
    router.exchange(s(0), (RED, 1), (REMOTE, 53));
    router.exchange(s(0), (RED, 2), (REMOTE, 53));
    let reason = router.pass(s(0), udp((RED, 3), (REMOTE, 53))).refused();
    assert_eq!(reason, DropReason::NatHostLimit);
    for port in [1, 2] {
        router.exchange(s(100), (RED, port), (REMOTE, 53));
    }
    router.exchange(s(100), (BLUE, 1), (REMOTE, 53));
    let reason = router.pass(s(100), udp((BLUE, 2), (REMOTE, 53))).refused();
    assert_eq!(reason, DropReason::NatTableFull);
    router.pass(s(100), udp((REMOTE, 53), (EXTERNAL, 1))).sent();
    assert_eq!(router.nat.stats().mappings, 3, "a refused flow leaves no mapping");
    // A full table looks for flows that are idle.
    router.pass(s(105), udp((BLUE, 1), (REMOTE, 53))).sent();
    router.map(s(111), (BLUE, 2), (REMOTE, 53));
    assert!(router.pass(s(111), udp((REMOTE, 53), (EXTERNAL, 1))).is_local(), "gone");
    assert_eq!(router.nat.stats().hosts, 2);
}

/// NC4.
#[test]
fn at_its_limit_a_host_trades_its_oldest_ended_connection_for_a_new_flow() {
    let mut router = Router::new();
    router.nat.set_limits(Limits { flows: 100, flows_per_host: 3 });
    let connect = |router: &mut Router, port, end: Option<u8>| {
        router.pass(s(1), tcp((RED, port), (REMOTE, 80), SYN)).sent();
        router.pass(s(1), tcp((REMOTE, 80), (EXTERNAL, port), SYN | ACK)).sent();
        router.pass(s(1), tcp((RED, port), (REMOTE, 80), ACK)).sent();
        if let Some(flags) = end {
            router.pass(s(1), tcp((RED, port), (REMOTE, 80), flags)).sent();
        }
    };
    connect(&mut router, 2001, Some(RST));
    connect(&mut router, 2002, Some(RST));
    connect(&mut router, 2003, None);
    // The first goes on after all: both sides have spoken behind a reset that was forged.
    router.pass(s(1), tcp((RED, 2001), (REMOTE, 80), ACK)).sent();
    router.pass(s(1), tcp((REMOTE, 80), (EXTERNAL, 2001), ACK)).sent();
    router.exchange(s(2), (RED, 2004), (REMOTE, 53));
    let left: Vec<u16> = router.nat.flows(s(2)).map(|flow| flow.original.source_port).collect();
    assert!(!left.contains(&2002), "the only one that had ended: {left:?}");
    let reason = router.pass(s(2), udp((RED, 2005), (REMOTE, 53))).refused();
    assert_eq!(reason, DropReason::NatHostLimit, "none has ended");
    for port in [2001, 2003] {
        router.pass(s(3), tcp((REMOTE, 80), (EXTERNAL, port), ACK)).sent();
    }
    // Another host's ended connections are not for it to take.
    router.pass(s(3), tcp((BLUE, 3001), (REMOTE, 80), SYN)).sent();
    router.pass(s(3), tcp((BLUE, 3001), (REMOTE, 80), RST)).sent();
    let reason = router.pass(s(3), udp((RED, 2005), (REMOTE, 53))).refused();
    assert_eq!(reason, DropReason::NatHostLimit);
    assert_eq!(router.nat.stats().evicted, 1);
}

#[test]
fn a_protocol_without_ports_has_one_flow_for_each_remote() {
    let mut router = Router::new();
    let gre = Protocol(47);
    let sent = router.pass(s(1), raw(RED, REMOTE, gre, &[1, 2, 3])).sent();
    assert_eq!(sent.source(), EXTERNAL);
    let back = router.pass(s(1), raw(REMOTE, EXTERNAL, gre, &[])).sent();
    assert_eq!(back.destination(), RED);
    let second = router.pass(s(1), raw(BLUE, REMOTE, gre, &[])).refused();
    assert_eq!(second, DropReason::NatNoPort);
    router.pass(s(1), raw(BLUE, OTHER, gre, &[])).sent();
}

/// NU15.
#[test]
fn a_udp_checksum_of_zero_stays_zero() {
    let mut router = Router::new();
    let bytes = [0x0f, 0xa0, 0, 53, 0, 8, 0, 0];
    let sent = router.pass(s(1), raw(RED, REMOTE, Protocol::UDP, &bytes)).sent();
    assert_eq!(sent.payload()[6..8], [0, 0]);
    assert_eq!(sent.source(), EXTERNAL);
}

#[test]
fn partial_checksums_stay_partial_and_right() {
    let mut router = Router::new();
    router.map(s(1), (BLUE, 4000), (REMOTE, 80));
    router.pass(s(1), tcp((BLUE, 4000), (REMOTE, 80), SYN)).sent();
    let sent = router.pass(s(1), partial_tcp((RED, 4000), (REMOTE, 80), SYN)).sent();
    assert!(sent.frame().offload().span().is_some());
    let (source, port) = ends(&sent).0;
    assert!(source == EXTERNAL && port != 4000);
    let back = partial_tcp((REMOTE, 80), (EXTERNAL, port), SYN | ACK);
    assert_eq!(ends(&router.pass(s(1), back).sent()).1, (RED, 4000));
}

/// NC12.
#[test]
fn a_port_that_is_published_while_it_rests_goes_to_nobody_else() {
    let ports = PortRange::new(40_000, 40_000);
    let rule = Masquerade { ports, parity: false, ..inside_rule() };
    let mut router = Router::with(vec![rule.clone()], vec![]);
    let (near, far) = ((RED, 5), (REMOTE, 80));
    let sent = router.pass(s(1), udp(near, far)).sent();
    assert_eq!(ends(&sent).0, (EXTERNAL, 40_000));
    router.nat.timeout(s(400));
    let stats = router.nat.stats();
    assert_eq!((stats.flows, stats.mappings), (0, 0), "the port rests");
    let publish = vec![Publish { port: 40_000, ..web(Protocol::UDP) }];
    router.nat.set_rules(Rules { masquerade: vec![rule], publish });
    for host in [BLUE, RED] {
        let reason = router.pass(s(401), udp((host, 5), far)).refused();
        assert_eq!(reason, DropReason::NatNoPort);
    }
}

#[test]
fn more_flows_than_one_expiry_looks_at_end_in_several() {
    let mut router = Router::new();
    for n in 0..10_000u16 {
        router.map(s(0), (RED, 2000 + n), (REMOTE, 53));
    }
    let mut rounds = 0;
    while router.nat.next_timeout().is_some_and(|at| at <= s(300)) {
        router.nat.timeout(s(300));
        rounds += 1;
    }
    assert_eq!(router.nat.stats().flows, 0);
    assert!((10..13).contains(&rounds), "{rounds}");
}

#[test]
fn the_same_seed_chooses_the_same_ports() {
    let ports = |_| {
        let mut router = Router::new();
        router.map(s(1), (BLUE, 4000), (REMOTE, 53));
        let taken: Vec<u16> = (0..9)
            .map(|n| {
                let from = (std::net::Ipv4Addr::new(192, 168, 0, 10 + n), 4000);
                router.map(s(1), from, (REMOTE, 53))
            })
            .collect();
        taken
    };
    assert_eq!(ports(0), ports(1));
}
