//! The ECN mark of an IPv4 or IPv6 packet (RFC 3168 section 5), read and set.
//!
//! It lies in no pseudo-header, so of all checksums only IPv4's own is mended. What to set is the
//! tunnel's to know.

use crate::checksum;
use crate::frame::Frame;
use crate::ip::Ip;

/// The four values of the two bits.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Ecn {
    /// The sender does not understand marks.
    NotEct = 0b00,
    /// ECN-capable, and what the sender means by this one is not what it means by the other (RFC
    /// 8311).
    Ect1 = 0b01,
    /// ECN-capable.
    Ect0 = 0b10,
    /// Congestion experienced.
    Ce = 0b11,
}

impl Ecn {
    /// The mark in a type of service or traffic class.
    #[inline]
    pub const fn of(traffic_class: u8) -> Self {
        match traffic_class & 0b11 {
            0b00 => Self::NotEct,
            0b01 => Self::Ect1,
            0b10 => Self::Ect0,
            _ => Self::Ce,
        }
    }
}

/// The mark of the IP packet in a frame of `bytes`; `None` when it carries something else, or too
/// little of a header.
pub fn ecn(bytes: &[u8]) -> Option<Ecn> {
    Ip::in_frame(bytes).map(|(_, ip)| Ecn::of(ip.traffic_class()))
}

/// Sets the mark of the IP packet in `frame`; what has none, as [`ecn`] says, stays as it is.
pub fn set_ecn(frame: &mut Frame, ecn: Ecn) {
    let Some((at, ip)) = Ip::in_frame(frame.bytes()) else { return };
    let shift = match ip {
        Ip::V4(_) => 0,
        Ip::V6(_) => 4,
    };
    let Some(header) = frame.bytes_mut().get_mut(at..) else {
        return;
    };
    let Some(place) = header.first_chunk_mut::<2>() else {
        return;
    };
    let old = u16::from_be_bytes(*place);
    let new = old & !(0b11 << shift) | (ecn as u16) << shift;
    *place = new.to_be_bytes();
    if shift == 0 {
        super::edit_word(header, 10, |sum| checksum::update(sum, old, new));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: [Ecn; 4] = [Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce];

    fn ipv4() -> Vec<u8> {
        let mut bytes = vec![0; 12];
        bytes.extend([
            8, 0, 0x45, 0xb8, 0, 20, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ]);
        let sum = checksum::of(&bytes[14..]).to_be_bytes();
        bytes[24..26].copy_from_slice(&sum);
        bytes
    }

    /// VX13.
    #[test]
    fn a_mark_that_is_set_is_read_and_the_header_checksum_holds() {
        for tags in 0..3 {
            for mark in MARKS {
                let mut bytes = ipv4();
                for _ in 0..tags {
                    bytes.splice(12..12, [0x81, 0, 0, 5]);
                }
                let mut frame = Frame::copied_from(&bytes);
                set_ecn(&mut frame, mark);
                let at = 14 + 4 * tags;
                assert_eq!(ecn(frame.bytes()), Some(mark));
                assert_eq!(frame.bytes()[at + 1] & 0xfc, 0xb8);
                assert!(checksum::holds(&frame.bytes()[at..]));
            }
        }
    }

    /// VX13.
    #[test]
    fn a_mark_in_ipv6_changes_two_bits() {
        for mark in MARKS {
            let mut bytes = vec![0; 12];
            bytes.extend([0x86, 0xdd, 0x6f, 0xcf, 0xff, 0xff]);
            bytes.resize(54, 0xff);
            let mut frame = Frame::copied_from(&bytes);
            set_ecn(&mut frame, mark);
            assert_eq!(ecn(frame.bytes()), Some(mark));
            bytes[15] = 0xcf | (mark as u8) << 4;
            assert_eq!(frame.bytes(), bytes);
        }
    }

    #[test]
    fn what_is_no_ip_packet_has_no_mark() {
        for bytes in [&[0; 10][..], &[0; 60], &ipv4()[..15]] {
            let mut frame = Frame::copied_from(bytes);
            set_ecn(&mut frame, Ecn::Ce);
            assert_eq!((ecn(bytes), frame.bytes()), (None, bytes));
        }
    }
}
