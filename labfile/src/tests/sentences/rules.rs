//! Refusals of static entries, routes, masquerade and publish, word for word.

use super::refused;

#[test]
fn static_entries_name_a_station_and_a_port_of_the_bridge() {
    let entry = |lines: &str| format!("[[bridge.br0.static]]\n{lines}");
    refused(&[
        (
            &entry("port = \"red\""),
            "bridge \"br0\" static entry 1: `mac` is missing; write mac = \"02:00:00:00:00:01\"",
        ),
        (
            &entry("mac = \"2:0:0:0:0:1\"\nport = \"rde\""),
            "bridge \"br0\" static entry 1: `port` \"rde\" is no port of this bridge; write \"red\"",
        ),
        (
            &entry("mac = \"2:0:0:0:0:1\"\nport = \"wan\""),
            "bridge \"br0\" static entry 1: `port` \"wan\" is no port of this bridge; write \"red\"",
        ),
        (
            &(entry("mac = \"2:0:0:0:0:1\"\nport = \"p\"\nvlan = 7\n")
                + "[port.p]\nbridge = \"br0\"\nnetns = \"p\"\nvlan = 8"),
            "bridge \"br0\" static entry 1: VLAN 7 does not pass port \"p\" (access 8); write a VLAN \
             that does",
        ),
        (
            &(entry("mac = \"2:0:0:0:0:1\"\nport = \"p\"\n")
                + "[port.p]\nbridge = \"br0\"\nnetns = \"p\"\ntrunks = [8]"),
            "bridge \"br0\" static entry 1: `vlan` is missing, and port \"p\" (trunk 8) has no \
             untagged one; write vlan = NUMBER",
        ),
        (
            &(entry("mac = \"2:0:0:0:0:1\"\nport = \"red\"\n")
                + &entry("mac = \"2:0:0:0:0:1\"\nport = \"red\"\n")),
            "bridge \"br0\" static entry 2: 02:00:00:00:00:01 has an entry already; keep one of the \
             two",
        ),
        (
            "[bridge.b]\nmac = \"2:0:0:0:0:1\"\n[[bridge.b.static]]\nmac = \"2:0:0:0:0:1\"\nport = \"p\"\n[port.p]\nbridge = \"b\"\nnetns = \"p\"",
            "bridge \"b\" static entry 1: `mac` 02:00:00:00:00:01 is the switch's own on this bridge; \
             delete the entry",
        ),
    ]);
}

#[test]
fn routes_lead_somewhere() {
    let route = |lines: &str| format!("[[route]]\n{lines}\n");
    refused(&[
        (&route("via = \"203.0.113.254\""), "route 1: `to` is missing; write to = \"0.0.0.0/0\""),
        (
            &route("to = \"default\""),
            "route 1: nothing says where the packets go; write via = \"ADDRESS\", out = \
             \"INTERFACE\" or reject = \"unreachable\"",
        ),
        (
            &route("to = \"default\"\nvia = \"10.9.9.9\""),
            "route 1: `via` 10.9.9.9 is in no subnet of the switch; write the address of a neighbour \
             on a bridge or routed port",
        ),
        (
            &route("to = \"default\"\nvia = \"203.0.113.1\""),
            "route 1: `via` 203.0.113.1 is the switch's own address on wan; write the next router's \
             address",
        ),
        (
            &route("to = \"default\"\nvia = \"203.0.113.254\"\nout = \"br0\""),
            "route 1: `via` 203.0.113.254 is in a subnet of wan, not of br0; write out = \"wan\", or \
             delete `out`",
        ),
        (
            &route("to = \"192.168.0.0/24\"\nout = \"wan\""),
            "route 1: `to` 192.168.0.0/24 is the subnet of br0, which the switch reaches directly; \
             delete the route",
        ),
        (
            &(route("to = \"default\"\nout = \"wan\"")
                + &route("to = \"0.0.0.0/0\"\nout = \"br0\"")),
            "route 2: there is a route to 0.0.0.0/0 already, out wan; keep one of the two",
        ),
        (
            &route("to = \"default\"\nout = \"wan\"\nreject = \"prohibit\""),
            "route 1: `reject` excludes `via` and `out`; keep the one or the others",
        ),
        (
            &route("to = \"default\"\nreject = \"drop\""),
            "route 1: `reject` is \"drop\"; write \"unreachable\", \"prohibit\" or \"blackhole\"",
        ),
    ]);
}

