//! A neighbour: its name, what is remembered of it, and how it is listed.

use core::net::Ipv4Addr;

use packet::{Instant, InterfaceId, Mac};
use serde::{Deserialize, Serialize};

use super::{Account, BETWEEN_ASKS};

/// How sure we are of a neighbour.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NeighborState {
    /// Asked for, not answered yet.
    Incomplete,
    /// Heard from lately.
    Reachable,
    /// Not heard from lately; asked again when used.
    Stale,
    /// Used while stale, and asked.
    Probe,
    /// Did not answer.
    Failed,
    /// Written by somebody.
    Static,
}

/// One line of a listing.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct NeighborView {
    /// The segment.
    pub interface: InterfaceId,
    /// The IPv4 address.
    pub address: Ipv4Addr,
    /// The MAC address, where one is known.
    pub mac: Option<Mac>,
    /// How sure we are.
    pub state: NeighborState,
}

impl NeighborView {
    pub(crate) fn is_static(&self) -> bool {
        self.state == NeighborState::Static
    }
}

#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
pub(super) struct Neighbor {
    pub(super) mac: Mac,
    pub(super) state: NeighborState,
    /// Requests sent in this state.
    pub(super) asks: u8,
    /// When the state ends, or the next request is due.
    pub(super) at: Instant,
    pub(super) account: Account,
}

/// A neighbour's name: segment and address in one word.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Key(u64);

impl Key {
    /// The first in their order.
    pub(super) const LEAST: Self = Self(0);

    pub(crate) fn new(interface: InterfaceId, address: Ipv4Addr) -> Self {
        Self(u64::from(interface.number()) << 32 | u64::from(u32::from(address)))
    }

    pub(crate) const fn interface(self) -> InterfaceId {
        InterfaceId::new((self.0 >> 32) as u16)
    }

    pub(crate) const fn address(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.0 as u32)
    }
}

impl Neighbor {
    /// One that everybody is asked for at `now`.
    pub(super) fn incomplete(now: Instant, account: Account) -> Self {
        let (state, at) = (NeighborState::Incomplete, now + BETWEEN_ASKS);
        Self { mac: Mac::ZERO, state, asks: 1, at, account }
    }
}

pub(super) fn view(key: Key, neighbor: &Neighbor) -> NeighborView {
    let known = !matches!(neighbor.state, NeighborState::Incomplete | NeighborState::Failed);
    NeighborView {
        interface: key.interface(),
        address: key.address(),
        mac: known.then_some(neighbor.mac),
        state: neighbor.state,
    }
}
