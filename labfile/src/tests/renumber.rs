//! A bridge that moves to another subnet: what comes along, what stays, what is left behind.

use packet::VlanId;

use super::examples::EXAMPLES;
use super::lab;
use crate::{Lab, LabSpec, Wanted, left_behind, parse_spec, renumber};

fn example(name: &str) -> &'static str {
    EXAMPLES.iter().find(|(known, _)| *known == name).unwrap().1
}

fn wanted(to: &str) -> Wanted {
    Wanted { to: to.parse().unwrap(), from: None, vlan: VlanId::UNTAGGED }
}

/// The lab of a text after its bridge `br0` has moved; it is legal.
fn moved(text: &str, wanted: Wanted) -> LabSpec {
    let (mut spec, lab) = parse_spec(text.as_bytes(), "lab.toml").unwrap();
    renumber(&mut spec, &lab, "br0", wanted).unwrap();
    if let Err(error) = Lab::try_from(&spec) {
        panic!("{error}");
    }
    spec
}

fn unmovable(text: &str, wanted: Wanted) -> String {
    let (mut spec, lab) = parse_spec(text.as_bytes(), "lab.toml").unwrap();
    renumber(&mut spec, &lab, "br0", wanted).unwrap_err().to_string()
}

#[test]
fn docker0_moves_as_a_whole() {
    let (mut spec, lab) = parse_spec(example("docker-bridge").as_bytes(), "a").unwrap();
    renumber(&mut spec, &lab, "docker0", wanted("192.168.225.1/24")).unwrap();
    let (expected, _) = parse_spec(example("docker-bridge-225").as_bytes(), "b").unwrap();
    assert_eq!(spec, expected);
}

/// Everything that can mean an address of the subnet, and things beside it that do not.
const LAB: &str = r#"
[bridge.br0]
router = ["10.1.0.1/16", "10.9.0.1/24"]
[bridge.br0.vlan.10]
router = "10.10.0.1/16"
[port.red]
bridge = "br0"
netns = "red"
address = ["10.1.0.2/16", "10.9.0.2/24"]
gateway = "10.1.0.1"
[port.narrow]
bridge = "br0"
netns = "narrow"
address = "10.1.0.3/28"
gateway = false
[port.wide]
bridge = "br0"
netns = "wide"
address = "10.1.0.4/8"
gateway = "10.1.0.2"
[port.ten]
bridge = "br0"
vlan = 10
netns = "ten"
address = "10.10.0.2/16"
[port.wan]
router = "203.0.113.1/24"
netns = "net"
address = "203.0.113.254/24"
[[route]]
to = "172.16.0.0/12"
via = "10.1.0.2"
[[route]]
to = "10.1.0.128/25"
reject = "prohibit"
[[route]]
to = "default"
via = "203.0.113.254"
[[masquerade]]
source = "10.1.0.0/16"
out = "wan"
except = ["10.1.0.0/25", "10.0.0.0/8", "10.1.0.7"]
[[masquerade]]
source = "10.0.0.0/8"
out = "wan"
[[publish]]
listen = "10.1.0.1:53/udp"
to = "10.1.0.2"
[[publish]]
listen = "203.0.113.1:8080"
to = "10.1.0.3:80"
[[publish]]
listen = "wan:8081"
to = "10.10.0.2:80"
"#;

#[test]
fn all_that_is_in_the_subnet_comes_along_and_nothing_else() {
    let from = Some("10.1.0.1/16".parse().unwrap());
    let spec = moved(LAB, Wanted { from, ..wanted("192.168.225.254/24") });
    let mut expected = LAB.to_owned();
    for (old, new) in [
        ("[\"10.1.0.1/16\"", "[\"192.168.225.254/24\""),
        ("\"10.1.0.2/16\"", "\"192.168.225.2/24\""),
        ("gateway = \"10.1.0.1\"", "gateway = \"192.168.225.254\""),
        ("10.1.0.3/28", "192.168.225.3/28"),
        ("10.1.0.4/8", "192.168.225.4/24"),
        ("gateway = \"10.1.0.2\"", "gateway = \"192.168.225.2\""),
        ("via = \"10.1.0.2\"", "via = \"192.168.225.2\""),
        ("10.1.0.128/25", "192.168.225.128/25"),
        ("source = \"10.1.0.0/16\"", "source = \"192.168.225.0/24\""),
        ("10.1.0.0/25", "192.168.225.0/25"),
        ("\"10.1.0.7\"", "\"192.168.225.7\""),
        ("10.1.0.1:53/udp", "192.168.225.254:53/udp"),
        ("to = \"10.1.0.2\"", "to = \"192.168.225.2\""),
        ("10.1.0.3:80", "192.168.225.3:80"),
    ] {
        assert!(expected.contains(old), "{old}");
        expected = expected.replacen(old, new, 1);
    }
    assert_eq!(spec, parse_spec(expected.as_bytes(), "expected").unwrap().0);
}

#[test]
fn a_vlan_moves_by_itself() {
    let ten = VlanId::new(10).unwrap();
    let spec = moved(LAB, Wanted { vlan: ten, ..wanted("10.20.0.1/16") });
    let mut expected = LAB.to_owned();
    for (old, new) in [
        ("10.10.0.1/16", "10.20.0.1/16"),
        ("10.10.0.2/16", "10.20.0.2/16"),
        ("10.10.0.2:80", "10.20.0.2:80"),
    ] {
        expected = expected.replacen(old, new, 1);
    }
    assert_eq!(spec, parse_spec(expected.as_bytes(), "expected").unwrap().0);
}

