//! What keys mean: defaults, and everything that may be written in more than one way.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use nat::{Filtering, Mapping};
use packet::{Mac, Tag, VlanId};
use switch::change::Reject;
use switch::vlan::{PriorityTags, VlanMode, VlanSet};

use super::{BASE, lab, refusal};
use crate::{Attach, Interface, ListenScope, Netns, NextHop};

fn vlan(number: u16) -> VlanId {
    VlanId::new(number).unwrap()
}

#[test]
fn a_file_is_the_empty_lab_only_when_it_says_so() {
    assert_eq!(lab("empty = true"), crate::Lab::default());
    assert_eq!(lab("empty = true\n[switch]\nneighbors = 4000").settings.neighbors, 4000);
    assert_eq!(lab("[switch]\nneighbors = 4000").settings.neighbors, 4000);
    for text in
        ["", " \n\t\n", "# nothing", "\u{feff}", "empty = false", "route = []\n[bridge]\n[switch]"]
    {
        let expected = "lab.toml:1:1: nothing is written here, and that is not taken for the empty lab; write what the \
                        lab has, or `empty = true` if it shall have nothing";
        assert_eq!(refusal(text).to_string(), expected, "{text:?}");
    }
}

#[test]
fn a_bridge_has_the_defaults_of_open_vswitch() {
    let lab = lab("[bridge.br0]");
    let bridge = &lab.bridges["br0"];
    assert_eq!(bridge.ageing, Duration::from_secs(300));
    assert_eq!(bridge.fdb_size, 8192);
    assert_eq!(bridge.mtu, None);
    assert!(!bridge.hub && bridge.forward.is_empty() && bridge.router.is_empty());
    assert_eq!(bridge.mac.0[0], 0x02);
}

