//! Records: the whole state of a running switch, then everything that enters it, in one file.
//!
//! # Theory of operation
//! A switch does the same with the same events, to the bit; so its state at one moment and what
//! came in since are enough to live that time again, on any machine. What comes in does so under
//! the switch's lock, in one order. There the [`Recorder`] stands: it writes each event down ahead
//! of the step, into memory (`tape`), and a thread of its own writes that to the file (`writer`).
//! No packet waits for the disk. When the disk takes in less than the ports carry, or is full, the
//! record ends, for one with holes would be worth nothing.
//!
//! A record begins with a clone of the switch, made under the lock and written down outside:
//! packets wait for the clone alone, with 80,000 flows 50 to 100 ms where the memory for it is
//! fresh, mostly less than half of that where it is not. It ends, when it is stopped or has reached
//! its limits, with the counts as they are then and a checksum of the state, so that a replay can
//! tell whether it is equal.
//!
//! How it lies in the file is said where it is read: [`offline::record`].

mod error;
mod recorder;
mod tape;
#[cfg(test)]
mod tests;
mod writer;

pub use error::RecordError;
pub(crate) use recorder::Recorder;

/// The largest file when nobody says otherwise: 256 MiB.
pub const DEFAULT_SIZE: u64 = 256 << 20;
/// The smallest file that may be asked for: 1 MiB.
pub const LEAST_SIZE: u64 = 1 << 20;
