//! What each listing shows, in which columns.

use control::view::{
    BridgeView, FlowEntry, NeighborEntry, PortView, RouteView, StationView, TunnelView,
    UnknownVtepView,
};
use labfile::{MasqueradeSpec, PublishSpec};

use super::{Column, list, or_none, table};
use Column::{Number, Text};

/// `port list`; why a port is lost stands below, where there is room.
pub(crate) fn ports(ports: &[PortView]) -> String {
    let columns = [
        Text("port"),
        Text("namespace"),
        Text("device"),
        Number("ifindex"),
        Number("nsid"),
        Text("MAC"),
        Number("MTU"),
        Text("address"),
        Text("state"),
    ];
    let row = |port: &PortView| {
        let (state, _) = split_state(&port.state);
        vec![
            port.name.clone(),
            port.attach.strip_prefix("netns ").unwrap_or(&port.attach).to_owned(),
            port.device.clone(),
            or_none(port.ifindex),
            or_none(port.nsid),
            port.mac.clone(),
            port.mtu.to_string(),
            list(&port.address),
            state.to_owned(),
        ]
    };
    let mut text = table(&columns, ports.iter().map(row).collect());
    for port in ports {
        if let (_, Some(why)) = split_state(&port.state) {
            text += &format!("\n{} is lost: {why}", port.name);
        }
        if !port.differs.is_empty() {
            text += &format!("\n{} differs on the machine: {}", port.name, port.differs.join(", "));
        }
    }
    text
}

/// `tunnel unknown`
pub(crate) fn unknown_vteps(unknown_vteps: &[UnknownVtepView]) -> String {
    let columns = [Text("port"), Number("VNI"), Text("from"), Text("reason"), Number("datagrams")];
    let row = |vtep: &UnknownVtepView| {
        vec![
            vtep.port.clone(),
            or_none(vtep.vni),
            or_none(vtep.remote),
            vtep.reason.clone(),
            vtep.datagrams.to_string(),
        ]
    };
    table(&columns, unknown_vteps.iter().map(row).collect())
}

/// `tunnel list`; why a tunnel is down stands below, where there is room.
pub(crate) fn tunnels(tunnels: &[TunnelView]) -> String {
    let columns = [
        Text("tunnel"),
        Text("bridge"),
        Number("VNI"),
        Number("port"),
        Text("local"),
        Text("remotes"),
        Number("MTU"),
        Text("VLAN"),
        Text("state"),
    ];
    let row = |tunnel: &TunnelView| {
        let (state, _) = split_state(&tunnel.state);
        let remotes: Vec<String> = tunnel.remotes.iter().map(ToString::to_string).collect();
        vec![
            tunnel.name.clone(),
            tunnel.bridge.clone(),
            tunnel.vni.to_string(),
            tunnel.port.to_string(),
            or_none(tunnel.local),
            list(&remotes),
            tunnel.mtu.to_string(),
            if tunnel.trunk { "all".to_owned() } else { or_none(tagged(tunnel)) },
            state.to_owned(),
        ]
    };
    let mut text = table(&columns, tunnels.iter().map(row).collect());
    for tunnel in tunnels {
        if let (word, Some(why)) = split_state(&tunnel.state) {
            text += &format!("\n{} is {word}: {why}", tunnel.name);
        }
    }
    text
}

/// The VLAN that a tunnel carries, when it is one.
pub(super) fn tagged(tunnel: &TunnelView) -> Option<u16> {
    tunnel.vlan.filter(|vlan| *vlan != 0)
}

/// "lost: namespace `red` vanished" is a word and a reason.
fn split_state(state: &str) -> (&str, Option<&str>) {
    match state.split_once(": ") {
        Some((word, why)) => (word, Some(why)),
        None => (state, None),
    }
}

/// `bridge list`
pub(crate) fn bridges(bridges: &[BridgeView]) -> String {
    let columns = [
        Text("bridge"),
        Text("router"),
        Text("MAC"),
        Number("ports"),
        Number("stations"),
        Number("ageing"),
        Text("kind"),
    ];
    let row = |bridge: &BridgeView| {
        vec![
            bridge.name.clone(),
            list(&bridge.router),
            bridge.mac.clone(),
            bridge.ports.len().to_string(),
            format!("{}/{}", bridge.stations, bridge.fdb_size),
            bridge.ageing.to_string(),
            if bridge.hub { "hub" } else { "bridge" }.to_owned(),
        ]
    };
    table(&columns, bridges.iter().map(row).collect())
}