#[test]
fn forward_takes_names_addresses_and_all() {
    let nibbles = |text: &str| -> Vec<u8> {
        let lab = lab(&format!("[bridge.b]\nforward = {text}"));
        lab.bridges["b"].forward.iter().map(|address| address.nibble()).collect()
    };
    assert_eq!(nibbles(r#"["stp", "slow", "01:80:c2:00:00:0e"]"#), [0, 2, 14]);
    assert_eq!(nibbles(r#""pause""#), [1]);
    assert_eq!(nibbles(r#""all""#).len(), 16);
}

#[test]
fn a_port_has_defaults_from_its_bridge() {
    let lab = lab(&BASE.replace("[port.red]", "mtu = 9000\n[port.red]"));
    let red = &lab.ports["red"];
    assert_eq!(red.mtu, 9000);
    assert_eq!(red.device.as_str(), "eth0");
    assert_eq!(red.gateway, Some(Ipv4Addr::new(192, 168, 0, 1)));
    assert!(red.offload);
    let membership = red.membership().unwrap();
    assert_eq!(membership.vlan_mode.to_string(), "trunk all");
    assert_eq!(membership.priority_tags, PriorityTags::Never);
    assert!(!membership.isolated);
    assert_eq!(lab.ports["wan"].mtu, 1500);
    assert_eq!(lab.ports["wan"].gateway, Some(Ipv4Addr::new(203, 0, 113, 1)));
}

#[test]
fn the_gateway_is_the_router_address_in_the_address_subnet() {
    let gateway = |port: &str| {
        let text = format!(
            "[bridge.b]\nrouter = [\"10.0.1.1/24\", \"10.0.2.1/24\"]\n[bridge.b.vlan.7]\nrouter = \
             \"10.0.7.1/24\"\n[port.p]\nbridge = \"b\"\nnetns = \"p\"\n{port}"
        );
        lab(&text).ports["p"].gateway.map(|gateway| gateway.to_string())
    };
    assert_eq!(gateway("address = \"10.0.2.9/24\"").as_deref(), Some("10.0.2.1"));
    assert_eq!(
        gateway("address = [\"10.9.9.9/24\", \"10.0.1.9/24\"]").as_deref(),
        Some("10.0.1.1")
    );
    assert_eq!(gateway("vlan = 7\naddress = \"10.0.7.9/24\"").as_deref(), Some("10.0.7.1"));
    assert_eq!(gateway("native = 7\naddress = \"10.0.7.9/24\"").as_deref(), Some("10.0.7.1"));
    assert_eq!(gateway("address = \"10.0.7.9/24\""), None);
    assert_eq!(gateway("address = \"10.0.2.9/32\""), None);
    assert_eq!(gateway(""), None);
    assert_eq!(gateway("address = \"10.0.2.9/24\"\ngateway = false"), None);
    assert_eq!(gateway("address = \"10.0.2.9/24\"\ngateway = \"none\""), None);
    assert_eq!(
        gateway("address = \"10.0.2.9/24\"\ngateway = \"10.0.2.77\"").as_deref(),
        Some("10.0.2.77")
    );
}

#[test]
fn a_port_of_the_host_is_called_as_itself_and_has_no_gateway() {
    let lab = lab(&format!(
        "{BASE}[port.lab0]\nbridge = \"br0\"\nhost = true\naddress = \"192.168.0.9/24\"\n"
    ));
    let port = &lab.ports["lab0"];
    assert_eq!(port.attach, Attach::Host { master: None });
    assert_eq!(port.device.as_str(), "lab0");
    assert_eq!(port.gateway, None);
}

#[test]
fn a_namespace_is_a_name_a_path_or_a_process() {
    let attach = |line: &str| {
        lab(&format!("[bridge.b]\n[port.p]\nbridge = \"b\"\n{line}")).ports["p"].attach.clone()
    };
    assert_eq!(attach("netns = \"red\""), Attach::Netns(Netns::Name("red".into())));
    assert_eq!(
        attach("netns = \"/proc/7/ns/net\""),
        Attach::Netns(Netns::Path(PathBuf::from("/proc/7/ns/net")))
    );
    assert_eq!(attach("pid = 1557"), Attach::Netns(Netns::Pid(1557)));
    let attach = attach("host = true\nmaster = \"docker0\"");
    assert_eq!(attach.to_string(), "host, master docker0");
}

#[test]
fn an_existing_device_is_both_ends_of_its_port() {
    let lab = lab(&format!(
        "{BASE}[port.up]\nrouter = \"10.0.0.1/24\"\ninterface = \"eth1\"\n[port.in]\nbridge = \"br0\"\n\
         interface = \"veth_sw0\"\nmtu = 1400\nvlan = 10\n"
    ));
    let up = &lab.ports["up"];
    assert_eq!(up.attach.to_string(), "interface eth1");
    assert_eq!(up.device.as_str(), "eth1");
    assert_eq!(up.near_device().as_ref(), Some(&up.device));
    assert_eq!((up.mtu, up.mtu_written, up.gateway), (1500, false, None));
    assert!(up.attach.netns().is_none() && up.bridge().is_none());
    assert_eq!((lab.ports["in"].mtu, lab.ports["in"].mtu_written), (1400, true));
}

#[test]
fn an_existing_device_keeps_its_mtu_whatever_the_bridge_says() {
    let text = "[bridge.b]\nmtu = 9000\n[port.p]\nbridge = \"b\"\ninterface = \"eth1\"\n";
    let port = &lab(text).ports["p"];
    assert_eq!((port.mtu, port.mtu_written), (1500, false));
}

#[test]
fn a_namespace_is_joined_by_a_tap_or_a_veth_pair() {
    let port = |line: &str| {
        let text = format!("[bridge.b]\n[port.p]\nbridge = \"b\"\nnetns = \"red\"\n{line}");
        lab(&text).ports["p"].clone()
    };
    let netns = Netns::Name("red".into());
    assert_eq!(port("link = \"tap\""), port(""));
    assert_eq!(port("").near_device(), None);
    let veth = port("link = \"veth\"\noffload = true");
    assert_eq!(veth.attach, Attach::Veth(netns.clone()));
    assert_eq!(veth.attach.netns(), Some(&netns));
    assert_eq!(veth.attach.to_string(), "netns red, veth");
    assert_eq!(veth.device.as_str(), "eth0");
    assert_eq!(veth.near_device().map(|near| near.to_string()).as_deref(), Some("ts-p"));
}

#[test]
fn vlan_modes_follow_from_the_keys() {
    let mode = |lines: &str| {
        let lab = lab(&format!("[bridge.b]\n[port.p]\nbridge = \"b\"\nnetns = \"p\"\n{lines}"));
        lab.ports["p"].membership().unwrap().vlan_mode.clone()
    };
    let trunks = VlanSet::only([vlan(10), vlan(20)]);
    assert_eq!(mode("vlan = 10"), VlanMode::Access(vlan(10)));
    assert_eq!(mode("trunks = [20, 10]"), VlanMode::Trunk(trunks.clone()));
    assert_eq!(
        mode("native = 5\ntrunks = [10, 20]"),
        VlanMode::NativeUntagged { native: vlan(5), trunks }
    );
    let tag = Tag::new(vlan(5));
    for (lines, service) in [("", tag.service()), ("qinq_ethertype = \"802.1q\"", tag)] {
        let customers = VlanSet::only([VlanId::UNTAGGED, vlan(7)]);
        assert_eq!(
            mode(&format!("vlan = 5\nvlan_mode = \"dot1q-tunnel\"\ncvlans = [7, 0]\n{lines}")),
            VlanMode::Dot1qTunnel { service, customers }
        );
    }
    assert_eq!(
        mode("native = 5\nvlan_mode = \"native-tagged\""),
        VlanMode::NativeTagged { native: vlan(5), trunks: VlanSet::All }
    );
}

#[test]
fn interfaces_come_in_one_order_with_the_least_mtu_of_their_ports() {
    let text = BASE.replace("netns = \"red\"", "netns = \"red\"\nmtu = 1400")
        + "[bridge.br0.vlan.10]\nrouter = \"10.0.0.1/24\"\n[bridge.empty]\n";
    let lab = lab(&text);
    let names: Vec<(String, u16)> = lab
        .interfaces()
        .iter()
        .map(|Interface { name, mtu, .. }| (name.to_string(), *mtu))
        .collect();
    assert_eq!(names, [("br0".into(), 1400), ("br0.10".into(), 1400), ("wan".into(), 1500)]);
    for interface in lab.interfaces() {
        assert_eq!(lab.interface(&interface.name), Some(interface));
    }
}

#[test]
fn routes_lead_to_a_neighbour_an_interface_or_nowhere() {
    let lab = lab(&format!(
        "{BASE}[[route]]\nto = \"default\"\nvia = \"203.0.113.254\"\n[[route]]\nto = \"10.1.2.3\"\n\
         out = \"br0\"\n[[route]]\nto = \"10.0.0.0/8\"\nreject = \"blackhole\"\n"
    ));
    let hop = |to: &str| lab.routes[&to.parse().unwrap()].clone();
    assert_eq!(hop("0.0.0.0/0").to_string(), "via 203.0.113.254 out wan");
    assert_eq!(hop("10.1.2.3/32").to_string(), "out br0");
    assert_eq!(hop("10.0.0.0/8"), NextHop::Reject(Reject::Blackhole));
}

#[test]
fn masquerade_is_endpoint_independent_and_filters_by_address_and_port() {
    let lab = lab(&format!(
        "{BASE}[[masquerade]]\nsource = \"192.168.0.0/24\"\nout = \"wan\"\n[[masquerade]]\n\
         source = \"0.0.0.0/0\"\nout = \"br0\"\nexcept = \"10.0.0.0/8\"\nports = \"2000\"\n\
         inside_reachable = true\nkeep = true\n"
    ));
    let [first, second] = lab.masquerade.as_slice() else { panic!("{:?}", lab.masquerade) };
    assert_eq!(first.mapping, Mapping::EndpointIndependent);
    assert_eq!(first.filtering, Filtering::AddressAndPortDependent);
    assert!(first.parity && first.ports.is_none() && !first.inside_reachable && !first.keep);
    assert_eq!(
        second.to_string(),
        "0.0.0.0/0 out br0 except 10.0.0.0/8 ports 2000-2000 inside reachable keep"
    );
}

#[test]
fn publish_listens_on_an_address_all_addresses_or_an_interface() {
    let lab = lab(&format!(
        "{BASE}[[publish]]\nlisten = \"203.0.113.1:8080\"\nto = \"192.168.0.2:80\"\n[[publish]]\n\
         listen = \"0.0.0.0:53/udp\"\nto = \"192.168.0.2\"\n[[publish]]\nlisten = \"wan:22/tcp\"\n\
         to = \"192.168.0.3:2222\"\nkeep = true\n"
    ));
    let rules: Vec<String> =
        lab.publish.iter().map(|(listener, to)| format!("{listener} {to}")).collect();
    assert_eq!(
        rules,
        [
            "0.0.0.0:53/udp 192.168.0.2:53",
            "203.0.113.1:8080/tcp 192.168.0.2:80",
            "wan:22/tcp 192.168.0.3:2222 keep"
        ]
    );
    assert!(lab.publish.keys().any(|listener| listener.scope == ListenScope::Any));
}

#[test]
fn a_static_entry_is_in_its_port_s_vlan() {
    let lab = lab(
        "[bridge.b]\n[[bridge.b.static]]\nmac = \"2:0:0:0:0:1\"\nport = \"p\"\n[[bridge.b.static]]\n\
         mac = \"2:0:0:0:0:1\"\nport = \"t\"\nvlan = 20\n[port.p]\nbridge = \"b\"\nnetns = \"p\"\n\
         vlan = 10\n[port.t]\nbridge = \"b\"\nnetns = \"t\"\n",
    );
    let entries: Vec<String> = lab.statics.iter().map(ToString::to_string).collect();
    assert_eq!(
        entries,
        [
            "static 02:00:00:00:00:01 on b VLAN 10 at port p",
            "static 02:00:00:00:00:01 on b VLAN 20 at port t"
        ]
    );
}

#[test]
fn settings_have_the_rfcs_timers() {
    let settings = lab("[switch]\nworkers = 2\nflows = 1000\n[switch.timeouts]\nudp = 30").settings;
    assert_eq!(settings.workers.map(|workers| workers.get()), Some(2));
    assert_eq!((settings.flows, settings.flows_per_host), (1000, 1000));
    let flows = settings.timeouts.flows;
    assert_eq!(flows.udp_unreplied, Duration::from_secs(30));
    assert_eq!(flows.udp_stream, Duration::from_secs(30));
    assert_eq!(flows.tcp_established, Duration::from_secs(7440));
}

#[test]
fn timers_are_chosen_as_a_set_and_changed_singly() {
    let flows = |text: &str| lab(&format!("[switch]\n{text}")).settings.timeouts.flows;
    assert_eq!(flows("timers = \"rfc\""), nat::Lifetimes::RFC);
    assert_eq!(flows("timers = \"ovs\""), nat::Lifetimes::OVS);
    let linux = nat::Lifetimes::LINUX;
    assert_eq!(flows("timers = \"linux\""), linux);
    let seconds = Duration::from_secs;
    let changed = nat::Lifetimes {
        tcp_opening: seconds(7),
        tcp_closing: seconds(5),
        tcp_time_wait: seconds(5),
        tcp_close: seconds(5),
        other: seconds(9),
        ..linux
    };
    let text =
        "timers = \"linux\"\n[switch.timeouts]\ntcp_opening = 7\ntcp_transitory = 5\nother = 9\n";
    assert_eq!(flows(text), changed);
}

#[test]
fn the_same_subnet_may_be_used_on_segments_that_never_meet() {
    let text = "[bridge.a]\n[bridge.b]\n[port.p]\nbridge = \"a\"\nnetns = \"p\"\naddress = \
                \"10.0.0.2/24\"\nmac = \"02:00:00:00:00:02\"\n[port.q]\nbridge = \"b\"\nnetns = \
                \"q\"\naddress = \"10.0.0.2/24\"\nmac = \"02:00:00:00:00:02\"\n";
    assert_eq!(lab(text).ports["q"].mac, Mac([2, 0, 0, 0, 0, 2]));
}

#[test]
fn a_range_of_ports_is_a_rule_for_each() {
    let text = "[[publish]]\nlisten = \"wan:9000-9010/udp\"\nto = \"192.168.0.2:53-63\"\n\
                [[publish]]\nlisten = \"0.0.0.0:9000-9001\"\nto = \"192.168.0.2\"\n";
    let lab = lab(&format!("{BASE}{text}"));
    let rules: Vec<String> =
        lab.publish.iter().map(|(listener, to)| format!("{listener} {to}")).collect();
    assert_eq!(rules.len(), 13);
    for rule in [
        "wan:9000/udp 192.168.0.2:53",
        "wan:9010/udp 192.168.0.2:63",
        "0.0.0.0:9001/tcp 192.168.0.2:9001",
    ] {
        assert!(rules.iter().any(|one| one == rule), "{rule}: {rules:?}");
    }
}

#[test]
fn an_isolated_bridge_isolates_the_ports_that_do_not_say_otherwise() {
    let port = |name: &str, keys: &str| {
        format!("[port.{name}]\nbridge = \"b\"\nnetns = \"{name}\"\n{keys}\n")
    };
    let text = |bridge: &str| {
        format!("[bridge.b]\n{bridge}\n")
            + &port("plain", "")
            + &port("yes", "isolated = true")
            + &port("no", "isolated = false")
    };
    let isolated = |text: &str| -> Vec<bool> {
        lab(text).ports.values().map(|port| port.membership().unwrap().isolated).collect()
    };
    // By name: no, plain, yes.
    assert_eq!(isolated(&text("isolated = true")), [false, true, true]);
    assert_eq!(isolated(&text("isolated = false")), [false, false, true]);
    assert_eq!(isolated(&text("")), [false, false, true]);
}

#[test]
fn a_tunnel_without_a_vni_has_that_of_open_vswitch() {
    let lab = lab("[bridge.b]\n[tunnel.t]\nbridge = \"b\"\nremotes = \"192.0.2.1\"\n");
    assert_eq!(lab.tunnels["t"].vni.number(), 0);
}

#[test]
fn a_port_is_guarded_as_it_says_or_else_as_its_bridge_does() {
    let lab = lab(
        "[bridge.b]\nguard = true\n[port.a]\nbridge = \"b\"\nnetns = \"a\"\naddress = \"10.0.0.2/24\"\n\
         [port.c]\nbridge = \"b\"\nnetns = \"c\"\nguard = false\n\
         [port.d]\nrouter = \"10.1.0.1/24\"\nnetns = \"d\"\naddress = \"10.1.0.2/24\"\nguard = true\n\
         [port.e]\nrouter = \"10.2.0.1/24\"\nnetns = \"e\"\naddress = \"10.2.0.2/24\"\n",
    );
    let guarded: Vec<bool> = lab.ports.values().map(|port| port.guard).collect();
    assert_eq!(guarded, [true, false, true, false]);
}

#[test]
fn the_reverse_path_is_checked_loosely_unless_the_interface_or_its_bridge_says_otherwise() {
    let lab = lab(
        "[bridge.b]\nrouter = \"10.0.0.1/24\"\nrp_filter = \"strict\"\n[bridge.b.vlan.10]\n\
         router = \"10.0.10.1/24\"\n[bridge.b.vlan.20]\nrouter = \"10.0.20.1/24\"\nrp_filter = \"off\"\n\
         [port.p]\nrouter = \"10.1.0.1/24\"\nnetns = \"p\"\n\
         [port.q]\nrouter = \"10.2.0.1/24\"\nnetns = \"q\"\nrp_filter = \"strict\"\n",
    );
    let filters = lab.interfaces().into_iter().map(|own| own.rp_filter.to_string());
    assert_eq!(filters.collect::<Vec<_>>(), ["strict", "strict", "off", "loose", "strict"]);
    for own in lab.interfaces() {
        assert_eq!(lab.interface(&own.name).as_ref(), Some(&own));
    }
}
