//! The forwarding database: which station is where, for one bridge.
//!
//! # Theory of operation
//! A station is a (MAC, VLAN) pair. The hash index holds key and port side by side, so that finding
//! a destination, and hearing a station again soon where it was, touches one slot of 16 bytes and
//! no entry. Entries stand in a slab; those that were learned hang in their port's list, least
//! recently heard first, so that ageing pops heads and a full table evicts the oldest station *of
//! the port that has most* (a port that floods addresses pushes out its own; Open vSwitch does the
//! same), which a [`Tally`] knows without a walk. Hearing a station again moves it in its list only
//! the first time in a second ([`Fresh`]), which keeps the common case to one look-up. Static
//! entries and the router's own addresses are in no list: they neither age, move nor give way.

use core::time::Duration;

use ahash::RandomState;
use hashbrown::HashTable;
use packet::{DropReason, Instant, Mac, PortId, VlanId};
use serde::{Deserialize, Serialize};

use crate::station::{Location, Station, StationOrigin};
use crate::tally::Tally;

mod ageing;
mod entry;
mod fresh;
mod hash;
mod snapshot;

/// Stations whose slots lie in the processor's nearer caches anyway: half a megabyte.
const NEAR: usize = 32_768;

/// Counts since the bridge was made.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FdbCounts {
    /// Stations learned.
    pub learned: u64,
    /// Stations forgotten for silence.
    pub expired: u64,
    /// Stations forgotten for room.
    pub evicted: u64,
    /// Stations that changed port.
    pub moved: u64,
    /// Frames from a station that is bound elsewhere.
    pub refused: u64,
}

/// See the module's own text.
#[derive(Clone, Debug)]
pub(crate) struct Fdb {
    hasher: StationHash,
    index: HashTable<Slot>,
    fresh: Fresh,
    entries: Vec<Entry>,
    free: Vec<u32>,
    lists: Vec<List>,
    /// How long the lists are.
    tally: Tally,
    learned: usize,
    capacity: usize,
    ageing: Duration,
    pub(crate) counts: FdbCounts,
    /// Grows when a station that was known is somewhere else, or is no longer.
    pub(crate) version: u32,
}

impl Fdb {
    pub(crate) fn new(hasher: RandomState, capacity: usize, ageing: Duration) -> Self {
        Self {
            hasher: StationHash::keyed(&hasher),
            index: HashTable::new(),
            fresh: Fresh::default(),
            entries: Vec::new(),
            free: Vec::new(),
            lists: Vec::new(),
            tally: Tally::default(),
            learned: 0,
            capacity,
            ageing,
            counts: FdbCounts::default(),
            version: 0,
        }
    }

    /// Where the station is.
    #[inline]
    pub(crate) fn find(&self, mac: Mac, vlan: VlanId) -> Option<Location> {
        let key = key(mac, vlan);
        let slot = self.index.find(self.hasher.of(key), |slot| slot.key == key)?;
        self.location(slot)
    }

    #[inline]
    fn location(&self, slot: &Slot) -> Option<Location> {
        match slot.place.port() {
            Some(port) => Some(Location::Port(port)),
            None => Some(self.entries.get(slot.entry as usize)?.location),
        }
    }

    /// Whether a station that speaks from port `here` is known there, and its speaking changes
    /// nothing.
    #[inline]
    pub(crate) fn knows(&self, now: Instant, mac: Mac, vlan: VlanId, here: PortId) -> bool {
        let key = key(mac, vlan);
        let slot = self.index.find(self.hasher.of(key), |slot| slot.key == key);
        slot.is_some_and(|slot| slot.place.port() == Some(here) && self.fresh.has(now, slot.entry))
    }

    /// Notes that a station spoke from `here`.
    ///
    /// # Errors
    /// The station is the router itself, or bound to another place by a static entry.
    pub(crate) fn learn(
        &mut self,
        now: Instant,
        mac: Mac,
        vlan: VlanId,
        here: Location,
    ) -> Result<(), DropReason> {
        let Some(port) = here.port() else { return Err(DropReason::SourceIsOurs) };
        let key = key(mac, vlan);
        let hash = self.hasher.of(key);
        let Some(slot) = self.index.find_mut(hash, |slot| slot.key == key) else {
            self.insert_learned(now, key, hash, here, port);
            return Ok(());
        };
        let at = slot.entry;
        let is_fresh = self.fresh.has(now, at);
        if is_fresh && slot.place.port().is_some_and(|port| Location::Port(port) == here) {
            return Ok(());
        }
        let Some(entry) = self.entries.get_mut(at as usize) else {
            return Ok(());
        };
        if entry.location == here {
            if !is_fresh {
                self.fresh.add(now, at);
                if entry.origin == StationOrigin::Learned {
                    entry.heard = now;
                    self.unlink(at, port);
                    self.link(at, port);
                }
            }
            return Ok(());
        }
        match (entry.origin, entry.location.port()) {
            (StationOrigin::Learned, Some(old)) => {
                entry.heard = now;
                entry.location = here;
                slot.place = Place::of(here);
                self.fresh.add(now, at);
                self.unlink(at, old);
                self.link(at, port);
                self.tally.remove(old.index());
                self.tally.add(port.index());
                self.counts.moved += 1;
                self.version = self.version.wrapping_add(1);
                Ok(())
            }
            (StationOrigin::Own, _) | (_, None) => Err(DropReason::SourceIsOurs),
            (StationOrigin::Static, Some(_)) => {
                self.counts.refused += 1;
                Err(DropReason::SourceIsStatic)
            }
        }
    }

