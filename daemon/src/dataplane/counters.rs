//! What a port has carried: atomics that workers add to once a batch and anybody may read without a
//! lock.

use std::sync::atomic::{AtomicU64, Ordering};

use offline::listing::counts::PortCounts;

/// Counters of one port.
#[derive(Debug, Default)]
pub struct Counters {
    received: Pair,
    sent: Pair,
    failed: AtomicU64,
    crowded: AtomicU64,
}

#[derive(Debug, Default)]
struct Pair {
    frames: AtomicU64,
    bytes: AtomicU64,
}

impl Pair {
    fn add(&self, frames: u64, bytes: u64) {
        self.frames.fetch_add(frames, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn read(&self) -> (u64, u64) {
        (self.frames.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

impl Counters {
    pub(super) fn received(&self, frames: u64, bytes: u64) {
        self.received.add(frames, bytes);
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.sent.add(1, bytes);
    }

    /// `failed` of `count` frames did not leave.
    pub(super) fn sent_many(&self, count: u64, bytes: u64, failed: u64) {
        self.sent.add(count.saturating_sub(failed), bytes);
        self.failed.fetch_add(failed, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// A copy of a flooded frame found no room to wait in.
    pub(super) fn crowded(&self) {
        self.crowded.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn read(&self) -> PortCounts {
        let (received_frames, received_bytes) = self.received.read();
        let (sent_frames, sent_bytes) = self.sent.read();
        let failed_frames = self.failed.load(Ordering::Relaxed);
        let crowded_frames = self.crowded.load(Ordering::Relaxed);
        PortCounts {
            received_frames,
            received_bytes,
            sent_frames,
            sent_bytes,
            failed_frames,
            crowded_frames,
        }
    }
}
