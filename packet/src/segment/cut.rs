//! Where a super-frame is cut, and the headers of each piece.
//!
//! It writes headers and reads payloads; where the two come to lie is its user's business: in one
//! buffer, or in two that a socket sends together.
//!
//! # Theory of operation
//! A [`Cut`] is made once a super-frame, from headers that have been compared with each other and
//! with the frame's duty. Lengths, IPv4 identification, TCP sequence number and checksums are each
//! piece's own, all else is as it was. The partial checksum less the old length is the part of the
//! pseudo-header that all pieces share, so it is right behind IPv6 routing headers too, where the
//! destination address is not the one that is summed (RFC 8200 section 8.1).
//!
//! Where the transport header is that of a packet in a tunnel, the headers of the tunnel are each
//! piece's own as well, as they would be had each segment been put into it alone: lengths and
//! identifications at every level, and the outer checksum where there is one (RFC 768's zero
//! stays). What that held ahead of the cut does not matter: kernels leave the pseudo-header's sum
//! there. Headers are finished from the inside out, and no payload is summed twice: a segment that
//! is finished sums, with its pseudo-header, to all ones.

use core::num::NonZeroU16;
use core::ops::Range;

use super::MAX_PIECES;
use crate::checksum;
use crate::frame::MAX_FRAME;
use crate::ip::{Protocol, V4, V4_HEADER, V6, V6_HEADER};
use crate::layers::{Layer, Layers};
use crate::offload::{SegmentKind, Span};
use crate::transport::{TcpFlags, TcpHeader, UdpHeader};
use crate::vnet::transport_header_len;

/// How a super-frame is cut: positions in its bytes, each compared with the headers around it.
#[derive(Copy, Clone, Debug)]
pub struct Cut {
    kind: SegmentKind,
    /// The headers ahead of it that each piece has of its own.
    layers: Layers,
    /// Where the TCP or UDP header starts.
    transport: usize,
    /// Where the transport payload starts.
    payload: usize,
    /// Where the IP packet ends.
    end: usize,
    /// Payload bytes a piece, at least 1.
    size: usize,
    /// The pseudo-header's sum without its length.
    pseudo: u16,
}

impl Cut {
    /// How to cut the super-frame `bytes`, whose [`crate::Offload`] is made of the rest; `None`
    /// when its headers contradict each other or that duty, or when there would be more than
    /// [`MAX_PIECES`].
    pub fn of(bytes: &[u8], kind: SegmentKind, size: NonZeroU16, span: Span) -> Option<Self> {
        let transport = usize::from(span.start);
        let (protocol, offset) = match kind {
            SegmentKind::Tcp4 { .. } | SegmentKind::Tcp6 { .. } => {
                (Protocol::TCP, TcpHeader::CHECKSUM)
            }
            SegmentKind::Udp => (Protocol::UDP, UdpHeader::CHECKSUM),
            // Their checksum is not a piece's own: who sends them by iovec has them cut first.
            SegmentKind::Fragments => return None,
        };
        let layers = Layers::to(bytes, transport, protocol).filter(Layers::may_repeat)?;
        let fits = match (kind, layers.innermost()?) {
            (SegmentKind::Tcp4 { .. }, Layer::Ipv4(_))
            | (SegmentKind::Tcp6 { .. }, Layer::Ipv6(_))
            | (SegmentKind::Udp, Layer::Ipv4(_) | Layer::Ipv6(_)) => true,
            (_, Layer::Ipv4(_) | Layer::Ipv6(_) | Layer::Udp(_) | Layer::Gre(_)) => false,
        };
        let end = layers.end();
        let payload = transport + transport_header_len(kind, span, bytes)?;
        let partial = bytes.get(span.field()..).and_then(|b| b.first_chunk::<2>())?;
        if !fits
            || span.offset != offset
            || payload > end
            || end > bytes.len()
            || end > MAX_FRAME
            || layers.is_tunnelled() && payload == end
        {
            return None;
        }
        let length = u16::try_from(end - transport).ok()?;
        let cut = Self {
            kind,
            layers,
            transport,
            payload,
            end,
            size: usize::from(size.get()),
            pseudo: checksum::add(u16::from_be_bytes(*partial), !length),
        };
        (cut.pieces() <= MAX_PIECES).then_some(cut)
    }

