//! Settling in software what a frame still owes: completing its checksum, or cutting it into segments.
//!
//! Runs only towards what cannot take a partial checksum or a super-frame: a tunnel, a port without offload, an MTU
//! below the segment's size. It believes no header of a super-frame that it has not compared with the others, since
//! bridged frames come here unparsed.
//!
//! # Theory of operation
//! [`Pieces`] reads a super-frame's headers once into a `Cut`; a frame whose headers contradict each other or its
//! duty is refused before anything is emitted. Piece *i* is the headers, copied, and payload bytes `i * size` on:
//! lengths, IPv4 identification, TCP sequence number and checksums are its own, all else is as it was. The partial
//! checksum less the old length is the part of the pseudo-header that all pieces share, so it is right behind IPv6
//! routing headers too, where the destination address is not the one that is summed (RFC 8200 section 8.1).

use crate::checksum;
use crate::drop::{DropReason, Dropped};
use crate::ethernet::{EtherType, HEADER_LEN as ETHERNET};
use crate::frame::{Frame, MAX_FRAME};
use crate::ipv4::{MIN_HEADER, Protocol};
use crate::offload::{Offload, SegmentKind, Span};
use crate::pool::Pool;
use crate::transport::TcpFlags;
use crate::vlan::Tag;
use crate::vnet::transport_header_len;

/// The most pieces one frame is cut into; more are refused.
///
/// 64 KiB in segments of 36 bytes are 1,820: Linux's smallest MSS (48) less its usual 12 bytes of options. A guest that
/// asks for segments of one byte would otherwise turn one frame into 65,000. Whoever holds all pieces at once holds
/// up to 2,048 buffers, 134 MB; [`Pieces`] needs one at a time.
pub const MAX_PIECES: usize = 2048;

/// 802.1ad and 802.1Q tags looked behind for the network header, besides the one beside the bytes.
const MAX_TAGS: usize = 2;
const IPV6_HEADER: usize = 40;
const TCP_CHECKSUM: u16 = 16;
const UDP_CHECKSUM: u16 = 6;

/// Turns a partial checksum into a whole one, after which the frame is [`Offload::Complete`].
///
/// A complete frame and a super-frame, which has no checksum as a whole, stay as they are. A span beyond the frame's
/// end leaves the bytes alone.
pub fn complete_checksum(frame: &mut Frame) {
    let Offload::Checksum(span) = frame.offload() else {
        return;
    };
    frame.set_offload(Offload::Complete);
    if let Some(covered) = frame.bytes_mut().get_mut(usize::from(span.start)..) {
        // The field holds the pseudo-header's sum, so summing over it adds that in.
        let sum = checksum::sum(covered, 0);
        put_checksum(covered, span.offset, sum);
    }
}

/// Cuts a super-frame into complete frames, in order, each in a buffer from `pool`; its own buffer goes back there.
/// Any other frame is emitted itself, its checksum completed.
///
/// # Errors
/// [`DropReason::BadOffload`], with the frame as it was and nothing emitted: headers that contradict each other or the
/// frame's duty, or more than [`MAX_PIECES`] pieces.
pub fn segment(frame: Frame, pool: &mut Pool, emit: &mut impl FnMut(Frame)) -> Result<(), Dropped> {
    let mut pieces = Pieces::of(frame)?;
    while let Some(piece) = pieces.next(pool) {
        emit(piece);
    }
    Ok(())
}

/// Lowers a TCP super-frame's segment size so that every segment fits an IP MTU of `mtu` bytes. Whether
/// [`segment_ip_len`] is within `mtu` afterwards; when `false`, the frame is as it was.
///
/// It is to TCP over IPv4 what fragmentation is to the rest: only for packets whose DF is clear, which the caller has
/// looked at. Datagrams keep their boundaries: a UDP super-frame is never resized, nor is one that would fall
/// into more than [`MAX_PIECES`].
#[must_use]
pub fn resized(frame: &mut Frame, mtu: u16) -> bool {
    if segment_ip_len(frame) <= usize::from(mtu) {
        return true;
    }
    let Offload::Segment { kind, size, span } = frame.offload() else {
        return false;
    };
    let (SegmentKind::Tcp4 { .. } | SegmentKind::Tcp6 { .. }) = kind else {
        return false;
    };
    let Some(headers) = ip_and_transport_len(frame, kind, span) else {
        return false;
    };
    let room = u16::try_from(headers).map_or(0, |headers| mtu.saturating_sub(headers));
    let Some(smaller) = core::num::NonZeroU16::new(room.min(size.get())) else {
        return false;
    };
    let payload = frame.len().saturating_sub(ETHERNET + headers);
    if payload.div_ceil(usize::from(smaller.get())) > MAX_PIECES {
        return false;
    }
    let size = smaller;
    frame.set_offload(Offload::Segment { kind, size, span });
    true
}

