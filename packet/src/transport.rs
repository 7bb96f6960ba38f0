//! Transport headers where they lie, as borrowed views, and as far as flows care: ports,
//! identifiers, flags.

use crate::icmp::IcmpHeader;
use crate::ip::{Protocol, V4};

/// TCP's control bits (RFC 9293 section 3.1).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize: opens a connection.
    pub const SYN: u8 = 0x02;
    /// Reset: ends a connection at once.
    pub const RST: u8 = 0x04;
    /// Hand the data to the reader now.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement field counts.
    pub const ACK: u8 = 0x10;
    /// The sender has slowed down, as ECN asked (RFC 3168).
    pub const CWR: u8 = 0x80;

    /// Whether all of `bits` are set.
    #[inline]
    pub const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }
}

/// Source and destination port of a TCP or UDP header, of which the first four bytes suffice.
#[inline]
pub fn ports(header: &[u8]) -> Option<(u16, u16)> {
    let [s0, s1, d0, d1] = *header.first_chunk()?;
    Some((u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])))
}

/// A whole TCP header with its options (RFC 9293 section 3.1), and the bytes behind it.
#[derive(Copy, Clone, Debug)]
pub struct TcpHeader<'a> {
    fixed: &'a [u8; TcpHeader::LEAST],
    bytes: &'a [u8],
}

impl<'a> TcpHeader<'a> {
    /// Length of a header without options.
    pub const LEAST: usize = 20;
    /// Where the checksum is.
    pub const CHECKSUM: u16 = 16;

    /// The header at the start of `bytes`; `None` when it is cut off or its length impossible.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let header = Self { fixed: bytes.first_chunk()?, bytes };
        let len = header.header_len();
        (len >= Self::LEAST && len <= bytes.len()).then_some(header)
    }

    /// Source port.
    #[inline]
    pub const fn source_port(self) -> u16 {
        u16::from_be_bytes([self.fixed[0], self.fixed[1]])
    }

    /// Destination port.
    #[inline]
    pub const fn destination_port(self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// Sequence number.
    #[inline]
    pub const fn sequence(self) -> u32 {
        let [_, _, _, _, a, b, c, d, ..] = *self.fixed;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Acknowledgement number, which counts where ACK is set.
    #[inline]
    pub const fn acknowledgement(self) -> u32 {
        let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *self.fixed;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Control bits.
    #[inline]
    pub const fn flags(self) -> TcpFlags {
        TcpFlags(self.fixed[13])
    }

    /// Length of the header with its options: 20 to 60.
    #[inline]
    pub const fn header_len(self) -> usize {
        (self.fixed[12] >> 4) as usize * 4
    }

    /// The options; none in many segments.
    #[inline]
    pub fn options(self) -> &'a [u8] {
        self.bytes.get(Self::LEAST..self.header_len()).unwrap_or(&[])
    }

    /// All bytes behind the header.
    #[inline]
    pub fn payload(self) -> &'a [u8] {
        self.bytes.get(self.header_len()..).unwrap_or(&[])
    }
}

/// A UDP header (RFC 768).
#[derive(Copy, Clone, Debug)]
pub struct UdpHeader<'a>(&'a [u8; UdpHeader::LEN]);

impl<'a> UdpHeader<'a> {
    /// Length of a header.
    pub const LEN: usize = 8;
    /// Where the checksum is.
    pub const CHECKSUM: u16 = 6;

    /// The header at the start of `bytes`; `None` when it is cut off.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        bytes.first_chunk().map(Self)
    }

    /// Source port.
    #[inline]
    pub const fn source_port(self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    /// Destination port.
    #[inline]
    pub const fn destination_port(self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }

    /// Length of header and payload, as the header says.
    #[expect(clippy::len_without_is_empty, reason = "a length field, not a container's")]
    #[inline]
    pub const fn len(self) -> usize {
        u16::from_be_bytes([self.0[4], self.0[5]]) as usize
    }

    /// Whether its sender has summed it.
    #[inline]
    pub const fn has_checksum(self) -> bool {
        self.0[6] != 0 || self.0[7] != 0
    }
}

