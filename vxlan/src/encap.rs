//! Putting a frame into a tunnel without copying what it carries.
//!
//! A super-frame becomes a train of VXLAN datagrams (RFC 7348 section 5) of equal size, which a
//! socket sends in one go (UDP_SEGMENT). Headers are written here; payloads stay where they are in
//! the frame, and the socket gathers both. Outer addresses and ports are the socket's; whether a
//! datagram fits the tunnel's MTU was asked before ([`packet::segment::segment_ip_len`]).
//!
//! # Theory of operation
//! [`Train::cut`] writes the headers of all datagrams into one arena, each of the same length:
//! VXLAN, then the inner frame's headers as [`packet::segment`] would have finished them. The
//! payload of datagram *i* is the *i*-th chunk of one range of the frame, so no list of parts is
//! needed: [`Train::sends`] walks both in step. Both forget the frame; `sends` is to be given the
//! one that was cut. A frame that is not cut is a train of one: its headers end where the last byte
//! that has to change does, the checksum's, or right behind VXLAN when none has to.

use core::num::NonZeroU16;
use core::ops::Range;

use packet::segment::{Cut, completed_checksum};
use packet::{DropReason, Frame, Offload, Span, Tag};

use crate::header;
use crate::vni::Vni;

/// Longest headers of a frame that is cut: Ethernet with two tags, IPv6 and TCP with all options
/// take 122 bytes, and the rest is for IPv6 extension headers. Caps the arena at 2,048 pieces of
/// them, 1 MiB.
pub const MAX_HEADERS: usize = 512 - header::LEN - TAG_LEN;

const TAG_LEN: usize = 4;
const ADDRESSES_LEN: usize = 12;

/// What one send may hold.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct SendLimits {
    /// Datagrams; at least 1 are sent.
    pub datagrams: usize,
    /// Bytes of UDP payload.
    pub bytes: usize,
}

impl SendLimits {
    /// Linux's for UDP_SEGMENT: 64 datagrams (`UDP_MAX_SEGMENTS`, which newer kernels have raised
    /// to 128), and what fits an IPv4 packet.
    pub const BATCH: Self = Self { datagrams: 64, bytes: 65_535 - 20 - 8 };
    /// Of a socket that sends one datagram at a time.
    pub const SINGLE: Self = Self { datagrams: 1, ..Self::BATCH };
}

/// The datagrams that carry one frame. Made to be used again: no memory is taken once the arena has
/// grown.
#[derive(Debug, Default)]
pub struct Train {
    /// The headers of all datagrams, each `header_len` bytes.
    headers: Vec<u8>,
    header_len: usize,
    /// Where the payload of all lies in the frame.
    payload: Range<usize>,
    /// Payload bytes of each datagram but the last.
    size: usize,
}

impl Train {
    /// Cuts `frame` into datagrams of segment `vni`, with the tag beside it in their bytes. The
    /// frame is not changed: a checksum that it owes is completed in the headers.
    ///
    /// # Errors
    /// The train is empty then.
    /// - [`DropReason::BadOffload`]: as [`packet::segment::segment`], or more than [`MAX_HEADERS`]
    ///   of headers.
    /// - [`DropReason::ExceedsTunnelMtu`]: a datagram would be longer than any may be.
    /// - [`DropReason::Runt`]: it has a tag, and is too short to hold it.
    pub fn cut(&mut self, vni: Vni, frame: &Frame) -> Result<(), DropReason> {
        self.clear();
        let (bytes, tag) = (frame.bytes(), frame.tag());
        match frame.offload() {
            Offload::Complete => self.leave_whole(vni, bytes, None, tag),
            Offload::Checksum(span) => self.leave_whole(vni, bytes, Some(span), tag),
            Offload::Segment { kind, size, span } => {
                let cut = Cut::of(bytes, kind, size, span).ok_or(DropReason::BadOffload)?;
                if !cut.is_whole() {
                    return self.cut_pieces(vni, bytes, &cut, tag);
                }
                let whole = bytes.get(..cut.payload().end).unwrap_or(bytes);
                self.leave_whole(vni, whole, Some(span), tag)
            }
        }
    }

    /// The sends, one system call each, that the datagrams of `frame` fit in, which is the frame
    /// that was cut.
    pub fn sends<'a>(&'a self, frame: &'a Frame, limits: SendLimits) -> Sends<'a> {
        let payload = frame.bytes().get(self.payload.clone()).unwrap_or(&[]);
        let fit = limits.bytes / (self.header_len + self.size).max(1);
        let rest =
            Batch { headers: &self.headers, header_len: self.header_len, payload, size: self.size };
        Sends { rest, datagrams: limits.datagrams.min(fit).max(1) }
    }

    /// Nothing to send.
    pub fn clear(&mut self) {
        self.headers.clear();
        self.payload = 0..0;
    }

    fn leave_whole(
        &mut self,
        vni: Vni,
        bytes: &[u8],
        owed: Option<Span>,
        tag: Option<Tag>,
    ) -> Result<(), DropReason> {
        let checksum = owed.and_then(|span| Some((span.field(), completed_checksum(bytes, span)?)));
        let least = if tag.is_some() { ADDRESSES_LEN } else { 0 };
        let copied = checksum.map_or(0, |(field, _)| field + 2).max(least);
        let (headers, payload) = bytes.split_at_checked(copied).ok_or(DropReason::Runt)?;
        self.begin(copied..bytes.len(), payload.len(), tag)?;
        self.put(vni, headers, tag, |headers| {
            if let Some((field, checksum)) = checksum
                && let Some(place) = headers.get_mut(field..field + 2)
            {
                place.copy_from_slice(&checksum.to_be_bytes());
            }
        });
        Ok(())
    }

