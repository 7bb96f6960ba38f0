//! What cannot stay while the rest changes: devices and tunnels to be made anew, addresses that move between interfaces.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use packet::Ipv4Net;

use crate::{Bridge, Interface, InterfaceName, Lab, Name, Port, Segment, Tunnel};

/// Whether a port can become `wanted` without a new device.
pub(super) fn same_device(current: &Port, wanted: &Port) -> bool {
    current.attach == wanted.attach
        && current.device == wanted.device
        && current.offload == wanted.offload
        && match (&current.segment, &wanted.segment) {
            (Segment::Bridged(current), Segment::Bridged(wanted)) => {
                current.bridge == wanted.bridge
            }
            (Segment::Routed { .. }, Segment::Routed { .. }) => true,
            (Segment::Bridged(_), Segment::Routed { .. })
            | (Segment::Routed { .. }, Segment::Bridged(_)) => false,
        }
}

/// The tunnels, there before and after, that cannot become what is wanted in place: another socket, another bridge, or
/// a peer's segment that another tunnel still has.
pub(super) fn remade_tunnels<'a>(current: &'a Lab, wanted: &Lab) -> Vec<&'a Name> {
    let mut owners: BTreeMap<_, &Name> = BTreeMap::new();
    for tunnel in current.tunnels.values() {
        owners.extend(segments(tunnel).map(|segment| (segment, &tunnel.name)));
    }
    let is_remade = |from: &Tunnel, to: &Tunnel| {
        let taken = |segment| owners.get(&segment).is_some_and(|owner| **owner != from.name);
        (&from.bridge, from.port, from.local) != (&to.bridge, to.port, to.local)
            || segments(to).any(taken)
    };
    let both = current.tunnels.iter().filter_map(|(name, from)| {
        let to = wanted.tunnels.get(name)?;
        is_remade(from, to).then_some(name)
    });
    both.collect()
}

/// By what datagrams are known to be a tunnel's.
fn segments(tunnel: &Tunnel) -> impl Iterator<Item = (Ipv4Addr, u32, u16)> + '_ {
    let of_tunnel = (tunnel.vni.number(), tunnel.port.get());
    tunnel.remotes.iter().map(move |remote| (*remote, of_tunnel.0, of_tunnel.1))
}

/// Addresses that an interface gives up while another one, there before and after, gets an overlapping subnet.
pub(super) fn moving(current: &Lab, wanted: &Lab) -> Vec<(InterfaceName, Ipv4Net)> {
    let stays = |owner: &Name| {
        wanted.bridges.contains_key(owner) && current.bridges.contains_key(owner)
            || wanted.ports.contains_key(owner) && current.ports.contains_key(owner)
    };
    let mut subnets = Subnets::default();
    for after in wanted.interfaces().iter().filter(|after| stays(&after.name.owner)) {
        subnets.insert(after);
    }
    let mut moving = Vec::new();
    for before in current.interfaces().iter().filter(|before| stays(&before.name.owner)) {
        let kept = wanted.addresses(&before.name);
        for net in before.addresses.iter().filter(|net| !kept.contains(net)) {
            if subnets.overlaps_another(*net, &before.name) {
                moving.push((before.name.clone(), *net));
            }
        }
    }
    moving
}

/// Subnets by first address and length, each with its interface.
#[derive(Default)]
struct Subnets(BTreeMap<(Ipv4Addr, u8), InterfaceName>);

impl Subnets {
    fn insert(&mut self, interface: &Interface<'_>) {
        for net in interface.addresses {
            self.0.insert((net.network(), net.prefix_len()), interface.name.clone());
        }
    }

    /// Whether an interface other than `own` has a subnet inside or around `net`.
    fn overlaps_another(&self, net: Ipv4Net, own: &InterfaceName) -> bool {
        let around = (0..net.prefix_len()).filter_map(|len| {
            let outer = Ipv4Net::new(net.addr(), len).ok()?;
            self.0.get(&(outer.network(), len))
        });
        let inside = self.0.range((net.network(), net.prefix_len())..=(net.broadcast(), 32));
        around.chain(inside.map(|(_, name)| name)).any(|name| name != own)
    }
}

/// The bridges of `current` without the moving addresses.
pub(super) fn cleared(current: &Lab, moving: &[(InterfaceName, Ipv4Net)]) -> Vec<Bridge> {
    let mut cleared: Vec<Bridge> = Vec::new();
    for (name, net) in moving {
        let Some(bridge) = current.bridges.get(&name.owner) else {
            continue;
        };
        if cleared.last().is_none_or(|last| last.name != bridge.name) {
            cleared.push(bridge.clone());
        }
        let Some(bridge) = cleared.last_mut() else {
            continue;
        };
        if name.vlan.is_untagged() {
            bridge.router.retain(|own| own != net);
        } else if let Some(addresses) = bridge.vlans.get_mut(&name.vlan) {
            addresses.retain(|own| own != net);
            if addresses.is_empty() {
                bridge.vlans.remove(&name.vlan);
            }
        }
    }
    cleared
}

/// Own addresses that one interface has before, after and in between.
pub(super) fn settled(
    current: &Lab,
    wanted: &Lab,
    cleared: &[Bridge],
    unsettled: &BTreeSet<InterfaceName>,
) -> BTreeSet<Ipv4Addr> {
    let mut settled = BTreeSet::new();
    for interface in current.interfaces() {
        if unsettled.contains(&interface.name) {
            continue;
        }
        let between = match cleared.iter().find(|bridge| bridge.name == interface.name.owner) {
            Some(bridge) => bridge.addresses(interface.name.vlan),
            None => interface.addresses,
        };
        let after = wanted.addresses(&interface.name);
        let there = |nets: &[Ipv4Net], own| nets.iter().any(|net: &Ipv4Net| net.addr() == own);
        let own = between.iter().map(Ipv4Net::addr);
        settled.extend(own.filter(|own| there(after, *own)));
    }
    settled
}
