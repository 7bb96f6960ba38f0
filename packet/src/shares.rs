//! Who holds how much of a bounded room, and what each has held longest.
//!
//! A table of things that wait is full sooner or later. Whoever holds the most then makes room, by
//! what it has held longest, so nobody takes the room of another that holds less. The table itself
//! keeps the things; here they are numbers, which rise with time, and whatever finds them there.

use std::collections::{BTreeMap, BTreeSet};

/// The room of each holder `H`, in bytes; `T` finds one thing. Every call costs a logarithm of how
/// many there are.
#[derive(Clone, Debug)]
pub struct Shares<H, T> {
    shares: BTreeMap<H, Share<T>>,
    /// By bytes, then by holder, so that equal shares have an order.
    ranking: BTreeSet<(usize, H)>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Share<T> {
    bytes: usize,
    things: BTreeMap<u64, T>,
}

impl<H, T> Default for Shares<H, T> {
    fn default() -> Self {
        Self { shares: BTreeMap::new(), ranking: BTreeSet::new(), bytes: 0 }
    }
}

impl<H: Ord + Copy, T: Copy> Shares<H, T> {
    /// Nobody holds anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes held in all.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that `holder` holds.
    pub fn held(&self, holder: H) -> usize {
        self.shares.get(&holder).map_or(0, |share| share.bytes)
    }

    /// Who holds the most; the last of equals.
    pub fn largest(&self) -> Option<H> {
        self.ranking.last().map(|(_, holder)| *holder)
    }

    /// What `holder` has held longest.
    pub fn oldest(&self, holder: H) -> Option<(u64, T)> {
        let things = &self.shares.get(&holder)?.things;
        things.first_key_value().map(|(number, thing)| (*number, *thing))
    }

    /// From here on `holder` holds this thing of so many bytes. Numbers are given once.
    pub fn insert(&mut self, holder: H, number: u64, thing: T, bytes: usize) {
        let share = self.shares.entry(holder);
        let share = share.or_insert(Share { bytes: 0, things: BTreeMap::new() });
        share.things.insert(number, thing);
        self.resize(holder, 0, bytes);
    }

    /// One of the things that `holder` holds has grown or shrunk from `old` to `new` bytes.
    pub fn resize(&mut self, holder: H, old: usize, new: usize) {
        if old == new {
            return;
        }
        let Some(share) = self.shares.get_mut(&holder) else { return };
        self.ranking.remove(&(share.bytes, holder));
        share.bytes = share.bytes - old + new;
        self.bytes = self.bytes - old + new;
        self.ranking.insert((share.bytes, holder));
    }

    /// `holder` holds this thing of so many bytes no more.
    pub fn remove(&mut self, holder: H, number: u64, bytes: usize) {
        self.resize(holder, bytes, 0);
        let Some(share) = self.shares.get_mut(&holder) else { return };
        share.things.remove(&number);
        if share.things.is_empty() {
            self.ranking.remove(&(share.bytes, holder));
            self.shares.remove(&holder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_are_what_a_list_says(
            steps in prop::collection::vec((0u8..4, 0u8..3, 1usize..50, any::<prop::sample::Index>()), 0..120)
        ) {
            let mut shares = Shares::new();
            let mut list: Vec<(u8, u64, usize)> = Vec::new();
            for (number, (step, holder, bytes, which)) in (0u64..).zip(steps) {
                let chosen = (!list.is_empty()).then(|| which.index(list.len()));
                match (step, chosen) {
                    (0, Some(at)) => {
                        let (holder, number, bytes) = list.remove(at);
                        shares.remove(holder, number, bytes);
                    }
                    (1, Some(at)) => {
                        shares.resize(list[at].0, list[at].2, bytes);
                        list[at].2 = bytes;
                    }
                    _ => {
                        shares.insert(holder, number, number * 2, bytes);
                        list.push((holder, number, bytes));
                    }
                }
                let held = |holder| list.iter().filter(|l| l.0 == holder).map(|l| l.2).sum::<usize>();
                prop_assert_eq!(shares.bytes(), list.iter().map(|l| l.2).sum::<usize>());
                let holders: BTreeSet<u8> = list.iter().map(|l| l.0).collect();
                let largest = holders.iter().copied().max_by_key(|holder| held(*holder));
                prop_assert_eq!(shares.largest(), largest);
                for holder in 0..3 {
                    prop_assert_eq!(shares.held(holder), held(holder));
                    let oldest = list.iter().filter(|l| l.0 == holder).map(|l| l.1).min();
                    prop_assert_eq!(shares.oldest(holder), oldest.map(|n| (n, n * 2)));
                }
            }
        }
    }
}
