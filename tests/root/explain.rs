//! `tapswitch explain` as a command: beside a running daemon, which must not notice, and its exit
//! codes.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use etherparse::PacketBuilder;
use packet::Mac;
use serde_json::Value;

use crate::binary;
use crate::daemon::Daemon;
use crate::raw::Raw;
use crate::traffic::lab;
use crate::wait;
use crate::world::{World, world};

/// A ping from red, with an identifier, to the router's address on its bridge, in hexadecimal
/// digits.
fn ping(world: &World, to: [u8; 4], identifier: u16) -> Vec<u8> {
    let bridges = world.rows(&["bridge", "list"]);
    let bridge = bridges.iter().find(|row| row["name"] == "br0").unwrap();
    let router: Mac = bridge["mac"].as_str().unwrap().parse().unwrap();
    let red = world.host("red").link("eth0").mac;
    let builder = PacketBuilder::ethernet2(red.0, router.0).ipv4([192, 168, 0, 2], to, 64);
    let mut bytes = Vec::new();
    builder.icmpv4_echo_request(identifier, 1).write(&mut bytes, &[7; 32]).unwrap();
    bytes
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The story of a frame from red, as JSON.
fn story(world: &World, frame: &[u8]) -> Value {
    let finished =
        world.tapswitch(&["explain", "--in", "red", "--frame", &digits(frame), "--json"]);
    let stories: Value = serde_json::from_str(&finished.out).unwrap();
    let passes = stories[0]["verdict"]["passes"].as_bool().unwrap();
    assert_eq!(finished.status.code(), Some(i32::from(!passes)), "{}", finished.err);
    assert_eq!(finished.err, "", "the verdict has been told");
    stories[0].clone()
}

/// Everything that a frame could change, less what time alone changes.
fn tables(world: &World) -> String {
    let timeless = |rows: Vec<Value>, keys: &[&str]| {
        let row = |row: &Value| keys.iter().map(|key| row[*key].to_string()).collect::<String>();
        rows.iter().map(row).collect::<Vec<_>>().join("\n")
    };
    let flows = world.rows(&["conntrack", "list"]).into_iter().map(|row| {
        let line = row["line"].as_str().unwrap().to_owned();
        line[line.find("src=").unwrap()..].to_owned()
    });
    [
        flows.collect::<Vec<_>>().join("\n"),
        timeless(world.rows(&["fdb", "list"]), &["mac", "port", "vlan", "origin"]),
        timeless(world.rows(&["neigh", "list"]), &["address", "mac"]),
        timeless(world.rows(&["bridge", "list"]), &["learned", "moved"]),
        world.json(&["stats"])["totals"].to_string(),
        world.json(&["drops"]).to_string(),
    ]
    .join("\n")
}

#[test]
fn a_daemon_does_not_notice_questions() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    world.host("red").ping("203.0.113.254");
    let frames = [ping(&world, [203, 0, 113, 254], 77), ping(&world, [198, 51, 100, 1], 78)];
    // Hosts speak of their own accord for a while: some time they are silent around two questions.
    wait::until("questions to leave everything as it was", || {
        let before = tables(&world);
        let stories = frames.each_ref().map(|frame| story(&world, frame));
        assert_eq!(stories[0]["verdict"]["fate"], "sent", "{}", stories[0]);
        assert_eq!(stories[1]["verdict"]["reason"], "no-route", "{}", stories[1]);
        (tables(&world) == before).then_some(())
    });
}

