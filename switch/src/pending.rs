//! Packets that wait for a neighbour's MAC address: bounded by target, in number and in bytes.

use std::collections::VecDeque;

use ahash::RandomState;
use hashbrown::HashMap;
use packet::{Frame, PortId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::neighbors::Key;
use crate::snapshot::unkeyed;
use crate::trace::Lost;

/// Packets that wait for one neighbour. When it is full, the oldest gives way to the newest (RFC 1122 section
/// 2.3.2.2 asks for at least the latest).
const PER_TARGET: usize = 16;
/// Packets that wait in all.
const TOTAL: usize = 1024;
/// Bytes that wait in all.
const BYTES: usize = 8 << 20;

/// A packet that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// The packet, translated, without its Ethernet addresses.
    pub(crate) frame: Frame,
    /// The port that it came in on; none when the switch itself speaks.
    pub(crate) from: Option<PortId>,
}

#[derive(Clone, Debug)]
pub(crate) struct Pending {
    queues: HashMap<Key, VecDeque<Waiting>, RandomState>,
    count: usize,
    bytes: usize,
}

impl Pending {
    pub(crate) fn new(hasher: RandomState) -> Self {
        Self { queues: HashMap::with_hasher(hasher), count: 0, bytes: 0 }
    }

    /// Packets that wait for one neighbour.
    pub(crate) fn waiting(&self, key: Key) -> usize {
        self.queues.get(&key).map_or(0, VecDeque::len)
    }

    /// Lets a packet wait. Gives back the packet that has no room: an older one of the same target, or this one.
    pub(crate) fn push(&mut self, key: Key, waiting: Waiting) -> Option<(Lost, Waiting)> {
        let queue = self.queues.get(&key);
        let full = queue.is_some_and(|queue| queue.len() >= PER_TARGET);
        let oldest = queue.filter(|_| full).and_then(VecDeque::front);
        let freed = oldest.map_or(0, |old| old.frame.len());
        if (self.count >= TOTAL && !full) || self.bytes - freed + waiting.frame.len() > BYTES {
            return Some((Lost::Newest, waiting));
        }
        let mut refused = None;
        if full {
            refused = self.queues.get_mut(&key).and_then(VecDeque::pop_front);
            self.count -= 1;
            self.bytes -= freed;
        }
        self.count += 1;
        self.bytes += waiting.frame.len();
        self.queues.entry(key).or_default().push_back(waiting);
        refused.map(|oldest| (Lost::Oldest, oldest))
    }

    /// Takes out all that is `unwanted`, in the order of neighbours.
    pub(crate) fn remove(&mut self, unwanted: impl Fn(Key, &Frame) -> bool) -> Vec<Waiting> {
        let mut removed = Vec::new();
        for key in self.keys() {
            for waiting in self.take(key) {
                match unwanted(key, &waiting.frame) {
                    true => removed.push(waiting),
                    // It had room.
                    false => drop(self.push(key, waiting)),
                }
            }
        }
        removed
    }

    /// For whom packets wait, in order.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        keys.extend(self.queues.keys().copied());
        keys.sort_unstable();
        keys
    }

    /// Whether the counts are those of the queues, and no limit is exceeded.
    pub(crate) fn is_within_limits(&self) -> bool {
        let queues = || self.queues.values();
        let count = queues().map(VecDeque::len).sum::<usize>();
        let bytes = queues().flatten().map(|waiting| waiting.frame.len()).sum::<usize>();
        let short = queues().all(|queue| (1..=PER_TARGET).contains(&queue.len()));
        (count, bytes) == (self.count, self.bytes) && short && count <= TOTAL && bytes <= BYTES
    }

    /// Takes out all that waits for a neighbour, in order.
    pub(crate) fn take(&mut self, key: Key) -> VecDeque<Waiting> {
        let queue = self.queues.remove(&key).unwrap_or_default();
        self.count -= queue.len();
        self.bytes -= queue.iter().map(|waiting| waiting.frame.len()).sum::<usize>();
        queue
    }

    /// Packets that came in on a port, which are counted as held.
    pub(crate) fn held(&self) -> usize {
        let waiting = self.queues.values().flatten();
        waiting.filter(|waiting| waiting.from.is_some()).count()
    }

    /// Keys the queues with `hasher`.
    pub(crate) fn rehash(&mut self, hasher: RandomState) {
        let mut queues = HashMap::with_capacity_and_hasher(self.queues.len(), hasher);
        queues.extend(self.queues.drain());
        self.queues = queues;
    }
}

impl Serialize for Pending {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let mut queues: Vec<_> = self.queues.iter().collect();
        queues.sort_unstable_by_key(|(key, _)| **key);
        queues.serialize(writer)
    }
}

impl<'de> Deserialize<'de> for Pending {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let queues: Vec<(Key, VecDeque<Waiting>)> = Vec::deserialize(reader)?;
        let mut pending = Self::new(unkeyed());
        pending.queues.extend(queues);
        let waiting = || pending.queues.values().flatten();
        let (count, bytes) = (waiting().count(), waiting().map(|w| w.frame.len()).sum());
        Ok(Self { count, bytes, ..pending })
    }
}
