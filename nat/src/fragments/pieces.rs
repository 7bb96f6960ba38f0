//! The parts of one payload that have come, as a list (RFC 815), in memory that follows what came.

use packet::snapshot::{Damaged, ensure};
use serde::{Deserialize, Serialize};

use crate::fragments::datagram::Spoilt;

/// Parts of a payload, none of which overlap. Their bytes lie one behind the other as they came, so
/// that a fragment far from the others costs no more than its own length.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
    /// In the order of the payload.
    places: Vec<Piece>,
}

/// One part: where it belongs in the payload, and where it lies in the bytes.
#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
struct Piece {
    offset: u16,
    len: u16,
    at: u16,
}

impl Piece {
    const fn end(self) -> usize {
        self.offset as usize + self.len as usize
    }
}

/// Memory is taken in powers of two from these on: bytes, and places.
const LEAST_BYTES: usize = 256;
const LEAST_PLACES: usize = 8;

impl Pieces {
    /// Finds what is wrong with what was read.
    pub(super) fn check(&self) -> Result<(), Damaged> {
        let ordered = self.places.windows(2).all(|two| match two {
            [before, after] => before.end() <= usize::from(after.offset),
            _ => false,
        });
        let inside = self.places.iter().all(|piece| self.bytes_of(*piece).is_some());
        let len: usize = self.places.iter().map(|piece| usize::from(piece.len)).sum();
        let is_sound = ordered && inside && len == self.bytes.len();
        ensure(is_sound, "the parts of a datagram are not where they are said to be")
    }

    /// Payload bytes that have come.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where the farthest part ends.
    pub(super) fn reach(&self) -> usize {
        self.places.last().map_or(0, |piece| piece.end())
    }

    /// Bytes of memory, the same for the same parts.
    pub(super) fn memory(&self) -> usize {
        let places = room(self.places.len(), LEAST_PLACES) * size_of::<Piece>();
        room(self.bytes.len(), LEAST_BYTES) + places
    }

    /// Adds a part; `false` when it has come before. `offset` and length reach no farther than
    /// 65,535.
    pub(super) fn add(&mut self, offset: usize, part: &[u8]) -> Result<bool, Spoilt> {
        let end = offset + part.len();
        let index = self.places.partition_point(|piece| usize::from(piece.offset) < offset);
        let after = self.places.get(index).copied();
        if let Some(same) = after
            && (usize::from(same.offset), same.end()) == (offset, end)
        {
            return if self.bytes_of(same) == Some(part) { Ok(false) } else { Err(Spoilt) };
        }
        let before = index.checked_sub(1).and_then(|index| self.places.get(index));
        let overlaps = before.is_some_and(|before| before.end() > offset)
            || after.is_some_and(|after| usize::from(after.offset) < end);
        let place = [offset, part.len(), self.bytes.len()].map(u16::try_from);
        let ([Ok(offset), Ok(len), Ok(at)], false) = (place, overlaps) else { return Err(Spoilt) };
        grow(&mut self.bytes, part.len(), LEAST_BYTES);
        self.bytes.extend_from_slice(part);
        grow(&mut self.places, 1, LEAST_PLACES);
        self.places.insert(index, Piece { offset, len, at });
        Ok(true)
    }

    /// The part at the payload's beginning, if it has come.
    pub(super) fn first(&self) -> Option<&[u8]> {
        let first = self.places.first().filter(|piece| piece.offset == 0);
        first.and_then(|piece| self.bytes_of(*piece))
    }

    /// Puts all parts to their places in a payload.
    pub(super) fn copy_to(&self, payload: &mut [u8]) {
        for piece in &self.places {
            let place = payload.get_mut(usize::from(piece.offset)..piece.end());
            if let (Some(place), Some(bytes)) = (place, self.bytes_of(*piece)) {
                place.copy_from_slice(bytes);
            }
        }
    }

    fn bytes_of(&self, piece: Piece) -> Option<&[u8]> {
        let at = usize::from(piece.at);
        self.bytes.get(at..at + usize::from(piece.len))
    }
}

/// For how many there is room when so many are kept.
const fn room(len: usize, least: usize) -> usize {
    let room = len.next_power_of_two();
    if room < least { least } else { room }
}

/// Makes room for `more`, and for no more than [`room`] says.
fn grow<T>(list: &mut Vec<T>, more: usize, least: usize) {
    let needed = room(list.len() + more, least);
    if list.capacity() < needed {
        list.reserve_exact(needed - list.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_piece_is_told_from_an_overlap() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.add(16, &[5; 5]).ok(), Some(true));
        assert_eq!(pieces.add(0, &[7; 16]).ok(), Some(true));
        assert_eq!(pieces.add(16, &[5; 5]).ok(), Some(false));
        for (offset, len) in [(0, 8), (8, 8), (0, 24), (16, 4), (8, 16)] {
            assert!(pieces.add(offset, &[7; 24][..len]).is_err(), "{offset} {len}");
        }
        assert!(pieces.add(16, &[6; 5]).is_err(), "other bytes in the same place");
        assert_eq!((pieces.len(), pieces.reach()), (21, 21));
        let mut payload = [0; 21];
        pieces.copy_to(&mut payload);
        assert_eq!(payload, *[&[7; 16][..], &[5; 5]].concat());
        assert_eq!(pieces.first(), Some(&[7; 16][..]));
    }

    #[test]
    fn memory_follows_what_came_and_not_where_it_belongs() {
        let mut far = Pieces::default();
        assert_eq!(far.add(65_000, &[1; 8]).ok(), Some(true));
        assert!(far.memory() < 512, "{}", far.memory());
        let mut many = Pieces::default();
        for at in 0..1000 {
            assert_eq!(many.add(at * 8, &[1; 8]).ok(), Some(true));
            let held = many.bytes.capacity() + many.places.capacity() * size_of::<Piece>();
            assert_eq!(many.memory(), held);
        }
    }
}
