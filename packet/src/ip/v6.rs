//! An IPv6 header where it stands (RFC 8200).

use super::{Protocol, V6_HEADER};

/// An IPv6 header (RFC 8200 section 3), and the bytes behind it.
#[derive(Copy, Clone, Debug)]
pub struct V6<'a> {
    fixed: &'a [u8; V6_HEADER],
    payload: &'a [u8],
}

impl<'a> V6<'a> {
    /// The header at the start of `bytes`; `None` when it is cut off, or of another version.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, payload) = bytes.split_first_chunk()?;
        (fixed[0] >> 4 == 6).then_some(Self { fixed, payload })
    }

    /// Both addresses, source first.
    #[inline]
    pub fn addresses(self) -> &'a [u8; 32] {
        self.fixed.last_chunk().unwrap_or(&[0; 32])
    }

    /// What follows at once: a protocol, or an extension header.
    #[inline]
    pub const fn next_header(self) -> Protocol {
        Protocol(self.fixed[6])
    }

    /// Length of header, extension headers and payload, as the header says.
    #[inline]
    pub const fn total_len(self) -> usize {
        V6_HEADER + u16::from_be_bytes([self.fixed[4], self.fixed[5]]) as usize
    }

    /// Hops left.
    #[inline]
    pub const fn hop_limit(self) -> u8 {
        self.fixed[7]
    }

    /// DSCP and ECN.
    #[inline]
    pub const fn traffic_class(self) -> u8 {
        self.fixed[0] << 4 | self.fixed[1] >> 4
    }

    /// All bytes behind the header, extension headers and padding included.
    #[inline]
    pub const fn payload(self) -> &'a [u8] {
        self.payload
    }
}
