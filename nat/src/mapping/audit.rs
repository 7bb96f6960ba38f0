//! Whether the tables of mappings agree with each other.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use packet::Protocol;

use super::{Mappings, hash};
use crate::index::Hashes;
use crate::mapping_id::MappingId;

impl Mappings {
    /// Whether every mapping has as many flows as are counted, is found, and owns its port; and
    /// whether as many flows as are counted share each other port.
    pub(crate) fn audit(
        &self,
        hashes: &Hashes,
        counted: &BTreeMap<u32, u32>,
        shared: &BTreeMap<(u8, Ipv4Addr, u16), u64>,
    ) -> Result<(), &'static str> {
        for (number, entry) in self.slab.iter() {
            if counted.get(&(number + 1)) != Some(&entry.flows) {
                return Err("a mapping counts other flows than hold it");
            }
            let hash =
                hash(hashes, entry.protocol, entry.inside, entry.inside_port, entry.external);
            self.index.find(hash, |found| found == number).ok_or("a mapping is not found")?;
            let pool = self.pool(entry.protocol, entry.external);
            let owner = pool.and_then(|pool| pool.mapping(entry.external_port));
            if owner.map(MappingId::number) != Some(number) {
                return Err("a mapping does not own its port");
            }
        }
        if self.slab.len() != self.index.len() || self.slab.len() != counted.len() {
            return Err("the index holds mappings that are gone");
        }
        for ((protocol, external, port), flows) in shared {
            let pool = self.pool(Protocol(*protocol), *external);
            if pool.and_then(|pool| pool.sharers(*port)) != Some(*flows) {
                return Err("a port is shared by other flows than are counted");
            }
        }
        match self.ports_in_use() == self.slab.len() + shared.len() {
            true => Ok(()),
            false => Err("ports are in use that nobody has"),
        }
    }
}
