//! Which flows somebody means, as a value: listings and the end of flows by hand share it, and a
//! record can hold it.
//!
//! Every key narrows: a flow is meant when it fits all that are set, and none set means every flow.
//! The keys are those of conntrack(8), and two of the lab's own: the rule that translates a flow,
//! and the port that one of its ends is behind. Nothing here is on a packet's path.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::ops::Range;

use nat::view::TupleView;
use nat::{FlowView, Publish, Rules};
use packet::{Instant, Ipv4Net, PortId, Protocol};
use serde::{Deserialize, Serialize};

use crate::bridge::Bridges;
use crate::interface::Link;
use crate::neighbors::{Key, Neighbors};
use crate::router::Router;
use crate::switch::Switch;

/// All places of NAT's table.
pub const ALL_FLOWS: Range<u32> = 0..u32::MAX;

/// Which flows are meant.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FlowFilter {
    /// What the packets carry.
    pub protocol: Option<Protocol>,
    /// The source in the original direction.
    pub source: Option<Ipv4Net>,
    /// The destination in the original direction.
    pub destination: Option<Ipv4Net>,
    /// The source port in the original direction; fits TCP and UDP alone.
    pub source_port: Option<u16>,
    /// The destination port in the original direction; fits TCP and UDP alone.
    pub destination_port: Option<u16>,
    /// The source is translated, to an address in here.
    pub src_nat: Option<Ipv4Net>,
    /// The destination is translated, to an address in here.
    pub dst_nat: Option<Ipv4Net>,
    /// Either is translated, to an address in here.
    pub any_nat: Option<Ipv4Net>,
    /// The rule that translates it.
    pub rule: Option<FlowRule>,
    /// The port that one of its true ends is behind.
    pub behind: Option<Behind>,
}

/// A rule, by its place among its kind in [`Rules`].
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FlowRule {
    /// A masquerade rule; what came in to a mapping that it made is its own too.
    Masquerade(usize),
    /// A publish rule: whatever was sent to its listener, and what its service sends from there by
    /// itself.
    Publish(usize),
}

/// A port or tunnel, and the addresses that are known to be behind it though nobody speaks there
/// now. What else is behind it is told by routes, neighbours and stations.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Behind {
    /// The port.
    pub port: PortId,
    /// Addresses of its far end.
    pub addresses: Vec<Ipv4Addr>,
}

impl FlowFilter {
    /// Whether a flow fits what its own two tuples tell.
    fn fits(&self, flow: &FlowView) -> bool {
        let FlowView { original, reply, .. } = flow;
        let source = (flow.is_src_nat, reply.destination);
        let destination = (flow.is_dst_nat, reply.source);
        let within = |net: Option<Ipv4Net>, address| net.is_none_or(|net| net.contains(&address));
        let translated = |net: Option<Ipv4Net>, ends: &[(bool, Ipv4Addr)]| {
            net.is_none_or(|net| ends.iter().any(|(is, to)| *is && net.contains(to)))
        };
        self.protocol.is_none_or(|protocol| protocol == flow.protocol)
            && within(self.source, original.source)
            && within(self.destination, original.destination)
            && self.source_port.is_none_or(|port| ports(flow).is_some_and(|(own, _)| own == port))
            && self
                .destination_port
                .is_none_or(|port| ports(flow).is_some_and(|(_, to)| to == port))
            && translated(self.src_nat, &[source])
            && translated(self.dst_nat, &[destination])
            && translated(self.any_nat, &[source, destination])
    }
}

impl Switch {
    /// The flows that live at `now` and are meant, of those in these places of NAT's table.
    pub fn flows_of(&self, now: Instant, filter: &FlowFilter, places: Range<u32>) -> Vec<FlowView> {
        let rules = self.nat.rules();
        let neighbors = &self.protocols.arp.neighbors;
        let ground = Ground { rules, router: &self.router, neighbors, bridges: &self.bridges };
        self.nat.flows_at(now, places).filter(|flow| ground.means(filter, flow)).collect()
    }

    /// Whether flows that a change has ended are still to be taken out, which
    /// [`Event::Timeout`](crate::Event) does.
    pub fn is_sweeping(&self) -> bool {
        self.nat.is_sweeping()
    }

    /// One more than the highest place of NAT's table that has ever held a flow.
    pub const fn flow_places(&self) -> u32 {
        self.nat.places()
    }

