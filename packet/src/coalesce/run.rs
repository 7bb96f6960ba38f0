//! A run: a first segment, and how many more have been found to continue it.
//!
//! It reads headers and verifies checksums, and on closing writes the headers of the whole;
//! payloads are moved by others. All positions count from the Ethernet header of the first segment,
//! whose headers stay as they came until the run is closed.
//!
//! # Theory of operation
//! [`Run::open`] reads the first segment's headers, and nothing of its payload: most runs stay
//! alone, and a checksum is only worth reading a payload for when there is something to join.
//! [`Run::join`] compares the next segment's headers with the first's, then verifies both, the
//! first only once. A run is `full` when nothing may follow: after a short segment, a FIN or PSH,
//! or a first segment whose checksum is wrong.

use core::num::NonZeroU16;
use core::ops::Range;

use crate::checksum;
use crate::ethernet::HEADER_LEN as ETHERNET;
use crate::ip::{Ip, Protocol, V4_HEADER, V6_HEADER};
use crate::offload::{Offload, SegmentKind, Span};
use crate::segment::{MAX_PIECES, finish_ipv4, finish_ipv6, finish_udp};
use crate::transport::{TcpFlags, TcpHeader, UdpHeader};

/// The most datagrams in a UDP super-frame: a kernel refuses one of more from a TAP
/// (`UDP_MAX_SEGMENTS`, which newer kernels have raised to 128).
pub const MAX_DATAGRAMS: usize = 64;

const MAX_IP_LEN: usize = 65_535;
/// Where the transport headers start.
const BEHIND_IPV4: usize = ETHERNET + V4_HEADER;
const BEHIND_IPV6: usize = ETHERNET + V6_HEADER;
/// Flags that a cut leaves to the last segment.
const LAST_ONLY: u8 = TcpFlags::FIN | TcpFlags::PSH;

/// What is known of a first segment and those joined to it.
#[derive(Debug)]
pub(super) struct Run {
    kind: SegmentKind,
    /// Whether the network header is IPv4.
    is_ipv4: bool,
    /// Where the first segment's payload starts.
    headers: usize,
    /// Payload bytes of the first segment, at least 1.
    size: NonZeroU16,
    /// Payload bytes of all.
    payload: usize,
    pieces: usize,
    /// The pseudo-header's sum without its length.
    pseudo: u16,
    /// Flags of the last that only the last may have.
    last_flags: u8,
    /// What the first segment owes.
    first: Offload,
    /// Whether the first segment's checksums are known to be right.
    verified: bool,
    full: bool,
}

impl Run {
    /// The run that begins with the frame `first`; `None` when nothing may be joined to it.
    pub(super) fn open(first: &[u8], offload: Offload) -> Option<Self> {
        let (ETHERNET, ip) = Ip::in_frame(first)? else { return None };
        let (is_ipv4, least) = match ip {
            Ip::V4(_) => (true, V4_HEADER),
            Ip::V6(_) => (false, V6_HEADER),
        };
        if ip.is_fragment() || ip.header_len() != least {
            return None;
        }
        let transport = ETHERNET + least;
        let (kind, header_len, last_flags) = match ip.protocol() {
            Protocol::TCP => {
                let tcp = TcpHeader::of(ip.payload())?;
                let TcpFlags(flags) = tcp.flags();
                if flags & !LAST_ONLY != TcpFlags::ACK {
                    return None;
                }
                let ecn = false;
                let kind =
                    if is_ipv4 { SegmentKind::Tcp4 { ecn } } else { SegmentKind::Tcp6 { ecn } };
                (kind, tcp.header_len(), flags & LAST_ONLY)
            }
            Protocol::UDP => (SegmentKind::Udp, UdpHeader::LEN, 0),
            _ => return None,
        };
        let headers = transport + header_len;
        let payload = first.len().checked_sub(headers)?;
        let run = Self {
            kind,
            is_ipv4,
            headers,
            size: NonZeroU16::new(u16::try_from(payload).ok()?)?,
            payload,
            pieces: 1,
            // Never zero, since the protocol is part of it.
            pseudo: checksum::sum(ip.addresses(), u16::from(ip.protocol().0)),
            last_flags,
            first: offload,
            verified: false,
            full: last_flags != 0,
        };
        run.lengths_fit(first).then_some(run)
    }

