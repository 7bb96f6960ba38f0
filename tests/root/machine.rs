//! A machine that does not play along: names that are taken, things that vanish, rights and drivers
//! that are missing.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;

use crate::binary;
use crate::daemon::Daemon;
use crate::process::Finished;
use crate::scenery::Found;
use crate::traffic::lab;
use crate::wait::PATIENCE;
use crate::world::{World, world};

#[test]
fn a_namespace_that_vanishes_is_a_lost_port_and_the_rest_goes_on() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let daemon = Daemon::with(&world, &text);
    let red = world.host("red");
    red.ping("192.168.0.3");
    world.run(|| os::netns::remove("blue")).unwrap();
    let state = daemon.until_port("blue", |state| state.starts_with("lost"));
    assert!(state.contains("vanished"), "{state}");
    red.ping("203.0.113.254");
    red.ping("10.1.0.2");
    assert!(daemon.has_logged("port blue is lost"));
    let plan = daemon.apply_file(&["--dry-run"], &world.file(&text));
    assert!(plan.contains("port blue again"), "{plan}");
    assert_eq!(daemon.apply(&text), plan);
    assert_eq!(daemon.apply(&text), "no changes\n");
    red.ping("192.168.0.3");
    world.host("blue").ping("203.0.113.254");
    daemon.stop(Signal::SIGTERM);
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn a_device_that_is_deleted_is_a_lost_port_and_the_rest_goes_on() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let daemon = Daemon::with(&world, &text);
    let (red, blue) = (world.host("red"), world.host("blue"));
    for _ in 0..2 {
        red.ping("192.168.0.3");
        blue.delete("eth0");
        let state = daemon.until_port("blue", |state| state.starts_with("lost"));
        assert!(state.contains("eth0") && state.contains("deleted"), "{state}");
        red.ping("203.0.113.254");
        let plan = daemon.apply(&text);
        assert!(plan.contains("port blue again"), "{plan}");
        blue.ping("203.0.113.254");
    }
    daemon.stop(Signal::SIGTERM);
    assert_eq!(world.names(), [""; 0]);
}

/// A port without offload is read by other means, and its end is noticed all the same.
#[test]
fn a_plain_device_that_is_deleted_is_a_lost_port_too() {
    let Some(world) = world() else { return };
    let text = lab(false, 1500);
    let daemon = Daemon::with(&world, &text);
    world.host("net").delete("eth0");
    daemon.until_port("wan", |state| state.starts_with("lost"));
    world.host("red").ping("10.1.0.2");
    daemon.apply(&text);
    world.host("red").ping("203.0.113.254");
}

#[test]
fn a_lost_port_can_be_taken_out_of_the_lab() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &lab(true, 1500));
    world.host("blue").delete("eth0");
    daemon.until_port("blue", |state| state.starts_with("lost"));
    world.tapswitch(&["port", "del", "blue"]).ok();
    assert_eq!(world.rows(&["port", "list"]).len(), 3);
    assert_eq!(world.names(), ["green", "net", "red"], "what was made for it goes with it");
    world.host("red").ping("203.0.113.254");
}

#[test]
fn a_device_name_that_is_taken_is_refused_and_the_lab_stays() {
    let Some(world) = world() else { return };
    let taken = Found::named(&world, "taken", "eth0");
    let before = taken.host.state();
    let more = "[port.aa]\nbridge = \"br0\"\nnetns = \"aa\"\naddress = \"192.168.0.8/24\"\n\
                [port.late]\nbridge = \"br0\"\nnetns = \"taken\"\naddress = \"192.168.0.9/24\"\n";
    let text = lab(true, 1500);
    let wrong = world.file([&*text, more].concat());
    let said = world.tapswitch_on(&["run", "--strict"], &wrong).refusal();
    assert!(said.contains("port late") && said.contains("`eth0` already"), "{said}");
    assert_eq!(world.names(), ["taken"], "what was made ahead of it is gone");
    assert_eq!(taken.host.state(), before);

    let daemon = Daemon::with(&world, &text);
    let lab_before = daemon.lab();
    let said = world.tapswitch_on(&["apply", "--strict"], &wrong).sentence();
    assert!(said.contains("port late") && said.contains("`eth0` already"), "{said}");
    assert_eq!(daemon.lab(), lab_before);
    assert_eq!(world.names(), ["blue", "green", "net", "red", "taken"]);
    assert_eq!(taken.host.state(), before);
    assert_eq!(daemon.apply(&text), "no changes\n");
    world.host("red").ping("203.0.113.254");
}

