//! Of two parts that cannot both be, the one that came later is refused, whatever their names are.

use super::refusal;
use crate::{LabSpec, PortSpec, changed, parse_spec};

const RUNNING: &str = r#"
[bridge.mid]
router = "192.168.0.1/24"
[port.mid-port]
bridge = "mid"
netns = "red"
address = "192.168.0.2/24"
mac = "02:00:00:00:00:07"
[port."mid2.10"]
router = "203.0.113.1/24"
netns = "net"
[tunnel.mid-tunnel]
bridge = "mid"
vni = 7
remotes = "192.0.2.1"
[[publish]]
listen = "203.0.113.1:80"
to = "192.168.0.2"
"#;

/// What is added, and who is told what.
const ADDED: [(&str, &str, &str); 9] = [
    (
        "port",
        "bridge = \"mid\"\nnetns = \"x\"\naddress = \"192.168.0.2/24\"",
        "address 192.168.0.2 is that of port \"mid-port\"",
    ),
    (
        "port",
        "bridge = \"mid\"\nnetns = \"x\"\naddress = \"192.168.0.1/24\"",
        "address 192.168.0.1 is the switch's own on mid",
    ),
    (
        "port",
        "bridge = \"mid\"\nnetns = \"x\"\nmac = \"02:00:00:00:00:07\"",
        "Ethernet address 02:00:00:00:00:07 is that of port \"mid-port\"",
    ),
    (
        "port",
        "bridge = \"mid\"\nnetns = \"red\"",
        "device \"eth0\" is that of port \"mid-port\" in the same namespace",
    ),
    (
        "port",
        "router = \"203.0.113.129/25\"\nnetns = \"x\"",
        "subnet 203.0.113.128/25 overlaps 203.0.113.0/24 of mid2.10",
    ),
    (
        "port",
        "router = \"203.0.0.1/16\"\nnetns = \"x\"",
        "subnet 203.0.0.0/16 overlaps 203.0.113.0/24 of mid2.10",
    ),
    (
        "bridge",
        "router = \"192.168.0.129/25\"",
        "subnet 192.168.0.128/25 overlaps 192.168.0.0/24 of mid",
    ),
    ("bridge", "router = \"192.0.0.1/8\"", "subnet 192.0.0.0/8 overlaps 192.168.0.0/24 of mid"),
    (
        "tunnel",
        "bridge = \"mid\"\nvni = 7\nremotes = \"192.0.2.1\"",
        "tunnel \"mid-tunnel\" has the remote 192.0.2.1 with VNI 7 and port 4789 too",
    ),
];

fn said(text: &str) -> Vec<String> {
    refusal(text).problems().iter().map(ToString::to_string).collect()
}

fn running() -> LabSpec {
    parse_spec(RUNNING.as_bytes(), "lab.toml").unwrap().0
}

#[test]
fn what_was_written_last_is_the_one_that_is_wrong() {
    for (kind, keys, wrong) in ADDED {
        // Ahead of and behind all others in the order of names.
        for name in ["aa", "zz"] {
            let text = format!("{RUNNING}[{kind}.{name}]\n{keys}\n");
            let told = said(&text);
            let head = format!("{kind} \"{name}\": {wrong}; ");
            assert!(told.len() == 1 && told[0].starts_with(&head), "{told:?} is not {head}");
        }
    }
}

#[test]
fn what_was_just_asked_for_is_the_one_that_is_wrong() {
    let old = running();
    for (kind, keys, wrong) in ADDED {
        for name in ["aa", "zz"] {
            let mut wanted = old.clone();
            match kind {
                "port" => drop(wanted.port.insert(name.into(), toml::from_str(keys).unwrap())),
                "bridge" => drop(wanted.bridge.insert(name.into(), toml::from_str(keys).unwrap())),
                _ => drop(wanted.tunnel.insert(name.into(), toml::from_str(keys).unwrap())),
            }
            let told = changed(&old, &wanted).unwrap_err().to_string();
            let head = format!("{kind} \"{name}\": {wrong}; ");
            assert!(told.starts_with(&head) && told.lines().count() == 1, "{told} is not {head}");
        }
    }
}

#[test]
fn an_address_that_the_switch_takes_is_told_to_the_switch() {
    let old = running();
    let mut wanted = old.clone();
    wanted.bridge.get_mut("mid").unwrap().router = vec!["192.168.0.2/24".into()];
    let told = changed(&old, &wanted).unwrap_err().to_string();
    let expected = "bridge \"mid\": router address 192.168.0.2 is that of port \"mid-port\"; write another address of \
                    192.168.0.0/24";
    assert_eq!(told, expected);
}

#[test]
fn a_name_is_refused_to_whoever_came_later() {
    let old = running();
    for (name, wrong) in [
        ("mid-port", "a port has this name too"),
        ("mid-tunnel", "a tunnel has this name too"),
        ("mid2", "port \"mid2.10\" is called as its VLAN 10 is"),
    ] {
        let mut wanted = old.clone();
        wanted.bridge.insert(name.into(), Default::default());
        let told = changed(&old, &wanted).unwrap_err().to_string();
        assert_eq!(told, format!("bridge \"{name}\": {wrong}; give the bridge another name"));
        let told = said(&format!("{RUNNING}[bridge.{name}]\n"));
        assert_eq!(told, [format!("bridge \"{name}\": {wrong}; give the bridge another name")]);
    }
    let mut wanted = old.clone();
    let port =
        PortSpec { bridge: Some("mid".into()), netns: Some("x".into()), ..PortSpec::default() };
    wanted.port.insert("mid".into(), port);
    let told = changed(&old, &wanted).unwrap_err().to_string();
    assert_eq!(told, "port \"mid\": a bridge has this name too; give the port another name");
}

#[test]
fn a_published_port_is_refused_to_the_rule_that_changed() {
    let mut old = running();
    let rule = |listen: &str| crate::PublishSpec {
        listen: listen.into(),
        to: "192.168.0.2".into(),
        ..crate::PublishSpec::default()
    };
    old.publish.insert(0, rule("203.0.113.1:81"));
    let mut wanted = old.clone();
    wanted.publish[0] = rule("203.0.113.1:79-80");
    let told = changed(&old, &wanted).unwrap_err().to_string();
    assert!(
        told.starts_with("publish 1: another publish listens on this address and port"),
        "{told}"
    );
}