/// `route list`
pub(crate) fn routes(routes: &[RouteView]) -> String {
    let columns = [Text("to"), Text("via"), Text("out"), Text("kind")];
    let row = |route: &RouteView| {
        let kind = route.reject.as_ref().unwrap_or(&route.kind);
        vec![route.to.clone(), or_none(route.via), or_none(route.out.as_ref()), kind.clone()]
    };
    table(&columns, routes.iter().map(row).collect())
}

/// `masquerade list`
pub(crate) fn masquerade(rules: &[MasqueradeSpec]) -> String {
    let columns = [Number("#"), Text("source"), Text("out"), Text("except"), Text("options")];
    let row = |(number, rule): (usize, &MasqueradeSpec)| {
        vec![
            number.to_string(),
            rule.source.clone(),
            rule.out.clone(),
            list(&rule.except),
            masquerade_options(rule),
        ]
    };
    table(&columns, (1..).zip(rules).map(row).collect())
}

/// The keys that are written and are seldom written.
pub(super) fn masquerade_options(rule: &MasqueradeSpec) -> String {
    let mut options = Vec::new();
    options.extend(rule.mapping.as_ref().map(|mapping| format!("mapping {mapping}")));
    options.extend(rule.filtering.as_ref().map(|filtering| format!("filtering {filtering}")));
    options.extend(rule.ports.as_ref().map(|ports| format!("ports {ports}")));
    options.extend(rule.parity.map(|parity| format!("parity {parity}")));
    options.extend((rule.inside_reachable == Some(true)).then(|| "inside reachable".to_owned()));
    options.extend((rule.keep == Some(true)).then(|| "keep".to_owned()));
    list(&options)
}

/// `publish list`
pub(crate) fn publish(rules: &[PublishSpec]) -> String {
    let columns = [Number("#"), Text("listen"), Text("to")];
    let row = |(number, rule): (usize, &PublishSpec)| {
        vec![number.to_string(), rule.listen.clone(), published(rule)]
    };
    table(&columns, (1..).zip(rules).map(row).collect())
}

/// Whom a published service belongs to, and whether its flows are kept.
pub(super) fn published(rule: &PublishSpec) -> String {
    let keep = if rule.keep == Some(true) { " keep" } else { "" };
    format!("{}{keep}", rule.to)
}

/// `fdb list`; who is behind which peer, when somebody is behind a tunnel.
pub(crate) fn stations(stations: &[StationView]) -> String {
    let has_remotes = stations.iter().any(|station| station.remote.is_some());
    let mut columns = vec![
        Text("bridge"),
        Text("port"),
        Number("VLAN"),
        Text("MAC"),
        Number("age"),
        Text("origin"),
    ];
    if has_remotes {
        columns.insert(2, Text("remote"));
    }
    let row = |station: &StationView| {
        let mut row = vec![
            station.bridge.clone(),
            station.port.clone(),
            station.vlan.to_string(),
            station.mac.clone(),
            or_none(station.age),
            station.origin.clone(),
        ];
        if has_remotes {
            row.insert(2, or_none(station.remote));
        }
        row
    };
    table(&columns, stations.iter().map(row).collect())
}

/// `neigh list`
pub(crate) fn neighbors(neighbors: &[NeighborEntry]) -> String {
    let columns = [Text("address"), Text("interface"), Text("MAC"), Text("state")];
    let row = |neighbor: &NeighborEntry| {
        vec![
            neighbor.address.to_string(),
            neighbor.interface.clone(),
            or_none(neighbor.mac.as_ref()),
            neighbor.state.clone(),
        ]
    };
    table(&columns, neighbors.iter().map(row).collect())
}

