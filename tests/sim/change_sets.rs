//! Several changes at once: all of them or none, and flows that they end by the thousand.

use core::net::Ipv4Addr;

use lab::{Lab, Packet, fuzz};
use nat::Rules;
use packet::{Instant, InterfaceId, Ipv4Net};
use proptest::prelude::*;
use switch::change::{Hop, Reject, Route};
use switch::{Change, ChangeError, Event, Outbox, Switch};

use crate::common::masqueraded;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_change_set_comes_to_its_changes_and_a_refused_one_to_nothing(
        bytes in prop::collection::vec(any::<u8>(), 60..700),
    ) {
        fuzz::change_sets(&bytes);
    }
}

fn route(number: u32) -> Change {
    let to = Ipv4Net::new_assert(Ipv4Addr::from_bits(0x0b00_0000 + (number << 8)), 24);
    Change::SetRoute(Route { to, hop: Hop::Reject(Reject::Blackhole) })
}

#[test]
fn routes_of_one_set_are_all_there_or_none() {
    let mut switch = Switch::new(1);
    let (now, mut out) = (Instant::from_secs(1), Outbox::new(1));
    let nowhere = Hop::Interface(InterfaceId::new(7));
    let mut changes: Vec<Change> = (0..65_536).map(route).collect();
    switch.apply_all(now, changes.clone(), &mut out).unwrap();
    assert_eq!(switch.routes().len(), 65_536);
    let to = Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8);
    changes = (0..10).map(|number| Change::DeleteRoute(to_of(&route(number)))).collect();
    changes.push(Change::SetRoute(Route { to, hop: nowhere }));
    let refused = switch.apply_all(now, changes, &mut out);
    assert_eq!(refused, Err(ChangeError::NoInterface(InterfaceId::new(7))));
    assert_eq!(switch.routes().len(), 65_536);
}

fn to_of(change: &Change) -> Ipv4Net {
    match change {
        Change::SetRoute(route) => route.to,
        other => unreachable!("no route: {other:?}"),
    }
}

#[test]
fn what_was_prepared_for_another_configuration_is_prepared_anew() {
    let mut switch = Switch::new(1);
    let (now, mut out) = (Instant::from_secs(1), Outbox::new(1));
    let mut first = switch.draft().prepare(vec![route(1)]).unwrap();
    let mut second = switch.draft().prepare(vec![route(2)]).unwrap();
    switch.commit(now, &mut first, &mut out).unwrap();
    switch.commit(now, &mut second, &mut out).unwrap();
    assert_eq!(switch.routes().len(), 2);
}

/// A masqueraded lab with so many flows of red's.
fn busy(flows: u16) -> Lab {
    let mut lab = masqueraded();
    lab.limits(100_000, 100_000);
    for port in 0..flows {
        let from = format!("192.168.0.2:{}", 5000 + port);
        lab.ip("red", &Packet::udp(&*from, "198.51.100.9:53", b"?"));
    }
    lab.clear();
    lab
}

/// More than one sweep looks at.
const MANY: u16 = 2_100;

#[test]
fn many_flows_that_a_change_ends_are_gone_at_once_and_taken_out_by_the_timer() {
    let mut lab = busy(MANY);
    lab.set_rules(Rules::default());
    assert!(lab.switch().is_sweeping());
    assert!(lab.flows().is_empty(), "none is listed");
    lab.ip("wan", &Packet::udp("198.51.100.9:53", "203.0.113.1:6000", b"!"));
    assert!(lab.packets("red").is_empty(), "and none lets an answer in");
    assert!(lab.switch().nat_stats().flows > 0);
    assert!(lab.switch().next_timeout().is_some_and(|at| at <= lab.now()), "more is to do");
    while lab.switch().is_sweeping() {
        lab.step(Event::Timeout);
    }
    let stats = lab.switch().nat_stats();
    assert_eq!((stats.flows, stats.ports, stats.flushed), (0, 0, u64::from(MANY)));
}

#[test]
fn flows_that_a_change_leaves_alone_and_those_born_behind_it_are_not_swept() {
    let mut lab = busy(MANY);
    let rules = lab.rules().clone();
    lab.set_rules(Rules::default());
    lab.set_rules(rules);
    // Ended between the two, though the rules are what they were; but this one is a new flow.
    lab.ip("red", &Packet::udp("192.168.0.2:6000", "198.51.100.9:53", b"?"));
    assert_eq!(lab.flows().len(), 1);
    while lab.switch().is_sweeping() {
        lab.step(Event::Timeout);
    }
    is_answered(&mut lab);
}

/// Sees that the one flow there is lets its answer in.
fn is_answered(lab: &mut Lab) {
    let flows = lab.flows();
    assert_eq!(flows.len(), 1);
    let to = format!("203.0.113.1:{}", flows[0].reply.destination_port);
    lab.clear();
    lab.ip("wan", &Packet::udp("198.51.100.9:53", &*to, b"!"));
    assert_eq!(lab.packets("red").len(), 1);
}

#[test]
fn an_address_that_goes_ends_its_flows_and_one_that_comes_back_has_ports() {
    let mut lab = busy(MANY);
    let id = lab.interface_id("wan");
    let old = lab.interface_settings("wan");
    let moved = vec![Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 9), 24)];
    let elsewhere = switch::change::InterfaceSettings { addresses: moved, ..old.clone() };
    lab.change(Change::SetInterface(id, elsewhere));
    lab.change(Change::SetInterface(id, old));
    assert!(lab.flows().is_empty());
    lab.ip("red", &Packet::udp("192.168.0.2:6000", "198.51.100.9:53", b"?"));
    while lab.switch().is_sweeping() {
        lab.step(Event::Timeout);
    }
    is_answered(&mut lab);
}
