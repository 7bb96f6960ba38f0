//! The end of a daemon: what it takes along, what it leaves to others, and how long it takes,
//! whatever stands in line.

use std::fs;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use os::netns::{Netns, Place};

use crate::binary;
use crate::daemon::{Daemon, example};
use crate::host::Host;
use crate::http::SOCKET;
use crate::process::{Process, locate};
use crate::scenery::{Container, Found};
use crate::traffic::lab;
use crate::wait::{self, PATIENCE};
use crate::world::{World, skip, world};

#[test]
fn a_namespace_that_a_process_lives_in_stays_and_is_named() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &lab(true, 1500));
    let red = world.host("red");
    let container = Container::start(&red);
    let log = daemon.stop(Signal::SIGTERM).err;
    assert!(log.contains("namespace red stays"), "{log}");
    assert!(log.contains(&format!("process {} (cat) lives in it", container.id())), "{log}");
    assert!(log.contains("ip netns del red"), "{log}");
    assert_eq!(world.names(), ["red"]);
    assert_eq!(inode(&world, "red"), red.netns().inode());
}

#[test]
fn a_namespace_with_a_device_of_somebody_else_s_stays_and_is_named() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &lab(true, 1500));
    let theirs = Found::furnish(world.host("blue"), "theirs0");
    world.tapswitch(&["port", "del", "blue"]).ok();
    assert!(daemon.has_logged("device theirs0 in it is somebody else's"));
    let log = daemon.stop(Signal::SIGTERM).err;
    assert!(log.contains("namespace blue stays"), "{log}");
    assert_eq!(world.names(), ["blue"]);
    assert!(theirs.host.has_address("198.51.100.2"));
}

/// What lives in a namespace outlives an orderly restart as it does a `kill -9`.
#[test]
fn a_restart_in_order_costs_no_more_than_being_killed() {
    let Some(world) = world() else { return };
    for orderly in [true, false] {
        let daemon = Daemon::with(&world, &lab(true, 1500));
        let red = world.host("red");
        let _container = Container::start(&red);
        match orderly {
            true => drop(daemon.stop(Signal::SIGTERM)),
            false => drop(daemon),
        }
        let daemon = Daemon::with(&world, &lab(true, 1500));
        assert_eq!(inode(&world, "red"), red.netns().inode(), "the same one");
        red.ping("203.0.113.254");
        daemon.stop(Signal::SIGTERM);
        assert!(world.names().contains(&"red".to_owned()), "it was found, and is nobody's to take");
        world.run(|| os::netns::remove("red")).unwrap();
    }
}

#[test]
fn two_daemons_never_take_each_other_s_namespaces() {
    for first_to_end in [true, false] {
        let Some(world) = world() else { return };
        let maker = Daemon::with(&world, &lab(true, 1500));
        let second = "[bridge.b]\nrouter = \"10.9.0.1/24\"\n[port.p]\nbridge = \"b\"\nnetns = \"red\"\n\
                      device = \"eth9\"\naddress = \"10.9.0.2/24\"\n";
        let file = world.file(second);
        let mut run = Command::new(binary::path());
        let other = world.start(run.arg("run").arg(file).args(["--socket", "/run/second.sock"]));
        wait::until("ready", || (other.printed() == ["ready"]).then_some(()));
        let red = world.host("red");
        red.ping("10.9.0.1");
        if first_to_end {
            maker.stop(Signal::SIGTERM);
            assert_eq!(world.names(), ["red"]);
            red.ping("10.9.0.1");
            end(other);
            assert_eq!(world.names(), ["red"], "who has found it leaves it");
        } else {
            end(other);
            red.ping("203.0.113.254");
            maker.stop(Signal::SIGTERM);
            assert_eq!(world.names(), [""; 0], "who has made it takes it");
        }
    }
}

/// Also where all that the other daemon has there is the intention.
#[test]
fn a_namespace_that_another_daemon_has_marked_stays() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &lab(true, 1500));
    let other = world.run(|| {
        let netns = Netns::open(&Place::Name("red".into())).unwrap();
        assert!(netns.mark_used());
        netns
    });
    let log = daemon.stop(Signal::SIGTERM).err;
    assert!(log.contains("another daemon has it in its lab"), "{log}");
    assert_eq!(world.names(), ["red"]);
    drop(other);
}

#[test]
fn a_daemon_ends_at_once_however_many_changes_wait() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &lab(true, 1500));
    let text = fs::read_to_string(example("fifteen-containers.toml")).unwrap();
    let files = [world.file(text), world.file(lab(true, 1500))];
    let changes: Vec<Process> = (0..40)
        .map(|number| {
            let mut command = Command::new(binary::path());
            world.start(command.arg("apply").arg(&files[number % 2]))
        })
        .collect();
    wait::until("the first change", || (world.names().len() > 4).then_some(()));
    let start = Instant::now();
    daemon.stop(Signal::SIGTERM);
    let took = start.elapsed();
    assert!(took < PROMPT, "{took:?}");
    assert_eq!(world.names(), [""; 0]);
    let mut refused = 0;
    for change in changes {
        let said = change.finish(PATIENCE).err;
        assert!(said.is_empty() || is_told(&said), "{said}");
        refused += usize::from(said.contains("is ending and makes no more changes"));
    }
    assert!(refused > 0, "none of them was refused");
}

