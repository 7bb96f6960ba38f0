//! The forwarding database against a naive table, and the rules that Open vSwitch's users know.

use core::net::Ipv4Addr;
use core::time::Duration;

use ahash::RandomState;
use packet::{DropReason, Instant, InterfaceId, Mac, PortId, VlanId};
use proptest::prelude::*;

use super::*;

const AGEING: Duration = Duration::from_secs(300);

fn fdb(capacity: usize) -> Fdb {
    Fdb::new(RandomState::with_seeds(1, 2, 3, 4), capacity, AGEING)
}

fn mac(number: u64) -> Mac {
    Mac::from_u64(0x0200_0000_0000 | number)
}

const P1: PortId = PortId::new(1);
const P2: PortId = PortId::new(2);
const V0: VlanId = VlanId::UNTAGGED;

/// BR9.
#[test]
fn a_station_is_known_by_address_and_vlan() {
    let mut fdb = fdb(10);
    fdb.learn(Instant::ZERO, mac(1), V0, Location::Port(P1)).unwrap();
    fdb.learn(Instant::ZERO, mac(1), VlanId::MAX, Location::Port(P2)).unwrap();
    assert_eq!(fdb.find(mac(1), V0), Some(Location::Port(P1)));
    assert_eq!(fdb.find(mac(1), VlanId::MAX), Some(Location::Port(P2)));
    assert_eq!(fdb.find(mac(2), V0), None);
}

/// BR5.
#[test]
fn a_station_moves_at_once_and_the_move_is_counted() {
    let mut fdb = fdb(10);
    fdb.learn(Instant::ZERO, mac(1), V0, Location::Port(P1)).unwrap();
    fdb.learn(Instant::ZERO, mac(1), V0, Location::Port(P2)).unwrap();
    assert_eq!(fdb.find(mac(1), V0), Some(Location::Port(P2)));
    assert_eq!((fdb.counts.moved, fdb.len()), (1, 1));
    assert_eq!(fdb.flush(Some(P1)), 0);
    assert_eq!(fdb.flush(Some(P2)), 1);
}

/// BR5.
#[test]
fn static_and_own_entries_never_move_age_or_give_way() {
    let mut fdb = fdb(1);
    fdb.pin(Instant::ZERO, mac(1), V0, Location::Port(P1), StationOrigin::Static);
    let own = Location::Router(InterfaceId::new(0));
    fdb.pin(Instant::ZERO, mac(2), V0, own, StationOrigin::Own);
    assert_eq!(
        fdb.learn(Instant::ZERO, mac(1), V0, Location::Port(P2)),
        Err(DropReason::SourceIsStatic)
    );
    assert_eq!(
        fdb.learn(Instant::ZERO, mac(2), V0, Location::Port(P2)),
        Err(DropReason::SourceIsOurs)
    );
    assert_eq!(fdb.learn(Instant::ZERO, mac(1), V0, Location::Port(P1)), Ok(()));
    fdb.learn(Instant::ZERO, mac(3), V0, Location::Port(P2)).unwrap();
    fdb.learn(Instant::ZERO, mac(4), V0, Location::Port(P2)).unwrap();
    fdb.timeout(Instant::from_secs(10_000));
    fdb.flush(None);
    assert_eq!(fdb.find(mac(1), V0), Some(Location::Port(P1)));
    assert_eq!(fdb.find(mac(2), V0), Some(own));
    assert_eq!(fdb.stations(Instant::ZERO).len(), 2);
}

/// BR3.
#[test]
fn a_silent_station_is_forgotten_after_the_ageing_time_and_not_before() {
    let mut fdb = fdb(10);
    fdb.learn(Instant::ZERO, mac(1), V0, Location::Port(P1)).unwrap();
    fdb.learn(Instant::from_secs(200), mac(1), V0, Location::Port(P1)).unwrap();
    fdb.timeout(Instant::from_secs(499));
    assert!(fdb.find(mac(1), V0).is_some());
    let at = fdb.next_timeout().unwrap();
    assert_eq!(at, Instant::from_secs(501));
    fdb.timeout(at);
    assert_eq!(fdb.find(mac(1), V0), None);
    assert_eq!((fdb.counts.expired, fdb.next_timeout()), (1, None));
}

/// BR4.
#[test]
fn a_full_table_evicts_the_oldest_of_the_port_that_has_most() {
    let mut fdb = fdb(10);
    fdb.learn(Instant::ZERO, mac(0), V0, Location::Port(P2)).unwrap();
    for number in 1..10 {
        fdb.learn(Instant::from_secs(number), mac(number), V0, Location::Port(P1)).unwrap();
    }
    fdb.learn(Instant::from_secs(20), mac(1), V0, Location::Port(P1)).unwrap();
    fdb.learn(Instant::from_secs(30), mac(100), V0, Location::Port(P2)).unwrap();
    assert_eq!(fdb.find(mac(2), V0), None, "the least recently heard on port 1");
    assert!(fdb.find(mac(0), V0).is_some() && fdb.find(mac(1), V0).is_some());
    assert_eq!((fdb.counts.evicted, fdb.len()), (1, 10));
}

/// BR8.
#[test]
fn a_removed_port_takes_its_static_entries_along() {
    let mut fdb = fdb(10);
    fdb.pin(Instant::ZERO, mac(1), V0, Location::Port(P1), StationOrigin::Static);
    fdb.learn(Instant::ZERO, mac(2), V0, Location::Port(P1)).unwrap();
    fdb.learn(Instant::ZERO, mac(3), V0, Location::Port(P2)).unwrap();
    fdb.remove_port(P1);
    assert_eq!(fdb.stations(Instant::ZERO).len(), 1);
}

