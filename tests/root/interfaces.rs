//! Devices that were there before the lab as ports of a bridge, as they are found and left as they
//! are found.

use nix::sys::signal::Signal;

use crate::daemon::Daemon;
use crate::ethtool;
use crate::host::Host;
use crate::raw::Raw;
use crate::scenery::linux_bridge;
use crate::transfer::WHOLE;
use crate::underlay::{cable, enslave, has_ip, no_wrong_checksums, tcp_both_ways, udp_both_ways};
use crate::wait;
use crate::world::{World, world};

/// A bridge with a TAP on it, in the namespace `c1` at 10.1.0.1.
pub(crate) const LAB: &str = "[bridge.sw0]\nrouter = \"10.1.255.1/16\"\n\
                              [port.c1]\nbridge = \"sw0\"\nnetns = \"c1\"\naddress = \"10.1.0.1/16\"\n";

/// An existing device as a port of that bridge.
fn port(name: &str, device: &str, keys: &str) -> String {
    format!("[port.{name}]\nbridge = \"sw0\"\ninterface = \"{device}\"\n{keys}\n")
}

/// A namespace at the other end of a new veth pair.
fn behind(world: &World, device: &str, address: &str) -> Host {
    let host = Host::anonymous(&format!("the namespace behind {device}"));
    cable((&world.here(), device, None), (&host, "eth0", Some(address)), 1500);
    host
}

#[test]
fn an_existing_device_is_a_port() {
    let Some(world) = world() else { return };
    let far = behind(&world, "veth_sw0", "10.1.0.50/16");
    let here = world.here();
    let before = (ethtool::settings(&here, "veth_sw0"), here.state());
    let daemon = Daemon::with(&world, &(LAB.to_owned() + &port("up", "veth_sw0", "")));
    let row = &world.rows(&["port", "list"])[1];
    let link = here.link("veth_sw0");
    assert_eq!((&row["name"], &row["state"]), (&"up".into(), &"up".into()), "{row}");
    assert_eq!(
        (&row["attach"], &row["device"]),
        (&"interface veth_sw0".into(), &"veth_sw0".into())
    );
    assert_eq!((&row["ifindex"], &row["mtu"]), (&link.index.into(), &1500.into()));
    let near = world.host("c1");
    near.ping("10.1.0.50");
    far.ping("10.1.0.1");
    far.ping("10.1.255.1");
    let (one, other) = ((&near, "10.1.0.1"), (&far, "10.1.0.50"));
    udp_both_ways(one, other, 1472, WHOLE / 16);
    tcp_both_ways(one, other, WHOLE);
    assert_eq!(ethtool::settings(&here, "veth_sw0"), before.0);
    no_wrong_checksums(&[&near, &far, &here]);
    if has_ip() {
        assert!(here.ip("-d link show veth_sw0").contains("promiscuity 1"));
    }
    daemon.stop(Signal::SIGTERM);
    assert_eq!((ethtool::settings(&here, "veth_sw0"), here.state()), before);
    if has_ip() {
        assert!(here.ip("-d link show veth_sw0").contains("promiscuity 0"));
    }
}

#[test]
fn two_existing_devices_reach_each_other() {
    let Some(world) = world() else { return };
    let (a, b) = (behind(&world, "va", "10.1.0.50/16"), behind(&world, "vb", "10.1.0.51/16"));
    let ports = port("a", "va", "") + &port("b", "vb", "");
    let _daemon = Daemon::with(&world, &(LAB.to_owned() + &ports));
    a.ping("10.1.0.51");
    tcp_both_ways((&a, "10.1.0.50"), (&b, "10.1.0.51"), WHOLE);
    udp_both_ways((&a, "10.1.0.50"), (&b, "10.1.0.51"), 1472, WHOLE / 16);
    no_wrong_checksums(&[&a, &b, &world.here()]);
}

/// The kernel takes tags out of frames and keeps them beside; the far end finds them where they
/// belong.
#[test]
fn tags_pass_a_trunk_of_an_existing_device() {
    let Some(world) = world() else { return };
    let far = behind(&world, "vt", "10.1.0.50/16");
    let ten = "[bridge.sw0.vlan.10]\nrouter = \"10.10.0.1/24\"\n[port.c10]\nbridge = \"sw0\"\n\
               vlan = 10\nnetns = \"c10\"\naddress = \"10.10.0.9/24\"\n";
    let trunk = port("up", "vt", "trunks = [10]");
    let _daemon = Daemon::with(&world, &[LAB, ten, &trunk].concat());
    let raw = Raw::on(&far);
    let own = [10, 10, 0, 2].into();
    raw.ask(20, own, [10, 10, 0, 9].into());
    raw.ask(10, own, [10, 10, 0, 1].into());
    raw.ask(10, own, [10, 10, 0, 9].into());
    let answers = raw.answers_until([10, 10, 0, 9].into());
    assert_eq!(answers, [[10, 10, 0, 1].into(), std::net::Ipv4Addr::new(10, 10, 0, 9)]);
}

