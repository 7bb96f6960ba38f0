//! Putting fragments together, in any order, in bounded memory (RFC 791 section 3.2, RFC 815, RFC
//! 8200 section 4.5).
//!
//! # Theory of operation
//! The parts of a datagram are copied as they come, and each fragment's own buffer goes back to the
//! pool at once; the whole is made when the last part is there. An overlap, an impossible length,
//! or an end beyond 65,535 bytes spoils the datagram: all of it is discarded, and its later
//! fragments are refused until its time is over (RFC 5722).
//!
//! Room is bounded in bytes of memory. What a lost fragment leaves behind never keeps out the new:
//! the oldest unfinished datagram gives way. Whose: a source's own, when it holds more than
//! [`MEMORY_PER_SOURCE`]; when all hold more than [`MEMORY`], that of the port that holds the most,
//! because a source's address is easily made up and a port is not.
//!
//! An identification comes again after 65,536 datagrams, within seconds where many are sent. So a
//! datagram is given up when a fragment comes more than [`MAX_DISTANCE`] fragments of its source
//! behind its latest: what comes then under its identification is another one (RFC 4963).
//!
//! Accounting: every fragment that [`Reassembly::accept`] takes is *held* until its datagram ends.
//! The fragment that completes a datagram goes on as the whole, and [`Assembled::Whole`] says how
//! many frames it was made of; the others have been consumed. What ends otherwise is told as
//! [`Ended`].

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::BTreeMap;

use ahash::RandomState;
use hashbrown::HashMap;
use packet::{DropReason, Dropped, Instant, Ipv4, Pool, PortId, Shares};

use crate::fragments::datagram::{Datagram, Key, Spoilt};

mod datagram;
mod pieces;
mod snapshot;

/// Memory for all datagrams in pieces (Linux's `ipfrag_high_thresh`).
pub const MEMORY: usize = 4 << 20;
/// Of this, for the datagrams of one source: a hundred of 8 KB, nine of the largest.
pub const MEMORY_PER_SOURCE: usize = 1 << 20;
/// How far two fragments of one datagram may be apart, in fragments of its source (Linux's
/// `ipfrag_max_dist`).
pub const MAX_DISTANCE: u32 = 64;
/// How long a datagram waits for its fragments, from the first that came (Linux's `ipfrag_time`).
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Datagrams given up in one [`Reassembly::timeout`]: less than a millisecond, so that packets do
/// not wait behind it.
const EXPIRY_BATCH: usize = 512;

/// Datagrams in pieces.
#[derive(Clone, Debug)]
pub struct Reassembly {
    datagrams: HashMap<Key, Waiting, RandomState>,
    /// By birth, which is the order of their deadlines.
    order: BTreeMap<u64, Key>,
    ports: Shares<PortId, Key>,
    sources: Shares<Ipv4Addr, Key>,
    /// Fragments of each source that has a datagram here; only differences count.
    heard: BTreeMap<Ipv4Addr, u32>,
    births: u64,
}

/// A datagram in its place.
#[derive(Clone, Debug)]
struct Waiting {
    birth: u64,
    /// What its source's count was when its latest fragment came.
    heard: u32,
    datagram: Datagram,
}

/// What became of a packet that may be a fragment.
#[derive(Debug)]
pub enum Assembled {
    /// A whole packet.
    Whole {
        /// The packet.
        packet: Ipv4,
        /// Frames it was made of, repeated ones and the last one included; 1 when it was no
        /// fragment.
        merged: usize,
    },
    /// Its datagram waits for more.
    Held,
}

/// A datagram that will not be whole.
#[derive(Debug)]
pub struct Ended {
    /// The port that its first fragment to arrive came in on.
    pub from: PortId,
    /// Frames held so far that die.
    pub frames: usize,
    /// Of what: [`DropReason::FragmentTimeout`], [`DropReason::FragmentLimit`],
    /// [`DropReason::FragmentStale`] or [`DropReason::BadFragment`].
    pub reason: DropReason,
    /// Its first fragment, if that came and its time is over, to tell the sender about (RFC 792:
    /// time exceeded, code 1).
    pub first: Option<Ipv4>,
}

impl Reassembly {
    /// Nothing waits. `hasher` keeps the table from being attacked by chosen identifications.
    pub fn new(hasher: RandomState) -> Self {
        Self {
            datagrams: HashMap::with_hasher(hasher),
            order: BTreeMap::new(),
            ports: Shares::new(),
            sources: Shares::new(),
            heard: BTreeMap::new(),
            births: 0,
        }
    }

    /// Keys the table with `hasher`.
    pub fn rehash(&mut self, hasher: RandomState) {
        let mut datagrams = HashMap::with_capacity_and_hasher(self.datagrams.len(), hasher);
        datagrams.extend(self.datagrams.drain());
        self.datagrams = datagrams;
    }

