//! IP headers where they lie: borrowed views, and the only readers of header lengths, fragment bits
//! and addresses.
//!
//! A view exists only where a whole header is. It says nothing of checksums or of what follows;
//! [`crate::Ipv4`] is a frame about which more is known. [`V4`] and [`V6`] are types of their own
//! and [`Ip`] is either: what is fast asks for one of the two, and only what looks into any frame
//! (tunnels, offload) for the third.

use core::fmt;
use core::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::ethernet::{EtherType, network_header};

mod v4;
mod v6;

pub use v4::V4;
pub use v6::V6;

/// Length of an IPv4 header without options.
pub const V4_HEADER: usize = 20;
/// Length of an IPv6 header without extension headers.
pub const V6_HEADER: usize = 40;

/// An IP protocol number.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// IPv6's fragment header (RFC 8200 section 4.5).
    pub const FRAGMENT: Self = Self(44);
    /// SCTP.
    pub const SCTP: Self = Self(132);
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ICMP => f.write_str("icmp"),
            Self::TCP => f.write_str("tcp"),
            Self::UDP => f.write_str("udp"),
            Self(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// An IP header of either version.
#[derive(Copy, Clone, Debug)]
pub enum Ip<'a> {
    /// IPv4.
    V4(V4<'a>),
    /// IPv6.
    V6(V6<'a>),
}

impl<'a> Ip<'a> {
    /// The header in the Ethernet frame `bytes`, behind up to two tags, and its position there.
    #[inline]
    pub fn in_frame(bytes: &'a [u8]) -> Option<(usize, Self)> {
        let (at, ethertype) = network_header(bytes)?;
        let packet = bytes.get(at..)?;
        let ip = match ethertype {
            EtherType::IPV4 => Self::V4(V4::of(packet)?),
            EtherType::IPV6 => Self::V6(V6::of(packet)?),
            _ => return None,
        };
        Some((at, ip))
    }

    /// Both addresses, source first.
    #[inline]
    pub fn addresses(&self) -> &'a [u8] {
        match self {
            Self::V4(v4) => v4.addresses(),
            Self::V6(v6) => v6.addresses(),
        }
    }

    /// What follows the header at once.
    #[inline]
    pub const fn protocol(&self) -> Protocol {
        match self {
            Self::V4(v4) => v4.protocol(),
            Self::V6(v6) => v6.next_header(),
        }
    }

    /// Hops left.
    #[inline]
    pub const fn ttl(&self) -> u8 {
        match self {
            Self::V4(v4) => v4.ttl(),
            Self::V6(v6) => v6.hop_limit(),
        }
    }

    /// DSCP and ECN.
    #[inline]
    pub const fn traffic_class(&self) -> u8 {
        match self {
            Self::V4(v4) => v4.traffic_class(),
            Self::V6(v6) => v6.traffic_class(),
        }
    }

    /// Whether it is a part of a packet and not the whole.
    #[inline]
    pub fn is_fragment(&self) -> bool {
        match self {
            Self::V4(v4) => v4.is_fragment(),
            Self::V6(v6) => v6.next_header() == Protocol::FRAGMENT,
        }
    }

    /// Length of the header: of IPv4 with its options, of IPv6 without extension headers.
    #[inline]
    pub const fn header_len(&self) -> usize {
        match self {
            Self::V4(v4) => v4.header_len(),
            Self::V6(_) => V6_HEADER,
        }
    }

    /// Length of header and payload, as the header says.
    #[inline]
    pub const fn total_len(&self) -> usize {
        match self {
            Self::V4(v4) => v4.total_len(),
            Self::V6(v6) => v6.total_len(),
        }
    }

    /// All bytes behind the header.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        match self {
            Self::V4(v4) => v4.payload(),
            Self::V6(v6) => v6.payload(),
        }
    }
}

/// The options of an IPv4 or TCP header, one after another, which have one form (RFC 791 section
/// 3.1, RFC 9293 section 3.1): each with its type and length octets. One of impossible length ends
/// the list.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Options<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        const END: u8 = 0;
        const NO_OPERATION: u8 = 1;
        let len = match *self.0 {
            [] | [END, ..] => return None,
            [NO_OPERATION, ..] => 1,
            [_, len, ..] if len >= 2 => usize::from(len),
            _ => return None,
        };
        let (option, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(option)
    }
}

/// Whether no host may bear it as the source of a packet to the router, whatever the subnet: 0/8,
/// 127/8, multicast and class E including broadcast (RFC 1812 section 5.3.7, RFC 6890).
///
/// Blocks that RFC 6890 calls forwardable are addresses like any other: those of RFC 1918,
/// 100.64/10, 198.18/15. So are here the documentation's blocks (192.0.2/24, 198.51.100/24,
/// 203.0.113/24), which labs are full of, and 192.0.0/24, whose parts differ: DS-Lite and 464XLAT
/// are tried with its first eight addresses.
#[inline]
pub const fn is_martian_source(address: Ipv4Addr) -> bool {
    matches!(address.octets()[0], 0 | 127 | 224..=255)
}