    /// Ends the flows that are meant, of those in these places.
    pub(crate) fn end_flows(&mut self, filter: &FlowFilter, places: Range<u32>) {
        let rules = self.nat.rules().clone();
        let neighbors = &self.protocols.arp.neighbors;
        let (router, bridges) = (&self.router, &self.bridges);
        let ground = Ground { rules: &rules, router, neighbors, bridges };
        self.nat.flush(places, |flow| !ground.means(filter, flow));
    }
}

/// What a flow is held against beside its own tuples.
struct Ground<'a> {
    rules: &'a Rules,
    router: &'a Router,
    neighbors: &'a Neighbors,
    bridges: &'a Bridges,
}

impl Ground<'_> {
    fn means(&self, filter: &FlowFilter, flow: &FlowView) -> bool {
        filter.fits(flow)
            && filter.rule.is_none_or(|rule| self.is_of(rule, flow))
            && filter.behind.as_ref().is_none_or(|behind| self.has_end_behind(behind, flow))
    }

    fn is_of(&self, rule: FlowRule, flow: &FlowView) -> bool {
        let FlowView { original, reply, .. } = flow;
        match rule {
            FlowRule::Publish(at) => {
                self.listener(flow) == Some(at) || self.speaker(flow) == Some(at)
            }
            FlowRule::Masquerade(at) => {
                let began_inside = flow.is_src_nat
                    && self.covers(original.source, reply.source, reply.destination) == Some(at);
                let came_to_a_mapping = flow.is_dst_nat
                    && self.listener(flow).is_none()
                    && self.covers(reply.source, original.source, original.destination) == Some(at);
                began_inside || came_to_a_mapping
            }
        }
    }

    /// The masquerade rule that translates `source` to `external` towards `destination`.
    fn covers(&self, source: Ipv4Addr, destination: Ipv4Addr, external: Ipv4Addr) -> Option<usize> {
        let out = self.router.routes.owner(external)?;
        self.rules.masquerade.iter().position(|rule| rule.covers(source, destination, out))
    }

    /// The publish rule that a flow's first packet was sent to.
    fn listener(&self, flow: &FlowView) -> Option<usize> {
        let TupleView { destination, destination_port, .. } = flow.original;
        let listener = self.heard(flow.protocol, destination, destination_port);
        listener.filter(|_| flow.is_dst_nat)
    }

    /// The publish rule from whose listener a flow's first packet left, sent by the service itself.
    fn speaker(&self, flow: &FlowView) -> Option<usize> {
        let TupleView { destination, destination_port, .. } = flow.reply;
        let at = self.heard(flow.protocol, destination, destination_port)?;
        let service = SocketAddrV4::new(flow.original.source, flow.original.source_port);
        (flow.is_src_nat && self.rules.publish.get(at)?.to == service).then_some(at)
    }

    /// The publish rule that listens at an address and port.
    fn heard(&self, protocol: Protocol, address: Ipv4Addr, port: u16) -> Option<usize> {
        let owner = self.router.routes.owner(address);
        let hears = |rule: &Publish| {
            (rule.protocol, rule.port) == (protocol, port) && rule.listen.matches(address, owner)
        };
        self.rules.publish.iter().position(hears)
    }

    fn has_end_behind(&self, behind: &Behind, flow: &FlowView) -> bool {
        [flow.original.source, flow.reply.source]
            .into_iter()
            .any(|end| behind.addresses.contains(&end) || self.leaves_by(end) == Some(behind.port))
    }

    /// The port that packets to an address leave by now, as far as that is known without asking
    /// anybody.
    fn leaves_by(&self, address: Ipv4Addr) -> Option<PortId> {
        let hop = self.router.next_hop(address)?;
        match self.router.interfaces.get(hop.interface)?.link {
            Link::Port(port) => Some(port),
            Link::Vlan { bridge, vlan } => {
                let mac = self.neighbors.known(Key::new(hop.interface, hop.next))?;
                self.bridges.get(bridge)?.fdb.find(mac, vlan)?.port()
            }
        }
    }
}

/// Source and destination port in the original direction, of what has ports.
const fn ports(flow: &FlowView) -> Option<(u16, u16)> {
    match flow.protocol {
        Protocol::TCP | Protocol::UDP => {
            Some((flow.original.source_port, flow.original.destination_port))
        }
        _ => None,
    }
}
