//! Refusals of tunnels and of what names them, word for word.

use super::refused;
use crate::tests::refusal;

/// A tunnel with all that it needs, and a line more.
fn tunnel(name: &str, line: &str) -> String {
    format!(
        "[tunnel.{name}]\nbridge = \"br0\"\nvni = 42\nremotes = [\"192.0.2.1\", \"192.0.2.2\"]\n{line}\n"
    )
}

#[test]
fn a_tunnel_needs_a_bridge_and_a_remote() {
    refused(&[
        (
            "[tunnel.t]\nvni = 42\nremotes = \"192.0.2.1\"",
            "tunnel \"t\": the tunnel is on no bridge; write bridge = \"br0\"",
        ),
        (
            "[tunnel.t]\nbridge = \"rb0\"\nvni = 42\nremotes = \"192.0.2.1\"",
            "tunnel \"t\": no bridge is called \"rb0\"; write bridge = \"br0\"",
        ),
        (
            "[tunnel.t]\nbridge = \"br0\"\nvni = 42",
            "tunnel \"t\": `remotes` is missing, and a tunnel leads somewhere; write remotes = \
             [\"192.0.2.1\"], the peers' addresses",
        ),
    ]);
    assert_eq!(
        refusal("[tunnel.t]\nvni = 42\nremotes = \"192.0.2.1\"").to_string(),
        "lab.toml:1:9: tunnel \"t\": the tunnel is on no bridge; define [bridge.br0] and write bridge \
         = \"br0\""
    );
}

#[test]
fn a_tunnel_s_fault_stands_where_it_is_written() {
    let text = "[bridge.br0]\n[tunnel.t]\nbridge = \"br0\"\nvni = 42\nremotes = [\n  \"192.0.2.1\",\n  \
                \"192.0.2.1\",\n]\n";
    assert_eq!(
        refusal(text).to_string(),
        "lab.toml:7:3: tunnel \"t\": `remotes` has 192.0.2.1 twice; delete one of the two"
    );
}

#[test]
fn numbers_of_a_tunnel_are_within_their_limits() {
    let numbered = |vni: &str| tunnel("t", "").replace("vni = 42", vni);
    refused(&[
        (
            &numbered("vni = 16777216"),
            "tunnel \"t\": `vni` is 16777216; write a number from 0 to 16777215",
        ),
        (&numbered("vni = -1"), "tunnel \"t\": `vni` is -1; write a number from 0 to 16777215"),
        (&tunnel("t", "port = 0"), "tunnel \"t\": `port` is 0; write a number from 1 to 65535"),
        (
            &tunnel("t", "port = 65536"),
            "tunnel \"t\": `port` is 65536; write a number from 1 to 65535",
        ),
        (&tunnel("t", "mtu = 575"), "tunnel \"t\": `mtu` is 575; write a number from 576 to 65485"),
        (
            &tunnel("t", "mtu = 65482\ntrunk = true"),
            "tunnel \"t\": `mtu` is 65482; write a number from 576 to 65481",
        ),
        (
            &tunnel("t", "ttl = 0"),
            "tunnel \"t\": `ttl` is 0; write a number from 1 to 255, or \"inherit\"",
        ),
        (
            &tunnel("t", "ttl = \"64\""),
            "tunnel \"t\": `ttl` is \"64\"; write a number from 1 to 255, or \"inherit\"",
        ),
        (
            &tunnel("t", "dscp = 64"),
            "tunnel \"t\": `dscp` is 64; write a number from 0 to 63, or \"inherit\"",
        ),
        (
            &tunnel("t", "dscp = \"inherits\""),
            "tunnel \"t\": `dscp` is \"inherits\"; write a number from 0 to 63, or \"inherit\"",
        ),
        (
            &tunnel("t", "vlan = 4095"),
            "tunnel \"t\": `vlan` is 4095; write a number from 1 to 4094",
        ),
        (
            &tunnel("t", "checksum = \"off\""),
            "tunnel \"t\": `checksum` is \"off\"; write \"on\" or \"zero\"",
        ),
    ]);
}

#[test]
fn a_tunnel_carries_one_vlan_or_all() {
    refused(&[(
        &tunnel("t", "vlan = 10\ntrunk = true"),
        "tunnel \"t\": `vlan` and `trunk` exclude each other; keep `vlan` for one VLAN without tags, or \
         `trunk` for all with theirs",
    )]);
}

