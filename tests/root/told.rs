//! What users are told that they could paste, or that they would else find out late.

use std::process;

use crate::daemon::Daemon;
use crate::ports::{BRIDGE, port};
use crate::world::{World, world};

/// A command of iproute2's `ip`, inside; whether there is one.
fn ip(world: &World, words: &str) -> bool {
    let words: Vec<&str> = words.split(' ').collect();
    world.program("ip", &words).map(crate::process::Finished::ok).is_some()
}

#[test]
fn a_device_in_the_way_is_told_with_a_command_for_its_own_namespace() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &format!("{BRIDGE}{}", port("red", "netns = \"red\"", 2)));
    let add = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        world.tapswitch(&[&["port", "add"], &*words].concat()).sentence()
    };
    let said = add("a --bridge br0 --netns /run/netns/../netns/red");
    let expected = "choose another name, or delete it with `nsenter --net=/run/netns/../netns/red ip link del eth0`";
    assert!(said.ends_with(expected), "{said}");
    // The daemon's own namespace, whose devices the machine may be reached by.
    world.tapswitch(&["port", "add", "here", "--bridge", "br0", "--host", "--device", "eth0"]).ok();
    for place in [format!("--pid {}", daemon.id()), "--netns /proc/self/ns/net".to_owned()] {
        let said = add(&format!("b --bridge br0 {place}"));
        assert!(!said.contains("ip link del"), "{said}");
        assert!(said.ends_with("has a device `eth0` already: choose another name"), "{said}");
    }
    let said = add(&format!("b --bridge br0 --pid {}", daemon.id()));
    let own = format!("the namespace of process {}, which is the daemon's own,", daemon.id());
    assert!(said.contains(&own), "{said}");
    let said = add("c --bridge br0 --host --master docker0");
    let make = format!("nsenter --net=/proc/{}/ns/net ip link add docker0", daemon.id());
    assert!(said.contains(&make), "{said}");
    assert_ne!(daemon.id(), process::id());
}

#[test]
fn a_device_that_is_larger_than_its_tunnel_is_warned_of_by_what_it_is() {
    let Some(world) = world() else { return };
    if !ip(&world, "link add veth_a type veth peer name veth_b") {
        return;
    }
    for words in [
        "link set veth_a up",
        "link set veth_b up",
        "link add under type veth peer name far",
        "address add 192.0.2.9/24 dev under",
        "link set under up",
        "link set far up",
    ] {
        ip(&world, words);
    }
    let lab = "[bridge.br0]\n[port.a]\nbridge = \"br0\"\ninterface = \"veth_a\"\n\
               [port.red]\nbridge = \"br0\"\nnetns = \"red\"\n\
               [tunnel.vx0]\nbridge = \"br0\"\nvni = 42\nremotes = \"192.0.2.1\"\n";
    let daemon = Daemon::with(&world, lab);
    let warnings = || -> Vec<String> {
        let show = world.json(&["show"]);
        let warnings = show["warnings"].as_array().unwrap();
        warnings.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let told = warnings();
    assert_eq!(told.len(), 1, "{told:?}");
    let start = "port a: its device veth_a has MTU 1500, and tunnel vx0 carries 1450: larger packets to far stations end here";
    assert!(told[0].starts_with(start), "{told:?}");
    assert!(told[0].contains("/ns/net ip link set veth_a mtu 1450`"), "{told:?}");
    ip(&world, "link set veth_a mtu 1450");
    // One that somebody else has changed behind the lab's back.
    ip(&world, "-n red link set eth0 mtu 1400");
    let told = warnings();
    assert_eq!(told.iter().filter(|text| text.starts_with("port red ")).count(), 1, "{told:?}");
    let real = "port red differs on the machine: mtu 1400 (lab: 1450)";
    assert!(told.iter().any(|text| text == real), "{told:?}");
    let row = &world.rows(&["port", "list"])[1];
    assert_eq!((&row["name"], &row["mtu"]), (&"red".into(), &1400.into()));
    assert!(world.tapswitch(&["port", "list"]).ok().lines().next().unwrap().contains(" MTU "));

    // Nobody is at the far end.
    let tunnel = &world.rows(&["tunnel", "list"])[0];
    let state = tunnel["state"].as_str().unwrap();
    let start = "silent: nothing has come from 192.0.2.1 in the ";
    assert!(state.starts_with(start) && state.ends_with(" s since it was made"), "{state}");
    let table = world.tapswitch(&["tunnel", "list"]).ok();
    assert!(table.contains("vx0 is silent: nothing has come from 192.0.2.1"), "{table}");
    assert!(!daemon.has_logged("panicked"));
}
