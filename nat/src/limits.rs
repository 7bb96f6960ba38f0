//! How many flows there may be, in all and for one inside host, and which of a host's have ended.

use core::net::Ipv4Addr;
use core::num::NonZeroU32;
use std::collections::BTreeMap;

use packet::snapshot::{Damaged, ensure};
use serde::{Deserialize, Serialize};

use crate::ended::{Links, Queue};
use crate::index::{Hashes, Index};
use crate::slab::Slab;

/// Caps on flows. At a cap the new takes the place of the connection of its host that ended first, if one has ended;
/// else it is refused, and the living stay (RFC 6888 REQ-11).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// All flows; at most [`Limits::MOST_FLOWS`]. About 160 bytes each, 270 in the worst case; touched as they are used.
    pub flows: usize,
    /// Flows of one inside host, so that one cannot starve the others (RFC 6888 REQ-4).
    pub flows_per_host: usize,
}

impl Limits {
    /// More flows than this are not to be had: 4.4 GB.
    pub const MOST_FLOWS: usize = 1 << 24;
}

impl Default for Limits {
    /// As many flows as Linux tracks on a machine with 8 GiB, and as many for a host as four busy browsers need.
    fn default() -> Self {
        Self { flows: 262_144, flows_per_host: 16_384 }
    }
}

/// How many flows each inside host has. Hosts without flows are not here, so flows bound it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hosts {
    slab: Slab<Host>,
    ended: Links,
    #[serde(skip, default = "Index::new")]
    index: Index,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Host {
    address: Ipv4Addr,
    flows: NonZeroU32,
    ended: Queue,
}

impl Hosts {
    pub(crate) const fn new() -> Self {
        Self { slab: Slab::new(), ended: Links::new(), index: Index::new() }
    }

    /// Makes the way in anew, behind a slab that was read.
    pub(crate) fn reindex(&mut self, hashes: &Hashes) {
        for (id, host) in self.slab.iter() {
            self.index.insert(hash(hashes, host.address), id);
        }
    }

    /// Sets memory aside for so many hosts with a flow each, or hosts with so many flows.
    pub(crate) fn reserve(&mut self, flows: usize) {
        self.slab.reserve(flows);
        self.ended.reserve(flows);
    }

    /// Hosts with flows.
    pub(crate) const fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn flows(&self, hashes: &Hashes, address: Ipv4Addr) -> usize {
        let host = self.find(hashes, address).and_then(|id| self.slab.get(id));
        host.map_or(0, |host| host.flows.get() as usize)
    }

    pub(crate) fn add(&mut self, hashes: &Hashes, address: Ipv4Addr) {
        let known = self.find(hashes, address);
        if let Some(host) = known.and_then(|id| self.slab.get_mut(id)) {
            host.flows = host.flows.saturating_add(1);
            return;
        }
        let flows = NonZeroU32::MIN;
        let id = self.slab.insert(Host { address, flows, ended: Queue::EMPTY });
        self.index.insert(hash(hashes, address), id);
    }

    pub(crate) fn remove(&mut self, hashes: &Hashes, address: Ipv4Addr) {
        let Some(id) = self.find(hashes, address) else {
            return;
        };
        let Some(host) = self.slab.get_mut(id) else {
            return;
        };
        match NonZeroU32::new(host.flows.get() - 1) {
            Some(flows) => host.flows = flows,
            None => {
                self.slab.remove(id);
                self.index.remove(hash(hashes, address), id);
            }
        }
    }

    /// Says that a connection of this host has ended, or that it goes on or is forgotten after all.
    pub(crate) fn set_ended(
        &mut self,
        hashes: &Hashes,
        address: Ipv4Addr,
        flow: u32,
        has_ended: bool,
    ) {
        let host = self.find(hashes, address).and_then(|id| self.slab.get_mut(id));
        let Some(Host { ended, .. }) = host else { return };
        match (self.ended.has(flow), has_ended) {
            (false, true) => self.ended.append(ended, flow),
            (true, false) => self.ended.remove(ended, flow),
            _ => {}
        }
    }

    /// The connection of this host that ended before its others.
    pub(crate) fn first_ended(&self, hashes: &Hashes, address: Ipv4Addr) -> Option<u32> {
        self.slab.get(self.find(hashes, address)?)?.ended.oldest()
    }

    /// Which connections of which host have ended.
    pub(crate) fn check_ended(&self) -> Result<BTreeMap<u32, Ipv4Addr>, Damaged> {
        let mut all = BTreeMap::new();
        for (_, host) in self.slab.iter() {
            let flows = self.ended.check(host.ended)?;
            for flow in flows {
                let is_new = all.insert(flow, host.address).is_none();
                ensure(is_new, "what has ended is two hosts'")?;
            }
        }
        ensure(all.len() == self.ended.len(), "what has ended is nobody's")?;
        Ok(all)
    }

    fn find(&self, hashes: &Hashes, address: Ipv4Addr) -> Option<u32> {
        let is = |id| self.slab.get(id).is_some_and(|host| host.address == address);
        self.index.find(hash(hashes, address), is)
    }
}

fn hash(hashes: &Hashes, address: Ipv4Addr) -> u64 {
    hashes.of((u64::from(u32::from(address)), 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn hosts_count_as_a_naive_map_does(steps in prop::collection::vec((any::<bool>(), 0u32..9), 0..200)) {
            let hashes = Hashes::new(1);
            let mut hosts = Hosts::new();
            let mut model: BTreeMap<u32, usize> = BTreeMap::new();
            for (add, host) in steps {
                let address = Ipv4Addr::from(host);
                let count = model.entry(host).or_default();
                if add {
                    hosts.add(&hashes, address);
                    *count += 1;
                } else {
                    hosts.remove(&hashes, address);
                    *count = count.saturating_sub(1);
                }
                prop_assert_eq!(hosts.flows(&hashes, address), *count);
                prop_assert_eq!(hosts.len(), model.values().filter(|count| **count > 0).count());
            }
        }
    }
}
