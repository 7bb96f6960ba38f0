//! Datagrams in pieces as bytes and back, in the order in which they began.

use ahash::RandomState;
use packet::snapshot::{Damaged, ensure};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fragments::datagram::{Datagram, Key};
use crate::fragments::{MEMORY, MEMORY_PER_SOURCE, Reassembly, Waiting};

/// A datagram, and how many fragments of its source came behind its latest.
type Kept<D> = (Key, u32, D);

impl Serialize for Reassembly {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let kept = self.order.values().filter_map(|key| {
            let waiting = self.datagrams.get(key)?;
            let behind = self.heard(key.source).wrapping_sub(waiting.heard);
            Some((*key, behind, &waiting.datagram))
        });
        writer.collect_seq(kept.collect::<Vec<Kept<&Datagram>>>())
    }
}

impl<'de> Deserialize<'de> for Reassembly {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let kept: Vec<Kept<Datagram>> = Vec::deserialize(reader)?;
        Self::of(kept).map_err(D::Error::custom)
    }
}

impl Reassembly {
    fn of(kept: Vec<Kept<Datagram>>) -> Result<Self, Damaged> {
        let mut read = Self::new(RandomState::with_seeds(0, 0, 0, 0));
        for (key, behind, datagram) in kept {
            datagram.check()?;
            let is_new = !read.datagrams.contains_key(&key);
            ensure(is_new, "a datagram in pieces is kept twice")?;
            // Only differences count.
            read.heard.insert(key.source, 0);
            read.insert(
                key,
                Waiting { birth: read.births, heard: behind.wrapping_neg(), datagram },
            );
            let is_fair = read.sources.held(key.source) <= MEMORY_PER_SOURCE;
            ensure(is_fair && read.sources.bytes() <= MEMORY, "too many datagrams are in pieces")?;
        }
        Ok(read)
    }
}
