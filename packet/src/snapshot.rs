//! Values as bytes and back, for whoever keeps a switch's state: what serde's derives cannot say of
//! our types.
//!
//! Bytes that are read may have been written by anybody. A value whose doc names legal values is
//! checked as it is read; what only several values together can contradict is found by the tables
//! that hold them, and told as [`Damaged`].

use core::fmt;
use core::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

pub use crate::damaged::{Damaged, ensure};
use crate::frame::{BUFFER_LEN, Frame, HEADROOM};
use crate::offload::Offload;
use crate::vlan::Tag;

/// A count that has room for all that can still happen: below 2^63.
pub const fn is_count(count: u64) -> bool {
    count < 1 << 63
}

/// Reads a span that an [`Instant`](crate::Instant) can be moved by: at most 2^64 ns, 584 years.
///
/// # Errors
/// The reader's, for a longer one.
pub fn span<'de, D: Deserializer<'de>>(reader: D) -> Result<Duration, D::Error> {
    let span = Duration::deserialize(reader)?;
    match u64::try_from(span.as_nanos()) {
        Ok(_) => Ok(span),
        Err(_) => Err(D::Error::custom("a span is longer than time lasts")),
    }
}

/// Writes words of which most are zero: how many there are not, then each with its position.
///
/// # Errors
/// The writer's.
pub fn write_sparse<S: Serializer>(words: &[u64], writer: S) -> Result<S::Ok, S::Error> {
    let words = (0u32..).zip(words).filter(|(_, word)| **word != 0);
    writer.collect_seq(words.collect::<Vec<_>>())
}

/// Reads `N` words as [`write_sparse`] writes them.
///
/// # Errors
/// The reader's, for a position that is not below `N`.
pub fn read_sparse<'de, const N: usize, D: Deserializer<'de>>(
    reader: D,
) -> Result<Vec<u64>, D::Error> {
    let mut words = vec![0; N];
    for (at, word) in Vec::<(u32, u64)>::deserialize(reader)? {
        let place = words.get_mut(at as usize);
        *place.ok_or_else(|| D::Error::custom("a position is beyond its table"))? = word;
    }
    Ok(words)
}

/// Reads a number of a port, bridge or interface, which stands for a position in a table: at most
/// 65,535.
pub(crate) fn position<'de, T, D>(reader: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Copy + Into<u64>,
    D: Deserializer<'de>,
{
    let number = T::deserialize(reader)?;
    match number.into() <= MOST_POSITIONS {
        true => Ok(number),
        false => Err(D::Error::custom("a number is beyond every table")),
    }
}

/// Far more than a machine has devices, and little enough that a table as long does no harm.
const MOST_POSITIONS: u64 = 65_535;

impl Serialize for Frame {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        (self.tag(), self.offload(), Bytes(self.bytes())).serialize(writer)
    }
}

impl<'de> Deserialize<'de> for Frame {
    /// The frame lies in a buffer of its own size.
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let (tag, offload, Bytes(bytes)) =
            <(Option<Tag>, Offload, Bytes<'de>)>::deserialize(reader)?;
        if bytes.len() > BUFFER_LEN - HEADROOM {
            return Err(D::Error::custom("a frame is longer than any buffer"));
        }
        let mut frame = Self::copied_from(bytes);
        frame.set_tag(tag);
        frame.set_offload(offload);
        Ok(frame)
    }
}

/// Bytes that are written as one piece, and read where they lie.
#[derive(Copy, Clone, Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.serialize_bytes(self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Whole;
        impl<'de> Visitor<'de> for Whole {
            type Value = Bytes<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Bytes(bytes))
            }
        }
        reader.deserialize_bytes(Whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_a_sentence_and_counts_have_room() {
        assert_eq!(ensure(true, "nothing"), Ok(()));
        let damaged = ensure(false, "two flows are one").unwrap_err();
        assert_eq!(damaged.to_string(), "the state contradicts itself: two flows are one");
        assert!(is_count((1 << 63) - 1) && !is_count(1 << 63));
    }
}
