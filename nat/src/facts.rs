//! What NAT knows of a packet, as values for whoever explains what became of it. Everything here
//! reads; nothing here decides: the answers come from the table and the rules that the packet
//! itself meets.

use core::net::Ipv4Addr;

use packet::{Ipv4, Protocol, Transport, icmp};

use crate::tuple::Tuple;
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
    /// Source and destination port of TCP and UDP; the identifier of an ICMP query in both; none
    /// of anything else.
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
    pub(crate) key: Option<Tuple>,
    pub(crate) transport: Transport,
}

impl SentPacket {
    /// A packet that nobody has translated yet.
    pub fn of(packet: &Ipv4) -> Self {
        let transport = packet.transport();
        let key = match transport {
            // An error belongs to the flow of the packet that it quotes, and goes against it.
            Transport::Error { .. } => {
                let quoted = icmp::quote(packet.payload()).and_then(Tuple::of_start);
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
