//! Adjacencies: all that steps 6 and 8 say of a next hop, kept so that the packets of a known flow
//! need not ask again.
//!
//! # Theory of operation
//! A flow's next hop follows from rules, routes and interfaces, which change only through
//! [`Switch::apply`](crate::Switch::apply) and with a port's state; each such change begins an
//! *epoch*. With each direction of a flow NAT caches a hop: the epoch, and the number of the
//! adjacency that its last packet left by. An adjacency itself holds as long as the neighbour table
//! and its bridge's forwarding database are at the versions that it was made from, and as long as
//! its neighbour is trusted. What no longer holds is not mended here: the packet goes the long way,
//! which notes what it found. So nothing but time depends on this table.

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

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use packet::PortId;

    use super::*;
    use crate::seeds::unkeyed;

    const NEAR: InterfaceId = InterfaceId::new(1);
    const ARRIVAL: InterfaceId = InterfaceId::new(2);

    fn key(last: u8) -> Key {
        Key::new(NEAR, Ipv4Addr::new(10, 0, 0, last))
    }

    /// By way of this port, for as long as the 30th second has not come.
    fn adjacency(port: u32, arrival: InterfaceId) -> Adjacency {
        Adjacency {
            to: Mac([2; 6]),
            from: Mac([4; 6]),
            egress: Some(Egress::port(PortId::new(port), None)),
            mtu: 1500,
            arrival,
            basis: Basis { until: Instant::from_secs(30), neighbors: 0, station: None },
        }
    }

    #[test]
    fn what_is_kept_is_found_as_long_as_its_basis_holds() {
        let (mut kept, bridges) = (Adjacencies::new(), Bridges::default());
        let mut neighbors = Neighbors::new(unkeyed());
        let other = InterfaceId::new(3);
        let hops = [(1, ARRIVAL), (2, ARRIVAL), (1, other)];
        let hops = [0, 1, 2].map(|port| {
            let (last, arrival) = hops[port];
            (kept.keep(key(last), adjacency(port as u32, arrival)), port as u32, arrival)
        });
        let found = |kept: &Adjacencies, hop, now, arrival, neighbors: &Neighbors| {
            let found = kept.find(hop, now, arrival, neighbors, &bridges)?;
            found.egress.map(|egress| egress.port.number())
        };
        let (soon, last) = (Instant::from_secs(1), Instant::from_nanos(29_999_999_999));
        for (hop, port, arrival) in hops {
            assert_eq!(found(&kept, hop, soon, arrival, &neighbors), Some(port));
            assert_eq!(found(&kept, hop, last, arrival, &neighbors), Some(port));
            assert_eq!(found(&kept, hop, Instant::from_secs(30), arrival, &neighbors), None);
            assert_eq!(found(&kept, hop, soon, NEAR, &neighbors), None, "comes in elsewhere");
        }
        let (hop, ..) = hops[0];
        assert_eq!(kept.keep(key(1), adjacency(7, ARRIVAL)), hop, "one place for one neighbour");
        assert_eq!(found(&kept, hop, soon, ARRIVAL, &neighbors), Some(7));
        assert_eq!(found(&kept, CachedHop::default(), soon, ARRIVAL, &neighbors), None);
        neighbors.version += 1;
        assert_eq!(found(&kept, hop, soon, ARRIVAL, &neighbors), None, "another table");
        neighbors.version -= 1;
        kept.begin_epoch();
        assert_eq!(found(&kept, hop, soon, ARRIVAL, &neighbors), None, "of another epoch");
        let again = kept.keep(key(1), adjacency(8, ARRIVAL));
        assert_eq!(found(&kept, again, soon, ARRIVAL, &neighbors), Some(8));
        assert_eq!(found(&kept, hop, soon, ARRIVAL, &neighbors), None);
    }
}
