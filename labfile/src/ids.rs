//! People's names on one side, the switch's numbers on the other.
//!
//! Numbers are the lowest that are free, because the switch indexes tables by them; a number is
//! free again when its name is gone.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{InterfaceName, Lab, Name, Tunnel};
use packet::{BridgeId, InterfaceId, PortId};

/// A UDP port that datagrams of tunnels come in on. Ordered, and shown, by port and address.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UdpPort {
    /// The UDP port.
    pub port: u16,
    /// The own address that is listened at; every one when none.
    pub local: Option<Ipv4Addr>,
}

impl UdpPort {
    /// Where a tunnel's datagrams come in.
    pub fn of(tunnel: &Tunnel) -> Self {
        Self { port: tunnel.port.get(), local: tunnel.local }
    }
}

/// The UDP ports that a lab's tunnels are heard at.
pub fn udp_ports(lab: &Lab) -> BTreeSet<UdpPort> {
    lab.tunnels.values().map(UdpPort::of).collect()
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
pub struct Ids {
    bridges: Numbers<Name, u16>,
    ports: Numbers<PortName, u32>,
    interfaces: Numbers<InterfaceName, u16>,
}

impl Ids {
    /// The number of a bridge, given now if it has none.
    pub fn bridge(&mut self, name: &Name) -> BridgeId {
        BridgeId::new(self.bridges.give(name))
    }

    /// The number of a port or tunnel, given now if it has none.
    pub fn port(&mut self, name: &Name) -> PortId {
        PortId::new(self.ports.give(&PortName::Named(name.clone())))
    }

    /// The number of a UDP port, given now if it has none.
    pub fn udp_port(&mut self, udp: UdpPort) -> PortId {
        PortId::new(self.ports.give(&PortName::Udp(udp)))
    }

    /// The number of an interface, given now if it has none.
    pub fn interface(&mut self, name: &InterfaceName) -> InterfaceId {
        InterfaceId::new(self.interfaces.give(name))
    }

    /// The number of a bridge, if it has one.
    pub fn known_bridge(&self, name: &str) -> Option<BridgeId> {
        self.bridges.of(name).map(BridgeId::new)
    }

    /// The number of a port or tunnel, if it has one.
    pub fn known_port(&self, name: &str) -> Option<PortId> {
        let name = PortName::Named(name.parse().ok()?);
        self.ports.of(&name).map(PortId::new)
    }

    /// The number of a tunnels' UDP port, if it has one.
    pub fn known_udp_port(&self, udp: UdpPort) -> Option<PortId> {
        self.ports.of(&PortName::Udp(udp)).map(PortId::new)
    }

    /// The number of an interface, if it has one.
    pub fn known_interface(&self, name: &InterfaceName) -> Option<InterfaceId> {
        self.interfaces.of(name).map(InterfaceId::new)
    }

    /// A bridge is gone: its number may be given again.
    pub fn free_bridge(&mut self, name: &Name) {
        self.bridges.free(name);
    }

    /// A port or tunnel is gone: its number may be given again.
    pub fn free_port(&mut self, name: &Name) {
        self.ports.free(&PortName::Named(name.clone()));
    }

    /// No tunnel is heard at a UDP port any more: its number may be given again.
    pub fn free_udp_port(&mut self, udp: UdpPort) {
        self.ports.free(&PortName::Udp(udp));
    }

    /// An interface is gone: its number may be given again.
    pub fn free_interface(&mut self, name: &InterfaceName) {
        self.interfaces.free(name);
    }

    /// The name behind a number, of a port or tunnel.
    pub fn port_name(&self, port: PortId) -> Option<&Name> {
        match self.numbered(port)? {
            PortName::Named(name) => Some(name),
            PortName::Udp(_) => None,
        }
    }

    /// What people read for a port's number: its name, or `udp 4789`.
    pub fn port_label(&self, port: PortId) -> Option<String> {
        self.numbered(port).map(|name| match name {
            PortName::Named(name) => name.to_string(),
            PortName::Udp(udp) => udp.to_string(),
        })
    }

    fn numbered(&self, port: PortId) -> Option<&PortName> {
        self.ports.name(port.number())
    }

    /// The name behind an interface's number.
    pub fn interface_name(&self, interface: InterfaceId) -> Option<&InterfaceName> {
        self.interfaces.name(interface.number())
    }

    /// All bridges with their numbers, by name.
    pub fn bridges(&self) -> impl Iterator<Item = (&Name, BridgeId)> {
        self.bridges.numbers.iter().map(|(name, number)| (name, BridgeId::new(*number)))
    }
}

/// Names and numbers, found by one another: a lab of a thousand ports asks both ways for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "BTreeMap<K, N>",
    into = "BTreeMap<K, N>",
    bound(
        serialize = "K: Clone + Ord + Serialize, N: Clone + Serialize",
        deserialize = "K: Clone + Ord + Deserialize<'de>, N: Copy + Ord + Deserialize<'de>"
    )
)]
struct Numbers<K, N> {
    numbers: BTreeMap<K, N>,
    names: BTreeMap<N, K>,
}

impl<K: Clone + Ord, N: Copy + Ord> From<BTreeMap<K, N>> for Numbers<K, N> {
    fn from(numbers: BTreeMap<K, N>) -> Self {
        let names = numbers.iter().map(|(name, number)| (*number, name.clone())).collect();
        Self { numbers, names }
    }
}

impl<K, N> From<Numbers<K, N>> for BTreeMap<K, N> {
    fn from(numbers: Numbers<K, N>) -> Self {
        numbers.numbers
    }
}

impl<K, N> Default for Numbers<K, N> {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), names: BTreeMap::new() }
    }
}

impl<K: Ord + Clone, N: Copy + Ord + Default + TryFrom<usize>> Numbers<K, N> {
    /// The number of `name`; the lowest that is free when it has none.
    fn give(&mut self, name: &K) -> N {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        // Numbers ascend from zero, so the first that is not its own place is behind a gap.
        let used = self.names.keys().enumerate();
        let run = used.take_while(|(at, number)| N::try_from(*at).is_ok_and(|at| at == **number));
        let number = N::try_from(run.count()).unwrap_or_default();
        self.numbers.insert(name.clone(), number);
        self.names.insert(number, name.clone());
        number
    }

    fn of<Q: Ord + ?Sized>(&self, name: &Q) -> Option<N>
    where
        K: Borrow<Q>,
    {
        self.numbers.get(name).copied()
    }

    fn name(&self, number: N) -> Option<&K> {
        self.names.get(&number)
    }

    fn free(&mut self, name: &K) {
        if let Some(number) = self.numbers.remove(name) {
            self.names.remove(&number);
        }
    }
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
