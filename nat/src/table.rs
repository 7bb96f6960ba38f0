//! All flows, found by either direction's tuple.

use packet::Instant;
use packet::snapshot::{Damaged, ensure};
use serde::{Deserialize, Serialize};

use crate::accounts::{FlowGroups, Limits};
use crate::expiry::{Buckets, Wheel};
use crate::flow::Flow;
use crate::flow_id::{CachedHop, FlowId};
use crate::index::{Hashes, Index};
use crate::mapping_id::MappingId;
use crate::pairs::Pairs;
use crate::path::Path;
use crate::slab::Slab;
use crate::tuple::{Direction, Tuple};

/// What a flow holds beside its place; only its birth and its end look here.
#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Holdings {
    /// The mapping that lends it its external source port, if the mapping is endpoint-independent.
    pub(crate) source_mapping: Option<MappingId>,
    /// The mapping whose external port its first packet was sent to.
    pub(crate) destination_mapping: Option<MappingId>,
    /// Whom it counts against.
    pub(crate) groups: FlowGroups,
    /// Between which interfaces it was begun.
    pub(crate) path: Path,
}

/// What became of a flow that was to be looked at.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// Its time is over.
    Expired(FlowId),
    /// Packets came meanwhile; it is looked at again later.
    Living,
}

/// Flows with their deadlines. For each: 64 bytes itself, 36 of holdings, 16 of cached next hops,
/// 32 to 64 in the index, 12 in the wheel, and up to 48 for the pair of its hosts where no other
/// flow has the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Read")]
pub(crate) struct Table {
    flows: Slab<Flow>,
    /// By the flow's number: its birth and what it holds.
    holdings: Vec<(u32, Holdings)>,
    /// By the flow's number, then by direction.
    #[serde(skip)]
    hops: Vec<[CachedHop; 2]>,
    /// Numbers are twice the flow's, plus one for the reply direction.
    #[serde(skip)]
    index: Index,
    #[serde(skip)]
    pub(crate) pairs: Pairs,
    wheel: Wheel,
    births: u32,
}

/// A table as it is read: deadlines not yet in a wheel.
#[derive(Deserialize)]
struct Read {
    flows: Slab<Flow>,
    holdings: Vec<(u32, Holdings)>,
    wheel: Buckets,
    births: u32,
}

impl TryFrom<Read> for Table {
    type Error = Damaged;

