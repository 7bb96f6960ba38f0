//! What NAT knows of a packet, as values for whoever explains what became of it. Everything here
//! reads; nothing here decides: the answers come from the table and the rules that the packet
//! itself meets.

use core::net::Ipv4Addr;

use packet::{Instant, InterfaceId, Ipv4, Protocol, Transport, icmp};

use crate::masquerade::RuleMatch;
use crate::nat::Nat;
use crate::tuple::{Direction, Tuple};
use crate::view::FlowView;

/// Who speaks to whom, as one packet's headers say.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Endpoints {
    /// What the packet carries.
    pub protocol: Protocol,
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// Source and destination port of TCP and UDP; the identifier of an ICMP query in both; none of
    /// anything else.
    pub ports: Option<(u16, u16)>,
}

impl Endpoints {
    /// Those of a packet.
    pub fn of(packet: &Ipv4) -> Self {
        let ports = match packet.transport() {
            Transport::Tcp { source, destination, .. } | Transport::Udp { source, destination } => {
                Some((source, destination))
            }
            Transport::Query { identifier, .. } => Some((identifier, identifier)),
            Transport::Error { .. }
            | Transport::OtherIcmp { .. }
            | Transport::LaterFragment
            | Transport::Other(_)
            | Transport::Malformed => None,
        };
        let (source, destination) = (packet.source(), packet.destination());
        Self { protocol: packet.protocol(), source, destination, ports }
    }
}

/// A packet as its sender sent it, by which its flow is found at any time.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct SentPacket {
    /// Who speaks to whom.
    pub ends: Endpoints,
    key: Option<Tuple>,
    transport: Transport,
}

impl SentPacket {
    /// A packet that nobody has translated yet.
    pub fn of(packet: &Ipv4) -> Self {
        let transport = packet.transport();
        let key = match transport {
            // An error belongs to the flow of the packet that it quotes, and goes against it.
            Transport::Error { .. } => {
                let quoted = icmp::quote(packet.payload()).and_then(Tuple::of_quote);
                quoted.map(Tuple::inverse)
            }
            _ => Tuple::of(packet.ip(), transport),
        };
        Self { ends: Endpoints::of(packet), key, transport }
    }
}

/// The flow that a packet belongs to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct FlowMatch {
    /// The flow.
    pub view: FlowView,
    /// Whether the packet goes against the flow's first one.
    pub is_reply: bool,
}

/// Why a packet's destination is what it is behind step 5.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum DnatReason {
    /// It is as it was sent.
    Unchanged,
    /// The packet belongs to a flow.
    Flow,
    /// A publish rule listens there.
    Publish,
    /// A mapping whose filter is open has the port.
    Mapping,
    /// It is an ICMP error about a packet of a flow.
    Error,
}

impl Nat {
    /// The living flow of a packet, if there is one.
    pub fn flow_of(&self, now: Instant, sent: &SentPacket) -> Option<FlowMatch> {
        let (id, direction) = self.table.find(&self.hashes, &sent.key?)?;
        let flow = self.table.get(id).filter(|flow| flow.is_living(now) && !self.has_ended(id))?;
        if self.is_reopened(id, sent.transport) {
            return None;
        }
        Some(FlowMatch { view: FlowView::of(now, flow), is_reply: direction == Direction::Reply })
    }

    /// The number, from 1, of the publish rule that listens where a packet was sent to; `owner` is
    /// the interface that bears its destination.
    pub fn publish_of(&self, sent: &SentPacket, owner: Option<InterfaceId>) -> Option<usize> {
        let Endpoints { protocol, destination, ports, .. } = sent.ends;
        let rule = self.listeners.rule(protocol, destination, ports?.1, owner)?;
        Some(self.rules.publish.iter().position(|written| written == rule)? + 1)
    }

    /// What each masquerade rule says of a packet, in order; the first that covers it decides.
    pub fn rule_matches(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        out: InterfaceId,
    ) -> Vec<RuleMatch> {
        let rules = self.rules.masquerade.iter();
        rules.map(|rule| rule.matches(source, destination, out)).collect()
    }
}
