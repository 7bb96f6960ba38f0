//! Settling in software what a frame still owes: completing its checksum, or cutting it into
//! segments.
//!
//! Runs only towards what cannot take a partial checksum or a super-frame: a tunnel, a port without
//! offload, an MTU below the segment's size. It believes no header of a super-frame that it has not
//! compared with the others, since bridged frames come here unparsed.
//!
//! # Theory of operation
//! [`Pieces`] reads a super-frame's headers once into a [`Cut`]; a frame whose headers contradict
//! each other or its duty is refused before anything is emitted. Piece *i* is the headers, copied
//! and finished, and payload bytes `i * size` on. Who can send headers and payload from two places
//! takes a [`Cut`] and copies no payload.

mod cut;
mod seams;

pub use cut::Cut;
pub(crate) use cut::{finish_ipv4, finish_ipv6, finish_udp};

use crate::checksum;
use crate::drop::DropReason;
use crate::ethernet::HEADER_LEN as ETHERNET;
use crate::frame::{Dropped, Frame};
use crate::ip::{Ip, Protocol};
use crate::layers::Layers;
use crate::offload::{Offload, SegmentKind, Span};
use crate::pool::Pool;
use crate::segment::seams::Seams;
use crate::transport::{TcpHeader, UdpHeader};
use crate::vlan::Tag;
use crate::vnet::transport_header_len;

/// The most pieces one frame is cut into; more are refused.
///
/// 64 KiB in segments of 36 bytes are 1,820: Linux's smallest MSS (48) less its usual 12 bytes of
/// options. A guest that asks for segments of one byte would otherwise turn one frame into 65,000.
/// Whoever holds all pieces at once holds up to 2,048 buffers, 134 MB; [`Pieces`] needs one at a
/// time.
pub const MAX_PIECES: usize = 2048;

/// Turns a partial checksum into a whole one, after which the frame is [`Offload::Complete`].
///
/// A complete frame and a super-frame, which has no checksum as a whole, stay as they are. A span
/// beyond the frame's end leaves the bytes alone.
pub fn complete_checksum(frame: &mut Frame) {
    let Offload::Checksum(span) = frame.offload() else {
        return;
    };
    frame.set_offload(Offload::Complete);
    if let Some(checksum) = completed_checksum(frame.bytes(), span)
        && let Some(place) = frame.bytes_mut().get_mut(span.field()..span.field() + 2)
    {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
}

/// The checksum that belongs at `span.field()` of a frame of `bytes`, where it is partial; `None`
/// when that is beyond the frame's end.
pub fn completed_checksum(bytes: &[u8], span: Span) -> Option<u16> {
    let covered = bytes.get(usize::from(span.start)..)?;
    let offset = usize::from(span.offset);
    // The field holds the pseudo-header's sum, so summing over it adds that in.
    covered.get(offset..offset + 2)?;
    Some(cut::stored(checksum::sum(covered, 0), span.offset))
}

/// What a frame owes to a packet that another one carries in a tunnel.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum InnerOffload {
    /// Its checksum. [`complete_checksum`] pays it, and the checksums around it are right then:
    /// whoever left it open has counted it as complete.
    Checksum,
    /// To be cut. No kernel can be told: it would take the tunnel's header for the one to be cut
    /// behind.
    Segments,
}

/// Whether [`segment`] takes `frame`: it is no super-frame, or its headers agree with each other
/// and with what it owes.
pub fn may_be_cut(frame: &Frame) -> bool {
    match frame.offload() {
        Offload::Complete | Offload::Checksum(_) => true,
        Offload::Segment { kind: SegmentKind::Fragments, size, span } => {
            Seams::of(frame.bytes(), size, span).is_some()
        }
        Offload::Segment { kind, size, span } => Cut::of(frame.bytes(), kind, size, span).is_some(),
    }
}

/// What `frame` owes further inside than in its outermost IP packet; `None` when it owes nothing,
/// or not that.
#[inline]
pub fn inner_offload(frame: &Frame) -> Option<InnerOffload> {
    let span = frame.offload().span()?;
    // Where the usual frame has its transport header, without a walk through headers.
    let usual = Ip::in_frame(frame.bytes()).map(|(at, ip)| at + ip.header_len());
    if usual == Some(usize::from(span.start)) { None } else { tunnelled_offload(frame, span) }
}

fn tunnelled_offload(frame: &Frame, span: Span) -> Option<InnerOffload> {
    match frame.offload() {
        Offload::Complete => None,
        Offload::Checksum(_) => {
            let protocol = match span.offset {
                TcpHeader::CHECKSUM => Protocol::TCP,
                UdpHeader::CHECKSUM => Protocol::UDP,
                _ => return None,
            };
            let layers = Layers::to(frame.bytes(), usize::from(span.start), protocol)?;
            let fits = span.field() + 2 <= layers.end() && layers.end() <= frame.len();
            (fits && layers.is_tunnelled()).then_some(InnerOffload::Checksum)
        }
        Offload::Segment { kind, size, .. } => {
            let cut = Cut::of(frame.bytes(), kind, size, span)?;
            cut.is_tunnelled().then_some(InnerOffload::Segments)
        }
    }
}

