//! What happens to the switch, as told by whoever drives it.

use packet::{Frame, PortId};

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    /// A frame came in on a port.
    Frame {
        /// The port.
        port: PortId,
        /// What came.
        frame: Frame,
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
    /// Time passed: timers that are due run. Needed at [`Switch::next_timeout`](crate::Switch::next_timeout).
    Timeout,
}