/// Whether a router never forwards towards it: 0/8, 127/8, class E; multicast and limited broadcast
/// are judged apart by the caller because they may be for the router itself.
#[inline]
pub const fn is_martian_destination(address: Ipv4Addr) -> bool {
    matches!(address.octets()[0], 0 | 127 | 240..=255)
}

/// Whether it means something on its own link only, 169.254/16: the router may bear it and be
/// spoken to by it, and forwards nothing from it or to it (RFC 3927 section 2.7).
#[inline]
pub const fn is_link_local(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [169, 254, ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drop::DropReason;

    fn packet(first: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        bytes.iter_mut().zip(0..).for_each(|(byte, at)| *byte = at);
        bytes[0] = first;
        bytes
    }

    #[test]
    fn a_header_that_is_not_whole_is_refused_with_the_reason() {
        for (first, len, reason) in [
            (0x45, 19, DropReason::TruncatedIpv4),
            (0x65, 20, DropReason::BadVersion),
            (0x44, 20, DropReason::BadHeaderLength),
            (0x46, 23, DropReason::BadHeaderLength),
        ] {
            assert_eq!(V4::parse(&packet(first, len)).err(), Some(reason));
        }
        assert!(V6::of(&packet(0x60, 39)).is_none() && V6::of(&packet(0x45, 40)).is_none());
    }

    #[test]
    fn fields_are_read_from_their_places() {
        let bytes = packet(0x46, 26);
        let v4 = V4::of(&bytes).unwrap();
        assert_eq!((v4.header_len(), v4.total_len(), v4.identification()), (24, 0x0203, 0x0405));
        assert_eq!((v4.traffic_class(), v4.ttl(), v4.protocol()), (1, 8, Protocol(9)));
        assert_eq!(
            (v4.source(), v4.destination()),
            ([12, 13, 14, 15].into(), [16, 17, 18, 19].into())
        );
        assert_eq!((v4.options(), v4.payload()), (&[20, 21, 22, 23][..], &[24, 25][..]));
        let bytes = packet(0x6b, 42);
        let v6 = V6::of(&bytes).unwrap();
        assert_eq!(
            (v6.total_len(), v6.next_header(), v6.hop_limit()),
            (40 + 0x0405, Protocol(6), 7)
        );
        assert_eq!((v6.traffic_class(), v6.addresses()[0], v6.payload()), (0xb0, 8, &[40, 41][..]));
    }

    #[test]
    fn flags_and_position_are_told_apart() {
        for (field, expected) in [
            (0x8000, (false, false, 0, false)),
            (0x4000, (true, false, 0, false)),
            (0x2000, (false, true, 0, true)),
            (0x1fff, (false, false, 0xfff8, true)),
        ] {
            let mut bytes = packet(0x45, 20);
            bytes[6..8].copy_from_slice(&u16::to_be_bytes(field));
            let v4 = V4::of(&bytes).unwrap();
            let offset = v4.fragment_offset();
            let read = (v4.dont_fragment(), v4.more_fragments(), offset, v4.is_fragment());
            assert_eq!(read, expected, "{field:#06x}");
        }
    }

    #[test]
    fn options_end_where_a_length_is_impossible() {
        let list = |bytes: &'static [u8]| Options(bytes).collect::<Vec<_>>();
        assert_eq!(list(&[1, 7, 3, 9, 1, 0, 7, 3, 9]), [&[1][..], &[7, 3, 9], &[1]]);
        assert_eq!(list(&[1, 0, 2, 9]), [&[1]], "the end has no length");
        for broken in [&[1, 7][..], &[1, 7, 1, 1], &[1, 7, 0, 1], &[1, 7, 4, 1]] {
            assert_eq!(Options(broken).count(), 1, "{broken:?}");
        }
    }

    /// RT9: the table of RFC 6890 section 2.2.2, as far as it says what is not forwarded.
    #[test]
    fn special_blocks_are_judged_from_their_first_address_to_their_last() {
        let refused = |address: Ipv4Addr| {
            let source = is_martian_source(address) || is_link_local(address);
            let destination = is_martian_destination(address) || is_link_local(address);
            (source, destination)
        };
        for (first, last, expected) in [
            ([0, 0, 0, 0], [0, 255, 255, 255], (true, true)),
            ([1, 0, 0, 0], [126, 255, 255, 255], (false, false)),
            ([127, 0, 0, 0], [127, 255, 255, 255], (true, true)),
            ([128, 0, 0, 0], [169, 253, 255, 255], (false, false)),
            ([169, 254, 0, 0], [169, 254, 255, 255], (true, true)),
            ([169, 255, 0, 0], [223, 255, 255, 255], (false, false)),
            ([224, 0, 0, 0], [239, 255, 255, 255], (true, false)),
            ([240, 0, 0, 0], [255, 255, 255, 255], (true, true)),
        ] {
            for address in [first, last].map(Ipv4Addr::from) {
                assert_eq!(refused(address), expected, "{address}");
            }
        }
    }
}