#[test]
fn four_slots_fill_a_cache_line() {
    assert_eq!((size_of::<Slot>(), align_of::<Slot>()), (16, 16));
}

/// BR3.
#[test]
fn a_station_that_speaks_often_is_remembered_to_the_second() {
    let mut fdb = fdb(10);
    for millis in (0..9_950).step_by(50) {
        fdb.learn(Instant::from_millis(millis), mac(1), V0, Location::Port(P1)).unwrap();
    }
    fdb.timeout(Instant::from_millis(309_900));
    assert!(fdb.find(mac(1), V0).is_some(), "silent for the ageing time");
    fdb.timeout(Instant::from_millis(310_900));
    assert_eq!(fdb.find(mac(1), V0), None, "silent for a second more");
}

/// BR5.
#[test]
fn a_station_is_known_to_speak_from_where_it_was_just_heard() {
    let mut fdb = fdb(10);
    let knows = |fdb: &Fdb, millis, port| fdb.knows(Instant::from_millis(millis), mac(1), V0, port);
    fdb.learn(Instant::from_millis(1_500), mac(1), V0, Location::Port(P1)).unwrap();
    assert!(knows(&fdb, 1_999, P1) && !knows(&fdb, 1_999, P2) && !knows(&fdb, 2_000, P1));
    fdb.learn(Instant::from_millis(1_600), mac(1), V0, Location::Port(P2)).unwrap();
    assert!(knows(&fdb, 1_999, P2) && !knows(&fdb, 1_999, P1));
    let beyond = Location::Remote { tunnel: P2, remote: Ipv4Addr::new(192, 0, 2, 1) };
    fdb.learn(Instant::from_millis(1_700), mac(1), V0, beyond).unwrap();
    assert!(!knows(&fdb, 1_999, P2) && fdb.find(mac(1), V0) == Some(beyond));
}

#[derive(Clone, Debug)]
enum Act {
    Learn(u64, u32),
    Forget(u64),
    Flush(u32),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0u64..24, 0u32..6).prop_map(|(mac, port)| Act::Learn(mac, port)),
        1 => (0u64..24).prop_map(Act::Forget),
        1 => (0u32..5).prop_map(Act::Flush),
        2 => (0u64..200).prop_map(Act::Wait),
    ]
}

/// Four ports, and two remote VTEPs of a tunnel.
fn place(number: u32) -> Location {
    match number {
        0..4 => Location::Port(PortId::new(number)),
        _ => Location::Remote {
            tunnel: PortId::new(4),
            remote: Ipv4Addr::new(192, 0, 2, number as u8),
        },
    }
}

proptest! {
    #[test]
    fn it_agrees_with_a_linear_table(acts in prop::collection::vec(act(), 0..200)) {
        let mut fdb = fdb(1000);
        let mut model: Vec<(u64, u32, u64)> = Vec::new();
        let mut now = 0;
        for act in acts {
            match act {
                Act::Learn(number, port) => {
                    fdb.learn(Instant::from_secs(now), mac(number), V0, place(port)).unwrap();
                    model.retain(|(known, _, _)| *known != number);
                    model.push((number, port, now));
                }
                Act::Forget(number) => {
                    let known = model.iter().any(|(known, _, _)| *known == number);
                    prop_assert_eq!(fdb.remove(mac(number), V0), known);
                    model.retain(|(known, _, _)| *known != number);
                }
                Act::Flush(port) => {
                    let port = PortId::new(port);
                    let stays = |at: u32| place(at).port() != Some(port);
                    let count = model.iter().filter(|(_, at, _)| !stays(*at)).count();
                    prop_assert_eq!(fdb.flush(Some(port)), count);
                    model.retain(|(_, at, _)| stays(*at));
                }
                Act::Wait(seconds) => {
                    now += seconds;
                    fdb.timeout(Instant::from_secs(now));
                    model.retain(|(_, _, heard)| now - heard < AGEING.as_secs() + 1);
                }
            }
            prop_assert_eq!(fdb.len(), model.len());
            for number in 0..24 {
                let expected = model.iter().find(|(known, _, _)| *known == number);
                let expected = expected.map(|(_, at, _)| place(*at));
                prop_assert_eq!(fdb.find(mac(number), V0), expected);
            }
        }
    }
}

/// BR5.
#[test]
fn who_is_bound_may_speak_from_its_own_place_where_nothing_is_learned() {
    let mut fdb = fdb(10);
    let (here, elsewhere) = (Location::Port(P1), Location::Port(P2));
    fdb.pin(Instant::ZERO, mac(1), V0, here, StationOrigin::Static);
    fdb.pin(Instant::ZERO, mac(2), V0, Location::Router(InterfaceId::new(0)), StationOrigin::Own);
    assert_eq!(fdb.allow(mac(1), V0, here), Ok(()));
    assert_eq!(fdb.allow(mac(1), V0, elsewhere), Err(DropReason::SourceIsStatic));
    assert_eq!(fdb.allow(mac(1), VlanId::MAX, elsewhere), Ok(()));
    assert_eq!(fdb.allow(mac(2), V0, here), Err(DropReason::SourceIsOurs));
    assert_eq!(fdb.allow(mac(3), V0, here), Ok(()));
    assert_eq!((fdb.counts.refused, fdb.len()), (1, 0), "and nothing is learned");
}
