//! Flows as `conntrack -L` prints them.

use packet::Protocol;

use crate::common::*;
use crate::publish::web;

#[test]
fn lines_are_those_of_conntrack() {
    let mut router = Router::new();
    router.nat.set_lifetimes(tapswitch_nat::Lifetimes::LINUX);
    let at = s(5);
    router.pass(at, tcp((RED, 40_000), (REMOTE, 80), SYN)).sent();
    router.pass(at, tcp((REMOTE, 80), (EXTERNAL, 40_000), SYN | ACK)).sent();
    router.pass(at, tcp((RED, 40_000), (REMOTE, 80), ACK)).sent();
    router.pass(at, udp((RED, 4000), (REMOTE, 53))).sent();
    router.pass(at, query(RED, REMOTE, 8, 77)).sent();
    router.pass(at, query(REMOTE, EXTERNAL, 0, 77)).sent();
    router.pass(at, raw(RED, REMOTE, Protocol(47), &[0; 4])).sent();
    router.pass(at, raw(RED, REMOTE, Protocol(50), &[0; 8])).sent();
    assert_eq!(
        lines(&router.nat, packet::Instant::from_millis(5900)),
        [
            "tcp      6 431999 ESTABLISHED src=192.168.0.2 dst=203.0.113.254 sport=40000 dport=80 \
             src=203.0.113.254 dst=203.0.113.1 sport=80 dport=40000 [ASSURED] mark=0 use=1",
            "udp      17 29 src=192.168.0.2 dst=203.0.113.254 sport=4000 dport=53 [UNREPLIED] \
             src=203.0.113.254 dst=203.0.113.1 sport=53 dport=4000 mark=0 use=1",
            "icmp     1 29 src=192.168.0.2 dst=203.0.113.254 type=8 code=0 id=77 \
             src=203.0.113.254 dst=203.0.113.1 type=0 code=0 id=77 mark=0 use=1",
            "gre      47 599 src=192.168.0.2 dst=203.0.113.254 srckey=0x0 dstkey=0x0 [UNREPLIED] \
             src=203.0.113.254 dst=203.0.113.1 srckey=0x0 dstkey=0x0 mark=0 use=1",
            "unknown  50 599 src=192.168.0.2 dst=203.0.113.254 [UNREPLIED] \
             src=203.0.113.254 dst=203.0.113.1 mark=0 use=1",
        ]
    );
}

#[test]
fn counters_count_packets_and_bytes_each_way() {
    let mut router = Router::new();
    for _ in 0..3 {
        router.pass(s(1), udp((RED, 4000), (REMOTE, 53))).sent();
    }
    router.pass(s(1), udp((REMOTE, 53), (EXTERNAL, 4000))).sent();
    let flow = router.nat.flows(s(1)).next().unwrap();
    assert_eq!((flow.original.packets, flow.original.bytes), (3, 99));
    assert_eq!((flow.reply.packets, flow.reply.bytes), (1, 33));
    assert!(flow.is_src_nat && !flow.is_dst_nat);
}

#[test]
fn a_flow_says_which_of_its_ends_is_translated() {
    let mut router = Router::with(vec![inside_rule()], vec![web(Protocol::UDP)]);
    // Two queries with one identifier: the second's is translated, which is its source's alone.
    for packet in [
        query(RED, REMOTE, 8, 77),
        query(BLUE, REMOTE, 8, 77),
        udp((RED, 4000), (REMOTE, 53)),
        udp((REMOTE, 5), (EXTERNAL, 8080)),
    ] {
        router.pass(s(1), packet).sent();
    }
    let flows = router.nat.flows(s(1));
    let translated: Vec<_> = flows.map(|flow| (flow.is_src_nat, flow.is_dst_nat)).collect();
    assert_eq!(translated, [(true, false), (true, false), (true, false), (false, true)]);
}

#[test]
fn flows_that_are_not_kept_are_flushed() {
    let mut router = Router::new();
    for port in 1..=10 {
        router.map(s(1), (RED, port), (REMOTE, 53));
    }
    let flushed = router.nat.flush(0..u32::MAX, |flow| flow.original.source_port > 4);
    assert_eq!(flushed, 4);
    assert_eq!(router.nat.flows(s(1)).count(), 6);
}
