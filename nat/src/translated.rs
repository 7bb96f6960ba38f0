//! Witnesses that a packet has been through NAT: behind DNAT, ahead of routing, and behind SNAT.
//!
//! Routing asks for an [`AfterDnat`] and delivery for an [`AfterSnat`]; only [`Nat`](crate::Nat)
//! makes them, so the order of translation is a matter of types.

use core::net::Ipv4Addr;

use packet::icmp;
use packet::rewrite::{self, End};
use packet::{InterfaceId, Ipv4, PortId, Protocol, Transport};

use crate::facts::DnatReason;
use crate::flow::FlowOrigin;
use crate::flow_id::FlowDirection;
use crate::flow_id::FlowId;
use crate::mapping_id::MappingId;
use crate::tuple::{Direction, Tuple};

/// Where a packet came in.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// The router's interface that it came in on.
    pub interface: InterfaceId,
    /// The router's interface that bears the packet's destination address, if one does.
    pub owner: Option<InterfaceId>,
    /// The port that it came in by; none for what the router says itself.
    pub port: Option<PortId>,
}

/// Where a packet is about to leave.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Departure {
    /// The router's interface that it leaves through.
    pub interface: InterfaceId,
    /// The address of that interface's to translate to, if it has one.
    pub external: Option<Ipv4Addr>,
}

/// A packet whose destination is the true one.
#[derive(Debug)]
pub struct AfterDnat {
    pub(crate) packet: Ipv4,
    pub(crate) state: CtState,
    undo: Undo,
    local: bool,
}

/// What is known about a packet ahead of routing, for the step behind it.
#[derive(Copy, Clone, Debug)]
pub(crate) enum CtState {
    /// Nothing: its destination is as it was sent.
    Untracked,
    /// It belongs to a flow.
    Established { flow: FlowId, direction: Direction, transport: Transport },
    /// It goes elsewhere than it was sent, and a flow is to be kept if it survives.
    Dnat { original: Tuple, origin: FlowOrigin, mapping: Option<MappingId> },
    /// An ICMP error about a packet of a flow; `direction` is the error's own.
    Related { flow: FlowId, direction: Direction },
}

/// How to give a packet back as it was sent.
#[derive(Copy, Clone, Debug)]
enum Undo {
    Nothing,
    Destination(Ipv4Addr, Option<u16>),
    Error { destination: Ipv4Addr, quoted: Tuple },
}

impl AfterDnat {
    /// A packet that nobody needs to translate inbound. `local`: its destination is one of the
    /// router's addresses.
    pub const fn untouched(packet: Ipv4, local: bool) -> Self {
        Self { packet, state: CtState::Untracked, undo: Undo::Nothing, local }
    }

    /// Gives the packet its true destination.
    #[inline]
    pub(crate) fn redirect(
        mut packet: Ipv4,
        state: CtState,
        sent: Tuple,
        to: Tuple,
        owned: bool,
    ) -> Self {
        if (sent.destination, sent.destination_port) == (to.destination, to.destination_port) {
            return Self { state, ..Self::untouched(packet, owned) };
        }
        rewrite::endpoint(&mut packet, End::Destination, to.destination, Some(to.destination_port));
        Self {
            packet,
            state,
            undo: Undo::Destination(sent.destination, Some(sent.destination_port)),
            local: false,
        }
    }

    /// Gives an ICMP error its true addressee: the sender of the packet it quotes, which gets its
    /// packet `quoted` back `as_sent`.
    pub(crate) fn translate_error(
        mut packet: Ipv4,
        state: CtState,
        quoted: Tuple,
        as_sent: Tuple,
        owned: bool,
    ) -> Self {
        let destination = packet.destination();
        rewrite::endpoint(&mut packet, End::Destination, as_sent.source, None);
        requote(&mut packet, &as_sent);
        Self {
            packet,
            state,
            undo: Undo::Error { destination, quoted },
            local: owned && destination == as_sent.source,
        }
    }

    /// The packet.
    pub const fn packet(&self) -> &Ipv4 {
        &self.packet
    }

    /// Whether the packet is for the router itself: sent to one of its addresses and not
    /// redirected.
    pub const fn is_local(&self) -> bool {
        self.local
    }

    /// How the destination was found.
    pub const fn dnat_reason(&self) -> DnatReason {
        match self.state {
            CtState::Untracked => DnatReason::Unchanged,
            CtState::Established { .. } => DnatReason::Flow,
            CtState::Dnat { origin: FlowOrigin::Admitted, .. } => DnatReason::Mapping,
            CtState::Dnat { origin: FlowOrigin::Publish | FlowOrigin::Masquerade, .. } => {
                DnatReason::Publish
            }
            CtState::Related { .. } => DnatReason::Error,
        }
    }

    /// The packet with its true destination, to be delivered locally or sent untranslated.
    pub fn into_packet(self) -> Ipv4 {
        self.packet
    }

    /// The packet as its sender knew it, to tell the sender about.
    pub fn undo(self) -> Ipv4 {
        let mut packet = self.packet;
        match self.undo {
            Undo::Nothing => {}
            Undo::Destination(address, port) => {
                rewrite::endpoint(&mut packet, End::Destination, address, port);
            }
            Undo::Error { destination, quoted } => {
                rewrite::endpoint(&mut packet, End::Destination, destination, None);
                requote(&mut packet, &quoted);
            }
        }
        packet
    }
}

/// Makes the packet that an ICMP error quotes carry `tuple`, and the error's checksum right.
fn requote(error: &mut Ipv4, tuple: &Tuple) {
    let message = error.payload_mut();
    if let Some(quote) = message.get_mut(8..) {
        // An ICMP query has one identifier, not two ports.
        let port = (tuple.protocol != Protocol::ICMP).then_some(tuple.destination_port);
        rewrite::quoted(quote, End::Source, tuple.source, Some(tuple.source_port));
        rewrite::quoted(quote, End::Destination, tuple.destination, port);
    }
    icmp::recompute(message);
}

/// A packet whose source is the one that the other side shall see.
#[derive(Debug)]
pub struct AfterSnat {
    packet: Ipv4,
    flow: Option<FlowDirection>,
}

impl AfterSnat {
    pub(crate) const fn new(packet: Ipv4) -> Self {
        Self { packet, flow: None }
    }

    pub(crate) const fn of_flow(packet: Ipv4, flow: FlowDirection) -> Self {
        Self { packet, flow: Some(flow) }
    }

    /// The flow's direction that it goes in, when the flow was there before it.
    pub const fn flow(&self) -> Option<FlowDirection> {
        self.flow
    }

    /// The packet.
    pub const fn packet(&self) -> &Ipv4 {
        &self.packet
    }

    /// The packet, ready for delivery.
    pub fn into_packet(self) -> Ipv4 {
        self.packet
    }
}
