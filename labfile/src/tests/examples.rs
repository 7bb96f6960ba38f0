//! The example files: they are labs, and they survive being written back.

use std::net::Ipv4Addr;

use crate::{Lab, LabSpec, demo, parse, parse_spec};

pub(super) const EXAMPLES: [(&str, &str); 17] = [
    ("demo", include_str!("../../../examples/demo.toml")),
    ("single-namespace", include_str!("../../../examples/single-namespace.toml")),
    ("two-namespaces", include_str!("../../../examples/two-namespaces.toml")),
    ("docker-bridge", include_str!("../../../examples/docker-bridge.toml")),
    ("docker-bridge-225", include_str!("../../../examples/docker-bridge-225.toml")),
    ("fifteen-containers", include_str!("../../../examples/fifteen-containers.toml")),
    ("isolated", include_str!("../../../examples/isolated.toml")),
    ("vlans", include_str!("../../../examples/vlans.toml")),
    ("internet-lan", include_str!("../../../examples/internet-lan.toml")),
    ("internet-host", include_str!("../../../examples/internet-host.toml")),
    ("internet-macvlan", include_str!("../../../examples/internet-macvlan.toml")),
    ("two-hosts/underlay", include_str!("../../../examples/two-hosts/underlay.toml")),
    ("two-hosts/routed-underlay", include_str!("../../../examples/two-hosts/routed-underlay.toml")),
    ("two-hosts/host1", include_str!("../../../examples/two-hosts/host1.toml")),
    ("two-hosts/host2", include_str!("../../../examples/two-hosts/host2.toml")),
    ("two-hosts/stretched1", include_str!("../../../examples/two-hosts/stretched1.toml")),
    ("two-hosts/stretched2", include_str!("../../../examples/two-hosts/stretched2.toml")),
];

#[test]
fn every_example_is_a_lab() {
    for (name, text) in EXAMPLES {
        if let Err(error) = parse(text.as_bytes(), name) {
            panic!("{error}");
        }
    }
}

#[test]
fn every_example_file_is_among_the_examples() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/");
    for folder in ["", "two-hosts/"] {
        for entry in std::fs::read_dir(format!("{root}{folder}")).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{folder}{}", entry.file_name().into_string().unwrap());
            let known = EXAMPLES.iter().any(|(known, _)| format!("{known}.toml") == name);
            assert!(known || !name.ends_with(".toml"), "{name} is tested by nobody");
            // `compare` has scenarios, which are no labs and are run by a test of their own.
            let looked_into = ["two-hosts", "compare"].contains(&name.as_str());
            let known = looked_into || !entry.file_type().unwrap().is_dir();
            assert!(known, "{name} is looked into by nobody");
        }
    }
}

#[test]
fn a_lab_written_back_is_the_same_lab() {
    for (name, text) in EXAMPLES {
        let (spec, lab) = parse_spec(text.as_bytes(), name).unwrap();
        let written = spec.to_toml().unwrap();
        let (again, lab_again) = parse_spec(written.as_bytes(), name).unwrap();
        assert_eq!(spec, again, "{written}");
        assert_eq!(lab, lab_again);
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(spec, serde_json::from_str::<LabSpec>(&json).unwrap());
        assert_eq!(lab, Lab::try_from(&spec).unwrap());
    }
}

#[test]
fn the_demo_is_red_blue_and_an_outside_host() {
    let lab = parse(demo().as_bytes(), "demo.toml").unwrap();
    let names: Vec<&str> = lab.ports.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["blue", "red", "wan"]);
    assert_eq!(lab.ports["red"].gateway, Some(Ipv4Addr::new(192, 168, 0, 1)));
    assert_eq!(lab.ports["wan"].gateway, None);
    assert_eq!(lab.publish.len(), 1);
}

#[test]
fn the_two_docker_examples_differ_only_in_addresses() {
    let [before, after] = ["docker-bridge", "docker-bridge-225"].map(|name| {
        let (_, text) = EXAMPLES.iter().find(|(known, _)| *known == name).unwrap();
        parse(text.as_bytes(), name).unwrap()
    });
    assert!(before.ports.keys().eq(after.ports.keys()));
    assert_eq!(before.routes, after.routes);
    assert_eq!(before.ports["wan"], after.ports["wan"]);
}
