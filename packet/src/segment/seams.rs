//! Where a datagram is cut that stands in place of the fragments that it came in: into the same again.

use core::num::NonZeroU16;

use super::MAX_PIECES;
use crate::checksum;
use crate::ip::{Ip, Protocol, V4_HEADER};
use crate::offload::Span;
use crate::transport::UdpHeader;

const MORE_FRAGMENTS: u16 = 0x2000;

/// How it is cut: positions in its bytes, compared with its headers.
#[derive(Copy, Clone, Debug)]
pub(super) struct Seams {
    /// Where the IP header ends.
    transport: usize,
    /// Bytes of IP payload a fragment, a multiple of 8.
    size: usize,
    pieces: usize,
}

impl Seams {
    /// `None` when the headers are not those of a UDP datagram without options that ends with `bytes`, or contradict the
    /// rest, or when there would be more than [`MAX_PIECES`].
    pub(super) fn of(bytes: &[u8], size: NonZeroU16, span: Span) -> Option<Self> {
        let (at, Ip::V4(ip)) = Ip::in_frame(bytes)? else { return None };
        let (transport, size) = (at + V4_HEADER, usize::from(size.get()));
        let len = ip.total_len().checked_sub(V4_HEADER)?;
        let fits = (ip.header_len(), ip.protocol()) == (V4_HEADER, Protocol::UDP)
            && !ip.is_fragment()
            && (usize::from(span.start), span.offset) == (transport, UdpHeader::CHECKSUM)
            && transport + len == bytes.len()
            && len >= UdpHeader::LEN
            && size.is_multiple_of(8);
        let pieces = len.div_ceil(size);
        (fits && pieces <= MAX_PIECES).then_some(Self { transport, size, pieces })
    }

    pub(super) const fn headers(&self) -> usize {
        self.transport
    }

    pub(super) const fn size(&self) -> usize {
        self.size
    }

    pub(super) const fn pieces(&self) -> usize {
        self.pieces
    }

    /// Makes `headers`, copied from the whole, those of the fragment of this `index` with `len` bytes behind them.
    pub(super) fn finish(&self, headers: &mut [u8], len: usize, index: usize) {
        let Some(header) = headers.last_chunk_mut::<V4_HEADER>() else { return };
        let total = (V4_HEADER + len) as u16; // No more than the whole's.
        let more = if index + 1 < self.pieces { MORE_FRAGMENTS } else { 0 };
        let position = u16::from(header[6]) << 8 | more | (index * self.size / 8) as u16;
        header[2..4].copy_from_slice(&total.to_be_bytes());
        header[6..8].copy_from_slice(&position.to_be_bytes());
        header[10..12].fill(0);
        let sum = checksum::of(header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}