    /// Takes a packet, and gives it back unless it is a fragment. Buffers come from `pool` and go
    /// there; what ends for this fragment's sake is reported.
    ///
    /// The whole has Ethernet header, tag, TTL and options of its first fragment, DF if any
    /// fragment had it, CE if any had it and the first is ECN-capable, a right header checksum,
    /// and the transport checksum as it was sent.
    ///
    /// # Errors
    /// [`DropReason::BadFragment`]: the datagram is spoilt. [`DropReason::FragmentLimit`]: it is the one to give way.
    pub fn accept(
        &mut self,
        now: Instant,
        packet: Ipv4,
        from: PortId,
        pool: &mut Pool,
        mut report: impl FnMut(Ended),
    ) -> Result<Assembled, Dropped> {
        if !packet.is_fragment() {
            return Ok(Assembled::Whole { packet, merged: 1 });
        }
        let key = Key::of(&packet);
        let heard = self.hear(key.source);
        let distance = self.datagrams.get(&key).map(|waiting| heard.wrapping_sub(waiting.heard));
        let is_stale = distance.is_some_and(|distance| distance > MAX_DISTANCE);
        if is_stale {
            self.give_up(&key, DropReason::FragmentStale, &mut report);
        }
        if is_stale || distance.is_none() {
            let datagram = Datagram::new(from, now + PATIENCE);
            self.heard.insert(key.source, heard);
            self.insert(key, Waiting { birth: self.births, heard, datagram });
        }
        let Some(waiting) = self.datagrams.get_mut(&key) else {
            return Err(packet.refuse(DropReason::FragmentLimit));
        };
        waiting.heard = heard;
        let datagram = &mut waiting.datagram;
        let before = datagram.memory();
        let outcome = datagram.add(&packet);
        datagram.frames += usize::from(matches!(outcome, Ok(false)));
        let (port, memory) = (datagram.from, datagram.memory());
        self.ports.resize(port, before, memory);
        self.sources.resize(key.source, before, memory);
        match outcome {
            Ok(true) => self.finish(&key, packet, pool, report),
            Ok(false) => self.hold(&key, packet, pool, report),
            Err(Spoilt) => {
                self.spoil(&key, &mut report);
                self.make_room(key.source, &mut report);
                Err(packet.refuse(DropReason::BadFragment))
            }
        }
    }

    /// Gives up on datagrams whose time is over, a bounded number; [`Reassembly::next_timeout`] is
    /// in the past while more of them wait.
    pub fn timeout(&mut self, now: Instant, pool: &mut Pool, mut report: impl FnMut(Ended)) {
        for _ in 0..EXPIRY_BATCH {
            let Some(key) = self.order.first_key_value().map(|(_, key)| *key) else { return };
            if self.datagrams.get(&key).is_some_and(|waiting| now < waiting.datagram.deadline) {
                return;
            }
            let Some(Waiting { datagram, .. }) = self.remove(&key) else { return };
            let (from, frames) = (datagram.from, datagram.frames);
            if frames > 0 {
                let first = datagram.into_first(pool);
                report(Ended { from, frames, reason: DropReason::FragmentTimeout, first });
            }
        }
    }

    /// When [`Reassembly::timeout`] has something to do, if ever.
    pub fn next_timeout(&self) -> Option<Instant> {
        let (_, key) = self.order.first_key_value()?;
        self.datagrams.get(key).map(|waiting| waiting.datagram.deadline)
    }

    /// Frames held now.
    pub fn held(&self) -> usize {
        self.datagrams.values().map(|waiting| waiting.datagram.frames).sum()
    }

    /// Bytes of memory that datagrams take now.
    pub const fn memory(&self) -> usize {
        self.sources.bytes()
    }

