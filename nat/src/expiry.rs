//! When to look at which flow: a wheel of buckets one second apart.
//!
//! # Theory of operation
//! Every flow is in one bucket, by the first whole second at or after its deadline, or in the
//! farthest bucket when that is beyond the wheel's turn (4096 s). A packet that moves a deadline
//! later touches nothing here: the flow fires early, its owner sees that it is alive, and puts it
//! in again. Only a deadline that moves earlier must be told ([`Wheel::hasten`]). Buckets are
//! doubly linked lists through a table indexed by flow, so that insertion and removal are a few
//! writes; a bitmap of buckets in use finds the next without a walk.

use packet::Instant;
use packet::snapshot::{Damaged, ensure};
use serde::{Deserialize, Serialize, Serializer};

/// Buckets, one second each: more than an hour, so that a long-lived flow is looked at about once
/// an hour.
const BUCKETS: u64 = 4096;
const NONE: u32 = u32::MAX;

/// Where an entry is. 12 bytes for each flow.
#[derive(Copy, Clone, Debug)]
struct WheelLink {
    next: u32,
    previous: u32,
    bucket: u32,
}

const LOOSE: WheelLink = WheelLink { next: NONE, previous: NONE, bucket: NONE };

/// A wheel as it is written: the buckets that are not empty, each with its numbers in order.
#[derive(Serialize, Deserialize)]
pub(crate) struct Buckets {
    passed: u64,
    buckets: Vec<(u32, Vec<u32>)>,
}

impl Serialize for Wheel {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let used = (0u32..).zip(&self.heads).filter(|(_, head)| **head != NONE);
        let numbers = |head: u32| {
            let following = |number: &u32| self.links.get(*number as usize).map(|link| link.next);
            let all = core::iter::successors(Some(head), following);
            all.take_while(|number| *number != NONE).collect()
        };
        let buckets = used.map(|(bucket, head)| (bucket, numbers(*head))).collect();
        Buckets { passed: self.passed, buckets }.serialize(writer)
    }
}

/// Numbers with deadlines.
#[derive(Clone, Debug)]
pub(crate) struct Wheel {
    heads: Vec<u32>,
    occupied: [u64; (BUCKETS / 64) as usize],
    links: Vec<WheelLink>,
    len: usize,
    /// The last second whose bucket is empty for good; entries are at most a turn ahead of it.
    passed: u64,
}

impl Wheel {
    pub(crate) fn new() -> Self {
        Self {
            heads: vec![NONE; BUCKETS as usize],
            occupied: [0; (BUCKETS / 64) as usize],
            links: Vec::new(),
            len: 0,
            passed: 0,
        }
    }

    /// A wheel from what was read, of numbers for which `is_known` holds.
    pub(crate) fn read(
        Buckets { passed, buckets }: Buckets,
        is_known: impl Fn(u32) -> bool,
    ) -> Result<Self, Damaged> {
        ensure(passed <= u64::MAX / 1_000_000_000, "a deadline is beyond time")?;
        let mut wheel = Self { passed, ..Self::new() };
        for (bucket, numbers) in buckets {
            ensure(u64::from(bucket) < BUCKETS, "a deadline has no bucket")?;
            for number in numbers.into_iter().rev() {
                let link = wheel.links.get(number as usize);
                let is_new = link.is_none_or(|link| link.bucket == NONE);
                ensure(is_new && is_known(number), "a deadline is not of one flow")?;
                wheel.put(number, bucket);
            }
        }
        Ok(wheel)
    }

    /// Numbers in it.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Sets memory aside for numbers below `capacity`.
    pub(crate) fn reserve(&mut self, capacity: usize) {
        self.links.reserve_exact(capacity.saturating_sub(self.links.len()));
    }

    /// Puts `number` in; it must not be in.
    pub(crate) fn insert(&mut self, now: Instant, number: u32, deadline: Instant) {
        if self.len == 0 {
            self.passed = self.passed.max(now.as_secs());
        }
        let second = deadline.as_nanos().div_ceil(1_000_000_000);
        let second = second.clamp(self.passed + 1, self.passed + BUCKETS - 1);
        self.put(number, (second % BUCKETS) as u32);
    }

    /// Puts `number` first in a bucket.
    fn put(&mut self, number: u32, bucket: u32) {
        if self.links.len() <= number as usize {
            self.links.resize(number as usize + 1, LOOSE);
        }
        let Some(head) = self.heads.get_mut(bucket as usize) else {
            return;
        };
        let next = core::mem::replace(head, number);
        self.set_link(number, WheelLink { next, previous: NONE, bucket });
        if let Some(link) = self.links.get_mut(next as usize) {
            link.previous = number;
        }
        self.mark(bucket, true);
        self.len += 1;
    }

