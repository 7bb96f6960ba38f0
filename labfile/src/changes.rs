//! The parts of a lab in the words of the switch.

use nat::{Limits, Rules};
use packet::{Ipv4Net, VlanId};
use switch::Change;
use switch::change::{
    BridgeSettings, Guard, Hop, InterfaceSettings, Link, Membership, PortSettings, Role, Route,
};
use switch::view::Location;
use switch::vlan::{PriorityTags, VlanMode, VlanSet};

use vxlan::header::Reserved;

use crate::ids::{Ids, UdpPort};
use crate::{
    Attach, Bridge, Interface, Lab, ListenScope, Name, NextHop, Port, Segment, Settings, Static,
    Tunnel, TunnelVlans,
};

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

/// The limits and timers of a lab.
pub(crate) fn settings(settings: &Settings) -> [Change; 4] {
    let rate = settings.icmp_errors;
    let limits =
        Limits { flows: settings.flows as usize, flows_per_host: settings.flows_per_host as usize };
    [
        Change::SetErrorRate { rate, burst: (rate / 20).clamp(1, 50) },
        Change::SetLimits(limits),
        Change::SetLifetimes(settings.timeouts.flows),
        Change::SetNeighborLimits {
            capacity: settings.neighbors as usize,
            reachable: settings.timeouts.neighbor_reachable,
            stale: settings.timeouts.neighbor_stale,
        },
    ]
}

/// A route.
pub(crate) fn route(to: Ipv4Net, hop: &NextHop, ids: &mut Ids) -> Change {
    let hop = match hop {
        NextHop::Via { gateway, .. } => Hop::Via(*gateway),
        NextHop::Out(name) => Hop::Interface(ids.interface(name)),
        NextHop::Reject(reject) => Hop::Reject(*reject),
    };
    Change::SetRoute(Route { to, hop })
}

/// A static entry.
pub(crate) fn station(entry: &Static, ids: &mut Ids) -> Change {
    let (bridge, port) = (ids.bridge(&entry.bridge), ids.port(&entry.port));
    let place = match entry.remote {
        Some(remote) => Location::Remote { tunnel: port, remote },
        None => Location::Port(port),
    };
    Change::PinStation(bridge, entry.vlan, entry.mac, place)
}

/// A tunnel.
pub(crate) fn tunnel_settings(tunnel: &Tunnel, ids: &mut Ids) -> PortSettings {
    let member = Membership {
        bridge: ids.bridge(&tunnel.bridge),
        vlans: match tunnel.vlans {
            TunnelVlans::Access(vlan) => VlanMode::Access(vlan),
            TunnelVlans::Trunk => VlanMode::Trunk(VlanSet::All),
        },
        priority_tags: PriorityTags::Never,
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
    PortSettings::unguarded(Role::Tunnel(member, settings), tunnel.mtu)
}

/// A bridge.
pub(crate) fn bridge_settings(bridge: &Bridge) -> BridgeSettings {
    BridgeSettings {
        ageing: bridge.ageing,
        capacity: bridge.fdb_size as usize,
        forward: bridge.forward.iter().fold(0, |bits, address| bits | 1 << address.nibble()),
        hub: bridge.hub,
    }
}

/// A port: every key is the switch's, or is named as one that is not.
pub(crate) fn port_settings(port: &Port, ids: &mut Ids) -> PortSettings {
    let Port {
        name,
        attach: _,
        device: _,
        mac,
        mtu,
        mtu_written: _,
        super_frame: _,
        address,
        gateway: _,
        offload: _,
        guard,
        segment,
    } = port;
    let role = match segment {
        Segment::Bridged(member) => {
            let crate::Membership { bridge, vlan_mode, priority_tags, isolated } = member;
            Role::Bridged(Membership {
                bridge: ids.bridge(bridge),
                vlans: vlan_mode.clone(),
                priority_tags: *priority_tags,
                isolated: *isolated,
            })
        }
        Segment::Routed { .. } => {
            let name = crate::InterfaceName { owner: name.clone(), vlan: VlanId::UNTAGGED };
            Role::Routed { interface: ids.interface(&name) }
        }
    };
    let addresses = || address.iter().map(Ipv4Net::addr).collect();
    let guard = guard.then(|| Guard { mac: *mac, addresses: addresses() });
    PortSettings { role, mtu: *mtu, guard }
}

/// An interface of the router.
pub(crate) fn interface_settings(
    interface: &Interface<'_>,
    lab: &Lab,
    ids: &mut Ids,
) -> InterfaceSettings {
    let owner = &interface.name.owner;
    let link = match lab.bridges.contains_key(owner) {
        true => Link::Vlan { bridge: ids.bridge(owner), vlan: interface.name.vlan },
        false => Link::Port(ids.port(owner)),
    };
    let addresses = interface.addresses.to_vec();
    let Interface { mac, mtu, rp_filter, .. } = *interface;
    InterfaceSettings { link, mac, addresses, mtu, rp_filter }
}

/// The rules of NAT.
pub(crate) fn rules(lab: &Lab, ids: &mut Ids) -> Rules {
    let masquerade = lab.masquerade.iter().map(|rule| nat::Masquerade {
        source: rule.source,
        out: ids.interface(&rule.out),
        except: rule.except.clone(),
        mapping: rule.mapping,
        filtering: rule.filtering,
        ports: rule.ports,
        parity: rule.parity,
        inside_reachable: rule.inside_reachable,
        keep: rule.keep,
    });
    let masquerade = masquerade.collect();
    let publish = lab.publish.iter().map(|(listener, target)| nat::Publish {
        protocol: listener.protocol,
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
