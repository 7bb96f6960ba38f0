//! A neighbour table as bytes and back: timers and accounts follow from the entries.

use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Key, Neighbor, Neighbors};
use crate::seeds::unkeyed;

/// The table in order.
#[derive(Serialize, Deserialize)]
struct Snapshot {
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
        Snapshot { neighbors, capacity, reachable, stale }.serialize(writer)
    }
}

impl<'de> Deserialize<'de> for Neighbors {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let Snapshot { neighbors, capacity, reachable, stale } = Snapshot::deserialize(reader)?;
        let mut all = Self { capacity, reachable, stale, ..Self::new(unkeyed()) };
        for (key, neighbor) in neighbors {
            all.set(key, neighbor);
        }
        Ok(all)
    }
}
