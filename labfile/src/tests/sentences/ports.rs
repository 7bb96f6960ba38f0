//! Refusals of ports, word for word.

use super::refused;
use crate::tests::refusal;

#[test]
fn a_port_is_on_one_bridge_or_routed() {
    refused(&[
        (
            "[port.p]\nnetns = \"p\"",
            "port \"p\": the port is on no bridge; write bridge = \"br0\", or router = \
             \"ADDRESS/LENGTH\" for a routed port",
        ),
        (
            "[port.p]\nnetns = \"p\"\nbridge = \"rb0\"",
            "port \"p\": no bridge is called \"rb0\"; write bridge = \"br0\"",
        ),
        (
            "[port.p]\nnetns = \"p\"\nbridge = \"br0\"\nrouter = \"10.0.0.1/24\"",
            "port \"p\": a port is either on a bridge or routed, and this has `bridge` and `router`; \
             delete one of them; bridge \"br0\" has its own `router`",
        ),
        (
            "[port.p]\nnetns = \"p\"\nrouter = \"10.0.0.1/24\"\nisolated = true",
            "port \"p\": `isolated` is for ports on a bridge, and this port is routed; delete it, or \
             write bridge = \"NAME\" in place of router",
        ),
        (
            "[port.p]\nnetns = \"p\"\nbridge = \"br0\"\nrouter_mac = \"2:0:0:0:0:1\"",
            "port \"p\": `router_mac` is for routed ports; write mac = \"...\" at bridge \"br0\"",
        ),
        (
            "[port.p]\nnetns = \"p\"\nbridge = \"br0\"\nrp_filter = \"strict\"",
            "port \"p\": `rp_filter` is for routed ports; write rp_filter = \"...\" at bridge \"br0\"",
        ),
        (
            "[port.p]\nnetns = \"p\"\nrouter = \"10.0.0.1/24\"\nrp_filter = \"stict\"",
            "port \"p\": `rp_filter` is \"stict\"; write \"strict\"",
        ),
    ]);
    assert_eq!(
        refusal("[port.p]\nnetns = \"p\"").to_string(),
        "lab.toml:1:7: port \"p\": the port is on no bridge; define [bridge.br0] and write bridge = \
         \"br0\", or router = \"ADDRESS/LENGTH\" for a routed port"
    );
    assert_eq!(
        refusal("[port.p]\nnetns = \"p\"\nbridge = \"b\"").to_string(),
        "lab.toml:3:10: port \"p\": no bridge is called \"b\"; define a bridge of this name"
    );
}

#[test]
fn a_port_has_one_far_end() {
    let port = |line: &str| format!("[port.p]\nbridge = \"br0\"\n{line}");
    let long = "a".repeat(16);
    refused(&[
        (
            &port(""),
            "port \"p\": nothing says where its far end is; write netns = \"NAME\", pid = NUMBER, \
             host = true or interface = \"DEVICE\"",
        ),
        (
            &port("netns = \"p\"\npid = 7"),
            "port \"p\": `netns` and `pid` exclude each other; keep one of them",
        ),
        (&port("pid = 0"), "port \"p\": `pid` is 0; write a number from 1 to 4194304"),
        (
            &port("netns = \"p\"\nmaster = \"docker0\""),
            "port \"p\": `master` is for ports of the host itself; write host = true beside it, or \
             delete it",
        ),
        (
            &port("host = true\nmaster = \"docker0\"\naddress = \"192.168.0.7/24\""),
            "port \"p\": a device that docker0 enslaves bears no address; delete `address`, and give \
             it to docker0 where that is defined",
        ),
        (
            &port("host = true\nmaster = \"p\""),
            "port \"p\": device \"p\" would be its own master; write the name of the Linux bridge",
        ),
        (
            &port("netns = \"a/b\""),
            "port \"p\": `netns` \"a/b\" is a path that depends on where the daemon runs; write a \
             name such as \"red\", or a path such as \"/proc/1557/ns/net\"",
        ),
        (
            &port(&format!("netns = \"p\"\ndevice = \"{long}\"")),
            "port \"p\": `device` \"aaaaaaaaaaaaaaaa\" is longer than 15 bytes; write a name such as \
             \"eth0\", at most 15 characters",
        ),
        (
            "[port.a-long-name-of-a-port]\nbridge = \"br0\"\nhost = true",
            "port \"a-long-name-of-a-port\": its device would be called \"a-long-name-of-a-port\", \
             which is longer than 15 bytes; write device = \"...\" with at most 15 characters",
        ),
        (
            "[port.p]\nbridge = \"br0\"\nnetns = \"red\"",
            "port \"p\": device \"eth0\" is that of port \"red\" in the same namespace; write device \
             = \"...\" with another name",
        ),
        (
            "[port.p]\nbridge = \"br0\"\nnetns = \"/var/run/netns/red\"",
            "port \"p\": device \"eth0\" is that of port \"red\" in the same namespace; write device \
             = \"...\" with another name",
        ),
    ]);
}