    /// Pieces there are: 0 or 1 for a frame that is [whole](Cut::is_whole).
    pub const fn pieces(&self) -> usize {
        (self.end - self.payload).div_ceil(self.size)
    }

    /// Whether what is cut is inside a packet of a tunnel.
    pub(super) const fn is_tunnelled(&self) -> bool {
        self.layers.is_tunnelled()
    }

    /// Whether the frame needs its checksum completed and no cutting. What is in a tunnel is cut
    /// even into one piece, for the checksum of the tunnel's own header.
    pub const fn is_whole(&self) -> bool {
        self.pieces() <= 1 && !self.layers.is_tunnelled()
    }

    /// Length of the headers that each piece starts with, from the frame's first byte on; an even
    /// number more than `span.start`.
    pub const fn headers(&self) -> usize {
        self.payload
    }

    /// Payload bytes of each piece but the last, which may be shorter; at least 1.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Where the payload of all pieces lies in the frame. Ethernet padding is behind it.
    pub const fn payload(&self) -> Range<usize> {
        self.payload..self.end
    }

    /// Makes `headers`, a copy of the frame's first [`Cut::headers`] bytes, those of piece `index`,
    /// checksums included. `payload` is what the piece carries, and is only read.
    #[inline]
    pub fn finish(&self, headers: &mut [u8], payload: &[u8], index: usize) {
        let Some((ahead, transport)) = headers.split_at_mut_checked(self.transport) else {
            return;
        };
        let length = transport.len() + payload.len();
        self.finish_ahead(ahead, length, index);
        let length = length as u16; // At most 65,535: `of` has seen that the whole is.
        let last = index + 1 == self.pieces();
        let offset = match self.kind {
            SegmentKind::Tcp4 { ecn } | SegmentKind::Tcp6 { ecn } => {
                // Sequence numbers wrap (RFC 9293 section 3.4).
                finish_tcp(transport, (index * self.size) as u32, ecn && index > 0, last);
                TcpHeader::CHECKSUM
            }
            SegmentKind::Udp | SegmentKind::Fragments => {
                finish_udp(transport, length);
                UdpHeader::CHECKSUM
            }
        };
        // A transport header is an even number of bytes long, so that the payload's words are the
        // segment's.
        let sum = checksum::sum(transport, checksum::add(self.pseudo, length));
        let checksum = stored(checksum::sum(payload, sum), offset);
        let offset = usize::from(offset);
        if let Some(place) = transport.get_mut(offset..offset + 2) {
            place.copy_from_slice(&checksum.to_be_bytes());
        }
    }

    /// Writes what lies `ahead` of a finished segment of `length` bytes.
    #[inline]
    fn finish_ahead(&self, ahead: &mut [u8], length: usize, index: usize) {
        // The sum of all behind the header in hand, which starts at `from`.
        let (mut behind, mut from) = (!checksum::add(self.pseudo, length as u16), self.transport);
        for layer in self.layers.iter().rev() {
            let Some((before, header)) = ahead.split_at_mut_checked(layer.at()) else { return };
            // Where the next layer's header starts, this one's and what has no name between them
            // ends.
            let own = header.get_mut(..from - layer.at()).unwrap_or_default();
            from = layer.at();
            let total = self.transport - from + length;
            match layer {
                Layer::Ipv4(_) => {
                    let header_len = V4::of(own).map_or(0, V4::header_len);
                    let rest = total.saturating_sub(header_len);
                    if let Some(header) = own.get_mut(..header_len) {
                        finish_ipv4(header, rest, index);
                    }
                }
                Layer::Ipv6(_) => finish_ipv6(own, total.saturating_sub(own.len())),
                Layer::Udp(_) => {
                    let is_summed = UdpHeader::of(own).is_some_and(UdpHeader::has_checksum);
                    finish_udp(own, total as u16); // At most the whole's, as `length`.
                    if is_summed {
                        let pseudo = checksum::add(self.addresses(before), total as u16);
                        let sum = stored(
                            checksum::sum(own, checksum::add(behind, pseudo)),
                            UdpHeader::CHECKSUM,
                        );
                        if let Some(place) = own.get_mut(6..8) {
                            place.copy_from_slice(&sum.to_be_bytes());
                        }
                    }
                }
                Layer::Gre(_) => {
                    if let Some(place) = own.get_mut(4..6) {
                        place.fill(0);
                    }
                    let sum = !checksum::sum(own, behind);
                    if let Some(place) = own.get_mut(4..6) {
                        place.copy_from_slice(&sum.to_be_bytes());
                    }
                }
            }
            if self.layers.is_tunnelled() {
                behind = checksum::sum(own, behind);
            }
        }
    }

