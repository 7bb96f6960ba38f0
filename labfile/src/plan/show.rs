//! A step as one line for people.

use std::fmt::{self, Display};
use std::time::Duration;

use packet::{Ipv4Net, VlanId};

use super::Step;
use super::step::is_remade;
use crate::lab::list;
use crate::machine::differs;
use crate::{Bridge, Port, Segment, Settings, Tunnel, TunnelVlans};

impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemovePublish(listener, to) => write!(f, "- publish {listener} to {to}"),
            Self::RemoveRoute(to, hop) => write!(f, "- route {to} {hop}"),
            Self::RemoveStatic(entry) => write!(f, "- {entry}"),
            Self::AddMasquerade { rule, .. } => write!(f, "+ masquerade {rule}"),
            Self::RemoveTunnel(tunnel) => write!(f, "- tunnel {}", whole_tunnel(tunnel)),
            Self::RemovePort(port) => write!(f, "- port {}", whole_port(port)),
            Self::RemoveBridge(bridge) => write!(f, "- bridge {}", bridge.name),
            Self::SetSettings { from, to } => write!(f, "~ switch: {}", settings(from, to)),
            Self::SetBridge { from, to } => {
                write!(f, "~ bridge {}: {}", to.name, changed_bridge(from, to))
            }
            Self::SetPort { from, to } => {
                write!(f, "~ port {}: {}", to.name, changed_port(from, to))
            }
            Self::MendPort { port, drift } => {
                write!(f, "~ port {} {}", port.name, differs(drift))
            }
            Self::RestorePort(port) => write!(f, "+ port {} again, which was lost", port.name),
            Self::SetTunnel { from, to } => {
                write!(f, "~ tunnel {}: {}", to.name, changed_tunnel(from, to))
            }
            Self::AddBridge(bridge) => write!(f, "+ bridge {}", whole_bridge(bridge)),
            Self::AddPort(port) => write!(f, "+ port {}", whole_port(port)),
            Self::AddTunnel(tunnel) => write!(f, "+ tunnel {}", whole_tunnel(tunnel)),
            Self::RemoveMasquerade { rule, .. } => write!(f, "- masquerade {rule}"),
            Self::AddStatic(entry) => write!(f, "+ {entry}"),
            Self::SetRoute { to, from, hop } => write!(f, "~ route {to}: {from} -> {hop}"),
            Self::AddRoute(to, hop) => write!(f, "+ route {to} {hop}"),
            Self::SetPublish { listener, from, to } => {
                write!(f, "~ publish {listener}: {from} -> {to}")
            }
            Self::AddPublish(listener, to) => write!(f, "+ publish {listener} to {to}"),
        }
    }
}

/// "red (netns red, eth0, 192.168.0.2/24) on br0", or "wan (interface eth1) routed by
/// 203.0.113.1/24"
fn whole_port(port: &Port) -> String {
    let mut far = port.far_end();
    if !port.address.is_empty() {
        far += &format!(", {}", nets(&port.address));
    }
    format!("{} ({far}) {}", port.name, near_end(port))
}

/// "on br0, access 10", or "routed by 203.0.113.1/24"
fn near_end(port: &Port) -> String {
    let segment = match &port.segment {
        Segment::Routed { router, .. } => format!("routed by {}", nets(router)),
        Segment::Bridged(membership) => format!("on {}", membership.bridge),
    };
    let briefs = port.keys().into_iter().filter_map(|key| key.brief);
    [segment].into_iter().chain(briefs).collect::<Vec<_>>().join(", ")
}

/// "br0, router 192.168.0.1/24, VLAN 10 router 10.0.10.1/24"
fn whole_bridge(bridge: &Bridge) -> String {
    let mut text = bridge.name.to_string();
    if !bridge.router.is_empty() {
        text += &format!(", router {}", nets(&bridge.router));
    }
    for (vlan, addresses) in &bridge.vlans {
        text += &format!(", VLAN {vlan} router {}", nets(addresses));
    }
    if bridge.hub {
        text += ", hub";
    }
    text
}

/// "vx0 vni 42 on br0 to 192.168.10.164 from 192.168.10.163, access 10"
fn whole_tunnel(tunnel: &Tunnel) -> String {
    let Tunnel { name, vni, bridge, .. } = tunnel;
    let mut text = format!("{name} vni {vni} on {bridge} to {}", list(&tunnel.remotes));
    if let Some(local) = tunnel.local {
        text += &format!(" from {local}");
    }
    if tunnel.port.get() != VXLAN {
        text += &format!(", port {}", tunnel.port);
    }
    if tunnel.vlans != TunnelVlans::Access(VlanId::UNTAGGED) {
        text += &format!(", {}", tunnel.vlans);
    }
    if tunnel.isolated {
        text += ", isolated";
    }
    text
}

