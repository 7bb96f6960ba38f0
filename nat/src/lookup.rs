//! From a packet to its flow, and the fast path of flows whose next hop the caller has cached.
//!
//! # Theory of operation
//! On the fast path both ends of a packet are changed at once, in place of the destination ahead of
//! routing and the source behind it. That this comes to the same is shown for the bytes by a
//! property test of `packet`, and for the whole by the lab, in which a second switch takes the slow
//! path beside every step.
//!
//! With tens of thousands of flows, each packet waits twice for memory: for its slot in the index,
//! then for its flow, whose place only the slot tells. One after the other, that takes longer than
//! all the rest of a packet's life. Prefetched for a whole batch, first all slots, then all flows,
//! the processor waits for many at once. That decides nothing: [`Nat::lookup`] believes a hint only
//! when the flow there has the packet's tuple.

use core::num::NonZeroU32;

use packet::ip::V4;
use packet::{Instant, Ipv4, Transport, rewrite};

use crate::flow_id::{CachedHop, FlowDirection, FlowId};
use crate::nat::Nat;
use crate::tuple::{Direction, Tuple};

/// Flows that lie in the processor's nearer caches anyway: their lines and slots take half a
/// megabyte.
const NEAR: usize = 4096;

/// What is known of a packet at first sight.
#[derive(Copy, Clone, Debug)]
pub struct Lookup {
    pub(crate) transport: Transport,
    /// Nothing where no flow can be told from the packet.
    pub(crate) tuple: Option<Tuple>,
    pub(crate) flow: Option<(FlowId, Direction)>,
}

impl Lookup {
    /// The flow and its direction, if the fast path is open to its packets: those of TCP and UDP.
    #[inline]
    const fn fast(&self) -> Option<FlowDirection> {
        match (self.flow, self.transport) {
            (Some((flow, direction)), Transport::Tcp { .. } | Transport::Udp { .. }) => {
                Some(FlowDirection { flow, direction })
            }
            _ => None,
        }
    }
}

impl Nat {
    /// Looks a packet up; nothing for fragments, and while packets need not come here at all. A
    /// flow whose time is over is ended. Always inlined: its result handed over in memory costs 8
    /// ns a frame.
    #[inline(always)]
    pub fn lookup(&mut self, now: Instant, packet: &Ipv4) -> Option<Lookup> {
        if packet.is_fragment() || !self.is_configured() {
            return None;
        }
        let transport = packet.transport();
        let tuple = Tuple::of(packet.ip(), transport);
        let hint = packet.frame().flow_hint();
        let flow = tuple.and_then(|tuple| self.find_by_hint(now, &tuple, hint));
        let flow = flow.filter(|(id, _)| !self.is_reopened(*id, transport));
        Some(Lookup { transport, tuple, flow })
    }

    /// The next hop cached for the flow and direction of a packet that the fast path is open to.
    #[inline]
    pub fn cached_hop_of(&self, lookup: &Lookup) -> Option<CachedHop> {
        self.cached_hop(lookup.fast()?)
    }

    /// The next hop cached for a flow's direction.
    pub fn cached_hop(&self, flow: FlowDirection) -> Option<CachedHop> {
        self.table.cached_hop(flow.flow, flow.direction)
    }

    /// Caches the next hop of a flow's direction until the flow ends.
    pub fn cache_hop(&mut self, flow: FlowDirection, hop: CachedHop) {
        self.table.cache_hop(flow.flow, flow.direction, hop);
    }

    /// The fast path: follows the flow of a packet that is about to leave by its cached next hop,
    /// changes both of its ends and takes a hop away. Only for packets for which
    /// [`Nat::cached_hop_of`] has one, as long as rules, routes and interfaces are what they were
    /// when it was cached.
    ///
    /// # Errors
    /// The packet, untouched: it has to take the slow path.
    #[inline]
    pub fn translate(
        &mut self,
        now: Instant,
        mut packet: Ipv4,
        lookup: &Lookup,
    ) -> Result<Ipv4, Ipv4> {
        let Some(FlowDirection { flow: id, direction }) = lookup.fast() else {
            return Err(packet);
        };
        self.set_latest(now);
        let Some(flow) = self.table.get(id) else { return Err(packet) };
        let leaves = flow.tuple(direction.opposite());
        self.track(now, id, direction, lookup.transport, packet.total_len());
        rewrite::forward(
            &mut packet,
            (leaves.destination, leaves.destination_port),
            (leaves.source, leaves.source_port),
        );
        Ok(packet)
    }

    /// Counts a packet in its flow, follows the connection's state, and refreshes the flow's
    /// deadline.
    #[inline]
    pub(crate) fn track(
        &mut self,
        now: Instant,
        id: FlowId,
        direction: Direction,
        transport: Transport,
        len: usize,
    ) {
        let Some(flow) = self.table.get_mut(id) else { return };
        let (before, was_until) = (flow.state(), flow.deadline());
        let refreshes = flow.follow(direction, transport, len);
        let after = flow.state();
        let mut grows_young = false;
        if refreshes {
            let deadline = now + self.lifetimes.of(flow);
            flow.set_deadline(deadline);
            grows_young = epoch(deadline) != epoch(was_until);
            if deadline < was_until {
                self.table.hasten(now, id, deadline);
            }
        }
        if before != after || grows_young {
            self.set_class(id, before.class(), after.class(), grows_young);
        }
    }

    /// Whether the flows are so many that prefetching pays.
    #[inline]
    pub const fn needs_prefetch(&self) -> bool {
        self.table.len() > NEAR
    }

    /// The hash that the look-up of this packet begins with; `None` where no flow can be told from
    /// it.
    #[inline]
    pub fn flow_hash(&self, packet: V4<'_>) -> Option<u64> {
        Some(self.hashes.of(Tuple::of_start(packet)?.words()))
    }

    /// Where the flow under this hash probably is, for [`packet::Frame::set_flow_hint`].
    #[inline]
    pub fn flow_hint(&self, hash: u64) -> Option<NonZeroU32> {
        NonZeroU32::new(self.table.hint(hash)?.wrapping_add(1))
    }

    /// Brings that flow into the nearer caches. The number means nothing.
    #[inline]
    pub fn prefetch(&self, hint: NonZeroU32) -> u64 {
        self.table.prefetch(hint.get() - 1)
    }
}

/// The four seconds that a time is in, roughly: 2^32 nanoseconds, for the price of a shift.
#[inline]
const fn epoch(time: Instant) -> u64 {
    time.as_nanos() >> 32
}
