//! Which parts of a datagram have come, in blocks of 8 bytes, and where fragments began.

use packet::snapshot::{Damaged, ensure};
use serde::{Deserialize, Serialize};

/// Blocks of the largest datagram: 65,535 bytes, rounded up.
const BLOCKS: usize = 8192;
const WORDS: usize = BLOCKS / 64;

/// Two bits for each block: 2 KiB, made once for each place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Blocks {
    present: Vec<u64>,
    starts: Vec<u64>,
    count: usize,
}

impl Blocks {
    /// Without memory until [`Blocks::clear`] or [`Blocks::set`] is called.
    pub(super) const fn new() -> Self {
        Self { present: Vec::new(), starts: Vec::new(), count: 0 }
    }

    /// Finds what is wrong with what was read.
    pub(super) fn check(&self) -> Result<(), Damaged> {
        let lengths = [&self.present, &self.starts].map(Vec::len);
        let count: u32 = self.present.iter().map(|word| word.count_ones()).sum();
        let is_sound = lengths == [WORDS; 2] && self.count == count as usize;
        ensure(is_sound, "the parts of a datagram are miscounted")
    }

    /// Nothing has come.
    pub(super) fn clear(&mut self) {
        for bits in [&mut self.present, &mut self.starts] {
            bits.clear();
            bits.resize(WORDS, 0);
        }
        self.count = 0;
    }

    /// Blocks that have come.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Whether any of these bytes has come. `offset` is a multiple of 8.
    pub(super) fn any(&self, offset: usize, len: usize) -> bool {
        blocks(offset, len).any(|block| has(&self.present, block))
    }

    /// Whether one fragment of just these bytes has come, up to the length of its last block.
    pub(super) fn is_piece(&self, offset: usize, len: usize) -> bool {
        let after = (offset + len).div_ceil(8);
        let ends = !has(&self.present, after) || has(&self.starts, after);
        let mut pieces = blocks(offset, len);
        let begins = pieces.next().is_some_and(|block| has(&self.starts, block));
        begins && ends && pieces.all(|block| has(&self.present, block) && !has(&self.starts, block))
    }

    /// A fragment of these bytes has come, none of which had come.
    pub(super) fn set(&mut self, offset: usize, len: usize) {
        put(&mut self.starts, offset / 8);
        for block in blocks(offset, len) {
            put(&mut self.present, block);
            self.count += 1;
        }
    }
}

fn blocks(offset: usize, len: usize) -> core::ops::Range<usize> {
    offset / 8..(offset + len).div_ceil(8)
}

fn has(bits: &[u64], block: usize) -> bool {
    bits.get(block / 64).is_some_and(|word| word & (1 << (block % 64)) != 0)
}

fn put(bits: &mut [u64], block: usize) {
    if let Some(word) = bits.get_mut(block / 64) {
        *word |= 1 << (block % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_piece_is_told_from_an_overlap() {
        let mut blocks = Blocks::new();
        blocks.clear();
        blocks.set(0, 16);
        blocks.set(16, 5);
        assert!(blocks.is_piece(0, 16) && blocks.is_piece(16, 5));
        assert!(!blocks.is_piece(0, 8) && !blocks.is_piece(8, 8) && !blocks.is_piece(0, 24));
        assert!(!blocks.any(24, 8));
        assert_eq!(blocks.count(), 3);
    }
}