    /// Whether a station may speak from `here`, where nothing is learned: refused as by
    /// [`Fdb::learn`].
    pub(crate) fn allow(
        &mut self,
        mac: Mac,
        vlan: VlanId,
        here: Location,
    ) -> Result<(), DropReason> {
        let key = key(mac, vlan);
        let slot = self.index.find(self.hasher.of(key), |slot| slot.key == key);
        let entry = slot.and_then(|slot| self.entries.get(slot.entry as usize));
        match entry.map(|entry| (entry.origin, entry.location)) {
            Some((StationOrigin::Own, _)) => Err(DropReason::SourceIsOurs),
            Some((StationOrigin::Static, bound)) if bound != here => {
                self.counts.refused += 1;
                Err(DropReason::SourceIsStatic)
            }
            Some((StationOrigin::Learned | StationOrigin::Static, _)) | None => Ok(()),
        }
    }

    fn insert_learned(&mut self, now: Instant, key: u64, hash: u64, here: Location, port: PortId) {
        if self.learned >= self.capacity {
            self.evict();
        }
        let at = self.insert(now, key, hash, here, StationOrigin::Learned);
        self.append(at, port);
        self.counts.learned += 1;
    }

    fn insert(
        &mut self,
        now: Instant,
        key: u64,
        hash: u64,
        location: Location,
        origin: StationOrigin,
    ) -> u32 {
        let entry = Entry { key, heard: now, previous: NONE, next: NONE, origin, location };
        let at = match self.free.pop() {
            Some(at) => {
                if let Some(place) = self.entries.get_mut(at as usize) {
                    *place = entry;
                }
                at
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        self.fresh.add(now, at);
        let hasher = &self.hasher;
        let slot = Slot { key, entry: at, place: Place::of(location) };
        self.index.insert_unique(hash, slot, |slot| hasher.of(slot.key));
        at
    }

    /// Binds a station to a place for good, replacing whatever was known of it.
    pub(crate) fn pin(
        &mut self,
        now: Instant,
        mac: Mac,
        vlan: VlanId,
        to: Location,
        origin: StationOrigin,
    ) {
        self.remove(mac, vlan);
        self.insert(now, key(mac, vlan), self.hash(mac, vlan), to, origin);
    }

    /// Forgets one station; `false` when it was not known.
    pub(crate) fn remove(&mut self, mac: Mac, vlan: VlanId) -> bool {
        self.remove_key(key(mac, vlan))
    }

    fn remove_key(&mut self, key: u64) -> bool {
        let hash = self.hasher.of(key);
        let Ok(slot) = self.index.find_entry(hash, |slot| slot.key == key) else {
            return false;
        };
        let (slot, _) = slot.remove();
        self.version = self.version.wrapping_add(1);
        if let Some(entry) = self.entries.get(slot.entry as usize)
            && let (StationOrigin::Learned, Some(port)) = (entry.origin, entry.location.port())
        {
            self.unlink(slot.entry, port);
            self.tally.remove(port.index());
            self.learned -= 1;
        }
        self.free.push(slot.entry);
        true
    }

    /// Forgets everything about `port`, static entries too: it is being removed.
    pub(crate) fn remove_port(&mut self, port: PortId) {
        self.flush(Some(port));
        self.forget(|location| location.port() == Some(port));
    }

    /// Forgets every station whose place is `gone`, static ones too.
    pub(crate) fn forget(&mut self, gone: impl Fn(Location) -> bool) {
        let slots = self.index.iter().filter(|slot| self.location(slot).is_some_and(&gone));
        let mut keys: Vec<u64> = slots.map(|slot| slot.key).collect();
        // In an order that does not depend on hashing, since freed entries are reused.
        keys.sort_unstable();
        for key in keys {
            self.remove_key(key);
        }
    }

    /// Changes capacity and ageing; evicts what no longer fits.
    pub(crate) fn resize(&mut self, capacity: usize, ageing: Duration) {
        self.capacity = capacity;
        self.ageing = ageing;
        while self.learned > self.capacity {
            self.evict();
        }
    }

    /// One entry.
    pub(crate) fn station(&self, now: Instant, mac: Mac, vlan: VlanId) -> Option<Station> {
        let key = key(mac, vlan);
        let slot = self.index.find(self.hasher.of(key), |slot| slot.key == key)?;
        self.entries.get(slot.entry as usize)?.view(now)
    }

    /// Every entry, ordered by VLAN and address.
    pub(crate) fn stations(&self, now: Instant) -> Vec<Station> {
        let mut slots: Vec<&Slot> = self.index.iter().collect();
        slots.sort_unstable_by_key(|slot| slot.key);
        let entries = slots.into_iter().filter_map(|slot| self.entries.get(slot.entry as usize));
        entries.filter_map(|entry| entry.view(now)).collect()
    }

    /// Whether the stations are so many that a prefetch pays.
    #[inline]
    pub(crate) const fn is_far(&self) -> bool {
        self.entries.len() > NEAR
    }

    /// What the look-up of a station begins with.
    #[inline]
    pub(crate) fn hash(&self, mac: Mac, vlan: VlanId) -> u64 {
        self.hasher.of(key(mac, vlan))
    }

    /// Reads what lies under a hash. The number means nothing.
    #[inline]
    pub(crate) fn touch(&self, hash: u64) -> u64 {
        self.index.find(hash, |_| true).map_or(0, |slot| slot.key)
    }

    /// Stations that were learned.
    pub(crate) const fn len(&self) -> usize {
        self.learned
    }
}

use entry::{Entry, List, NONE, Place, Slot, key};
use fresh::Fresh;
use hash::StationHash;

#[cfg(test)]
mod tests;
