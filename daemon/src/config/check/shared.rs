//! What must not be had twice: subnets, addresses, Ethernet addresses, devices.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use packet::{Ipv4Net, Mac, VlanId};

use super::Findings;
use crate::config::lab::Lab;
use crate::config::lab::device::Device;
use crate::config::lab::interface::InterfaceName;
use crate::config::lab::name::Name;
use crate::config::lab::port::{Attach, Netns, Port, Segment};
use crate::config::place::Place;

/// Compares all bridges and ports of the lab with each other.
pub(super) fn check(lab: &Lab, findings: &mut Findings) {
    subnets(lab, findings);
    addresses(lab, findings);
    stations(lab, findings);
    devices(lab, findings);
}

/// Subnets either nest or are apart. In order of their first address, wide before narrow, the one that holds a subnet
/// is the nearest before it that has not ended.
fn subnets(lab: &Lab, findings: &mut Findings) {
    let mut all: Vec<(Ipv4Net, InterfaceName, Place)> = Vec::new();
    for interface in lab.interfaces() {
        let place = router_place(&interface.name, lab);
        for (index, net) in interface.addresses.iter().enumerate() {
            all.push((net.trunc(), interface.name.clone(), place.nth(index)));
        }
    }
    all.sort_by_key(|(net, ..)| (net.network(), net.prefix_len()));
    let mut open: Vec<(Ipv4Net, InterfaceName)> = Vec::new();
    for (net, name, place) in all {
        while open.last().is_some_and(|(outer, _)| !outer.contains(&net)) {
            open.pop();
        }
        if let Some((outer, other)) = open.last()
            && *other != name
        {
            findings.refuse(
                place,
                format!("subnet {net} overlaps {outer} of {other}"),
                "write an address of another subnet",
            );
        }
        open.push((net, name));
    }
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

/// Whom two far ends must not share something with: those who hear them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Segmented {
    owner: Name,
    vlan: VlanId,
}

fn segment_of(port: &Port) -> Option<Segmented> {
    match &port.segment {
        Segment::Routed { .. } => {
            Some(Segmented { owner: port.name.clone(), vlan: VlanId::UNTAGGED })
        }
        Segment::Bridged(membership) => Some(Segmented {
            owner: membership.bridge.clone(),
            vlan: membership.vlan_mode.untagged()?,
        }),
    }
}

fn addresses(lab: &Lab, findings: &mut Findings) {
    let mut taken: BTreeMap<(Segmented, Ipv4Addr), String> = BTreeMap::new();
    for interface in lab.interfaces() {
        let InterfaceName { owner, vlan } = interface.name.clone();
        let segment = Segmented { owner, vlan };
        let place = router_place(&interface.name, lab);
        for (index, net) in interface.addresses.iter().enumerate() {
            let owner = format!("the switch's own on {}", interface.name);
            if taken.insert((segment.clone(), net.addr()), owner).is_some() {
                findings.refuse(
                    place.nth(index),
                    format!("router address {} is written twice", net.addr()),
                    "keep one of the two",
                );
            }
        }
    }
    for port in lab.ports.values() {
        let Some(segment) = segment_of(port) else {
            continue;
        };
        for (index, net) in port.address.iter().enumerate() {
            match taken.get(&(segment.clone(), net.addr())) {
                Some(owner) => findings.refuse(
                    Place::root().key("port").key(port.name.as_str()).key("address").nth(index),
                    format!("address {} is {owner}", net.addr()),
                    format!("write another address of {}", net.trunc()),
                ),
                None => {
                    let owner = format!("that of port \"{}\"", port.name);
                    taken.insert((segment.clone(), net.addr()), owner);
                }
            }
        }
    }
}

/// A bridge is compared as a whole, VLANs and all: a frame in the wrong VLAN should not find a double.
fn stations(lab: &Lab, findings: &mut Findings) {
    let mut taken: BTreeMap<(&Name, Mac), String> = BTreeMap::new();
    for bridge in lab.bridges.values() {
        taken.insert((&bridge.name, bridge.mac), "the switch's own there".to_owned());
    }
    for port in lab.ports.values() {
        let owner = match &port.segment {
            Segment::Bridged(membership) => &membership.bridge,
            Segment::Routed { router_mac, .. } => {
                taken.insert((&port.name, *router_mac), "the switch's own there".to_owned());
                &port.name
            }
        };
        if let Attach::Interface(_) = port.attach {
            continue;
        }
        match taken.get(&(owner, port.mac)) {
            Some(other) => findings.refuse(
                Place::root().key("port").key(port.name.as_str()).key("mac"),
                format!("Ethernet address {} is {other}", port.mac),
                "write mac = \"02:...\" with another one",
            ),
            None => {
                taken.insert((owner, port.mac), format!("that of port \"{}\"", port.name));
            }
        }
    }
}

/// Far ends where they are, and near ends and existing devices in the daemon's own namespace.
fn devices(lab: &Lab, findings: &mut Findings) {
    let mut taken: BTreeMap<(Option<PathBuf>, Device), &Name> = BTreeMap::new();
    for port in lab.ports.values() {
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
