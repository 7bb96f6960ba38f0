//! The neighbour table: which MAC address an IPv4 address on a segment has, and how sure we are (RFC 826, RFC 1122
//! section 2.3.2, with the states that Linux and RFC 4861 call by these names).
//!
//! # Theory of operation
//! ```text
//!            ask                 reply                 30 s              use
//!   (none) ------> incomplete ----------> reachable -------> stale ----------> probe
//!                      | 3 asks, 1 s apart      ^              | 10 min           | 3 asks, 1 s apart
//!                      v                        +--------------|---- reply -------+
//!                   failed, 1 s, then (none)                (none)             (none)
//! ```
//! A stale or probed neighbour is used as it is; the probe is a unicast request beside the traffic. Every entry that
//! is not static has exactly one timer in `timers`. Nothing is asked more than once a second (RFC 1122). When the
//! table is full, the stale or failed entry whose timer is nearest gives way; when there is none, the new is refused.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::BTreeSet;

use ahash::RandomState;
use hashbrown::HashMap;
use packet::{Instant, InterfaceId, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::snapshot::unkeyed;

const REACHABLE: Duration = Duration::from_secs(30);
const STALE: Duration = Duration::from_secs(600);
const BETWEEN_ASKS: Duration = Duration::from_secs(1);
const ASKS: u8 = 3;
/// Entries; about 60 bytes each with their timer.
pub(crate) const DEFAULT_CAPACITY: usize = 8192;

/// How sure we are of a neighbour.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NeighborState {
    /// Asked for, not answered yet.
    Incomplete,
    /// Heard from lately.
    Reachable,
    /// Not heard from lately; asked again when used.
    Stale,
    /// Used while stale, and asked.
    Probe,
    /// Did not answer.
    Failed,
    /// Written by somebody.
    Static,
}

/// One line of a listing.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct NeighborView {
    /// The segment.
    pub interface: InterfaceId,
    /// The IPv4 address.
    pub address: Ipv4Addr,
    /// The MAC address, where one is known.
    pub mac: Option<Mac>,
    /// How sure we are.
    pub state: NeighborState,
}

#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
struct Neighbor {
    mac: Mac,
    state: NeighborState,
    /// Requests sent in this state.
    asks: u8,
    /// When the state ends, or the next request is due.
    at: Instant,
}

/// A neighbour's name: segment and address in one word.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Key(u64);

impl Key {
    pub(crate) fn new(interface: InterfaceId, address: Ipv4Addr) -> Self {
        Self(u64::from(interface.number()) << 32 | u64::from(u32::from(address)))
    }

    pub(crate) const fn interface(self) -> InterfaceId {
        InterfaceId::new((self.0 >> 32) as u16)
    }

    pub(crate) const fn address(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.0 as u32)
    }
}

/// What to do with a packet for a neighbour.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Resolution {
    /// Send it there.
    Known(Mac),
    /// Send it there, and ask that station whether it is still there.
    KnownAsk(Mac),
    /// Ask everybody, and let it wait.
    Ask,
    /// Let it wait; the question is out.
    Wait,
    /// Nobody answered lately.
    Unreachable,
    /// There is no room to remember the question.
    Full,
}

/// What a timer asks for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// Ask everybody again.
    Ask(Key),
    /// Ask this station again.
    Probe(Key, Mac),
    /// Nobody answered; what waits for it ends.
    GaveUp(Key),
}

#[derive(Clone, Debug)]
pub(crate) struct Neighbors {
    table: HashMap<Key, Neighbor, RandomState>,
    timers: BTreeSet<(Instant, Key)>,
    pub(crate) capacity: usize,
    /// How long a neighbour is trusted after it was heard.
    pub(crate) reachable: Duration,
    /// How long an unused neighbour is remembered after that.
    pub(crate) stale: Duration,
    /// Grows with every change of a neighbour.
    pub(crate) version: u32,
}

impl Neighbors {
    pub(crate) fn new(hasher: RandomState) -> Self {
        let table = HashMap::with_hasher(hasher);
        Self {
            table,
            timers: BTreeSet::new(),
            capacity: DEFAULT_CAPACITY,
            reachable: REACHABLE,
            stale: STALE,
            version: 0,
        }
    }