    /// Takes `number` out; nothing happens when it is not in.
    pub(crate) fn remove(&mut self, number: u32) {
        let Some(link) = self.links.get(number as usize).copied() else {
            return;
        };
        if link.bucket == NONE {
            return;
        }
        self.set_link(number, LOOSE);
        if let Some(next) = self.links.get_mut(link.next as usize) {
            next.previous = link.previous;
        }
        match self.links.get_mut(link.previous as usize) {
            Some(previous) => previous.next = link.next,
            None => {
                if let Some(head) = self.heads.get_mut(link.bucket as usize) {
                    *head = link.next;
                }
                self.mark(link.bucket, link.next != NONE);
            }
        }
        self.len -= 1;
    }

    /// Says that the deadline of `number` has moved to an earlier time.
    pub(crate) fn hasten(&mut self, now: Instant, number: u32, deadline: Instant) {
        self.remove(number);
        self.insert(now, number, deadline);
    }

    /// Takes out a number whose second has come, if there is one. Its deadline may have moved on
    /// since.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        if now.as_secs() <= self.passed {
            return None;
        }
        match self.first() {
            Some(second) if second <= now.as_secs() => {
                self.passed = second - 1;
                let number = *self.heads.get((second % BUCKETS) as usize)?;
                self.remove(number);
                Some(number)
            }
            _ => {
                self.passed = now.as_secs();
                None
            }
        }
    }

    /// When to call [`Wheel::pop_due`] next; in the past while more is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.first().map(Instant::from_secs)
    }

    /// The first second whose bucket is in use.
    fn first(&self) -> Option<u64> {
        let start = self.passed + 1;
        let position = (start % BUCKETS) as u32;
        let words = self.occupied.len() as u32;
        // The word with the starting position is looked at twice: its upper part first, its lower
        // part last.
        for step in 0..=words {
            let word = (position / 64 + step) % words;
            let mut bits = self.occupied.get(word as usize).copied().unwrap_or(0);
            match step {
                0 => bits &= u64::MAX << (position % 64),
                step if step == words => bits &= !(u64::MAX << (position % 64)),
                _ => {}
            }
            if bits != 0 {
                let bucket = u64::from(word * 64 + bits.trailing_zeros());
                return Some(start + (bucket + BUCKETS - start % BUCKETS) % BUCKETS);
            }
        }
        None
    }

    /// Whether `number` is in.
    pub(crate) fn has(&self, number: u32) -> bool {
        self.links.get(number as usize).is_some_and(|link| link.bucket != NONE)
    }

    fn set_link(&mut self, number: u32, link: WheelLink) {
        if let Some(place) = self.links.get_mut(number as usize) {
            *place = link;
        }
    }

    fn mark(&mut self, bucket: u32, used: bool) {
        if let Some(word) = self.occupied.get_mut(bucket as usize / 64) {
            let bit = 1 << (bucket % 64);
            *word = if used { *word | bit } else { *word & !bit };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_fires_in_the_second_of_its_deadline_and_not_before() {
        let mut wheel = Wheel::new();
        let start = Instant::from_secs(1_000_000);
        wheel.insert(start, 3, Instant::from_millis(1_000_002_500));
        assert_eq!(wheel.next(), Some(Instant::from_secs(1_000_003)));
        assert_eq!(wheel.pop_due(Instant::from_millis(1_000_002_999)), None);
        assert_eq!(wheel.pop_due(Instant::from_secs(1_000_003)), Some(3));
        assert_eq!(wheel.next(), None);
    }

    proptest! {
        #[test]
        fn the_wheel_fires_everything_in_time(
            steps in prop::collection::vec((0u8..4, 0u32..20, 0u64..20_000), 1..200)
        ) {
            let mut wheel = Wheel::new();
            let mut model: BTreeMap<u32, u64> = BTreeMap::new();
            let mut now = 77;
            for (what, number, span) in steps {
                let time = Instant::from_secs(now);
                match what {
                    0 if !model.contains_key(&number) => {
                        wheel.insert(time, number, Instant::from_secs(now + span));
                        model.insert(number, now + span);
                    }
                    1 if model.remove(&number).is_some() => wheel.remove(number),
                    2 => if let Some(deadline) = model.get_mut(&number) {
                        let earlier = (*deadline).min(now + span);
                        *deadline = earlier;
                        wheel.hasten(time, number, Instant::from_secs(earlier));
                    },
                    _ => {
                        now += span;
                        let time = Instant::from_secs(now);
                        let mut fired = Vec::new();
                        while let Some(number) = wheel.pop_due(time) {
                            fired.push(number);
                            let deadline = model[&number];
                            if deadline > now {
                                wheel.insert(time, number, Instant::from_secs(deadline));
                            } else {
                                model.remove(&number);
                            }
                            prop_assert!(fired.len() < 2000);
                        }
                        // A deadline of this very second may fire in the next.
                        prop_assert!(model.values().all(|deadline| *deadline >= now));
                    }
                }
                prop_assert_eq!(wheel.len, model.len());
                let next = wheel.next().map(|at| at.as_secs());
                let first = model.values().min().copied();
                prop_assert_eq!(next.is_some(), first.is_some());
                if let (Some(next), Some(first)) = (next, first) {
                    prop_assert!(next <= first.max(now + 1));
                }
            }
        }
    }
}
