//! Who has how many flows, and which of them are evicted first.
//!
//! # Theory of operation
//! Flows are counted in *groups*, and of each group those that may be evicted stand in queues, one
//! for each [`Class`], the one heard longest ago first (by the four seconds; of those that are
//! closed, the one that closed first). Groups that compete for the same room are *rivals*. They are
//! sorted by the power of two that their number of flows lies in, so that one with the most, within
//! a factor of two, is found at once. A flow that comes or goes costs a few writes, and moves its
//! group among its rivals only when the number passes a power of two.

use std::collections::BTreeMap;

use packet::snapshot::{Damaged, ensure};
use serde::{Deserialize, Serialize};

use crate::index::{Hashes, Index};
use crate::queue::{Links, Queue};
use crate::slab::Slab;

/// What a flow is worth when there is no room. In this order they are evicted.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    /// Both sides have closed it, or one has reset it.
    Closed,
    /// Only one side has spoken, or a connection's handshake is not complete.
    Unanswered,
    /// Datagrams that were answered. Gives way only while it is silent.
    Answered,
}

impl Class {
    pub(crate) const ALL: [Self; 3] = [Self::Closed, Self::Unanswered, Self::Answered];

    /// Whether packets make it young again.
    pub(crate) const fn ages(self) -> bool {
        !matches!(self, Self::Closed)
    }
}

/// Which group: among which rivals, by which port of the switch, from which address.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) rivals: u32,
    pub(crate) port: u32,
    pub(crate) address: u32,
}

/// Groups of flows. For each flow 8 bytes, for each group 80.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Groups {
    groups: Slab<Group>,
    #[serde(skip, default = "Index::new")]
    index: Index,
    /// Each flow's place in a queue of its group.
    flows: Links,
    /// Each group's place among its rivals.
    places: Links,
    /// By rivals: groups by size, the smallest first.
    rivals: Vec<[Queue; SIZES]>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Group {
    key: Key,
    flows: u32,
    queues: [Queue; Class::ALL.len()],
}

/// Powers of two that a number of flows may lie in.
const SIZES: usize = 25;

impl Group {
    /// The power of two that its number of flows lies in.
    const fn size(&self) -> usize {
        size(self.flows)
    }
}

const fn size(flows: u32) -> usize {
    let bits = (u32::BITS - flows.leading_zeros()) as usize;
    if bits < SIZES { bits } else { SIZES - 1 }
}

impl Groups {
    pub(crate) const fn new() -> Self {
        Self {
            groups: Slab::new(),
            index: Index::new(),
            flows: Links::new(),
            places: Links::new(),
            rivals: Vec::new(),
        }
    }

    /// Makes the way in anew, behind a slab that was read.
    pub(crate) fn reindex(&mut self, hashes: &Hashes) {
        for (id, group) in self.groups.iter() {
            self.index.insert(hash(hashes, group.key), id);
        }
    }

    /// Sets memory aside for so many flows, in so many groups.
    pub(crate) fn reserve(&mut self, flows: usize, groups: usize) {
        self.groups.reserve(groups);
        self.places.reserve(groups);
        self.flows.reserve(flows);
    }

    /// Groups with flows.
    pub(crate) const fn len(&self) -> usize {
        self.groups.len()
    }

    pub(crate) fn find(&self, hashes: &Hashes, key: Key) -> Option<u32> {
        let is = |id| self.groups.get(id).is_some_and(|group| group.key == key);
        self.index.find(hash(hashes, key), is)
    }

    /// How many flows a group has.
    pub(crate) fn flows(&self, id: u32) -> usize {
        self.groups.get(id).map_or(0, |group| group.flows as usize)
    }

    /// Whether any group has these rivals.
    pub(crate) fn has_rivals(&self, rivals: u32) -> bool {
        self.largest(rivals).is_some()
    }

