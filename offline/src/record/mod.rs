//! How a record lies in its file, and its reader. Contents are postcard's.
//!
//! | part of the file | bytes |
//! |---|---|
//! | beginning | `89 t a p s r e c`, the format's number (2, little endian), the length of the version (1), the version |
//! | chunk | its kind (1), its length (4), its CRC-32 (4, of kind and content), its content |
//!
//! The first chunk holds the names and the lab as they are at the beginning, the second the switch,
//! and all others entries (see [`format`](mod@format)), a megabyte or a second of them. What a
//! daemon leaves that was killed, or a full disk, is good up to its last whole chunk.

pub mod format;
mod names;
mod reader;

pub use format::{Ending, Head, RecordEntry, checksum_of};
pub use names::Names;
pub use reader::{Record, Unreadable, is_record};
