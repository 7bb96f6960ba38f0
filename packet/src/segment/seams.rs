//! Where a datagram is cut that stands in place of the fragments that it came in: into the same
//! again.

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
    /// `None` when the headers are not those of a UDP datagram without options that ends with
    /// `bytes`, or contradict the rest, or when there would be more than [`MAX_PIECES`].
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

    /// Makes `headers`, copied from the whole, those of the fragment of this `index` with `len`
    /// bytes behind them.
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

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { start: 34, offset: 6 };

    /// An Ethernet frame of so many bytes of IP, with this protocol and fragment field.
    fn frame(total: u16, protocol: u8, field: u16) -> Vec<u8> {
        let mut bytes = vec![0; 14 + usize::from(total)];
        bytes[12..14].copy_from_slice(&[8, 0]);
        bytes[14] = 0x45;
        bytes[16..18].copy_from_slice(&total.to_be_bytes());
        bytes[20..22].copy_from_slice(&field.to_be_bytes());
        bytes[23] = protocol;
        bytes
    }

    fn pieces(bytes: &[u8], size: u16, span: Span) -> Option<usize> {
        Seams::of(bytes, NonZeroU16::new(size)?, span).map(|seams| seams.pieces())
    }

    #[test]
    fn only_a_plain_udp_datagram_that_ends_with_the_frame_has_seams() {
        let plain = frame(3000, 17, 0x4000);
        assert_eq!(pieces(&plain, 1480, SPAN), Some(3));
        assert_eq!(pieces(&plain, 1484, SPAN), None, "not of whole words");
        for span in
            [Span { start: 33, ..SPAN }, Span { start: 54, ..SPAN }, Span { offset: 16, ..SPAN }]
        {
            assert_eq!(pieces(&plain, 1480, span), None, "{span:?}");
        }
        assert_eq!(pieces(&frame(3000, 6, 0), 1480, SPAN), None, "TCP");
        assert_eq!(pieces(&frame(3000, 17, MORE_FRAGMENTS), 1480, SPAN), None, "a fragment");
        assert_eq!(pieces(&[&plain[..], &[0]].concat(), 1480, SPAN), None, "padded");
        assert_eq!(pieces(&frame(27, 17, 0), 8, SPAN), None, "no UDP header");
        assert_eq!(pieces(&frame(20_000, 17, 0), 8, SPAN), None, "too many");
        let mut options = plain;
        options[14] = 0x46;
        assert_eq!(pieces(&options, 1480, SPAN), None, "options");
    }
}