    /// The run of segments of `size` bytes that a TCP super-frame stands for; `None` when nothing
    /// may follow it.
    pub(super) fn of_whole(whole: &[u8], size: NonZeroU16) -> Option<Self> {
        let run = Self::open(whole, Offload::Complete)?;
        let each = usize::from(size.get());
        let may_go_on =
            !run.full && run.kind != SegmentKind::Udp && run.payload.is_multiple_of(each);
        may_go_on.then_some(Self { size, pieces: run.payload / each, ..run })
    }

    /// Whether the super-frame `next`, of segments of the same size, continues the run whose bytes
    /// so far are `whole`. Neither has a checksum of its own to verify. When it does, what
    /// follows its first [`Run::headers`] bytes is to be put behind `whole`.
    pub(super) fn join_whole(&mut self, whole: &[u8], next: &[u8]) -> bool {
        let payload = next.len().saturating_sub(self.headers);
        let pieces = self.pieces + payload.div_ceil(usize::from(self.size.get()));
        let ip_len = self.headers + self.payload + payload - ETHERNET;
        if payload == 0 || pieces > MAX_PIECES || ip_len > MAX_IP_LEN {
            return false;
        }
        let Some(last_flags) = self.continued_by(whole, next) else { return false };
        (self.payload, self.pieces) = (self.payload + payload, pieces);
        self.last_flags = last_flags;
        true
    }

    /// Whether `next` continues the run whose bytes so far are `whole`; when it does, it counts as
    /// joined, and what follows its first [`Run::headers`] bytes is to be put behind `whole`.
    #[inline]
    pub(super) fn join(&mut self, whole: &[u8], next: &[u8], offload: Offload) -> bool {
        let payload = next.len().saturating_sub(self.headers);
        let size = usize::from(self.size.get());
        let most = if self.kind == SegmentKind::Udp { MAX_DATAGRAMS } else { MAX_PIECES };
        let ip_len = self.headers + self.payload + payload - ETHERNET;
        if self.full || payload == 0 || payload > size || ip_len > MAX_IP_LEN || self.pieces >= most
        {
            return false;
        }
        let Some(last_flags) = self.continued_by(whole, next) else {
            return false;
        };
        if !self.verified {
            let first = whole.get(..self.headers + size).unwrap_or(&[]);
            self.verified = self.is_right(first, self.first);
            self.full = !self.verified;
        }
        if !self.verified || !self.is_right(next, offload) {
            return false;
        }
        self.payload += payload;
        self.pieces += 1;
        self.last_flags = last_flags;
        self.full = payload < size || last_flags != 0;
        true
    }

    /// Length of the headers of every segment.
    pub(super) const fn headers(&self) -> usize {
        self.headers
    }

    /// Makes the first segment's headers, at the start of `whole`, those of all that was joined,
    /// and says what is owed. `None`, and nothing changes, when the run stayed alone.
    pub(super) fn close(&self, whole: &mut [u8]) -> Option<Offload> {
        if self.pieces < 2 {
            return None;
        }
        let transport = self.transport();
        let length = whole.len().checked_sub(transport)?;
        let span = self.span();
        let (ahead, segment) = whole.split_at_mut_checked(transport)?;
        let network = ahead.get_mut(ETHERNET..)?;
        if self.is_ipv4 {
            finish_ipv4(network, length, 0);
        } else {
            finish_ipv6(network, length);
        }
        let length = length as u16; // `join` has seen that the whole is at most 65,535.
        if self.kind == SegmentKind::Udp {
            finish_udp(segment, length);
        } else if let Some(flags) = segment.get_mut(13) {
            *flags |= self.last_flags;
        }
        let offset = usize::from(span.offset);
        let partial = checksum::add(self.pseudo, length).to_be_bytes();
        segment.get_mut(offset..offset + 2)?.copy_from_slice(&partial);
        Some(Offload::Segment { kind: self.kind, size: self.size, span })
    }

