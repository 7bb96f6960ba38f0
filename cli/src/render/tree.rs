//! `show`: the whole lab as a tree, in the manner of `ovs-vsctl show`.

use daemon::api::message::Show;
use daemon::config::{MasqueradeSpec, PublishSpec};
use daemon::engine::views::{BridgeView, PortView, RouteView};

use super::tables::masquerade_options;

/// The tree. Whatever there is none of is left out.
pub(crate) fn show(show: &Show) -> String {
    let mut tree = Tree::default();
    tree.line(0, format!("tapswitch {}", show.version));
    for bridge in &show.bridges {
        tree.bridge(bridge, &show.ports);
    }
    for port in show.ports.iter().filter(|port| port.bridge.is_none()) {
        tree.line(1, format!("Routed port {}", port.name));
        tree.line(2, format!("router: {}", port.router.join(", ")));
        tree.far_end(2, port);
    }
    let written: Vec<&RouteView> =
        show.routes.iter().filter(|route| route.kind != "connected").collect();
    if !written.is_empty() {
        tree.line(1, "Routes".into());
    }
    for route in written {
        tree.line(2, route_line(route));
    }
    if !show.masquerade.is_empty() {
        tree.line(1, "Masquerade".into());
    }
    for (number, rule) in (1..).zip(&show.masquerade) {
        tree.line(2, masquerade_line(number, rule));
    }
    if !show.publish.is_empty() {
        tree.line(1, "Publish".into());
    }
    for PublishSpec { listen, to } in &show.publish {
        tree.line(2, format!("{listen} to {to}"));
    }
    tree.0
}

#[derive(Default)]
struct Tree(String);

impl Tree {
    fn line(&mut self, depth: usize, text: String) {
        self.0 += &format!("{:width$}{text}\n", "", width = depth * 4);
    }

    fn bridge(&mut self, bridge: &BridgeView, ports: &[PortView]) {
        let kind = if bridge.hub { "Hub" } else { "Bridge" };
        self.line(1, format!("{kind} {}", bridge.name));
        if !bridge.router.is_empty() {
            self.line(2, format!("router: {}", bridge.router.join(", ")));
        }
        if !bridge.forward.is_empty() {
            self.line(2, format!("forward: {}", bridge.forward.join(", ")));
        }
        for port in ports.iter().filter(|port| port.bridge.as_ref() == Some(&bridge.name)) {
            self.line(2, format!("Port {}", port.name));
            let mut traits = Vec::new();
            traits.extend(port.vlan.clone().filter(|vlan| vlan != "trunk all"));
            traits.extend(port.isolated.then(|| "isolated".to_owned()));
            if !traits.is_empty() {
                self.line(3, traits.join(", "));
            }
            self.far_end(3, port);
        }
    }

    fn far_end(&mut self, depth: usize, port: &PortView) {
        let mut device = format!("{}, device {}", port.attach, port.device);
        if let Some(ifindex) = port.ifindex {
            device += &format!(", ifindex {ifindex}");
        }
        if let Some(nsid) = port.nsid {
            device += &format!(", nsid {nsid}");
        }
        self.line(depth, device);
        let mut address = port.mac.clone();
        if !port.address.is_empty() {
            address += &format!(", {}", port.address.join(", "));
        }
        if let Some(gateway) = port.gateway {
            address += &format!(", gateway {gateway}");
        }
        self.line(depth, address);
        if port.state != "up" {
            self.line(depth, port.state.clone());
        }
    }
}

fn route_line(route: &RouteView) -> String {
    let mut line = route.to.clone();
    if let Some(via) = route.via {
        line += &format!(" via {via}");
    }
    if let Some(out) = &route.out {
        line += &format!(" out {out}");
    }
    if let Some(reject) = &route.reject {
        line += &format!(" {reject}");
    }
    if route.kind == "waiting" {
        line += " (waiting for its interface)";
    }
    line
}

fn masquerade_line(number: usize, rule: &MasqueradeSpec) -> String {
    let mut line = format!("{number}: {} out {}", rule.source, rule.out);
    if !rule.except.is_empty() {
        line += &format!(" except {}", rule.except.0.join(", "));
    }
    match masquerade_options(rule).as_str() {
        "-" => line,
        options => line + " " + options,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn port(name: &str) -> PortView {
        PortView {
            name: name.into(),
            number: 0,
            state: "up".into(),
            bridge: Some("br0".into()),
            vlan: Some("trunk all".into()),
            isolated: false,
            router: Vec::new(),
            attach: format!("netns {name}"),
            nsid: Some(0),
            device: "eth0".into(),
            ifindex: Some(2),
            mac: "02:00:00:00:00:01".into(),
            address: vec!["192.168.0.2/24".into()],
            gateway: Some(Ipv4Addr::new(192, 168, 0, 1)),
            mtu: 1500,
            offload: true,
        }
    }

    fn bridge() -> BridgeView {
        BridgeView {
            name: "br0".into(),
            mac: "02:00:00:00:00:02".into(),
            router: vec!["192.168.0.1/24".into()],
            ports: vec!["red".into(), "blue".into()],
            ageing: 300,
            stations: 2,
            fdb_size: 8192,
            forward: vec!["lldp".into()],
            hub: false,
            learned: 2,
            expired: 0,
            evicted: 0,
            moved: 0,
        }
    }

    #[test]
    fn the_whole_lab_is_one_tree() {
        let blue = PortView { vlan: Some("access 10".into()), isolated: true, ..port("blue") };
        let green = PortView { isolated: true, ..port("green") };
        let wan = PortView {
            bridge: None,
            router: vec!["203.0.113.1/24".into()],
            gateway: None,
            state: "lost: namespace `wan` vanished".into(),
            ifindex: None,
            nsid: None,
            ..port("wan")
        };
        let text = show(&Show {
            version: "0.1.0".into(),
            bridges: vec![bridge()],
            ports: vec![port("red"), blue, green, wan],
            routes: vec![RouteView {
                to: "0.0.0.0/0".into(),
                via: Some(Ipv4Addr::new(203, 0, 113, 254)),
                out: Some("wan".into()),
                kind: "static".into(),
                reject: None,
            }],
            masquerade: vec![MasqueradeSpec {
                source: "192.168.0.0/24".into(),
                out: "wan".into(),
                except: "10.0.0.0/8".into(),
                ..MasqueradeSpec::default()
            }],
            publish: vec![PublishSpec {
                listen: "203.0.113.1:8080/tcp".into(),
                to: "192.168.0.2:80".into(),
            }],
        });
        let expected = "\
tapswitch 0.1.0
    Bridge br0
        router: 192.168.0.1/24
        forward: lldp
        Port red
            netns red, device eth0, ifindex 2, nsid 0
            02:00:00:00:00:01, 192.168.0.2/24, gateway 192.168.0.1
        Port blue
            access 10, isolated
            netns blue, device eth0, ifindex 2, nsid 0
            02:00:00:00:00:01, 192.168.0.2/24, gateway 192.168.0.1
        Port green
            isolated
            netns green, device eth0, ifindex 2, nsid 0
            02:00:00:00:00:01, 192.168.0.2/24, gateway 192.168.0.1
    Routed port wan
        router: 203.0.113.1/24
        netns wan, device eth0
        02:00:00:00:00:01, 192.168.0.2/24
        lost: namespace `wan` vanished
    Routes
        0.0.0.0/0 via 203.0.113.254 out wan
    Masquerade
        1: 192.168.0.0/24 out wan except 10.0.0.0/8
    Publish
        203.0.113.1:8080/tcp to 192.168.0.2:80
";
        assert_eq!(text, expected);
    }
}
