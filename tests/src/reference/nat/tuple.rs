//! What tells one flow from another, in one direction.

use core::net::SocketAddrV4;

use nat::view::TupleView;

use super::super::ipv4::Transport;
use super::ICMP;
use crate::wire::Packet;

/// One direction of a flow. A query has its identifier in both ports.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tuple {
    pub(super) protocol: u8,
    pub(super) kind: u8,
    pub(crate) from: SocketAddrV4,
    pub(crate) to: SocketAddrV4,
}

impl Tuple {
    pub(super) fn of(way: &TupleView, protocol: u8) -> Self {
        Self {
            protocol,
            kind: way.message.map_or(0, |message| message.kind),
            from: SocketAddrV4::new(way.source, way.source_port),
            to: SocketAddrV4::new(way.destination, way.destination_port),
        }
    }

    /// What the answer looks like.
    pub(super) const fn answer(self) -> Self {
        let kind = match (self.protocol, self.kind) {
            (ICMP, 0) => 8,
            (ICMP, 8) => 0,
            (ICMP, 13) => 14,
            (ICMP, 14) => 13,
            (ICMP, 15) => 16,
            (ICMP, 16) => 15,
            (ICMP, 17) => 18,
            (ICMP, 18) => 17,
            (_, kind) => kind,
        };
        Self { kind, from: self.to, to: self.from, ..self }
    }
}

/// The fields that tell a flow; none where there are none.
pub(super) fn tuple(packet: &Packet, transport: Transport) -> Option<Tuple> {
    let protocol = packet.protocol;
    let (kind, from, to) = match transport {
        _ if packet.is_fragment() => return None,
        Transport::Tcp { .. } | Transport::Udp => (0, packet.from().port(), packet.to().port()),
        Transport::Query { kind, .. } => (kind, packet.from().port(), packet.from().port()),
        Transport::Other => (0, 0, 0),
        _ => return None,
    };
    let (from, to) =
        (SocketAddrV4::new(packet.source, from), SocketAddrV4::new(packet.destination, to));
    Some(Tuple { protocol, kind, from, to })
}

/// Whether a packet can be a flow's first.
pub(super) fn begins(transport: Transport) -> bool {
    match transport {
        // SYN alone, or ACK alone: neither FIN nor RST.
        Transport::Tcp { flags } => matches!(flags & 0x17, 0x02 | 0x10),
        Transport::Udp | Transport::Other => true,
        Transport::Query { reply, .. } => !reply,
        _ => false,
    }
}