    /// Keys the table with `hasher`.
    pub(crate) fn rehash(&mut self, hasher: RandomState) {
        let mut table = HashMap::with_capacity_and_hasher(self.table.len(), hasher);
        table.extend(self.table.drain());
        self.table = table;
    }

    /// The neighbour's MAC address, if it has one; asks nobody.
    pub(crate) fn known(&self, key: Key) -> Option<Mac> {
        self.table.get(&key).map(|neighbor| neighbor.mac).filter(|mac| mac.is_station())
    }

    /// The neighbour's MAC address while nobody needs asking for it, and how long that holds.
    pub(crate) fn trusted(&self, now: Instant, key: Key) -> Option<(Mac, Instant)> {
        let Neighbor { mac, state, at, .. } = *self.table.get(&key)?;
        match state {
            NeighborState::Static | NeighborState::Probe => Some((mac, Instant::MAX)),
            NeighborState::Reachable if now < at => Some((mac, at)),
            _ => None,
        }
    }

    /// What is known of a neighbour.
    pub(crate) fn one(&self, key: Key) -> Option<NeighborView> {
        self.table.get(&key).map(|neighbor| view(key, neighbor))
    }

    /// What to do with a packet for `key`, now.
    pub(crate) fn resolve(&mut self, now: Instant, key: Key) -> Resolution {
        let Some(neighbor) = self.table.get(&key) else {
            let made = self.make_room() && {
                self.set(key, Mac::ZERO, NeighborState::Incomplete, 1, now + BETWEEN_ASKS);
                true
            };
            return if made { Resolution::Ask } else { Resolution::Full };
        };
        let Neighbor { mac, state, at, .. } = *neighbor;
        match state {
            NeighborState::Static | NeighborState::Probe => Resolution::Known(mac),
            NeighborState::Reachable if now < at => Resolution::Known(mac),
            NeighborState::Reachable | NeighborState::Stale => {
                self.set(key, mac, NeighborState::Probe, 1, now + BETWEEN_ASKS);
                Resolution::KnownAsk(mac)
            }
            NeighborState::Incomplete => Resolution::Wait,
            NeighborState::Failed if now < at => Resolution::Unreachable,
            NeighborState::Failed => {
                self.set(key, Mac::ZERO, NeighborState::Incomplete, 1, now + BETWEEN_ASKS);
                Resolution::Ask
            }
        }
    }

