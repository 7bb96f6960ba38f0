//! The running lab read out: every listing takes the engine's lock, looks at the switch once, and formats outside.

use std::collections::BTreeMap;

use os::underlay;
use switch::view::Target;

use super::tunnels::inner_mtus;
use super::views::{
    BridgeView, DropView, FlowEntry, NeighborEntry, PortView, RouteView, StationView, StatsView,
    StrangerView, TunnelView,
};
use super::{Engine, State, rows};
use crate::config::{
    Attach, Dscp, InterfaceName, NextHop, NumberOrText, Segment, Ttl, Tunnel, TunnelVlans,
};

impl Engine {
    /// Every port, by name.
    pub async fn ports(&self) -> Vec<PortView> {
        let running = self.running.lock().await;
        let ports = running.lab.ports.iter().map(|(name, port)| {
            let (state, nsid, ifindex) = match running.ends.get(name) {
                Some(State::Up(end)) => ("up".to_owned(), end.nsid, Some(end.index)),
                Some(State::Lost(why)) => (format!("lost: {why}"), None, None),
                None => ("lost".to_owned(), None, None),
            };
            let membership = port.membership();
            let router = match &port.segment {
                Segment::Routed { router, .. } => router.iter().map(ToString::to_string).collect(),
                Segment::Bridged(_) => Vec::new(),
            };
            PortView {
                name: name.to_string(),
                number: running.ids.known_port(name.as_str()).map_or(0, |id| id.number()),
                state,
                bridge: membership.map(|member| member.bridge.to_string()),
                vlan: membership.map(|member| member.vlan_mode.to_string()),
                isolated: membership.is_some_and(|member| member.isolated),
                router,
                attach: port.attach.to_string(),
                nsid,
                device: port.device.to_string(),
                ifindex,
                mac: port.mac.to_string(),
                address: port.address.iter().map(ToString::to_string).collect(),
                gateway: port.gateway,
                mtu: port.mtu,
                offload: port.offload,
            }
        });
        ports.collect()
    }

    /// Every tunnel, by name.
    pub async fn tunnels(&self) -> Vec<TunnelView> {
        let running = self.running.lock().await;
        running.lab.tunnels.values().map(tunnel_view).collect()
    }

    /// What the running lab asks for and cannot have, a sentence each.
    pub async fn warnings(&self) -> Vec<String> {
        let running = self.running.lock().await;
        running.lab.mtu_warnings(&inner_mtus(&running.lab))
    }

