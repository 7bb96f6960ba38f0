//! A publish rule: a port of the router's that stands for a service inside (DNAT).

use core::net::{Ipv4Addr, SocketAddrV4};

use packet::{InterfaceId, Protocol};
use serde::{Deserialize, Serialize};

/// New TCP or UDP flows to a listener go to `to` in its place, from whatever interface they come.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Publish {
    /// TCP or UDP; a rule for another protocol never matches.
    pub protocol: Protocol,
    /// Addresses it listens on.
    pub listen: Listen,
    /// Port it listens on.
    pub port: u16,
    /// The service inside.
    pub to: SocketAddrV4,
    /// Whether its flows go on when it changes or goes.
    pub keep: bool,
}

/// The addresses that a publish rule listens on.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Listen {
    /// This one, whoever bears it.
    Address(Ipv4Addr),
    /// Every address of this router interface.
    Interface(InterfaceId),
    /// Every address of the router.
    Any,
}

impl Listen {
    /// Whether it listens on `address`, which `owner` of the router's interfaces bears, if one does.
    pub fn matches(self, address: Ipv4Addr, owner: Option<InterfaceId>) -> bool {
        match self {
            Self::Address(own) => own == address,
            Self::Interface(interface) => owner == Some(interface),
            Self::Any => owner.is_some(),
        }
    }
}
