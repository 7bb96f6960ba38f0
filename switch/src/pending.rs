//! Packets that wait for a neighbour's MAC address: bounded in bytes by target and in all, and fair
//! to who sends them.
//!
//! # Theory of operation
//! A burst to a host that was not spoken to lately arrives before the host's answer to ARP does, so
//! there is room for a whole one. Each packet counts with the memory that it holds. Where there is
//! too much, for one target or in all, the guest that holds the most there gives its oldest packet
//! away: a target that never answers, or a guest that sends to many of them, takes the room of
//! nobody who holds less. Packets of one target leave in the order in which they came.

use std::collections::BTreeMap;

use ahash::RandomState;
use hashbrown::HashMap;
use packet::frame::HEADROOM;
use packet::snapshot::ensure;
use packet::{Frame, PortId, Shares};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::neighbors::Key;
use crate::seeds::unkeyed;
use crate::trace::Lost;

/// Memory of what waits for one neighbour: thirty datagrams of 64 KB, a thousand full frames (RFC
/// 1122 section 2.3.2.2 asks for at least the latest packet; Linux's `unres_qlen_bytes` is
/// 212,992).
const PER_TARGET: usize = 2 << 20;
/// Memory of what waits in all.
const BYTES: usize = 8 << 20;
/// A packet's place in the tables and its frame's fields, beside its bytes.
const PLACE: usize = HEADROOM + 192;

/// A packet that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// The packet, translated, without its Ethernet addresses.
    pub(crate) frame: Frame,
    /// The port that it came in on; none when the switch itself speaks.
    pub(crate) from: Guest,
}

/// Who sends: a port, or the switch itself.
type Guest = Option<PortId>;

impl Waiting {
    /// Bytes of memory that it holds.
    fn memory(&self) -> usize {
        PLACE + self.frame.capacity()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Pending {
    targets: HashMap<Key, WaitQueue, RandomState>,
    guests: Shares<Guest, Key>,
    /// Packets so far, which is the next one's number.
    count: u64,
}

/// What waits for one neighbour; by number, which is the order in which it came.
#[derive(Clone, Debug, Default)]
struct WaitQueue {
    packets: BTreeMap<u64, Waiting>,
    guests: Shares<Guest, ()>,
}

impl Pending {
    pub(crate) fn new(hasher: RandomState) -> Self {
        Self { targets: HashMap::with_hasher(hasher), guests: Shares::new(), count: 0 }
    }

    /// Packets that wait for one neighbour.
    pub(crate) fn waiting(&self, key: Key) -> usize {
        self.targets.get(&key).map_or(0, |target| target.packets.len())
    }

    /// Lets a packet wait. Gives back those that have no room then, and says whether it is one of
    /// them.
    pub(crate) fn push(&mut self, key: Key, waiting: Waiting) -> (Option<Lost>, Vec<Waiting>) {
        let newest = self.insert(key, waiting);
        let mut refused = Vec::new();
        let mut lost = None;
        while let Some((key, number)) = self.to_give_way(key) {
            refused.extend(self.remove_one(key, number));
            lost = Some(if number == newest { Lost::Newest } else { Lost::Oldest });
        }
        (lost, refused)
    }

    /// Takes out all that is `unwanted`, in the order in which it came.
    pub(crate) fn remove(&mut self, unwanted: impl Fn(Key, &Frame) -> bool) -> Vec<Waiting> {
        let all = self.in_order().into_iter();
        let chosen = all.filter(|(_, key, waiting)| unwanted(*key, &waiting.frame));
        let chosen: Vec<(u64, Key)> = chosen.map(|(number, key, _)| (number, key)).collect();
        chosen.into_iter().filter_map(|(number, key)| self.remove_one(key, number)).collect()
    }

    /// For whom packets wait, in order.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        keys.extend(self.targets.keys().copied());
        keys.sort_unstable();
        keys
    }

    /// Whether the memory is that of the packets, and no limit is exceeded.
    pub(crate) fn is_within_limits(&self) -> bool {
        let memory =
            |target: &WaitQueue| target.packets.values().map(Waiting::memory).sum::<usize>();
        let targets = || self.targets.values();
        let counted = targets().all(|target| target.guests.bytes() == memory(target));
        let fair = targets().all(|target| (1..=PER_TARGET).contains(&target.guests.bytes()));
        let all = targets().map(memory).sum::<usize>();
        counted && fair && all == self.guests.bytes() && all <= BYTES
    }

    /// Takes out all that waits for a neighbour, in order.
    pub(crate) fn take(&mut self, key: Key) -> Vec<Waiting> {
        let Some(target) = self.targets.remove(&key) else { return Vec::new() };
        for (number, waiting) in &target.packets {
            self.guests.remove(waiting.from, *number, waiting.memory());
        }
        target.packets.into_values().collect()
    }

    /// Packets that came in on a port, which are counted as held.
    pub(crate) fn held(&self) -> usize {
        let waiting = self.targets.values().flat_map(|target| target.packets.values());
        waiting.filter(|waiting| waiting.from.is_some()).count()
    }

    /// Keys the targets with `hasher`.
    pub(crate) fn rehash(&mut self, hasher: RandomState) {
        let mut targets = HashMap::with_capacity_and_hasher(self.targets.len(), hasher);
        targets.extend(self.targets.drain());
        self.targets = targets;
    }

    /// Keeps a packet; its number.
    fn insert(&mut self, key: Key, waiting: Waiting) -> u64 {
        let (number, guest, memory) = (self.count, waiting.from, waiting.memory());
        self.count += 1;
        self.guests.insert(guest, number, key, memory);
        let target = self.targets.entry(key).or_default();
        target.guests.insert(guest, number, (), memory);
        target.packets.insert(number, waiting);
        number
    }

    fn remove_one(&mut self, key: Key, number: u64) -> Option<Waiting> {
        let target = self.targets.get_mut(&key)?;
        let waiting = target.packets.remove(&number)?;
        let (guest, memory) = (waiting.from, waiting.memory());
        target.guests.remove(guest, number, memory);
        if target.packets.is_empty() {
            self.targets.remove(&key);
        }
        self.guests.remove(guest, number, memory);
        Some(waiting)
    }

    /// The packet that gives way to one for this target, where too much waits.
    fn to_give_way(&self, key: Key) -> Option<(Key, u64)> {
        let target = self.targets.get(&key).map(|target| &target.guests);
        if let Some(guests) = target.filter(|guests| guests.bytes() > PER_TARGET) {
            let (number, ()) = guests.oldest(guests.largest()?)?;
            return Some((key, number));
        }
        if self.guests.bytes() <= BYTES {
            return None;
        }
        let (number, key) = self.guests.oldest(self.guests.largest()?)?;
        Some((key, number))
    }

    /// All that waits, in the order in which it came.
    fn in_order(&self) -> Vec<(u64, Key, &Waiting)> {
        let mut all = Vec::new();
        for key in self.keys() {
            let packets = self.targets.get(&key).into_iter().flat_map(|target| &target.packets);
            all.extend(packets.map(|(number, waiting)| (*number, key, waiting)));
        }
        all.sort_unstable_by_key(|(number, ..)| *number);
        all
    }
}

impl Serialize for Pending {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let all = self.in_order().into_iter().map(|(_, key, waiting)| (key, waiting));
        writer.collect_seq(all.collect::<Vec<_>>())
    }
}

