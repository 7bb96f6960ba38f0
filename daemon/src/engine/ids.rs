//! People's names on one side, the switch's numbers on the other.
//!
//! Numbers are the lowest that are free, because the switch indexes tables by them; a number is free again when its
//! name is gone.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::config::{InterfaceName, Name, Tunnel};
use packet::{BridgeId, InterfaceId, PortId};

/// A UDP port that datagrams of tunnels come in on. Ordered, and shown, by port and address.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct UdpPort {
    pub(crate) port: u16,
    /// The own address that is listened at; every one when none.
    pub(crate) local: Option<Ipv4Addr>,
}

impl UdpPort {
    /// Where a tunnel's datagrams come in.
    pub(crate) fn of(tunnel: &Tunnel) -> Self {
        Self { port: tunnel.port.get(), local: tunnel.local }
    }
}

impl fmt::Display for UdpPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.local {
            Some(local) => write!(f, "udp {local}:{}", self.port),
            None => write!(f, "udp {}", self.port),
        }
    }
}

/// What has a port's number: what people call port or tunnel, or a UDP port that tunnels need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum PortName {
    Named(Name),
    Udp(UdpPort),
}

/// The numbers in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ids {
    bridges: BTreeMap<Name, u16>,
    ports: BTreeMap<PortName, u32>,
    interfaces: BTreeMap<InterfaceName, u16>,
}

impl Ids {
    /// The number of a bridge, given now if it has none.
    pub(crate) fn bridge(&mut self, name: &Name) -> BridgeId {
        BridgeId::new(number(&mut self.bridges, name))
    }

    /// The number of a port or tunnel, given now if it has none.
    pub(crate) fn port(&mut self, name: &Name) -> PortId {
        PortId::new(number(&mut self.ports, &PortName::Named(name.clone())))
    }

    /// The number of a UDP port, given now if it has none.
    pub(crate) fn udp_port(&mut self, udp: UdpPort) -> PortId {
        PortId::new(number(&mut self.ports, &PortName::Udp(udp)))
    }

    /// The number of an interface, given now if it has none.
    pub(crate) fn interface(&mut self, name: &InterfaceName) -> InterfaceId {
        InterfaceId::new(number(&mut self.interfaces, name))
    }

    pub(crate) fn known_bridge(&self, name: &str) -> Option<BridgeId> {
        self.bridges.get(name).copied().map(BridgeId::new)
    }

    pub(crate) fn known_port(&self, name: &str) -> Option<PortId> {
        let name = PortName::Named(name.parse().ok()?);
        self.ports.get(&name).copied().map(PortId::new)
    }

    pub(crate) fn known_udp_port(&self, udp: UdpPort) -> Option<PortId> {
        self.ports.get(&PortName::Udp(udp)).copied().map(PortId::new)
    }

    pub(crate) fn known_interface(&self, name: &InterfaceName) -> Option<InterfaceId> {
        self.interfaces.get(name).copied().map(InterfaceId::new)
    }

    pub(crate) fn free_bridge(&mut self, name: &Name) {
        self.bridges.remove(name);
    }

    pub(crate) fn free_port(&mut self, name: &Name) {
        self.ports.remove(&PortName::Named(name.clone()));
    }

    pub(crate) fn free_udp_port(&mut self, udp: UdpPort) {
        self.ports.remove(&PortName::Udp(udp));
    }

    pub(crate) fn free_interface(&mut self, name: &InterfaceName) {
        self.interfaces.remove(name);
    }

    /// The name behind a number, of a port or tunnel.
    pub(crate) fn port_name(&self, port: PortId) -> Option<&Name> {
        match self.numbered(port)? {
            PortName::Named(name) => Some(name),
            PortName::Udp(_) => None,
        }
    }

    /// What people read for a port's number: its name, or `udp 4789`.
    pub(crate) fn port_label(&self, port: PortId) -> Option<String> {
        self.numbered(port).map(|name| match name {
            PortName::Named(name) => name.to_string(),
            PortName::Udp(udp) => udp.to_string(),
        })
    }

    fn numbered(&self, port: PortId) -> Option<&PortName> {
        self.ports.iter().find(|(_, number)| **number == port.number()).map(|(name, _)| name)
    }

    /// The name behind an interface's number.
    pub(crate) fn interface_name(&self, interface: InterfaceId) -> Option<&InterfaceName> {
        let mut all = self.interfaces.iter();
        all.find(|(_, number)| **number == interface.number()).map(|(name, _)| name)
    }

    /// All bridges with their numbers, by name.
    pub(crate) fn bridges(&self) -> impl Iterator<Item = (&Name, BridgeId)> {
        self.bridges.iter().map(|(name, number)| (name, BridgeId::new(*number)))
    }
}

fn number<K, N>(map: &mut BTreeMap<K, N>, name: &K) -> N
where
    K: Ord + Clone,
    N: Copy + Ord + Default + TryFrom<usize>,
{
    if let Some(number) = map.get(name) {
        return *number;
    }
    // One more number than there are names is enough to find a free one.
    let candidates = (0..=map.len()).filter_map(|number| N::try_from(number).ok());
    let free = candidates.filter(|candidate| !map.values().any(|used| used == candidate)).min();
    let number = free.unwrap_or_default();
    map.insert(name.clone(), number);
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_are_the_lowest_that_are_free() {
        let mut ids = Ids::default();
        assert_eq!(ids.port(&name("a")), PortId::new(0));
        assert_eq!(ids.port(&name("b")), PortId::new(1));
        assert_eq!(ids.port(&name("a")), PortId::new(0));
        ids.free_port(&name("a"));
        assert_eq!(ids.port(&name("c")), PortId::new(0));
        assert_eq!(ids.port(&name("d")), PortId::new(2));
        assert_eq!(ids.port_name(PortId::new(1)), Some(&name("b")));
    }
}
