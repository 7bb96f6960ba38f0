//! Steps 5 to 8 in one, for a packet of a known flow whose next hop is cached. It ends as the long
//! way would end it; where anything is not as usual, it goes the long way.

use nat::{CachedHop, FlowDirection, Lookup};
use packet::ip::V4_HEADER;
use packet::segment::segment_ip_len;
use packet::{EtherType, Ethernet, Instant, InterfaceId, Ipv4};

use crate::adjacency::{Adjacency, Basis};
use crate::bridge::Decision;
use crate::interface::{Link, Origin};
use crate::neighbors::Key;
use crate::outbox::{Egress, Outbox};
use crate::router::Hop;
use crate::station::Location;
use crate::stats::Fate;
use crate::switch::Switch;

impl Switch {
    /// The adjacency that the last packet of the same flow left by, if it holds.
    #[inline]
    pub(crate) fn cached_next_hop<'a>(
        &self,
        now: Instant,
        origin: Origin,
        lookup: Option<&'a Lookup>,
    ) -> Option<(&'a Lookup, Adjacency)> {
        let lookup = lookup?;
        Some((lookup, self.cached(now, origin, self.nat.cached_hop_of(lookup)?)?))
    }

    #[inline]
    fn cached(&self, now: Instant, origin: Origin, hop: CachedHop) -> Option<Adjacency> {
        let (neighbors, arrival) = (&self.protocols.arp.neighbors, origin.interface);
        self.adjacencies.find(hop, now, arrival, neighbors, &self.bridges).copied()
    }

    /// Sends a packet to the next hop of its flow's last one.
    ///
    /// # Errors
    /// The packet, untouched: it has to go the long way.
    #[inline]
    pub(crate) fn forward_cached(
        &mut self,
        now: Instant,
        packet: Ipv4,
        to_group: bool,
        lookup: &Lookup,
        adjacency: Adjacency,
        out: &mut Outbox,
    ) -> Result<Fate, Ipv4> {
        let Adjacency { to, from, egress: Some(egress), mtu, .. } = adjacency else {
            return Err(packet);
        };
        // What the flow's last packet may not have been: options, the end of its hops, too large.
        let usual = !to_group && packet.header_len() == V4_HEADER && packet.ttl() > 1;
        if !usual || segment_ip_len(packet.frame()) > usize::from(mtu) {
            return Err(packet);
        }
        let mut frame = self.nat.translate(now, packet, lookup)?.into_frame();
        Ethernet::emit(&mut frame, to, from, EtherType::IPV4);
        Ok(out.send_one(egress, frame))
    }

    /// Caches the next hop that a packet of a flow, if it was of one, has just left by. One that
    /// holds stays: the flows of a tunnel take the slow path with every packet.
    pub(crate) fn cache_next_hop(
        &mut self,
        now: Instant,
        flow: Option<FlowDirection>,
        origin: Origin,
        hop: Hop,
    ) -> Fate {
        let key = Key::new(hop.interface, hop.next);
        if let Some(flow) = flow
            && self.nat.cached_hop(flow).and_then(|hop| self.cached(now, origin, hop)).is_none()
            && let Some(adjacency) = self.adjacency(origin.interface, key)
        {
            let hop = self.adjacencies.keep(key, adjacency);
            self.nat.cache_hop(flow, hop);
        }
        Fate::Sent
    }

    /// How packets reach a neighbour; nothing while that is not known for sure.
    fn adjacency(&self, arrival: InterfaceId, key: Key) -> Option<Adjacency> {
        let neighbors = &self.protocols.arp.neighbors;
        let (to, until) = neighbors.trusted(key)?;
        let own = self.router.interfaces.get(key.interface())?;
        let mut basis = Basis { until, neighbors: neighbors.version, station: None };
        let (id, vlan) = match own.link {
            Link::Port(port) => (port, None),
            Link::Vlan { bridge: id, vlan } => {
                let bridge = self.bridges.get(id)?;
                basis.station = Some((id, bridge.fdb.version));
                match bridge.decide(to, vlan, None) {
                    Ok(Decision::Forward(Location::Port(port))) => (port, Some(vlan)),
                    Ok(Decision::Forward(_)) => {
                        let (from, egress) = (own.mac, None);
                        return Some(Adjacency { to, from, egress, mtu: 0, arrival, basis });
                    }
                    _ => return None,
                }
            }
        };
        let port = self.ports.get(id).filter(|port| port.up)?;
        let tag = match (vlan, port.settings.role.membership()) {
            (None, _) => None,
            (Some(vlan), Some(member)) if member.vlans.carries(vlan, None) => {
                member.vlans.tag(vlan, None, member.priority_tags)
            }
            _ => return None,
        };
        let (egress, mtu) = (Some(Egress::port(id, tag)), own.mtu.min(port.settings.mtu));
        Some(Adjacency { to, from: own.mac, egress, mtu, arrival, basis })
    }
}
