//! What has to give way before something else can take its place: subnets that move between
//! interfaces, and remote VTEPs that move between tunnels.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use packet::Ipv4Net;

use super::Step;
use crate::ids::UdpPort;
use crate::{Bridge, Interface, InterfaceName, Lab, Name, Port, Segment, Tunnel};

/// Subnets that an interface gives up while another one gets an overlapping one. Interfaces that go
/// with the first removals, as `goes_early` says, stand in nobody's way.
pub(super) fn moving(
    current: &Lab,
    wanted: &Lab,
    goes_early: impl Fn(&Name) -> bool,
) -> Vec<(InterfaceName, Ipv4Net)> {
    let mut subnets = Subnets::default();
    for after in &wanted.interfaces() {
        subnets.insert(after);
    }
    let mut moving = Vec::new();
    for before in current.interfaces().iter().filter(|before| !goes_early(&before.name.owner)) {
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

/// What gives something up ahead of everything that is set.
#[derive(Debug, Default)]
pub(super) struct Cleared {
    /// Without the subnets that move.
    pub(super) bridges: BTreeMap<Name, Bridge>,
    /// Routed ones, without the subnets that move.
    pub(super) ports: BTreeMap<Name, Port>,
    /// Without the remote VTEPs that move.
    pub(super) tunnels: BTreeMap<Name, Tunnel>,
}

impl Cleared {
    pub(super) fn new(current: &Lab, wanted: &Lab, moving: &[(InterfaceName, Ipv4Net)]) -> Self {
        let mut cleared = Self { tunnels: emptied(current, wanted), ..Self::default() };
        for (InterfaceName { owner, vlan }, net) in moving {
            if let Some(bridge) = current.bridges.get(owner) {
                let bridge = cleared.bridges.entry(owner.clone()).or_insert_with(|| bridge.clone());
                if vlan.is_untagged() {
                    bridge.router.retain(|own| own != net);
                } else if let Some(addresses) = bridge.vlans.get_mut(vlan) {
                    addresses.retain(|own| own != net);
                    if addresses.is_empty() {
                        bridge.vlans.remove(vlan);
                    }
                }
            } else if let Some(port) = current.ports.get(owner) {
                let port = cleared.ports.entry(owner.clone()).or_insert_with(|| port.clone());
                if let Segment::Routed { router, .. } = &mut port.segment {
                    router.retain(|own| own != net);
                }
            }
        }
        cleared
    }

    /// The steps that clear.
    pub(super) fn steps(&self, current: &Lab) -> impl Iterator<Item = Step> {
        let bridges = self.bridges.values().filter_map(|to| {
            let from = current.bridges.get(&to.name)?.clone();
            Some(Step::SetBridge { from, to: to.clone() })
        });
        let ports = self.ports.values().filter_map(|to| {
            let from = current.ports.get(&to.name)?.clone();
            Some(Step::SetPort { from, to: to.clone() })
        });
        let tunnels = self.tunnels.values().filter_map(|to| {
            let from = current.tunnels.get(&to.name)?.clone();
            Some(Step::SetTunnel { from, to: to.clone() })
        });
        bridges.chain(ports).chain(tunnels)
    }

    /// The addresses that an interface has between clearing and setting.
    pub(super) fn addresses<'a>(&'a self, current: &'a Lab, name: &InterfaceName) -> &'a [Ipv4Net] {
        if let Some(bridge) = self.bridges.get(&name.owner) {
            return bridge.addresses(name.vlan);
        }
        match self.ports.get(&name.owner) {
            Some(port) => port.router(),
            None => current.addresses(name),
        }
    }
}

/// The tunnels, there before and after, that have a remote VTEP which another tunnel gets, without
/// any.
fn emptied(current: &Lab, wanted: &Lab) -> BTreeMap<Name, Tunnel> {
    let mut owners: BTreeMap<_, &Name> = BTreeMap::new();
    for tunnel in wanted.tunnels.values() {
        owners.extend(remotes(tunnel).map(|remote| (remote, &tunnel.name)));
    }
    let stays = |tunnel: &&Tunnel| {
        wanted.tunnels.get(&tunnel.name).is_some_and(|wanted| !is_reopened(tunnel, wanted))
    };
    let gives_up = |tunnel: &&Tunnel| {
        let owner = |remote| owners.get(&remote).copied();
        remotes(tunnel).filter_map(owner).any(|owner| *owner != tunnel.name)
    };
    let giving = current.tunnels.values().filter(stays).filter(gives_up);
    giving
        .map(|tunnel| (tunnel.name.clone(), Tunnel { remotes: Vec::new(), ..tunnel.clone() }))
        .collect()
}

/// By what datagrams are known to be a tunnel's.
fn remotes(tunnel: &Tunnel) -> impl Iterator<Item = (Ipv4Addr, u32, UdpPort)> + '_ {
    let (vni, udp) = (tunnel.vni.number(), UdpPort::of(tunnel));
    tunnel.remotes.iter().map(move |remote| (*remote, vni, udp))
}

/// Whether a tunnel changes so much that it ends and begins again.
pub fn is_reopened(old: &Tunnel, new: &Tunnel) -> bool {
    old.bridge != new.bridge || UdpPort::of(old) != UdpPort::of(new)
}

/// Own addresses that one interface has before, after and in between.
pub(super) fn settled(
    current: &Lab,
    wanted: &Lab,
    cleared: &Cleared,
    unsettled: &BTreeSet<InterfaceName>,
) -> BTreeSet<Ipv4Addr> {
    let mut settled = BTreeSet::new();
    for interface in current.interfaces() {
        if unsettled.contains(&interface.name) {
            continue;
        }
        let between = cleared.addresses(current, &interface.name);
        let after = wanted.addresses(&interface.name);
        let there = |nets: &[Ipv4Net], own| nets.iter().any(|net: &Ipv4Net| net.addr() == own);
        let own = between.iter().map(Ipv4Net::addr);
        settled.extend(own.filter(|own| there(after, *own)));
    }
    settled
}
