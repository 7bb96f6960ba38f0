//! Queues whose members are numbers, linked through one table: to be first, last or taken out costs
//! a few writes.
//!
//! A number is in at most one of the queues that share a table.

use packet::snapshot::{Damaged, ensure};
use serde::{Deserialize, Serialize};

const NONE: u32 = u32::MAX;

/// Numbers, the oldest first.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Queue {
    first: u32,
    last: u32,
}

impl Queue {
    pub(crate) const EMPTY: Self = Self { first: NONE, last: NONE };

    /// The number that was put in before all others.
    pub(crate) fn oldest(self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }
}

/// What stands before and behind each number in its queue. 8 bytes for each number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Links(Vec<Link>);

#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
struct Link {
    /// Itself while it is in no queue.
    previous: u32,
    next: u32,
}

impl Links {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sets memory aside for numbers below `capacity`.
    pub(crate) fn reserve(&mut self, capacity: usize) {
        self.0.reserve_exact(capacity.saturating_sub(self.0.len()));
    }

    /// Whether `flow` is in a queue.
    pub(crate) fn has(&self, flow: u32) -> bool {
        self.0.get(flow as usize).is_some_and(|link| link.previous != flow)
    }

    /// Puts `flow` last in `queue`; it must be in none.
    pub(crate) fn append(&mut self, queue: &mut Queue, flow: u32) {
        for loose in self.0.len()..=flow as usize {
            self.0.push(Link { previous: loose as u32, next: NONE });
        }
        let previous = core::mem::replace(&mut queue.last, flow);
        match self.0.get_mut(previous as usize) {
            Some(link) => link.next = flow,
            None => queue.first = flow,
        }
        if let Some(link) = self.0.get_mut(flow as usize) {
            *link = Link { previous, next: NONE };
        }
    }

    /// Takes `flow` out of `queue`, in which it must be.
    pub(crate) fn remove(&mut self, queue: &mut Queue, flow: u32) {
        let Some(place) = self.0.get_mut(flow as usize) else {
            return;
        };
        let Link { previous, next } =
            core::mem::replace(place, Link { previous: flow, next: NONE });
        match self.0.get_mut(previous as usize) {
            Some(link) => link.next = next,
            None => queue.first = next,
        }
        match self.0.get_mut(next as usize) {
            Some(link) => link.previous = previous,
            None => queue.last = previous,
        }
    }

    /// The numbers of a queue, the oldest first.
    pub(crate) fn iter(&self, queue: Queue) -> impl Iterator<Item = u32> {
        core::iter::successors(queue.oldest(), |flow| {
            self.0.get(*flow as usize).map(|link| link.next).filter(|next| *next != NONE)
        })
    }

    /// Whether `queue` is a chain that can be walked either way; gives its numbers.
    pub(crate) fn check(&self, queue: Queue) -> Result<Vec<u32>, Damaged> {
        let (mut flows, mut previous) = (Vec::new(), NONE);
        for flow in self.iter(queue) {
            let link = self.0.get(flow as usize).filter(|link| link.previous == previous);
            // One that came before is not met again: what stands before it is another by then.
            ensure(link.is_some(), "a queue is out of order")?;
            flows.push(flow);
            previous = flow;
        }
        ensure(queue.last == previous, "a queue is out of order")?;
        Ok(flows)
    }

    /// Numbers in queues, whichever they are.
    pub(crate) fn len(&self) -> usize {
        (0u32..).zip(&self.0).filter(|(flow, link)| link.previous != *flow).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn queues_are_what_lists_are(steps in prop::collection::vec((any::<bool>(), 0usize..3, 0u32..12), 0..200)) {
            let mut links = Links::new();
            let mut queues = [Queue::EMPTY; 3];
            let mut model: [Vec<u32>; 3] = Default::default();
            for (add, queue, flow) in steps {
                let within = model.iter().position(|flows| flows.contains(&flow));
                prop_assert_eq!(links.has(flow), within.is_some());
                match within {
                    None if add => {
                        links.append(&mut queues[queue], flow);
                        model[queue].push(flow);
                    }
                    Some(queue) if !add => {
                        links.remove(&mut queues[queue], flow);
                        model[queue].retain(|other| *other != flow);
                    }
                    _ => {}
                }
                for (queue, flows) in queues.iter().zip(&model) {
                    prop_assert_eq!(&links.check(*queue).unwrap(), flows);
                    prop_assert_eq!(queue.oldest(), flows.first().copied());
                }
                prop_assert_eq!(links.len(), model.iter().map(Vec::len).sum::<usize>());
            }
        }
    }

    #[test]
    fn a_chain_that_leads_in_a_circle_is_refused() {
        let mut links = Links::new();
        let mut queue = Queue::EMPTY;
        links.append(&mut queue, 0);
        links.append(&mut queue, 1);
        links.0[1].next = 0;
        assert!(links.check(queue).is_err());
        assert!(Links::new().check(queue).is_err(), "nor one that leads nowhere");
    }

    #[test]
    fn a_chain_that_cannot_be_walked_back_is_refused() {
        let mut links = Links::new();
        let mut queue = Queue::EMPTY;
        (0..3).for_each(|flow| links.append(&mut queue, flow));
        assert_eq!(links.check(queue).unwrap(), [0, 1, 2]);
        for (flow, previous) in [(0, 2), (1, NONE), (1, 1), (2, 0), (2, 2)] {
            let mut links = links.clone();
            links.0[flow].previous = previous;
            assert!(links.check(queue).is_err(), "{previous} before {flow}");
        }
    }
}
