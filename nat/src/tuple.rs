//! The fields that tell one flow from another, in one direction.

use core::net::Ipv4Addr;

use packet::ip::V4;
use packet::transport::ports;
use packet::{IcmpHeader, Protocol, Transport};

/// One direction of a flow, as its packets carry it.
///
/// ICMP queries have their identifier in both ports and their message type in `kind`; protocols
/// without ports have zeros, so that two hosts have one flow of each.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tuple {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) protocol: Protocol,
    pub(crate) kind: u8,
}

impl Tuple {
    /// `None` for packets that no flow can be told from: fragments, ICMP errors, cut-off headers.
    #[inline]
    pub(crate) fn of(packet: V4<'_>, transport: Transport) -> Option<Self> {
        if packet.is_fragment() {
            return None;
        }
        let (source_port, destination_port, kind) = match transport {
            Transport::Tcp { source, destination, .. } | Transport::Udp { source, destination } => {
                (source, destination, 0)
            }
            Transport::Query { identifier, kind, .. } => (identifier, identifier, kind),
            Transport::Other(_) => (0, 0, 0),
            Transport::Error { .. }
            | Transport::OtherIcmp { .. }
            | Transport::LaterFragment
            | Transport::Malformed => return None,
        };
        Some(Self::with(packet, source_port, destination_port, kind))
    }

    /// The tuple of a packet of which little need be there: one that an ICMP error quotes, or whose
    /// flow is guessed. `None` when no flow can be told from it.
    #[inline]
    pub(crate) fn of_start(packet: V4<'_>) -> Option<Self> {
        if packet.fragment_offset() != 0 {
            return None;
        }
        let (source_port, destination_port, kind) = match packet.protocol() {
            Protocol::TCP | Protocol::UDP => {
                let (source, destination) = ports(packet.payload())?;
                (source, destination, 0)
            }
            Protocol::ICMP => {
                let query = IcmpHeader::of(packet.payload())?;
                pair(query.kind())?;
                (query.identifier(), query.identifier(), query.kind())
            }
            _ => (0, 0, 0),
        };
        Some(Self::with(packet, source_port, destination_port, kind))
    }

    #[inline]
    fn with(packet: V4<'_>, source_port: u16, destination_port: u16, kind: u8) -> Self {
        Self {
            source: packet.source(),
            destination: packet.destination(),
            source_port,
            destination_port,
            protocol: packet.protocol(),
            kind,
        }
    }

    /// What an answer to this looks like when nobody translates.
    pub(crate) fn inverse(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
            protocol: self.protocol,
            kind: answer(self.protocol, self.kind),
        }
    }

    /// The whole of it in two words, for hashing.
    #[inline]
    pub(crate) fn words(&self) -> (u64, u64) {
        let addresses =
            u64::from(u32::from(self.source)) << 32 | u64::from(u32::from(self.destination));
        let ports = u64::from(self.source_port) << 48 | u64::from(self.destination_port) << 32;
        (addresses, ports | u64::from(self.protocol.0) << 8 | u64::from(self.kind))
    }
}

/// The `kind` of a tuple that answers one of this `kind`.
pub(crate) fn answer(protocol: Protocol, kind: u8) -> u8 {
    match protocol {
        Protocol::ICMP => pair(kind).unwrap_or(kind),
        _ => kind,
    }
}

/// The type of the message that answers an ICMP query or that it answers (RFC 792, RFC 950); `None`
/// for other messages.
const fn pair(kind: u8) -> Option<u8> {
    match kind {
        8 => Some(0),
        0 => Some(8),
        13 => Some(14),
        14 => Some(13),
        15 => Some(16),
        16 => Some(15),
        17 => Some(18),
        18 => Some(17),
        _ => None,
    }
}

/// Which way a packet of a flow goes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// As the flow's first packet.
    Original,
    /// Against it.
    Reply,
}

impl Direction {
    pub(crate) const fn opposite(self) -> Self {
        match self {
            Self::Original => Self::Reply,
            Self::Reply => Self::Original,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_of_the_inverse_is_the_tuple_itself() {
        for (protocol, kind) in [
            (Protocol::TCP, 0),
            (Protocol::UDP, 0),
            (Protocol::ICMP, 8),
            (Protocol::ICMP, 14),
            (Protocol::ICMP, 15),
            (Protocol::ICMP, 18),
            (Protocol(47), 0),
        ] {
            let tuple = Tuple {
                source: Ipv4Addr::new(192, 168, 0, 2),
                destination: Ipv4Addr::new(203, 0, 113, 9),
                source_port: 5,
                destination_port: 80,
                protocol,
                kind,
            };
            assert_ne!(tuple.inverse(), tuple);
            assert_eq!(tuple.inverse().inverse(), tuple);
        }
    }

    #[test]
    fn each_query_and_its_reply_answer_each_other() {
        for (query, reply) in [(8, 0), (13, 14), (15, 16), (17, 18)] {
            assert_eq!(answer(Protocol::ICMP, query), reply);
            assert_eq!(answer(Protocol::ICMP, reply), query);
            assert_eq!(answer(Protocol::UDP, query), query);
        }
        assert_eq!(answer(Protocol::ICMP, 3), 3);
    }
}