fn changed_bridge(from: &Bridge, to: &Bridge) -> String {
    let mut changes = Changes::default();
    changes.add("router", nets(&from.router), nets(&to.router));
    for vlan in
        from.vlans.keys().chain(to.vlans.keys().filter(|vlan| !from.vlans.contains_key(vlan)))
    {
        let key = format!("VLAN {vlan} router");
        changes.add(&key, nets(from.addresses(*vlan)), nets(to.addresses(*vlan)));
        let key = format!("VLAN {vlan} rp_filter");
        changes.add(&key, from.rp_filter(*vlan), to.rp_filter(*vlan));
    }
    let untagged = VlanId::UNTAGGED;
    changes.add("rp_filter", from.rp_filter(untagged), to.rp_filter(untagged));
    changes.add("mac", from.mac, to.mac);
    changes.add("mtu", optional(from.mtu, "default"), optional(to.mtu, "default"));
    changes.add("hub", from.hub, to.hub);
    changes.add("ageing", seconds(from.ageing), seconds(to.ageing));
    changes.add("fdb_size", from.fdb_size, to.fdb_size);
    changes.add("forward", list(&from.forward), list(&to.forward));
    changes.text()
}

fn changed_port(from: &Port, to: &Port) -> String {
    let mut changes = Changes::default();
    if is_remade(from, to) {
        changes.0.push("made anew".to_owned());
    }
    let now = to.keys();
    for key in from.keys() {
        if let Some(now) = now.iter().find(|now| now.name == key.name) {
            changes.add(&key.name, key.value, &now.value);
        }
    }
    if from.bridge().is_some() != to.bridge().is_some() {
        changes.add("near end", near_end(from), near_end(to));
    }
    changes.text()
}

/// Without bridge, port and local address: a change of these makes the tunnel anew.
fn changed_tunnel(from: &Tunnel, to: &Tunnel) -> String {
    let mut changes = Changes::default();
    changes.add("vni", from.vni, to.vni);
    changes.add("remotes", list(&from.remotes), list(&to.remotes));
    changes.mtu((from.mtu, from.mtu_written), (to.mtu, to.mtu_written));
    changes.add("vlan", from.vlans, to.vlans);
    changes.add("ttl", from.ttl, to.ttl);
    changes.add("dscp", from.dscp, to.dscp);
    changes.add("df", from.df, to.df);
    changes.add("checksum", from.checksum, to.checksum);
    changes.add("strict_reserved", from.strict_reserved, to.strict_reserved);
    changes.add("arp_suppression", from.arp_suppression, to.arp_suppression);
    changes.add("mss_clamp", from.mss_clamp, to.mss_clamp);
    changes.add("learning", from.learning, to.learning);
    changes.add("isolated", from.isolated, to.isolated);
    changes.text()
}

fn settings(from: &Settings, to: &Settings) -> String {
    let mut changes = Changes::default();
    changes.add("workers", optional(from.workers, "auto"), optional(to.workers, "auto"));
    changes.add("cpus", cpus(&from.cpus), cpus(&to.cpus));
    changes.add("poll", from.poll, to.poll);
    changes.add("flows", from.flows, to.flows);
    changes.add("flows_per_host", from.flows_per_host, to.flows_per_host);
    changes.add("neighbors", from.neighbors, to.neighbors);
    changes.add("icmp_errors", from.icmp_errors, to.icmp_errors);
    let (from, to) = (&from.timeouts, &to.timeouts);
    let (old, new) = (&from.flows, &to.flows);
    let times = [
        ("udp_unreplied", old.udp_unreplied, new.udp_unreplied),
        ("udp_stream", old.udp_stream, new.udp_stream),
        ("tcp_opening", old.tcp_opening, new.tcp_opening),
        ("tcp_established", old.tcp_established, new.tcp_established),
        ("tcp_closing", old.tcp_closing, new.tcp_closing),
        ("tcp_time_wait", old.tcp_time_wait, new.tcp_time_wait),
        ("tcp_close", old.tcp_close, new.tcp_close),
        ("icmp_unreplied", old.icmp_unreplied, new.icmp_unreplied),
        ("icmp_replied", old.icmp_replied, new.icmp_replied),
        ("other", old.other, new.other),
        ("neighbor_reachable", from.neighbor_reachable, to.neighbor_reachable),
        ("neighbor_stale", from.neighbor_stale, to.neighbor_stale),
    ];
    for (key, from, to) in times {
        changes.add(&format!("timeout {key}"), seconds(from), seconds(to));
    }
    changes.text()
}

/// "mtu 1500 -> 9000, gateway none -> 10.0.0.1"
#[derive(Default)]
struct Changes(Vec<String>);

impl Changes {
    fn add(&mut self, key: &str, from: impl Display, to: impl Display) {
        let (from, to) = (from.to_string(), to.to_string());
        if from != to {
            self.0.push(format!("{key} {from} -> {to}"));
        }
    }

    /// An MTU and whether it is written: the same number may come to stand there for another
    /// reason.
    fn mtu(&mut self, from: (u16, bool), to: (u16, bool)) {
        let reason = |written| if written { "as written" } else { "by default" };
        self.add("mtu", from.0, to.0);
        if from.0 == to.0 {
            self.add(&format!("mtu {}", to.0), reason(from.1), reason(to.1));
        }
    }

    fn text(self) -> String {
        self.0.join(", ")
    }
}

fn nets(nets: &[Ipv4Net]) -> String {
    list(nets)
}

fn optional<T: Display>(value: Option<T>, otherwise: &str) -> String {
    value.map_or_else(|| otherwise.to_owned(), |value| value.to_string())
}

fn cpus(cpus: &[u16]) -> String {
    if cpus.is_empty() { "any".to_owned() } else { list(cpus) }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

/// RFC 7348 section 5; worth no word.
const VXLAN: u16 = 4_789;