#[test]
fn masquerade_goes_out_where_the_switch_has_an_address() {
    let rule = |lines: &str| format!("[[masquerade]]\nsource = \"192.168.0.0/24\"\n{lines}\n");
    refused(&[
        (&rule(""), "masquerade 1: `out` is missing; write out = \"INTERFACE\""),
        (
            &rule("out = \"wna\""),
            "masquerade 1: `out` \"wna\" is no bridge or port of the lab; write \"wan\"",
        ),
        (
            &rule("out = \"uplink\""),
            "masquerade 1: `out` \"uplink\" is no bridge or port of the lab; write \"br0\" or \"wan\"",
        ),
        (
            &rule("out = \"red\""),
            "masquerade 1: `out` names port \"red\", which is on bridge \"br0\"; write \"br0\", or a \
             routed port's name",
        ),
        (
            &(rule("out = \"b\"") + "[bridge.b]"),
            "masquerade 1: `out` names bridge \"b\", where the switch has no address; write router = \
             \"...\" in [bridge.b]",
        ),
        (
            &(rule("out = \"b\"") + "[bridge.b.vlan.9]\nrouter = \"10.0.0.1/24\""),
            "masquerade 1: `out` names bridge \"b\", where the switch has no address; write \"b.9\", \
             or router = \"...\" in [bridge.b]",
        ),
        (
            &rule("out = \"br0.9\""),
            "masquerade 1: `out` names VLAN 9 of bridge \"br0\", where the switch has no address; \
             write [bridge.br0.vlan.9] with a `router` address",
        ),
        (
            &rule("out = \"wan\"\nmapping = \"symmetric\""),
            "masquerade 1: `mapping` is \"symmetric\"; write \"endpoint-independent\" or \
             \"address-and-port-dependent\"",
        ),
        (
            &rule("out = \"wan\"\nports = \"2000-1000\""),
            "masquerade 1: `ports` \"2000-1000\" ends before it starts; write \"1000-2000\"",
        ),
        (
            &rule("out = \"wan\"\nports = \"0-7\""),
            "masquerade 1: `ports` has the port \"0\"; write a port from 1 to 65535",
        ),
        (
            &rule("out = \"wan\"\nexcept = \"10.0.0.1/8\""),
            "masquerade 1: `except` 10.0.0.1/8 has bits behind its prefix; write \"10.0.0.0/8\"",
        ),
    ]);
}

#[test]
fn publish_listens_on_our_addresses_and_reaches_a_host() {
    let rule =
        |listen: &str, to: &str| format!("[[publish]]\nlisten = \"{listen}\"\nto = \"{to}\"\n");
    refused(&[
        (
            &rule("203.0.113.1", "192.168.0.2"),
            "publish 1: `listen` \"203.0.113.1\" has no port; write \"203.0.113.1:8080/tcp\"",
        ),
        (
            &rule("8081", "192.168.0.2"),
            "publish 1: `listen` \"8081\" has no address; write \"0.0.0.0:8081/tcp\"",
        ),
        (
            &rule("8081-8090/udp", "192.168.0.2"),
            "publish 1: `listen` \"8081-8090/udp\" has no address; write \"0.0.0.0:8081-8090/udp\"",
        ),
        (
            &rule(":53/udp", "192.168.0.2"),
            "publish 1: `listen` \":53/udp\" has no address; write \"0.0.0.0:53/udp\"",
        ),
        (
            &rule("8081:80", "192.168.0.2"),
            "publish 1: `listen` \"8081:80\" has no address, and a port of the target's; write \
             \"0.0.0.0:8081/tcp\", and the other port in `to`",
        ),
        (
            &rule("wan:9010-9000", "192.168.0.2"),
            "publish 1: `listen` has the ports 9010-9000, the last ahead of the first; write 9000-9010",
        ),
        (
            &rule("wan:9000-9010", "192.168.0.2:80"),
            "publish 1: `to` has 1 port and `listen` has 11 ports; write \"192.168.0.2:80-90\"",
        ),
        (
            &rule("wan:9000", "192.168.0.2:80-81"),
            "publish 1: `to` has 2 ports and `listen` has 1 port; write as many ports in both",
        ),
        (
            &rule("wan:1-65535", "192.168.0.2"),
            "publish 1: with these ports more than 16384 are published; publish fewer ports",
        ),
        (
            &(rule("wan:9000-9010", "192.168.0.2") + &rule("203.0.113.1:9010-9020", "192.168.0.3")),
            "publish 2: another publish listens on this address and port already; write another port, \
             or delete one of the two",
        ),
        (
            &rule("203.0.113.9:80", "192.168.0.2"),
            "publish 1: `listen` 203.0.113.9 is not an address of the switch; write one of its own: \
             192.168.0.1, 203.0.113.1",
        ),
        (
            &rule("wan:80/sctp", "192.168.0.2"),
            "publish 1: `listen` is \"sctp\"; write \"tcp\" or \"udp\"",
        ),
        (
            &rule("wan:0", "192.168.0.2"),
            "publish 1: `listen` has the port \"0\"; write a port from 1 to 65535",
        ),
        (
            &rule("wan:80", "192.168.0.2:80/tcp"),
            "publish 1: `to` \"192.168.0.2:80/tcp\" has a protocol, which belongs to `listen`; write \
             \"192.168.0.2:80\"",
        ),
        (
            &rule("wan:80", "10.0.0.2:80"),
            "publish 1: `to` 10.0.0.2 is in no subnet of the switch and no route leads there; write \
             the address of a host behind the switch",
        ),
        (
            &rule("wan:80", "192.168.0.1:80"),
            "publish 1: `to` 192.168.0.1 is the switch's own address on br0; write the address of a \
             host behind the switch",
        ),
        (
            &(rule("wan:80", "192.168.0.2") + &rule("203.0.113.1:80", "192.168.0.3")),
            "publish 2: another publish listens on this address and port already; write another port, \
             or delete one of the two",
        ),
        (
            &(rule("192.168.0.1:80", "192.168.0.2") + &rule("0.0.0.0:80", "192.168.0.3")),
            "publish 2: another publish listens on this address and port already; write another port, \
             or delete one of the two",
        ),
    ]);
}
