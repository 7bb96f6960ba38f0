//! Mappings: an inside port and the external port that stands for it, wherever its packets go (RFC
//! 4787 section 4.1).
//!
//! # Theory of operation
//! A mapping is made for an inside endpoint's first flow under an external address and ends with
//! its last; while it lives the external port is its alone. Flows hold it by count, both those that
//! leave through it and those that came in through it. Ports live in one [`PortPool`] for each
//! external address and protocol. Flows of address-and-port- dependent rules have no mapping; they
//! share ports of the same pools, never a port that a mapping owns.

use core::net::Ipv4Addr;
use std::collections::BTreeSet;

use packet::snapshot::{Damaged, ensure};
use packet::{DropReason, Instant, InterfaceId, Protocol};
use serde::{Deserialize, Serialize};

use crate::index::{Hashes, Index};
use crate::mapping_id::MappingId;
use crate::masquerade::{Filtering, PortPolicy};
use crate::ports::PortPool;
use crate::remotes::Remotes;
use crate::rules::Listeners;
use crate::slab::Slab;

mod audit;

/// External addresses times protocols that ports are kept for: 2 MiB empty, 140 MB when every port
/// was used.
const MAX_POOLS: usize = 256;

/// Kinds of external ports told apart at once, 24 bytes each: two protocols with two classes and
/// two parities, ICMP, a few rules with ranges, for 64 addresses.
const MAX_PORT_GROUPS: usize = 1024;

/// An inside endpoint and where it appears outside. 24 bytes.
#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PortMapping {
    pub(crate) inside: Ipv4Addr,
    pub(crate) inside_port: u16,
    pub(crate) protocol: Protocol,
    pub(crate) filtering: Filtering,
    pub(crate) external: Ipv4Addr,
    pub(crate) external_port: u16,
    flows: u32,
}

/// An inside endpoint in search of an external port.
#[derive(Copy, Clone, Debug)]
pub(crate) struct PortRequest {
    pub(crate) protocol: Protocol,
    pub(crate) inside: Ipv4Addr,
    pub(crate) inside_port: u16,
    pub(crate) external: Ipv4Addr,
    /// The router's interface that bears the external address.
    pub(crate) owner: Option<InterfaceId>,
    pub(crate) policy: PortPolicy,
    /// Where the search for a port begins when the inside port itself is not to be had.
    pub(crate) start: u64,
}

/// What stands behind an external port.
#[derive(Copy, Clone, Debug)]
pub(crate) enum PortOwner {
    Nobody,
    Mapping(MappingId, PortMapping),
    /// Flows that share it, each known by its own tuple only.
    Flows,
}

/// All mappings and ports.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Mappings {
    slab: Slab<PortMapping>,
    /// By protocol, inside endpoint and external address.
    #[serde(skip, default = "Index::new")]
    index: Index,
    /// In the order they were first needed.
    pools: Vec<PortPool>,
    remotes: Remotes,
    port_groups: Vec<PortGroup>,
}

/// External ports that end together: those of an address and protocol that one kind of inside port
/// may have.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct PortGroup {
    protocol: Protocol,
    external: Ipv4Addr,
    /// Lowest and highest port, and which of 64 in a row.
    allowed: (u16, u16, u64),
}

impl Mappings {
    pub(crate) const fn new() -> Self {
        Self {
            slab: Slab::new(),
            index: Index::new(),
            pools: Vec::new(),
            remotes: Remotes::new(),
            port_groups: Vec::new(),
        }
    }

    /// Makes the ways in anew, behind slabs that were read.
    ///
    /// # Errors
    /// More flows hold a mapping than there are, or there are too many pools.
    pub(crate) fn reindex(&mut self, hashes: &Hashes, flows: usize) -> Result<(), Damaged> {
        ensure(self.pools.len() <= MAX_POOLS, "there are too many pools of ports")?;
        ensure(self.port_groups.len() <= MAX_PORT_GROUPS, "there are too many groups of ports")?;
        for (number, entry) in self.slab.iter() {
            // A flow may leave through a mapping and have come in through it.
            ensure(entry.flows as usize <= 2 * flows, "a mapping has more flows than there are")?;
            let PortMapping { protocol, inside, inside_port, external, .. } = *entry;
            self.index.insert(hash(hashes, protocol, inside, inside_port, external), number);
        }
        self.remotes.reindex(hashes);
        self.pools.iter().try_for_each(|pool| pool.check(flows))
    }

