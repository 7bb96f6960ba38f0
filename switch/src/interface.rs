//! The router's own end on a segment: a MAC address, some IPv4 addresses and an MTU.

use core::fmt;
use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use packet::{BridgeId, InterfaceId, Ipv4Net, Mac, PortId, VlanId};
use serde::{Deserialize, Serialize, Serializer};

/// Where an interface is.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
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

/// Whether an interface takes a packet from a source that others say is elsewhere (RFC 3704 section
/// 2, as Linux's `rp_filter`).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum RpFilter {
    /// From everybody.
    Off,
    /// From whoever some route leads back to, the default route included. The default, for labs
    /// route asymmetrically on purpose, and hosts with two legs do by nature.
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
    /// Whether a packet may come in on `interface` whose source's `reverse_path` is this.
    #[inline]
    pub(crate) fn admits(self, interface: InterfaceId, reverse_path: Option<InterfaceId>) -> bool {
        match self {
            Self::Off => true,
            Self::Loose => reverse_path.is_some(),
            Self::Strict => reverse_path == Some(interface),
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

/// All interfaces, by number, by segment and by subnet. No two share a segment or an address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Vec<Option<InterfaceSettings>>")]
pub(crate) struct Interfaces {
    list: Vec<Option<InterfaceSettings>>,
    links: BTreeMap<Link, InterfaceId>,
    /// Subnets by their first address; of those of one interface that hold each other, the
    /// largest.
    subnets: BTreeMap<Ipv4Addr, (Ipv4Net, InterfaceId)>,
}

impl Interfaces {
    pub(crate) fn get(&self, interface: InterfaceId) -> Option<&InterfaceSettings> {
        self.list.get(interface.index())?.as_ref()
    }

    /// The interface other than `id` that is on this segment.
    pub(crate) fn taken(&self, id: InterfaceId, link: Link) -> Option<InterfaceId> {
        self.links.get(&link).copied().filter(|owner| *owner != id)
    }

    /// The subnet of an interface other than `id` that shares addresses with `net`.
    pub(crate) fn overlapping(&self, id: InterfaceId, net: Ipv4Net) -> Option<Ipv4Net> {
        let around = self.subnets.range(..net.network()).next_back();
        let around = around.filter(|(_, (known, _))| known.contains(&net.network()));
        let within = self.subnets.range(net.network()..=net.broadcast());
        let mut known = around.into_iter().chain(within).map(|(_, known)| *known);
        known.find(|(_, owner)| *owner != id).map(|(known, _)| known)
    }

    pub(crate) fn set(&mut self, id: InterfaceId, settings: InterfaceSettings) {
        self.remove(id);
        if self.list.len() <= id.index() {
            self.list.resize_with(id.index() + 1, || None);
        }
        self.enter(id, &settings);
        if let Some(slot) = self.list.get_mut(id.index()) {
            *slot = Some(settings);
        }
    }

    pub(crate) fn remove(&mut self, id: InterfaceId) -> Option<InterfaceSettings> {
        let old = self.list.get_mut(id.index())?.take()?;
        self.links.remove(&old.link);
        for net in &old.addresses {
            self.subnets.remove(&net.network());
        }
        Some(old)
    }

    fn enter(&mut self, id: InterfaceId, settings: &InterfaceSettings) {
        self.links.insert(settings.link, id);
        let mut nets = settings.addresses.clone();
        nets.sort_unstable_by_key(Ipv4Net::prefix_len);
        for net in nets {
            if self.reaching(net.network()).is_none() {
                self.subnets.insert(net.network(), (net, id));
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (InterfaceId, &InterfaceSettings)> {
        let numbered = self.list.iter().enumerate();
        numbered.filter_map(|(at, slot)| Some((InterfaceId::new(at as u16), slot.as_ref()?)))
    }

    /// The interface on a VLAN of a bridge.
    pub(crate) fn on(&self, bridge: BridgeId, vlan: VlanId) -> Option<InterfaceId> {
        self.links.get(&Link::Vlan { bridge, vlan }).copied()
    }

    /// The interface in one of whose subnets an address is.
    pub(crate) fn reaching(&self, address: Ipv4Addr) -> Option<InterfaceId> {
        let (_, (net, id)) = self.subnets.range(..=address).next_back()?;
        net.contains(&address).then_some(*id)
    }
}

impl From<Vec<Option<InterfaceSettings>>> for Interfaces {
    fn from(list: Vec<Option<InterfaceSettings>>) -> Self {
        let mut all = Self::default();
        for (at, slot) in list.iter().enumerate() {
            if let Some(settings) = slot {
                all.enter(InterfaceId::new(at as u16), settings);
            }
        }
        Self { list, ..all }
    }
}

impl Serialize for Interfaces {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(writer)
    }
}