    /// Counts one more flow; its group.
    pub(crate) fn add(&mut self, hashes: &Hashes, key: Key) -> u32 {
        let id = self.find(hashes, key).unwrap_or_else(|| {
            let queues = [Queue::EMPTY; Class::ALL.len()];
            let id = self.groups.insert(Group { key, flows: 0, queues });
            self.index.insert(hash(hashes, key), id);
            id
        });
        self.count(id, |flows| flows.saturating_add(1));
        id
    }

    /// Counts one flow less, which is in no queue any more.
    pub(crate) fn remove(&mut self, hashes: &Hashes, id: u32) {
        self.count(id, |flows| flows.saturating_sub(1));
        if let Some(group) = self.groups.get(id).filter(|group| group.flows == 0) {
            self.index.remove(hash(hashes, group.key), id);
            self.groups.remove(id);
        }
    }

    /// Puts a flow last in a queue of its group.
    pub(crate) fn enqueue(&mut self, id: u32, class: Class, flow: u32) {
        if let Some(group) = self.groups.get_mut(id)
            && !self.flows.has(flow)
        {
            self.flows.append(&mut group.queues[class as usize], flow);
        }
    }

    /// Takes a flow out of the queue of its group that it is in.
    pub(crate) fn dequeue(&mut self, id: u32, class: Class, flow: u32) {
        if let Some(group) = self.groups.get_mut(id)
            && self.flows.has(flow)
        {
            self.flows.remove(&mut group.queues[class as usize], flow);
        }
    }

    /// The first of each queue of a group, in the order in which they are evicted.
    pub(crate) fn first(&self, id: u32) -> impl Iterator<Item = u32> {
        let queues = self.groups.get(id).map(|group| group.queues);
        queues.into_iter().flatten().filter_map(Queue::oldest)
    }

    /// A group that has the most flows of these rivals, within a factor of two: `own` where it is
    /// one.
    pub(crate) fn largest_or(&self, rivals: u32, own: Option<u32>) -> Option<u32> {
        let largest = self.largest(rivals)?;
        let size = |id| self.groups.get(id).map(Group::size);
        Some(own.filter(|own| size(*own) == size(largest)).unwrap_or(largest))
    }

    fn largest(&self, rivals: u32) -> Option<u32> {
        let sizes = self.rivals.get(rivals as usize)?;
        sizes.iter().rev().find_map(|queue| queue.oldest())
    }

    fn count(&mut self, id: u32, change: impl FnOnce(u32) -> u32) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let before = group.size();
        group.flows = change(group.flows);
        let (after, rivals) = (group.size(), group.key.rivals as usize);
        if before == after {
            return;
        }
        if self.rivals.len() <= rivals {
            self.rivals.resize(rivals + 1, [Queue::EMPTY; SIZES]);
        }
        let Some(sizes) = self.rivals.get_mut(rivals) else { return };
        // Nobody's flows are of no size.
        if before != 0 {
            self.places.remove(&mut sizes[before], id);
        }
        if after != 0 {
            self.places.append(&mut sizes[after], id);
        }
    }

    /// Compares the groups with the flows: each with its place, its group and its class.
    pub(crate) fn check(
        &self,
        flows: impl Iterator<Item = (u32, u32, Option<Class>)>,
    ) -> Result<(), Damaged> {
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        let mut waiting: BTreeMap<(u32, usize), Vec<u32>> = BTreeMap::new();
        for (flow, group, class) in flows {
            *counts.entry(group).or_default() += 1;
            match class {
                Some(class) => waiting.entry((group, class as usize)).or_default().push(flow),
                None => ensure(!self.flows.has(flow), "a flow waits to give way that may not")?,
            }
        }
        let is_counted = |(id, group): (u32, &Group)| counts.get(&id) == Some(&group.flows);
        let all = self.groups.len() == counts.len() && self.groups.iter().all(is_counted);
        ensure(all, "a group has other flows than are counted")?;
        let mut queued = 0;
        for (id, group) in self.groups.iter() {
            for (class, queue) in group.queues.iter().enumerate() {
                let mut found = self.flows.check(*queue)?;
                found.sort_unstable();
                queued += found.len();
                let expected = waiting.remove(&(id, class)).unwrap_or_default();
                ensure(found == expected, "other flows wait to give way than should")?;
            }
        }
        ensure(queued == self.flows.len(), "what waits to give way is nobody's")?;
        self.check_sizes()
    }

    /// Whether each group is among its rivals, by its size.
    fn check_sizes(&self) -> Result<(), Damaged> {
        let mut placed = 0;
        for (rivals, sizes) in (0u32..).zip(&self.rivals) {
            for (size, queue) in sizes.iter().enumerate() {
                for id in self.places.check(*queue)? {
                    let group = self.groups.get(id);
                    let is_right = group
                        .is_some_and(|group| group.key.rivals == rivals && group.size() == size);
                    ensure(is_right, "a group is of another size")?;
                    placed += 1;
                }
            }
        }
        let all = placed == self.groups.len() && placed == self.places.len();
        ensure(all, "a group is not among its rivals")
    }
}