    fn try_from(Read { flows, holdings, wheel, births }: Read) -> Result<Self, Damaged> {
        let places = flows.bound() as usize;
        ensure(places < Limits::MOST_FLOWS, "there are more flows than there may be")?;
        ensure(holdings.len() == places, "flows and what they hold differ in number")?;
        let wheel = Wheel::read(wheel, |number| flows.get(number).is_some())?;
        ensure(wheel.len() == flows.len(), "a flow has no deadline")?;
        let hops = vec![[CachedHop::default(); 2]; places];
        let (index, pairs) = (Index::new(), Pairs::new());
        Ok(Self { flows, holdings, hops, index, pairs, wheel, births })
    }
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            flows: Slab::new(),
            holdings: Vec::new(),
            hops: Vec::new(),
            index: Index::new(),
            pairs: Pairs::new(),
            wheel: Wheel::new(),
            births: 0,
        }
    }

    /// Makes the way in anew, behind a table that was read.
    pub(crate) fn reindex(&mut self, hashes: &Hashes) {
        for (number, flow) in self.flows.iter() {
            for (entry, side) in (2 * number..).zip([Direction::Original, Direction::Reply]) {
                self.index.insert(hashes.of(flow.tuple(side).words()), entry);
            }
            self.pairs.add(hashes, flow);
        }
    }

    /// Sets memory aside for `flows`, so that none of them is ever moved.
    pub(crate) fn reserve(&mut self, flows: usize) {
        self.flows.reserve(flows);
        self.holdings.reserve_exact(flows.saturating_sub(self.holdings.len()));
        self.hops.reserve_exact(flows.saturating_sub(self.hops.len()));
        self.pairs.reserve(flows);
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
            flow.is_some_and(|flow| flow.tuple(direction(entry)) == *tuple)
        })?;
        Some((FlowId { number: found / 2, births: self.births }, direction(found)))
    }

    /// [`Table::find`] by a hint where the flow is.
    #[inline]
    pub(crate) fn find_at(&self, hint: u32, tuple: &Tuple) -> Option<(FlowId, Direction)> {
        let flow = self.flows.get(hint / 2)?;
        let found = flow.tuple(direction(hint)) == *tuple;
        found.then_some((FlowId { number: hint / 2, births: self.births }, direction(hint)))
    }

    /// The hint for [`Table::find_at`] that probably holds for a tuple with this hash.
    #[inline]
    pub(crate) fn hint(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |_| true)
    }

    /// Reads what lies about the flow of a hint.
    #[inline]
    pub(crate) fn prefetch(&self, hint: u32) -> u64 {
        let hop = self.hops.get(hint as usize / 2).map_or(0, |[hop, _]| hop.0);
        self.flows.get(hint / 2).map_or(0, |flow| flow.deadline().as_nanos() ^ hop)
    }

    /// The next hop cached for a flow's direction.
    #[inline]
    pub(crate) fn cached_hop(&self, id: FlowId, direction: Direction) -> Option<CachedHop> {
        let hops = self.hops.get(id.number as usize).filter(|_| self.is_same(id))?;
        Some(hops[direction as usize])
    }

    pub(crate) fn cache_hop(&mut self, id: FlowId, direction: Direction, hop: CachedHop) {
        if self.is_same(id)
            && let Some(hops) = self.hops.get_mut(id.number as usize)
        {
            hops[direction as usize] = hop;
        }
    }

    /// Between which interfaces a flow was begun.
    pub(crate) fn path(&self, id: FlowId) -> Option<Path> {
        let (_, holdings) = self.holdings.get(id.number as usize).filter(|_| self.is_same(id))?;
        Some(holdings.path)
    }

    /// Notes that a flow's packets leave by another way, which is as right.
    pub(crate) fn set_path(&mut self, id: FlowId, path: Path) {
        if self.is_same(id)
            && let Some((_, holdings)) = self.holdings.get_mut(id.number as usize)
        {
            holdings.path = path;
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: FlowId) -> Option<&Flow> {
        if !self.is_same(id) {
            return None;
        }
        self.flows.get(id.number)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        if !self.is_same(id) {
            return None;
        }
        self.flows.get_mut(id.number)
    }

    /// Whether the place of `id` was not given to another flow since.
    #[inline]
    fn is_same(&self, id: FlowId) -> bool {
        let age = self.births.wrapping_sub(id.births);
        let holdings = || self.holdings.get(id.number as usize);
        age == 0 || holdings().is_some_and(|(birth, _)| self.births.wrapping_sub(*birth) >= age)
    }

    /// Adds a flow, neither of whose tuples may be in the table; its place.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        hashes: &Hashes,
        flow: Flow,
        holdings: Holdings,
    ) -> u32 {
        self.births = self.births.wrapping_add(1);
        let deadline = flow.deadline();
        let hashed = [Direction::Original, Direction::Reply]
            .map(|direction| hashes.of(flow.tuple(direction).words()));
        self.pairs.add(hashes, &flow);
        let number = self.flows.insert(flow);
        match self.holdings.get_mut(number as usize) {
            Some(place) => *place = (self.births, holdings),
            None => self.holdings.push((self.births, holdings)),
        }
        match self.hops.get_mut(number as usize) {
            Some(place) => *place = [CachedHop::default(); 2],
            None => self.hops.push([CachedHop::default(); 2]),
        }
        for (entry, hash) in (2 * number..).zip(hashed) {
            self.index.insert(hash, entry);
        }
        self.wheel.insert(now, number, deadline);
        number
    }

    /// Takes a flow out, and says where it was.
    pub(crate) fn remove(&mut self, hashes: &Hashes, id: FlowId) -> Option<(u32, Flow, Holdings)> {
        self.get(id)?;
        let flow = self.flows.remove(id.number)?;
        let (_, holdings) = *self.holdings.get(id.number as usize)?;
        for (entry, direction) in (2 * id.number..).zip([Direction::Original, Direction::Reply]) {
            self.index.remove(hashes.of(flow.tuple(direction).words()), entry);
        }
        self.pairs.remove(hashes, &flow);
        self.wheel.remove(id.number);
        Some((id.number, flow, holdings))
    }

    /// Does some of the index's outstanding work.
    pub(crate) fn settle(&mut self) {
        self.index.settle();
        self.pairs.settle();
    }

    /// Says that a flow's deadline has moved to an earlier time; a later one needs no word.
    pub(crate) fn hasten(&mut self, now: Instant, id: FlowId, deadline: Instant) {
        self.wheel.hasten(now, id.number, deadline);
    }

    /// Looks at one flow that may have come to its end; `None` when there is no more to look at.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Due> {
        let number = self.wheel.pop_due(now)?;
        let flow = self.flows.get(number)?;
        let deadline = flow.deadline();
        if flow.is_living(now) {
            self.wheel.insert(now, number, deadline);
            return Some(Due::Living);
        }
        Some(Due::Expired(FlowId { number, births: self.births }))
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.wheel.next()
    }

    /// How many flows have been born.
    pub(crate) const fn births(&self) -> u32 {
        self.births
    }

    /// Whether the flow in this place was there when so many had been born.
    pub(crate) fn is_born_by(&self, number: u32, births: u32) -> bool {
        let age = self.births.wrapping_sub(births);
        let place = self.holdings.get(number as usize);
        place.is_some_and(|(birth, _)| self.births.wrapping_sub(*birth) >= age)
    }

    /// One more than the highest place in use.
    pub(crate) const fn bound(&self) -> u32 {
        self.flows.bound()
    }

    /// Where a flow is and whom it counts against.
    pub(crate) fn groups(&self, id: FlowId) -> Option<(u32, FlowGroups)> {
        let (_, holdings) = self.holdings.get(id.number as usize).filter(|_| self.is_same(id))?;
        Some((id.number, holdings.groups))
    }

    /// The flow in this place, with what it holds.
    pub(crate) fn held(&self, number: u32) -> Option<(&Flow, &Holdings)> {
        let (_, holdings) = self.holdings.get(number as usize)?;
        Some((self.flows.get(number)?, holdings))
    }

    /// Whether the flow in this place is found by both its tuples, and will be looked at.
    pub(crate) fn audit(&self, hashes: &Hashes, number: u32) -> Result<(), &'static str> {
        let flow = self.flows.get(number).ok_or("there is no such flow")?;
        for expected in [Direction::Original, Direction::Reply] {
            match self.find(hashes, &flow.tuple(expected)) {
                Some((id, direction)) if (id.number, direction) == (number, expected) => {}
                Some(_) => return Err("two flows have one tuple"),
                None => return Err("a flow is not found by its tuple"),
            }
        }
        if self.wheel.has(number) { Ok(()) } else { Err("a flow has no deadline") }
    }

    /// Whether index and wheel hold nothing but these flows.
    pub(crate) fn audit_size(&self, flows: usize) -> Result<(), &'static str> {
        let sizes = (self.flows.len(), self.index.len(), self.pairs.flows(), self.wheel.len());
        match sizes == (flows, 2 * flows, flows, flows) {
            true => Ok(()),
            false => Err("the index, the pairs or the wheel hold flows that are gone"),
        }
    }

    /// The flow in this place.
    pub(crate) fn id(&self, number: u32) -> Option<FlowId> {
        self.flows.get(number)?;
        Some(FlowId { number, births: self.births })
    }
}

