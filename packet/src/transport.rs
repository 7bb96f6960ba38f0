//! The transport header as far as flows care: ports, identifiers, flags.

use crate::ipv4::{Ipv4, Protocol};

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
    /// An ICMP query that a reply can be matched to: echo, timestamp, information (RFC 792), address mask (RFC 950).
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
    pub(crate) fn of(packet: &Ipv4) -> Self {
        if packet.fragment_offset() != 0 {
            return Self::LaterFragment;
        }
        Self::parse(packet.protocol(), packet.payload()).unwrap_or(Self::Malformed)
    }

    /// Reads the header of `protocol` at the start of `payload`. `None`: cut off or impossible.
    #[inline]
    pub fn parse(protocol: Protocol, payload: &[u8]) -> Option<Self> {
        match protocol {
            Protocol::TCP => {
                let bytes = payload.first_chunk::<20>()?;
                let header_len = usize::from(bytes[12] >> 4) * 4;
                (header_len >= 20 && header_len <= payload.len()).then(|| Self::Tcp {
                    source: u16::from_be_bytes([bytes[0], bytes[1]]),
                    destination: u16::from_be_bytes([bytes[2], bytes[3]]),
                    flags: TcpFlags(bytes[13]),
                })
            }
            Protocol::UDP => {
                let bytes = payload.first_chunk::<8>()?;
                Some(Self::Udp {
                    source: u16::from_be_bytes([bytes[0], bytes[1]]),
                    destination: u16::from_be_bytes([bytes[2], bytes[3]]),
                })
            }
            Protocol::ICMP => {
                let bytes = payload.first_chunk::<8>()?;
                let [kind, code, ..] = *bytes;
                let identifier = u16::from_be_bytes([bytes[4], bytes[5]]);
                Some(match kind {
                    8 | 13 | 15 | 17 => Self::Query { identifier, reply: false, kind },
                    0 | 14 | 16 | 18 => Self::Query { identifier, reply: true, kind },
                    3 | 4 | 5 | 11 | 12 => Self::Error { kind, code },
                    _ => Self::OtherIcmp { kind },
                })
            }
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
    fn a_tcp_header_length_under_20_is_impossible() {
        for words in 0..5u8 {
            let mut bytes = [0; 60];
            bytes[12] = words << 4;
            assert_eq!(Transport::parse(Protocol::TCP, &bytes), None, "{words}");
        }
    }
}
