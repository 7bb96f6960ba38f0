//! What the outer IP header says of the frame inside, and what it has to say to it at the other
//! end.
//!
//! Hops and class of service are the tunnel's own or the inner packet's; congestion marks always
//! travel (RFC 6040 section 4.1, normal mode), so that a flow through a tunnel slows down as one
//! beside it does.

use core::num::NonZeroU8;

use packet::rewrite::{Ecn, ecn, set_ecn};
use packet::{DropReason, Frame, Ip};

/// Hops the outer packet may make.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Ttl {
    /// Always as many.
    Fixed(NonZeroU8),
    /// As many as the inner packet has left, but at least 1; [`Ttl::DEFAULT`] for what is no IP
    /// packet.
    Inherit,
}

impl Ttl {
    /// What RFC 1700 recommends for IP.
    pub const DEFAULT: NonZeroU8 = NonZeroU8::MIN.saturating_add(63);
}

impl Default for Ttl {
    fn default() -> Self {
        Self::Fixed(Self::DEFAULT)
    }
}

/// The outer packet's class of service (RFC 2474).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Dscp {
    /// Always this codepoint, 0 to 63; higher bits are cut off.
    Fixed(u8),
    /// The inner packet's; 0 for what is no IP packet.
    Inherit,
}

impl Default for Dscp {
    fn default() -> Self {
        Self::Fixed(0)
    }
}

/// The fields of the outer header that may depend on the inner one.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Outer {
    /// TTL or hop limit.
    pub ttl: NonZeroU8,
    /// Type of service or traffic class: DSCP and, below it, ECN.
    pub tos: u8,
}

/// The outer header for an inner frame of `bytes`. All pieces of a super-frame have the same.
#[inline]
pub fn outer(ttl: Ttl, dscp: Dscp, bytes: &[u8]) -> Outer {
    let inner = Ip::in_frame(bytes).map(|(_, ip)| ip);
    let class = inner.map_or(0, |inner| inner.traffic_class());
    Outer {
        ttl: match ttl {
            Ttl::Fixed(hops) => hops,
            Ttl::Inherit => inner.map_or(Ttl::DEFAULT, |inner| hops(inner.ttl())),
        },
        tos: class & 0b11
            | match dscp {
                Dscp::Fixed(codepoint) => codepoint << 2,
                Dscp::Inherit => class & !0b11,
            },
    }
}

/// Tells the inner packet of the congestion that the outer one met, as RFC 6040 section 4.2, figure
/// 4 has it:
///
/// | inner \ outer | Not-ECT | ECT(0) | ECT(1) | CE |
/// |---|---|---|---|---|
/// | Not-ECT | Not-ECT | Not-ECT | Not-ECT | drop |
/// | ECT(0) | ECT(0) | ECT(0) | ECT(1) | CE |
/// | ECT(1) | ECT(1) | ECT(1) | ECT(1) | CE |
/// | CE | CE | CE | CE | CE |
///
/// What is no IP packet has no mark to set and stays as it is, whatever the outer one says.
///
/// # Errors
/// [`DropReason::CongestedNotEcn`]: only a loss tells this sender anything. The frame is unchanged.
#[inline]
pub fn congestion(outer_tos: u8, frame: &mut Frame) -> Result<(), DropReason> {
    let outer = Ecn::of(outer_tos);
    if outer == Ecn::NotEct || outer == Ecn::Ect0 {
        return Ok(());
    }
    match (ecn(frame.bytes()), outer) {
        (Some(Ecn::NotEct), Ecn::Ce) => return Err(DropReason::CongestedNotEcn),
        (Some(Ecn::Ect0 | Ecn::Ect1), Ecn::Ce) => set_ecn(frame, Ecn::Ce),
        (Some(Ecn::Ect0), Ecn::Ect1) => set_ecn(frame, Ecn::Ect1),
        (Some(Ecn::NotEct | Ecn::Ect0 | Ecn::Ect1 | Ecn::Ce) | None, _) => {}
    }
    Ok(())
}