const fn direction(entry: u32) -> Direction {
    if entry.is_multiple_of(2) { Direction::Original } else { Direction::Reply }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;
    use core::ptr;

    use packet::{InterfaceId, Protocol};

    use super::*;
    use crate::accounts::{Account, Accounts};
    use crate::flow::FlowOrigin;

    /// Adds a flow from this port.
    fn add(table: &mut Table, accounts: &mut Accounts, hashes: &Hashes, source_port: u16) -> u32 {
        let tuple = Tuple {
            source: Ipv4Addr::new(192, 168, 0, 2),
            destination: Ipv4Addr::new(203, 0, 113, 9),
            source_port,
            destination_port: 80,
            protocol: Protocol::UDP,
            kind: 0,
        };
        let inside = InterfaceId::new(0);
        let path = Path { ingress: inside, owner: None, egress: InterfaceId::new(1) };
        let groups = accounts.charge(hashes, Account::new(&tuple, None), None);
        let holdings = Holdings { source_mapping: None, destination_mapping: None, groups, path };
        let flow = Flow::new(tuple, tuple.inverse(), None, FlowOrigin::Masquerade);
        table.insert(Instant::ZERO, hashes, flow, holdings)
    }

    #[test]
    fn a_table_with_room_set_aside_moves_no_flow() {
        let (mut table, mut accounts, hashes) = (Table::new(), Accounts::new(), Hashes::new(1));
        table.reserve(1000);
        let mut places = Vec::new();
        for source_port in 0..1000 {
            add(&mut table, &mut accounts, &hashes, source_port);
            let (flow, holdings) = table.held(0).unwrap();
            places.push((ptr::from_ref(flow), ptr::from_ref(holdings)));
        }
        places.dedup();
        assert_eq!(places.len(), 1);
    }

    #[test]
    fn each_direction_of_a_flow_has_a_cached_hop_of_its_own_until_the_flow_ends() {
        let (mut table, mut accounts, hashes) = (Table::new(), Accounts::new(), Hashes::new(1));
        let number = add(&mut table, &mut accounts, &hashes, 1);
        let id = table.id(number).unwrap();
        let (there, back) = (Direction::Original, Direction::Reply);
        let hops = |table: &Table| [there, back].map(|direction| table.cached_hop(id, direction));
        assert_eq!(hops(&table), [Some(CachedHop::default()); 2]);
        table.cache_hop(id, there, CachedHop(7));
        table.cache_hop(id, back, CachedHop(8));
        assert_eq!(hops(&table), [Some(CachedHop(7)), Some(CachedHop(8))]);
        table.remove(&hashes, id).unwrap();
        assert_eq!(add(&mut table, &mut accounts, &hashes, 2), number);
        assert_eq!(hops(&table), [None; 2], "another flow in its place");
        table.cache_hop(id, there, CachedHop(9));
        let next = table.id(number).unwrap();
        assert_eq!(table.cached_hop(next, there), Some(CachedHop::default()));
    }
}
