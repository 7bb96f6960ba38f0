//! The beginning and the end: `ready`, signals, one daemon at a time, the demo.

use std::fs;
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::binary;
use crate::daemon::{Daemon, example};
use crate::http::SOCKET;
use crate::process::Process;
use crate::traffic::lab;
use crate::wait;
use crate::world::{World, world};

#[test]
fn a_signal_ends_it_and_nothing_is_left() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let Some(world) = world() else { return };
        let before = world.here().state();
        let host = "[port.sw0]\nbridge = \"br0\"\nhost = true\naddress = \"192.168.0.9/24\"\n";
        let daemon = Daemon::with(&world, &format!("{}{host}", lab(true, 1500)));
        world.host("red").ping("203.0.113.254");
        assert_eq!(world.names().len(), 4);
        daemon.stop(signal);
        assert_eq!(world.names(), [""; 0]);
        assert_eq!(world.here().state(), before);
        assert!(!world.run(|| fs::exists(SOCKET)).unwrap());
        assert!(!world.run(|| fs::exists("/run/tapswitch")).unwrap());
    }
}

/// A signal that comes while the lab is being brought up is answered when that is done.
#[test]
fn an_early_signal_leaves_nothing_either() {
    let Some(world) = world() else { return };
    let fifteen = example("fifteen-containers.toml");
    let process = world.start(Command::new(binary::path()).arg("run").arg(fifteen));
    wait::until("the first namespace", || (!world.names().is_empty()).then_some(()));
    process.signal(Signal::SIGTERM);
    let finished = process.finish(wait::PATIENCE);
    assert!(finished.status.success(), "{}\n{}", finished.status, finished.err);
    assert_eq!(world.names(), [""; 0]);
    assert!(!world.run(|| fs::exists(SOCKET)).unwrap());
}

#[test]
fn nothing_that_others_do_holds_up_the_end() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &lab(true, 1500));
    let connect = || world.run(|| UnixStream::connect(SOCKET)).unwrap();
    // One client says nothing, one stops in the middle of a head, one in the middle of a body.
    let (_silent, mut headless, mut unfinished) = (connect(), connect(), connect());
    headless.write_all(b"GET /v1/show HT").unwrap();
    unfinished.write_all(b"PUT /v1/lab HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[").unwrap();
    // And somebody takes a namespace and a device away.
    world.run(|| os::netns::remove("blue")).unwrap();
    world.host("green").delete("eth0");
    let start = Instant::now();
    daemon.stop(Signal::SIGTERM);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let daemon = Daemon::with(&world, &text);
    let said = world.tapswitch_on(&["run"], &example("fifteen-containers.toml")).refusal();
    assert!(said.contains(SOCKET) && said.contains("already"), "{said}");
    assert_eq!(world.names().len(), 4);
    assert_eq!(daemon.apply(&text), "no changes\n");
    world.host("red").ping("192.168.0.3");
}

#[test]
fn a_daemon_that_was_killed_leaves_room_for_the_next() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let first = Daemon::with(&world, &text);
    drop(first);
    assert!(world.run(|| fs::exists(SOCKET)).unwrap(), "nobody was there to remove it");
    let daemon = Daemon::with(&world, &text);
    world.host("red").ping("203.0.113.254");
    assert_eq!(daemon.apply(&text), "no changes\n");
}

#[test]
fn commands_without_a_daemon_say_where_it_should_be() {
    let Some(world) = world() else { return };
    let said = world.tapswitch(&["port", "list"]).sentence();
    assert!(said.contains(SOCKET) && said.contains("tapswitch run"), "{said}");
    // A socket that nobody listens on any more is no daemon either.
    world.run(|| {
        fs::create_dir("/run/tapswitch").unwrap();
        drop(UnixListener::bind(SOCKET).unwrap());
    });
    let said = world.tapswitch(&["show"]).sentence();
    assert!(said.contains(SOCKET), "{said}");
}

#[test]
fn the_daemon_runs_without_a_lab_and_takes_one_later() {
    let Some(world) = world() else { return };
    let process = world.start(Command::new(binary::path()).arg("run"));
    wait::until("ready", || (process.printed() == ["ready"]).then_some(()));
    assert!(world.rows(&["port", "list"]).is_empty());
    world.tapswitch_on(&["apply"], &example("two-namespaces.toml")).ok();
    world.host("red").ping("203.0.113.254");
    process.signal(Signal::SIGINT);
    assert!(process.finish(wait::PATIENCE).status.success());
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn another_socket_is_another_daemon() {
    let Some(world) = world() else { return };
    let _first = Daemon::with(&world, &lab(true, 1500));
    let socket = ["--socket", "/run/second.sock"];
    let second = world.start(Command::new(binary::path()).arg("run").args(socket));
    wait::until("ready", || (second.printed() == ["ready"]).then_some(()));
    let list = world.tapswitch(&["port", "list", "--json", "--socket", "/run/second.sock"]).ok();
    assert_eq!(list.trim(), "[]");
    assert_eq!(world.rows(&["port", "list"]).len(), 4);
}

#[test]
fn the_demo_proves_itself_once() {
    let Some(world) = world() else { return };
    let finished = world.tapswitch(&["demo", "--once"]);
    let told = finished.ok();
    for word in ["red", "blue", "192.168.0.1", "203.0.113.254", "8080"] {
        assert!(told.contains(word), "no {word} in\n{told}");
    }
    assert!(told.contains("src=192.168.0."), "no flow in\n{told}");
    assert!(told.lines().count() > 8, "{told}");
    assert!(told.is_ascii(), "{told}");
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn the_demo_stays_until_it_is_interrupted() {
    let Some(world) = world() else { return };
    let demo = world.start(Command::new(binary::path()).arg("demo"));
    let names = |world: &World| world.names().into_iter().find(|name| name.ends_with("red"));
    wait::until("the lab", || names(&world));
    // It is done with its steps when it has told the flows, and then stays.
    wait::until("the end of its story", || told_all(&demo).then_some(()));
    let red = world.host(&names(&world).expect("it stays up"));
    red.ping("192.168.0.3");
    demo.signal(Signal::SIGINT);
    let finished = demo.finish(wait::PATIENCE);
    assert!(finished.status.success(), "{}\n{}", finished.status, finished.err);
    assert_eq!(world.names(), [""; 0]);
}

fn told_all(demo: &Process) -> bool {
    demo.printed().iter().any(|line| line.contains("Ctrl-C"))
}
