//! `tapswitch compare ovs` as a command: its exit codes, and what it leaves behind. What it finds
//! is tested beside it, in `daemon/tests/compare.rs`.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{binary, wait};

fn compare(arguments: &[&str]) -> Output {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/compare");
    let mut command = Command::new(binary::path());
    command.args(["compare", "ovs"]).args(arguments).current_dir(examples);
    command.output().unwrap()
}

#[test]
fn equal_switches_are_exit_code_0() {
    let output = compare(&["--scenario", "vlans.toml"]);
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(2) && said.contains("openvswitch-switch") {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{said}");
        eprintln!("skipped: {said}");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.trim_end().ends_with("equal"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("access (static)"), "{text}");
}

#[test]
fn no_comparison_is_exit_code_2_and_a_sentence() {
    for (arguments, sentence) in [
        (["--scenario", "nothing.toml"].as_slice(), "nothing.toml: "),
        (&["--pcap", "vlans.toml", "--in", "nowhere"], "no port is called \"nowhere\""),
        (&["--pcap", "vlans.toml", "--in", "a"], "vlans.toml is not a capture"),
        (&["--seed", "1", "--scenario", "vlans.toml"], "cannot be used with"),
    ] {
        let output = compare(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(sentence), "{said}");
    }
}

/// A comparison that takes as long as it is let; nothing where Open vSwitch is not installed.
fn endless() -> Option<Child> {
    if !["/usr/sbin/ovs-vswitchd", "/usr/local/sbin/ovs-vswitchd"]
        .iter()
        .any(|p| Path::new(p).exists())
    {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no openvswitch-switch");
        eprintln!("skipped: no openvswitch-switch");
        return None;
    }
    let mut command = Command::new(binary::path());
    command.args(["compare", "ovs", "--seeds", "1000000", "--frames", "20"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    Some(command.spawn().unwrap())
}

/// The processes that a comparison has started: they name its directory.
fn daemons(comparison: u32) -> Vec<(Pid, String)> {
    let mark = format!("/tapswitch-compare-{comparison}-");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let all = processes.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        (pid as u32 != comparison && words.contains(&mark)).then_some((Pid::from_raw(pid), words))
    });
    all.collect()
}

fn directories(comparison: u32) -> usize {
    let mark = format!("tapswitch-compare-{comparison}-");
    let entries = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&mark)).count()
}

/// What is waited for, and whether it has come for a comparison.
type Moment = (&'static str, fn(u32) -> bool);

#[test]
fn no_daemon_outlives_a_comparison_that_is_killed() {
    let moments: [Moment; 6] = [
        ("at once", |_| true),
        ("once it has a directory", |pid| directories(pid) > 0),
        ("while the database is made", |pid| has(pid, "ovsdb-tool")),
        ("with the database alone", |pid| has(pid, "ovsdb-server")),
        ("with both daemons", |pid| has(pid, "ovs-vswitchd")),
        ("while a port is added", |pid| has(pid, "ovs-vsctl") && has(pid, "ovs-vswitchd")),
    ];
    for (moment, has_come) in moments {
        let Some(mut comparison) = endless() else { return };
        let pid = comparison.id();
        // A short one may come and go unseen: then it is the next moment.
        wait::until(moment, || (has_come(pid) || has(pid, "ovs-vswitchd")).then_some(()));
        comparison.kill().unwrap();
        comparison.wait().unwrap();
        wait::until("the end of every daemon", || daemons(pid).is_empty().then_some(()));
        let next = compare(&["--scenario", "vlans.toml"]);
        assert_eq!(next.status.code(), Some(0), "{}", String::from_utf8_lossy(&next.stderr));
        assert_eq!(directories(pid), 0, "the next comparison removes what was left");
    }
}

#[test]
fn a_daemon_that_is_killed_ends_the_comparison_with_a_sentence() {
    for daemon in ["ovs-vswitchd", "ovsdb-server"] {
        let Some(comparison) = endless() else { return };
        let pid = comparison.id();
        wait::until("both daemons", || has(pid, "ovs-vsctl").then_some(()));
        let (victim, _) = daemons(pid).into_iter().find(|(_, words)| is(words, daemon)).unwrap();
        kill(victim, Signal::SIGKILL).unwrap();
        let output = comparison.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("`{daemon}` failed: it has ended")), "{said}");
        assert!(daemons(pid).is_empty());
        assert_eq!(directories(pid), 0);
    }
}

fn has(comparison: u32, program: &str) -> bool {
    daemons(comparison).iter().any(|(_, words)| is(words, program))
}

fn is(words: &str, program: &str) -> bool {
    words.split(' ').next().is_some_and(|first| first.ends_with(program))
}
