//! What a running lab looks like, as values that the API sends and the command line prints.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use switch::view::{Location, NeighborState, Origin, Target};

use super::{Engine, State};
use crate::config::{Attach, InterfaceName, NextHop, Segment};

/// One port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortView {
    /// Its name.
    pub name: String,
    /// Its number inside the switch.
    pub number: u32,
    /// `up`, or `lost` with the reason behind a colon.
    pub state: String,
    /// The bridge it is a member of; none for a routed port.
    pub bridge: Option<String>,
    /// Its VLAN mode, as Open vSwitch names it.
    pub vlan: Option<String>,
    /// Whether it is out of reach for the other isolated ports.
    pub isolated: bool,
    /// The router's own addresses on it; for routed ports.
    pub router: Vec<String>,
    /// Where its far end is: `netns red`, `pid 1557`, `host`.
    pub attach: String,
    /// The namespace's number, as `ip netns list-id` shows it.
    pub nsid: Option<i32>,
    /// The far end's device.
    pub device: String,
    /// The device's index in its namespace.
    pub ifindex: Option<u32>,
    /// The far end's MAC address.
    pub mac: String,
    /// The far end's addresses.
    pub address: Vec<String>,
    /// The far end's default gateway.
    pub gateway: Option<Ipv4Addr>,
    /// Largest IP packet.
    pub mtu: u16,
    /// Whether super-frames pass.
    pub offload: bool,
}

/// One bridge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BridgeView {
    /// Its name.
    pub name: String,
    /// The router's MAC address on it.
    pub mac: String,
    /// The router's addresses on it, `vlan N: ` ahead of those of a VLAN.
    pub router: Vec<String>,
    /// Its ports.
    pub ports: Vec<String>,
    /// Seconds until a silent station is forgotten.
    pub ageing: u64,
    /// Stations known.
    pub stations: usize,
    /// Stations that fit.
    pub fdb_size: usize,
    /// Reserved protocols that pass.
    pub forward: Vec<String>,
    /// Whether it floods everything.
    pub hub: bool,
    /// Stations learned since the bridge was made.
    pub learned: u64,
    /// Stations forgotten for silence.
    pub expired: u64,
    /// Stations forgotten for room.
    pub evicted: u64,
    /// Stations that changed port.
    pub moved: u64,
}

/// One route in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteView {
    /// Destinations.
    pub to: String,
    /// The next router.
    pub via: Option<Ipv4Addr>,
    /// The interface that packets leave by.
    pub out: Option<String>,
    /// `connected` or `static`.
    pub kind: String,
    /// For a route to nowhere: `unreachable`, `prohibit` or `blackhole`.
    pub reject: Option<String>,
}

/// One station of a forwarding table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StationView {
    /// The bridge.
    pub bridge: String,
    /// The port behind which it is; `router` for the router's own address.
    pub port: String,
    /// Its VLAN; 0 for none.
    pub vlan: u16,
    /// Its address.
    pub mac: String,
    /// Seconds since it was heard; none for entries that do not age.
    pub age: Option<u64>,
    /// `learned`, `static` or `own`.
    pub origin: String,
}

/// One neighbour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeighborEntry {
    /// Its address.
    pub address: Ipv4Addr,
    /// The interface on which it is.
    pub interface: String,
    /// Its MAC address.
    pub mac: Option<String>,
    /// `incomplete`, `reachable`, `stale`, `probe`, `failed` or `static`.
    pub state: String,
}

/// One flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowEntry {
    /// The flow as `conntrack -L` prints it.
    pub line: String,
    /// Whether its source is translated.
    pub src_nat: bool,
    /// Whether its destination is translated.
    pub dst_nat: bool,
}

/// What a port has carried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortStats {
    /// The port.
    pub port: String,
    /// Frames that its far end sent.
    pub received_frames: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Frames that its far end got.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames that ended here, whatever the reason.
    pub dropped_frames: u64,
}

/// All counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatsView {
    /// By port.
    pub ports: Vec<PortStats>,
    /// Of the switch as a whole, by name.
    pub totals: BTreeMap<String, u64>,
}

