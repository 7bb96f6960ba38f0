//! Which outside addresses a mapping has flows with: the memory of address-dependent filtering.

use core::net::Ipv4Addr;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::index::{Hashes, Index};
use crate::mapping_id::MappingId;
use crate::slab::Slab;

/// Counts of flows by mapping and remote address; pairs without flows are not here, so flows bound
/// it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Remotes {
    slab: Slab<Remote>,
    #[serde(skip, default = "Index::new")]
    index: Index,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Remote {
    mapping: MappingId,
    address: Ipv4Addr,
    flows: NonZeroU32,
}

impl Remotes {
    pub(crate) const fn new() -> Self {
        Self { slab: Slab::new(), index: Index::new() }
    }

    /// Makes the way in anew, behind a slab that was read.
    pub(crate) fn reindex(&mut self, hashes: &Hashes) {
        for (id, remote) in self.slab.iter() {
            self.index.insert(hash(hashes, remote.mapping, remote.address), id);
        }
    }

    pub(crate) fn reserve(&mut self, pairs: usize) {
        self.slab.reserve(pairs);
    }

    pub(crate) fn knows(&self, hashes: &Hashes, mapping: MappingId, address: Ipv4Addr) -> bool {
        self.find(hashes, mapping, address).is_some()
    }

    pub(crate) fn add(&mut self, hashes: &Hashes, mapping: MappingId, address: Ipv4Addr) {
        let known = self.find(hashes, mapping, address);
        if let Some(remote) = known.and_then(|id| self.slab.get_mut(id)) {
            remote.flows = remote.flows.saturating_add(1);
            return;
        }
        let id = self.slab.insert(Remote { mapping, address, flows: NonZeroU32::MIN });
        self.index.insert(hash(hashes, mapping, address), id);
    }

    pub(crate) fn remove(&mut self, hashes: &Hashes, mapping: MappingId, address: Ipv4Addr) {
        let Some(id) = self.find(hashes, mapping, address) else {
            return;
        };
        let Some(remote) = self.slab.get_mut(id) else {
            return;
        };
        match NonZeroU32::new(remote.flows.get() - 1) {
            Some(flows) => remote.flows = flows,
            None => {
                self.slab.remove(id);
                self.index.remove(hash(hashes, mapping, address), id);
            }
        }
    }

    fn find(&self, hashes: &Hashes, mapping: MappingId, address: Ipv4Addr) -> Option<u32> {
        self.index.find(hash(hashes, mapping, address), |id| {
            let remote = self.slab.get(id);
            remote.is_some_and(|remote| remote.mapping == mapping && remote.address == address)
        })
    }
}

fn hash(hashes: &Hashes, mapping: MappingId, address: Ipv4Addr) -> u64 {
    hashes.of((u64::from(mapping.bits()), u64::from(u32::from(address))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn pairs_of_neighbouring_mappings_and_addresses_have_different_hashes() {
        let hashes = Hashes::new(1);
        let of = |mapping, address| {
            let mapping = MappingId::from_bits(mapping).unwrap();
            hash(&hashes, mapping, Ipv4Addr::from_bits(address))
        };
        let pairs = (1..=32).flat_map(|mapping| (0..32).map(move |address| (mapping, address)));
        let hashes: BTreeSet<u64> = pairs.map(|(mapping, address)| of(mapping, address)).collect();
        assert_eq!(hashes.len(), 32 * 32);
    }
}