#[test]
fn vlan_keys_do_not_contradict_each_other() {
    let port = |line: &str| format!("[port.p]\nbridge = \"br0\"\nnetns = \"p\"\n{line}");
    refused(&[
        (&port("vlan = 4095"), "port \"p\": `vlan` is 4095; write a number from 1 to 4094"),
        (&port("trunks = [1, 0]"), "port \"p\": `trunks` is 0; write a number from 1 to 4094"),
        (
            &port("vlan = 1\ntrunks = [2]"),
            "port \"p\": an access port has no `trunks`; write native in place of vlan for a trunk, \
             or delete `trunks`",
        ),
        (
            &port("vlan = 1\nnative = 2"),
            "port \"p\": an access port has no `native`; delete `vlan` for a trunk with a native \
             VLAN, or `native`",
        ),
        (
            &port("vlan_mode = \"access\""),
            "port \"p\": an access port needs `vlan`; write vlan = NUMBER beside it",
        ),
        (
            &port("vlan_mode = \"trunk\"\nvlan = 1"),
            "port \"p\": a trunk port has no `vlan`; write native in its place, or vlan_mode = \
             \"access\"",
        ),
        (
            &port("vlan_mode = \"trunk\"\nnative = 1"),
            "port \"p\": a trunk port has no `native`; write vlan_mode = \"native-untagged\" or \
             \"native-tagged\", or delete `native`",
        ),
        (
            &port("vlan_mode = \"native-tagged\""),
            "port \"p\": a native-tagged port needs `native`; write native = NUMBER beside it",
        ),
        (
            &port("vlan_mode = \"dot1q-tunnel\""),
            "port \"p\": a dot1q-tunnel port needs `vlan`; write vlan = NUMBER beside it",
        ),
        (
            &port("vlan_mode = \"dot1q-tunnel\"\nvlan = 1\ntrunks = [2]"),
            "port \"p\": a dot1q-tunnel port has no `trunks`; write cvlans in its place, or delete it",
        ),
        (
            &port("vlan_mode = \"dot1q-tunnel\"\nvlan = 1\nnative = 2"),
            "port \"p\": a dot1q-tunnel port has no `native`; delete it: every frame is in `vlan`",
        ),
        (
            &port("vlan = 1\ncvlans = [2]"),
            "port \"p\": an access port has no `cvlans`; write vlan_mode = \"dot1q-tunnel\", or delete it",
        ),
        (
            &port("qinq_ethertype = \"802.1q\""),
            "port \"p\": a trunk port has no `qinq_ethertype`; write vlan_mode = \"dot1q-tunnel\", or \
             delete it",
        ),
        (
            &port("vlan_mode = \"dot1q-tunnel\"\nvlan = 1\nqinq_ethertype = \"0x88a8\""),
            "port \"p\": `qinq_ethertype` is \"0x88a8\"; write \"802.1ad\" or \"802.1q\"",
        ),
        (
            &port("vlan_mode = \"acess\"\nvlan = 1"),
            "port \"p\": `vlan_mode` is \"acess\"; write \"access\"",
        ),
        (
            &port("priority_tags = \"no\""),
            "port \"p\": `priority_tags` is \"no\"; write \"never\", \"if-nonzero\" or \"always\"",
        ),
    ]);
}

#[test]
fn addresses_and_gateways_fit_their_subnet() {
    let port = |line: &str| format!("[port.p]\nbridge = \"br0\"\nnetns = \"p\"\n{line}");
    refused(&[
        (
            &port("address = \"192.168.0.255/24\""),
            "port \"p\": `address` 192.168.0.255 is the broadcast address of 192.168.0.0/24; write an \
             address from 192.168.0.1 to 192.168.0.254",
        ),
        (
            &port("address = \"192.168.0.7/24\"\ngateway = \"192.168.0.7\""),
            "port \"p\": gateway 192.168.0.7 is the port's own address; write the router's address",
        ),
        (
            &port("address = \"10.0.0.7/24\"\ngateway = \"192.168.0.1\""),
            "port \"p\": gateway 192.168.0.1 is outside its subnet 10.0.0.0/24; write an address of \
             10.0.0.0/24",
        ),
        (
            &port("address = \"10.0.0.7/24\"\ngateway = \"10.0.0.0\""),
            "port \"p\": `gateway` 10.0.0.0 is the network address of 10.0.0.0/24; write an address \
             from 10.0.0.1 to 10.0.0.254",
        ),
        (
            &port("gateway = \"192.168.0.1\""),
            "port \"p\": `gateway` needs an `address` beside it; write address = \"...\" in the \
             subnet of 192.168.0.1",
        ),
        (
            &port("gateway = true"),
            "port \"p\": `gateway` is true; write an address, or false for none; left out, it is the \
             switch's own",
        ),
    ]);
}

