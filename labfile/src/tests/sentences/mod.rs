//! Every refusal of the check, word for word.

mod ports;
mod rules;
mod tunnels;

use super::{BASE, refusal};
use crate::{Lab, LabSpec, PortSpec};

/// Asserts that each addition to the base lab is refused with its one sentence, less file and
/// position.
fn refused(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let error = refusal(&format!("{BASE}{text}"));
        let said: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
        assert_eq!(said, [*expected], "{text}");
    }
}

#[test]
fn a_sentence_starts_with_file_line_and_column() {
    let text = "[bridge.br0]\nrouter = \"192.168.0.1/24\"\n[port.red]\nbridge = \"br0\"\nnetns = \
                \"red\"\naddress = \"192.168.0.2/24\"\ngateway = \"10.0.0.1\"\n";
    assert_eq!(
        refusal(text).to_string(),
        "lab.toml:7:11: port \"red\": gateway 10.0.0.1 is outside its subnet 192.168.0.0/24; write \
         gateway = \"192.168.0.1\""
    );
}

#[test]
fn a_request_gets_the_same_sentence_without_a_position() {
    let red =
        PortSpec { bridge: Some("br1".into()), netns: Some("red".into()), ..Default::default() };
    let mut spec = LabSpec::default();
    spec.bridge.insert("br0".into(), Default::default());
    spec.port.insert("red".into(), red);
    assert_eq!(
        Lab::try_from(&spec).unwrap_err().to_string(),
        "port \"red\": no bridge is called \"br1\"; write bridge = \"br0\""
    );
}

#[test]
fn every_fault_is_reported_in_the_order_of_the_file() {
    let text = "[port.z]\nbridge = \"x\"\nnetns = \"z\"\nmtu = 7\n[port.a]\nnetns = \"a\"\n\
                bridge = \"b\"\nvlan = 0\n[bridge.b]\n";
    assert_eq!(
        refusal(text).to_string(),
        "lab.toml:2:10: port \"z\": no bridge is called \"x\"; write bridge = \"b\"\n\
         lab.toml:4:7: port \"z\": `mtu` is 7; write a number from 68 to 65521\n\
         lab.toml:8:8: port \"a\": `vlan` is 0; write a number from 1 to 4094"
    );
}

#[test]
fn one_mistake_earns_one_sentence() {
    let text = BASE.replace("203.0.113.1/24", "203.0.113.1")
        + "[[route]]\nto = \"default\"\nvia = \"203.0.113.254\"\n[[masquerade]]\nsource = \
           \"192.168.0.0/24\"\nout = \"wan\"\n[[publish]]\nlisten = \"203.0.113.1:80\"\nto = \
           \"192.168.0.2:80\"\n";
    assert_eq!(
        refusal(&text).to_string(),
        "lab.toml:9:10: port \"wan\": `router` \"203.0.113.1\" has no prefix length; write \
         \"203.0.113.1/24\""
    );
}

#[test]
fn names_are_plain_and_unshared() {
    refused(&[
        (
            "[bridge.\"a b\"]",
            "bridge \"a b\": \"a b\" is not a name: a name has 1 to 63 letters, digits, '.', '_' and \
             '-', and starts with a letter or a digit; write a name such as \"red\" or \"br0\"",
        ),
        (
            "[port.br0]\nbridge = \"br0\"\nnetns = \"x\"",
            "port \"br0\": a bridge has this name too; give the port another name",
        ),
        (
            "[port.\"br0.10\"]\nbridge = \"br0\"\nnetns = \"x\"",
            "port \"br0.10\": this is how VLAN 10 of bridge \"br0\" is called; give the port another \
             name",
        ),
    ]);
}

