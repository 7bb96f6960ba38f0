//! `tapswitch demo --two-hosts`: it tells and proves the tutorial, and leaves nothing, however it
//! ends.

use std::fs;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use os::netns::Netns;

use crate::binary;
use crate::process::{Finished, Process};
use crate::wait::{self, PATIENCE};
use crate::world::{World, world};

#[test]
fn the_demo_of_two_hosts_proves_itself_once() {
    let Some(world) = world() else { return };
    let before = world.here().state();
    let told = world.tapswitch(&["demo", "--two-hosts", "--once"]).ok();
    for line in [
        "64 bytes from 10.2.0.2: icmp_seq=3 ttl=63 ",
        "64 bytes from 10.2.0.10: icmp_seq=3 ttl=63 ",
        "64 bytes from 10.100.0.2: icmp_seq=3 ttl=64 ",
        "c2 answers at 10.2.0.2:8080 and echoes: hello from c1",
        "d1 answers at 10.1.0.10:8080 and echoes: hello from d2",
        " > 192.168.10.164.4789: VXLAN, flags [I] (0x08), vni 42",
        "c2 answers: you are 10.1.0.2:",
        "internet1 answers: you are 203.0.113.1:",
        "internet2 answers: you are 198.51.100.1:",
        "vx0     sw0      42  4789  -      192.168.10.164  1450  -     up",
        "64 bytes from 192.168.20.164: icmp_seq=3 ttl=63 ",
        "64 bytes from 10.5.0.3: icmp_seq=3 ttl=64 ",
        "10.5.0.3 dev eth0 lladdr 02:",
    ] {
        assert!(told.contains(line), "no `{line}` in\n{told}");
    }
    assert!(!told.contains("FAILED"), "{told}");
    assert!(told.is_ascii(), "{told}");
    let long: Vec<&str> = told.lines().filter(|line| line.len() > 80).collect();
    assert_eq!(long, [""; 0]);
    nothing_is_left(&world, &before);
}

#[test]
fn the_demo_of_two_hosts_stays_until_it_is_interrupted() {
    let Some(world) = world() else { return };
    let before = world.here().state();
    let demo = start(&world);
    wait::until("the end of its story", || has_told(&demo, "Ctrl-C").then_some(()));
    world.host("s1").ping("10.5.0.3");
    let ports = world.rows(&["port", "list", "--socket", "/run/tapswitch/demo.hosts/host2.sock"]);
    assert_eq!(ports[0]["name"], "s2");
    demo.signal(Signal::SIGINT);
    demo.finish(PATIENCE).ok();
    nothing_is_left(&world, &before);
}

#[test]
fn an_early_end_of_the_demo_of_two_hosts_leaves_nothing_either() {
    let Some(world) = world() else { return };
    let before = world.here().state();
    // In the middle of building, and in the middle of proving.
    for moment in ["docker0 on host1", "docker0 on host2", "each host runs", "c1 on host1"] {
        let demo = start(&world);
        wait::until(moment, || has_told(&demo, moment).then_some(()));
        demo.signal(Signal::SIGTERM);
        let Finished { status, err, .. } = demo.finish(PATIENCE);
        assert_eq!(status.code(), Some(1), "{err}");
        assert!(err.contains("interrupted"), "{err}");
        nothing_is_left(&world, &before);
    }
}

#[test]
fn a_daemon_that_dies_ends_the_demo_of_two_hosts() {
    let Some(world) = world() else { return };
    let before = world.here().state();
    let demo = start(&world);
    wait::until("the end of its story", || has_told(&demo, "Ctrl-C").then_some(()));
    let socket = "/run/tapswitch/demo.hosts/host2.sock";
    let version = world.json(&["version", "--socket", socket]);
    let pid = version["daemon"]["pid"].as_i64().unwrap();
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGTERM).unwrap();
    let Finished { status, err, .. } = demo.finish(PATIENCE);
    assert_eq!(status.code(), Some(1), "{err}");
    assert!(err.contains("the daemon of host2 has ended"), "{err}");
    nothing_is_left(&world, &before);
}

/// The kernel asks them all to end at once, and they take their labs away. What the demo itself has
/// made stays, and a host that its own daemon still lived in when the one that made it ended.
#[test]
fn no_daemon_outlives_a_demo_of_two_hosts_that_is_killed() {
    let Some(world) = world() else { return };
    for moment in ["two hosts on one network", "each host runs", "Ctrl-C"] {
        let demo = start(&world);
        wait::until(moment, || has_told(&demo, moment).then_some(()));
        demo.signal(Signal::SIGKILL);
        demo.finish(PATIENCE);
        let is_left = || {
            let mut processes = fs::read_dir("/proc").unwrap().flatten();
            processes.any(|entry| {
                let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&words).contains("/run/tapswitch/demo")
            })
        };
        wait::until("the end of every daemon", || (!is_left()).then_some(()));
        for name in world.names() {
            let may_stay = ["d1", "d2", "host1", "host2"].contains(&name.as_str());
            assert!(may_stay, "{name} stays after {moment}");
            world.run(|| os::netns::remove(&name)).unwrap();
        }
        world.run(|| fs::remove_dir_all("/run/tapswitch/demo.hosts")).unwrap();
    }
}

#[test]
fn the_demo_of_two_hosts_takes_nobody_s_namespace() {
    let Some(world) = world() else { return };
    for name in ["host1", "d2", "s1"] {
        world.run(|| Netns::create(name)).unwrap();
        let said = world.tapswitch(&["demo", "--two-hosts", "--once"]).sentence();
        assert!(said.contains(&format!("a namespace \"{name}\" already")), "{said}");
        assert_eq!(world.names(), [name]);
        world.run(|| os::netns::remove(name)).unwrap();
    }
}

fn start(world: &World) -> Process {
    world.start(Command::new(binary::path()).args(["demo", "--two-hosts"]))
}

fn has_told(demo: &Process, text: &str) -> bool {
    demo.printed().iter().any(|line| line.contains(text))
}

#[track_caller]
fn nothing_is_left(world: &World, before: &str) {
    assert_eq!(world.names(), [""; 0]);
    assert_eq!(world.here().state(), before);
    assert!(!world.run(|| fs::exists("/run/tapswitch")).unwrap());
}