/// Frames of one port that ended for one reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DropView {
    /// The port.
    pub port: String,
    /// The reason's short name.
    pub reason: String,
    /// What it means.
    pub meaning: String,
    /// Frames.
    pub frames: u64,
}

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
            BridgeView {
                name: name.to_string(),
                mac: bridge.mac.to_string(),
                router: bridge.router.iter().map(ToString::to_string).chain(vlans).collect(),
                ports: ports.map(|port| port.name.to_string()).collect(),
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
            for station in self.plane.look(|now, switch| switch.stations(now, id)) {
                let port = match station.location {
                    Location::Port(port) => running.ids.port_name(port).map(ToString::to_string),
                    Location::Router(_) => Some("router".to_owned()),
                };
                let origin = match station.origin {
                    Origin::Learned => "learned",
                    Origin::Static => "static",
                    Origin::Own => "own",
                };
                views.push(StationView {
                    bridge: name.to_string(),
                    port: port.unwrap_or_default(),
                    vlan: station.vlan.number(),
                    mac: station.mac.to_string(),
                    age: (station.origin == Origin::Learned).then_some(station.age.as_secs()),
                    origin: origin.to_owned(),
                });
            }
        }
        views
    }

    /// Every neighbour, by interface and address.
    pub async fn neighbors(&self) -> Vec<NeighborEntry> {
        let running = self.running.lock().await;
        let neighbors = self.plane.look(|_, switch| switch.neighbors());
        let view = |neighbor: switch::view::NeighborView| NeighborEntry {
            address: neighbor.address,
            interface: running
                .ids
                .interface_name(neighbor.interface)
                .map_or_else(String::new, ToString::to_string),
            mac: neighbor.mac.map(|mac| mac.to_string()),
            state: match neighbor.state {
                NeighborState::Incomplete => "incomplete",
                NeighborState::Reachable => "reachable",
                NeighborState::Stale => "stale",
                NeighborState::Probe => "probe",
                NeighborState::Failed => "failed",
                NeighborState::Static => "static",
            }
            .to_owned(),
        };
        neighbors.into_iter().map(view).collect()
    }

    /// Every flow that lives.
    pub async fn flows(&self) -> Vec<FlowEntry> {
        let flows = self.plane.look(|now, switch| switch.flows(now));
        let view = |flow: nat::FlowView| FlowEntry {
            line: flow.to_string(),
            src_nat: flow.is_src_nat,
            dst_nat: flow.is_dst_nat,
        };
        flows.into_iter().map(view).collect()
    }

    /// What every port has carried, and the switch as a whole.
    pub async fn stats(&self) -> StatsView {
        let running = self.running.lock().await;
        let (totals, drops) = self.plane.look(|_, switch| (switch.totals(), switch.drops()));
        let ports = self.plane.counts().into_iter().filter_map(|(port, counts)| {
            let dropped = drops.iter().filter(|(at, _, _)| *at == port).map(|(_, _, n)| n);
            Some(PortStats {
                port: running.ids.port_name(port)?.to_string(),
                received_frames: counts.received_frames,
                received_bytes: counts.received_bytes,
                sent_frames: counts.sent_frames,
                sent_bytes: counts.sent_bytes,
                dropped_frames: dropped.sum::<u64>() + counts.failed_frames,
            })
        });
        let totals = [
            ("received", totals.received),
            ("sent", totals.sent),
            ("held", totals.held),
            ("consumed", totals.consumed),
            ("dropped", totals.dropped),
            ("spoken", totals.spoken),
            ("copies_dropped", totals.copies_dropped),
            ("errors_suppressed", totals.errors_suppressed),
            ("arp_suspicious", totals.arp_suspicious),
            ("arp_conflicts", totals.arp_conflicts),
        ];
        let totals = totals.map(|(name, count)| (name.to_owned(), count));
        StatsView { ports: ports.collect(), totals: totals.into() }
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
        let view = |(port, reason, frames): (_, packet::DropReason, _)| DropView {
            port: running.ids.port_name(port).map_or_else(|| port.to_string(), ToString::to_string),
            reason: reason.name().to_owned(),
            meaning: reason.describe().trim().to_owned(),
            frames,
        };
        drops.into_iter().map(view).collect()
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
