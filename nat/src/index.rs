//! From a hash to a number: the way into every slab.
//!
//! # Theory of operation
//! Open addressing with linear probing. A slot is 8 bytes: the upper half of the hash, which says
//! where the slot belongs and tells most strangers apart without a look into the slab, and the
//! number plus one; zero is empty. At most half of the slots are taken, so a search touches one
//! cache line, then the slab. Removal moves later slots back in place of leaving tombstones.
//!
//! The index is as large as its content needs, because a sparse one costs cache and TLB misses:
//! 1,000 flows lie in 32 KB. When it doubles, the old table is emptied into the new a few slots
//! with each insertion and in [`Index::settle`], so that no packet ever waits for all of them;
//! meanwhile a search looks into both. Every slot knows where it belongs in a table of any size, so
//! moving it needs no look at its key. The hash is keyed with the switch's seed, so that strangers
//! cannot choose tuples that collide.

use ahash::RandomState;

/// Hashes keyed with a seed.
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
pub(crate) struct Index {
    slots: Slots,
    /// The table before it doubled; its slots before `moved` are empty.
    old: Slots,
    moved: usize,
}

const MIN_SLOTS: usize = 16;
/// Slots of the old table looked at with an insertion. Of its n slots half are taken and looked at
/// twice, and n/2 insertions are left until the next doubling: three would do.
const MOVES_PER_INSERTION: usize = 8;
/// Slots looked at in one [`Index::settle`]: less than a millisecond.
const MOVES_PER_SETTLE: usize = 1 << 15;

impl Index {
    pub(crate) const fn new() -> Self {
        Self { slots: Slots::NONE, old: Slots::NONE, moved: 0 }
    }

    /// The number under `hash` for which `is` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let found = self.slots.find(hash, &mut is);
        if found.is_some() || self.old.slots.is_empty() {
            return found;
        }
        self.old.find(hash, is)
    }

    /// Adds `number` under `hash`.
    pub(crate) fn insert(&mut self, hash: u64, number: u32) {
        let capacity = self.slots.slots.len() / 2;
        if self.slots.len + self.old.len >= capacity {
            self.move_old(usize::MAX);
            let slots = Slots::new((4 * capacity).max(MIN_SLOTS));
            self.old = core::mem::replace(&mut self.slots, slots);
            self.moved = 0;
        }
        self.slots.place(slot(hash, number));
        self.move_old(MOVES_PER_INSERTION);
    }

    /// Removes `number` from under `hash`; nothing happens when it is not there.
    pub(crate) fn remove(&mut self, hash: u64, number: u32) {
        if !self.slots.remove(slot(hash, number)) {
            self.old.remove(slot(hash, number));
        }
    }

    /// Goes on emptying the old table; call now and then.
    pub(crate) fn settle(&mut self) {
        self.move_old(MOVES_PER_SETTLE);
    }

    /// Entries.
    pub(crate) const fn len(&self) -> usize {
        self.slots.len + self.old.len
    }

    fn move_old(&mut self, moves: usize) {
        if self.old.slots.is_empty() {
            return;
        }
        for _ in 0..moves {
            match self.old.slots.get(self.moved).copied() {
                None => {
                    self.old = Slots::NONE;
                    return;
                }
                Some(0) => self.moved += 1,
                Some(slot) => {
                    // A later slot may come into this place, so it is looked at again.
                    self.old.len -= 1;
                    self.old.close(self.moved);
                    self.slots.place(slot);
                }
            }
        }
    }
}

/// A power of two of slots, or none.
#[derive(Clone, Debug)]
struct Slots {
    slots: Vec<u64>,
    len: usize,
}

impl Slots {
    const NONE: Self = Self { slots: Vec::new(), len: 0 };

    /// Zeroed by the system when first touched, where the allocator leaves that to it.
    fn new(slots: usize) -> Self {
        Self { slots: vec![0; slots], len: 0 }
    }

    #[inline]
    fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
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

    fn remove(&mut self, wanted: u64) -> bool {
        let mut at = self.home(wanted);
        loop {
            match self.slots.get(at) {
                None | Some(0) => return false,
                Some(slot) if *slot == wanted => break,
                Some(_) => at = self.after(at),
            }
        }
        self.len -= 1;
        self.close(at);
        true
    }

    /// Empties the slot at `hole`, filling it from the slots behind it as far as they may move.
    fn close(&mut self, mut hole: usize) {
        let mut next = self.after(hole);
        while let Some(slot) = self.slots.get(next).copied().filter(|slot| *slot != 0) {
            if self.distance(self.home(slot), next) >= self.distance(hole, next) {
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
        self.len += 1;
    }

    fn set(&mut self, at: usize, slot: u64) {
        if let Some(place) = self.slots.get_mut(at) {
            *place = slot;
        }
    }

    /// Where a slot belongs: the top bits of its hash. Both have the same upper half.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        // Of a power of two, this leaves as many bits as it has zeros; without slots the shift is
        // 65 and counts as 0.
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
                prop_assert_eq!(index.slots.len + index.old.len, model.len());
                for probe in 0..40 {
                    let found = index.find(hash, |n| n == probe).is_some();
                    prop_assert_eq!(found, model.contains(&(hash >> 32, probe)));
                }
            }
        }
    }

    #[test]
    fn a_growing_index_moves_a_few_slots_at_a_time_and_loses_none() {
        let hash = |number: u32| mix(u64::from(number));
        let mut index = Index::new();
        let mut doublings = 0;
        for number in 0..50_000 {
            let before = index.slots.slots.len();
            index.insert(hash(number), number);
            if index.slots.slots.len() != before {
                doublings += 1;
                assert!(index.old.len + 16 > number as usize, "the old table was settled in time");
            }
            let probe = number / 3;
            assert_eq!(index.find(hash(probe), |n| n == probe), Some(probe));
        }
        assert_eq!(doublings, 14);
        assert_eq!((index.slots.len, index.old.slots.len()), (50_000, 0));
    }

    #[test]
    fn an_index_that_has_just_grown_settles_without_further_entries() {
        let mut index = Index::new();
        let mut numbers = 0..;
        while index.old.len < 1000 {
            let number = numbers.next().unwrap();
            index.insert(mix(u64::from(number)), number);
        }
        let entries = index.len();
        index.settle();
        assert!(index.old.slots.is_empty());
        assert_eq!(index.slots.len, entries);
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
