//! An IPv4 header where it stands (RFC 791).

use core::net::Ipv4Addr;

use super::{Protocol, V4_HEADER};
use crate::checksum;
use crate::drop::DropReason;

/// A whole IPv4 header with its options (RFC 791 section 3.1), and the bytes behind it.
#[derive(Copy, Clone, Debug)]
pub struct V4<'a> {
    fixed: &'a [u8; V4_HEADER],
    bytes: &'a [u8],
}

impl<'a> V4<'a> {
    /// The header at the start of `bytes`.
    ///
    /// # Errors
    /// [`DropReason::TruncatedIpv4`], [`DropReason::BadVersion`], [`DropReason::BadHeaderLength`].
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DropReason> {
        let fixed = bytes.first_chunk().ok_or(DropReason::TruncatedIpv4)?;
        let view = Self { fixed, bytes };
        if fixed[0] >> 4 != 4 {
            return Err(DropReason::BadVersion);
        }
        if view.header_len() < V4_HEADER || view.header_len() > bytes.len() {
            return Err(DropReason::BadHeaderLength);
        }
        Ok(view)
    }

    /// The same, where nobody asks what is wrong.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        Self::parse(bytes).ok()
    }

    /// The header of bytes that have been parsed before.
    #[inline]
    pub(crate) fn parsed(bytes: &'a [u8]) -> Self {
        // The zeros are never read.
        Self { fixed: bytes.first_chunk().unwrap_or(&[0; V4_HEADER]), bytes }
    }

    /// Source address.
    #[inline]
    pub fn source(self) -> Ipv4Addr {
        let [.., a, b, c, d, _, _, _, _] = *self.fixed;
        Ipv4Addr::new(a, b, c, d)
    }

    /// Destination address.
    #[inline]
    pub fn destination(self) -> Ipv4Addr {
        let [.., a, b, c, d] = *self.fixed;
        Ipv4Addr::new(a, b, c, d)
    }

    /// Both addresses, source first.
    #[inline]
    pub fn addresses(self) -> &'a [u8; 8] {
        self.fixed.last_chunk().unwrap_or(&[0; 8])
    }

    /// What it carries.
    #[inline]
    pub const fn protocol(self) -> Protocol {
        Protocol(self.fixed[9])
    }

    /// Hops left.
    #[inline]
    pub const fn ttl(self) -> u8 {
        self.fixed[8]
    }

    /// DSCP and ECN, the old type of service.
    #[inline]
    pub const fn traffic_class(self) -> u8 {
        self.fixed[1]
    }

    /// The identification that its fragments share.
    #[inline]
    pub const fn identification(self) -> u16 {
        u16::from_be_bytes([self.fixed[4], self.fixed[5]])
    }

    /// Whether routers must not fragment it.
    #[inline]
    pub const fn dont_fragment(self) -> bool {
        self.fixed[6] & 0x40 != 0
    }

    /// Whether more fragments follow.
    #[inline]
    pub const fn more_fragments(self) -> bool {
        self.fixed[6] & 0x20 != 0
    }

    /// Position of its payload in the whole packet's, in bytes: a multiple of 8.
    #[inline]
    pub const fn fragment_offset(self) -> u16 {
        (u16::from_be_bytes([self.fixed[6], self.fixed[7]]) & 0x1fff) * 8
    }

    /// Whether it is a part of a packet and not the whole.
    #[inline]
    pub const fn is_fragment(self) -> bool {
        u16::from_be_bytes([self.fixed[6], self.fixed[7]]) & 0x3fff != 0
    }

    /// Length of the header with its options: 20 to 60.
    #[inline]
    pub const fn header_len(self) -> usize {
        (self.fixed[0] & 0x0f) as usize * 4
    }

    /// Length of header and payload, as the header says.
    #[inline]
    pub const fn total_len(self) -> usize {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]]) as usize
    }

    /// The header with its options.
    #[inline]
    pub fn header(self) -> &'a [u8] {
        self.bytes.get(..self.header_len()).unwrap_or(&[])
    }

    /// The options; none in most packets.
    #[inline]
    pub fn options(self) -> &'a [u8] {
        self.header().get(V4_HEADER..).unwrap_or(&[])
    }

    /// Whether the header's checksum is right.
    #[inline]
    pub fn checksum_holds(self) -> bool {
        match self.header_len() {
            V4_HEADER => checksum::header_holds(self.fixed),
            _ => checksum::holds(self.header()),
        }
    }

    /// All bytes behind the header, padding included.
    #[inline]
    pub fn payload(self) -> &'a [u8] {
        self.bytes.get(self.header_len()..).unwrap_or(&[])
    }
}
