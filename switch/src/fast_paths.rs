//! The shorter ways of the usual frame, ahead of the steps that they save.
//!
//! A frame that teaches its bridge nothing takes steps 2 to 4 in one (`l2_fast_path`), a packet of
//! a known flow whose next hop is cached steps 5 to 8 (`flow_cache`). Both end as the steps would
//! end them. What is not as usual goes through the steps, with what has been looked up here.

use packet::{DropReason, Dropped, Ethernet, Instant, Ipv4};

use crate::interface::Origin;
use crate::l2_fast_path::FastPath;
use crate::outbox::Outbox;
use crate::router::Refusal;
use crate::station::{Location, Segment};
use crate::stats::Fate;
use crate::switch::Switch;

impl Switch {
    /// A frame on a bridge.
    pub(crate) fn bridge_input(
        &mut self,
        now: Instant,
        ethernet: Ethernet,
        segment: Segment,
        from: Location,
        out: &mut Outbox,
    ) -> Result<Fate, Dropped> {
        let Some(bridge) = self.bridges.get(segment.bridge) else {
            return Err(ethernet.refuse(DropReason::PortDown));
        };
        let hit = bridge.fdb_hit(now, &ethernet, segment.vlan, from);
        match self.fast_ports.fast_path(segment, from, hit, &ethernet) {
            Some(FastPath::Out(egress)) => Ok(out.send_one(egress, ethernet.into_frame())),
            Some(FastPath::In(origin)) => self.router_input(now, ethernet, origin, out),
            None => self.bridge(now, ethernet, segment, from, hit, out),
        }
    }

    /// An IPv4 packet that reached the router.
    #[inline]
    pub(crate) fn ipv4_input(
        &mut self,
        now: Instant,
        ethernet: Ethernet,
        origin: Origin,
        out: &mut Outbox,
    ) -> Result<Fate, Refusal> {
        let to_group = ethernet.destination().is_group();
        let mut packet = Ipv4::parse(ethernet)?;
        if packet.stands_for_fragments() {
            self.protocols.reassembly.pass(&packet);
        }
        let lookup = self.nat.lookup(now, &packet);
        if let Some((lookup, adjacency)) = self.cached_next_hop(now, origin, lookup.as_ref()) {
            packet = match self.forward_cached(now, packet, to_group, lookup, adjacency, out) {
                Ok(fate) => return Ok(fate),
                Err(packet) => packet,
            };
        }
        self.route(now, packet, to_group, lookup.as_ref(), origin, out)
    }
}
