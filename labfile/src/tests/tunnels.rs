//! What a tunnel's keys mean, and how MTUs follow from its path.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use packet::VlanId;

use super::{BASE, lab};
use crate::{Dscp, Lab, LabSpec, Name, NumberOrText, Ttl, TunnelVlans, parse_spec};

const TUNNEL: &str = "[tunnel.vx0]\nbridge = \"br0\"\nvni = 42\nremotes = \"192.0.2.1\"\n";

/// The base lab and a tunnel, with more lines for the latter.
fn tunnelled(lines: &str) -> Lab {
    lab(&format!("{BASE}{TUNNEL}{lines}"))
}

fn paths(inner: &[(&str, u16)]) -> BTreeMap<Name, u16> {
    inner.iter().map(|(name, mtu)| (name.parse().unwrap(), *mtu)).collect()
}

#[test]
fn a_tunnel_has_the_defaults_of_the_kernel() {
    let lab = tunnelled("");
    let tunnel = &lab.tunnels["vx0"];
    assert_eq!(tunnel.vni.number(), 42);
    assert_eq!(tunnel.remotes, [Ipv4Addr::new(192, 0, 2, 1)]);
    assert_eq!((tunnel.local, tunnel.port.get()), (None, 4789));
    assert_eq!(tunnel.vlans, TunnelVlans::Access(VlanId::UNTAGGED));
    assert_eq!((tunnel.mtu, tunnel.mtu_written), (1450, false));
    assert_eq!((tunnel.ttl.to_string(), tunnel.dscp), ("64".to_owned(), Dscp::Fixed(0)));
    assert!(tunnel.df && tunnel.checksum && tunnel.learning);
    assert!(!tunnel.strict_reserved && !tunnel.arp_suppression);
    assert!(!tunnel.mss_clamp && !tunnel.isolated);
}

#[test]
fn every_key_of_a_tunnel_has_its_meaning() {
    let lab = tunnelled(
        "local = \"192.0.2.9\"\nport = 8472\nvlan = 10\nmtu = 576\nttl = \"inherit\"\ndscp = \"inherit\"\n\
         df = false\nchecksum = \"zero\"\nstrict_reserved = true\narp_suppression = true\nmss_clamp = \
         true\nlearning = false\nisolated = true\n",
    );
    let tunnel = &lab.tunnels["vx0"];
    assert_eq!(tunnel.local, Some(Ipv4Addr::new(192, 0, 2, 9)));
    assert_eq!(tunnel.port.get(), 8472);
    assert_eq!(tunnel.vlans.to_string(), "access 10");
    assert_eq!((tunnel.mtu, tunnel.mtu_written), (576, true));
    assert_eq!((tunnel.ttl, tunnel.dscp), (Ttl::Inherit, Dscp::Inherit));
    assert!(!tunnel.df && !tunnel.checksum && !tunnel.learning);
    assert!(tunnel.strict_reserved && tunnel.arp_suppression);
    assert!(tunnel.mss_clamp && tunnel.isolated);
    let both = |text: &str| tunnelled(text).tunnels["vx0"].checksum;
    assert!(both("checksum = \"on\"") && both("checksum = true") && !both("checksum = false"));
}

#[test]
fn remotes_keep_their_order_and_two_tunnels_may_differ_by_their_port() {
    let lab = lab(&format!(
        "{BASE}[tunnel.a]\nbridge = \"br0\"\nvni = 16777215\nremotes = [\"192.0.2.9\", \"192.0.2.1\"]\n\
         [tunnel.b]\nbridge = \"br0\"\nvni = 16777215\nremotes = \"192.0.2.9\"\nport = 4790\nlocal = \
         \"192.0.2.8\"\n"
    ));
    let remotes: Vec<String> = lab.tunnels["a"].remotes.iter().map(ToString::to_string).collect();
    assert_eq!(remotes, ["192.0.2.9", "192.0.2.1"]);
    assert_eq!(lab.tunnels["b"].port.get(), 4790);
}

#[test]
fn a_station_behind_a_tunnel_with_one_peer_is_there() {
    let entry = "[[bridge.br0.static]]\nmac = \"2:0:0:0:0:1\"\nport = \"vx0\"\n";
    let entries = |lines: &str, entry: &str| -> Vec<String> {
        tunnelled(&format!("{lines}{entry}")).statics.iter().map(ToString::to_string).collect()
    };
    assert_eq!(entries("", entry), ["static 02:00:00:00:00:01 on br0 at tunnel vx0 to 192.0.2.1"]);
    assert_eq!(
        entries("vlan = 10\n", entry),
        ["static 02:00:00:00:00:01 on br0 VLAN 10 at tunnel vx0 to 192.0.2.1"]
    );
    assert_eq!(
        entries("trunk = true\n", &format!("{entry}remote = \"192.0.2.1\"\nvlan = 7\n")),
        ["static 02:00:00:00:00:01 on br0 VLAN 7 at tunnel vx0 to 192.0.2.1"]
    );
}

#[test]
fn a_tunnel_written_back_is_the_same_tunnel() {
    let text = format!("{BASE}{TUNNEL}ttl = 7\ndscp = \"inherit\"\nchecksum = \"zero\"\n");
    let (spec, lab) = parse_spec(text.as_bytes(), "lab.toml").unwrap();
    assert_eq!(spec.tunnel["vx0"].ttl, Some(NumberOrText::Number(7)));
    let (again, same) = parse_spec(spec.to_toml().unwrap().as_bytes(), "lab.toml").unwrap();
    assert_eq!((&again, &same), (&spec, &lab));
    let json = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<LabSpec>(&json).unwrap(), spec);
}

