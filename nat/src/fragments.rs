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

use core::time::Duration;

use packet::snapshot::{Damaged, ensure};
use packet::{DropReason, Dropped, Instant, Ipv4, Pool, PortId};
use serde::{Deserialize, Serialize};

use crate::fragments::datagram::{Datagram, Key, Spoilt};

mod blocks;
mod datagram;
mod kept;

/// Datagrams that wait at once. Worst case 64 buffers of 66 KB and 2 KB of bitmaps each: 4.4 MB.
pub const MAX_DATAGRAMS: usize = 64;
/// Of these, datagrams of one source.
pub const MAX_DATAGRAMS_PER_SOURCE: usize = 16;
/// How long a datagram waits for its fragments, from the first that came (Linux's `ipfrag_time`).
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Datagrams in pieces.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Read")]
pub struct Reassembly {
    /// Places, used or not; grows to [`MAX_DATAGRAMS`] and stays, so that its bitmaps are made once.
    datagrams: Vec<Datagram>,
}

/// Places as they are read, before they were counted.
#[derive(Deserialize)]
struct Read {
    datagrams: Vec<Datagram>,
}

impl TryFrom<Read> for Reassembly {
    type Error = Damaged;

    fn try_from(Read { datagrams }: Read) -> Result<Self, Damaged> {
        ensure(datagrams.len() <= MAX_DATAGRAMS, "too many datagrams wait for fragments")?;
        Ok(Self { datagrams })
    }
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
