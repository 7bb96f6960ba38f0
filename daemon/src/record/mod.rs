//! Records: the whole state of a running switch, then everything that enters it, in one file.
//!
//! # Theory of operation
//! A switch does the same with the same events, to the bit; so its state at one moment and what came in since are
//! enough to live that time again, on any machine. What comes in does so under the switch's lock, in one order. There
//! the [`Recorder`] stands: it writes each event down ahead of the step, into memory (`tape`), and a thread of its own
//! writes that to the file (`writer`). No packet waits for the disk. When the disk takes in less than the ports carry,
//! or is full, the record ends, for one with holes would be worth nothing.
//!
//! A record begins with a clone of the switch, made under the lock and written down outside: packets wait for the
//! clone alone, with 80,000 flows 50 to 100 ms where the memory for it is fresh, mostly less than half of that where it is
//! not. It ends, when it is stopped or has reached its limits, with the counts
//! as they are then and a checksum of the state, so that a replay can tell whether it is equal.
//!
//! | part of the file | bytes |
//! |---|---|
//! | beginning | `89 t a p s r e c`, the format's number (2, little endian), the length of the version (1), the version |
//! | chunk | its kind (1), its length (4), its CRC-32 (4, of kind and content), its content |
//!
//! The first chunk holds the names and the lab as they are at the beginning, the second the switch, and all others
//! entries (see `format`), a megabyte or a second of them. What a daemon leaves that was killed, or a full disk, is
//! good up to its last whole chunk.

mod error;
mod format;
mod names;
mod reader;
mod recorder;
mod status;
mod tape;
mod writer;

pub use error::RecordError;
pub(crate) use format::{Ending, Entry, Head};
pub(crate) use names::Names;
pub use reader::Unreadable;
pub(crate) use reader::{Record, is_record};
pub(crate) use recorder::Recorder;
pub use status::{RecordSpec, RecordState, RecordStatus};
pub(crate) use writer::checksum_of;

/// The largest file when nobody says otherwise: 256 MiB.
pub const DEFAULT_SIZE: u64 = 256 << 20;
/// The smallest file that may be asked for: 1 MiB.
pub const LEAST_SIZE: u64 = 1 << 20;
