//! What happens to packets for a destination.

use std::fmt;
use std::net::Ipv4Addr;

use switch::change::Reject;

use super::interface::InterfaceName;

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// To another router.
    Via {
        /// Its address, in a subnet of `out`.
        gateway: Ipv4Addr,
        /// The interface with that subnet.
        out: InterfaceName,
    },
    /// The destinations are neighbours on this interface.
    Out(InterfaceName),
    /// Nowhere.
    Reject(Reject),
}

impl NextHop {
    /// The interface that packets leave by.
    pub fn out(&self) -> Option<&InterfaceName> {
        match self {
            Self::Via { out, .. } | Self::Out(out) => Some(out),
            Self::Reject(_) => None,
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Via { gateway, out } => write!(f, "via {gateway} out {out}"),
            Self::Out(out) => write!(f, "out {out}"),
            Self::Reject(reject) => write!(f, "{reject}"),
        }
    }
}