    /// Notes that `mac` speaks for `key`: RFC 826's merge, and its addition where `add` says so. `answered` when it
    /// is a reply to us. Says whether a new or other MAC address became known, so that waiting packets can go.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        key: Key,
        mac: Mac,
        answered: bool,
        add: bool,
    ) -> bool {
        let known = self.table.get(&key).copied();
        let state = match known {
            Some(old) if old.state == NeighborState::Static => return false,
            Some(old) if answered || (old.mac == mac && old.state == NeighborState::Reachable) => {
                NeighborState::Reachable
            }
            Some(old) if old.state == NeighborState::Incomplete => NeighborState::Reachable,
            Some(_) => NeighborState::Stale,
            None if add && self.make_room() => NeighborState::Stale,
            None => return false,
        };
        let trusted = state == NeighborState::Reachable;
        let until = if trusted { self.reachable } else { self.stale };
        self.set(key, mac, state, 0, now + until);
        known.is_none_or(|old| old.mac != mac)
    }

    /// Binds a neighbour for good. `false` when the table is full.
    pub(crate) fn pin(&mut self, key: Key, mac: Mac) -> bool {
        if !self.table.contains_key(&key) && !self.make_room() {
            return false;
        }
        self.set(key, mac, NeighborState::Static, 0, Instant::MAX);
        true
    }

    /// Forgets a neighbour; `false` when it was not known.
    pub(crate) fn remove(&mut self, key: Key) -> bool {
        let Some(old) = self.table.remove(&key) else {
            return false;
        };
        self.version = self.version.wrapping_add(1);
        self.timers.remove(&(old.at, key));
        true
    }

    /// Forgets all that `forget` names; static ones only where it names them too. Gives the names back, in order.
    pub(crate) fn flush(&mut self, forget: impl Fn(&NeighborView) -> bool) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        keys.extend(
            self.table.iter().filter(|(key, n)| forget(&view(**key, n))).map(|(key, _)| *key),
        );
        keys.sort_unstable();
        for key in &keys {
            self.remove(*key);
        }
        keys
    }

    /// The next thing that a timer asks for at `now`; call until it is nothing.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due> {
        loop {
            let &(at, key) = self.timers.first()?;
            if at > now {
                return None;
            }
            let Some(&Neighbor { mac, state, asks, .. }) = self.table.get(&key) else {
                self.timers.pop_first();
                continue;
            };
            let again = asks < ASKS;
            match state {
                NeighborState::Incomplete if again => {
                    self.set(key, mac, state, asks + 1, now + BETWEEN_ASKS);
                    return Some(Due::Ask(key));
                }
                NeighborState::Incomplete => {
                    self.set(key, mac, NeighborState::Failed, 0, now + BETWEEN_ASKS);
                    return Some(Due::GaveUp(key));
                }
                NeighborState::Probe if again => {
                    self.set(key, mac, state, asks + 1, now + BETWEEN_ASKS);
                    return Some(Due::Probe(key, mac));
                }
                NeighborState::Reachable => {
                    self.set(key, mac, NeighborState::Stale, 0, now + self.stale);
                }
                NeighborState::Probe | NeighborState::Stale | NeighborState::Failed => {
                    self.remove(key);
                }
                NeighborState::Static => {
                    self.timers.pop_first();
                }
            }
        }
    }

    /// When [`Neighbors::due`] has something again.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether the question for this neighbour is out, and has a timer.
    pub(crate) fn is_asked_for(&self, key: Key) -> bool {
        self.table.get(&key).is_some_and(|neighbor| {
            neighbor.state == NeighborState::Incomplete && self.timers.contains(&(neighbor.at, key))
        })
    }

    /// Every neighbour, by segment and address.
    pub(crate) fn list(&self) -> Vec<NeighborView> {
        let mut all: Vec<(Key, &Neighbor)> = self.table.iter().map(|(key, n)| (*key, n)).collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all.into_iter().map(|(key, neighbor)| view(key, neighbor)).collect()
    }

    fn set(&mut self, key: Key, mac: Mac, state: NeighborState, asks: u8, at: Instant) {
        self.version = self.version.wrapping_add(1);
        if let Some(old) = self.table.insert(key, Neighbor { mac, state, asks, at }) {
            self.timers.remove(&(old.at, key));
        }
        if state != NeighborState::Static {
            self.timers.insert((at, key));
        }
    }

    /// Whether there is room for one more, after making some if that is possible.
    fn make_room(&mut self) -> bool {
        if self.table.len() < self.capacity {
            return true;
        }
        let idle = |key: &Key| {
            let state = self.table.get(key).map(|neighbor| neighbor.state);
            matches!(state, Some(NeighborState::Stale | NeighborState::Failed))
        };
        let mut candidates = self.timers.iter().take(SEARCH).map(|(_, key)| *key);
        let Some(oldest) = candidates.find(idle) else {
            return false;
        };
        self.remove(oldest)
    }
}

/// The table in order; timers follow from it.
#[derive(Serialize, Deserialize)]
struct Kept {
    neighbors: Vec<(Key, Neighbor)>,
    capacity: usize,
    reachable: Duration,
    stale: Duration,
}

impl Serialize for Neighbors {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let mut neighbors: Vec<_> = self.table.iter().map(|(key, n)| (*key, *n)).collect();
        neighbors.sort_unstable_by_key(|(key, _)| *key);
        let Self { capacity, reachable, stale, .. } = *self;
        Kept { neighbors, capacity, reachable, stale }.serialize(writer)
    }
}

impl<'de> Deserialize<'de> for Neighbors {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let Kept { neighbors, capacity, reachable, stale } = Kept::deserialize(reader)?;
        let mut all = Self { capacity, reachable, stale, ..Self::new(unkeyed()) };
        for (key, Neighbor { mac, state, asks, at }) in neighbors {
            all.set(key, mac, state, asks, at);
        }
        Ok(all)
    }
}

/// Timers looked at for an entry that may give way.
const SEARCH: usize = 64;

fn view(key: Key, neighbor: &Neighbor) -> NeighborView {
    let known = !matches!(neighbor.state, NeighborState::Incomplete | NeighborState::Failed);
    NeighborView {
        interface: key.interface(),
        address: key.address(),
        mac: known.then_some(neighbor.mac),
        state: neighbor.state,
    }
}
