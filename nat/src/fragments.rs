//! Putting fragments together, in any order, in bounded memory (RFC 791 section 3.2, RFC 815, RFC 8200 section 4.5).
//!
//! # Theory of operation
//! A datagram is built in one buffer from the pool, each fragment copied to its place as it comes; the fragment's own
//! buffer goes back to the pool at once. Two bitmaps, one bit for each 8 bytes, say what has come and where fragments
//! began, so that a repeated fragment is told from an overlapping one. An overlap, an impossible length, or an end
//! beyond 65,535 bytes spoils the datagram: all of it is discarded, and its later fragments are refused until its time
//! is over (RFC 5722). When too many datagrams wait the new is refused and the waiting stay.
//!
//! Accounting: every fragment that [`Reassembly::accept`] takes is *held* until its datagram ends. The fragment that
//! completes a datagram goes on as the whole, and [`Assembled::Whole`] says how many frames it was made of; the
//! others have been consumed. [`Discarded::others`] and [`Expired::frames`] say how many held frames died.

use core::net::Ipv4Addr;
use core::time::Duration;

use packet::ethernet::HEADER_LEN as ETHERNET;
use packet::ipv4::MIN_HEADER;
use packet::{DropReason, Dropped, Frame, Instant, Ipv4, Pool, PortId, Protocol, Tag, checksum};

use crate::fragments::blocks::Blocks;

mod blocks;

/// Datagrams that wait at once. Worst case 64 buffers of 66 KB and 2 KB of bitmaps each: 4.4 MB.
pub const MAX_DATAGRAMS: usize = 64;
/// Of these, datagrams of one source.
pub const MAX_DATAGRAMS_PER_SOURCE: usize = 16;
/// How long a datagram waits for its fragments, from the first that came (Linux's `ipfrag_time`).
pub const PATIENCE: Duration = Duration::from_secs(30);

const MAX_TOTAL: usize = 65_535;
const CONGESTION_EXPERIENCED: u8 = 0b11;

/// Datagrams in pieces.
#[derive(Debug, Default)]
pub struct Reassembly {
    /// Places, used or not; grows to [`MAX_DATAGRAMS`] and stays, so that its bitmaps are made once.
    datagrams: Vec<Datagram>,
}

/// What became of a packet that may be a fragment.
#[derive(Debug)]
pub enum Assembled {
    /// A whole packet.
    Whole {
        /// The packet.
        packet: Ipv4,
        /// Frames it was made of, repeated ones and the last one included; 1 when it was no fragment.
        merged: usize,
    },
    /// Its datagram waits for more.
    Held,
}

/// A fragment that was refused, and what it took with it.
#[derive(Debug)]
pub struct Discarded {
    /// The fragment: [`DropReason::BadFragment`] or [`DropReason::FragmentLimit`].
    pub dropped: Dropped,
    /// Frames of the same datagram, held so far, that die for the same reason.
    pub others: usize,
}

/// A datagram whose time is over.
#[derive(Debug)]
pub struct Expired {
    /// The port that its first fragment to arrive came in on.
    pub from: PortId,
    /// Frames held so far that die, with [`DropReason::FragmentTimeout`].
    pub frames: usize,
    /// Its first fragment, if that came, to tell the sender about (RFC 792: time exceeded, code 1).
    pub first: Option<Ipv4>,
}

impl Reassembly {
    /// Nothing waits.
    pub const fn new() -> Self {
        Self { datagrams: Vec::new() }
    }

    /// Takes a packet, and gives it back unless it is a fragment. Buffers come from `pool` and go there.
    ///
    /// The whole has Ethernet header, tag, TTL and options of its first fragment, DF if any fragment had it, CE if any
    /// had it and the first is ECN-capable, a right header checksum, and the transport checksum as it was sent.
    ///
    /// # Errors
    /// [`DropReason::BadFragment`]: the datagram is spoilt. [`DropReason::FragmentLimit`]: no place for it.
    pub fn accept(
        &mut self,
        now: Instant,
        packet: Ipv4,
        from: PortId,
        pool: &mut Pool,
    ) -> Result<Assembled, Discarded> {
        if !packet.is_fragment() {
            return Ok(Assembled::Whole { packet, merged: 1 });
        }
        let place = match self.place(now, &Key::of(&packet), from, pool) {
            Ok(place) => place,
            Err(reason) => {
                let dropped = packet.refuse(reason);
                return Err(Discarded { dropped, others: 0 });
            }
        };
        let Some(datagram) = self.datagrams.get_mut(place) else {
            let dropped = packet.refuse(DropReason::FragmentLimit);
            return Err(Discarded { dropped, others: 0 });
        };
        match datagram.add(&packet) {
            Ok(false) => {
                pool.give(packet.into_frame());
                Ok(Assembled::Held)
            }
            Ok(true) => {
                let merged = datagram.frames;
                match Ipv4::in_frame(datagram.finish()) {
                    Ok(whole) => {
                        pool.give(packet.into_frame());
                        Ok(Assembled::Whole { packet: whole, merged })
                    }
                    Err(dropped) => {
                        pool.give(packet.into_frame());
                        let others = merged - 1;
                        Err(Discarded { dropped, others })
                    }
                }
            }
            Err(Spoilt) => {
                let others = datagram.spoil(pool);
                let dropped = packet.refuse(DropReason::BadFragment);
                Err(Discarded { dropped, others })
            }
        }
    }

