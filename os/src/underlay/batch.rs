//! The messages of one call, and how they become as few sends as can be.
//!
//! Messages are sorted by lane, keeping their order within it, and laid out one after the other as
//! [`Train`]s.
//!
//! The lists live in a [`Scratch`] between calls, empty, and carry a call's lifetime within it: no
//! pointer outlives what it was borrowed from, and the compiler checks it.

use std::io::IoSlice;
use std::mem;
use std::net::SocketAddrV4;
use std::num::{NonZeroU8, NonZeroU16};
use std::ops::Range;

use super::train::{self, Header, Train};

/// One message to send: a datagram, or a train of datagrams.
#[derive(Clone, Debug)]
pub struct Outbound<P> {
    /// Any number, such as a hash of the inner flow; its remainder chooses the sending socket, and
    /// so the source port.
    pub lane: usize,
    /// The far tunnel endpoint.
    pub to: SocketAddrV4,
    /// The outer TTL.
    pub ttl: NonZeroU8,
    /// The outer DSCP and ECN.
    pub tos: u8,
    /// The bytes are several datagrams of this size, the last one maybe shorter; any number of
    /// them.
    pub segment: Option<NonZeroU16>,
    /// The bytes, in order: any number of slices, of which a datagram touches at most 1024.
    pub parts: P,
}

/// Room for a batch of messages, kept from call to call so that none allocates once warm. At most
/// 512 messages and 16,384 parts (and the rest of one message) lie here at once: less than 1 MiB.
/// Longer batches go in several turns.
#[derive(Debug, Default)]
pub struct Scratch {
    messages: Vec<Message>,
    parts: Vec<&'static [u8]>,
    slices: Vec<IoSlice<'static>>,
    trains: Vec<Train>,
    pieces: Vec<Train>,
    cut: Vec<IoSlice<'static>>,
}

impl Scratch {
    /// No room yet: it grows with use.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn lend<'a>(&mut self) -> Batch<'a> {
        Batch {
            messages: mem::take(&mut self.messages),
            parts: mem::take(&mut self.parts),
            slices: mem::take(&mut self.slices),
            trains: mem::take(&mut self.trains),
            spare: Spare { pieces: mem::take(&mut self.pieces), cut: mem::take(&mut self.cut) },
        }
    }

    pub(super) fn take_back(&mut self, batch: Batch<'_>) {
        self.messages = batch.messages;
        self.parts = emptied(batch.parts);
        self.slices = emptied(batch.slices);
        self.trains = batch.trains;
        self.pieces = batch.spare.pieces;
        self.cut = batch.spare.cut;
    }
}

/// What one call collects and plans.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub(super) messages: Vec<Message>,
    parts: Vec<&'a [u8]>,
    /// The parts of the trains, in their order.
    pub(super) slices: Vec<IoSlice<'a>>,
    pub(super) trains: Vec<Train>,
    pub(super) spare: Spare,
}

/// Room for cutting one train into its pieces.
#[derive(Debug, Default)]
pub(super) struct Spare {
    pub(super) pieces: Vec<Train>,
    pub(super) cut: Vec<IoSlice<'static>>,
}

impl<'a> Batch<'a> {
    /// Takes messages up to the bound, in place of what was there. `false` when there was none.
    pub(super) fn collect<P: IntoIterator<Item = &'a [u8]>>(
        &mut self,
        messages: &mut impl Iterator<Item = Outbound<P>>,
        lanes: usize,
    ) -> bool {
        self.messages.clear();
        self.parts.clear();
        while self.messages.len() < MOST_MESSAGES && self.parts.len() < MOST_PARTS {
            let Some(message) = messages.next() else { break };
            let start = self.parts.len();
            self.parts.extend(message.parts);
            let parts = start..self.parts.len();
            let bytes = self.parts.iter().skip(start).map(|part| part.len()).sum();
            self.messages.push(Message {
                lane: message.lane.checked_rem(lanes).unwrap_or_default(),
                number: self.messages.len(),
                header: Header { to: message.to, ttl: message.ttl, tos: message.tos },
                size: message.segment.map_or(bytes, |it| usize::from(it.get()).min(bytes)),
                bytes,
                parts,
                fate: SendResult::Sent,
            });
        }
        !self.messages.is_empty()
    }

    /// Lays the messages out as trains.
    pub(super) fn plan(&mut self) {
        let Self { messages, parts, slices, trains, .. } = self;
        slices.clear();
        trains.clear();
        // In place, and one pass over a batch that is in order already.
        messages.sort_unstable_by_key(|message| (message.lane, message.number));
        for (index, message) in messages.iter().enumerate() {
            let parts = parts.get(message.parts.clone()).unwrap_or_default();
            train::lay_out(message, index, parts, slices, trains);
        }
    }
}

/// A message as it was given.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) lane: usize,
    /// Its place among the messages of the call.
    number: usize,
    pub(super) header: Header,
    /// Of each of its datagrams but the last; `bytes` when there is one.
    pub(super) size: usize,
    pub(super) bytes: usize,
    /// Where its parts are.
    pub(super) parts: Range<usize>,
    pub(super) fate: SendResult,
}

/// How a message ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum SendResult {
    Sent,
    Failed,
    TooBig,
}

/// An empty list in the same memory, for borrows of another lifetime.
fn emptied<T, U>(mut list: Vec<T>) -> Vec<U> {
    list.clear();
    // The standard library collects in place when the sizes are equal; a test holds it to that.
    list.into_iter().filter_map(|_| None).collect()
}

pub(super) fn recycled<'a>(list: Vec<IoSlice<'_>>) -> Vec<IoSlice<'a>> {
    emptied(list)
}

/// Messages collected before they are sent: more than a worker reads in one turn.
const MOST_MESSAGES: usize = 512;
/// Parts collected before they are sent.
const MOST_PARTS: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emptied_list_keeps_its_memory() {
        let list = vec![IoSlice::new(b"x"); 100];
        let (place, capacity) = (list.as_ptr().cast::<u8>(), list.capacity());
        let list = recycled(list);
        assert_eq!((list.as_ptr().cast::<u8>(), list.capacity()), (place, capacity));
    }
}
