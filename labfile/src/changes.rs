//! From one lab to another, in the words of the switch.

use std::collections::BTreeSet;

use nat::{Limits, Rules};
use packet::{Ipv4Net, Protocol, Tag, VlanId};
use switch::Change;
use switch::change::{
    BridgeSettings, Guard, Hop, InterfaceSettings, Link, Membership, PortSettings, Role, Route,
};
use switch::view::Location;
use switch::vlan::{self, VlanSet};

use vxlan::header::Reserved;

use crate::ids::{Ids, UdpPort, udp_ports};
use crate::{
    Attach, Bridge, Filtering, Interface, Lab, ListenScope, Mapping, Name, NextHop, Port,
    PriorityTags, QinqEthertype, Reject, Segment, Settings, Transport, Tunnel, TunnelVlans,
    VlanMode,
};

/// The changes that make a switch that is `old` into one that is `new`, to be made under one lock. Numbers are given
/// to new names and freed of old ones.
pub fn between(old: &Lab, new: &Lab, ids: &mut Ids) -> Vec<Change> {
    let mut changes = Vec::new();
    if settings_changes(&mut changes, &old.settings, &new.settings, old == &Lab::default()) {
        changes.push(Change::SetNeighborLimits {
            capacity: new.settings.neighbors as usize,
            reachable: new.settings.timeouts.neighbor_reachable,
            stale: new.settings.timeouts.neighbor_stale,
        });
    }
    removals(&mut changes, old, new, ids);
    additions(&mut changes, old, new, ids);
    changes
}

/// Who is behind these ports now. Existing devices are whatever they are.
pub fn announcements(lab: &Lab, ports: &[Name], ids: &Ids) -> Vec<Change> {
    let ours = ports.iter().filter_map(|name| lab.ports.get(name));
    let ours = ours.filter(|port| !matches!(port.attach, Attach::Interface(_)));
    let announced = ours.filter_map(|port| {
        let addresses = port.address.iter().map(|net| net.addr()).collect();
        Some(Change::AnnounceStation(ids.known_port(port.name.as_str())?, port.mac, addresses))
    });
    announced.collect()
}

fn settings_changes(
    changes: &mut Vec<Change>,
    old: &Settings,
    new: &Settings,
    first: bool,
) -> bool {
    if old == new && !first {
        return false;
    }
    let rate = new.icmp_errors;
    changes.push(Change::SetErrorRate { rate, burst: (rate / 20).clamp(1, 50) });
    changes.push(Change::SetLimits(Limits {
        flows: new.flows as usize,
        flows_per_host: new.flows_per_host as usize,
    }));
    changes.push(Change::SetLifetimes(new.timeouts.flows));
    true
}

fn removals(changes: &mut Vec<Change>, old: &Lab, new: &Lab, ids: &mut Ids) {
    let gone_routes = old.routes.iter().filter(|(to, hop)| new.routes.get(*to) != Some(*hop));
    changes.extend(gone_routes.map(|(to, _)| Change::DeleteRoute(*to)));
    for gone in old.statics.difference(&new.statics) {
        changes.push(Change::DeleteStation(ids.bridge(&gone.bridge), gone.vlan, gone.mac));
    }
    // An interface whose subnets change gives its addresses up before others take theirs.
    let kept: Vec<Interface<'_>> = new.interfaces();
    for interface in old.interfaces() {
        if !kept.iter().any(|kept| kept.name == interface.name) {
            changes.push(Change::DeleteInterface(ids.interface(&interface.name)));
            ids.free_interface(&interface.name);
        }
    }
    for name in old.ports.keys().filter(|name| !new.ports.contains_key(*name)) {
        changes.push(Change::DeletePort(ids.port(name)));
        ids.free_port(name);
    }
    for (name, tunnel) in &old.tunnels {
        if new.tunnels.get(name).is_none_or(|new| is_reopened(tunnel, new)) {
            changes.push(Change::DeletePort(ids.port(name)));
            ids.free_port(name);
        }
    }
    for udp in udp_ports(old).difference(&udp_ports(new)) {
        changes.push(Change::DeletePort(ids.udp_port(*udp)));
        ids.free_udp_port(*udp);
    }
    // Bridges go last: their ports may move to another bridge first.
    for interface in old.interfaces().iter().filter(|old| conflicts(old, &kept)) {
        changes.push(Change::DeleteInterface(ids.interface(&interface.name)));
    }
}

