//! What must not be had twice: subnets, addresses, Ethernet addresses, devices.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use packet::{Ipv4Net, Mac, VlanId};

use super::Findings;
use crate::lab::Lab;
use crate::lab::device::Device;
use crate::lab::interface::InterfaceName;
use crate::lab::name::Name;
use crate::lab::port::{Attach, Netns, Port, Segment};
use crate::place::Place;

/// Compares all bridges and ports of the lab with each other. Of two, the one that came later is
/// refused.
pub(super) fn check(lab: &Lab, findings: &mut Findings) {
    subnets(lab, findings);
    addresses(lab, findings);
    stations(lab, findings);
    devices(lab, findings);
}

/// Subnets either nest or are apart. In order of their first address, wide before narrow, the one
/// that holds a subnet is the nearest before it that has not ended.
fn subnets(lab: &Lab, findings: &mut Findings) {
    let mut all: Vec<(Ipv4Net, InterfaceName, Place)> = Vec::new();
    for interface in lab.interfaces() {
        let place = router_place(&interface.name, lab);
        for (index, net) in interface.addresses.iter().enumerate() {
            all.push((net.trunc(), interface.name.clone(), place.nth(index)));
        }
    }
    all.sort_by_key(|(net, ..)| (net.network(), net.prefix_len()));
    let mut open: Vec<(Ipv4Net, InterfaceName, Place)> = Vec::new();
    for (net, name, place) in all {
        while open.last().is_some_and(|(outer, ..)| !outer.contains(&net)) {
            open.pop();
        }
        if let Some((outer, other, outer_place)) = open.last()
            && *other != name
        {
            let (rank, rank_of_outer) = (rank(&name, lab, findings), rank(other, lab, findings));
            let (place, wrong) = match rank < rank_of_outer {
                true => (outer_place.clone(), format!("subnet {outer} overlaps {net} of {name}")),
                false => (place.clone(), format!("subnet {net} overlaps {outer} of {other}")),
            };
            findings.refuse(place, wrong, "write an address of another subnet");
        }
        open.push((net, name, place));
    }
}

/// How late an interface's owner came.
fn rank(name: &InterfaceName, lab: &Lab, findings: &Findings) -> usize {
    let owner = name.owner.as_str();
    match lab.bridges.contains_key(owner) {
        true => findings.recency.bridge(owner),
        false => findings.recency.port(owner),
    }
}

/// All ports, those that came later behind the others.
fn ports<'a>(lab: &'a Lab, findings: &Findings) -> Vec<&'a Port> {
    let mut ports: Vec<&Port> = lab.ports.values().collect();
    ports.sort_by_key(|port| findings.recency.port(port.name.as_str()));
    ports
}

fn router_place(name: &InterfaceName, lab: &Lab) -> Place {
    let root = Place::root();
    let owner = name.owner.as_str();
    if !lab.bridges.contains_key(owner) {
        root.key("port").key(owner).key("router")
    } else if name.vlan.is_untagged() {
        root.key("bridge").key(owner).key("router")
    } else {
        let vlan = name.vlan.to_string();
        root.key("bridge").key(owner).key("vlan").key(&vlan).key("router")
    }
}

/// The segment where a port's far end is heard without tags.
fn segment_of(port: &Port) -> Option<InterfaceName> {
    match &port.segment {
        Segment::Routed { .. } => {
            Some(InterfaceName { owner: port.name.clone(), vlan: VlanId::UNTAGGED })
        }
        Segment::Bridged(membership) => Some(InterfaceName {
            owner: membership.bridge.clone(),
            vlan: membership.vlan_mode.untagged()?,
        }),
    }
}

/// Something that only one may have, and who has it.
struct Claim<T> {
    rank: usize,
    what: T,
    /// The port's name; none for the switch itself.
    port: Option<Name>,
    place: Place,
}

impl<T> Claim<T> {
    /// The claims in the order of their coming.
    fn sorted(mut claims: Vec<Self>) -> Vec<Self> {
        claims.sort_by_key(|claim| claim.rank);
        claims
    }
}

