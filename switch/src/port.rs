//! One end of a cable, as the switch knows it.

use packet::{BridgeId, InterfaceId, PortId};

use crate::vlan::{PriorityTags, VlanMode};

/// What a port is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// A member of a bridge.
    Bridged {
        /// The bridge.
        bridge: BridgeId,
        /// The VLANs it carries.
        vlans: VlanMode,
        /// Tags for priority alone.
        priority_tags: PriorityTags,
        /// Whether it may talk only to ports that are not isolated (Docker's `icc=false`).
        isolated: bool,
    },
    /// A cable that ends in the router.
    Routed {
        /// The router's end.
        interface: InterfaceId,
    },
}

/// What somebody sets of a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortSettings {
    /// What it is for.
    pub role: Role,
    /// Largest IP packet it takes, in bytes; a frame may be 14 longer, and a tag's 4.
    pub mtu: u16,
}

/// A port with its state.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) settings: PortSettings,
    pub(crate) up: bool,
}

/// All ports, by number.
#[derive(Debug, Default)]
pub(crate) struct Ports(Vec<Option<Port>>);

impl Ports {
    pub(crate) fn get(&self, port: PortId) -> Option<&Port> {
        self.0.get(port.index())?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, port: PortId) -> Option<&mut Port> {
        self.0.get_mut(port.index())?.as_mut()
    }

    /// Adds a port, down, or changes its settings and keeps its state.
    pub(crate) fn set(&mut self, port: PortId, settings: PortSettings) {
        if self.0.len() <= port.index() {
            self.0.resize_with(port.index() + 1, || None);
        }
        if let Some(slot) = self.0.get_mut(port.index()) {
            let up = slot.as_ref().is_some_and(|old| old.up);
            *slot = Some(Port { settings, up });
        }
    }

    pub(crate) fn remove(&mut self, port: PortId) -> Option<Port> {
        self.0.get_mut(port.index())?.take()
    }
}
