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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_last_in_first_out_and_within_the_limit() {
        let mut pool = Pool::new(2);
        assert!(pool.is_empty());
        let frames = [1, 2, 3].map(|len| {
            let mut frame = pool.take();
            assert!(frame.append(&[len; 9]));
            frame
        });
        let places = [&frames[0], &frames[1]].map(|frame| frame.bytes().as_ptr());
        for (given, frame) in frames.into_iter().enumerate() {
            assert_eq!(pool.len(), given.min(2));
            pool.give(frame);
        }
        pool.give(Frame::copied_from(&[0; 60]).compact());
        assert_eq!((pool.len(), pool.is_empty()), (2, false));
        for place in places.into_iter().rev() {
            let frame = pool.take();
            assert!(frame.is_empty());
            assert_eq!(frame.bytes().as_ptr(), place);
        }
        assert!(pool.is_empty());
    }
}
