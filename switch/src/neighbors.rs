//! The neighbour table: which MAC address an IPv4 address on a segment has, and how sure we are
//! (RFC 826, RFC 1122 section 2.3.2, with the states that Linux and RFC 4861 call by these names).
//!
//! # Theory of operation
//! ```text
//!            ask                 reply                 30 s              use
//!   (none) ------> incomplete ----------> reachable -------> stale ----------> probe
//!                      | 3 asks, 1 s apart      ^              | 10 min           | 3 asks, 1 s apart
//!                      v                        +--------------|---- reply -------+
//!                   failed, 1 s, then (none)                (none)             (none)
//! ```
//! A stale or probed neighbour is used as it is; the probe is a unicast request beside the traffic.
//! Every entry that is not static has exactly one timer in `timers`. Nothing is asked more than
//! once a second (RFC 1122).
//!
//! *Claims.* An ARP packet that nobody asked for may come from anybody. It does not replace the MAC
//! address of a neighbour that is reachable or being probed: the one that is known is asked once,
//! and answers within a second, or is forgotten, and everybody is asked at the next packet. That
//! happens a second after the last answer at the soonest (Linux's `locktime`), so claims cannot
//! make more than one question a second. A stale neighbour's claim is taken, as RFC 826 has it.
//!
//! *Room.* Each entry is on the account of the port whose packet made it. When the table is full,
//! an entry of the account that has most gives way ([`account`]): a guest that scans a subnet
//! pushes out what it asked for itself.

use core::time::Duration;
use std::collections::BTreeSet;

use ahash::RandomState;
use hashbrown::HashMap;
use packet::{Instant, Mac};

use self::account::Accounts;

mod account;
mod entry;
mod snapshot;

pub(crate) use account::Account;
pub(crate) use entry::Key;
use entry::{Neighbor, view};
pub use entry::{NeighborState, NeighborView};

const REACHABLE: Duration = Duration::from_secs(30);
const STALE: Duration = Duration::from_secs(600);
const BETWEEN_ASKS: Duration = Duration::from_secs(1);
const ASKS: u8 = 3;
/// Entries; about 110 bytes each with their timer and account.
pub(crate) const DEFAULT_CAPACITY: usize = 8192;

/// What to do with a packet for a neighbour.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Resolution {
    /// Send it there.
    Known(Mac),
    /// Send it there, and ask that station whether it is still there.
    KnownAsk(Mac),
    /// Ask everybody, and let it wait. What waits for a neighbour that gave way ends.
    Ask {
        /// The neighbour that gave way.
        evicted: Option<Key>,
    },
    /// Let it wait; the question is out.
    Wait,
    /// Nobody answered lately.
    Unreachable,
    /// There is no room to remember the question.
    Full,
}