#[test]
fn remotes_are_other_hosts() {
    let to = |remotes: &str| {
        tunnel("t", "local = \"192.0.2.9\"").replace("\"192.0.2.1\", \"192.0.2.2\"", remotes)
    };
    let many: Vec<String> =
        (0..257).map(|host| format!("\"10.0.{}.{}\"", host / 200, 1 + host % 200)).collect();
    refused(&[
        (
            &to("\"192.0.2.1\", \"192.0.2.1\""),
            "tunnel \"t\": `remotes` has 192.0.2.1 twice; delete one of the two",
        ),
        (
            &to("\"239.1.1.1\""),
            "tunnel \"t\": `remotes` 239.1.1.1 is a multicast group; write each peer's own address",
        ),
        (
            &to("\"255.255.255.255\""),
            "tunnel \"t\": `remotes` 255.255.255.255 is not an address that a host may bear; write one \
             such as \"192.168.0.1\"",
        ),
        (
            &to("\"peer\""),
            "tunnel \"t\": `remotes` \"peer\" is not an IPv4 address; write one such as \"192.168.0.1\"",
        ),
        (
            &to("\"192.0.2.9\""),
            "tunnel \"t\": `remotes` 192.0.2.9 is the tunnel's own `local` address; write the peer's \
             address",
        ),
        (
            &to(&many.join(", ")),
            "tunnel \"t\": `remotes` has 257 addresses and the limit is 256; spread them over several \
             tunnels",
        ),
        (
            &tunnel("t", "local = \"127.0.0.1\""),
            "tunnel \"t\": `local` 127.0.0.1 is not an address that a host may bear; write one such as \
             \"192.168.0.1\"",
        ),
    ]);
}

#[test]
fn a_datagram_belongs_to_one_tunnel() {
    let other =
        |lines: &str| format!("[tunnel.u]\nbridge = \"br0\"\nremotes = \"192.0.2.2\"\n{lines}");
    refused(&[
        (
            &(tunnel("t", "") + &other("vni = 42")),
            "tunnel \"u\": tunnel \"t\" has the remote 192.0.2.2 with VNI 42 and port 4789 too; write \
             another VNI, or delete one of the two",
        ),
        (
            &(tunnel("t", "local = \"192.0.2.9\"") + &other("vni = 43")),
            "tunnel \"u\": it has no `local` address at port 4789, where tunnel \"t\" has one; give \
             every tunnel of port 4789 a `local` address, or none",
        ),
        (
            &(tunnel("t", "") + &other("vni = 43\nlocal = \"192.0.2.9\"")),
            "tunnel \"u\": it has the `local` address 192.0.2.9 at port 4789, where tunnel \"t\" has \
             none; give every tunnel of port 4789 a `local` address, or none",
        ),
    ]);
}

#[test]
fn a_tunnel_s_name_is_unshared_and_no_way_out() {
    let rule = "[[masquerade]]\nsource = \"192.168.0.0/24\"\nout = \"t\"\n";
    refused(&[
        (
            &tunnel("br0", ""),
            "tunnel \"br0\": a bridge has this name too; give the tunnel another name",
        ),
        (
            &tunnel("red", ""),
            "tunnel \"red\": a port has this name too; give the tunnel another name",
        ),
        (
            &tunnel("\"br0.7\"", ""),
            "tunnel \"br0.7\": this is how VLAN 7 of bridge \"br0\" is called; give the tunnel another \
             name",
        ),
        (
            &(tunnel("t", "") + rule),
            "masquerade 1: `out` names tunnel \"t\", which is on bridge \"br0\"; write \"br0\", or a \
             routed port's name",
        ),
    ]);
}

#[test]
fn a_station_behind_a_tunnel_is_at_one_of_its_peers() {
    let entry = |lines: &str| format!("[[bridge.br0.static]]\nmac = \"2:0:0:0:0:1\"\n{lines}\n");
    refused(&[
        (
            &(tunnel("t", "") + &entry("port = \"t\"")),
            "bridge \"br0\" static entry 1: `remote` is missing, and tunnel \"t\" has 2 of them; write \
             remote = \"192.0.2.1\" or \"192.0.2.2\"",
        ),
        (
            &(tunnel("t", "") + &entry("port = \"t\"\nremote = \"10.0.0.1\"")),
            "bridge \"br0\" static entry 1: `remote` 10.0.0.1 is no remote of tunnel \"t\"; write \
             \"192.0.2.1\" or \"192.0.2.2\"",
        ),
        (
            &entry("port = \"red\"\nremote = \"192.0.2.1\""),
            "bridge \"br0\" static entry 1: `remote` is for stations behind a tunnel, and \"red\" is a \
             port; delete it",
        ),
        (
            &(tunnel("t", "vlan = 10") + &entry("port = \"t\"\nremote = \"192.0.2.1\"\nvlan = 7")),
            "bridge \"br0\" static entry 1: VLAN 7 does not pass tunnel \"t\" (access 10); write a VLAN \
             that does",
        ),
        (
            &("[bridge.b]\n".to_owned()
                + &tunnel("t", "").replace("br0", "b")
                + &entry("port = \"t\"\nremote = \"192.0.2.1\"")),
            "bridge \"br0\" static entry 1: `port` \"t\" is no port of this bridge; write \"red\"",
        ),
        // One mistake earns one sentence: a tunnel that is at fault hides its entries.
        (
            &(tunnel("t", "ttl = 0") + &entry("port = \"t\"")),
            "tunnel \"t\": `ttl` is 0; write a number from 1 to 255, or \"inherit\"",
        ),
    ]);
}