#[test]
fn ports_and_the_router_take_the_mtu_of_the_smallest_tunnel() {
    let text = format!(
        "{BASE}{TUNNEL}[tunnel.vx1]\nbridge = \"br0\"\nvni = 43\nremotes = \"192.0.2.1\"\ntrunk = true\n\
         [port.fixed]\nbridge = \"br0\"\nnetns = \"f\"\nmtu = 1500\n[port.found]\nbridge = \"br0\"\n\
         interface = \"eth1\"\n[bridge.other]\n[port.far]\nbridge = \"other\"\nnetns = \"o\"\n"
    );
    let mut lab = lab(&text);
    let mtus = |lab: &Lab| -> Vec<(String, u16)> {
        let router = lab.interfaces().first().map(|router| (router.name.to_string(), router.mtu));
        let tunnels = lab.tunnels.values().map(|tunnel| (tunnel.name.to_string(), tunnel.mtu));
        let ports = lab.ports.values().map(|port| (port.name.to_string(), port.mtu));
        tunnels.chain(ports).chain(router).collect()
    };
    let expected = |vx0, vx1, least| {
        [
            ("vx0", vx0),
            ("vx1", vx1),
            ("far", 1500),
            ("fixed", 1500),
            ("found", 1500),
            ("red", least),
            ("wan", 1500),
            ("br0", least),
        ]
        .map(|(name, mtu)| (name.to_owned(), mtu))
    };
    assert_eq!(mtus(&lab), expected(1450, 1446, 1446), "over Ethernet until somebody measures");
    let before = lab.clone();
    lab.derive_mtus(&BTreeMap::new());
    assert_eq!(lab, before);
    lab.derive_mtus(&paths(&[("vx0", 1400), ("vx1", 8946)]));
    assert_eq!(mtus(&lab), expected(1400, 8946, 1400));
    let derived = lab.clone();
    lab.derive_mtus(&paths(&[("vx0", 1400), ("vx1", 8946)]));
    assert_eq!(lab, derived, "deriving twice is deriving once");
    lab.derive_mtus(&BTreeMap::new());
    assert_eq!(lab, before, "nothing of an older path is left");
}

#[test]
fn ports_hand_over_what_a_tunnel_sends_at_once() {
    let super_frames = |lab: &Lab| -> Vec<(String, u32)> {
        lab.ports.values().map(|port| (port.name.to_string(), port.super_frame)).collect()
    };
    let mut lab = lab(&format!("{BASE}{TUNNEL}"));
    // 44 segments of 1,398 bytes fill 44 of the datagrams of 1,472 that a send has room for.
    let expected =
        |red| [("red", red), ("wan", 65_536)].map(|(name, size)| (name.to_owned(), size));
    assert_eq!(super_frames(&lab), expected(44 * 1398 + 512));
    lab.derive_mtus(&paths(&[("vx0", 8950)]));
    assert_eq!(super_frames(&lab), expected(7 * 8898 + 512));
    lab.derive_mtus(&paths(&[("vx0", 65_000)]));
    assert_eq!(super_frames(&lab), expected(65_460), "one segment, and what headers may take");
    lab.derive_mtus(&paths(&[("vx0", 68)]));
    assert_eq!(super_frames(&lab), expected(64 * 16 + 512), "no more than 64 datagrams");
    lab.tunnels.clear();
    lab.derive_mtus(&BTreeMap::new());
    assert_eq!(super_frames(&lab), expected(65_536), "the kernel's default again");
}

#[test]
fn what_is_written_is_not_derived() {
    let text =
        format!("{BASE}{TUNNEL}mtu = 1300\n").replace("[port.red]", "mtu = 1480\n[port.red]");
    let mut lab = lab(&text);
    lab.derive_mtus(&paths(&[("vx0", 1400)]));
    assert_eq!((lab.tunnels["vx0"].mtu, lab.ports["red"].mtu), (1300, 1480));
    assert!(lab.ports["red"].mtu_written, "its bridge says so");
    assert_eq!(lab.interfaces()[0].mtu, 1480);
}

#[test]
fn what_is_written_too_large_is_warned_of_once() {
    let mut lab = lab(&format!(
        "{BASE}{TUNNEL}mtu = 1450\n[port.fixed]\nbridge = \"br0\"\nnetns = \"f\"\nmtu = 1500\n"
    ));
    let inner = paths(&[("vx0", 1350)]);
    lab.derive_mtus(&inner);
    assert_eq!(
        lab.mtu_warnings(&inner),
        [
            "tunnel vx0 has mtu 1450, and its path carries 1350 inside: write mtu = 1350, or leave it out",
            "port fixed has mtu 1500, and tunnel vx0 carries 1450: larger packets to far stations end \
             here; write mtu = 1450, or leave it out"
        ]
    );
    assert_eq!(tunnelled("").mtu_warnings(&paths(&[("vx0", 1450)])), [""; 0]);
    let bridge =
        super::lab(&format!("{BASE}{TUNNEL}").replace("[port.red]", "mtu = 1500\n[port.red]"));
    assert_eq!(
        bridge.mtu_warnings(&BTreeMap::new()),
        [
            "bridge br0 has mtu 1500, and tunnel vx0 carries 1450: larger packets to far stations end \
          here; write mtu = 1450, or leave it out"
        ]
    );
}