    /// Sets memory aside for `flows`, and for their remotes where a rule's filter needs them.
    pub(crate) fn reserve(&mut self, flows: usize, remotes: bool) {
        self.slab.reserve(flows);
        if remotes {
            self.remotes.reserve(flows);
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn ports_in_use(&self) -> usize {
        self.pools.iter().map(PortPool::in_use).sum()
    }

    pub(crate) fn get(&self, id: MappingId) -> Option<&PortMapping> {
        self.slab.get(id.number())
    }

    /// Tells every pool which ports are published.
    pub(crate) fn publish(&mut self, listeners: &Listeners) {
        for pool in &mut self.pools {
            pool.publish(listeners);
        }
    }

    /// Forgets the ports of external addresses that no flow has. One that came back meanwhile has
    /// some.
    pub(crate) fn forget_addresses(&mut self, gone: &BTreeSet<Ipv4Addr>) {
        self.pools.retain(|pool| !gone.contains(&pool.address) || pool.in_use() > 0);
    }

    pub(crate) fn owner_of(&self, protocol: Protocol, external: Ipv4Addr, port: u16) -> PortOwner {
        let Some(pool) = self.pool(protocol, external) else {
            return PortOwner::Nobody;
        };
        if pool.is_shared(port) {
            return PortOwner::Flows;
        }
        let found = pool.mapping(port).and_then(|id| Some((id, *self.get(id)?)));
        found.map_or(PortOwner::Nobody, |(id, entry)| PortOwner::Mapping(id, entry))
    }

    /// Whether a mapping's filter lets packets of `remote` in that belong to no flow yet.
    pub(crate) fn admits(
        &self,
        hashes: &Hashes,
        id: MappingId,
        entry: &PortMapping,
        remote: Ipv4Addr,
    ) -> bool {
        match entry.filtering {
            Filtering::EndpointIndependent => true,
            Filtering::AddressDependent => self.remotes.knows(hashes, id, remote),
            Filtering::AddressAndPortDependent => false,
        }
    }

    /// The endpoint's mapping, made now if there is none. The caller holds it at once, before
    /// anything else ends it.
    ///
    /// # Errors
    /// [`DropReason::NatNoPort`] when no port is left, or no pool.
    pub(crate) fn acquire(
        &mut self,
        now: Instant,
        hashes: &Hashes,
        listeners: &Listeners,
        request: &PortRequest,
    ) -> Result<(MappingId, u16), DropReason> {
        let hash =
            hash(hashes, request.protocol, request.inside, request.inside_port, request.external);
        let known = self.index.find(hash, |number| {
            let entry = self.slab.get(number);
            entry.is_some_and(|entry| {
                entry.inside == request.inside
                    && entry.inside_port == request.inside_port
                    && entry.protocol == request.protocol
                    && entry.external == request.external
            })
        });
        if let Some(number) = known
            && let Some(entry) = self.slab.get(number)
            && let Some(id) = MappingId::from_bits(number + 1)
        {
            return Ok((id, entry.external_port));
        }
        self.create(now, listeners, request, hash).ok_or(DropReason::NatNoPort)
    }

    fn create(
        &mut self,
        now: Instant,
        listeners: &Listeners,
        request: &PortRequest,
        hash: u64,
    ) -> Option<(MappingId, u16)> {
        let pool = self.pool_for(request, listeners)?;
        let allowed = request.policy.allowed_ports(request.protocol, request.inside_port);
        let pool = self.pools.get_mut(pool)?;
        let port =
            pool.find_free(now, request.inside, request.inside_port, allowed, request.start)?;
        let number = self.slab.insert(PortMapping {
            inside: request.inside,
            inside_port: request.inside_port,
            protocol: request.protocol,
            filtering: request.policy.filtering,
            external: request.external,
            external_port: port,
            flows: 0,
        });
        let id = MappingId::from_bits(number + 1)?;
        self.index.insert(hash, number);
        pool.own(port, id);
        Some((id, port))
    }

    /// The number of the port group that the endpoint's port is of; nothing when there are too many
    /// port groups. One that is not used is given anew.
    pub(crate) fn port_group(
        &mut self,
        request: &PortRequest,
        is_used: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let allowed = request.policy.allowed_ports(request.protocol, request.inside_port);
        let allowed = (allowed.range.low(), allowed.range.high(), allowed.pattern);
        let port_group =
            PortGroup { protocol: request.protocol, external: request.external, allowed };
        if let Some(known) = self.port_groups.iter().position(|known| *known == port_group) {
            return Some(known as u32);
        }
        let mut numbers = 0..self.port_groups.len() as u32;
        if let Some(number) = numbers.find(|number| !is_used(*number)) {
            *self.port_groups.get_mut(number as usize)? = port_group;
            return Some(number);
        }
        if self.port_groups.len() >= MAX_PORT_GROUPS {
            return None;
        }
        self.port_groups.push(port_group);
        Some(self.port_groups.len() as u32 - 1)
    }

    /// A port that no mapping owns, for a flow whose reply would be unique with it as `unique`
    /// says.
    pub(crate) fn find_shareable(
        &mut self,
        listeners: &Listeners,
        request: &PortRequest,
        mut unique: impl FnMut(u16) -> bool,
    ) -> Option<u16> {
        let pool = self.pool_for(request, listeners)?;
        let allowed = request.policy.allowed_ports(request.protocol, request.inside_port);
        let pool = self.pools.get(pool)?;
        let mut tries = allowed.tries(request.inside_port, request.start);
        tries.find(|port| pool.is_shareable(*port) && unique(*port))
    }

    pub(crate) fn share(&mut self, protocol: Protocol, external: Ipv4Addr, port: u16) {
        if let Some(pool) = self.pool_mut(protocol, external) {
            pool.share(port);
        }
    }

    pub(crate) fn unshare(
        &mut self,
        now: Instant,
        protocol: Protocol,
        external: Ipv4Addr,
        port: u16,
        host: Ipv4Addr,
    ) {
        if let Some(pool) = self.pool_mut(protocol, external) {
            pool.unshare(now, port, host);
        }
    }

    /// Adds a flow with `remote` to a mapping.
    pub(crate) fn hold(&mut self, hashes: &Hashes, id: MappingId, remote: Ipv4Addr) {
        if let Some(entry) = self.slab.get_mut(id.number()) {
            entry.flows += 1;
            if entry.filtering == Filtering::AddressDependent {
                self.remotes.add(hashes, id, remote);
            }
        }
    }

    /// Takes a flow with `remote` from a mapping; the last one ends it, and its port rests.
    pub(crate) fn release(
        &mut self,
        now: Instant,
        hashes: &Hashes,
        id: MappingId,
        remote: Ipv4Addr,
    ) {
        if let Some(entry) = self.drop_flow(hashes, id, remote)
            && let Some(pool) = self.pool_mut(entry.protocol, entry.external)
        {
            pool.release(now, entry.external_port, entry.inside);
        }
    }

    /// [`Mappings::release`] for a flow that came to nothing: a port that nobody used does not
    /// rest.
    pub(crate) fn abandon(&mut self, hashes: &Hashes, id: MappingId, remote: Ipv4Addr) {
        if let Some(entry) = self.drop_flow(hashes, id, remote)
            && let Some(pool) = self.pool_mut(entry.protocol, entry.external)
        {
            pool.give_back(entry.external_port);
        }
    }

    /// Takes a flow from a mapping; the mapping, if that was its last.
    fn drop_flow(
        &mut self,
        hashes: &Hashes,
        id: MappingId,
        remote: Ipv4Addr,
    ) -> Option<PortMapping> {
        let entry = self.slab.get_mut(id.number())?;
        entry.flows = entry.flows.saturating_sub(1);
        let entry = *entry;
        if entry.filtering == Filtering::AddressDependent {
            self.remotes.remove(hashes, id, remote);
        }
        if entry.flows > 0 {
            return None;
        }
        self.end(hashes, id, &entry);
        Some(entry)
    }

    fn end(&mut self, hashes: &Hashes, id: MappingId, entry: &PortMapping) {
        let hash = hash(hashes, entry.protocol, entry.inside, entry.inside_port, entry.external);
        self.index.remove(hash, id.number());
        self.slab.remove(id.number());
    }

    fn pool(&self, protocol: Protocol, external: Ipv4Addr) -> Option<&PortPool> {
        let mut pools = self.pools.iter();
        pools.find(|pool| pool.protocol == protocol && pool.address == external)
    }

    fn pool_mut(&mut self, protocol: Protocol, external: Ipv4Addr) -> Option<&mut PortPool> {
        let mut pools = self.pools.iter_mut();
        pools.find(|pool| pool.protocol == protocol && pool.address == external)
    }

    fn pool_for(&mut self, request: &PortRequest, listeners: &Listeners) -> Option<usize> {
        let (address, protocol) = (request.external, request.protocol);
        let same = |pool: &PortPool| pool.protocol == protocol && pool.address == address;
        if let Some(position) = self.pools.iter().position(same) {
            self.pools.get_mut(position)?.belong(request.owner, listeners);
            return Some(position);
        }
        if self.pools.len() >= MAX_POOLS {
            return None;
        }
        self.pools.push(PortPool::new(address, protocol, request.owner, listeners));
        Some(self.pools.len() - 1)
    }
}

fn hash(
    hashes: &Hashes,
    protocol: Protocol,
    inside: Ipv4Addr,
    port: u16,
    external: Ipv4Addr,
) -> u64 {
    let addresses = u64::from(u32::from(inside)) << 32 | u64::from(u32::from(external));
    hashes.of((addresses, u64::from(port) << 8 | u64::from(protocol.0)))
}
