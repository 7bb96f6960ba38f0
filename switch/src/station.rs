//! A station as the forwarding database knows it: where it is, and how that came to be known.

use core::net::Ipv4Addr;
use core::time::Duration;

use packet::{BridgeId, InterfaceId, Mac, PortId, VlanId};
use serde::{Deserialize, Serialize};

/// A VLAN of a bridge: where a frame to a group goes everywhere.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) bridge: BridgeId,
    pub(crate) vlan: VlanId,
}

/// Where a station is.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Location {
    /// Behind a port.
    Port(PortId),
    /// Behind a remote VTEP of a tunnel.
    Remote {
        /// The tunnel.
        tunnel: PortId,
        /// The VTEP's address.
        remote: Ipv4Addr,
    },
    /// It is the router's own end.
    Router(InterfaceId),
}

impl Location {
    /// The port or tunnel; none for the router's own end.
    pub const fn port(self) -> Option<PortId> {
        match self {
            Self::Port(port) | Self::Remote { tunnel: port, .. } => Some(port),
            Self::Router(_) => None,
        }
    }

    /// Whether it is beyond a tunnel.
    pub const fn is_remote(self) -> bool {
        matches!(self, Self::Remote { .. })
    }
}

/// How an entry came to be.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StationOrigin {
    /// Heard speaking.
    Learned,
    /// Written by somebody.
    Static,
    /// The router's own address.
    Own,
}

/// One line of a listing.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Station {
    /// Its address.
    pub mac: Mac,
    /// The VLAN it is in.
    pub vlan: VlanId,
    /// Where it is.
    pub location: Location,
    /// How the entry came to be.
    pub origin: StationOrigin,
    /// Since it was last heard.
    pub age: Duration,
}