#[test]
fn bridges_are_within_their_limits() {
    refused(&[
        (
            "[bridge.b]\nageing = 0",
            "bridge \"b\": `ageing` is 0; write a number from 15 to 3600 seconds",
        ),
        (
            "[bridge.b]\nfdb_size = 9",
            "bridge \"b\": `fdb_size` is 9; write a number from 10 to 1000000",
        ),
        ("[bridge.b]\nmtu = 67", "bridge \"b\": `mtu` is 67; write a number from 68 to 65521"),
        (
            "[bridge.b]\nforward = [\"ospf\"]",
            "bridge \"b\": `forward` \"ospf\" is no reserved address; write \"stp\", \"pause\", \
             \"lacp\", \"slow\", \"dot1x\", \"lldp\", \"ptp\", an address such as \"01:80:c2:00:00:0e\", or \
             \"all\"",
        ),
        (
            "[bridge.b.vlan.4095]\nrouter = \"10.0.0.1/24\"",
            "bridge \"b\" VLAN 4095: \"4095\" is not a VLAN; write a number from 1 to 4094",
        ),
        (
            "[bridge.b.vlan.10]",
            "bridge \"b\" VLAN 10: the VLAN has no `router` address, and needs no table without one; \
             write router = \"192.168.10.1/24\" or delete the table",
        ),
    ]);
}

/// NU8.
#[test]
fn nothing_is_had_twice() {
    let port = |line: &str| format!("[port.p]\nbridge = \"br0\"\nnetns = \"p\"\n{line}");
    refused(&[
        (
            "[bridge.br1]\nrouter = \"192.168.0.129/25\"",
            "bridge \"br1\": subnet 192.168.0.128/25 overlaps 192.168.0.0/24 of br0; write an address \
             of another subnet",
        ),
        (
            "[bridge.br1.vlan.9]\nrouter = \"203.0.113.9/24\"",
            "bridge \"br1\" VLAN 9: subnet 203.0.113.0/24 overlaps 203.0.113.0/24 of wan; write an address \
             of another subnet",
        ),
        (
            "[bridge.br1]\nrouter = [\"10.0.0.1/24\", \"10.0.0.1/24\"]",
            "bridge \"br1\": router address 10.0.0.1 is written twice; keep one of the two",
        ),
        (
            &port("address = \"192.168.0.1/24\""),
            "port \"p\": address 192.168.0.1 is the switch's own on br0; write another address of \
             192.168.0.0/24",
        ),
        (
            &port("address = \"192.168.0.2/24\""),
            "port \"p\": address 192.168.0.2 is that of port \"red\"; write another address of \
             192.168.0.0/24",
        ),
        (
            "[port.p]\nrouter = \"10.0.0.1/24\"\nnetns = \"p\"\naddress = \"10.0.0.1/24\"",
            "port \"p\": address 10.0.0.1 is the switch's own on p; write another address of \
             10.0.0.0/24",
        ),
        (
            &(port("mac = \"2:0:0:0:0:1\"\n")
                + "[bridge.br1]\n[port.q]\nbridge = \"br0\"\nnetns = \"q\"\nmac = \"2:0:0:0:0:1\""),
            "port \"q\": Ethernet address 02:00:00:00:00:01 is that of port \"p\"; write mac = \
             \"02:...\" with another one",
        ),
        (
            "[port.p]\nrouter = \"10.0.0.1/24\"\nrouter_mac = \"2:0:0:0:0:1\"\nmac = \"2:0:0:0:0:1\"\nnetns = \"p\"",
            "port \"p\": Ethernet address 02:00:00:00:00:01 is the switch's own there; write mac = \
             \"02:...\" with another one",
        ),
    ]);
}

#[test]
fn settings_are_within_their_limits() {
    refused(&[
        ("[switch]\nworkers = 65", "switch: `workers` is 65; write a number from 1 to 64"),
        ("[switch]\ncpus = [0, 1024]", "switch: `cpus` is 1024; write a number from 0 to 1023"),
        ("[switch]\ncpus = [-1]", "switch: `cpus` is -1; write a number from 0 to 1023"),
        (
            &format!("[switch]\ncpus = {:?}", [0; 65]),
            "switch: `cpus` has 65 entries and the limit is 64; there are no more workers to place; \
             write fewer",
        ),
        (
            "[switch]\npoll = \"11ms\"",
            "switch: `poll` is \"11ms\"; write a time from \"1us\" to \"10ms\", or \"off\"",
        ),
        (
            "[switch]\npoll = \"200\"",
            "switch: `poll` is \"200\"; write a time from \"1us\" to \"10ms\", or \"off\"",
        ),
        (
            "[switch]\nbusy_poll = \"2ms\"",
            "switch: unknown key \"busy_poll\"; did you mean `poll`?",
        ),
        (
            "[switch]\ntimers = \"bsd\"",
            "switch: `timers` is \"bsd\"; write \"rfc\", \"linux\" or \"ovs\"",
        ),
        ("[switch]\nflows = 0", "switch: `flows` is 0; write a number from 64 to 16777216"),
        (
            "[switch]\nflows = 100\nflows_per_host = 101",
            "switch: `flows_per_host` is 101; write a number from 1 to 100",
        ),
        (
            "[switch.timeouts]\nudp = 0",
            "switch: `udp` is 0; write a number from 1 to 604800 seconds",
        ),
    ]);
}

