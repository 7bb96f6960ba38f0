//! What `show` tells of a lab: its written parts with what the switch makes of them. A running lab
//! and a replay show the same.

use std::collections::{BTreeMap, BTreeSet};

use packet::{BridgeId, Ipv4Net};
use switch::view::{FdbCounts, Target};

use control::view::{BridgeView, PortState, PortView, RouteView, TunnelView};
use labfile::ids::Ids;
use labfile::{
    Bridge, Dscp, InterfaceName, Lab, Name, NextHop, NumberOrText, Port, Ttl, Tunnel, TunnelVlans,
};

/// Every port, by name.
pub fn ports(lab: &Lab, ids: &Ids, state: impl Fn(&Name) -> PortState) -> Vec<PortView> {
    let view = |(name, port): (&Name, &Port)| {
        let number = ids.known_port(name.as_str()).map_or(0, |id| id.number());
        PortView::new(number, port, state(name))
    };
    lab.ports.iter().map(view).collect()
}

/// Every bridge, by name; `counts` are its stations, their limit, and what was counted.
pub fn bridges(
    lab: &Lab,
    ids: &Ids,
    counts: impl Fn(BridgeId) -> Option<(usize, usize, FdbCounts)>,
) -> Vec<BridgeView> {
    let mut members: BTreeMap<&Name, Members> = BTreeMap::new();
    for port in lab.ports.values() {
        if let Some(bridge) = port.bridge() {
            members.entry(bridge).or_default().ports.push(port.name.to_string());
        }
    }
    for tunnel in lab.tunnels.values() {
        members.entry(&tunnel.bridge).or_default().tunnels.push(tunnel.name.to_string());
    }
    let view = |(name, written): (&Name, &Bridge)| {
        let counts = ids.known_bridge(name.as_str()).and_then(&counts);
        bridge(written, members.remove(name).unwrap_or_default(), counts.unwrap_or_default())
    };
    lab.bridges.iter().map(view).collect()
}

/// What is plugged into a bridge, by name.
#[derive(Default)]
struct Members {
    ports: Vec<String>,
    tunnels: Vec<String>,
}

fn bridge(
    bridge: &Bridge,
    Members { ports, tunnels }: Members,
    (stations, fdb_size, counts): (usize, usize, FdbCounts),
) -> BridgeView {
    let vlans = bridge
        .vlans
        .iter()
        .flat_map(|(vlan, nets)| nets.iter().map(move |net| format!("vlan {vlan}: {net}")));
    let rp_filters = bridge.rp_filters.iter().map(|(vlan, filter)| match vlan.is_untagged() {
        true => filter.to_string(),
        false => format!("vlan {vlan}: {filter}"),
    });
    BridgeView {
        name: bridge.name.to_string(),
        mac: bridge.mac.to_string(),
        router: bridge.router.iter().map(ToString::to_string).chain(vlans).collect(),
        rp_filter: rp_filters.collect(),
        ports,
        tunnels,
        ageing: bridge.ageing.as_secs(),
        stations,
        fdb_size,
        forward: bridge.forward.iter().map(ToString::to_string).collect(),
        hub: bridge.hub,
        learned: counts.learned,
        expired: counts.expired,
        evicted: counts.evicted,
        moved: counts.moved,
    }
}

/// Every route in force, by prefix, then those that wait.
pub fn routes(lab: &Lab, ids: &Ids, routes: Vec<(Ipv4Net, Target)>) -> Vec<RouteView> {
    let named = |id| ids.interface_name(id).map(ToString::to_string);
    let view = |(to, target): (Ipv4Net, Target)| {
        let written = lab.routes.get(&to);
        let (via, out, reject) = match target {
            Target::Via { interface, gateway } => (Some(gateway), named(interface), None),
            Target::Connected(id) | Target::Local(id) | Target::Broadcast(id) => {
                (None, named(id), None)
            }
            Target::Reject(reject) => (None, None, Some(reject.to_string())),
        };
        let kind = if written.is_some() { "static" } else { "connected" };
        RouteView { to: to.to_string(), via, out, kind: kind.to_owned(), reject }
    };
    let in_force: BTreeSet<Ipv4Net> = routes.iter().map(|(to, _)| *to).collect();
    let mut views: Vec<RouteView> = routes.into_iter().map(view).collect();
    // A written route that a connected subnet overrides is not in force, but is still there.
    for (to, hop) in &lab.routes {
        if !in_force.contains(to) {
            let via = match hop {
                NextHop::Via { gateway, .. } => Some(*gateway),
                NextHop::Out(_) | NextHop::Reject(_) => None,
            };
            let out = hop.out().map(InterfaceName::to_string);
            let kind = "waiting".into();
            views.push(RouteView { to: to.to_string(), via, out, kind, reject: None });
        }
    }
    views
}

/// Every tunnel, by name.
pub fn tunnels(lab: &Lab, state: impl Fn(&Tunnel) -> String) -> Vec<TunnelView> {
    lab.tunnels.values().map(|written| tunnel(written, state(written))).collect()
}

fn tunnel(tunnel: &Tunnel, state: String) -> TunnelView {
    let inherit = || NumberOrText::Text("inherit".to_owned());
    TunnelView {
        name: tunnel.name.to_string(),
        state,
        bridge: tunnel.bridge.to_string(),
        vni: tunnel.vni.number(),
        remotes: tunnel.remotes.clone(),
        local: tunnel.local,
        port: tunnel.port.get(),
        vlan: match tunnel.vlans {
            TunnelVlans::Access(vlan) => Some(vlan.number()),
            TunnelVlans::Trunk => None,
        },
        trunk: tunnel.vlans == TunnelVlans::Trunk,
        mtu: tunnel.mtu,
        ttl: match tunnel.ttl {
            Ttl::Fixed(ttl) => NumberOrText::Number(ttl.get().into()),
            Ttl::Inherit => inherit(),
        },
        dscp: match tunnel.dscp {
            Dscp::Fixed(dscp) => NumberOrText::Number(dscp.into()),
            Dscp::Inherit => inherit(),
        },
        df: tunnel.df,
        checksum: tunnel.checksum,
        strict_reserved: tunnel.strict_reserved,
        arp_suppression: tunnel.arp_suppression,
        mss_clamp: tunnel.mss_clamp,
        learning: tunnel.learning,
        isolated: tunnel.isolated,
    }
}