#[test]
fn a_device_that_is_deleted_and_made_anew_is_taken_up_again() {
    let Some(world) = world() else { return };
    let far = behind(&world, "vd", "10.1.0.50/16");
    let here = world.here();
    let daemon = Daemon::with(&world, &(LAB.to_owned() + &port("up", "vd", "")));
    let near = world.host("c1");
    for round in 0..2 {
        near.ping("10.1.0.50");
        if round == 1 {
            // A silent end: a device that is down says nothing when it goes.
            here.switch("vd", false);
        }
        here.delete("vd");
        let state = daemon.until_port("up", |state| state.starts_with("lost"));
        assert!(state.contains("vd") && state.contains("deleted"), "{state}");
        daemon.until_logged("port up is lost: device vd was deleted");
        near.ping("10.1.255.1");
        cable((&here, "vd", None), (&far, "eth0", Some("10.1.0.50/16")), 1500);
        daemon.until_port("up", |state| state == "up");
        daemon.until_logged("port up is back");
        assert_eq!(world.rows(&["port", "list"])[1]["ifindex"], here.link("vd").index);
        // Its far end has another MAC address, which the neighbours learn from its question.
        far.ping("10.1.0.1");
    }
    near.ping("10.1.0.50");
    tcp_both_ways((&near, "10.1.0.1"), (&far, "10.1.0.50"), WHOLE / 16);
}

#[test]
fn a_device_that_was_down_for_a_while_goes_on() {
    let Some(world) = world() else { return };
    let far = behind(&world, "vd", "10.1.0.50/16");
    let here = world.here();
    let daemon = Daemon::with(&world, &(LAB.to_owned() + &port("up", "vd", "")));
    let near = world.host("c1");
    for end in [&here, &far] {
        let device = if end.links().iter().any(|link| link.name == "vd") { "vd" } else { "eth0" };
        near.ping("10.1.0.50");
        end.switch(device, false);
        // Whatever is written meanwhile is lost, and no port with it.
        near.udp(0).send_to(b"?", "10.1.0.50:9").unwrap();
        near.ping("10.1.255.1");
        end.switch(device, true);
        wait::until("the cable to be on", || here.link("vd").running.then_some(()));
        near.ping_at_last("10.1.0.50");
        far.ping("10.1.0.1");
    }
    daemon.until_port("up", |state| state == "up");
    assert!(!daemon.has_logged("lost"));
    tcp_both_ways((&near, "10.1.0.1"), (&far, "10.1.0.50"), WHOLE / 16);
}

/// A container on a Linux bridge, which a TAP of ours or a veth pair joins to the switch.
#[test]
fn a_linux_bridge_is_joined_in_both_ways() {
    let Some(world) = world() else { return };
    let here = world.here();
    linux_bridge(&here, "docker0", "10.1.0.60/16");
    let container = behind(&world, "v0", "10.1.0.61/16");
    enslave(&here, "v0", "docker0");
    let by_tap = "[port.up]\nbridge = \"sw0\"\nhost = true\nmaster = \"docker0\"\n".to_owned();
    let daemon = Daemon::with(&world, &(LAB.to_owned() + &by_tap));
    let near = world.host("c1");
    let check = || {
        near.ping("10.1.0.60");
        here.ping("10.1.0.1");
        container.ping("10.1.0.1");
        tcp_both_ways((&near, "10.1.0.1"), (&container, "10.1.0.61"), WHOLE / 2);
        tcp_both_ways((&near, "10.1.0.1"), (&here, "10.1.0.60"), WHOLE / 4);
    };
    check();
    cable((&here, "sw_near", None), (&here, "sw_far", None), 1500);
    enslave(&here, "sw_far", "docker0");
    // One way at a time: both would be a loop.
    daemon.apply(LAB);
    daemon.apply(&(LAB.to_owned() + &port("up", "sw_near", "")));
    check();
    no_wrong_checksums(&[&near, &container, &here]);
}
