//! By what a flow is known outside of the table.

use crate::tuple::Direction;

/// A flow's place in the table, and how many flows had been born when that was seen: a flow born
/// later in the same place is another.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct FlowId {
    pub(crate) number: u32,
    pub(crate) births: u32,
}

impl FlowId {
    /// The place.
    pub(crate) const fn number(self) -> u32 {
        self.number
    }
}

/// One direction of a flow.
#[derive(Copy, Clone, Debug)]
pub struct FlowDirection {
    pub(crate) flow: FlowId,
    pub(crate) direction: Direction,
}

/// The next hop of one direction of a flow, as a number that the caller of NAT chose. Gone with the
/// flow.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct CachedHop(pub u64);
