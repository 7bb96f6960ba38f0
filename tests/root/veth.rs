//! A port that is one end of a veth pair, for namespaces that want a device like every other
//! container's.

use nix::sys::signal::Signal;

use crate::daemon::Daemon;
use crate::interfaces::LAB;
use crate::transfer::WHOLE;
use crate::underlay::{has_ip, no_wrong_checksums, tcp_both_ways, udp_both_ways};
use crate::world::world;

const VETH: &str = "[port.c2]\nbridge = \"sw0\"\nnetns = \"c2\"\nlink = \"veth\"\n\
                    address = \"10.1.0.2/16\"\n";

#[test]
fn a_veth_port_looks_like_a_containers_device() {
    let Some(world) = world() else { return };
    let text = LAB.to_owned() + VETH;
    let here = world.here();
    let before = here.state();
    let daemon = Daemon::with(&world, &text);
    let (c1, c2) = (world.host("c1"), world.host("c2"));
    assert_eq!(c2.link("eth0").kind.as_deref(), Some("veth"));
    if has_ip() {
        let shown = c2.ip("link show eth0");
        assert!(shown.contains(" eth0@if"), "its other end is elsewhere: {shown}");
    }
    let row = &world.rows(&["port", "list"])[1];
    assert_eq!(row["attach"], "netns c2, veth");
    assert_eq!(row["mac"], c2.link("eth0").mac.to_string());
    c1.ping("10.1.0.2");
    c2.ping("10.1.0.1");
    c2.ping("10.1.255.1");
    udp_both_ways((&c1, "10.1.0.1"), (&c2, "10.1.0.2"), 1472, WHOLE / 16);
    tcp_both_ways((&c1, "10.1.0.1"), (&c2, "10.1.0.2"), WHOLE);
    no_wrong_checksums(&[&c1, &c2, &here]);
    assert_eq!(daemon.apply(&text), "no changes\n");
    daemon.stop(Signal::SIGTERM);
    assert_eq!(here.state(), before);
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn a_veth_pair_goes_with_its_port() {
    let Some(world) = world() else { return };
    let here = world.here();
    let daemon = Daemon::with(&world, LAB);
    let before = here.state();
    let words = ["--bridge", "sw0", "--netns", "c2", "--link", "veth", "--address", "10.1.0.2/16"];
    for _ in 0..2 {
        world.tapswitch(&[&["port", "add", "c2"], &words[..]].concat()).ok();
        assert_ne!(here.state(), before);
        world.host("c2").ping("10.1.0.1");
        world.tapswitch(&["port", "del", "c2"]).ok();
        assert_eq!(here.state(), before);
        assert_eq!(world.names(), ["c1"]);
    }
    assert_eq!(daemon.apply(LAB), "no changes\n");
}

/// In a namespace that somebody else made, which is left as it was.
#[test]
fn a_veth_port_leaves_a_found_namespace_as_it_was() {
    let Some(world) = world() else { return };
    let found = crate::scenery::Found::named(&world, "c2", "up0");
    let before = found.host.state();
    let daemon = Daemon::with(&world, &(LAB.to_owned() + VETH));
    found.host.ping("10.1.0.1");
    daemon.stop(Signal::SIGTERM);
    assert_eq!(found.host.state(), before);
    assert_eq!(world.names(), ["c2"]);
}

/// Somebody deletes the device from inside: the pair is gone, the port is lost, and the next apply
/// makes it anew.
#[test]
fn a_veth_pair_that_is_deleted_is_a_lost_port() {
    let Some(world) = world() else { return };
    let text = LAB.to_owned() + VETH;
    let daemon = Daemon::with(&world, &text);
    world.host("c2").delete("eth0");
    let state = daemon.until_port("c2", |state| state.starts_with("lost"));
    assert!(state.contains("eth0") && state.contains("deleted"), "{state}");
    world.host("c1").ping("10.1.255.1");
    let plan = daemon.apply(&text);
    assert!(plan.contains("port c2 again"), "{plan}");
    world.host("c1").ping("10.1.0.2");
}
