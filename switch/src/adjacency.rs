//! Adjacencies: all that steps 6 and 8 say of a next hop, kept so that the packets of a known flow need not ask again.
//!
//! # Theory of operation
//! A flow's next hop follows from rules, routes and interfaces, which change only through
//! [`Switch::apply`](crate::Switch::apply) and with a port's state; each such change begins an *epoch*. With each
//! direction of a flow NAT caches a hop: the epoch, and the number of the adjacency that its last packet left by. An
//! adjacency itself holds as long as the neighbour table and its bridge's forwarding database are at the versions that it
//! was made from, and as long as its neighbour is trusted. What no longer holds is not mended here: the packet goes the
//! long way, which notes what it found. So nothing but time depends on this table.

use std::collections::BTreeMap;

use nat::CachedHop;
use packet::{BridgeId, Instant, InterfaceId, Mac};

use crate::bridge::Bridges;
use crate::neighbors::{Key, Neighbors};
use crate::outbox::Egress;

/// How packets reach a next hop.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Adjacency {
    /// The next hop's Ethernet address.
    pub(crate) to: Mac,
    /// Ours on that segment.
    pub(crate) from: Mac,
    /// Nothing where packets have to go the long way, as into a tunnel.
    pub(crate) egress: Option<Egress>,
    /// Largest packet that goes uncut.
    pub(crate) mtu: u16,
    /// Where packets come in that it is for: there they have passed the reverse-path filter.
    pub(crate) arrival: InterfaceId,
    pub(crate) basis: Basis,
}

/// What an adjacency was made from.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Basis {
    /// Until when the neighbour is trusted.
    pub(crate) until: Instant,
    /// Version of the neighbour table.
    pub(crate) neighbors: u32,
    /// The bridge that the next hop is on, if it is on one, and the version of its database.
    pub(crate) station: Option<(BridgeId, u32)>,
}

/// The adjacencies of one epoch.
#[derive(Clone, Debug)]
pub(crate) struct Adjacencies {
    epoch: u32,
    entries: Vec<Adjacency>,
    numbers: BTreeMap<(Key, InterfaceId), u32>,
}

impl Adjacencies {
    pub(crate) const fn new() -> Self {
        // A hop of zero, which every flow begins with, is of no epoch.
        Self { epoch: 1, entries: Vec::new(), numbers: BTreeMap::new() }
    }

    /// Forgets everything: what it follows from may be another.
    pub(crate) fn begin_epoch(&mut self) {
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        self.entries.clear();
        self.numbers.clear();
    }

    /// The adjacency that a cached hop names, if it holds for what comes in on an interface.
    #[inline]
    pub(crate) fn find(
        &self,
        hop: CachedHop,
        now: Instant,
        arrival: InterfaceId,
        neighbors: &Neighbors,
        bridges: &Bridges,
    ) -> Option<&Adjacency> {
        if (hop.0 >> 32) as u32 != self.epoch {
            return None;
        }
        let adjacency = self.entries.get(hop.0 as u32 as usize)?;
        let Basis { until, neighbors: version, station } = adjacency.basis;
        let holds = version == neighbors.version
            && adjacency.arrival == arrival
            && now < until
            && station.is_none_or(|(bridge, version)| {
                bridges.get(bridge).is_some_and(|bridge| bridge.fdb.version == version)
            });
        holds.then_some(adjacency)
    }

    /// Keeps the adjacency of a neighbour; the hop to find it by.
    pub(crate) fn keep(&mut self, key: Key, adjacency: Adjacency) -> CachedHop {
        let next = self.entries.len() as u32;
        let number = *self.numbers.entry((key, adjacency.arrival)).or_insert(next);
        match self.entries.get_mut(number as usize) {
            Some(place) => *place = adjacency,
            None => self.entries.push(adjacency),
        }
        CachedHop(u64::from(self.epoch) << 32 | u64::from(number))
    }
}
