//! `show`: the whole lab as a tree, in the manner of `ovs-vsctl show`.

use control::message::Show;
use control::view::{BridgeView, PortView, RouteView, TunnelView};
use labfile::MasqueradeSpec;
use labfile::printable;

use super::tables::{masquerade_options, published, tagged};

/// The tree. Whatever there is none of is left out.
pub(crate) fn show(show: &Show) -> String {
    let mut tree = Tree::default();
    tree.line(0, format!("tapswitch {}", show.version));
    for bridge in &show.bridges {
        tree.bridge(bridge, &show.ports);
        for tunnel in show.tunnels.iter().filter(|tunnel| tunnel.bridge == bridge.name) {
            tree.tunnel(tunnel);
        }
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
    for rule in &show.publish {
        tree.line(2, format!("{} to {}", rule.listen, published(rule)));
    }
    if !show.warnings.is_empty() {
        tree.line(1, "Warnings".into());
    }
    for warning in &show.warnings {
        tree.line(2, warning.clone());
    }
    tree.0
}

#[derive(Default)]
struct Tree(String);

impl Tree {
    fn line(&mut self, depth: usize, text: String) {
        let text = printable::line(&text);
        self.0 += &format!("{:width$}{text}\n", "", width = depth * 4);
    }

    fn bridge(&mut self, bridge: &BridgeView, ports: &[PortView]) {
        let kind = if bridge.hub { "Hub" } else { "Bridge" };
        self.line(1, format!("{kind} {}", bridge.name));
        if !bridge.router.is_empty() {
            self.line(2, format!("router: {}", bridge.router.join(", ")));
        }
        if !bridge.rp_filter.is_empty() {
            self.line(2, format!("rp_filter: {}", bridge.rp_filter.join(", ")));
        }
        if !bridge.forward.is_empty() {
            self.line(2, format!("forward: {}", bridge.forward.join(", ")));
        }
        for port in ports.iter().filter(|port| port.bridge.as_ref() == Some(&bridge.name)) {
            self.line(2, format!("Port {}", port.name));
            let traits = port.traits();
            if !traits.is_empty() {
                self.line(3, traits.join(", "));
            }
            self.far_end(3, port);
        }
    }

    fn tunnel(&mut self, tunnel: &TunnelView) {
        self.line(2, format!("Tunnel {}", tunnel.name));
        let remotes: Vec<String> = tunnel.remotes.iter().map(ToString::to_string).collect();
        let mut path = format!("vni {} to {}", tunnel.vni, remotes.join(", "));
        if let Some(local) = tunnel.local {
            path += &format!(" from {local}");
        }
        self.line(3, format!("{path}, port {}, mtu {}", tunnel.port, tunnel.mtu));
        let mut traits = Vec::new();
        traits.extend(tagged(tunnel).map(|vlan| format!("access {vlan}")));
        traits.extend(tunnel.trunk.then(|| "trunk all".to_owned()));
        traits.extend(tunnel.isolated.then(|| "isolated".to_owned()));
        if !traits.is_empty() {
            self.line(3, traits.join(", "));
        }
        if tunnel.state != "up" {
            self.line(3, tunnel.state.clone());
        }
    }

    fn far_end(&mut self, depth: usize, port: &PortView) {
        let mut device = port.attach.clone();
        // An existing device is named by the attachment itself.
        if !port.attach.starts_with("interface ") {
            device += &format!(", device {}", port.device);
        }
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
        let master = port.master.as_ref().map(|master| format!("master {master}"));
        // One that is written is named by the attachment.
        if let Some(master) = master.filter(|master| !port.attach.ends_with(master.as_str())) {
            self.line(depth, master);
        }
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
        line += &format!(" except {}", rule.except.join(", "));
    }
    match masquerade_options(rule).as_str() {
        "-" => line,
        options => line + " " + options,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use labfile::{NumberOrText, PublishSpec};

    use super::*;

    fn port(name: &str) -> PortView {
        PortView {
            name: name.into(),
            number: 0,
            state: "up".into(),
            bridge: Some("br0".into()),
            vlan: Some("trunk all".into()),
            isolated: false,
            guard: false,
            router: Vec::new(),
            rp_filter: None,
            attach: format!("netns {name}"),
            nsid: Some(0),
            device: "eth0".into(),
            ifindex: Some(2),
            mac: "02:00:00:00:00:01".into(),
            address: vec!["192.168.0.2/24".into()],
            gateway: Some(Ipv4Addr::new(192, 168, 0, 1)),
            mtu: 1500,
            master: None,
            differs: Vec::new(),
            offload: true,
        }
    }

    fn bridge() -> BridgeView {
        BridgeView {
            name: "br0".into(),
            mac: "02:00:00:00:00:02".into(),
            router: vec!["192.168.0.1/24".into()],
            rp_filter: vec!["strict".into()],
            ports: vec!["red".into(), "blue".into()],
            tunnels: vec!["vx0".into()],
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

    fn tunnel() -> TunnelView {
        TunnelView {
            name: "vx0".into(),
            state: "down: no route to 192.0.2.1".into(),
            bridge: "br0".into(),
            vni: 42,
            remotes: vec![Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)],
            local: Some(Ipv4Addr::new(192, 0, 2, 9)),
            port: 4789,
            vlan: Some(10),
            trunk: false,
            mtu: 1450,
            ttl: NumberOrText::Number(64),
            dscp: NumberOrText::Text("inherit".into()),
            df: true,
            checksum: true,
            strict_reserved: false,
            arp_suppression: false,
            mss_clamp: false,
            learning: true,
            isolated: true,
        }
    }

    #[test]
    fn the_whole_lab_is_one_tree() {
        let blue = PortView { vlan: Some("access 10".into()), isolated: true, ..port("blue") };
        let green = PortView { isolated: true, guard: true, ..port("green") };
        let wan = PortView {
            bridge: None,
            router: vec!["203.0.113.1/24".into()],
            gateway: None,
            state: "lost: namespace `wan` vanished".into(),
            ifindex: None,
            nsid: None,
            ..port("wan")
        };
        let found = PortView {
            attach: "interface eth1".into(),
            device: "eth1".into(),
            nsid: None,
            address: Vec::new(),
            gateway: None,
            ..port("found")
        };
        let text = show(&Show {
            version: "0.1.0".into(),
            bridges: vec![bridge()],
            ports: vec![port("red"), blue, green, found, wan],
            tunnels: vec![tunnel()],
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
                except: vec!["10.0.0.0/8".into()],
                ..MasqueradeSpec::default()
            }],
            publish: vec![PublishSpec {
                listen: "203.0.113.1:8080/tcp".into(),
                to: "192.168.0.2:80".into(),
                ..PublishSpec::default()
            }],
            warnings: vec!["tunnel vx0 has mtu 1500".into()],
        });
        let expected = "\
tapswitch 0.1.0
    Bridge br0
        router: 192.168.0.1/24
        rp_filter: strict
        forward: lldp
        Port red
            netns red, device eth0, ifindex 2, nsid 0
            02:00:00:00:00:01, 192.168.0.2/24, gateway 192.168.0.1
        Port blue
            access 10, isolated
            netns blue, device eth0, ifindex 2, nsid 0
            02:00:00:00:00:01, 192.168.0.2/24, gateway 192.168.0.1
        Port green
            isolated, guarded
            netns green, device eth0, ifindex 2, nsid 0
            02:00:00:00:00:01, 192.168.0.2/24, gateway 192.168.0.1
        Port found
            interface eth1, ifindex 2
            02:00:00:00:00:01
        Tunnel vx0
            vni 42 to 192.0.2.1, 192.0.2.2 from 192.0.2.9, port 4789, mtu 1450
            access 10, isolated
            down: no route to 192.0.2.1
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
    Warnings
        tunnel vx0 has mtu 1500
";
        assert_eq!(text, expected);
    }
}
