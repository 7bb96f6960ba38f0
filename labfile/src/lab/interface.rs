//! The places where the switch itself has an address.

use std::fmt;

use packet::{Ipv4Net, Mac, VlanId};
use serde::{Deserialize, Serialize};
use switch::change::RpFilter;

use super::name::Name;

/// "wan" for a routed port, "br0" for a bridge's untagged segment, "br0.10" for its VLAN 10.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InterfaceName {
    /// The bridge or the routed port.
    pub owner: Name,
    /// [`VlanId::UNTAGGED`] for routed ports and untagged segments.
    pub vlan: VlanId,
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.vlan.is_untagged() {
            write!(f, "{}", self.owner)
        } else {
            write!(f, "{}.{}", self.owner, self.vlan)
        }
    }
}

/// An interface of the router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface<'lab> {
    /// Who it is.
    pub name: InterfaceName,
    /// The switch's own addresses with their subnets, the first being the one it speaks from;
    /// never empty.
    pub addresses: &'lab [Ipv4Net],
    /// The switch's own Ethernet address.
    pub mac: Mac,
    /// Largest IPv4 packet that leaves here, in bytes.
    pub mtu: u16,
    /// From whom packets are taken here.
    pub rp_filter: RpFilter,
}