    fn cut_pieces(
        &mut self,
        vni: Vni,
        bytes: &[u8],
        cut: &Cut,
        tag: Option<Tag>,
    ) -> Result<(), DropReason> {
        let headers = bytes.get(..cut.headers()).filter(|headers| headers.len() <= MAX_HEADERS);
        let (Some(headers), Some(payload)) = (headers, bytes.get(cut.payload())) else {
            return Err(DropReason::BadOffload);
        };
        self.begin(cut.payload(), cut.size(), tag)?;
        for (index, chunk) in payload.chunks(cut.size()).enumerate() {
            self.put(vni, headers, tag, |headers| cut.finish(headers, chunk, index));
        }
        Ok(())
    }

    /// Sets the shape of all datagrams: the payload lies in `payload` of the frame, behind copies
    /// of all before it.
    fn begin(
        &mut self,
        payload: Range<usize>,
        size: usize,
        tag: Option<Tag>,
    ) -> Result<(), DropReason> {
        self.header_len = header::LEN + if tag.is_some() { TAG_LEN } else { 0 } + payload.start;
        if self.header_len + size > SendLimits::BATCH.bytes {
            return Err(DropReason::ExceedsTunnelMtu);
        }
        self.payload = payload;
        self.size = size;
        Ok(())
    }

    /// Puts the headers of one datagram into the arena: VXLAN, then a copy of the frame's as
    /// `finish` makes them, the tag among them.
    #[inline]
    fn put(&mut self, vni: Vni, headers: &[u8], tag: Option<Tag>, finish: impl FnOnce(&mut [u8])) {
        self.headers.extend_from_slice(&header::emit(vni));
        let start = self.headers.len();
        let Some(tag) = tag else {
            self.headers.extend_from_slice(headers);
            finish(self.headers.get_mut(start..).unwrap_or_default());
            return;
        };
        // Finished where they lie together, and then the addresses move ahead of the tag.
        self.headers.extend_from_slice(&[0; TAG_LEN]);
        self.headers.extend_from_slice(headers);
        finish(self.headers.get_mut(start + TAG_LEN..).unwrap_or_default());
        let ([t0, t1], [high, low]) = (tag.tpid(), tag.bits().to_be_bytes());
        let place = self.headers.get_mut(start..).and_then(|b| b.first_chunk_mut());
        if let Some(place) = place {
            let place: &mut [u8; ADDRESSES_LEN + TAG_LEN] = place;
            place.copy_within(TAG_LEN.., 0);
            place[ADDRESSES_LEN..].copy_from_slice(&[t0, t1, high, low]);
        }
    }
}

/// What [`Train::sends`] yields, in order.
#[derive(Clone, Debug)]
pub struct Sends<'a> {
    rest: Batch<'a>,
    /// The most datagrams a send, at least 1.
    datagrams: usize,
}

impl<'a> Iterator for Sends<'a> {
    type Item = Batch<'a>;

    fn next(&mut self) -> Option<Batch<'a>> {
        let rest = self.rest;
        if rest.headers.is_empty() {
            return None;
        }
        let headers = (self.datagrams * rest.header_len).min(rest.headers.len());
        let payload = (self.datagrams * rest.size).min(rest.payload.len());
        let (headers, later_headers) = rest.headers.split_at_checked(headers)?;
        let (payload, later_payload) = rest.payload.split_at_checked(payload)?;
        self.rest = Batch { headers: later_headers, payload: later_payload, ..rest };
        Some(Batch { headers, payload, ..rest })
    }
}

/// Datagrams for one `sendmsg`: of equal size but for the last, which may be shorter.
#[derive(Copy, Clone, Debug)]
pub struct Batch<'a> {
    headers: &'a [u8],
    header_len: usize,
    payload: &'a [u8],
    size: usize,
}

impl<'a> Batch<'a> {
    /// Bytes of each datagram but the last, for UDP_SEGMENT; `None` when there is one only.
    pub fn segment_size(&self) -> Option<NonZeroU16> {
        let size = u16::try_from(self.header_len + self.size).ok()?;
        NonZeroU16::new(size).filter(|_| self.datagrams() > 1)
    }

    /// How many there are, at least 1.
    pub fn datagrams(&self) -> usize {
        self.headers.len() / self.header_len.max(1)
    }

    /// Bytes of all.
    #[expect(clippy::len_without_is_empty, reason = "no datagram is empty")]
    pub fn len(&self) -> usize {
        self.headers.len() + self.payload.len()
    }

    /// The datagrams in order, each as its headers and its payload, which may be empty.
    pub fn parts(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let payloads = self.payload.chunks(self.size.max(1)).chain(core::iter::repeat(&[][..]));
        self.headers.chunks_exact(self.header_len.max(1)).zip(payloads)
    }
}

#[cfg(test)]
#[path = "encap_tests.rs"]
mod tests;