fn hash(hashes: &Hashes, Key { rivals, port, address }: Key) -> u64 {
    hashes.of((u64::from(rivals) << 32 | u64::from(port), u64::from(address)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Flows by number, each in its group and perhaps in a class, against lists.
        #[test]
        fn ranks_are_what_lists_are(
            steps in prop::collection::vec((0u8..3, 0u32..12, 0u32..4, 0usize..4), 0..200)
        ) {
            let hashes = Hashes::new(1);
            let mut groups = Groups::new();
            let mut model: Vec<(u32, u32, Option<Class>)> = Vec::new();
            let key = |port| Key { rivals: port % 2, port, address: 0 };
            for (what, flow, port, class) in steps {
                let at = model.iter().position(|known| known.0 == flow);
                match (what, at) {
                    (0, None) => {
                        groups.add(&hashes, key(port));
                        model.push((flow, port, None));
                    }
                    (1, Some(at)) => {
                        let (_, port, old) = model.remove(at);
                        let id = groups.find(&hashes, key(port)).unwrap();
                        old.into_iter().for_each(|old| groups.dequeue(id, old, flow));
                        groups.remove(&hashes, id);
                    }
                    (2, Some(at)) => {
                        let (_, port, old) = model.remove(at);
                        let id = groups.find(&hashes, key(port)).unwrap();
                        old.into_iter().for_each(|old| groups.dequeue(id, old, flow));
                        let class = Class::ALL.get(class).copied();
                        class.into_iter().for_each(|class| groups.enqueue(id, class, flow));
                        model.push((flow, port, class));
                    }
                    _ => {}
                }
                let mut sorted: Vec<_> = model
                    .iter()
                    .map(|(flow, port, class)| {
                        (*flow, groups.find(&hashes, key(*port)).unwrap(), *class)
                    })
                    .collect();
                sorted.sort_unstable_by_key(|known| known.0);
                groups.check(sorted.into_iter()).unwrap();
                for port in 0..4 {
                    let of = |port| model.iter().filter(|known| known.1 == port).count();
                    let id = groups.find(&hashes, key(port));
                    prop_assert_eq!(id.map_or(0, |id| groups.flows(id)), of(port));
                    let Some(id) = id else { continue };
                    let first: Vec<u32> = Class::ALL
                        .iter()
                        .filter_map(|class| model.iter().find(|f| f.1 == port && f.2 == Some(*class)))
                        .map(|flow| flow.0)
                        .collect();
                    prop_assert_eq!(groups.first(id).collect::<Vec<_>>(), first);
                    let most = of(port).max(of((port + 2) % 4)) as u32;
                    let largest = groups.largest_or(port % 2, Some(id)).unwrap();
                    prop_assert_eq!(size(groups.groups.get(largest).unwrap().flows), size(most));
                    prop_assert!(largest == id || size(of(port) as u32) < size(most));
                }
            }
        }
    }
}
