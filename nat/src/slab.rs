//! Values that keep their number for life, in one allocation that is made once.

use packet::snapshot::{Damaged, ensure};
use serde::{Deserialize, Serialize};

/// A vector with holes. Numbers are small, reused last-freed-first, and iteration is in their
/// order: deterministic.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Read<T>")]
pub(crate) struct Slab<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

/// A slab as it is read, before its holes were counted.
#[derive(Deserialize)]
struct Read<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> TryFrom<Read<T>> for Slab<T> {
    type Error = Damaged;

    fn try_from(Read { entries, free }: Read<T>) -> Result<Self, Damaged> {
        let mut holes = free.clone();
        holes.sort_unstable();
        let empty = (0..).zip(&entries).filter(|(_, entry)| entry.is_none());
        let is_sound = empty.map(|(number, _)| number).eq(holes);
        ensure(is_sound, "free places are not the empty ones")?;
        Ok(Self { entries, free })
    }
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }

    /// Sets memory aside for `capacity` values, without touching it, so that no insertion moves the
    /// others.
    pub(crate) fn reserve(&mut self, capacity: usize) {
        let more = |len: usize| capacity.saturating_sub(len);
        self.entries.reserve_exact(more(self.entries.len()));
        self.free.reserve_exact(more(self.free.len()));
    }

    pub(crate) const fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(number) = self.free.pop()
            && let Some(entry) = self.entries.get_mut(number as usize)
        {
            *entry = Some(value);
            return number;
        }
        self.entries.push(Some(value));
        (self.entries.len() - 1) as u32
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.entries.get(number as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.entries.get_mut(number as usize)?.as_mut()
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let value = self.entries.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let numbered = (0..).zip(self.entries.iter());
        numbered.filter_map(|(number, entry)| Some((number, entry.as_ref()?)))
    }

    /// One more than the highest number ever given.
    pub(crate) const fn bound(&self) -> u32 {
        self.entries.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_number_is_given_again_and_iteration_is_in_order() {
        let mut slab = Slab::new();
        for value in 0..5 {
            assert_eq!(slab.insert(value), value);
        }
        assert_eq!(slab.remove(3), Some(3));
        assert_eq!(slab.remove(3), None);
        assert_eq!(slab.len(), 4);
        assert_eq!(slab.insert(7), 3);
        let all: Vec<_> = slab.iter().map(|(number, value)| (number, *value)).collect();
        assert_eq!(all, [(0, 0), (1, 1), (2, 2), (3, 7), (4, 4)]);
    }
}
