//! How long a flow may be silent before it is forgotten.

use core::time::Duration;

use packet::Protocol;
use serde::{Deserialize, Serialize};

use crate::flow::Flow;
use crate::tcp::State;

/// Idle times after which flows end, each to be set singly. Under a second counts as one.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lifetimes {
    /// UDP until both sides have spoken twice.
    pub udp_unreplied: Duration,
    /// UDP from then on.
    pub udp_stream: Duration,
    /// TCP until the handshake is complete.
    pub tcp_opening: Duration,
    /// TCP once it is established.
    pub tcp_established: Duration,
    /// TCP once a side has closed.
    pub tcp_closing: Duration,
    /// TCP once both have closed.
    pub tcp_time_wait: Duration,
    /// TCP after a reset.
    pub tcp_close: Duration,
    /// An ICMP query that waits for its reply.
    pub icmp_unreplied: Duration,
    /// ICMP queries once a reply came.
    pub icmp_replied: Duration,
    /// Any other protocol.
    pub other: Duration,
}

impl Lifetimes {
    /// The defaults of RFC 4787 REQ-5, RFC 5382 REQ-5 and RFC 5508 REQ-2.
    pub const RFC: Self = Self {
        udp_unreplied: Duration::from_secs(300),
        udp_stream: Duration::from_secs(300),
        tcp_opening: Duration::from_secs(240),
        tcp_established: Duration::from_secs(7440),
        tcp_closing: Duration::from_secs(240),
        tcp_time_wait: Duration::from_secs(240),
        tcp_close: Duration::from_secs(240),
        icmp_unreplied: Duration::from_secs(60),
        icmp_replied: Duration::from_secs(60),
        other: Duration::from_secs(300),
    };

    /// The defaults of Linux's `nf_conntrack`.
    pub const LINUX: Self = Self {
        udp_unreplied: Duration::from_secs(30),
        udp_stream: Duration::from_secs(120),
        tcp_opening: Duration::from_secs(120),
        tcp_established: Duration::from_secs(432_000),
        tcp_closing: Duration::from_secs(120),
        tcp_time_wait: Duration::from_secs(120),
        tcp_close: Duration::from_secs(10),
        icmp_unreplied: Duration::from_secs(30),
        icmp_replied: Duration::from_secs(30),
        other: Duration::from_secs(600),
    };

    /// The defaults of Open vSwitch's userspace connection tracker.
    pub const OVS: Self = Self {
        udp_unreplied: Duration::from_secs(60),
        udp_stream: Duration::from_secs(30),
        tcp_opening: Duration::from_secs(30),
        tcp_established: Duration::from_secs(86_400),
        tcp_closing: Duration::from_secs(900),
        tcp_time_wait: Duration::from_secs(45),
        tcp_close: Duration::from_secs(30),
        icmp_unreplied: Duration::from_secs(60),
        icmp_replied: Duration::from_secs(30),
        other: Duration::from_secs(60),
    };

    /// How long `flow` may be silent from now on.
    pub(crate) fn of(&self, flow: &Flow) -> Duration {
        let replied = flow.is_replied();
        let span = match flow.tcp() {
            Some(tcp) => match tcp.state() {
                State::SynSent | State::SynSent2 | State::SynReceived => self.tcp_opening,
                // Picked up in midstream: short until the other side proves that it is there.
                State::Established if !replied => self.tcp_opening,
                State::Established => self.tcp_established,
                State::FinWait | State::CloseWait | State::LastAck => self.tcp_closing,
                State::TimeWait => self.tcp_time_wait,
                State::Close => self.tcp_close,
            },
            None => match flow.protocol() {
                Protocol::UDP if flow.is_assured() => self.udp_stream,
                Protocol::UDP => self.udp_unreplied,
                Protocol::ICMP if replied => self.icmp_replied,
                Protocol::ICMP => self.icmp_unreplied,
                _ => self.other,
            },
        };
        span.max(Duration::from_secs(1))
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self::RFC
    }
}