    /// Counts everything anew, and compares it with the tables.
    ///
    /// # Errors
    /// Says what contradicts what.
    #[doc(hidden)]
    pub fn audit(&self) -> Result<(), &'static str> {
        let (mut ports, mut sources) = (BTreeMap::new(), BTreeMap::new());
        for (key, Waiting { birth, datagram, .. }) in &self.datagrams {
            if self.order.get(birth) != Some(key) || !self.heard.contains_key(&key.source) {
                return Err("a datagram in pieces is not in its place");
            }
            *ports.entry(datagram.from).or_insert(0) += datagram.memory();
            *sources.entry(key.source).or_insert(0) += datagram.memory();
        }
        let same = ports.iter().all(|(port, bytes)| self.ports.held(*port) == *bytes)
            && sources.iter().all(|(source, bytes)| self.sources.held(*source) == *bytes)
            && [self.ports.bytes(), self.memory()] == [sources.values().sum::<usize>(); 2]
            && self.heard.len() == sources.len();
        if !same || self.order.len() != self.datagrams.len() {
            return Err("the memory of datagrams in pieces is counted wrong");
        }
        let fair = sources.values().all(|bytes| *bytes <= MEMORY_PER_SOURCE);
        if fair && self.memory() <= MEMORY { Ok(()) } else { Err("too many datagrams wait") }
    }

    /// Counts fragments of this source that passed without being put together here.
    pub fn pass(&mut self, source: Ipv4Addr, fragments: u32) {
        if let Some(heard) = self.heard.get_mut(&source) {
            *heard = heard.wrapping_add(fragments);
        }
    }

    /// Counts a fragment of this source, and says how many there were.
    fn hear(&mut self, source: Ipv4Addr) -> u32 {
        let Some(heard) = self.heard.get_mut(&source) else { return 0 };
        *heard = heard.wrapping_add(1);
        *heard
    }

    fn heard(&self, source: Ipv4Addr) -> u32 {
        self.heard.get(&source).copied().unwrap_or(0)
    }

    fn insert(&mut self, key: Key, waiting: Waiting) {
        let Waiting { birth, datagram, .. } = &waiting;
        let memory = datagram.memory();
        self.births = birth + 1;
        self.order.insert(*birth, key);
        self.ports.insert(datagram.from, *birth, key, memory);
        self.sources.insert(key.source, *birth, key, memory);
        self.datagrams.insert(key, waiting);
    }

    fn remove(&mut self, key: &Key) -> Option<Waiting> {
        let waiting = self.datagrams.remove(key)?;
        let (birth, memory) = (waiting.birth, waiting.datagram.memory());
        self.order.remove(&birth);
        self.ports.remove(waiting.datagram.from, birth, memory);
        self.sources.remove(key.source, birth, memory);
        if self.sources.oldest(key.source).is_none() {
            self.heard.remove(&key.source);
        }
        Some(waiting)
    }

    /// Makes the whole of a datagram that its last fragment has come of.
    fn finish(
        &mut self,
        key: &Key,
        last: Ipv4,
        pool: &mut Pool,
        mut report: impl FnMut(Ended),
    ) -> Result<Assembled, Dropped> {
        let Some(Waiting { datagram, .. }) = self.remove(key) else {
            return Err(last.refuse(DropReason::BadFragment));
        };
        let (from, held) = (datagram.from, datagram.frames);
        let whole = Ipv4::in_frame(datagram.into_whole(pool));
        pool.give(last.into_frame());
        if let Err(dropped) = &whole {
            report(Ended { from, frames: held, reason: dropped.reason, first: None });
        }
        whole.map(|packet| Assembled::Whole { packet, merged: held + 1 })
    }

    /// Makes room where a fragment that was added is too much.
    fn hold(
        &mut self,
        key: &Key,
        packet: Ipv4,
        pool: &mut Pool,
        mut report: impl FnMut(Ended),
    ) -> Result<Assembled, Dropped> {
        while let Some(oldest) = self.to_give_way(key.source) {
            if oldest == *key {
                // It gives way itself, and this fragment was never held.
                if let Some(waiting) = self.datagrams.get_mut(key) {
                    waiting.datagram.frames -= 1;
                }
                self.give_up(key, DropReason::FragmentLimit, &mut report);
                self.make_room(key.source, &mut report);
                return Err(packet.refuse(DropReason::FragmentLimit));
            }
            self.give_up(&oldest, DropReason::FragmentLimit, &mut report);
        }
        pool.give(packet.into_frame());
        Ok(Assembled::Held)
    }

    /// Gives up datagrams for the sake of one of this source, as long as too much is held.
    fn make_room(&mut self, source: Ipv4Addr, report: &mut impl FnMut(Ended)) {
        while let Some(oldest) = self.to_give_way(source) {
            self.give_up(&oldest, DropReason::FragmentLimit, report);
        }
    }

    /// The datagram that gives way to one of this source, where too much is held.
    fn to_give_way(&self, source: Ipv4Addr) -> Option<Key> {
        let oldest = if self.sources.held(source) > MEMORY_PER_SOURCE {
            self.sources.oldest(source)
        } else if self.memory() > MEMORY {
            self.ports.oldest(self.ports.largest()?)
        } else {
            None
        };
        oldest.map(|(_, key)| key)
    }

    fn give_up(&mut self, key: &Key, reason: DropReason, report: &mut impl FnMut(Ended)) {
        let Some(Waiting { datagram, .. }) = self.remove(key) else { return };
        let (from, frames) = (datagram.from, datagram.frames);
        if frames > 0 {
            report(Ended { from, frames, reason, first: None });
        }
    }

    /// Lets go of a datagram's fragments, and refuses those that come later.
    fn spoil(&mut self, key: &Key, report: &mut impl FnMut(Ended)) {
        let Some(Waiting { datagram, .. }) = self.datagrams.get_mut(key) else { return };
        let (from, before) = (datagram.from, datagram.memory());
        let frames = datagram.spoil();
        let memory = datagram.memory();
        self.ports.resize(from, before, memory);
        self.sources.resize(key.source, before, memory);
        if frames > 0 {
            report(Ended { from, frames, reason: DropReason::BadFragment, first: None });
        }
    }
}