    /// The pseudo-header's sum, without its length, of a tunnel's UDP header that all that is
    /// `before` leads up to.
    fn addresses(&self, before: &[u8]) -> u16 {
        let ip = self.layers.iter().take_while(|layer| layer.at() < before.len()).last();
        let header = |at| before.get(usize::from(at)..);
        let addresses = match ip {
            Some(Layer::Ipv4(at)) => header(at).and_then(V4::of).map(|ip| &ip.addresses()[..]),
            Some(Layer::Ipv6(at)) => header(at).and_then(V6::of).map(|ip| &ip.addresses()[..]),
            Some(Layer::Udp(_) | Layer::Gre(_)) | None => None,
        };
        checksum::sum(addresses.unwrap_or(&[]), u16::from(Protocol::UDP.0))
    }
}

/// Writes length and checksum of an IPv4 header with `segment_len` bytes behind it, its
/// identification `index` on.
#[inline]
pub(crate) fn finish_ipv4(header: &mut [u8], segment_len: usize, index: usize) {
    let total = (header.len() + segment_len) as u16; // At most the super-frame's own total length.
    if let Some(fixed) = header.first_chunk_mut::<V4_HEADER>() {
        let identification = u16::from_be_bytes([fixed[4], fixed[5]]).wrapping_add(index as u16);
        fixed[2..4].copy_from_slice(&total.to_be_bytes());
        fixed[4..6].copy_from_slice(&identification.to_be_bytes());
        fixed[10..12].fill(0);
    }
    let sum = checksum::of(header);
    if let Some(fixed) = header.first_chunk_mut::<V4_HEADER>() {
        fixed[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Writes the length of an IPv6 header, and what extends it, with `segment_len` bytes behind it.
#[inline]
pub(crate) fn finish_ipv6(header: &mut [u8], segment_len: usize) {
    let length = (header.len().saturating_sub(V6_HEADER) + segment_len) as u16; // As in IPv4.
    if let Some(fixed) = header.first_chunk_mut::<V6_HEADER>() {
        fixed[4..6].copy_from_slice(&length.to_be_bytes());
    }
}

/// FIN and PSH are the last segment's. Without `clear_cwr` CWR is every segment's: a sender that
/// has not asked for ECN-aware cutting may count with it (Accurate ECN).
#[inline]
fn finish_tcp(segment: &mut [u8], position: u32, clear_cwr: bool, last: bool) {
    if let Some(header) = segment.first_chunk_mut::<20>() {
        let sequence = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        header[4..8].copy_from_slice(&sequence.wrapping_add(position).to_be_bytes());
        if !last {
            header[13] &= !(TcpFlags::FIN | TcpFlags::PSH);
        }
        if clear_cwr {
            header[13] &= !TcpFlags::CWR;
        }
        header[16..18].fill(0);
    }
}

/// Writes a UDP header's length, and a checksum of zero.
#[inline]
pub(crate) fn finish_udp(segment: &mut [u8], length: u16) {
    if let Some(header) = segment.first_chunk_mut::<8>() {
        header[4..6].copy_from_slice(&length.to_be_bytes());
        header[6..8].fill(0);
    }
}

/// The checksum that stands for `sum`: its complement. UDP's zero means "none", so it is sent as
/// 0xFFFF (RFC 768).
pub(super) const fn stored(sum: u16, offset: u16) -> u16 {
    match !sum {
        0 if offset == UdpHeader::CHECKSUM => 0xffff,
        other => other,
    }
}
