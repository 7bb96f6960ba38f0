//! Witnesses that a packet has been through NAT, one for each side of the router.
//!
//! Routing asks for a [`Destined`] and delivery for a [`Translated`]; only [`Nat`](crate::Nat) makes them, so the
//! order of translation is a matter of types.

use core::net::Ipv4Addr;

use packet::icmp;
use packet::rewrite::{self, End};
use packet::{InterfaceId, Ipv4, PortId, Protocol, Transport};

use crate::facts::Found;
use crate::flow::Origin;
use crate::lookup::Course;
use crate::mapping::MappingId;
use crate::table::FlowId;
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
pub struct Destined {
    pub(crate) packet: Ipv4,
    pub(crate) plan: Plan,
    undo: Undo,
    for_us: bool,
}

/// What is known about a packet ahead of routing, for the step behind it.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Plan {
    /// Nothing: its destination is as it was sent.
    Fresh,
    /// It belongs to a flow.
    Known { flow: FlowId, direction: Direction, transport: Transport },
    /// It goes elsewhere than it was sent, and a flow is to be kept if it survives.
    Redirected { original: Tuple, origin: Origin, mapping: Option<MappingId> },
    /// An ICMP error about a packet of a flow; `direction` is the error's own.
    Error { flow: FlowId, direction: Direction },
}

/// How to give a packet back as it was sent.
#[derive(Copy, Clone, Debug)]
enum Undo {
    Nothing,
    Destination(Ipv4Addr, Option<u16>),
    Error { destination: Ipv4Addr, quoted: Tuple },
}

impl Destined {
    /// A packet that nobody needs to translate inbound. `for_us`: its destination is one of the router's addresses.
    pub const fn untouched(packet: Ipv4, for_us: bool) -> Self {
        Self { packet, plan: Plan::Fresh, undo: Undo::Nothing, for_us }
    }

    /// Gives the packet its true destination.
    #[inline]
    pub(crate) fn redirect(
        mut packet: Ipv4,
        plan: Plan,
        sent: Tuple,
        to: Tuple,
        owned: bool,
    ) -> Self {
        if (sent.destination, sent.destination_port) == (to.destination, to.destination_port) {
            return Self { plan, ..Self::untouched(packet, owned) };
        }
        rewrite::endpoint(&mut packet, End::Destination, to.destination, Some(to.destination_port));
        Self {
            packet,
            plan,
            undo: Undo::Destination(sent.destination, Some(sent.destination_port)),
            for_us: false,
        }
    }

    /// Gives an ICMP error its true addressee: the sender of the packet it quotes, which gets its packet `quoted` back
    /// `as_sent`.
    pub(crate) fn readdress(
        mut packet: Ipv4,
        plan: Plan,
        quoted: Tuple,
        as_sent: Tuple,
        owned: bool,
    ) -> Self {
        let destination = packet.destination();
        rewrite::endpoint(&mut packet, End::Destination, as_sent.source, None);
        requote(&mut packet, &as_sent);
        Self {
            packet,
            plan,
            undo: Undo::Error { destination, quoted },
            for_us: owned && destination == as_sent.source,
        }
    }

    /// The packet.
    pub const fn packet(&self) -> &Ipv4 {
        &self.packet
    }

    /// Whether the packet is for the router itself: sent to one of its addresses and not redirected.
    pub const fn is_for_us(&self) -> bool {
        self.for_us
    }

    /// How the destination was found.
    pub const fn found(&self) -> Found {
        match self.plan {
            Plan::Fresh => Found::Nothing,
            Plan::Known { .. } => Found::Flow,
            Plan::Redirected { origin: Origin::Admitted, .. } => Found::Mapping,
            Plan::Redirected { origin: Origin::Publish | Origin::Masquerade, .. } => Found::Publish,
            Plan::Error { .. } => Found::Error,
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
pub struct Translated {
    packet: Ipv4,
    course: Option<Course>,
}

impl Translated {
    pub(crate) const fn new(packet: Ipv4) -> Self {
        Self { packet, course: None }
    }

    pub(crate) const fn of_flow(packet: Ipv4, course: Course) -> Self {
        Self { packet, course: Some(course) }
    }

    /// The flow's direction that it goes in, when the flow was there before it.
    pub const fn course(&self) -> Option<Course> {
        self.course
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
