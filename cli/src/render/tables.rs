//! What each listing shows, in which columns.

use daemon::config::{MasqueradeSpec, PublishSpec};
use daemon::engine::views::{
    BridgeView, FlowEntry, NeighborEntry, PortView, RouteView, StationView,
};

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
            list(&port.address),
            state.to_owned(),
        ]
    };
    let mut text = table(&columns, ports.iter().map(row).collect());
    for port in ports {
        if let (_, Some(why)) = split_state(&port.state) {
            text += &format!("\n{} is lost: {why}", port.name);
        }
    }
    text
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
            list(&rule.except.0),
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
    list(&options)
}

/// `publish list`
pub(crate) fn publish(rules: &[PublishSpec]) -> String {
    let columns = [Number("#"), Text("listen"), Text("to")];
    let row = |(number, rule): (usize, &PublishSpec)| {
        vec![number.to_string(), rule.listen.clone(), rule.to.clone()]
    };
    table(&columns, (1..).zip(rules).map(row).collect())
}

/// `fdb list`
pub(crate) fn stations(stations: &[StationView]) -> String {
    let columns =
        [Text("bridge"), Text("port"), Number("VLAN"), Text("MAC"), Number("age"), Text("origin")];
    let row = |station: &StationView| {
        vec![
            station.bridge.clone(),
            station.port.clone(),
            station.vlan.to_string(),
            station.mac.clone(),
            or_none(station.age),
            station.origin.clone(),
        ]
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
    use super::*;

    fn port(name: &str, state: &str) -> PortView {
        PortView {
            name: name.into(),
            number: 0,
            state: state.into(),
            bridge: Some("br0".into()),
            vlan: None,
            isolated: false,
            router: Vec::new(),
            attach: format!("netns {name}"),
            nsid: Some(0),
            device: "eth0".into(),
            ifindex: Some(2),
            mac: "02:0c:9c:5c:e3:7a".into(),
            address: vec!["192.168.0.2/24".into()],
            gateway: None,
            mtu: 1500,
            offload: true,
        }
    }

    #[test]
    fn a_port_list_names_namespace_device_ifindex_nsid_mac_and_address() {
        assert_eq!(
            ports(&[port("red", "up")]),
            "port  namespace  device  ifindex  nsid  MAC                address         state\n\
             red   red        eth0          2     0  02:0c:9c:5c:e3:7a  192.168.0.2/24  up"
        );
    }

    #[test]
    fn a_lost_port_says_why_below() {
        let mut lost = port("red", "lost: namespace `red` vanished");
        (lost.nsid, lost.ifindex) = (None, None);
        let text = ports(&[lost]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("  lost"), "{text}");
        assert_eq!(lines[2], "red is lost: namespace `red` vanished");
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
            except: ["10.0.0.0/8", "172.16.0.0/12"].into_iter().collect(),
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
