//! How a record lies in its file; the picture is in the module above. Contents are postcard's.
//!
//! The switch's state is written as its types are, so a record is read by the version that wrote it and by no other:
//! another would not do the same with it.

use packet::{Instant, PortId};
use serde::{Deserialize, Serialize};
use switch::stats::Totals;
use switch::{Change, Event};

use super::names::Names;
use crate::dataplane::PortCounts;
use crate::engine::rows::Drops;

/// What every record begins with: no text, and no capture.
pub(super) const MAGIC: [u8; 8] = *b"\x89tapsrec";
/// Rises when anything that is written changes its form.
pub(super) const FORMAT: u16 = 9;
/// Of the program that writes and reads.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// A chunk's kind, length and checksum.
pub(super) const CHUNK_HEAD: usize = 9;

/// What a chunk holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Head = 1,
    Switch = 2,
    Entries = 3,
}

/// What is known at the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) names: Names,
    /// When: by the daemon's clock, which all entries go by.
    pub(crate) start: Instant,
    /// The same in nanoseconds since 1970.
    pub(crate) since_1970: u64,
    /// What each port had carried.
    pub(crate) carried: Vec<(PortId, PortCounts)>,
}

/// What entered the switch, in its order. Written by reference, read by value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Entry<E = Event, C = Change> {
    /// Through the door for events.
    Event(Instant, E),
    /// Through the door for changes; whether the switch refused it will be seen again.
    Change(Instant, C),
    /// Nothing entered, but other names hold from now on.
    Names(Box<Names>),
    /// The record was ended in order.
    End(Box<Ending>),
}

/// The switch at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) at: Instant,
    pub(crate) why: String,
    pub(crate) totals: Totals,
    pub(crate) drops: Vec<Drops>,
    /// CRC-32 of its whole state as bytes.
    pub(crate) state: u32,
}

/// What the file begins with.
pub(super) fn beginning() -> Vec<u8> {
    let length = VERSION.len() as u8;
    [&MAGIC[..], &FORMAT.to_le_bytes(), &[length], VERSION.as_bytes()].concat()
}

/// The head of a chunk with this content.
pub(super) fn chunk_head(kind: Kind, content: &[u8]) -> [u8; CHUNK_HEAD] {
    let [l0, l1, l2, l3] = (content.len() as u32).to_le_bytes();
    let [c0, c1, c2, c3] = checksum(kind as u8, content).to_le_bytes();
    [kind as u8, l0, l1, l2, l3, c0, c1, c2, c3]
}

/// CRC-32 of a chunk.
pub(super) fn checksum(kind: u8, content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[kind]);
    crc.update(content);
    crc.finalize()
}
