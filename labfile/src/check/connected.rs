//! The router's interfaces as seen from a rule: by name, by own address, by subnet.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use packet::{Ipv4Net, VlanId};

use super::value;
use crate::lab::Lab;
use crate::lab::interface::InterfaceName;
use crate::lab::port::Segment;
use crate::problem::{Fault, quoted};
use crate::spec::LabSpec;

/// Subnets and own addresses, each with its interface.
pub(super) struct Connected {
    subnets: BTreeMap<Ipv4Net, InterfaceName>,
    own: BTreeMap<Ipv4Addr, InterfaceName>,
}

impl Connected {
    pub(super) fn of(lab: &Lab) -> Self {
        let mut connected = Self { subnets: BTreeMap::new(), own: BTreeMap::new() };
        for interface in lab.interfaces() {
            for net in interface.addresses {
                connected.subnets.insert(net.trunc(), interface.name.clone());
                connected.own.insert(net.addr(), interface.name.clone());
            }
        }
        connected
    }

    /// The interface with exactly this subnet.
    pub(super) fn subnet(&self, net: Ipv4Net) -> Option<&InterfaceName> {
        self.subnets.get(&net)
    }

    /// The narrowest subnet around an address, and its interface.
    pub(super) fn around(&self, address: Ipv4Addr) -> Option<(Ipv4Net, &InterfaceName)> {
        covering(address).find_map(|net| Some((net, self.subnets.get(&net)?)))
    }

    /// The interface that bears the address.
    pub(super) fn owner(&self, address: Ipv4Addr) -> Option<&InterfaceName> {
        self.own.get(&address)
    }

    /// The switch's own addresses.
    pub(super) fn own(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.own.keys().copied()
    }
}

/// Every network that an address is in, the narrowest first.
pub(super) fn covering(address: Ipv4Addr) -> impl Iterator<Item = Ipv4Net> {
    (0..=32).rev().filter_map(move |len| Some(Ipv4Net::new(address, len).ok()?.trunc()))
}

/// The interface called `text`; `Ok(None)` when it belongs to a bridge or port that is itself at
/// fault.
pub(super) fn interface(
    key: &str,
    text: &str,
    spec: &LabSpec,
    lab: &Lab,
) -> Result<Option<InterfaceName>, Fault> {
    if spec.bridge.contains_key(text) {
        return of_bridge(key, text, VlanId::UNTAGGED, lab);
    }
    if spec.port.contains_key(text) {
        return of_port(key, text, lab);
    }
    if spec.tunnel.contains_key(text) {
        return of_tunnel(key, text, lab);
    }
    if let Some((owner, vlan)) = text.rsplit_once('.')
        && spec.bridge.contains_key(owner)
    {
        return of_bridge(key, owner, value::vlan_key(vlan)?, lab);
    }
    let interfaces: Vec<String> =
        lab.interfaces().iter().map(|interface| interface.name.to_string()).collect();
    let remedy = match interfaces.as_slice() {
        [] => "give a bridge or a port a `router` address first".to_owned(),
        names => value::meant(text, names.iter().map(String::as_str)),
    };
    Err(Fault::new(format!("`{key}` {} is no bridge or port of the lab", quoted(text)), remedy))
}

fn of_bridge(
    key: &str,
    owner: &str,
    vlan: VlanId,
    lab: &Lab,
) -> Result<Option<InterfaceName>, Fault> {
    let Some(bridge) = lab.bridges.get(owner) else {
        return Ok(None);
    };
    if !bridge.addresses(vlan).is_empty() {
        return Ok(Some(InterfaceName { owner: bridge.name.clone(), vlan }));
    }
    if !vlan.is_untagged() {
        let wrong = format!(
            "`{key}` names VLAN {vlan} of bridge \"{owner}\", where the switch has no address"
        );
        return Err(Fault::new(
            wrong,
            format!("write [bridge.{owner}.vlan.{vlan}] with a `router` address"),
        ));
    }
    let wrong = format!("`{key}` names bridge \"{owner}\", where the switch has no address");
    let remedy = match bridge.vlans.keys().next() {
        Some(vlan) => format!("write \"{owner}.{vlan}\", or router = \"...\" in [bridge.{owner}]"),
        None => format!("write router = \"...\" in [bridge.{owner}]"),
    };
    Err(Fault::new(wrong, remedy))
}

fn of_port(key: &str, text: &str, lab: &Lab) -> Result<Option<InterfaceName>, Fault> {
    let Some(port) = lab.ports.get(text) else {
        return Ok(None);
    };
    match &port.segment {
        Segment::Routed { .. } => {
            Ok(Some(InterfaceName { owner: port.name.clone(), vlan: VlanId::UNTAGGED }))
        }
        Segment::Bridged(membership) => {
            let bridge = &membership.bridge;
            let wrong = format!("`{key}` names port \"{text}\", which is on bridge \"{bridge}\"");
            Err(Fault::new(wrong, format!("write \"{bridge}\", or a routed port's name")))
        }
    }
}

fn of_tunnel(key: &str, text: &str, lab: &Lab) -> Result<Option<InterfaceName>, Fault> {
    let Some(tunnel) = lab.tunnels.get(text) else {
        return Ok(None);
    };
    let bridge = &tunnel.bridge;
    let wrong = format!("`{key}` names tunnel \"{text}\", which is on bridge \"{bridge}\"");
    Err(Fault::new(wrong, format!("write \"{bridge}\", or a routed port's name")))
}
