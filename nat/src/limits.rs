//! How many flows there may be, in all and for one host. What happens there is `eviction`'s matter.

use serde::{Deserialize, Serialize};

/// Caps on flows. At a cap the new takes the place of one that is closed, unanswered or idle; where there is none, it
/// is refused, and the established stay.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// All flows; at most [`Limits::MOST_FLOWS`]. About 200 bytes each, 380 in the worst case; touched as they are used.
    pub flows: usize,
    /// Flows that one host began, inside or outside, by one port of the switch: so one cannot starve the others (RFC 6888
    /// REQ-4).
    pub flows_per_host: usize,
}

impl Limits {
    /// More flows than this are not to be had: 4.4 GB.
    pub const MOST_FLOWS: usize = 1 << 24;
}

impl Default for Limits {
    /// As many flows as Linux tracks on a machine with 8 GiB, and as many for a host as four busy browsers need.
    fn default() -> Self {
        Self { flows: 262_144, flows_per_host: 16_384 }
    }
}