    /// Every bridge, by name.
    pub async fn bridges(&self) -> Vec<BridgeView> {
        let running = self.running.lock().await;
        let bridges = running.lab.bridges.iter().map(|(name, bridge)| {
            let id = running.ids.known_bridge(name.as_str());
            let counts = id.and_then(|id| self.plane.look(|_, switch| switch.fdb_counts(id)));
            let (stations, fdb_size, counts) = counts.unwrap_or_default();
            let vlans = bridge
                .vlans
                .iter()
                .flat_map(|(vlan, nets)| nets.iter().map(move |net| format!("vlan {vlan}: {net}")));
            let ports = running.lab.ports.values().filter(|port| port.bridge() == Some(name));
            let tunnels = running.lab.tunnels.values().filter(|tunnel| tunnel.bridge == *name);
            BridgeView {
                name: name.to_string(),
                mac: bridge.mac.to_string(),
                router: bridge.router.iter().map(ToString::to_string).chain(vlans).collect(),
                ports: ports.map(|port| port.name.to_string()).collect(),
                tunnels: tunnels.map(|tunnel| tunnel.name.to_string()).collect(),
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
        });
        bridges.collect()
    }

    /// Every route in force, by prefix.
    pub async fn routes(&self) -> Vec<RouteView> {
        let running = self.running.lock().await;
        let routes = self.plane.look(|_, switch| switch.routes());
        let named = |id| running.ids.interface_name(id).map(ToString::to_string);
        let view = |(to, target): (packet::Ipv4Net, Target)| {
            let written = running.lab.routes.get(&to);
            let (via, out, reject) = match target {
                Target::Via { interface, gateway } => (Some(gateway), named(interface), None),
                Target::Connected(id) | Target::Local(id) | Target::Broadcast(id) => {
                    (None, named(id), None)
                }
                Target::Unreachable => (None, None, Some("unreachable".to_owned())),
                Target::Prohibit => (None, None, Some("prohibit".to_owned())),
                Target::Blackhole => (None, None, Some("blackhole".to_owned())),
            };
            let kind = if written.is_some() { "static" } else { "connected" };
            RouteView { to: to.to_string(), via, out, kind: kind.to_owned(), reject }
        };
        let mut views: Vec<RouteView> = routes.into_iter().map(view).collect();
        // A written route that a connected subnet overrides is not in force, but is still there.
        for (to, hop) in &running.lab.routes {
            if !views.iter().any(|view| view.to == to.to_string()) {
                let via = match hop {
                    NextHop::Via { gateway, .. } => Some(*gateway),
                    NextHop::Out(_) | NextHop::Reject(_) => None,
                };
                let out = hop.out().map(InterfaceName::to_string);
                views.push(RouteView {
                    to: to.to_string(),
                    via,
                    out,
                    kind: "waiting".into(),
                    reject: None,
                });
            }
        }
        views
    }

    /// Every station of every bridge, or of one.
    pub async fn stations(&self, only: Option<&str>) -> Vec<StationView> {
        let running = self.running.lock().await;
        let mut views = Vec::new();
        for (name, id) in
            running.ids.bridges().filter(|(name, _)| only.is_none_or(|o| o == name.as_str()))
        {
            let stations = self.plane.look(|now, switch| switch.stations(now, id));
            views.extend(
                stations.into_iter().map(|station| rows::station(&running.ids, name, station)),
            );
        }
        views
    }

    /// Every neighbour, by interface and address.
    pub async fn neighbors(&self) -> Vec<NeighborEntry> {
        let running = self.running.lock().await;
        let neighbors = self.plane.look(|_, switch| switch.neighbors());
        let row = |neighbor| rows::neighbor(&running.ids, neighbor);
        neighbors.into_iter().map(row).collect()
    }

    /// Every flow that lives.
    pub async fn flows(&self) -> Vec<FlowEntry> {
        let flows = self.plane.look(|now, switch| switch.flows(now));
        flows.into_iter().map(rows::flow).collect()
    }

    /// What every port has carried, and the switch as a whole.
    pub async fn stats(&self) -> StatsView {
        let running = self.running.lock().await;
        let (totals, drops) = self.plane.look(|_, switch| (switch.totals(), switch.drops()));
        let carried = self.plane.counts().into_iter().map(|(port, mut counts)| {
            let through = self.plane.look(|_, switch| switch.received_through(port));
            if let Some(through) = through {
                (counts.received_frames, counts.received_bytes) = through;
            }
            (port, counts)
        });
        rows::stats(&running.ids, totals, &drops, carried)
    }

    /// Every drop count that is not zero.
    pub async fn drops(&self) -> Vec<DropView> {
        let running = self.running.lock().await;
        let mut drops = self.plane.look(|_, switch| switch.drops());
        let failed = self.plane.counts().into_iter().filter(|(_, counts)| counts.failed_frames > 0);
        drops.extend(failed.map(|(port, counts)| {
            (port, packet::DropReason::TransmitFailed, counts.failed_frames)
        }));
        drops.sort_unstable();
        drops.into_iter().map(|drop| rows::drop(&running.ids, drop)).collect()
    }

    /// Who sends datagrams that no tunnel wants, by VNI and address.
    pub async fn strangers(&self) -> Vec<StrangerView> {
        let running = self.running.lock().await;
        let (strangers, more) = self.plane.look(|_, switch| switch.strangers());
        rows::strangers(&running.ids, strangers, more)
    }

    /// How the ports of namespaces are attached, for whoever opens sockets in them: port name to attachment.
    pub async fn attachments(&self) -> BTreeMap<String, Attach> {
        let running = self.running.lock().await;
        running
            .lab
            .ports
            .iter()
            .map(|(name, port)| (name.to_string(), port.attach.clone()))
            .collect()
    }
}

/// Whether every far end can be reached now, as far as routes tell.
fn state_of(tunnel: &Tunnel) -> String {
    let mut paths = tunnel.remotes.iter().map(|remote| underlay::path(*remote, tunnel.local));
    match paths.find_map(Result::err) {
        Some(error) => format!("down: {error}"),
        None => "up".to_owned(),
    }
}

fn tunnel_view(tunnel: &Tunnel) -> TunnelView {
    let inherit = || NumberOrText::Text("inherit".to_owned());
    TunnelView {
        name: tunnel.name.to_string(),
        state: state_of(tunnel),
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