    /// The flags that only the last may have, when the headers of `next` are those that a cut would
    /// give the piece behind `first`'s others. Checksums are not looked at.
    #[inline]
    fn continued_by(&self, first: &[u8], next: &[u8]) -> Option<u8> {
        let network_continues = if self.is_ipv4 {
            let identification = word(first, 18)?.wrapping_add(self.pieces as u16);
            same(first, next, 0..16)
                && word(next, 18)? == identification
                && same(first, next, 20..24)
                && same(first, next, 26..BEHIND_IPV4)
        } else {
            same(first, next, 0..18) && same(first, next, 20..BEHIND_IPV6)
        };
        if !network_continues || !self.lengths_fit(next) {
            return None;
        }
        let (first, next) = (first.get(self.transport()..)?, next.get(self.transport()..)?);
        if self.kind == SegmentKind::Udp {
            return same(first, next, 0..4).then_some(0);
        }
        // Sequence numbers wrap (RFC 9293 section 3.4).
        let expected = sequence(first)?.wrapping_add(self.payload as u32);
        let options = 18..self.headers - self.transport();
        let flags = *next.get(13)?;
        let continues = same(first, next, 0..4)
            && sequence(next)? == expected
            && same(first, next, 8..13)
            && flags & !LAST_ONLY == TcpFlags::ACK
            && same(first, next, 14..16)
            && same(first, next, options);
        continues.then_some(flags & LAST_ONLY)
    }

    /// Whether the frame ends where its headers say.
    #[inline]
    fn lengths_fit(&self, bytes: &[u8]) -> bool {
        let says = |at, behind: usize| {
            word(bytes, at).is_some_and(|length| usize::from(length) + behind == bytes.len())
        };
        let network = if self.is_ipv4 { says(16, ETHERNET) } else { says(18, BEHIND_IPV6) };
        let transport = self.transport();
        network && (self.kind != SegmentKind::Udp || says(transport + 4, transport))
    }

    /// Whether the checksums of a segment that owes `offload` are right, and as we would write
    /// them; where its transport checksum is partial, whether it is that of this very segment.
    #[inline]
    fn is_right(&self, bytes: &[u8], offload: Offload) -> bool {
        if self.is_ipv4 && !ipv4_header_is_right(bytes) {
            return false;
        }
        let span = self.span();
        let Some(segment) = bytes.get(self.transport()..) else {
            return false;
        };
        let Some(field) = word(bytes, span.field()) else {
            return false;
        };
        let pseudo = checksum::add(self.pseudo, segment.len() as u16); // `join` has seen that it is within 65,535.
        match offload {
            Offload::Complete => {
                let other_zero = if self.kind == SegmentKind::Udp { 0 } else { 0xffff };
                field != other_zero && checksum::sum(segment, pseudo) == 0xffff
            }
            Offload::Checksum(owed) => owed == span && field == pseudo,
            Offload::Segment { .. } => false,
        }
    }

    const fn transport(&self) -> usize {
        if self.is_ipv4 { BEHIND_IPV4 } else { BEHIND_IPV6 }
    }

    /// Where the partial checksum of all comes to lie.
    const fn span(&self) -> Span {
        let offset = if matches!(self.kind, SegmentKind::Udp) { 6 } else { 16 };
        Span { start: self.transport() as u16, offset }
    }
}

/// 0xFFFF holds as well as 0x0000 does, but is not what we would write (RFC 1624 section 3).
#[inline]
fn ipv4_header_is_right(frame: &[u8]) -> bool {
    let header =
        frame.get(ETHERNET..BEHIND_IPV4).and_then(|bytes| bytes.first_chunk::<V4_HEADER>());
    header.is_some_and(|header| header[10..12] != [0xff, 0xff] && checksum::holds(header))
}

#[inline]
fn same(first: &[u8], next: &[u8], range: Range<usize>) -> bool {
    match (first.get(range.clone()), next.get(range)) {
        (Some(first), Some(next)) => first == next,
        _ => false,
    }
}

#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_be_bytes(*word))
}

/// A TCP header's sequence number.
#[inline]
fn sequence(segment: &[u8]) -> Option<u32> {
    segment.get(4..)?.first_chunk().map(|number| u32::from_be_bytes(*number))
}