/// Cuts a super-frame into complete frames, in order, each in a buffer from `pool`; its own buffer
/// goes back there. Any other frame is emitted itself, its checksum completed.
///
/// # Errors
/// [`DropReason::BadOffload`], with the frame as it was and nothing emitted: headers that
/// contradict each other or the frame's duty, or more than [`MAX_PIECES`] pieces.
pub fn segment(frame: Frame, pool: &mut Pool, emit: &mut impl FnMut(Frame)) -> Result<(), Dropped> {
    let mut pieces = Pieces::of(frame)?;
    while let Some(piece) = pieces.next(pool) {
        emit(piece);
    }
    Ok(())
}

/// Lowers a TCP super-frame's segment size so that every segment fits an IP MTU of `mtu` bytes.
/// Whether [`segment_ip_len`] is within `mtu` afterwards; when `false`, the frame is as it was.
///
/// It is to TCP over IPv4 what fragmentation is to the rest: only for packets whose DF is clear,
/// which the caller has looked at. Datagrams keep their boundaries: a UDP super-frame is never
/// resized, nor is what a tunnel carries, nor one that would fall into more than [`MAX_PIECES`].
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
    if inner_offload(frame).is_some() {
        return false;
    }
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

/// Length from the IP header on of the largest packet that the frame stands for, to compare with an
/// MTU. Tags that are left in the bytes count as well, as does Ethernet padding.
#[inline]
pub fn segment_ip_len(frame: &Frame) -> usize {
    let whole = frame.len().saturating_sub(ETHERNET);
    let Offload::Segment { kind, size, span } = frame.offload() else {
        return whole;
    };
    ip_and_transport_len(frame, kind, span)
        .map_or(whole, |headers| whole.min(headers + usize::from(size.get())))
}

/// Length of the headers behind Ethernet that every piece has; `None` when the transport header is
/// cut off or lies inside Ethernet's.
fn ip_and_transport_len(frame: &Frame, kind: SegmentKind, span: Span) -> Option<usize> {
    let transport = match kind {
        SegmentKind::Fragments => 0,
        _ => transport_header_len(kind, span, frame.bytes())?,
    };
    Some(usize::from(span.start).checked_sub(ETHERNET)? + transport)
}

/// The complete frames that a frame stands for, one by one, so that each can be sent and its buffer
/// given back before the next is made.
#[derive(Debug)]
pub struct Pieces {
    frame: Frame,
    plan: Plan,
    made: usize,
}

#[derive(Copy, Clone, Debug)]
enum Plan {
    Whole,
    Segments(Cut),
    Fragments(Seams),
}

impl Pieces {
    /// Reads the headers.
    ///
    /// # Errors
    /// As [`segment`].
    pub fn of(mut frame: Frame) -> Result<Self, Dropped> {
        let plan = match frame.offload() {
            Offload::Complete | Offload::Checksum(_) => Some(Plan::Whole),
            Offload::Segment { kind: SegmentKind::Fragments, size, span } => {
                Seams::of(frame.bytes(), size, span).map(Plan::Fragments)
            }
            Offload::Segment { kind, size, span } => {
                Cut::of(frame.bytes(), kind, size, span).map(Plan::Segments)
            }
        };
        let (plan, span) = match (plan, frame.offload().span()) {
            (Some(Plan::Segments(cut)), span) => {
                frame.truncate(cut.payload().end);
                match cut.is_whole() {
                    true => (Plan::Whole, span),
                    false => (Plan::Segments(cut), None),
                }
            }
            (Some(plan), span) => (plan, span),
            (None, _) => return Err(frame.refuse(DropReason::BadOffload)),
        };
        if let Some(span) = span {
            frame.set_offload(Offload::Checksum(span));
            complete_checksum(&mut frame);
        }
        Ok(Self { frame, plan, made: 0 })
    }

    /// The next piece; `None` after the last. The original's buffer is in `pool`, or is the last
    /// piece's, by then.
    pub fn next(&mut self, pool: &mut Pool) -> Option<Frame> {
        let (headers, size, pieces) = match self.plan {
            Plan::Whole => {
                let only = core::mem::take(&mut self.frame);
                self.made += 1;
                return (self.made == 1).then_some(only);
            }
            Plan::Segments(cut) => (cut.headers(), cut.size(), cut.pieces()),
            Plan::Fragments(seams) => (seams.headers(), seams.size(), seams.pieces()),
        };
        let (ahead, payload) = self.frame.bytes().split_at_checked(headers)?;
        let chunk = payload.chunks(size).nth(self.made)?;
        let mut piece = joined(pool, [ahead, chunk], self.frame.tag());
        let (ahead, chunk) = piece.bytes_mut().split_at_mut_checked(headers)?;
        match self.plan {
            Plan::Whole => {}
            Plan::Segments(cut) => cut.finish(ahead, chunk, self.made),
            Plan::Fragments(seams) => seams.finish(ahead, chunk.len(), self.made),
        }
        self.made += 1;
        if self.made == pieces {
            pool.give(core::mem::take(&mut self.frame));
        }
        Some(piece)
    }
}

/// A frame of `parts` one after the other, with `tag` beside it. Together they are at most
/// [`MAX_FRAME`] bytes, which callers have checked; what did not fit a pool's buffer would be left
/// out.
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
