//! A forwarding database as bytes and back: the stations of each list in its order, then those in
//! no list by their key.

use core::time::Duration;

use ahash::RandomState;
use hashbrown::HashTable;
use packet::Instant;
use packet::snapshot::{Damaged, ensure, is_count, span};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Entry, Fdb, FdbCounts, StationHash};
use crate::seeds::unkeyed;
use crate::station::{Location, StationOrigin};

#[derive(Serialize, Deserialize)]
struct Snapshot {
    stations: Vec<Known>,
    capacity: usize,
    #[serde(deserialize_with = "span")]
    ageing: Duration,
    counts: FdbCounts,
}

#[derive(Serialize, Deserialize)]
struct Known {
    key: u64,
    heard: Instant,
    origin: StationOrigin,
    location: Location,
}

impl From<&Entry> for Known {
    fn from(&Entry { key, heard, origin, location, .. }: &Entry) -> Self {
        Self { key, heard, origin, location }
    }
}

impl Serialize for Fdb {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let entry = |at: u32| self.entries.get(at as usize);
        let learned = self
            .lists
            .iter()
            .flat_map(|list| core::iter::successors(entry(list.head), |before| entry(before.next)));
        let mut bound: Vec<&Entry> =
            self.index.iter().filter_map(|slot| entry(slot.entry)).collect();
        bound.retain(|entry| entry.origin != StationOrigin::Learned);
        bound.sort_unstable_by_key(|entry| entry.key);
        let stations = learned.chain(bound).map(Known::from).collect();
        let Self { capacity, ageing, counts, .. } = *self;
        Snapshot { stations, capacity, ageing, counts }.serialize(writer)
    }
}

impl<'de> Deserialize<'de> for Fdb {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let Snapshot { stations, capacity, ageing, counts } = Snapshot::deserialize(reader)?;
        let mut fdb = Self { counts, ..Self::new(unkeyed(), capacity, ageing) };
        fdb.check_counts().map_err(D::Error::custom)?;
        stations.into_iter().try_for_each(|known| fdb.put(known)).map_err(D::Error::custom)?;
        Ok(fdb)
    }
}

impl Fdb {
    /// Keys the index with `hasher`.
    pub(crate) fn rehash(&mut self, hasher: RandomState) {
        let hasher = StationHash::keyed(&hasher);
        let mut index = HashTable::with_capacity(self.index.len());
        for slot in self.index.drain() {
            let hash = hasher.of(slot.key);
            index.insert_unique(hash, slot, |slot| hasher.of(slot.key));
        }
        (self.index, self.hasher) = (index, hasher);
    }

    /// Adds a station behind those of its list.
    fn put(&mut self, Known { key, heard, origin, location }: Known) -> Result<(), Damaged> {
        let hash = self.hasher.of(key);
        let is_new = self.index.find(hash, |slot| slot.key == key).is_none();
        ensure(is_new, "a station is known twice")?;
        let at = self.insert(heard, key, hash, location, origin);
        match (origin, location.port()) {
            (StationOrigin::Learned, Some(port)) => {
                self.append(at, port);
                Ok(())
            }
            (StationOrigin::Learned, None) => Err(Damaged("a learned station is behind no port")),
            (StationOrigin::Static | StationOrigin::Own, _) => Ok(()),
        }
    }

    fn check_counts(&self) -> Result<(), Damaged> {
        let FdbCounts { learned, expired, evicted, moved, refused } = self.counts;
        let all = [learned, expired, evicted, moved, refused];
        ensure(all.into_iter().all(is_count), "a count of stations is out of range")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_without_room_for_what_can_still_happen_are_not_read() {
        let check = |counts| {
            Fdb { counts, ..Fdb::new(unkeyed(), 4, Duration::from_secs(300)) }
                .check_counts()
                .is_ok()
        };
        for (count, is_sound) in [((1 << 63) - 1, true), (1 << 63, false)] {
            let none = FdbCounts::default();
            assert_eq!(check(FdbCounts { learned: count, ..none }), is_sound);
            assert_eq!(check(FdbCounts { expired: count, ..none }), is_sound);
            assert_eq!(check(FdbCounts { evicted: count, ..none }), is_sound);
            assert_eq!(check(FdbCounts { moved: count, ..none }), is_sound);
            assert_eq!(check(FdbCounts { refused: count, ..none }), is_sound);
        }
    }
}