/// Length from the IP header on of the largest packet that the frame stands for, to compare with an MTU. Tags that
/// are left in the bytes count as well, as does Ethernet padding.
#[inline]
pub fn segment_ip_len(frame: &Frame) -> usize {
    let whole = frame.len().saturating_sub(ETHERNET);
    let Offload::Segment { kind, size, span } = frame.offload() else {
        return whole;
    };
    ip_and_transport_len(frame, kind, span)
        .map_or(whole, |headers| whole.min(headers + usize::from(size.get())))
}

/// Length of the headers behind Ethernet; `None` when the transport header is cut off or lies inside Ethernet's.
fn ip_and_transport_len(frame: &Frame, kind: SegmentKind, span: Span) -> Option<usize> {
    let transport = transport_header_len(kind, span, frame.bytes())?;
    Some(usize::from(span.start).checked_sub(ETHERNET)? + transport)
}

/// The complete frames that a frame stands for, one by one, so that each can be sent and its buffer given back before
/// the next is made.
#[derive(Debug)]
pub struct Pieces {
    frame: Frame,
    cut: Option<Cut>,
    made: usize,
}

impl Pieces {
    /// Reads the headers.
    ///
    /// # Errors
    /// As [`segment`].
    pub fn of(mut frame: Frame) -> Result<Self, Dropped> {
        let mut cut = None;
        if let Offload::Segment { kind, size, span } = frame.offload() {
            let Some(whole) = Cut::of(frame.bytes(), kind, usize::from(size.get()), span) else {
                return Err(frame.refuse(DropReason::BadOffload));
            };
            frame.truncate(whole.end);
            if whole.pieces() > 1 {
                cut = Some(whole);
            } else {
                frame.set_offload(Offload::Checksum(span));
            }
        }
        complete_checksum(&mut frame);
        Ok(Self { frame, cut, made: 0 })
    }

    /// The next piece; `None` after the last. The original's buffer is in `pool`, or is the last piece's, by then.
    pub fn next(&mut self, pool: &mut Pool) -> Option<Frame> {
        let Some(cut) = self.cut else {
            let only = core::mem::take(&mut self.frame);
            self.made += 1;
            return (self.made == 1).then_some(only);
        };
        let (headers, payload) = self.frame.bytes().split_at_checked(cut.payload)?;
        let chunk = payload.chunks(cut.size).nth(self.made)?;
        let mut piece = joined(pool, [headers, chunk], self.frame.tag());
        cut.finish(piece.bytes_mut(), self.made);
        self.made += 1;
        if self.made == cut.pieces() {
            pool.give(core::mem::take(&mut self.frame));
        }
        Some(piece)
    }
}

/// A frame of `parts` one after the other, with `tag` beside it. Together they are at most [`MAX_FRAME`] bytes, which
/// callers have checked; what did not fit a pool's buffer would be left out.
pub(crate) fn joined<const N: usize>(
    pool: &mut Pool,
    parts: [&[u8]; N],
    tag: Option<Tag>,
) -> Frame {
    let mut frame = pool.take();
    let mut rest = frame.receive_space(0);
    let mut len = 0;
    for part in parts {
        let Some((place, behind)) = rest.split_at_mut_checked(part.len()) else {
            break;
        };
        place.copy_from_slice(part);
        rest = behind;
        len += part.len();
    }
    frame.received(0, len);
    frame.set_tag(tag);
    frame
}

/// How a super-frame is cut: positions in its bytes, each compared with the headers around it.
#[derive(Copy, Clone, Debug)]
struct Cut {
    kind: SegmentKind,
    ethertype: EtherType,
    /// Where the IP header starts.
    network: usize,
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
    fn of(bytes: &[u8], kind: SegmentKind, size: usize, span: Span) -> Option<Self> {
        let (network, ethertype) = network_header(bytes)?;
        let transport = usize::from(span.start);
        let (protocol, offset) = match kind {
            SegmentKind::Tcp4 { .. } | SegmentKind::Tcp6 { .. } => (Protocol::TCP, TCP_CHECKSUM),
            SegmentKind::Udp => (Protocol::UDP, UDP_CHECKSUM),
        };
        let header = bytes.get(network..)?;
        let end = match (kind, ethertype) {
            (SegmentKind::Tcp4 { .. } | SegmentKind::Udp, EtherType::IPV4) => {
                network + ipv4_len(header, protocol, transport.checked_sub(network)?)?
            }
            (SegmentKind::Tcp6 { .. } | SegmentKind::Udp, EtherType::IPV6) => {
                network + ipv6_len(header, protocol, transport.checked_sub(network)?)?
            }
            _ => return None,
        };
        let payload = transport + transport_header_len(kind, span, bytes)?;
        let partial = bytes.get(span.field()..).and_then(|b| b.first_chunk::<2>())?;
        if span.offset != offset || payload > end || end > bytes.len() || end > MAX_FRAME {
            return None;
        }
        let length = u16::try_from(end - transport).ok()?;
        let cut = Self {
            kind,
            ethertype,
            network,
            transport,
            payload,
            end,
            size,
            pseudo: checksum::add(u16::from_be_bytes(*partial), !length),
        };
        (cut.pieces() <= MAX_PIECES).then_some(cut)
    }

