//! Between which hosts there are flows, whatever their ports: all that a fragment without a
//! transport header can ask.

use core::net::Ipv4Addr;
use core::num::NonZeroU32;

use crate::flow::Flow;
use crate::index::{Hashes, Index};
use crate::slab::Slab;
use crate::tuple::Direction;

/// How many flows each inside host has with each of its peers. Flows bound it; 24 bytes for each
/// pair, and its place in the index.
#[derive(Clone, Debug)]
pub(crate) struct Pairs {
    slab: Slab<Pair>,
    index: Index,
}

#[derive(Clone, Debug)]
struct Pair {
    ends: AddressPair,
    flows: NonZeroU32,
}

/// Source and destination of what an inside host sends within a flow, before anybody translates it.
/// The other direction's destination is an address that stands for the host: its own, or a
/// published one.
type AddressPair = (Ipv4Addr, Ipv4Addr);

impl Pairs {
    pub(crate) const fn new() -> Self {
        Self { slab: Slab::new(), index: Index::new() }
    }

    /// Sets memory aside for so many flows, each with a pair of its own.
    pub(crate) fn reserve(&mut self, flows: usize) {
        self.slab.reserve(flows);
    }

    /// Whether there is a flow within which `source` sends to `destination`.
    pub(crate) fn has(&self, hashes: &Hashes, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
        self.find(hashes, (source, destination)).is_some()
    }

    pub(crate) fn add(&mut self, hashes: &Hashes, flow: &Flow) {
        let ends = ends(flow);
        let known = self.find(hashes, ends);
        if let Some(pair) = known.and_then(|id| self.slab.get_mut(id)) {
            pair.flows = pair.flows.saturating_add(1);
            return;
        }
        let id = self.slab.insert(Pair { ends, flows: NonZeroU32::MIN });
        self.index.insert(hash(hashes, ends), id);
    }

    pub(crate) fn remove(&mut self, hashes: &Hashes, flow: &Flow) {
        let ends = ends(flow);
        let Some(id) = self.find(hashes, ends) else { return };
        let Some(pair) = self.slab.get_mut(id) else { return };
        match NonZeroU32::new(pair.flows.get() - 1) {
            Some(flows) => pair.flows = flows,
            None => {
                self.slab.remove(id);
                self.index.remove(hash(hashes, ends), id);
            }
        }
    }

    /// Does some of the index's outstanding work.
    pub(crate) fn settle(&mut self) {
        self.index.settle();
    }

    /// Flows in all.
    pub(crate) fn flows(&self) -> usize {
        self.slab.iter().map(|(_, pair)| pair.flows.get() as usize).sum()
    }

    fn find(&self, hashes: &Hashes, ends: AddressPair) -> Option<u32> {
        self.index
            .find(hash(hashes, ends), |id| self.slab.get(id).is_some_and(|pair| pair.ends == ends))
    }
}

fn ends(flow: &Flow) -> AddressPair {
    let (original, reply) = (flow.tuple(Direction::Original), flow.tuple(Direction::Reply));
    match reply.destination == original.source {
        // Its source is kept: somebody spoke to a host inside, by another address.
        true => (reply.source, reply.destination),
        false => (original.source, original.destination),
    }
}

fn hash(hashes: &Hashes, (source, destination): AddressPair) -> u64 {
    hashes.of((u64::from(u32::from(source)), u64::from(u32::from(destination))))
}
