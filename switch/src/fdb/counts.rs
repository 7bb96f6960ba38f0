//! What a forwarding database counts.

use serde::{Deserialize, Serialize};

/// Counts since the bridge was made.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FdbCounts {
    /// Stations learned.
    pub learned: u64,
    /// Stations forgotten for silence.
    pub expired: u64,
    /// Stations forgotten for room.
    pub evicted: u64,
    /// Stations that changed port.
    pub moved: u64,
    /// Frames from a station that is bound elsewhere.
    pub refused: u64,
}
