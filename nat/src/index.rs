//! From a hash to a number: the way into every slab.
//!
//! # Theory of operation
//! Open addressing with linear probing. A slot is 8 bytes: the upper half of the hash, which says where the slot
//! belongs and tells most strangers apart without a look into the slab, and the number plus one; zero is empty.
//! At most half of the slots are taken, so a search touches one cache line, then the slab. Removal moves later slots
//! back in place of leaving tombstones; together with memory set aside beforehand nothing is ever rehashed in the
//! packet path. `hashbrown` would touch two lines a search and rehash in place when its tombstones pile up.
//! The hash is keyed with the switch's seed, so that strangers cannot choose tuples that collide.

use ahash::RandomState;

/// Hashes keyed with a seed.
#[derive(Debug)]
pub(crate) struct Hashes(RandomState);

impl Hashes {
    pub(crate) fn new(seed: u64) -> Self {
        let [a, b, c] = [1, 2, 3].map(|lane| mix(seed.wrapping_add(lane)));
        Self(RandomState::with_seeds(mix(seed), a, b, c))
    }

    #[inline]
    pub(crate) fn of(&self, words: (u64, u64)) -> u64 {
        self.0.hash_one(words)
    }
}

/// A well-spread function of a word (the finalizer of splitmix64).
pub(crate) const fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A multimap from hashes to numbers below `u32::MAX`, never iterated.
#[derive(Debug)]
pub(crate) struct Index {
    /// A power of two of slots, or none.
    slots: Vec<u64>,
    len: usize,
}

const MIN_SLOTS: usize = 16;

impl Index {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            len: 0,
        }
    }

    /// Sets memory aside for `entries`: 16 to 32 bytes each, zeroed by the system when first touched.
    pub(crate) fn reserve(&mut self, entries: usize) {
        let slots = (2 * entries.max(self.len)).next_power_of_two().max(MIN_SLOTS);
        if slots <= self.slots.len() {
            return;
        }
        // Every slot knows where it belongs in a table of any size, so this needs no look at the keys.
        let old = core::mem::replace(&mut self.slots, vec![0; slots]);
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            self.place(slot);
        }
    }

    /// The number under `hash` for which `is` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let slot = *self.slots.get(at)?;
            if slot == 0 {
                return None;
            }
            if slot >> 32 == hash >> 32 {
                let number = slot as u32 - 1;
                if is(number) {
                    return Some(number);
                }
            }
            at = self.after(at);
        }
    }

    /// Adds `number` under `hash`. Doubles the table when no memory was set aside.
    pub(crate) fn insert(&mut self, hash: u64, number: u32) {
        self.len += 1;
        self.reserve(self.len);
        self.place(slot(hash, number));
    }

    /// Removes `number` from under `hash`; nothing happens when it is not there.
    pub(crate) fn remove(&mut self, hash: u64, number: u32) {
        let wanted = slot(hash, number);
        let mut at = self.home(hash);
        loop {
            match self.slots.get(at) {
                None | Some(0) => return,
                Some(slot) if *slot == wanted => break,
                Some(_) => at = self.after(at),
            }
        }
        self.len -= 1;
        self.close(at);
    }

    /// Fills the hole at `hole` from the slots behind it, as far as they may move.
    fn close(&mut self, mut hole: usize) {
        let mut next = self.after(hole);
        while let Some(slot) = self.slots.get(next).copied().filter(|slot| *slot != 0) {
            let (from_home, from_hole) =
                (self.distance(self.home(slot), next), self.distance(hole, next));
            if from_home >= from_hole {
                self.set(hole, slot);
                hole = next;
            }
            next = self.after(next);
        }
        self.set(hole, 0);
    }

    fn place(&mut self, slot: u64) {
        let mut at = self.home(slot);
        while self.slots.get(at).is_some_and(|slot| *slot != 0) {
            at = self.after(at);
        }
        self.set(at, slot);
    }

    fn set(&mut self, at: usize, slot: u64) {
        if let Some(place) = self.slots.get_mut(at) {
            *place = slot;
        }
    }

    /// Where a slot belongs: the top bits of its hash. Both have the same upper half.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        // `leading_zeros` of a power of two above 1 is below 63; without slots the shift is 64 and counts as 0.
        let shift = self.slots.len().leading_zeros() + 1;
        hash.checked_shr(shift).unwrap_or(0) as usize
    }

    #[inline]
    const fn after(&self, at: usize) -> usize {
        (at + 1) & self.slots.len().wrapping_sub(1)
    }

    const fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.slots.len().wrapping_sub(1)
    }
}

const fn slot(hash: u64, number: u32) -> u64 {
    (hash >> 32 << 32) | (number as u64 + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_index_agrees_with_a_naive_set(
            steps in prop::collection::vec((any::<bool>(), 0u64..6, 0u32..40), 1..400)
        ) {
            let mut index = Index::new();
            let mut model = BTreeSet::new();
            for (add, hash, number) in steps {
                // Few hashes, at both ends of the table, so that runs collide and wrap.
                let hash = (hash.wrapping_sub(3) << 40) ^ (hash << 61);
                if add && model.insert((hash >> 32, number)) {
                    index.insert(hash, number);
                } else if !add && model.remove(&(hash >> 32, number)) {
                    index.remove(hash, number);
                }
                prop_assert_eq!(index.len, model.len());
                for probe in 0..40 {
                    let found = index.find(hash, |n| n == probe).is_some();
                    prop_assert_eq!(found, model.contains(&(hash >> 32, probe)));
                }
            }
        }
    }

    #[test]
    fn an_empty_index_finds_nothing() {
        assert_eq!(Index::new().find(u64::MAX, |_| true), None);
        Index::new().remove(7, 7);
    }

    #[test]
    fn hashes_depend_on_the_seed() {
        assert_ne!(Hashes::new(1).of((3, 4)), Hashes::new(2).of((3, 4)));
        assert_eq!(Hashes::new(1).of((3, 4)), Hashes::new(1).of((3, 4)));
    }
}
