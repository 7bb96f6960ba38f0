//! Buffers that come back: the packet path allocates nothing once warm.

use crate::frame::{BUFFER_LEN, Frame, HEADROOM};

/// A last-in-first-out store of frames, so that the buffer used next is the one the cache still
/// holds.
///
/// Bounded: at most `limit` buffers (each [`BUFFER_LEN`] bytes) are kept; more are freed.
#[derive(Debug)]
pub struct Pool {
    free: Vec<Frame>,
    limit: usize,
}

impl Pool {
    /// An empty pool that keeps up to `limit` buffers.
    pub fn new(limit: usize) -> Self {
        Self { free: Vec::with_capacity(limit), limit }
    }

    /// An empty frame in a full-size buffer; allocates only when the pool is empty.
    #[inline]
    pub fn take(&mut self) -> Frame {
        self.free.pop().unwrap_or_else(|| Frame::in_buffer(vec![0; BUFFER_LEN].into_boxed_slice()))
    }

    /// Takes a frame's buffer back; small (compacted) buffers are freed.
    #[inline]
    pub fn give(&mut self, mut frame: Frame) {
        if frame.capacity() == BUFFER_LEN - HEADROOM && self.free.len() < self.limit {
            frame.received(0, 0);
            self.free.push(frame);
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
