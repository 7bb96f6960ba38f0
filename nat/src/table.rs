//! All flows, found by either direction's tuple.

use packet::Instant;

use crate::expiry::Wheel;
use crate::flow::Flow;
use crate::index::{Hashes, Index};
use crate::slab::Slab;
use crate::tuple::{Direction, Tuple};

/// A flow's place in the table and the serial that proves it is still the same flow.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct FlowId {
    number: u32,
    serial: u32,
}

/// What became of a flow that was to be looked at.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// Its time is over.
    Ended(FlowId),
    /// Packets came meanwhile; it is looked at again later.
    Living,
}

/// Flows with their deadlines. For each flow: 96 bytes itself, 32 in the index, 12 in the wheel.
#[derive(Debug)]
pub(crate) struct Table {
    flows: Slab<Flow>,
    /// Numbers are twice the flow's, plus one for the reply direction.
    index: Index,
    wheel: Wheel,
    serial: u32,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            flows: Slab::new(),
            index: Index::new(),
            wheel: Wheel::new(),
            serial: 0,
        }
    }

    /// Sets memory aside for `flows`, so that none of them is ever moved.
    pub(crate) fn reserve(&mut self, flows: usize) {
        self.flows.reserve(flows);
        self.index.reserve(2 * flows);
        self.wheel.reserve(flows);
    }

    pub(crate) const fn len(&self) -> usize {
        self.flows.len()
    }

    /// The flow that a packet with this tuple belongs to, living or not, and its direction.
    #[inline]
    pub(crate) fn find(&self, hashes: &Hashes, tuple: &Tuple) -> Option<(FlowId, Direction)> {
        let found = self.index.find(hashes.of(tuple.words()), |entry| {
            let flow = self.flows.get(entry / 2);
            flow.is_some_and(|flow| flow.tuple(direction(entry)) == tuple)
        })?;
        Some((self.id(found / 2)?, direction(found)))
    }

    #[inline]
    pub(crate) fn get(&self, id: FlowId) -> Option<&Flow> {
        let flow = self.flows.get(id.number)?;
        (flow.serial == id.serial).then_some(flow)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        let flow = self.flows.get_mut(id.number)?;
        (flow.serial == id.serial).then_some(flow)
    }

    /// Adds a flow, neither of whose tuples may be in the table.
    pub(crate) fn insert(&mut self, now: Instant, hashes: &Hashes, mut flow: Flow) -> FlowId {
        self.serial = self.serial.wrapping_add(1);
        flow.serial = self.serial;
        let deadline = flow.deadline();
        let hashed = [Direction::Original, Direction::Reply]
            .map(|direction| hashes.of(flow.tuple(direction).words()));
        let number = self.flows.insert(flow);
        for (entry, hash) in (2 * number..).zip(hashed) {
            self.index.insert(hash, entry);
        }
        self.wheel.insert(now, number, deadline);
        FlowId {
            number,
            serial: self.serial,
        }
    }

    pub(crate) fn remove(&mut self, hashes: &Hashes, id: FlowId) -> Option<Flow> {
        self.get(id)?;
        let flow = self.flows.remove(id.number)?;
        for (entry, direction) in (2 * id.number..).zip([Direction::Original, Direction::Reply]) {
            self.index
                .remove(hashes.of(flow.tuple(direction).words()), entry);
        }
        self.wheel.remove(id.number);
        Some(flow)
    }

    /// Moves a flow's deadline.
    #[inline]
    pub(crate) fn set_deadline(&mut self, now: Instant, id: FlowId, deadline: Instant) {
        let Some(flow) = self.get_mut(id) else {
            return;
        };
        let earlier = deadline < flow.deadline();
        flow.set_deadline(deadline);
        if earlier {
            self.wheel.hasten(now, id.number, deadline);
        }
    }

    /// Looks at one flow that may have come to its end; `None` when there is no more to look at.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Due> {
        let number = self.wheel.pop_due(now)?;
        let flow = self.flows.get(number)?;
        let (deadline, serial) = (flow.deadline(), flow.serial);
        if flow.is_living(now) {
            self.wheel.insert(now, number, deadline);
            return Some(Due::Living);
        }
        Some(Due::Ended(FlowId { number, serial }))
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.wheel.next()
    }

    /// All flows, dead ones not yet collected included, in the order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Flow> {
        self.flows.iter().map(|(_, flow)| flow)
    }

    /// One more than the highest place in use.
    pub(crate) const fn bound(&self) -> u32 {
        self.flows.bound()
    }

    /// The flow in this place.
    pub(crate) fn id(&self, number: u32) -> Option<FlowId> {
        let serial = self.flows.get(number)?.serial;
        Some(FlowId { number, serial })
    }
}

const fn direction(entry: u32) -> Direction {
    if entry.is_multiple_of(2) {
        Direction::Original
    } else {
        Direction::Reply
    }
}