/// What was altered in place ahead of the failure is put back.
#[test]
fn a_change_that_fails_halfway_is_undone() {
    let Some(world) = world() else { return };
    let _taken = Found::named(&world, "taken", "eth0");
    let text = lab(true, 1500);
    let daemon = Daemon::with(&world, &text);
    let before = (daemon.lab(), world.host("blue").state(), world.host("red").state());
    let late = "[port.zz]\nbridge = \"br0\"\nnetns = \"taken\"\naddress = \"192.168.0.9/24\"\n";
    let changed = text.replace("192.168.0.3/24", "192.168.0.33/24").replacen(
        "netns = \"red\"",
        "netns = \"red\"\nmac = \"02:00:00:00:00:99\"",
        1,
    );
    let said = world
        .tapswitch_on(&["apply", "--strict"], &world.file([&*changed, late].concat()))
        .sentence();
    assert!(said.contains("port zz"), "{said}");
    let after = (daemon.lab(), world.host("blue").state(), world.host("red").state());
    assert_eq!(after, before);
    world.host("red").ping("192.168.0.3");
}

#[test]
fn without_root_it_says_so() {
    let Some(world) = world() else { return };
    let file = world.file(lab(true, 1500));
    let said = as_nobody(&world, "run", &file).sentence();
    assert!(said.contains("root") && said.contains("sudo"), "{said}");
    assert_eq!(world.names(), [""; 0]);
    // Nor does a running lab listen to others.
    let daemon = Daemon::with(&world, &lab(true, 1500));
    let said = as_nobody(&world, "apply", &file).sentence();
    assert!(said.contains("control.sock"), "{said}");
    assert!(said.contains("root") || said.contains("ermission"), "{said}");
    assert_eq!(daemon.apply(&lab(true, 1500)), "no changes\n");
}

#[test]
fn without_the_driver_it_says_so() {
    let Some(world) = world() else { return };
    let file = world.file(lab(true, 1500));
    world.hide("/dev/net");
    let said = world.tapswitch_on(&["run"], &file).sentence();
    assert!(said.contains("/dev/net/tun") && said.contains("modprobe tun"), "{said}");
    assert_eq!(world.names(), [""; 0]);
    world.run(|| fs::write("/dev/net/tun", "")).unwrap();
    let said = world.tapswitch_on(&["run", "--strict"], &file).refusal();
    assert!(said.contains("/dev/net/tun") || said.contains("device"), "{said}");
    assert_eq!(world.names(), [""; 0]);
}

/// `tapswitch COMMAND FILE` by a user without rights, wherever the binary is.
pub(crate) fn as_nobody(world: &World, command: &str, file: &Path) -> Finished {
    const SEEN_BY_ALL: &str = "/run/tapswitch-under-test";
    world.run(|| {
        if !fs::exists(SEEN_BY_ALL).unwrap() {
            fs::write(SEEN_BY_ALL, "").unwrap();
            let target = Path::new(SEEN_BY_ALL);
            let flags = MsFlags::MS_BIND;
            mount(Some(binary::path()), target, None::<&str>, flags, None::<&str>).unwrap();
        }
    });
    let mut nobody = Command::new(SEEN_BY_ALL);
    nobody.arg(command).arg(file).uid(65_534).gid(65_534);
    world.start(&mut nobody).finish(PATIENCE)
}
