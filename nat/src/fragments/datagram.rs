//! One datagram in pieces: where its bytes lie and which of them have come.

use core::net::Ipv4Addr;

use packet::ethernet::HEADER_LEN as ETHERNET;
use packet::ipv4::MIN_HEADER;
use packet::{Frame, Instant, Ipv4, Pool, PortId, Protocol, Tag, checksum};
use serde::{Deserialize, Serialize};

use crate::fragments::blocks::Blocks;

pub(super) const MAX_TOTAL: usize = 65_535;
const CONGESTION_EXPERIENCED: u8 = 0b11;

/// What fragments of one datagram have in common (RFC 791 section 3.2).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: Protocol,
    identification: u16,
}

impl Key {
    pub(super) fn of(packet: &Ipv4) -> Self {
        Self {
            source: packet.source(),
            destination: packet.destination(),
            protocol: packet.protocol(),
            identification: packet.identification(),
        }
    }
}

/// One datagram's place.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    /// `None`: the place is idle.
    pub(super) key: Option<Key>,
    /// The port that the first fragment to arrive came in on.
    pub(super) from: PortId,
    pub(super) deadline: Instant,
    /// Ethernet and IPv4 header of the first fragment as it came, then the payload; empty once spoilt.
    pub(super) frame: Frame,
    pub(super) spoilt: bool,
    /// Frames held.
    pub(super) frames: usize,
    pub(super) blocks: Blocks,
    /// Length of the whole payload, once the last fragment came.
    pub(super) total: Option<usize>,
    /// Where the payload begins in the frame.
    pub(super) payload: usize,
    /// End of the farthest fragment, in the payload.
    pub(super) reach: usize,
    pub(super) first: Option<First>,
    pub(super) dont_fragment: bool,
    pub(super) congestion: bool,
}

/// What is known from the first fragment, the one with offset 0.
#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
pub(super) struct First {
    pub(super) payload_len: usize,
    tag: Option<Tag>,
}

/// The datagram cannot be put together.
#[derive(Debug)]
pub(super) struct Spoilt;

impl Datagram {
    pub(super) fn idle() -> Self {
        Self {
            key: None,
            from: PortId::new(0),
            deadline: Instant::ZERO,
            frame: Frame::default(),
            spoilt: false,
            frames: 0,
            blocks: Blocks::new(),
            total: None,
            payload: ETHERNET + MIN_HEADER,
            reach: 0,
            first: None,
            dont_fragment: false,
            congestion: false,
        }
    }

    pub(super) fn begin(&mut self, key: Key, from: PortId, deadline: Instant, frame: Frame) {
        let mut blocks = core::mem::replace(&mut self.blocks, Blocks::new());
        blocks.clear();
        *self = Self { key: Some(key), from, deadline, frame, blocks, ..Self::idle() };
    }

    /// Adds a fragment; `true` when it was the last one missing.
    pub(super) fn add(&mut self, packet: &Ipv4) -> Result<bool, Spoilt> {
        if self.spoilt {
            return Err(Spoilt);
        }
        let (offset, payload) = (usize::from(packet.fragment_offset()), packet.payload());
        let (len, end) = (payload.len(), offset + payload.len());
        let is_last = !packet.more_fragments();
        if len == 0 || packet.header_len() + end > MAX_TOTAL || !is_last && !len.is_multiple_of(8) {
            return Err(Spoilt);
        }
        let contradicts = match (self.total, is_last) {
            (Some(total), true) => end != total,
            (Some(total), false) => end > total,
            (None, true) => end < self.reach,
            (None, false) => false,
        };
        if contradicts {
            return Err(Spoilt);
        }
        if self.blocks.any(offset, len) {
            let repeated = self.blocks.is_piece(offset, len) && self.piece(offset, len) == payload;
            self.frames += usize::from(repeated);
            return if repeated { Ok(false) } else { Err(Spoilt) };
        }
        self.write(offset, payload)?;
        self.blocks.set(offset, len);
        self.reach = self.reach.max(end);
        if is_last {
            self.total = Some(end);
        }
        if offset == 0 {
            self.take_header(packet)?;
        }
        let complete = self.total.is_some_and(|total| self.blocks.count() == total.div_ceil(8));
        if complete && self.payload - ETHERNET + self.reach > MAX_TOTAL {
            return Err(Spoilt);
        }
        self.dont_fragment |= packet.dont_fragment();
        self.congestion |=
            packet.traffic_class() & CONGESTION_EXPERIENCED == CONGESTION_EXPERIENCED;
        self.frames += 1;
        Ok(complete)
    }

    fn piece(&mut self, offset: usize, len: usize) -> &[u8] {
        let from = self.payload + offset;
        let space = self.frame.receive_space(0);
        space.get(from..from + len).unwrap_or(&[])
    }

    fn write(&mut self, offset: usize, payload: &[u8]) -> Result<(), Spoilt> {
        let from = self.payload + offset;
        let space = self.frame.receive_space(0);
        let place = space.get_mut(from..from + payload.len()).ok_or(Spoilt)?;
        place.copy_from_slice(payload);
        Ok(())
    }

    /// Keeps the first fragment's headers, moving the payload when they are longer than assumed.
    fn take_header(&mut self, packet: &Ipv4) -> Result<(), Spoilt> {
        let payload = packet.transport_offset();
        let headers = packet.frame().bytes().get(..payload).ok_or(Spoilt)?;
        let space = self.frame.receive_space(0);
        let (from, to) = (self.payload, self.payload + self.reach);
        if space.len() < payload + self.reach {
            return Err(Spoilt);
        }
        if payload != from {
            space.copy_within(from..to, payload);
            self.payload = payload;
        }
        space.get_mut(..payload).ok_or(Spoilt)?.copy_from_slice(headers);
        self.first = Some(First { payload_len: packet.payload().len(), tag: packet.frame().tag() });
        Ok(())
    }

    /// The whole packet; the place is idle then.
    pub(super) fn finish(&mut self) -> Frame {
        let mut frame = core::mem::take(&mut self.frame);
        frame.received(0, self.payload + self.reach);
        frame.set_tag(self.first.and_then(|first| first.tag));
        let total = (self.payload - ETHERNET + self.reach) as u16;
        let header = frame.bytes_mut().get_mut(ETHERNET..self.payload);
        if let Some(header) = header.filter(|header| header.len() >= MIN_HEADER) {
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
        self.end();
        frame
    }

    /// Discards what was held, and refuses the rest until the deadline. Returns how many frames die.
    pub(super) fn spoil(&mut self, pool: &mut Pool) -> usize {
        if !self.spoilt {
            pool.give(core::mem::take(&mut self.frame));
        }
        self.spoilt = true;
        core::mem::take(&mut self.frames)
    }

    /// Makes the place idle, and gives the first fragment out as it came.
    pub(super) fn give_up(&mut self, pool: &mut Pool) -> Option<Ipv4> {
        let mut frame = core::mem::take(&mut self.frame);
        let (first, payload, spoilt) = (self.first, self.payload, self.spoilt);
        self.end();
        let Some(first) = first.filter(|_| !spoilt) else {
            if !spoilt {
                pool.give(frame);
            }
            return None;
        };
        frame.received(0, payload + first.payload_len);
        frame.set_tag(first.tag);
        match Ipv4::in_frame(frame) {
            Ok(packet) => Some(packet),
            Err(dropped) => {
                pool.give(dropped.frame);
                None
            }
        }
    }

    const fn end(&mut self) {
        self.key = None;
        self.spoilt = false;
        self.frames = 0;
        self.first = None;
    }
}