#[test]
fn what_is_told_is_what_then_happens() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    world.host("red").ping("203.0.113.254");
    let red = Raw::on(&world.host("red"));

    let out = ping(&world, [203, 0, 113, 254], 4711);
    let told = story(&world, &out);
    assert_eq!(told["verdict"]["fate"], "sent", "{told}");
    let step = &told["steps"][6]["facts"][0];
    assert_eq!(step["result"], "new", "{step}");
    let flow = step["flow"].as_str().unwrap().split(" src=203").next().unwrap();
    let flow = flow[flow.find("src=").unwrap()..].replace(" [UNREPLIED]", "");
    red.send(&out);
    wait::until("the flow that was told", || {
        let rows = world.rows(&["conntrack", "list"]);
        let is_it = |row: &Value| row["line"].as_str().unwrap().contains(&flow);
        rows.iter().any(is_it).then_some(())
    });
    let again = story(&world, &out);
    assert_eq!(again["steps"][6]["facts"][0]["result"], "flow", "{again}");

    let lost = ping(&world, [198, 51, 100, 1], 4712);
    let told = story(&world, &lost);
    let reason = told["verdict"]["reason"].as_str().unwrap().to_owned();
    let dropped = || {
        let rows = world.rows(&["drops"]);
        let row = rows.iter().find(|row| row["port"] == "red" && row["reason"] == *reason);
        row.map_or(0, |row| row["frames"].as_u64().unwrap())
    };
    assert_eq!((reason.as_str(), dropped()), ("no-route", 0));
    red.send(&lost);
    wait::until("the drop that was told", || (dropped() == 1).then_some(()));
    let text = world.tapswitch(&["explain", "--in", "red", "--frame", &digits(&lost)]);
    assert_eq!(text.status.code(), Some(1));
    assert!(text.out.contains("`tapswitch route add 198.51.100.1"), "{}", text.out);
    assert!(text.out.lines().all(|line| line.chars().count() <= 80), "{}", text.out);
}

/// `tapswitch explain` in the project's examples, with something on standard input.
fn explain(arguments: &[&str], input: &str) -> Output {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    let mut command = Command::new(binary::path());
    command.arg("explain").args(arguments).current_dir(examples);
    let pipes = [Stdio::piped(), Stdio::piped(), Stdio::piped()];
    let [stdin, stdout, stderr] = pipes;
    let mut child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
    // A command that refuses its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn a_lab_file_is_asked_without_root() {
    let broadcast = "ff:ff:ff:ff:ff:ff 02:00:00:00:00:01 88:b5\n0x00 0x01";
    let told = explain(&["--lab", "demo.toml", "--in", "red", "--frame", "@-"], broadcast);
    let text = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(0), "{text}");
    for line in [
        "16 bytes on red",
        "4 decide        broadcast: flood",
        "verdict         passes: it leaves on blue",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn what_cannot_be_told_is_exit_code_2_and_a_sentence() {
    let demo = ["--lab", "demo.toml", "--in"];
    for (arguments, sentence) in [
        (["red", "--frame", "abc"].as_slice(), "half a byte"),
        (&["red", "--frame", "zz"], "'z' at character 1"),
        (&["red", "--frame", "@-"], "there is no frame to explain"),
        (&["grey", "--frame", "00"], "the lab has no port `grey`"),
        (&["red@192.0.2.1", "--frame", "00"], "`red` is a port"),
        (&["red", "--pcap", "nowhere.pcap"], "nowhere.pcap: No such file"),
        (&["red", "--pcap", "demo.toml:3"], "demo.toml is not a capture"),
        (&["red", "--pcap", "demo.toml:0"], "frames are counted from 1"),
    ] {
        let told = explain(&[&demo, arguments].concat(), "");
        let said = String::from_utf8_lossy(&told.stderr);
        assert_eq!(told.status.code(), Some(2), "{said}");
        assert!(said.contains(sentence) && said.lines().count() == 1, "{said}");
        assert!(told.stdout.is_empty());
    }
    let told = explain(&["--in", "red", "--frame", "00", "--socket", "/nonexistent/socket"], "");
    let said = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(2), "{said}");
    assert!(said.contains("no tapswitch daemon answers at /nonexistent/socket"), "{said}");
    let told = explain(&["--lab", "nowhere.toml", "--in", "red", "--frame", "00"], "");
    assert_eq!(told.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&told.stderr).starts_with("nowhere.toml: No such file"));
}
