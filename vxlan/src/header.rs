//! The VXLAN header (RFC 7348 section 5): flags, 24 reserved bits, the VNI, 8 reserved bits.

use serde::{Deserialize, Serialize};

use crate::vni::Vni;

/// Length of the header.
pub const LEN: usize = 8;
/// The I flag: the VNI is valid.
const VALID: u8 = 0x08;

/// Whether reserved bits that are set matter.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Reserved {
    /// They are ignored on receipt, as RFC 7348 says.
    #[default]
    Ignored,
    /// They make the header invalid, as Open vSwitch has it.
    Refused,
}

/// The header in front of a frame of segment `vni`: reserved bits are zero.
pub const fn emit(vni: Vni) -> [u8; LEN] {
    let [_, a, b, c] = vni.number().to_be_bytes();
    [VALID, 0, 0, 0, a, b, c, 0]
}

/// Splits a datagram into the segment it belongs to and the frame it carries; `None` when it is cut
/// off, does not say that its VNI is valid, or sets reserved bits that matter.
pub fn parse(datagram: &[u8], reserved: Reserved) -> Option<(Vni, &[u8])> {
    let (header, frame) = datagram.split_first_chunk::<LEN>()?;
    let [flags, r0, r1, r2, a, b, c, r3] = *header;
    let clean = flags == VALID && [r0, r1, r2, r3] == [0; 4];
    if flags & VALID == 0 || (reserved == Reserved::Refused && !clean) {
        return None;
    }
    Some((Vni::new(u32::from_be_bytes([0, a, b, c]))?, frame))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// VX1.
        #[test]
        fn what_is_emitted_is_parsed(number in 0u32..=0x00ff_ffff, frame in prop::collection::vec(any::<u8>(), 0..64)) {
            let vni = Vni::new(number).unwrap();
            let mut datagram = emit(vni).to_vec();
            datagram.extend(&frame);
            for reserved in [Reserved::Ignored, Reserved::Refused] {
                prop_assert_eq!(parse(&datagram, reserved), Some((vni, &frame[..])));
            }
        }
    }

    /// VX1.
    #[test]
    fn a_header_without_the_i_flag_is_refused() {
        assert_eq!(parse(&[0xf7, 0, 0, 0, 0, 0, 1, 0], Reserved::Ignored), None);
        assert_eq!(parse(&[0x08, 0, 0, 0, 0, 0, 1], Reserved::Ignored), None);
    }

    /// VX2.
    #[test]
    fn reserved_bits_matter_only_where_that_is_asked() {
        for byte in [0, 1, 2, 3, 7] {
            let mut datagram = emit(Vni::MAX);
            datagram[byte] |= 0x40;
            assert!(parse(&datagram, Reserved::Ignored).is_some(), "byte {byte}");
            assert!(parse(&datagram, Reserved::Refused).is_none(), "byte {byte}");
        }
    }

    #[test]
    fn a_vni_has_24_bits() {
        assert_eq!(Vni::new(0x0100_0000), None);
    }
}