/// What an ARP packet has changed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Merged {
    /// Nothing that anybody waits for.
    Same,
    /// A MAC address became known: waiting packets can go.
    Resolved {
        /// The neighbour that gave way.
        evicted: Option<Key>,
    },
    /// Another MAC address is known in place of this one.
    Moved(Mac),
    /// Another station claims the address of this one, which is still used.
    Claimed {
        /// The station that is known.
        known: Mac,
        /// Whether it has to be asked now.
        ask: bool,
    },
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
    accounts: Accounts,
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
            accounts: Accounts::default(),
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

    /// The MAC address of a neighbour that nobody needs asking for, and until when that holds.
    pub(crate) fn trusted(&self, key: Key) -> Option<(Mac, Instant)> {
        let Neighbor { mac, state, at, .. } = *self.table.get(&key)?;
        match state {
            NeighborState::Static | NeighborState::Probe => Some((mac, Instant::MAX)),
            NeighborState::Reachable => Some((mac, at)),
            _ => None,
        }
    }

    /// What is known of a neighbour.
    pub(crate) fn one(&self, key: Key) -> Option<NeighborView> {
        self.table.get(&key).map(|neighbor| view(key, neighbor))
    }

    /// What to do with a packet for `key`, now. A question that is new is on `account`.
    pub(crate) fn resolve(&mut self, now: Instant, key: Key, account: Account) -> Resolution {
        let Some(neighbor) = self.table.get(&key) else {
            let Ok(evicted) = self.make_room() else { return Resolution::Full };
            self.set(key, Neighbor::incomplete(now, account));
            return Resolution::Ask { evicted };
        };
        let neighbor @ Neighbor { mac, state, at, .. } = *neighbor;
        match state {
            NeighborState::Static | NeighborState::Probe => Resolution::Known(mac),
            NeighborState::Reachable if now < at => Resolution::Known(mac),
            NeighborState::Reachable | NeighborState::Stale => {
                let (state, at) = (NeighborState::Probe, now + BETWEEN_ASKS);
                self.set(key, Neighbor { state, asks: 1, at, ..neighbor });
                Resolution::KnownAsk(mac)
            }
            NeighborState::Incomplete => Resolution::Wait,
            NeighborState::Failed if now < at => Resolution::Unreachable,
            NeighborState::Failed => {
                self.set(key, Neighbor::incomplete(now, account));
                Resolution::Ask { evicted: None }
            }
        }
    }

    /// Notes that `mac` speaks for `key`: RFC 826's merge, and its addition where `add` names an
    /// account. `answered` when it is a reply to us.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        key: Key,
        mac: Mac,
        answered: bool,
        add: Option<Account>,
    ) -> Merged {
        let Some(old) = self.table.get(&key).copied() else {
            let Some(account) = add else { return Merged::Same };
            let Ok(evicted) = self.make_room() else { return Merged::Same };
            let (state, at) = (NeighborState::Stale, now + self.stale);
            self.set(key, Neighbor { mac, state, asks: 0, at, account });
            return Merged::Resolved { evicted };
        };
        let is_same = old.mac == mac;
        let state = match old.state {
            NeighborState::Static => return Merged::Same,
            NeighborState::Reachable | NeighborState::Probe if !is_same => {
                return self.doubt(now, key, old);
            }
            NeighborState::Incomplete | NeighborState::Reachable => NeighborState::Reachable,
            NeighborState::Probe | NeighborState::Failed if answered => NeighborState::Reachable,
            NeighborState::Stale if answered && is_same => NeighborState::Reachable,
            NeighborState::Probe | NeighborState::Failed | NeighborState::Stale => {
                NeighborState::Stale
            }
        };
        let until = if state == NeighborState::Reachable { self.reachable } else { self.stale };
        self.set(key, Neighbor { mac, state, asks: 0, at: now + until, ..old });
        match old.state {
            _ if is_same => Merged::Same,
            NeighborState::Stale => Merged::Moved(old.mac),
            _ => Merged::Resolved { evicted: None },
        }
    }

    /// Has the station that is known asked once more, since another one claims its address.
    fn doubt(&mut self, now: Instant, key: Key, old: Neighbor) -> Merged {
        let known = old.mac;
        let doubted = |asks, at| Neighbor { state: NeighborState::Probe, asks, at, ..old };
        if old.state == NeighborState::Probe {
            // A question is out or about to be: one more at the most.
            self.set(key, doubted(old.asks.max(ASKS - 1), old.at));
            return Merged::Claimed { known, ask: false };
        }
        // Asked again not sooner than a second after it has answered.
        let unlocked = old.at - self.reachable + BETWEEN_ASKS;
        let ask = unlocked <= now;
        let wait = if ask { BETWEEN_ASKS } else { unlocked.since(now).min(BETWEEN_ASKS) };
        self.set(key, doubted(if ask { ASKS } else { ASKS - 1 }, now + wait));
        Merged::Claimed { known, ask }
    }

    /// Binds a neighbour for good; the neighbour that gave way.
    ///
    /// # Errors
    /// The table is full of such.
    pub(crate) fn pin(&mut self, key: Key, mac: Mac) -> Result<Option<Key>, Full> {
        let evicted = if self.table.contains_key(&key) { None } else { self.make_room()? };
        let (state, at, account) = (NeighborState::Static, Instant::MAX, Account::from(None));
        self.set(key, Neighbor { mac, state, asks: 0, at, account });
        Ok(evicted)
    }

    /// Those that somebody bound.
    pub(crate) fn pinned(&self) -> BTreeSet<Key> {
        let pinned = self.table.iter().filter(|(_, n)| n.state == NeighborState::Static);
        pinned.map(|(key, _)| *key).collect()
    }

    /// Forgets a neighbour; `false` when it was not known.
    pub(crate) fn remove(&mut self, key: Key) -> bool {
        let Some(old) = self.table.remove(&key) else {
            return false;
        };
        self.version = self.version.wrapping_add(1);
        self.timers.remove(&(old.at, key));
        self.accounts.remove(old.account, old.state, old.at, key);
        true
    }

    /// Forgets all that `forget` names; static ones only where it names them too. Gives the names
    /// back, in order.
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
            let Some(&neighbor) = self.table.get(&key) else {
                self.timers.pop_first();
                continue;
            };
            let again = neighbor.asks < ASKS;
            let asked = Neighbor { asks: neighbor.asks + 1, at: now + BETWEEN_ASKS, ..neighbor };
            match neighbor.state {
                NeighborState::Incomplete if again => {
                    self.set(key, asked);
                    return Some(Due::Ask(key));
                }
                NeighborState::Incomplete => {
                    let (state, at) = (NeighborState::Failed, now + BETWEEN_ASKS);
                    self.set(key, Neighbor { state, asks: 0, at, ..neighbor });
                    return Some(Due::GaveUp(key));
                }
                NeighborState::Probe if again => {
                    self.set(key, asked);
                    return Some(Due::Probe(key, neighbor.mac));
                }
                NeighborState::Reachable => {
                    let (state, at) = (NeighborState::Stale, now + self.stale);
                    self.set(key, Neighbor { state, asks: 0, at, ..neighbor });
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

    fn set(&mut self, key: Key, new: Neighbor) {
        self.version = self.version.wrapping_add(1);
        if let Some(old) = self.table.insert(key, new) {
            self.timers.remove(&(old.at, key));
            self.accounts.remove(old.account, old.state, old.at, key);
        }
        if new.state != NeighborState::Static {
            self.timers.insert((new.at, key));
        }
        self.accounts.add(new.account, new.state, new.at, key);
    }

    /// Makes room for one more; the neighbour that gave way for that.
    fn make_room(&mut self) -> Result<Option<Key>, Full> {
        if self.table.len() < self.capacity {
            return Ok(None);
        }
        let first = self.accounts.first_to_go().ok_or(Full)?;
        self.remove(first);
        Ok(Some(first))
    }
}

/// There is no room for one more neighbour.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Full;

#[cfg(test)]
mod tests;
