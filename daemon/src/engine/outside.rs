//! Devices of this host as ports (`interface`): what the host has on them that the lab must not
//! take, and the MAC address that the router has to speak under.
//!
//! The host goes on using such a device, so an address of its own there, or that of its gateway,
//! would have two who answer for it. Only what is new in a lab is judged: an address that the host
//! was given later, or a device that another has replaced, stands in the way of no other change.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use os::links::{Link, Links};
use packet::{Ipv4Net, VlanId};

use super::cable::CableError;
use super::{EngineError, Running};
use labfile::{Attach, Lab, LabSpec, Name, Port, Segment};

/// Refuses what `lab`, made from `wanted`, may not take from this host, and gives routers the MAC
/// addresses of devices that take no others. A device that is not there is somebody else's matter.
pub(super) async fn judge(
    running: &mut Running,
    wanted: &LabSpec,
    lab: &mut Lab,
) -> Result<(), EngineError> {
    let is_found = |port: &&Port| matches!(port.attach, Attach::Interface(_));
    let names: Vec<Name> = lab.ports.values().filter(is_found).map(|p| p.name.clone()).collect();
    let Some(first) = names.first() else { return Ok(()) };
    let failed = |port: &Name, error| EngineError::Port { port: port.clone(), error };
    let links = running.places.look_at_own().await.map_err(|error| failed(first, error))?;
    for name in names {
        let fresh = fresh_claims(running, lab, &name);
        let is_known = running.lab.ports.get(&name) == lab.ports.get(&name);
        let Some(port) = lab.ports.get_mut(&name) else { continue };
        let is_written = wanted.port.get(name.as_str()).is_some_and(|p| p.router_mac.is_some());
        let device = port.device.to_string();
        let Some(link) = links.find(&device).await.map_err(|e| failed(&name, e.into()))? else {
            continue;
        };
        match suit(port, &link, is_written) {
            Err(error) if !is_known => return Err(failed(&name, error)),
            Ok(()) | Err(_) => {}
        }
        if !fresh.is_empty() {
            let held = Held::on(&links, &link).await.map_err(|error| failed(&name, error))?;
            let refused = fresh.iter().try_for_each(|claim| held.refuse(claim));
            refused.map_err(|error| failed(&name, error))?;
        }
    }
    Ok(())
}

/// What a lab claims on a port's device and the running one does not.
fn fresh_claims(running: &Running, lab: &Lab, name: &Name) -> Vec<Claim> {
    let attach = |lab: &Lab| lab.ports.get(name).map(|port| port.attach.clone());
    let mut claimed = claims(lab, name);
    if attach(&running.lab) == attach(lab) {
        let known: BTreeSet<Ipv4Addr> =
            claims(&running.lab, name).iter().map(|claim| claim.address).collect();
        claimed.retain(|claim| !known.contains(&claim.address));
    }
    claimed
}

/// Sees that a device can be such a port, and takes its MAC address where it takes no other.
fn suit(port: &mut Port, link: &Link, is_written: bool) -> Result<(), CableError> {
    let device = link.name.clone();
    let lacks = match link.kind.as_deref() {
        Some("ifb") => Some("which carries nothing outwards"),
        Some("ipvlan" | "ipvtap") => {
            Some("which takes packets for this host's own addresses alone")
        }
        _ => None,
    };
    if let Some(why) = lacks {
        let kind = link.kind.clone().unwrap_or_default();
        return Err(CableError::NoWayOut { device, kind, why });
    }
    if !link.own_address_alone {
        return Ok(());
    }
    match &mut port.segment {
        Segment::Bridged(_) => Err(CableError::NoOthers { device }),
        Segment::Routed { router_mac, .. } if is_written && *router_mac != link.mac => {
            Err(CableError::OwnMacAlone { device, mac: link.mac })
        }
        Segment::Routed { router_mac, .. } => {
            *router_mac = link.mac;
            Ok(())
        }
    }
}

/// An address that the lab uses on the segment of a device.
struct Claim {
    address: Ipv4Addr,
    /// "its router address", "the address of port red"
    whose: String,
}

/// The addresses that a lab uses on the segment that a port's device is on, as the device sees it:
/// without tags.
fn claims(lab: &Lab, name: &Name) -> Vec<Claim> {
    let Some(port) = lab.ports.get(name) else { return Vec::new() };
    let (routers, vlan) = match &port.segment {
        Segment::Routed { router, .. } => (router.as_slice(), None),
        Segment::Bridged(member) => {
            let Some(vlan) = member.vlan_mode.untagged() else { return Vec::new() };
            let bridge = lab.bridges.get(&member.bridge);
            (bridge.map_or(&[][..], |bridge| bridge.addresses(vlan)), Some((&member.bridge, vlan)))
        }
    };
    let own = routers
        .iter()
        .map(|net| Claim { address: net.addr(), whose: "its router address".to_owned() });
    let beside = lab.ports.values().filter(|port| vlan.is_some_and(|at| is_on(port, at)));
    let beside = beside.flat_map(|port| {
        port.address.iter().map(|net| Claim {
            address: net.addr(),
            whose: format!("on its bridge the address of port {}", port.name),
        })
    });
    own.chain(beside).collect()
}

fn is_on(port: &Port, (bridge, vlan): (&Name, VlanId)) -> bool {
    match &port.segment {
        Segment::Bridged(member) => {
            member.bridge == *bridge && member.vlan_mode.untagged() == Some(vlan)
        }
        Segment::Routed { .. } => false,
    }
}

/// What this host has on a device, on the device below, and on the bridge above.
struct Held {
    addresses: Vec<(Ipv4Net, String)>,
    gateway: Option<(Ipv4Addr, String)>,
}

impl Held {
    async fn on(links: &Links, link: &Link) -> Result<Self, CableError> {
        let mut around = vec![link.clone()];
        // A veth's other end is across a cable: whoever is there is a neighbour, not this host on
        // this device.
        let lower = link.lower.filter(|_| link.kind.as_deref() != Some("veth"));
        for index in lower.into_iter().chain(link.master) {
            around.extend(links.list().await?.into_iter().find(|other| other.index == index));
        }
        let mut addresses = Vec::new();
        for device in &around {
            let nets = links.addresses(device.index).await?;
            addresses.extend(nets.into_iter().map(|net| (net, device.name.clone())));
        }
        let default = links.default_route().await?;
        let through = |(gateway, index): (Ipv4Addr, u32)| {
            let device = around.iter().find(|device| device.index == index)?;
            Some((gateway, device.name.clone()))
        };
        Ok(Self { addresses, gateway: default.and_then(through) })
    }

    fn refuse(&self, claim: &Claim) -> Result<(), CableError> {
        let Claim { address, whose } = claim;
        let claim = format!("{whose} {address}");
        if let Some((net, device)) = self.addresses.iter().find(|(net, _)| net.addr() == *address) {
            let (device, subnet) = (device.clone(), net.trunc());
            return Err(CableError::HostsOwn { claim, device, subnet });
        }
        match &self.gateway {
            Some((gateway, device)) if gateway == address => {
                Err(CableError::Gateway { claim, device: device.clone(), gateway: *gateway })
            }
            _ => Ok(()),
        }
    }
}
