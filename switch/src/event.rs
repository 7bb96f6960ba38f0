//! What happens to the switch, as told by whoever drives it.

use core::net::Ipv4Addr;

use packet::{Frame, PortId};
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A frame came in on a port.
    Frame {
        /// The port.
        port: PortId,
        /// What came.
        frame: Frame,
    },
    /// A datagram came in on a UDP port of ours: a VXLAN header, then a frame. Consecutive segments
    /// of one flow may have been joined behind one header; the frame's duties then count from the
    /// header's first byte.
    Datagram {
        /// The port with [`Role::Underlay`](crate::port::Role::Underlay).
        port: PortId,
        /// Its outer source address.
        remote: Ipv4Addr,
        /// Its outer traffic class (DSCP and ECN).
        traffic_class: u8,
        /// What came.
        datagram: Frame,
    },
    /// A port's device delivered a frame that contradicts its own header; nothing of it is kept.
    Malformed {
        /// The port.
        port: PortId,
    },
    /// A port's device is there and carries frames.
    PortUp(PortId),
    /// A port's device is gone; what was learned on it is forgotten.
    PortDown(PortId),
    /// Time passed: timers that are due run. Needed at
    /// [`Switch::next_timeout`](crate::Switch::next_timeout).
    Timeout,
}

/// What is kept of a datagram's outer headers.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Outer {
    pub(crate) remote: Ipv4Addr,
    pub(crate) traffic_class: u8,
}
