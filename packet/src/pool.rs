//! Buffers that come back: the packet path allocates nothing once warm.

use crate::frame::{BUFFER_LEN, Frame};

/// A last-in-first-out store of buffers, so that the one used next is the one the cache still holds.
///
/// Bounded: at most `limit` buffers (each [`BUFFER_LEN`] bytes) are kept; more are freed.
#[derive(Debug)]
pub struct Pool {
    free: Vec<Box<[u8]>>,
    limit: usize,
}

impl Pool {
    /// An empty pool that keeps up to `limit` buffers.
    pub fn new(limit: usize) -> Self {
        Self { free: Vec::with_capacity(limit), limit }
    }

    /// An empty frame in a full-size buffer; allocates only when the pool is empty.
    pub fn take(&mut self) -> Frame {
        let buffer = self.free.pop().unwrap_or_else(|| vec![0; BUFFER_LEN].into_boxed_slice());
        Frame::in_buffer(buffer)
    }

    /// Takes a frame's buffer back; small (compacted) buffers are freed.
    pub fn give(&mut self, frame: Frame) {
        let buffer = frame.into_buffer();
        if buffer.len() == BUFFER_LEN && self.free.len() < self.limit {
            self.free.push(buffer);
        }
    }

    /// Buffers at rest here.
    pub fn len(&self) -> usize {
        self.free.len()
    }

    /// Whether the next [`Pool::take`] allocates.
    pub fn is_empty(&self) -> bool {
        self.free.is_empty()
    }
}
