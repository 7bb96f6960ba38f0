//! Limits and timers of the switch as a whole.

use std::fmt;
use std::num::NonZeroU16;
use std::time::Duration;

use nat::Lifetimes;

use super::threads::Poll;

/// `[switch]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Packet threads, 1 to 64; `None` for as many as the machine suggests.
    pub workers: Option<NonZeroU16>,
    /// Worker i stays on `cpus[i % n]`; anywhere when empty. At most 64.
    pub cpus: Vec<u16>,
    /// How long an idle worker looks for frames before it sleeps.
    pub poll: Poll,
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

/// Whose timers hold where none is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timers {
    /// The RFCs': patient.
    #[default]
    Rfc,
    /// Those of Linux's `nf_conntrack`.
    Linux,
    /// Those of Open vSwitch's userspace connection tracker.
    Ovs,
}

impl Timers {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rfc, Self::Linux, Self::Ovs];

    /// The idle times of flows.
    pub const fn lifetimes(self) -> Lifetimes {
        match self {
            Self::Rfc => Lifetimes::RFC,
            Self::Linux => Lifetimes::LINUX,
            Self::Ovs => Lifetimes::OVS,
        }
    }
}

impl fmt::Display for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rfc => "rfc",
            Self::Linux => "linux",
            Self::Ovs => "ovs",
        })
    }
}

/// `timers` and `[switch.timeouts]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// When idle flows end.
    pub flows: Lifetimes,
    /// A neighbour is trusted this long without a new proof.
    pub neighbor_reachable: Duration,
    /// A neighbour that nobody asks for is forgotten.
    pub neighbor_stale: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: None,
            cpus: Vec::new(),
            poll: Poll::OFF,
            flows: 262_144,
            flows_per_host: 16_384,
            neighbors: 8_192,
            icmp_errors: 1_000,
            timeouts: Timeouts::default(),
        }
    }
}

/// For flows, those of the RFCs; for neighbours, RFC 4861's reachable time and Linux' patience.
impl Default for Timeouts {
    fn default() -> Self {
        Self {
            flows: Timers::default().lifetimes(),
            neighbor_reachable: Duration::from_secs(30),
            neighbor_stale: Duration::from_secs(600),
        }
    }
}