/// What lies behind an IPv4 header.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Transport {
    /// TCP.
    Tcp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
        /// Control bits.
        flags: TcpFlags,
    },
    /// UDP.
    Udp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
    },
    /// An ICMP query that a reply can be matched to: echo, timestamp, information (RFC 792),
    /// address mask (RFC 950).
    Query {
        /// Identifier, which plays the part of a port.
        identifier: u16,
        /// Whether this is the answer.
        reply: bool,
        /// Message type.
        kind: u8,
    },
    /// An ICMP error, which quotes the packet it is about.
    Error {
        /// Message type.
        kind: u8,
        /// Message code.
        code: u8,
    },
    /// An ICMP message of another type.
    OtherIcmp {
        /// Message type.
        kind: u8,
    },
    /// A part of a packet that is not its first, so that no header is here.
    LaterFragment,
    /// A protocol without ports.
    Other(Protocol),
    /// The header is cut off, or impossible.
    Malformed,
}

impl Transport {
    #[inline]
    pub(crate) fn of(packet: V4<'_>) -> Self {
        if packet.fragment_offset() != 0 {
            return Self::LaterFragment;
        }
        Self::parse(packet.protocol(), packet.payload()).unwrap_or(Self::Malformed)
    }

    /// Reads the header of `protocol` at the start of `payload`. `None`: cut off or impossible.
    #[inline]
    pub fn parse(protocol: Protocol, payload: &[u8]) -> Option<Self> {
        match protocol {
            Protocol::TCP => TcpHeader::of(payload).map(|tcp| Self::Tcp {
                source: tcp.source_port(),
                destination: tcp.destination_port(),
                flags: tcp.flags(),
            }),
            Protocol::UDP => UdpHeader::of(payload).map(|udp| Self::Udp {
                source: udp.source_port(),
                destination: udp.destination_port(),
            }),
            Protocol::ICMP => IcmpHeader::of(payload).map(|icmp| {
                let (kind, identifier) = (icmp.kind(), icmp.identifier());
                match kind {
                    8 | 13 | 15 | 17 => Self::Query { identifier, reply: false, kind },
                    0 | 14 | 16 | 18 => Self::Query { identifier, reply: true, kind },
                    3 | 4 | 5 | 11 | 12 => Self::Error { kind, code: icmp.code() },
                    _ => Self::OtherIcmp { kind },
                }
            }),
            other => Some(Self::Other(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_from_its_least_length_on() {
        let mut bytes = [0; 24];
        bytes[..4].copy_from_slice(&[0x30, 0x39, 0x00, 0x50]);
        bytes[12..14].copy_from_slice(&[0x60, TcpFlags::SYN | TcpFlags::ACK]);
        for (protocol, least) in
            [(Protocol::TCP, 24), (Protocol::UDP, 8), (Protocol::ICMP, 8), (Protocol(253), 0)]
        {
            for len in 0..=bytes.len() {
                let read = Transport::parse(protocol, &bytes[..len]).is_some();
                assert_eq!(read, len >= least, "{protocol} in {len} bytes");
            }
        }
        let flags = TcpFlags(TcpFlags::SYN | TcpFlags::ACK);
        let (source, destination) = (12_345, 80);
        assert_eq!(
            Transport::parse(Protocol::TCP, &bytes),
            Some(Transport::Tcp { source, destination, flags })
        );
        assert_eq!(
            Transport::parse(Protocol::UDP, &bytes),
            Some(Transport::Udp { source, destination })
        );
        assert!(
            flags.has(TcpFlags::SYN | TcpFlags::ACK) && !flags.has(TcpFlags::SYN | TcpFlags::FIN)
        );
    }

    #[test]
    fn an_icmp_message_is_a_query_an_error_or_neither_by_its_type() {
        let read = |kind| Transport::parse(Protocol::ICMP, &[kind, 7, 0, 0, 0x12, 0x34, 0, 1]);
        for kind in 0..=40 {
            let identifier = 0x1234;
            let expected = match kind {
                8 | 13 | 15 | 17 => Transport::Query { identifier, reply: false, kind },
                0 | 14 | 16 | 18 => Transport::Query { identifier, reply: true, kind },
                3 | 4 | 5 | 11 | 12 => Transport::Error { kind, code: 7 },
                _ => Transport::OtherIcmp { kind },
            };
            assert_eq!(read(kind), Some(expected));
        }
    }

    #[test]
    fn a_tcp_header_length_under_20_is_impossible() {
        for words in 0..5u8 {
            let mut bytes = [0; 60];
            bytes[12] = words << 4;
            assert_eq!(Transport::parse(Protocol::TCP, &bytes), None, "{words}");
        }
    }
}
