//! Who gives way in a full table, against a walk over all entries; and who is believed.

use proptest::prelude::*;

use super::*;
use core::net::Ipv4Addr;
use packet::{InterfaceId, PortId};

const SECOND: Duration = Duration::from_secs(1);

fn neighbors(capacity: usize) -> Neighbors {
    Neighbors { capacity, ..Neighbors::new(RandomState::with_seeds(1, 2, 3, 4)) }
}

fn key(host: u8) -> Key {
    Key::new(InterfaceId::new(0), Ipv4Addr::new(10, 0, 0, host))
}

fn account(port: u8) -> Account {
    Account::from(port.checked_sub(1).map(|port| PortId::new(u32::from(port))))
}

fn mac(number: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, number])
}

/// Who gives way, found by looking at everything.
fn first_to_go(neighbors: &Neighbors) -> Option<Key> {
    let all = || neighbors.table.iter().filter(|(_, n)| n.state != NeighborState::Static);
    let count = |account| all().filter(|(_, n)| n.account == account).count();
    let most = all().map(|(_, n)| (count(n.account), core::cmp::Reverse(n.account))).max()?.1.0;
    let rank = |state| match state {
        NeighborState::Failed => 0,
        NeighborState::Stale => 1,
        NeighborState::Incomplete => 2,
        NeighborState::Probe => 3,
        NeighborState::Reachable | NeighborState::Static => 4,
    };
    let of_most = all().filter(|(_, n)| n.account == most);
    of_most.min_by_key(|(key, n)| (rank(n.state), n.at, **key)).map(|(key, _)| *key)
}

#[derive(Clone, Debug)]
enum Act {
    Use(u8, u8),
    Hear(u8, u8, bool, u8),
    Bind(u8),
    Forget(u8),
    Wait(u16),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0u8..20, 0u8..4).prop_map(|(host, port)| Act::Use(host, port)),
        6 => (0u8..20, 0u8..3, any::<bool>(), 0u8..4).prop_map(|(h, m, a, p)| Act::Hear(h, m, a, p)),
        1 => (0u8..20).prop_map(Act::Bind),
        1 => (0u8..20).prop_map(Act::Forget),
        3 => (0u16..5000).prop_map(Act::Wait),
    ]
}

proptest! {
    #[test]
    fn who_gives_way_is_who_a_walk_over_all_finds(acts in prop::collection::vec(act(), 0..200)) {
        let (mut neighbors, mut now) = (neighbors(6), Instant::from_secs(100));
        for act in acts {
            let (full, first) = (neighbors.table.len() == 6, first_to_go(&neighbors));
            let is_new = |host| !neighbors.table.contains_key(&key(host));
            let makes_room = match &act {
                Act::Use(host, _) | Act::Hear(host, ..) | Act::Bind(host) => full && is_new(*host),
                Act::Forget(_) | Act::Wait(_) => false,
            };
            let evicted = match act {
                Act::Use(host, port) => match neighbors.resolve(now, key(host), account(port)) {
                    Resolution::Ask { evicted } => evicted,
                    _ => None,
                },
                Act::Hear(host, from, answered, port) => {
                    match neighbors.update(now, key(host), mac(from), answered, Some(account(port))) {
                        Merged::Resolved { evicted } => evicted,
                        _ => None,
                    }
                }
                Act::Bind(host) => neighbors.pin(key(host), mac(host)).unwrap_or(None),
                Act::Forget(host) => {
                    neighbors.remove(key(host));
                    None
                }
                Act::Wait(millis) => {
                    now += Duration::from_millis(u64::from(millis));
                    while neighbors.due(now).is_some() {}
                    None
                }
            };
            prop_assert_eq!(evicted, first.filter(|_| makes_room));
            prop_assert!(neighbors.table.len() <= 6);
            prop_assert_eq!(neighbors.accounts.first_to_go(), first_to_go(&neighbors));
        }
    }
}

/// Reachable since the 100th second.
fn reachable() -> Neighbors {
    let mut neighbors = neighbors(6);
    let now = Instant::from_secs(100);
    neighbors.resolve(now, key(1), account(1));
    assert_eq!(
        neighbors.update(now, key(1), mac(1), true, None),
        Merged::Resolved { evicted: None }
    );
    neighbors
}

#[test]
fn a_claim_makes_at_most_one_question_a_second() {
    let (mut neighbors, mut asked) = (reachable(), 0);
    for tenth in 0..100 {
        let now = Instant::from_secs(100) + SECOND / 10 * tenth;
        if let Some(Due::Probe(_, to)) = neighbors.due(now) {
            assert_eq!(to, mac(1));
            asked += 1;
            neighbors.update(now, key(1), mac(1), true, None);
        }
        let claim = neighbors.update(now, key(1), mac(9), true, None);
        let Merged::Claimed { known, ask } = claim else { panic!("{claim:?}") };
        assert_eq!(known, mac(1));
        if ask {
            asked += 1;
            neighbors.update(now, key(1), mac(1), true, None);
        }
    }
    assert!((8..=10).contains(&asked), "{asked} questions in ten seconds");
    assert_eq!(neighbors.known(key(1)), Some(mac(1)));
}

#[test]
fn who_no_longer_answers_for_a_claimed_address_is_forgotten_within_two_seconds() {
    for after in [Duration::from_millis(10), SECOND * 20] {
        let mut neighbors = reachable();
        let claimed = Instant::from_secs(100) + after;
        neighbors.update(claimed, key(1), mac(2), false, None);
        assert_eq!(neighbors.known(key(1)), Some(mac(1)), "used meanwhile");
        let mut now = claimed;
        while neighbors.known(key(1)).is_some() {
            now = neighbors.next_timeout().unwrap();
            neighbors.due(now);
        }
        assert!(now.since(claimed) <= 2 * SECOND, "{:?}", now.since(claimed));
    }
}

#[test]
fn a_neighbor_is_what_it_is_until_its_time_is_over_and_not_after() {
    let (last, over) = (Duration::from_nanos(1), Instant::from_secs(130));
    let at = |now| reachable().resolve(now, key(1), account(1));
    assert!(matches!(at(over - last), Resolution::Known(_)));
    assert!(matches!(at(over), Resolution::KnownAsk(_)));
    let silent = || {
        let mut neighbors = neighbors(6);
        neighbors.resolve(Instant::from_secs(100), key(1), account(1));
        while neighbors.one(key(1)).unwrap().state != NeighborState::Failed {
            let now = neighbors.next_timeout().unwrap();
            neighbors.due(now);
        }
        neighbors
    };
    let over = silent().next_timeout().unwrap();
    let at = |now| silent().resolve(now, key(1), account(1));
    assert!(matches!(at(over - last), Resolution::Unreachable));
    assert!(matches!(at(over), Resolution::Ask { evicted: None }));
}