/// What a change that comes too late may meet.
fn is_told(said: &str) -> bool {
    let sentences = [
        "is ending and makes no more changes",
        "no tapswitch daemon answers",
        "ended before it answered",
    ];
    sentences.iter().any(|sentence| said.contains(sentence))
}

#[test]
fn a_signal_while_the_lab_is_made_gives_it_up() {
    let Some(world) = world() else { return };
    let ports =
        (1..=60).map(|number| format!("[port.p{number}]\nbridge = \"b\"\nnetns = \"n{number}\"\n"));
    let file = world.file(format!("[bridge.b]\n{}", ports.collect::<String>()));
    let process = world.start(Command::new(binary::path()).arg("run").arg(file));
    wait::until("the first namespace", || (!world.names().is_empty()).then_some(()));
    let start = Instant::now();
    process.signal(Signal::SIGTERM);
    let ended = process.finish(PATIENCE);
    assert!(ended.status.success(), "{}\n{}", ended.status, ended.err);
    assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
    assert_eq!(world.names(), [""; 0]);
    assert!(!world.run(|| fs::exists(SOCKET)).unwrap());
}

#[test]
fn sighup_applies_the_file_anew() {
    let Some(world) = world() else { return };
    let file = world.file(lab(true, 1500));
    let daemon = Daemon::run(&world, &file);
    world.tapswitch(&["port", "del", "blue"]).ok();
    daemon.signal(Signal::SIGHUP);
    daemon.until_logged("+ port blue");
    world.host("blue").ping("203.0.113.254");
    world.run(|| fs::write(&file, "[brigde.x]\n")).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.until_logged("unknown key");
    world.run(|| fs::write(&file, "")).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.until_logged("is not taken for the empty lab");
    world.run(|| fs::remove_file(&file)).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.until_logged("No such file");
    assert_eq!(world.rows(&["port", "list"]).len(), 4, "the lab stays as it was");
    world.host("blue").ping("203.0.113.254");
    daemon.stop(Signal::SIGTERM);
}

#[test]
fn sighup_without_a_file_is_a_sentence() {
    let Some(world) = world() else { return };
    let process = world.start(Command::new(binary::path()).arg("run"));
    wait::until("ready", || (process.printed() == ["ready"]).then_some(()));
    process.signal(Signal::SIGHUP);
    wait::until("a word", || {
        process.logged().iter().any(|line| line.contains("no lab file was given")).then_some(())
    });
    end(process);
}

/// script(1) is the terminal: with it goes the far end.
#[test]
fn closing_the_terminal_ends_in_order() {
    let Some(world) = world() else { return };
    let Some(script) = locate("script") else { return skip("there is no script") };
    let file = world.file(lab(true, 1500));
    let run = format!("{} run {}", binary::path().display(), file.display());
    let mut command = Command::new(script);
    let terminal = world.start(command.args(["-q", "-c", &run, "/dev/null"]));
    wait::until("ready", || terminal.printed().iter().any(|l| l.trim() == "ready").then_some(()));
    terminal.signal(Signal::SIGKILL);
    wait::until("the end of the lab", || world.names().is_empty().then_some(()));
    wait::until("the socket to go", || (!world.run(|| fs::exists(SOCKET)).unwrap()).then_some(()));
}

/// Under `ip netns exec` a daemon has mounts of its own, and says what comes of it.
#[test]
fn a_daemon_with_hidden_names_says_so_and_how_to_start_it() {
    let Some(world) = world() else { return };
    if locate("ip").is_none() {
        return skip("there is no ip");
    }
    // The first name makes the directory a shared mount, as on a machine that has names.
    let _host = world.run(|| Netns::create("host")).unwrap();
    let file = world.file(lab(true, 1500));
    let start = |words: &[&str]| {
        let mut command = Command::new(locate(words[0]).unwrap());
        let command = command.args(&words[1..]).arg(binary::path()).arg("run").arg(&file);
        let process = world.start(command);
        wait::until("ready", || (process.printed() == ["ready"]).then_some(()));
        process.signal(Signal::SIGTERM);
        process.finish(PATIENCE).err
    };
    let log = start(&["ip", "netns", "exec", "host"]);
    assert!(log.contains("seen by nobody else"), "{log}");
    assert!(log.contains("nsenter --net=/run/netns/host tapswitch run"), "{log}");
    if locate("nsenter").is_some() {
        let log = start(&["nsenter", "--net=/run/netns/host"]);
        assert!(!log.contains("seen by nobody else"), "{log}");
    }
}

/// A client that says nothing, and one that stops in the middle, take nothing of the two seconds.
#[test]
fn clients_that_have_stopped_hold_nothing_up() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &lab(true, 1500));
    let connect = || world.run(|| std::os::unix::net::UnixStream::connect(SOCKET)).unwrap();
    let (_silent, mut unfinished) = (connect(), connect());
    unfinished.write_all(b"PUT /v1/lab HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[").unwrap();
    let start = Instant::now();
    daemon.stop(Signal::SIGTERM);
    assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
}

fn end(process: Process) {
    process.signal(Signal::SIGTERM);
    let ended = process.finish(PATIENCE);
    assert!(ended.status.success(), "{}\n{}", ended.status, ended.err);
}

fn inode(world: &World, name: &str) -> u64 {
    let host: Host = world.host(name);
    host.netns().inode()
}

/// Two seconds are promised; a machine that is busy with other tests gets more.
const PROMPT: Duration = Duration::from_secs(5);