/// Whether an interface that stays stands in the way of another one's new subnets.
fn conflicts(old: &Interface<'_>, new: &[Interface<'_>]) -> bool {
    let stays = new.iter().any(|new| new.name == old.name);
    let overlaps = |new: &Interface<'_>| {
        let pairs = new.addresses.iter().flat_map(|a| old.addresses.iter().map(move |b| (a, b)));
        pairs.into_iter().any(|(a, b)| a.contains(&b.network()) || b.contains(&a.network()))
    };
    stays && new.iter().any(|new| new.name != old.name && overlaps(new))
}

fn additions(changes: &mut Vec<Change>, old: &Lab, new: &Lab, ids: &mut Ids) {
    for (name, bridge) in &new.bridges {
        if old.bridges.get(name).map(bridge_settings) != Some(bridge_settings(bridge)) {
            changes.push(Change::SetBridge(ids.bridge(name), bridge_settings(bridge)));
        }
    }
    for (name, port) in &new.ports {
        let same = |old: &Port| {
            (&old.segment, old.mtu, guard(old)) == (&port.segment, port.mtu, guard(port))
        };
        if !old.ports.get(name).is_some_and(same) {
            changes.push(Change::SetPort(ids.port(name), port_settings(port, ids)));
        }
    }
    tunnel_additions(changes, old, new, ids);
    for name in old.bridges.keys().filter(|name| !new.bridges.contains_key(*name)) {
        changes.push(Change::DeleteBridge(ids.bridge(name)));
        ids.free_bridge(name);
    }
    for interface in new.interfaces() {
        let id = ids.interface(&interface.name);
        let deleted =
            changes.iter().any(|c| matches!(c, Change::DeleteInterface(gone) if *gone == id));
        if deleted || old.interface(&interface.name).as_ref() != Some(&interface) {
            changes.push(Change::SetInterface(id, interface_settings(&interface, new, ids)));
        }
    }
    for (to, hop) in new.routes.iter().filter(|(to, hop)| old.routes.get(*to) != Some(*hop)) {
        let hop = match hop {
            NextHop::Via { gateway, .. } => Hop::Via(*gateway),
            NextHop::Out(name) => Hop::Interface(ids.interface(name)),
            NextHop::Reject(Reject::Unreachable) => Hop::Unreachable,
            NextHop::Reject(Reject::Prohibit) => Hop::Prohibit,
            NextHop::Reject(Reject::Blackhole) => Hop::Blackhole,
        };
        changes.push(Change::SetRoute(Route { to: *to, hop }));
    }
    let moved: BTreeSet<_> = new
        .ports
        .iter()
        .filter(|(name, port)| old.ports.get(*name).is_some_and(|old| old.segment != port.segment))
        .map(|(name, _)| name)
        .collect();
    for added in &new.statics {
        // A port that changes its place loses what was bound to it.
        let reopened = old.tunnels.get(&added.port).zip(new.tunnels.get(&added.port));
        let reopened = reopened.is_some_and(|(old, new)| {
            is_reopened(old, new) || old.vni != new.vni || old.vlans != new.vlans
        });
        if !old.statics.contains(added) || moved.contains(&added.port) || reopened {
            let (bridge, port) = (ids.bridge(&added.bridge), ids.port(&added.port));
            let place = match added.remote {
                Some(remote) => Location::Peer { tunnel: port, remote },
                None => Location::Port(port),
            };
            changes.push(Change::PinStation(bridge, added.vlan, added.mac, place));
        }
    }
    // Rules name interfaces by number: numbers may have changed though the rules have not.
    changes.push(Change::SetRules(rules(new, ids)));
}

