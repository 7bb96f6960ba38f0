//! The router's own end on a segment: a MAC address, some IPv4 addresses and an MTU.

use core::fmt;
use core::net::Ipv4Addr;

use packet::{BridgeId, Instant, InterfaceId, Ipv4Net, Mac, PortId, VlanId};
use serde::{Deserialize, Serialize};

/// Where an interface is.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Link {
    /// On a VLAN of a bridge.
    Vlan {
        /// The bridge.
        bridge: BridgeId,
        /// The VLAN; [`VlanId::UNTAGGED`] for frames without one.
        vlan: VlanId,
    },
    /// At the end of a routed port.
    Port(PortId),
}

/// Where a packet came from: the port, and the router interface that took it in.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    pub(crate) port: PortId,
    pub(crate) interface: InterfaceId,
}

/// What somebody sets of an interface.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InterfaceSettings {
    /// Where it is.
    pub link: Link,
    /// Its Ethernet address.
    pub mac: Mac,
    /// Its addresses, each with its subnet's prefix length.
    pub addresses: Vec<Ipv4Net>,
    /// Largest IP packet that it sends, in bytes; at least 68 (RFC 791).
    pub mtu: u16,
    /// Whose packets it takes.
    pub rp_filter: RpFilter,
}

/// Whether an interface takes a packet from a source that others say is elsewhere (RFC 3704 section 2, as Linux's
/// `rp_filter`).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum RpFilter {
    /// From everybody.
    Off,
    /// From whoever some route leads back to, the default route included. The default, for labs route asymmetrically on
    /// purpose, and hosts with two legs do by nature.
    #[default]
    Loose,
    /// From whoever the best route leads back to by this very interface.
    Strict,
}

impl fmt::Display for RpFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Off => "off",
            Self::Loose => "loose",
            Self::Strict => "strict",
        })
    }
}

impl RpFilter {
    /// Whether a packet may come in on `interface` to whose source the way leads `back`.
    #[inline]
    pub(crate) fn admits(self, interface: InterfaceId, back: Option<InterfaceId>) -> bool {
        match self {
            Self::Off => true,
            Self::Loose => back.is_some(),
            Self::Strict => back == Some(interface),
        }
    }
}

impl InterfaceSettings {
    /// The address to speak from to `peer`: the one in its subnet, else the first.
    #[inline]
    pub(crate) fn address_towards(&self, peer: Ipv4Addr) -> Option<Ipv4Addr> {
        let near = self.addresses.iter().find(|net| net.contains(&peer));
        near.or(self.addresses.first()).map(Ipv4Net::addr)
    }

    /// Whether `address` is the interface's own.
    pub(crate) fn owns(&self, address: Ipv4Addr) -> bool {
        self.addresses.iter().any(|net| net.addr() == address)
    }

    /// Whether `address` is in one of its subnets.
    pub(crate) fn reaches(&self, address: Ipv4Addr) -> bool {
        self.addresses.iter().any(|net| net.contains(&address))
    }
}

/// An interface with its state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub(crate) settings: InterfaceSettings,
    /// When it last told everybody that an address is its own (RFC 5227 section 2.4 c).
    pub(crate) defended: Option<Instant>,
}

/// All interfaces, by number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Interfaces(Vec<Option<Interface>>);

impl Interfaces {
    pub(crate) fn get(&self, interface: InterfaceId) -> Option<&InterfaceSettings> {
        Some(&self.0.get(interface.index())?.as_ref()?.settings)
    }

    pub(crate) fn state(&mut self, interface: InterfaceId) -> Option<&mut Interface> {
        self.0.get_mut(interface.index())?.as_mut()
    }

    pub(crate) fn set(&mut self, interface: InterfaceId, settings: InterfaceSettings) {
        if self.0.len() <= interface.index() {
            self.0.resize_with(interface.index() + 1, || None);
        }
        if let Some(slot) = self.0.get_mut(interface.index()) {
            *slot = Some(Interface { settings, defended: None });
        }
    }

    pub(crate) fn remove(&mut self, interface: InterfaceId) -> Option<Interface> {
        self.0.get_mut(interface.index())?.take()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (InterfaceId, &InterfaceSettings)> {
        let numbered = self.0.iter().enumerate();
        numbered
            .filter_map(|(at, slot)| Some((InterfaceId::new(at as u16), &slot.as_ref()?.settings)))
    }

    /// The interface on a VLAN of a bridge.
    pub(crate) fn on(&self, bridge: BridgeId, vlan: VlanId) -> Option<InterfaceId> {
        let link = Link::Vlan { bridge, vlan };
        self.iter().find(|(_, settings)| settings.link == link).map(|(id, _)| id)
    }
}
