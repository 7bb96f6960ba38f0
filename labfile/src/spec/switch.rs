//! What is written of the switch as a whole.

use serde::{Deserialize, Serialize};

/// `[switch]`: what belongs to no bridge and no port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SwitchSpec {
    /// Packet threads, and queues of every device: one per core, at most 4, when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<i64>,
    /// Processors that the threads stay on, in turn; anywhere when left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<i64>,
    /// How long an idle thread looks for frames before it sleeps: "200us", "2ms", "off" (default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<String>,
    /// Tracked connections in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flows: Option<i64>,
    /// Tracked connections that one host began, by one port of the switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flows_per_host: Option<i64>,
    /// Neighbours remembered in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbors: Option<i64>,
    /// ICMP errors a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_errors: Option<i64>,
    /// Whose timers hold where none is written: "rfc" (default), "linux" or "ovs".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timers: Option<String>,
    /// `[switch.timeouts]`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<TimeoutsSpec>,
}

/// `[switch.timeouts]`: seconds. A key for one state wins over the key for all of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutsSpec {
    /// An idle UDP flow, answered or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp: Option<i64>,
    /// A UDP flow until both sides have spoken twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp_unreplied: Option<i64>,
    /// A UDP flow from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp_stream: Option<i64>,
    /// An idle, established TCP connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_established: Option<i64>,
    /// A TCP connection that opens or closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_transitory: Option<i64>,
    /// A TCP connection until its handshake is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_opening: Option<i64>,
    /// A TCP connection once a side has closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_closing: Option<i64>,
    /// A TCP connection once both sides have closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_time_wait: Option<i64>,
    /// A TCP connection after a reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_close: Option<i64>,
    /// An ICMP query, answered or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp: Option<i64>,
    /// An ICMP query without an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_unreplied: Option<i64>,
    /// An ICMP query once it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_replied: Option<i64>,
    /// A flow of any other protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<i64>,
    /// A neighbour is trusted this long without a new proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbor_reachable: Option<i64>,
    /// A neighbour that nobody asks for is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbor_stale: Option<i64>,
}
