//! One datagram in pieces: what has come of it, and what it will be when it is whole.

use core::net::Ipv4Addr;

use packet::ethernet::HEADER_LEN as ETHERNET;
use packet::ip::V4_HEADER;
use packet::snapshot::{Damaged, ensure};
use packet::{Frame, Instant, Ipv4, Pool, PortId, Protocol, Tag, checksum};
use serde::{Deserialize, Serialize};

use crate::fragments::pieces::Pieces;

const MAX_TOTAL: usize = 65_535;
/// The longest IPv4 header: fifteen words.
const MAX_HEADER: usize = 60;
/// Fragments of one datagram, repeated ones included: more than come in while one waits.
const MOST_FRAMES: usize = 1 << 32;
/// A datagram's place in the tables when it is its source's only one, and its first fragment's
/// headers.
const OVERHEAD: usize = 896;
const CONGESTION_EXPERIENCED: u8 = 0b11;

/// What fragments of one datagram have in common (RFC 791 section 3.2).
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    identification: u16,
}

impl Key {
    pub(super) fn of(packet: &Ipv4) -> Self {
        let Protocol(protocol) = packet.protocol();
        Self {
            source: packet.source(),
            destination: packet.destination(),
            protocol,
            identification: packet.ip().identification(),
        }
    }
}

/// One datagram.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Datagram {
    /// The port that the first fragment to arrive came in on.
    pub(super) from: PortId,
    pub(super) deadline: Instant,
    /// Frames held.
    pub(super) frames: usize,
    /// What has come of its payload; nothing once it is spoilt.
    pieces: Option<Pieces>,
    /// Length of the whole payload, once the last fragment came.
    total: Option<usize>,
    /// From the first fragment, the one with offset 0.
    first: Option<Headers>,
    dont_fragment: bool,
    congestion: bool,
}

/// Ethernet and IPv4 header as they came.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Headers {
    bytes: Vec<u8>,
    tag: Option<Tag>,
}

/// The datagram cannot be put together.
#[derive(Debug)]
pub(super) struct Spoilt;

impl Datagram {
    pub(super) fn new(from: PortId, deadline: Instant) -> Self {
        Self {
            from,
            deadline,
            frames: 0,
            pieces: Some(Pieces::default()),
            total: None,
            first: None,
            dont_fragment: false,
            congestion: false,
        }
    }

    /// Finds what is wrong with what was read.
    pub(super) fn check(&self) -> Result<(), Damaged> {
        let header = |headers: &Headers| headers.bytes.len().wrapping_sub(ETHERNET);
        let fits = |len| (V4_HEADER..=MAX_HEADER).contains(&len);
        let header = self.first.as_ref().map(header).is_none_or(fits);
        let reach = self.pieces.as_ref().map_or(0, Pieces::reach);
        let lengths = reach <= MAX_TOTAL && self.total.is_none_or(|total| total <= MAX_TOTAL);
        ensure(header && lengths, "a datagram in pieces has no such length")?;
        ensure(self.frames <= MOST_FRAMES, "a datagram has more frames than can come")?;
        self.pieces.as_ref().map_or(Ok(()), Pieces::check)
    }

    /// Bytes of memory that it holds; the same for the same fragments.
    pub(super) fn memory(&self) -> usize {
        OVERHEAD + self.pieces.as_ref().map_or(0, Pieces::memory)
    }

    /// Adds a fragment, without counting it; `true` when it was the last one missing.
    pub(super) fn add(&mut self, packet: &Ipv4) -> Result<bool, Spoilt> {
        let pieces = self.pieces.as_mut().ok_or(Spoilt)?;
        let (offset, payload) = (usize::from(packet.ip().fragment_offset()), packet.payload());
        let (len, end) = (payload.len(), offset + payload.len());
        let is_last = !packet.ip().more_fragments();
        if len == 0 || packet.header_len() + end > MAX_TOTAL || !is_last && !len.is_multiple_of(8) {
            return Err(Spoilt);
        }
        let contradicts = match (self.total, is_last) {
            (Some(total), true) => end != total,
            (Some(total), false) => end > total,
            (None, true) => end < pieces.reach(),
            (None, false) => false,
        };
        if contradicts {
            return Err(Spoilt);
        }
        if !pieces.add(offset, payload)? {
            return Ok(false);
        }
        if is_last {
            self.total = Some(end);
        }
        if offset == 0 {
            let headers = packet.frame().bytes().get(..packet.transport_offset()).ok_or(Spoilt)?;
            self.first = Some(Headers { bytes: headers.to_vec(), tag: packet.frame().tag() });
        }
        self.dont_fragment |= packet.ip().dont_fragment();
        self.congestion |=
            packet.ip().traffic_class() & CONGESTION_EXPERIENCED == CONGESTION_EXPERIENCED;
        let complete = self.total == Some(pieces.len());
        let header = self.first.as_ref().map_or(0, |first| first.bytes.len() - ETHERNET);
        // The first fragment may have a longer header than the others.
        if complete && header + pieces.len() > MAX_TOTAL { Err(Spoilt) } else { Ok(complete) }
    }

    /// The whole packet, in a buffer from `pool`.
    pub(super) fn into_whole(self, pool: &mut Pool) -> Frame {
        let mut frame = pool.take();
        let (Some(Headers { bytes, tag }), Some(pieces)) = (self.first, self.pieces) else {
            return frame;
        };
        fill(&mut frame, &bytes, pieces.len(), |payload| pieces.copy_to(payload));
        frame.set_tag(tag);
        let total = (frame.len() - ETHERNET) as u16; // `add` has seen that it is below 2^16.
        let header = frame.bytes_mut().get_mut(ETHERNET..bytes.len());
        if let Some(header) = header.filter(|header| header.len() >= V4_HEADER) {
            if self.congestion && header[1] & CONGESTION_EXPERIENCED != 0 {
                header[1] |= CONGESTION_EXPERIENCED;
            }
            header[2..4].copy_from_slice(&total.to_be_bytes());
            header[6] = header[6] & 0x80 | if self.dont_fragment { 0x40 } else { 0 };
            header[7] = 0;
            header[10..12].fill(0);
            let sum = checksum::of(header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        frame
    }

    /// Lets go of what has come, and refuses the rest. Returns how many frames die.
    pub(super) fn spoil(&mut self) -> usize {
        self.pieces = None;
        self.first = None;
        core::mem::take(&mut self.frames)
    }

    /// The first fragment as it came, if it did, in a buffer from `pool`.
    pub(super) fn into_first(self, pool: &mut Pool) -> Option<Ipv4> {
        let Headers { bytes, tag } = self.first?;
        let pieces = self.pieces?;
        let payload = pieces.first()?;
        let mut frame = pool.take();
        fill(&mut frame, &bytes, payload.len(), |place| place.copy_from_slice(payload));
        frame.set_tag(tag);
        match Ipv4::in_frame(frame) {
            Ok(packet) => Some(packet),
            Err(dropped) => {
                pool.give(dropped.frame);
                None
            }
        }
    }
}

/// Makes an empty frame that of these headers and a payload of `len` bytes.
fn fill(frame: &mut Frame, headers: &[u8], len: usize, payload: impl FnOnce(&mut [u8])) {
    let space = frame.receive_space(0).get_mut(..headers.len() + len).unwrap_or_default();
    let Some((place, behind)) = space.split_at_mut_checked(headers.len()) else { return };
    place.copy_from_slice(headers);
    payload(behind);
    let filled = headers.len() + len;
    frame.received(0, filled);
}