/// What is left of a packet's way; one that should have ended may make one hop more.
const fn hops(left: u8) -> NonZeroU8 {
    match NonZeroU8::new(left) {
        Some(hops) => hops,
        None => NonZeroU8::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipv4(tos: u8, ttl: u8) -> Vec<u8> {
        let mut bytes = vec![2; 12];
        bytes.extend([
            8, 0, 0x45, tos, 0, 20, 0, 1, 0x40, 0, ttl, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ]);
        let sum = packet::checksum::of(&bytes[14..]).to_be_bytes();
        bytes[24..26].copy_from_slice(&sum);
        bytes
    }

    fn ipv6(class: u8, hops: u8) -> Vec<u8> {
        let mut bytes = vec![2; 12];
        bytes.extend([0x86, 0xdd, 0x60 | class >> 4, class << 4, 1, 2, 0, 0, 59, hops]);
        bytes.resize(54, 0xfd);
        bytes
    }

    /// VX13.
    #[test]
    fn the_default_is_64_hops_and_the_inner_congestion_mark() {
        let arp = [&[2; 12][..], &[8, 6], &[0; 28]].concat();
        for tos in 0..=255 {
            for bytes in [ipv4(tos, 3), ipv6(tos, 3)] {
                let expected = Outer { ttl: Ttl::DEFAULT, tos: tos & 3 };
                assert_eq!(outer(Ttl::default(), Dscp::default(), &bytes), expected);
                let expected = Outer { ttl: NonZeroU8::new(3).unwrap(), tos };
                assert_eq!(outer(Ttl::Inherit, Dscp::Inherit, &bytes), expected);
                let hops = Ttl::Fixed(NonZeroU8::MAX);
                let expected = Outer { ttl: NonZeroU8::MAX, tos: 46 << 2 | tos & 3 };
                assert_eq!(outer(hops, Dscp::Fixed(46), &bytes), expected);
            }
        }
        for bytes in [&arp[..], &arp[..14], &[], &ipv4(0xff, 1)[..20]] {
            assert_eq!(
                outer(Ttl::Inherit, Dscp::Inherit, bytes),
                Outer { ttl: Ttl::DEFAULT, tos: 0 }
            );
        }
    }

    /// VX13.
    #[test]
    fn an_inherited_ttl_is_at_least_1() {
        assert_eq!(outer(Ttl::Inherit, Dscp::Inherit, &ipv4(0, 0)).ttl.get(), 1);
        assert_eq!(outer(Ttl::Inherit, Dscp::Inherit, &ipv6(0, 0)).ttl.get(), 1);
    }

    /// VX13.
    #[test]
    fn decapsulation_does_what_figure_4_of_rfc_6040_says() {
        const NOT_ECT: u8 = 0;
        const ECT1: u8 = 1;
        const ECT0: u8 = 2;
        const CE: u8 = 3;
        // Inner, then what comes of it under an outer Not-ECT, ECT(0), ECT(1) and CE.
        let figure = [
            (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
            (ECT0, [Some(ECT0), Some(ECT0), Some(ECT1), Some(CE)]),
            (ECT1, [Some(ECT1), Some(ECT1), Some(ECT1), Some(CE)]),
            (CE, [Some(CE); 4]),
        ];
        for (inner, row) in figure {
            for (outer_tos, expected) in [NOT_ECT, ECT0, ECT1, CE].into_iter().zip(row) {
                for make in [ipv4, ipv6] {
                    let before = make(0xb8 | inner, 9);
                    let mut frame = Frame::copied_from(&before);
                    let result = congestion(0x20 | outer_tos, &mut frame);
                    let after = expected.map_or(before, |mark| make(0xb8 | mark, 9));
                    assert_eq!(frame.bytes(), after, "{outer_tos} over {inner}");
                    let refused = expected.is_none().then_some(DropReason::CongestedNotEcn);
                    assert_eq!(result.err(), refused);
                }
            }
        }
    }

    /// VX13.
    #[test]
    fn what_has_no_mark_passes_whatever_the_outer_mark() {
        let arp = [&[2; 12][..], &[8, 6], &[0; 28]].concat();
        let mut frame = Frame::copied_from(&arp);
        for tos in 0..4 {
            assert_eq!(congestion(tos, &mut frame), Ok(()));
            assert_eq!(frame.bytes(), arp);
        }
    }
}