fn tunnel_additions(changes: &mut Vec<Change>, old: &Lab, new: &Lab, ids: &mut Ids) {
    for udp in udp_ports(new).difference(&udp_ports(old)) {
        let settings = PortSettings { role: Role::Underlay, mtu: u16::MAX, guard: None };
        changes.push(Change::SetPort(ids.udp_port(*udp), settings));
    }
    // A far end passes from one tunnel to another only when the first has given it up.
    let changed = || {
        let tunnels = new.tunnels.iter();
        tunnels.filter(|(name, tunnel)| old.tunnels.get(*name) != Some(*tunnel))
    };
    for (name, tunnel) in changed() {
        if old.tunnels.get(name).is_some_and(|old| !is_reopened(old, tunnel)) {
            let mut settings = tunnel_settings(tunnel, ids);
            if let Role::Tunnel(_, tunnel) = &mut settings.role {
                tunnel.remotes.clear();
            }
            if gives_up(old, new, name) {
                changes.push(Change::SetPort(ids.port(name), settings));
            }
        }
    }
    for (name, tunnel) in changed() {
        changes.push(Change::SetPort(ids.port(name), tunnel_settings(tunnel, ids)));
    }
}

/// Whether another tunnel gets a far end that this one has had.
fn gives_up(old: &Lab, new: &Lab, name: &Name) -> bool {
    let Some(had) = old.tunnels.get(name) else { return false };
    new.tunnels.iter().any(|(other, tunnel)| {
        other != name
            && (tunnel.vni, tunnel.port, tunnel.local) == (had.vni, had.port, had.local)
            && tunnel.remotes.iter().any(|remote| had.remotes.contains(remote))
    })
}

/// Whether a tunnel changes so much that it ends and begins again.
pub fn is_reopened(old: &Tunnel, new: &Tunnel) -> bool {
    old.bridge != new.bridge || UdpPort::of(old) != UdpPort::of(new)
}

fn tunnel_settings(tunnel: &Tunnel, ids: &mut Ids) -> PortSettings {
    let member = Membership {
        bridge: ids.bridge(&tunnel.bridge),
        vlans: match tunnel.vlans {
            TunnelVlans::Access(vlan) => vlan::VlanMode::Access(vlan),
            TunnelVlans::Trunk => vlan::VlanMode::Trunk(VlanSet::All),
        },
        priority_tags: vlan::PriorityTags::Never,
        isolated: tunnel.isolated,
    };
    let settings = switch::change::Tunnel {
        underlay: ids.udp_port(UdpPort::of(tunnel)),
        vni: tunnel.vni,
        remotes: tunnel.remotes.clone(),
        reserved: if tunnel.strict_reserved { Reserved::Refused } else { Reserved::Ignored },
        learning: tunnel.learning,
        suppress_arp: tunnel.arp_suppression,
        clamp_mss: tunnel.mss_clamp,
    };
    PortSettings { role: Role::Tunnel(member, settings), mtu: tunnel.mtu, guard: None }
}

fn bridge_settings(bridge: &Bridge) -> BridgeSettings {
    BridgeSettings {
        ageing: bridge.ageing,
        capacity: bridge.fdb_size as usize,
        forward: bridge.forward.iter().fold(0, |bits, address| bits | 1 << address.nibble()),
        hub: bridge.hub,
    }
}

fn port_settings(port: &Port, ids: &mut Ids) -> PortSettings {
    let role = match &port.segment {
        Segment::Bridged(member) => Role::Bridged(Membership {
            bridge: ids.bridge(&member.bridge),
            vlans: vlan_mode(&member.vlan_mode),
            priority_tags: match member.priority_tags {
                PriorityTags::Never => vlan::PriorityTags::Never,
                PriorityTags::IfNonzero => vlan::PriorityTags::IfNonzero,
                PriorityTags::Always => vlan::PriorityTags::Always,
            },
            isolated: member.isolated,
        }),
        Segment::Routed { .. } => {
            let name = crate::InterfaceName { owner: port.name.clone(), vlan: VlanId::UNTAGGED };
            Role::Routed { interface: ids.interface(&name) }
        }
    };
    PortSettings { role, mtu: port.mtu, guard: guard(port) }
}