    const fn pieces(&self) -> usize {
        (self.end - self.payload).div_ceil(self.size)
    }

    /// Makes the copied headers those of piece `index`, checksums included.
    fn finish(&self, bytes: &mut [u8], index: usize) {
        let Some((ahead, segment)) = bytes.split_at_mut_checked(self.transport) else {
            return;
        };
        let header = ahead.get_mut(self.network..).unwrap_or_default();
        if self.ethertype == EtherType::IPV4 {
            finish_ipv4(header, segment.len(), index);
        } else {
            finish_ipv6(header, segment.len());
        }
        let length = segment.len() as u16; // At most 65,535: `of` has seen that the whole is.
        let last = index + 1 == self.pieces();
        let offset = match self.kind {
            SegmentKind::Tcp4 { ecn } | SegmentKind::Tcp6 { ecn } => {
                // Sequence numbers wrap (RFC 9293 section 3.4).
                finish_tcp(segment, (index * self.size) as u32, ecn && index > 0, last);
                TCP_CHECKSUM
            }
            SegmentKind::Udp => {
                finish_udp(segment, length);
                UDP_CHECKSUM
            }
        };
        let sum = checksum::sum(segment, checksum::add(self.pseudo, length));
        put_checksum(segment, offset, sum);
    }
}

/// Where the network header starts, and which it is, behind the tags that are still in the bytes.
fn network_header(bytes: &[u8]) -> Option<(usize, EtherType)> {
    (0..=MAX_TAGS).find_map(|tags| {
        let at = ETHERNET + 4 * tags;
        let ethertype = bytes.get(at - 2..at)?.first_chunk::<2>()?;
        let ethertype = EtherType(u16::from_be_bytes(*ethertype));
        let is_tag = ethertype == EtherType::VLAN || ethertype == EtherType::SERVICE_VLAN;
        (!is_tag).then_some((at, ethertype))
    })
}

/// Length of the IPv4 packet that starts `header`, when it is whole, carries `protocol` and its header takes
/// `header_len` bytes.
fn ipv4_len(header: &[u8], protocol: Protocol, header_len: usize) -> Option<usize> {
    let header = header.first_chunk::<MIN_HEADER>()?;
    let is_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
    let fits = header[0] >> 4 == 4
        && usize::from(header[0] & 0x0f) * 4 == header_len
        && header_len >= MIN_HEADER
        && header[9] == protocol.0
        && !is_fragment;
    fits.then_some(usize::from(u16::from_be_bytes([header[2], header[3]])))
}

/// Length of the IPv6 packet that starts `header`, when its transport header may be `header_len` bytes on. Extension
/// headers in between are not walked.
fn ipv6_len(header: &[u8], protocol: Protocol, header_len: usize) -> Option<usize> {
    let header = header.first_chunk::<IPV6_HEADER>()?;
    let fits = header[0] >> 4 == 6
        && (header_len > IPV6_HEADER || header_len == IPV6_HEADER && header[6] == protocol.0);
    fits.then_some(IPV6_HEADER + usize::from(u16::from_be_bytes([header[4], header[5]])))
}

fn finish_ipv4(header: &mut [u8], segment_len: usize, index: usize) {
    let total = (header.len() + segment_len) as u16; // At most the super-frame's own total length.
    if let Some(fixed) = header.first_chunk_mut::<MIN_HEADER>() {
        let identification = u16::from_be_bytes([fixed[4], fixed[5]]).wrapping_add(index as u16);
        fixed[2..4].copy_from_slice(&total.to_be_bytes());
        fixed[4..6].copy_from_slice(&identification.to_be_bytes());
        fixed[10..12].fill(0);
    }
    let sum = checksum::of(header);
    if let Some(fixed) = header.first_chunk_mut::<MIN_HEADER>() {
        fixed[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

fn finish_ipv6(header: &mut [u8], segment_len: usize) {
    let length = (header.len().saturating_sub(IPV6_HEADER) + segment_len) as u16; // As in IPv4.
    if let Some(fixed) = header.first_chunk_mut::<IPV6_HEADER>() {
        fixed[4..6].copy_from_slice(&length.to_be_bytes());
    }
}

/// FIN and PSH are the last segment's. Without `clear_cwr` CWR is every segment's: a sender that has not asked for
/// ECN-aware cutting may count with it (Accurate ECN).
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

fn finish_udp(segment: &mut [u8], length: u16) {
    if let Some(header) = segment.first_chunk_mut::<8>() {
        header[4..6].copy_from_slice(&length.to_be_bytes());
        header[6..8].fill(0);
    }
}

/// Stores the complement of `sum` at `offset`; UDP's zero means "none", so it is sent as 0xFFFF (RFC 768).
fn put_checksum(covered: &mut [u8], offset: u16, sum: u16) {
    let checksum = match !sum {
        0 if offset == UDP_CHECKSUM => 0xffff,
        other => other,
    };
    let offset = usize::from(offset);
    if let Some(place) = covered.get_mut(offset..offset + 2) {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
}
