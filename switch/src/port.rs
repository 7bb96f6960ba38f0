//! One end of a cable, as the switch knows it.

use core::net::Ipv4Addr;

use packet::vlan::TPID_8021AD;
use packet::{BridgeId, Instant, InterfaceId, PortId};
use serde::{Deserialize, Serialize};
use vxlan::header::Reserved;
use vxlan::{RemoteVtep, Vni};

use crate::guard::Guard;
use crate::vlan::{PriorityTags, VlanMode};

/// What a port is for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Role {
    /// A member of a bridge.
    Bridged(Membership),
    /// A VXLAN tunnel: a member of a bridge whose far side is in other switches.
    Tunnel(Membership, Tunnel),
    /// A UDP port of ours that datagrams of tunnels come in on; no bridge has it.
    Underlay,
    /// A cable that ends in the router.
    Routed {
        /// The router's end.
        interface: InterfaceId,
    },
}

impl Role {
    /// The place in a bridge.
    pub const fn membership(&self) -> Option<&Membership> {
        match self {
            Self::Bridged(member) | Self::Tunnel(member, _) => Some(member),
            Self::Routed { .. } | Self::Underlay => None,
        }
    }
}

/// A place in a bridge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Membership {
    /// The bridge.
    pub bridge: BridgeId,
    /// The VLANs it carries.
    pub vlans: VlanMode,
    /// Tags for priority alone.
    pub priority_tags: PriorityTags,
    /// Whether it may talk only to ports that are not isolated (Docker's `icc=false`).
    pub isolated: bool,
}

/// What a tunnel is, besides its place in a bridge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tunnel {
    /// Where its datagrams come in: a port with [`Role::Underlay`].
    pub underlay: PortId,
    /// Its segment.
    pub vni: Vni,
    /// The remote VTEPs; one named twice counts once. What goes to everybody goes to each of them.
    pub remotes: Vec<Ipv4Addr>,
    /// Whether reserved bits of the header matter.
    pub reserved: Reserved,
    /// Whether stations are learned behind the VTEPs that they speak from.
    pub learning: bool,
    /// Whether ARP requests for stations known beyond it are answered here.
    pub suppress_arp: bool,
    /// Whether the MSS of TCP connections through it is lowered to what fits.
    pub clamp_mss: bool,
}

impl Tunnel {
    /// Its remote VTEPs, as datagrams show them.
    pub(crate) fn remote_vteps(&self) -> impl Iterator<Item = RemoteVtep> {
        let Self { underlay, vni, .. } = *self;
        self.remotes.iter().map(move |&remote| RemoteVtep { underlay, vni, remote })
    }
}

/// What somebody sets of a port.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PortSettings {
    /// What it is for.
    pub role: Role,
    /// Largest IP packet it takes, in bytes; a frame may be 14 longer, and a tag's 4. Of a tunnel:
    /// inside.
    pub mtu: u16,
    /// Who may speak on it, where that is not everybody.
    pub guard: Option<Guard>,
}

impl PortSettings {
    /// A port on which everybody may speak.
    pub const fn unguarded(role: Role, mtu: u16) -> Self {
        Self { role, mtu, guard: None }
    }
}

/// A port with its state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Port {
    pub(crate) settings: PortSettings,
    pub(crate) up: bool,
    /// Of a tunnel: datagrams that were its own, and their bytes. Devices are counted where they
    /// are read.
    pub(crate) received: (u64, u64),
    /// When it was last told that frames with the router's MAC address come in here.
    pub(crate) told: Option<Instant>,
}

/// All ports, by number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ports(Vec<Option<Port>>);

impl Ports {
    pub(crate) fn get(&self, port: PortId) -> Option<&Port> {
        self.0.get(port.index())?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, port: PortId) -> Option<&mut Port> {
        self.0.get_mut(port.index())?.as_mut()
    }

    /// Each number's port, if there is one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&Port>> {
        self.0.iter().map(Option::as_ref)
    }

    /// Whether a port is a member of a bridge.
    pub(crate) fn is_member(&self, port: PortId) -> bool {
        self.get(port).is_some_and(|port| port.settings.role.membership().is_some())
    }

    /// Whether 802.1ad's tags name VLANs of a bridge: a port there pushes and pops them.
    pub(crate) fn has_service_vlans(&self, bridge: BridgeId) -> bool {
        self.service_bridges().any(|of| of == bridge)
    }

    /// The bridges of ports that push and pop 802.1ad's tags.
    pub(crate) fn service_bridges(&self) -> impl Iterator<Item = BridgeId> {
        let members = self.0.iter().flatten().filter_map(|port| port.settings.role.membership());
        let pushes = |member: &Membership| {
            member.vlans.pushes().is_some_and(|service| service.tpid() == TPID_8021AD)
        };
        members.filter(move |member| pushes(member)).map(|member| member.bridge)
    }

    /// The MTU of each.
    pub(crate) fn all_mtus(&self) -> impl Iterator<Item = u16> {
        self.0.iter().flatten().map(|port| port.settings.mtu)
    }

    /// Adds a port, down, or changes its settings and keeps its state.
    pub(crate) fn set(&mut self, port: PortId, settings: PortSettings) {
        if self.0.len() <= port.index() {
            self.0.resize_with(port.index() + 1, || None);
        }
        if let Some(slot) = self.0.get_mut(port.index()) {
            *slot = Some(match slot.take() {
                Some(old) => Port { settings, ..old },
                None => Port { settings, up: false, received: (0, 0), told: None },
            });
        }
    }

    pub(crate) fn remove(&mut self, port: PortId) -> Option<Port> {
        self.0.get_mut(port.index())?.take()
    }
}
