//! A lab that has been checked: real types, defaults filled in, every reference proven.
//!
//! A [`Lab`] is made by the check alone, or from another lab by a step of a plan. Its parts are
//! ordered by name, so two labs that mean the same are equal.

pub(crate) mod bridge;
pub(crate) mod derived;
pub(crate) mod device;
pub(crate) mod interface;
mod mtu;
pub(crate) mod name;
pub(crate) mod nat;
pub(crate) mod port;
pub(crate) mod route;
pub(crate) mod settings;
pub(crate) mod threads;
pub(crate) mod tunnel;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use packet::{Ipv4Net, VlanId};

use bridge::{Bridge, Static};
use interface::{Interface, InterfaceName};
use name::Name;
use nat::{InsideService, Listener, Masquerade};
use port::{Port, Segment};
use route::NextHop;
use settings::Settings;
use tunnel::Tunnel;

/// Everything a switch is told to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lab {
    /// `[bridge.NAME]`
    pub bridges: BTreeMap<Name, Bridge>,
    /// `[port.NAME]`; shares its names with the bridges.
    pub ports: BTreeMap<Name, Port>,
    /// `[tunnel.NAME]`; shares its names with bridges and ports. No two have a remote, VNI and UDP
    /// port in common.
    pub tunnels: BTreeMap<Name, Tunnel>,
    /// `[[bridge.NAME.static]]`; at most one for an address in a VLAN of a bridge.
    pub statics: BTreeSet<Static>,
    /// `[[route]]`, by destination.
    pub routes: BTreeMap<Ipv4Net, NextHop>,
    /// `[[masquerade]]`, first match wins.
    pub masquerade: Vec<Masquerade>,
    /// `[[publish]]`; no two listeners overlap.
    pub publish: BTreeMap<Listener, InsideService>,
    /// `[switch]`
    pub settings: Settings,
}

impl Lab {
    /// The interfaces of the router: every segment where the switch has an address of its own,
    /// bridges before routed ports, by name and VLAN.
    pub fn interfaces(&self) -> Vec<Interface<'_>> {
        let mut interfaces = Vec::new();
        for bridge in self.bridges.values() {
            let mtu = self.bridge_mtu(bridge);
            for vlan in bridge.segments() {
                let name = InterfaceName { owner: bridge.name.clone(), vlan };
                let (addresses, rp_filter) = (bridge.addresses(vlan), bridge.rp_filter(vlan));
                interfaces.push(Interface { name, addresses, mac: bridge.mac, mtu, rp_filter });
            }
        }
        for port in self.ports.values() {
            if let Segment::Routed { router, router_mac, rp_filter } = &port.segment
                && !router.is_empty()
            {
                let name = InterfaceName { owner: port.name.clone(), vlan: VlanId::UNTAGGED };
                interfaces.push(Interface {
                    name,
                    addresses: router,
                    mac: *router_mac,
                    mtu: port.mtu,
                    rp_filter: *rp_filter,
                });
            }
        }
        interfaces
    }

    /// "1 bridge, 3 ports, 1 route"; what there is none of is not mentioned.
    pub fn summary(&self) -> String {
        let counts = [
            (self.bridges.len(), "bridge", "bridges"),
            (self.ports.len(), "port", "ports"),
            (self.tunnels.len(), "tunnel", "tunnels"),
            (self.statics.len(), "static entry", "static entries"),
            (self.routes.len(), "route", "routes"),
            (self.masquerade.len(), "masquerade rule", "masquerade rules"),
            (self.publish.len(), "published port", "published ports"),
        ];
        let words = counts.iter().filter_map(|(count, one, many)| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {many}")),
        });
        let words: Vec<String> = words.collect();
        if words.is_empty() { "an empty lab".to_owned() } else { words.join(", ") }
    }

    /// The interface called `name`, when the switch has an address there.
    pub fn interface(&self, name: &InterfaceName) -> Option<Interface<'_>> {
        let addresses = self.addresses(name);
        if addresses.is_empty() {
            return None;
        }
        let owner = (self.bridges.get(&name.owner), self.ports.get(&name.owner));
        let (mac, mtu, rp_filter) = match owner {
            (Some(bridge), _) => (bridge.mac, self.bridge_mtu(bridge), bridge.rp_filter(name.vlan)),
            (None, Some(Port { segment, mtu, .. })) => match segment {
                Segment::Routed { router_mac, rp_filter, .. } => (*router_mac, *mtu, *rp_filter),
                Segment::Bridged(_) => return None,
            },
            (None, None) => return None,
        };
        Some(Interface { name: name.clone(), addresses, mac, mtu, rp_filter })
    }

    /// The switch's own addresses on the interface called `name`; none when there is no such
    /// interface.
    pub fn addresses(&self, name: &InterfaceName) -> &[Ipv4Net] {
        if let Some(bridge) = self.bridges.get(&name.owner) {
            return bridge.addresses(name.vlan);
        }
        match self.ports.get(&name.owner).map(|port| &port.segment) {
            Some(Segment::Routed { router, .. }) if name.vlan.is_untagged() => router,
            Some(Segment::Routed { .. } | Segment::Bridged(_)) | None => &[],
        }
    }
}

/// As plans and sentences list values: "10,20", or "none".
pub(crate) fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(",") }
}
