//! ICMP messages that the router speaks (RFC 792, RFC 1812 section 4.3), and the quote inside errors.

use core::net::Ipv4Addr;

use crate::checksum;
use crate::ethernet::{EtherType, Ethernet, HEADER_LEN as ETHERNET};
use crate::frame::Frame;
use crate::ipv4::{Header, MIN_HEADER, Protocol};
use crate::mac::Mac;

/// An error datagram carries as much of its cause as fits in this many bytes of IP (RFC 1812 section 4.3.2.3).
pub const MAX_ERROR: usize = 576;
const ICMP_HEADER: usize = 8;
/// Precedence "internetwork control", which RFC 1812 section 4.3.2.5 asks of errors; their type of service is that of
/// the cause.
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

    /// Makes `frame` this error from `source` about `cause` (an IPv4 packet from its header on), to the cause's
    /// sender. The Ethernet header has its type; addresses are the caller's. `false`: the buffer is too small or
    /// the cause has no IPv4 header.
    #[must_use]
    pub fn emit(self, frame: &mut Frame, source: Ipv4Addr, cause: &[u8]) -> bool {
        let Some(&[_, class, .., a, b, c, d, _, _, _, _]) = cause.first_chunk::<MIN_HEADER>()
        else {
            return false;
        };
        let quote = &cause[..cause.len().min(MAX_ERROR - MIN_HEADER - ICMP_HEADER)];
        if !frame.reset(ETHERNET + MIN_HEADER + ICMP_HEADER + quote.len()) {
            return false;
        }
        let (kind, code) = self.wire();
        let mtu = match self {
            Self::FragmentationNeeded { mtu } => mtu,
            _ => 0,
        };
        let [m0, m1] = mtu.to_be_bytes();
        let Some(message) = frame.bytes_mut().get_mut(ETHERNET + MIN_HEADER..) else {
            return false;
        };
        let Some((header, body)) = message.split_first_chunk_mut::<ICMP_HEADER>() else {
            return false;
        };
        *header = [kind, code, 0, 0, 0, 0, m0, m1];
        body.copy_from_slice(quote);
        recompute(message);
        Ethernet::emit(frame, Mac::ZERO, Mac::ZERO, EtherType::IPV4);
        let header = Header {
            source,
            destination: Ipv4Addr::new(a, b, c, d),
            protocol: Protocol::ICMP,
            ttl: TTL,
            traffic_class: ERROR_PRECEDENCE | class & TYPE_OF_SERVICE,
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

/// Turns an echo request (type 8) into its reply in place, mending the checksum. The rest of the message, and any
/// other message, stays.
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

/// The packet an ICMP error quotes, from its IPv4 header on; `None` when not even a header and eight bytes are there
/// or the quoted header is impossible. Its checksum is not looked at here.
pub fn quote(message: &[u8]) -> Option<Quote<'_>> {
    let bytes = message.get(ICMP_HEADER..)?;
    let header = bytes.first_chunk::<MIN_HEADER>()?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    if header[0] >> 4 != 4 || header_len < MIN_HEADER || bytes.len() < header_len + 8 {
        return None;
    }
    Some(Quote { bytes, header_len })
}

/// A quoted packet: a whole IPv4 header and at least eight bytes behind it.
#[derive(Copy, Clone, Debug)]
pub struct Quote<'a> {
    bytes: &'a [u8],
    header_len: usize,
}

impl Quote<'_> {
    /// Whether the quoted header's checksum is right (RFC 5508 REQ-3b).
    pub fn header_holds(&self) -> bool {
        self.bytes.get(..self.header_len).is_some_and(checksum::holds)
    }

    /// Whom the quoted packet was from.
    pub fn source(&self) -> Ipv4Addr {
        self.address(12)
    }

    /// Whom the quoted packet was for.
    pub fn destination(&self) -> Ipv4Addr {
        self.address(16)
    }

    /// The quoted packet's protocol.
    pub fn protocol(&self) -> Protocol {
        Protocol(self.bytes.get(9).copied().unwrap_or(0))
    }

    /// Whether it is a fragment other than the first, which has no ports to quote.
    pub fn is_later_fragment(&self) -> bool {
        self.word(6) & 0x1fff != 0
    }

    /// Source and destination ports of a TCP or UDP quote.
    pub fn ports(&self) -> (u16, u16) {
        (self.word(self.header_len), self.word(self.header_len + 2))
    }

    /// Type and identifier of an ICMP query quote.
    pub fn query(&self) -> (u8, u16) {
        (self.bytes.get(self.header_len).copied().unwrap_or(0), self.word(self.header_len + 4))
    }

    fn address(&self, at: usize) -> Ipv4Addr {
        let bytes = self.bytes.get(at..).and_then(|b| b.first_chunk::<4>());
        bytes.map_or(Ipv4Addr::UNSPECIFIED, |b| Ipv4Addr::from(*b))
    }

    fn word(&self, at: usize) -> u16 {
        let bytes = self.bytes.get(at..).and_then(|b| b.first_chunk::<2>());
        bytes.map_or(0, |b| u16::from_be_bytes(*b))
    }
}
