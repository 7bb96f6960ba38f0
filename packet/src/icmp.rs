//! ICMP messages that the router speaks (RFC 792, RFC 1812 section 4.3), and the quote inside
//! errors.

use core::net::Ipv4Addr;

use crate::checksum;
use crate::ethernet::{EtherType, Ethernet, HEADER_LEN as ETHERNET};
use crate::fields::Fields;
use crate::frame::Frame;
use crate::ip::{Protocol, V4, V4_HEADER};
use crate::mac::Mac;

/// An error datagram carries as much of its cause as fits in this many bytes of IP (RFC 1812
/// section 4.3.2.3).
pub const MAX_ERROR: usize = 576;
/// Precedence "internetwork control", which RFC 1812 section 4.3.2.5 asks of errors; their type of
/// service is that of the cause.
const ERROR_PRECEDENCE: u8 = 0xc0;
const TYPE_OF_SERVICE: u8 = 0x1c;
const TTL: u8 = 64;

/// What a router tells a packet's sender.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum IcmpError {
    /// 3/0: no route.
    NetUnreachable,
    /// 3/1: the next hop does not answer.
    HostUnreachable,
    /// 3/2: nothing of ours speaks the protocol.
    ProtocolUnreachable,
    /// 3/3: no service of ours listens there.
    PortUnreachable,
    /// 3/4, with the next hop's MTU (RFC 1191).
    FragmentationNeeded {
        /// Largest IP packet that would have passed.
        mtu: u16,
    },
    /// 3/13: forbidden by the administrator, or out of NAT resources (RFC 5508 REQ-8).
    Prohibited,
    /// 11/0: the TTL ran out in transit.
    TtlExceeded,
    /// 11/1: fragments did not come in time.
    ReassemblyTimeExceeded,
}

impl IcmpError {
    /// Type and code.
    pub const fn wire(self) -> (u8, u8) {
        match self {
            Self::NetUnreachable => (3, 0),
            Self::HostUnreachable => (3, 1),
            Self::ProtocolUnreachable => (3, 2),
            Self::PortUnreachable => (3, 3),
            Self::FragmentationNeeded { .. } => (3, 4),
            Self::Prohibited => (3, 13),
            Self::TtlExceeded => (11, 0),
            Self::ReassemblyTimeExceeded => (11, 1),
        }
    }

    /// Makes `frame` this error from `source` about `cause` (an IPv4 packet from its header on), to
    /// the cause's sender. The Ethernet header has its type; addresses are the caller's. `false`:
    /// the buffer is too small or the cause has no IPv4 header.
    #[must_use]
    pub fn emit(self, frame: &mut Frame, source: Ipv4Addr, cause: &[u8]) -> bool {
        let Some(ip) = V4::of(cause) else { return false };
        let quote = &cause[..cause.len().min(MAX_ERROR - V4_HEADER - IcmpHeader::LEN)];
        if !frame.reset(ETHERNET + V4_HEADER + IcmpHeader::LEN + quote.len()) {
            return false;
        }
        let (kind, code) = self.wire();
        let mtu = match self {
            Self::FragmentationNeeded { mtu } => mtu,
            _ => 0,
        };
        let [m0, m1] = mtu.to_be_bytes();
        let Some(message) = frame.bytes_mut().get_mut(ETHERNET + V4_HEADER..) else {
            return false;
        };
        let Some((header, body)) = message.split_first_chunk_mut::<{ IcmpHeader::LEN }>() else {
            return false;
        };
        *header = [kind, code, 0, 0, 0, 0, m0, m1];
        body.copy_from_slice(quote);
        recompute(message);
        Ethernet::emit(frame, Mac::ZERO, Mac::ZERO, EtherType::IPV4);
        let header = Fields {
            source,
            destination: ip.source(),
            protocol: Protocol::ICMP,
            ttl: TTL,
            traffic_class: ERROR_PRECEDENCE | ip.traffic_class() & TYPE_OF_SERVICE,
            identification: 0,
            dont_fragment: false,
        };
        header.emit(frame)
    }
}

/// Writes the checksum of a whole ICMP message, type to end.
pub fn recompute(message: &mut [u8]) {
    if let Some(place) = message.get_mut(2..4) {
        place.fill(0);
    }
    let sum = checksum::of(message);
    if let Some(place) = message.get_mut(2..4) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
}

/// Turns an echo request (type 8) into its reply in place, mending the checksum. The rest of the
/// message, and any other message, stays.
pub fn answer_echo(message: &mut [u8]) {
    if let Some(header) = message.first_chunk_mut::<4>()
        && header[0] == 8
    {
        let old = u16::from_be_bytes([header[0], header[1]]);
        header[0] = 0;
        let new = u16::from_be_bytes([header[0], header[1]]);
        let sum = checksum::update(u16::from_be_bytes([header[2], header[3]]), old, new);
        header[2..4].copy_from_slice(&sum.to_be_bytes());
    }
}

/// The packet that an ICMP error quotes; `None` when not even its header and eight bytes are there.
/// Its checksum is not looked at here.
pub fn quote(message: &[u8]) -> Option<V4<'_>> {
    V4::of(message.get(IcmpHeader::LEN..)?).filter(|quoted| quoted.payload().len() >= 8)
}

/// The first eight bytes of an ICMP message, which all types have (RFC 792).
#[derive(Copy, Clone, Debug)]
pub struct IcmpHeader<'a>(&'a [u8; IcmpHeader::LEN]);

impl<'a> IcmpHeader<'a> {
    /// Length of a header.
    pub const LEN: usize = 8;

    /// The header at the start of `bytes`; `None` when it is cut off.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        bytes.first_chunk().map(Self)
    }

    /// Message type.
    #[inline]
    pub const fn kind(self) -> u8 {
        self.0[0]
    }

    /// Message code.
    #[inline]
    pub const fn code(self) -> u8 {
        self.0[1]
    }

    /// Identifier of a query, which plays the part of a port.
    #[inline]
    pub const fn identifier(self) -> u16 {
        u16::from_be_bytes([self.0[4], self.0[5]])
    }

    /// Sequence number of a query.
    #[inline]
    pub const fn sequence(self) -> u16 {
        u16::from_be_bytes([self.0[6], self.0[7]])
    }
}
