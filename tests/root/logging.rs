//! A log that nobody reads, or that cannot be written: the daemon goes on, answers, and ends when
//! it is told to.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::binary;
use crate::host::Host;
use crate::process::Process;
use crate::traffic::lab;
use crate::wait::{self, PATIENCE};
use crate::world::{World, world};

/// Where the log goes in these tests.
const LOG: &str = "/run/log";

#[test]
fn a_log_on_a_full_disk_ends_nothing() {
    let Some(world) = world() else { return };
    let daemon = start(&world, "/dev/full");
    lives_on(&world, daemon);
}

#[test]
fn a_log_without_a_descriptor_ends_nothing() {
    let Some(world) = world() else { return };
    let daemon = start(&world, "&-");
    lives_on(&world, daemon);
}

#[test]
fn a_log_whose_reader_has_gone_ends_nothing_and_the_next_reader_is_told() {
    let Some(world) = world() else { return };
    world.run(|| mkfifo(LOG, Mode::S_IRUSR | Mode::S_IWUSR)).unwrap();
    let reader = world.run(|| open(OpenOptions::new().read(true)));
    let daemon = start(&world, LOG);
    drop(reader);
    lose_a_port(&world);
    lose_a_port(&world);
    let mut reader = world.run(|| open(OpenOptions::new().read(true)));
    wait::until("the lost lines to be told of", || {
        contains(&mut reader, "could not be written here and are lost").then_some(())
    });
    lives_on(&world, daemon);
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let Some(world) = world() else { return };
    world.run(|| mkfifo(LOG, Mode::S_IRUSR | Mode::S_IWUSR)).unwrap();
    let _reader = world.run(|| open(OpenOptions::new().read(true)));
    let mut writer = world.run(|| open(OpenOptions::new().write(true)));
    while writer.write(&[b'.'; 4096]).is_ok() {}
    let daemon = start(&world, LOG);
    lives_on(&world, daemon);
}

/// Standard output too may have a reader that has stopped: only `ready` is lost.
#[test]
fn output_that_nobody_reads_holds_nothing_up() {
    let Some(world) = world() else { return };
    world.run(|| mkfifo(LOG, Mode::S_IRUSR | Mode::S_IWUSR)).unwrap();
    let _reader = world.run(|| open(OpenOptions::new().read(true)));
    let mut writer = world.run(|| open(OpenOptions::new().write(true)));
    while writer.write(&[b'.'; 4096]).is_ok() {}
    let file = world.file(lab(true, 1500));
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("exec \"$0\" --json run \"$1\" >{LOG} 2>{LOG}"));
    let daemon = world.start(shell.arg(binary::path()).arg(file));
    wait::until("the lab", || (world.names().len() == 4).then_some(()));
    lives_on(&world, daemon);
}

/// A failure is told with its exit status, wherever standard error goes.
#[test]
fn an_exit_status_does_not_depend_on_who_hears_the_sentence() {
    let Some(world) = world() else { return };
    let file = world.file("[brigde.a]\n");
    for (verb, code) in [("check", 2), ("run", 2), ("apply", 2)] {
        for out in ["/dev/full", "&-"] {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("exec \"$0\" {verb} \"$1\" 2>{out}"));
            let ended = world.start(shell.arg(binary::path()).arg(&file)).finish(PATIENCE);
            assert_eq!(ended.status.code(), Some(code), "{verb} 2>{out}");
        }
    }
}

fn start(world: &World, log: &str) -> Process {
    let file = world.file(lab(true, 1500));
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("exec \"$0\" run \"$1\" 2>{log}"));
    let daemon = world.start(shell.arg(binary::path()).arg(file));
    wait::until("ready", || (daemon.printed() == ["ready"]).then_some(()));
    daemon
}

/// It carries frames, answers, logs, and ends in order.
fn lives_on(world: &World, mut daemon: Process) {
    let red = world.host("red");
    lose_a_port(world);
    lose_a_port(world);
    assert_eq!(daemon.status(), None);
    assert_eq!(world.rows(&["port", "list"]).len(), 4);
    red.ping("203.0.113.254");
    daemon.signal(Signal::SIGTERM);
    let ended = daemon.finish(PATIENCE);
    assert!(ended.status.success(), "{}", ended.status);
    assert_eq!(world.names(), [""; 0]);
}

/// Has the daemon log something, and puts it right again.
fn lose_a_port(world: &World) {
    let blue: Host = world.host("blue");
    blue.delete("eth0");
    let state = |wanted: &str| {
        wait::until(wanted, || {
            let rows = world.rows(&["port", "list"]);
            let row = rows.iter().find(|row| row["name"] == "blue")?;
            row["state"].as_str()?.starts_with(wanted).then_some(())
        });
    };
    state("lost");
    world.tapswitch_on(&["apply"], &world.file(lab(true, 1500))).ok();
    state("up");
}

/// Opens the pipe as both of its ends can be opened when nobody has the other one.
fn open(options: &mut OpenOptions) -> File {
    let flags = libc::O_NONBLOCK;
    options.custom_flags(flags).open(LOG).unwrap_or_else(|error| panic!("{LOG}: {error}"))
}

fn contains(reader: &mut File, text: &str) -> bool {
    let mut read = String::new();
    match reader.read_to_string(&mut read) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => panic!("{error}"),
        Ok(_) | Err(_) => read.contains(text),
    }
}
