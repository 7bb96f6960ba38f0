//! How a record lies in its file; the picture is in the module above. Contents are postcard's.
//!
//! The switch's state is written as its types are, so a record is read by the version that wrote it
//! and by no other: another would not do the same with it.

use packet::{Instant, PortId};
use serde::{Deserialize, Serialize};
use switch::stats::Totals;
use switch::{Change, Event, Switch};

use super::names::Names;
use crate::listing::counts::PortCounts;
use crate::listing::rows::Drops;

/// What every record begins with: no text, and no capture.
pub const MAGIC: [u8; 8] = *b"\x89tapsrec";
/// Another when anything that is written changes its form: derived from the types' declarations
/// when the crate is built.
pub const FORMAT: u16 = match u16::from_str_radix(env!("RECORD_FORMAT"), 10) {
    Ok(format) => format,
    Err(_) => panic!("RECORD_FORMAT is no number"),
};
/// Of the program that writes and reads.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// A chunk's kind, length and checksum.
pub const CHUNK_HEAD: usize = 9;

/// What a chunk holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// [`Head`].
    Head = 1,
    /// The switch as it begins.
    Switch = 2,
    /// [`RecordEntry`]s, one behind another.
    Entries = 3,
}

/// What is known at the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The names that hold at first.
    pub names: Names,
    /// When: by the daemon's clock, which all entries go by.
    pub start: Instant,
    /// The same in nanoseconds since 1970.
    pub since_1970: u64,
    /// What each port had carried.
    pub carried: Vec<(PortId, PortCounts)>,
}

/// What entered the switch, in its order. Written by reference, read by value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum RecordEntry<E = Event, C = Vec<Change>> {
    /// Through the door for events.
    Event(Instant, E),
    /// A change set, through the door for changes; whether the switch refused it will be seen
    /// again.
    Changes(Instant, C),
    /// Nothing entered, but other names hold from now on.
    Names(Box<Names>),
    /// The record was ended in order.
    End(Box<Ending>),
}

/// The switch at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// When.
    pub at: Instant,
    /// Why, in words.
    pub why: String,
    /// What became of all frames.
    pub totals: Totals,
    /// What was dropped.
    pub drops: Vec<Drops>,
    /// CRC-32 of its whole state as bytes.
    pub state: u32,
}

/// What the file begins with.
pub fn beginning() -> Vec<u8> {
    let length = VERSION.len() as u8;
    [&MAGIC[..], &FORMAT.to_le_bytes(), &[length], VERSION.as_bytes()].concat()
}

/// The head of a chunk with this content.
pub fn chunk_head(kind: Kind, content: &[u8]) -> [u8; CHUNK_HEAD] {
    let [l0, l1, l2, l3] = (content.len() as u32).to_le_bytes();
    let [c0, c1, c2, c3] = checksum(kind as u8, content).to_le_bytes();
    [kind as u8, l0, l1, l2, l3, c0, c1, c2, c3]
}

/// CRC-32 of a chunk.
pub fn checksum(kind: u8, content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[kind]);
    crc.update(content);
    crc.finalize()
}

/// CRC-32 of a switch's whole state.
pub fn checksum_of(switch: &Switch) -> Result<u32, postcard::Error> {
    postcard::to_stdvec(switch).map(|bytes| crc32fast::hash(&bytes))
}

#[cfg(test)]
#[path = "../../build/form.rs"]
mod form;

#[cfg(test)]
mod tests {
    use super::form::{items, number};

    const SOURCE: &str = r#"
        use serde::{Deserialize, Serialize};

        /// Why it ended.
        #[derive(Serialize, Deserialize)]
        enum Reason { Runt = 1, PortDown, Lost(u16), Text }

        macro_rules! id { ($name:ident, $inner:ty) => { #[derive(Serialize)] struct $name($inner); } }
        id!(Port, u32);

        #[derive(Clone, Serialize)]
        struct Kept<'a> { count: u32, size: u32, name: &'a str }

        type Guest = Option<Port>;

        impl Serialize for Table { fn serialize<S>(&self) { write("{", '{', self.rows) } }

        #[derive(Clone)]
        struct Beside { count: u32 }

        #[cfg(test)]
        mod tests { #[derive(Serialize)] struct Sample(u8); }
    "#;

    fn changed(from: &str, to: &str) -> bool {
        assert_eq!(SOURCE.matches(from).count(), 1, "{from}");
        number(items(SOURCE)) != number(items(&SOURCE.replacen(from, to, 1)))
    }

    #[test]
    fn what_changes_the_written_form_changes_the_format() {
        for (from, to) in [
            ("count: u32, size", "count: u32, more: u8, size"),
            ("count: u32, size: u32", "size: u32, count: u32"),
            ("size: u32", "size: u64"),
            ("Runt = 1, PortDown", "Runt = 1, Reflected, PortDown"),
            ("Runt = 1, PortDown", "PortDown, Runt = 1"),
            ("Lost(u16)", "Lost(u16, u8)"),
            ("id!(Port, u32);", "id!(Port, u16);"),
            ("id!(Port, u32);", "id!(Port, u32); id!(Bridge, u16);"),
            ("Option<Port>", "Option<u8>"),
            ("self.rows", "self.columns"),
        ] {
            assert!(changed(from, to), "{from} to {to}");
        }
    }

    #[test]
    fn what_is_not_written_changes_no_format() {
        for (from, to) in [
            ("/// Why it ended.", "/// Why a frame ended: { a \" quote, it's."),
            ("use serde::{Deserialize, Serialize};", "use serde::{Serialize, Deserialize};"),
            ("enum Reason {", "enum Reason\n        {\n            // The first.\n"),
            ("struct Beside { count: u32 }", "struct Beside { count: u64 }"),
            ("struct Sample(u8)", "struct Sample(u16)"),
        ] {
            assert!(!changed(from, to), "{from} to {to}");
        }
    }

    #[test]
    fn items_count_wherever_they_stand() {
        let mut moved = items(SOURCE);
        moved.rotate_left(2);
        assert_eq!(moved.len(), 6);
        assert_eq!(number(moved), number(items(SOURCE)));
    }
}