#[test]
fn an_existing_device_stays_as_it_is_found() {
    let port = |line: &str| format!("[port.p]\nbridge = \"br0\"\ninterface = \"eth1\"\n{line}");
    let excluded = |key: &str| {
        format!(
            "port \"p\": `{key}` is for devices that the switch makes, and this port has `interface`; \
             delete it: the device stays as it is found"
        )
    };
    for (line, key) in [
        ("device = \"eth0\"", "device"),
        ("mac = \"2:0:0:0:0:1\"", "mac"),
        ("address = \"192.168.0.7/24\"", "address"),
        ("gateway = false", "gateway"),
        ("offload = true", "offload"),
    ] {
        refused(&[(&port(line), &excluded(key))]);
    }
    refused(&[
        (
            &port("netns = \"p\""),
            "port \"p\": `netns` and `interface` exclude each other; keep one of them",
        ),
        (
            &port("pid = 7\nhost = true"),
            "port \"p\": `pid` and `host` and `interface` exclude each other; keep one of them",
        ),
        (
            &port("link = \"veth\""),
            "port \"p\": `link` is for ports in a namespace; write netns = \"NAME\" beside it, or \
             delete it",
        ),
        (
            "[port.p]\nbridge = \"br0\"\ninterface = \"lo\"",
            "port \"p\": `interface` \"lo\" is taken by the kernel; write a name such as \"eth0\", at \
             most 15 characters",
        ),
        (
            &(port("") + "[port.q]\nrouter = \"10.0.0.1/24\"\ninterface = \"eth1\""),
            "port \"q\": device \"eth1\" is that of port \"p\" in the same namespace; write another \
             device, or delete the port",
        ),
        (
            "[port.eth1]\nbridge = \"br0\"\nhost = true\n[port.q]\nbridge = \"br0\"\ninterface = \"eth1\"",
            "port \"q\": device \"eth1\" is that of port \"eth1\" in the same namespace; write another \
             device, or delete the port",
        ),
    ]);
}

#[test]
fn a_veth_pair_has_two_free_ends() {
    let port = |line: &str| format!("[port.p]\nbridge = \"br0\"\nnetns = \"p\"\n{line}\n");
    refused(&[
        (&port("link = \"vteh\""), "port \"p\": `link` is \"vteh\"; write \"veth\""),
        (
            &port("link = \"veth\"\noffload = false"),
            "port \"p\": offload = false is for a TAP, and link = \"veth\" makes none; delete it, or \
             write link = \"tap\"",
        ),
        (
            "[port.p]\nbridge = \"br0\"\nhost = true\nlink = \"veth\"",
            "port \"p\": `link` is for ports in a namespace; write netns = \"NAME\" beside it, or \
             delete it",
        ),
        (
            &(port("link = \"veth\"") + "[port.ts-p]\nbridge = \"br0\"\nhost = true"),
            "port \"ts-p\": device \"ts-p\" is that of port \"p\" in the same namespace; write device \
             = \"...\" with another name",
        ),
        (
            &("[port.a]\nbridge = \"br0\"\ninterface = \"ts-p\"\n".to_owned()
                + &port("link = \"veth\"")),
            "port \"p\": the near end of its pair, device \"ts-p\", is that of port \"a\" in the same \
             namespace; give the port another name",
        ),
        (
            &(port("link = \"veth\"") + "[port.a]\nbridge = \"br0\"\ninterface = \"ts-p\""),
            "port \"a\": device \"ts-p\" is that of port \"p\" in the same namespace; write another device, \
             or delete the port",
        ),
    ]);
}

#[test]
fn a_guard_knows_whom_it_lets_speak() {
    let port = |line: &str| format!("[port.p]\nbridge = \"br0\"\n{line}");
    refused(&[
        (
            &port("netns = \"p\"\nguard = true"),
            "port \"p\": `guard` lets only the port's own `address` speak, and it has none; write address = \
             \"ADDRESS/LENGTH\", or guard = false for everybody",
        ),
        (
            &port("interface = \"eth1\"\nguard = true"),
            "port \"p\": `guard` lets only the port's own `address` speak, and it has none; write guard = false: who \
             is behind such a port is not known",
        ),
    ]);
    let guarded = "[bridge.b]\nguard = true\n[port.p]\nbridge = \"b\"\nnetns = \"p\"\n";
    assert_eq!(
        refusal(guarded).to_string(),
        "lab.toml:3:7: port \"p\": `guard` of its bridge lets only the port's own `address` speak, and it has none; \
         write address = \"ADDRESS/LENGTH\", or guard = false for everybody"
    );
}