/// Who may speak on a port, if not everybody.
fn guard(port: &Port) -> Option<Guard> {
    let addresses = || port.address.iter().map(Ipv4Net::addr).collect();
    port.guard.then(|| Guard { mac: port.mac, addresses: addresses() })
}

fn vlan_mode(mode: &VlanMode) -> vlan::VlanMode {
    let set = |trunks: &BTreeSet<VlanId>| match trunks.is_empty() {
        true => VlanSet::All,
        false => VlanSet::only(trunks.iter().copied()),
    };
    match mode {
        VlanMode::Access(vlan) => vlan::VlanMode::Access(*vlan),
        VlanMode::Trunk { trunks } => vlan::VlanMode::Trunk(set(trunks)),
        VlanMode::NativeTagged { native, trunks } => {
            vlan::VlanMode::NativeTagged { native: *native, trunks: set(trunks) }
        }
        VlanMode::NativeUntagged { native, trunks } => {
            vlan::VlanMode::NativeUntagged { native: *native, trunks: set(trunks) }
        }
        VlanMode::Dot1qTunnel { vlan, customers, ethertype } => {
            let tag = Tag::new(*vlan);
            let service = match ethertype {
                QinqEthertype::Ad => tag.service(),
                QinqEthertype::Q => tag,
            };
            vlan::VlanMode::Dot1qTunnel { service, customers: set(customers) }
        }
    }
}

fn interface_settings(interface: &Interface<'_>, lab: &Lab, ids: &mut Ids) -> InterfaceSettings {
    let owner = &interface.name.owner;
    let link = match lab.bridges.contains_key(owner) {
        true => Link::Vlan { bridge: ids.bridge(owner), vlan: interface.name.vlan },
        false => Link::Port(ids.port(owner)),
    };
    let addresses = interface.addresses.to_vec();
    let Interface { mac, mtu, rp_filter, .. } = *interface;
    InterfaceSettings { link, mac, addresses, mtu, rp_filter }
}

fn rules(lab: &Lab, ids: &mut Ids) -> Rules {
    let masquerade = lab.masquerade.iter().map(|rule| nat::Masquerade {
        source: rule.source,
        out: ids.interface(&rule.out),
        except: rule.except.clone(),
        mapping: match rule.mapping {
            Mapping::EndpointIndependent => nat::Mapping::EndpointIndependent,
            Mapping::AddressAndPortDependent => nat::Mapping::AddressAndPortDependent,
        },
        filtering: match rule.filtering {
            Filtering::EndpointIndependent => nat::Filtering::EndpointIndependent,
            Filtering::AddressDependent => nat::Filtering::AddressDependent,
            Filtering::AddressAndPortDependent => nat::Filtering::AddressAndPortDependent,
        },
        ports: rule
            .ports
            .and_then(|ports| nat::PortRange::new(ports.first().get(), ports.last().get())),
        parity: rule.parity,
        inside_reachable: rule.inside_reachable,
        keep: rule.keep,
    });
    let masquerade = masquerade.collect();
    let publish = lab.publish.iter().map(|(listener, target)| nat::Publish {
        protocol: match listener.transport {
            Transport::Tcp => Protocol::TCP,
            Transport::Udp => Protocol::UDP,
        },
        listen: match &listener.scope {
            ListenScope::Any => nat::Listen::Any,
            ListenScope::Address(address) => nat::Listen::Address(*address),
            ListenScope::Interface(name) => nat::Listen::Interface(ids.interface(name)),
        },
        port: listener.port.get(),
        to: std::net::SocketAddrV4::new(target.address, target.port.get()),
        keep: target.keep,
    });
    Rules { masquerade, publish: publish.collect() }
}