/// `conntrack list`: lines that scripts for conntrack(8) can read.
pub(crate) fn flows(flows: &[FlowEntry]) -> String {
    let lines: Vec<&str> = flows.iter().map(|flow| flow.line.as_str()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use labfile::NumberOrText;

    use super::*;

    fn port(name: &str, state: &str) -> PortView {
        PortView {
            name: name.into(),
            number: 0,
            state: state.into(),
            bridge: Some("br0".into()),
            vlan: None,
            isolated: false,
            guard: false,
            router: Vec::new(),
            rp_filter: None,
            attach: format!("netns {name}"),
            nsid: Some(0),
            device: "eth0".into(),
            ifindex: Some(2),
            mac: "02:0c:9c:5c:e3:7a".into(),
            address: vec!["192.168.0.2/24".into()],
            gateway: None,
            mtu: 1500,
            master: None,
            differs: Vec::new(),
            offload: true,
        }
    }

    #[test]
    fn a_port_list_names_namespace_device_ifindex_nsid_mac_and_address() {
        assert_eq!(
            ports(&[port("red", "up")]),
            "port namespace device ifindex nsid MAC                MTU address        state\n\
             red  red       eth0         2    0 02:0c:9c:5c:e3:7a 1500 192.168.0.2/24 up"
        );
    }

    #[test]
    fn a_lost_port_says_why_below() {
        let mut lost = port("red", "lost: namespace `red` vanished");
        (lost.nsid, lost.ifindex) = (None, None);
        let text = ports(&[lost]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with(" lost"), "{text}");
        assert_eq!(lines[2], "red is lost: namespace `red` vanished");
    }

    fn tunnel(name: &str, state: &str) -> TunnelView {
        TunnelView {
            name: name.into(),
            state: state.into(),
            bridge: "br0".into(),
            vni: 42,
            remotes: vec![Ipv4Addr::new(192, 168, 10, 164)],
            local: None,
            port: 4789,
            vlan: Some(0),
            trunk: false,
            mtu: 1450,
            ttl: NumberOrText::Number(64),
            dscp: NumberOrText::Number(0),
            df: true,
            checksum: true,
            strict_reserved: false,
            arp_suppression: false,
            mss_clamp: false,
            learning: true,
            isolated: false,
        }
    }

    #[test]
    fn a_tunnel_list_fits_a_screen_and_says_why_below() {
        let trunk = TunnelView { trunk: true, vlan: None, ..tunnel("vx1", "up") };
        let bound = TunnelView {
            vlan: Some(10),
            local: Some(Ipv4Addr::new(192, 168, 10, 163)),
            ..tunnel("vx2", "down: no route to 192.168.10.164")
        };
        assert_eq!(
            tunnels(&[tunnel("vx0", "up"), trunk, bound]),
            "tunnel  bridge  VNI  port  local           remotes          MTU  VLAN  state\n\
             vx0     br0      42  4789  -               192.168.10.164  1450  -     up\n\
             vx1     br0      42  4789  -               192.168.10.164  1450  all   up\n\
             vx2     br0      42  4789  192.168.10.163  192.168.10.164  1450  10    down\n\
             vx2 is down: no route to 192.168.10.164"
        );
    }

    #[test]
    fn a_station_behind_a_tunnel_has_a_peer() {
        let station = |port: &str, remote| StationView {
            bridge: "br0".into(),
            port: port.into(),
            remote,
            vlan: 0,
            mac: "02:00:00:00:00:01".into(),
            age: Some(3),
            origin: "learned".into(),
        };
        let (red, far) = (station("red", None), station("vx0", Some(Ipv4Addr::new(192, 0, 2, 1))));
        assert_eq!(
            stations(std::slice::from_ref(&red)),
            "bridge  port  VLAN  MAC                age  origin\n\
             br0     red      0  02:00:00:00:00:01    3  learned"
        );
        assert_eq!(
            stations(&[red, far]),
            "bridge  port  remote     VLAN  MAC                age  origin\n\
             br0     red   -             0  02:00:00:00:00:01    3  learned\n\
             br0     vx0   192.0.2.1     0  02:00:00:00:00:01    3  learned"
        );
    }

    #[test]
    fn an_empty_list_is_its_titles() {
        assert_eq!(routes(&[]), "to  via  out  kind");
        assert_eq!(flows(&[]), "");
    }

    #[test]
    fn a_route_to_nowhere_says_so() {
        let route = RouteView {
            to: "10.0.0.0/8".into(),
            via: None,
            out: None,
            kind: "static".into(),
            reject: Some("prohibit".into()),
        };
        assert_eq!(routes(&[route]), "to          via  out  kind\n10.0.0.0/8  -    -    prohibit");
    }

    #[test]
    fn rules_are_numbered_from_one() {
        let rule = MasqueradeSpec {
            source: "192.168.0.0/24".into(),
            out: "wan".into(),
            except: vec!["10.0.0.0/8".into(), "172.16.0.0/12".into()],
            parity: Some(false),
            ..MasqueradeSpec::default()
        };
        assert_eq!(
            masquerade(&[rule]),
            "#  source          out  except                    options\n\
             1  192.168.0.0/24  wan  10.0.0.0/8,172.16.0.0/12  parity false"
        );
    }
}
