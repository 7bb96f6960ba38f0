//! Limits and timers of the switch as a whole.

use std::num::NonZeroU16;
use std::time::Duration;

/// `[switch]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Packet threads, 1 to 64; `None` for as many as the machine suggests.
    pub workers: Option<NonZeroU16>,
    /// Tracked connections in all.
    pub flows: u32,
    /// Tracked connections of one inside host; not more than `flows`.
    pub flows_per_host: u32,
    /// Neighbours remembered in all.
    pub neighbors: u32,
    /// ICMP errors a second.
    pub icmp_errors: u32,
    /// When idle state is forgotten.
    pub timeouts: Timeouts,
}

/// `[switch.timeouts]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// An idle UDP flow.
    pub udp: Duration,
    /// An idle, established TCP connection.
    pub tcp_established: Duration,
    /// A TCP connection that opens or closes.
    pub tcp_transitory: Duration,
    /// An ICMP query without an answer.
    pub icmp: Duration,
    /// A neighbour is trusted this long without a new proof.
    pub neighbor_reachable: Duration,
    /// A neighbour that nobody asks for is forgotten.
    pub neighbor_stale: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: None,
            flows: 262_144,
            flows_per_host: 16_384,
            neighbors: 8_192,
            icmp_errors: 1_000,
            timeouts: Timeouts::default(),
        }
    }
}

/// RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 5508 REQ-2; for neighbours, RFC 4861's reachable time and Linux' patience.
impl Default for Timeouts {
    fn default() -> Self {
        Self {
            udp: Duration::from_secs(300),
            tcp_established: Duration::from_secs(7_440),
            tcp_transitory: Duration::from_secs(240),
            icmp: Duration::from_secs(60),
            neighbor_reachable: Duration::from_secs(30),
            neighbor_stale: Duration::from_secs(600),
        }
    }
}