#[test]
fn a_prefix_length_changes_in_place() {
    let text = "[bridge.br0]\nrouter = \"10.1.0.1/16\"\n[port.red]\nbridge = \"br0\"\nnetns = \"red\"\n\
                address = \"10.1.0.2/16\"\n";
    let spec = moved(text, wanted("10.1.0.1/24"));
    assert_eq!(spec, parse_spec(text.replace("/16", "/24").as_bytes(), "a").unwrap().0);
}

#[test]
fn what_has_no_room_is_named_and_stays() {
    let text = "[bridge.br0]\nrouter = \"10.1.0.1/16\"\n[port.red]\nbridge = \"br0\"\nnetns = \"red\"\n\
                address = \"10.1.4.2/16\"\n[[publish]]\nlisten = \"br0:80\"\nto = \"10.1.0.255:80\"\n";
    assert_eq!(
        unmovable(text, wanted("192.168.225.1/24")),
        "192.168.225.0/24 has no room for 10.1.4.2 (port red), 10.1.0.255 (publish br0:80): give what does not fit \
         another address first, or choose a prefix length of 21 or less"
    );
    moved(text, wanted("192.168.224.1/21"));
    let many: String = (1..=6)
        .map(|n| format!("[[masquerade]]\nsource = \"10.1.{n}.0/24\"\nout = \"br0\"\n"))
        .collect();
    let text = format!("[bridge.br0]\nrouter = \"10.1.0.1/16\"\n{many}");
    let sentence = unmovable(&text, wanted("192.168.225.1/24"));
    assert!(sentence.contains("10.1.4.0 (masquerade 4), 2 more: give"), "{sentence}");
}

#[test]
fn what_makes_no_sense_is_refused_with_what_to_write() {
    let from = Some("10.2.0.1/16".parse().unwrap());
    let vlan = VlanId::new(20).unwrap();
    for (wanted, expected) in [
        (
            wanted("10.3.0.1/16"),
            "bridge br0 has the addresses 10.1.0.1/16, 10.9.0.1/24: say which one moves, `--from 10.1.0.1/16`",
        ),
        (
            Wanted { from, ..wanted("10.3.0.1/16") },
            "bridge br0 has no address in 10.2.0.0/16: it has 10.1.0.1/16, 10.9.0.1/24",
        ),
        (
            Wanted { vlan, ..wanted("10.3.0.1/16") },
            "VLAN 20 of bridge br0 has no router address that could move: give it one, `tapswitch bridge set br0 \
             --vlan-router 20=10.3.0.1/16`",
        ),
    ] {
        assert_eq!(unmovable(LAB, wanted), expected);
    }
    let (mut spec, lab) = parse_spec(LAB.as_bytes(), "lab.toml").unwrap();
    let error = renumber(&mut spec, &lab, "br9", wanted("10.3.0.1/16")).unwrap_err();
    assert_eq!(error.to_string(), "there is no bridge \"br9\"");
}

#[test]
fn a_bridge_that_has_left_alone_says_what_it_left_and_can_still_fetch_it() {
    let text = example("docker-bridge");
    let gone = text.replace("\"172.17.0.1/16", "\"192.168.225.1/24");
    let notes = left_behind(&lab(text), &lab(&gone));
    assert_eq!(
        notes,
        [
            "! port app: its address 172.17.0.3/16 is in no subnet of docker0 any more, so the switch is no gateway for it",
            "! port web: its address 172.17.0.2/16 is in no subnet of docker0 any more, so the switch is no gateway for it",
            "! masquerade 1: its source 172.17.0.0/16 is in no subnet of the switch any more",
            "! publish 203.0.113.1:8080/tcp: 172.17.0.2:80 is in no subnet of the switch any more",
            "! to move them along: `tapswitch bridge renumber docker0 192.168.225.1/24 --from 172.17.0.1/16`; next time in \
             place of `set`",
        ]
    );
    let (mut spec, left) = parse_spec(gone.as_bytes(), "lab.toml").unwrap();
    let from = Some("172.17.0.1/16".parse().unwrap());
    renumber(&mut spec, &left, "docker0", Wanted { from, ..wanted("192.168.225.1/24") }).unwrap();
    let (expected, _) = parse_spec(example("docker-bridge-225").as_bytes(), "b").unwrap();
    assert_eq!(spec, expected);
}

#[test]
fn nothing_is_left_behind_by_a_move_as_a_whole_or_by_one_that_still_covers_it() {
    let (before, after) = (lab(example("docker-bridge")), lab(example("docker-bridge-225")));
    assert_eq!(left_behind(&before, &after), [""; 0]);
    let wider = example("docker-bridge").replace("\"172.17.0.1/16", "\"172.17.0.1/15");
    let wider =
        wider.replace("172.17.0.2/16", "172.17.0.2/15").replace("172.17.0.3/16", "172.17.0.3/15");
    assert_eq!(left_behind(&before, &lab(&wider)), [""; 0]);
    assert_eq!(left_behind(&before, &Lab::default()), [""; 0], "the bridge itself went");
}
