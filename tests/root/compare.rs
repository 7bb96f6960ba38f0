//! `tapswitch compare ovs` as a command: its exit codes, and what it leaves behind. What it finds is tested beside it,
//! in `daemon/tests/compare.rs`.

use std::process::{Command, Output};

use crate::binary;

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
        (&["--pcap", "vlans.toml", "--in", "a"], "vlans.toml: this is no pcap file"),
        (&["--seed", "1", "--scenario", "vlans.toml"], "cannot be used with"),
    ] {
        let output = compare(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(sentence), "{said}");
    }
}