impl<'de> Deserialize<'de> for Pending {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let all: Vec<(Key, Waiting)> = Vec::deserialize(reader)?;
        let mut pending = Self::new(unkeyed());
        for (key, waiting) in all {
            pending.insert(key, waiting);
            let fits = pending.to_give_way(key).is_none();
            ensure(fits, "more packets wait for neighbours than may").map_err(D::Error::custom)?;
        }
        Ok(pending)
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use packet::InterfaceId;
    use proptest::prelude::*;

    use super::*;

    fn key(target: u8) -> Key {
        Key::new(InterfaceId::new(1), Ipv4Addr::new(10, 0, 0, target))
    }

    /// What waits, as a list: target, guest, bytes of the packet, in the order in which it came.
    #[derive(Default)]
    struct Naive(Vec<(u8, Guest, usize)>);

    impl Naive {
        fn memory(&self, of: impl Fn(&(u8, Guest, usize)) -> bool) -> usize {
            self.0.iter().filter(|packet| of(packet)).map(|(.., len)| PLACE + len).sum()
        }

        /// The oldest of those `of` whom the guest has that holds the most of them.
        fn oldest_of_largest(&self, of: impl Fn(&(u8, Guest, usize)) -> bool) -> usize {
            let guests = [None, Some(0), Some(1), Some(2)].map(|guest| guest.map(PortId::new));
            let held = |guest: &Guest| self.memory(|packet| of(packet) && packet.1 == *guest);
            let largest = guests.into_iter().max_by_key(held).unwrap();
            self.0.iter().position(|packet| of(packet) && packet.1 == largest).unwrap()
        }

        /// Gives back who gives way, in order.
        fn push(&mut self, target: u8, guest: Guest, len: usize) -> Vec<(u8, Guest, usize)> {
            self.0.push((target, guest, len));
            let mut refused = Vec::new();
            loop {
                let at = if self.memory(|packet| packet.0 == target) > PER_TARGET {
                    self.oldest_of_largest(|packet| packet.0 == target)
                } else if self.memory(|_| true) > BYTES {
                    self.oldest_of_largest(|_| true)
                } else {
                    return refused;
                };
                refused.push(self.0.remove(at));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// AR6, M4: each bound counts every byte that is held, and every one that is given back.
        #[test]
        fn packets_wait_as_a_naive_list_lets_them(
            steps in prop::collection::vec((0u8..8, 0u32..4, prop_oneof![0usize..2000, 20_000usize..65_535], 0u8..60), 1..300)
        ) {
            let mut pending = Pending::new(unkeyed());
            let mut naive = Naive::default();
            for (target, guest, len, step) in steps {
                let from = guest.checked_sub(1).map(PortId::new);
                let frame = Frame::copied_from(&vec![target; len]);
                match step {
                    0 => {
                        let taken = pending.take(key(target));
                        let expected = naive.0.extract_if(.., |packet| packet.0 == target);
                        let expected: Vec<_> = expected.map(|(_, guest, len)| (guest, len)).collect();
                        prop_assert_eq!(taken.iter().map(|w| (w.from, w.frame.len())).collect::<Vec<_>>(), expected);
                    }
                    1 => {
                        let taken = pending.remove(|_, frame| frame.len() < 1000);
                        prop_assert_eq!(taken.len(), naive.0.extract_if(.., |packet| packet.2 < 1000).count());
                    }
                    _ => {
                        let (lost, refused) = pending.push(key(target), Waiting { frame, from });
                        let expected = naive.push(target, from, len);
                        let refused: Vec<_> = refused.iter().map(|w| (w.from, w.frame.len())).collect();
                        let expected: Vec<_> = expected.iter().map(|e| (e.1, e.2)).collect();
                        prop_assert_eq!(lost.is_some(), !refused.is_empty());
                        prop_assert_eq!(refused, expected);
                    }
                }
                prop_assert!(pending.is_within_limits());
                prop_assert_eq!(pending.guests.bytes(), naive.memory(|_| true));
            }
        }
    }
}
