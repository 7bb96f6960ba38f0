//! What ports have carried, and what workers have done.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One reading of a port's counters. A super-frame counts as one frame. Received and sent are the
/// switch's view: what the far end sent is received here.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PortCounts {
    /// Frames that came in.
    pub received_frames: u64,
    /// Their bytes, Ethernet header included.
    pub received_bytes: u64,
    /// Frames that went out.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames that the device refused.
    pub failed_frames: u64,
    /// Copies of flooded frames that found no room to wait in.
    pub crowded_frames: u64,
}

/// One reading of a worker.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerCounts {
    /// The processor that it stays on.
    pub cpu: Option<u16>,
    /// How often it went on looking for frames.
    pub spells: u64,
    /// How many of these met a frame.
    pub hits: u64,
    /// What they took.
    pub polled: Duration,
}