fn addresses(lab: &Lab, findings: &mut Findings) {
    let mut claims = Vec::new();
    for interface in lab.interfaces() {
        let place = router_place(&interface.name, lab);
        let rank = rank(&interface.name, lab, findings);
        for (index, net) in interface.addresses.iter().enumerate() {
            let what = (interface.name.clone(), *net);
            claims.push(Claim { rank, what, port: None, place: place.nth(index) });
        }
    }
    for port in lab.ports.values() {
        let Some(segment) = segment_of(port) else { continue };
        let place = Place::root().key("port").key(port.name.as_str()).key("address");
        let rank = findings.recency.port(port.name.as_str());
        for (index, net) in port.address.iter().enumerate() {
            let what = (segment.clone(), *net);
            let place = place.nth(index);
            claims.push(Claim { rank, what, port: Some(port.name.clone()), place });
        }
    }
    let mut taken: BTreeMap<(InterfaceName, Ipv4Addr), Option<Name>> = BTreeMap::new();
    for Claim { what: (segment, net), port, place, .. } in Claim::sorted(claims) {
        let what = (segment, net.addr());
        let Some(other) = taken.get(&what) else {
            taken.insert(what, port);
            continue;
        };
        let address = net.addr();
        let (wrong, remedy) = match (port, other) {
            (None, None) => {
                (format!("router address {address} is written twice"), "keep one of the two".into())
            }
            (None, Some(other)) => (
                format!("router address {address} is that of port \"{other}\""),
                format!("write another address of {}", net.trunc()),
            ),
            (Some(_), other) => (
                format!("address {address} is {}", whose(other.as_ref(), &what.0)),
                format!("write another address of {}", net.trunc()),
            ),
        };
        findings.refuse(place, wrong, remedy);
    }
}

/// "the switch's own on br0", or "that of port "red"".
fn whose(port: Option<&Name>, segment: &InterfaceName) -> String {
    match port {
        None => format!("the switch's own on {segment}"),
        Some(port) => format!("that of port \"{port}\""),
    }
}

/// A bridge is compared as a whole, VLANs and all: a frame in the wrong VLAN should not find a
/// double.
fn stations(lab: &Lab, findings: &mut Findings) {
    let mut claims = Vec::new();
    for bridge in lab.bridges.values() {
        let name = bridge.name.as_str();
        let place = Place::root().key("bridge").key(name).key("mac");
        let what = (&bridge.name, bridge.mac);
        claims.push(Claim { rank: findings.recency.bridge(name), what, port: None, place });
    }
    for port in lab.ports.values() {
        let name = port.name.as_str();
        let rank = findings.recency.port(name);
        let place = Place::root().key("port").key(name);
        let owner = match &port.segment {
            Segment::Bridged(membership) => &membership.bridge,
            Segment::Routed { router_mac, .. } => {
                let what = (&port.name, *router_mac);
                claims.push(Claim { rank, what, port: None, place: place.key("router_mac") });
                &port.name
            }
        };
        if !matches!(port.attach, Attach::Interface(_)) {
            let (what, port) = ((owner, port.mac), Some(port.name.clone()));
            claims.push(Claim { rank, what, port, place: place.key("mac") });
        }
    }
    let mut taken: BTreeMap<(&Name, Mac), Option<Name>> = BTreeMap::new();
    for Claim { what, port, place, .. } in Claim::sorted(claims) {
        let Some(other) = taken.get(&what) else {
            taken.insert(what, port);
            continue;
        };
        let other = match other {
            None => "the switch's own there".to_owned(),
            Some(other) => format!("that of port \"{other}\""),
        };
        let wrong = format!("Ethernet address {} is {other}", what.1);
        findings.refuse(place, wrong, "write mac = \"02:...\" with another one");
    }
}

/// Far ends where they are, and near ends and existing devices in the daemon's own namespace.
fn devices(lab: &Lab, findings: &mut Findings) {
    let mut taken: BTreeMap<(Option<PathBuf>, Device), &Name> = BTreeMap::new();
    for port in ports(lab, findings) {
        let far = (port.attach.netns().map(Netns::file), port.device.clone());
        let near = port.near_device().map(|device| (None, device)).filter(|near| *near != far);
        for (namespace, device) in std::iter::once(far).chain(near) {
            match taken.get(&(namespace.clone(), device.clone())) {
                Some(other) => taken_device(port, &device, other, findings),
                None => drop(taken.insert((namespace, device), &port.name)),
            }
        }
    }
}

fn taken_device(port: &Port, device: &Device, other: &Name, findings: &mut Findings) {
    let place = Place::root().key("port").key(port.name.as_str());
    let owned = format!("is that of port \"{other}\" in the same namespace");
    let wrong = format!("device \"{device}\" {owned}");
    match &port.attach {
        Attach::Interface(_) => {
            findings.refuse(
                place.key("interface"),
                wrong,
                "write another device, or delete the port",
            );
        }
        Attach::Veth(_) if port.device != *device => findings.refuse(
            place.key("link"),
            format!("the near end of its pair, device \"{device}\", {owned}"),
            "give the port another name",
        ),
        Attach::Netns(_) | Attach::Veth(_) | Attach::Host { .. } => {
            findings.refuse(place.key("device"), wrong, "write device = \"...\" with another name");
        }
    }
}
