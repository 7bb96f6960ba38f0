//! Change sets against the changes one by one: a set comes to the same, and one that is refused
//! leaves no trace.

use packet::{BridgeId, Ipv4Net, Mac};
use switch::{Change, Outbox, Switch};

use super::bytes::Bytes;
use super::town::Town;

/// Steps ahead of the set, and changes in it, at most.
const STEPS: usize = 24;
const CHANGES: usize = 12;

/// A life that the bytes tell, and then a change set.
pub fn change_sets(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut town = Town::read(&mut bytes);
    for _ in 0..bytes.below(STEPS) {
        town.step(&mut bytes);
    }
    let set: Vec<Change> = (0..bytes.below(CHANGES)).map(|_| town.change(&mut bytes)).collect();
    let start = Start { switch: town.lab.switch(), now: town.lab.now() };
    start.is_whole_or_nothing(&set);
    let accepted = start.accepted(&set);
    assert_eq!(start.made(&accepted), start.made_one_by_one(&accepted), "{accepted:?}");
    let mut refused = accepted;
    refused.insert(bytes.below(refused.len() + 1), nonsense(&mut bytes));
    assert_eq!(start.made(&refused), None, "{refused:?}");
    start.is_whole_or_nothing(&refused);
}

/// A change that is refused whatever the others are.
fn nonsense(bytes: &mut Bytes<'_>) -> Change {
    let nowhere = Ipv4Net::new_assert(core::net::Ipv4Addr::new(198, 18, 0, 0), 15);
    match bytes.below(2) {
        0 => Change::DeleteBridge(BridgeId::new(999)),
        _ => Change::DeleteRoute(nowhere),
    }
}

struct Start<'a> {
    switch: &'a Switch,
    now: packet::Instant,
}

impl Start<'_> {
    /// The switch behind a change set; nothing where it was refused.
    fn made(&self, set: &[Change]) -> Option<Vec<u8>> {
        let (mut switch, mut out) = (self.switch.clone(), Outbox::new(4));
        let made = switch.apply_all(self.now, set.to_vec(), &mut out);
        made.ok().map(|()| state(&switch))
    }

    fn made_one_by_one(&self, set: &[Change]) -> Option<Vec<u8>> {
        let (mut switch, mut out) = (self.switch.clone(), Outbox::new(4));
        let mut made = set.iter().map(|change| switch.apply(self.now, change.clone(), &mut out));
        made.all(|made| made.is_ok()).then(|| state(&switch))
    }

    /// Those changes that are not refused where the others of them are made before. A station that
    /// the set itself announces is none to forget in it: a set is held against what is known
    /// ahead of it.
    fn accepted(&self, set: &[Change]) -> Vec<Change> {
        let (mut switch, mut out) = (self.switch.clone(), Outbox::new(4));
        let mut made = |change: &&Change| switch.apply(self.now, (*change).clone(), &mut out);
        let is_announced = |mac: &Mac| {
            set.iter().any(|one| matches!(one, Change::AnnounceStation(_, own, _) if own == mac))
        };
        let forgets_announced = |change: &&Change| matches!(change, Change::DeleteStation(_, _, mac) if is_announced(mac));
        let rest = set.iter().filter(|change| !forgets_announced(change));
        rest.filter(|change| made(change).is_ok()).cloned().collect()
    }

    fn is_whole_or_nothing(&self, set: &[Change]) {
        let (mut switch, mut out) = (self.switch.clone(), Outbox::new(4));
        if let Err(error) = switch.apply_all(self.now, set.to_vec(), &mut out) {
            assert_eq!(state(&switch), state(self.switch), "{error}: {set:?}");
            assert!(out.is_empty() && out.notices().next().is_none(), "{error}: {set:?}");
        }
    }
}

fn state(switch: &Switch) -> Vec<u8> {
    postcard::to_stdvec(switch).expect("a switch can be written")
}