#[test]
fn a_lab_beyond_all_measure_is_refused_briefly() {
    let bridges: String = (0..1_025).map(|number| format!("[bridge.b{number}]\n")).collect();
    assert_eq!(
        refusal(&bridges).to_string(),
        "lab.toml:1:2: the lab has 1025 of `bridge` and the limit is 1024; split the lab over \
         several switches"
    );
    let addresses: Vec<String> = (1..66).map(|host| format!("\"10.0.0.{host}/24\"")).collect();
    refused(&[(
        &format!("[bridge.b]\nrouter = [{}]", addresses.join(", ")),
        "bridge \"b\": `router` has 65 addresses and the limit is 64; spread them over several \
         segments",
    )]);
    let unknown: String = (0..5_000).map(|number| format!("key{number} = 1\n")).collect();
    assert_eq!(refusal(&unknown).problems().len(), 100);
    let wrong: String =
        (0..1_000).map(|number| format!("[port.p{number}]\nbridge = \"x\"\n")).collect();
    assert_eq!(refusal(&wrong).problems().len(), 100);
}

#[test]
fn a_sentence_never_carries_control_characters() {
    let escape = "\\u001b[2J";
    let port = |line: &str| format!("[port.p]\nnetns = \"p\"\n{line}\n");
    let texts = [
        port(&format!("bridge = \"{escape}\"")),
        port(&format!(
            "bridge = \"{escape}\"\nrouter = \"10.0.0.1/24\"\nrouter_mac = \"{escape}\""
        )),
        port(&format!("bridge = \"{escape}\"\nrouter_mac = \"2:0:0:0:0:1\"")),
        port(&format!(
            "bridge = \"br0\"\ndevice = \"{escape}\"\nmac = \"{escape}\"\ngateway = \"{escape}\"\naddress = \"{escape}\""
        )),
        port(&format!("bridge = \"br0\"\nvlan_mode = \"{escape}\"\npriority_tags = \"{escape}\"")),
        format!("[port.\"{escape}\"]\nhost = true\nmaster = \"{escape}\"\n"),
        format!("[bridge.\"{escape}\"]\nrouter = \"{escape}\"\nforward = \"{escape}\"\n"),
        format!("[port.p]\nbridge = \"br0\"\ninterface = \"{escape}\"\n"),
        port(&format!("bridge = \"br0\"\nlink = \"{escape}\"")),
        format!("[tunnel.\"{escape}\"]\nbridge = \"{escape}\"\nremotes = \"{escape}\"\n"),
        format!(
            "[tunnel.t]\nbridge = \"br0\"\nvni = 1\nremotes = \"192.0.2.1\"\nlocal = \"{escape}\"\nttl = \
             \"{escape}\"\ndscp = \"{escape}\"\nchecksum = \"{escape}\"\n"
        ),
        format!("[bridge.b.vlan.\"{escape}\"]\n\"{escape}\" = 1\n"),
        format!("[bridge.b.vlan.\"{escape}\"]\nrouter = 7\n"),
        format!("[[route]]\nto = \"{escape}\"\nvia = \"{escape}\"\nout = \"{escape}\"\n"),
        format!(
            "[[masquerade]]\nsource = \"{escape}\"\nout = \"{escape}\"\nports = \"{escape}\"\n"
        ),
        format!("[[publish]]\nlisten = \"{escape}\"\nto = \"{escape}/tcp\"\n"),
        format!("[[publish]]\nlisten = \"{escape}:80/{escape}\"\nto = \"10.0.0.1:{escape}\"\n"),
        format!("[port.p]\nmtu = \"{escape}\"\n"),
        "[port.p]\nmtu = \u{1b}[2J\n".to_owned(),
    ];
    for text in texts {
        for problem in refusal(&format!("{BASE}{text}")).problems() {
            assert!(!problem.to_string().contains(char::is_control), "{problem:?}");
        }
    }
}