    /// Gives up on datagrams whose time is over.
    pub fn expire(&mut self, now: Instant, pool: &mut Pool, mut report: impl FnMut(Expired)) {
        for datagram in &mut self.datagrams {
            if datagram.key.is_none() || now < datagram.deadline {
                continue;
            }
            let frames = datagram.frames;
            let first = datagram.give_up(pool);
            if frames > 0 {
                let from = datagram.from;
                report(Expired { from, frames, first });
            }
        }
    }

    /// When [`Reassembly::expire`] has something to do, if ever.
    pub fn next_timeout(&self) -> Option<Instant> {
        let waiting = self.datagrams.iter().filter(|datagram| datagram.key.is_some());
        waiting.map(|datagram| datagram.deadline).min()
    }

    /// Frames held now.
    pub fn held(&self) -> usize {
        self.datagrams.iter().map(|datagram| datagram.frames).sum()
    }

    /// The place of the datagram with this key, a new one if need be.
    fn place(
        &mut self,
        now: Instant,
        key: &Key,
        from: PortId,
        pool: &mut Pool,
    ) -> Result<usize, DropReason> {
        let known = |datagram: &Datagram| datagram.key.as_ref() == Some(key);
        if let Some(place) = self.datagrams.iter().position(known) {
            return Ok(place);
        }
        let of_source = |datagram: &&Datagram| {
            let other = datagram.key.as_ref();
            other.is_some_and(|other| other.source == key.source)
        };
        if self.datagrams.iter().filter(of_source).count() >= MAX_DATAGRAMS_PER_SOURCE {
            return Err(DropReason::FragmentLimit);
        }
        let idle = |datagram: &Datagram| datagram.key.is_none();
        let place = match self.datagrams.iter().position(idle) {
            Some(place) => place,
            None if self.datagrams.len() < MAX_DATAGRAMS => {
                self.datagrams.push(Datagram::idle());
                self.datagrams.len() - 1
            }
            None => return Err(DropReason::FragmentLimit),
        };
        if let Some(datagram) = self.datagrams.get_mut(place) {
            datagram.begin(*key, from, now + PATIENCE, pool.take());
        }
        Ok(place)
    }
}

/// What fragments of one datagram have in common (RFC 791 section 3.2).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Key {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: Protocol,
    identification: u16,
}

impl Key {
    fn of(packet: &Ipv4) -> Self {
        Self {
            source: packet.source(),
            destination: packet.destination(),
            protocol: packet.protocol(),
            identification: packet.identification(),
        }
    }
}

/// One datagram's place.
#[derive(Debug)]
struct Datagram {
    /// `None`: the place is idle.
    key: Option<Key>,
    /// The port that the first fragment to arrive came in on.
    from: PortId,
    deadline: Instant,
    /// Ethernet and IPv4 header of the first fragment as it came, then the payload; empty once spoilt.
    frame: Frame,
    spoilt: bool,
    /// Frames held.
    frames: usize,
    blocks: Blocks,
    /// Length of the whole payload, once the last fragment came.
    total: Option<usize>,
    /// Where the payload begins in the frame.
    payload: usize,
    /// End of the farthest fragment, in the payload.
    reach: usize,
    first: Option<First>,
    dont_fragment: bool,
    congestion: bool,
}

/// What is known from the first fragment, the one with offset 0.
#[derive(Copy, Clone, Debug)]
struct First {
    payload_len: usize,
    tag: Option<Tag>,
}

/// The datagram cannot be put together.
#[derive(Debug)]
struct Spoilt;

impl Datagram {
    fn idle() -> Self {
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

    fn begin(&mut self, key: Key, from: PortId, deadline: Instant, frame: Frame) {
        let mut blocks = core::mem::replace(&mut self.blocks, Blocks::new());
        blocks.clear();
        *self = Self { key: Some(key), from, deadline, frame, blocks, ..Self::idle() };
    }

    /// Adds a fragment; `true` when it was the last one missing.
    fn add(&mut self, packet: &Ipv4) -> Result<bool, Spoilt> {
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
    fn finish(&mut self) -> Frame {
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
    fn spoil(&mut self, pool: &mut Pool) -> usize {
        if !self.spoilt {
            pool.give(core::mem::take(&mut self.frame));
        }
        self.spoilt = true;
        core::mem::take(&mut self.frames)
    }

    /// Makes the place idle, and gives the first fragment out as it came.
    fn give_up(&mut self, pool: &mut Pool) -> Option<Ipv4> {
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
