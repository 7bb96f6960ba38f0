//! Lab files that are wrong: one sentence with line and column, and the running lab is left as it
//! was.

use std::path::Path;

use crate::daemon::Daemon;
use crate::world::{World, world};

/// What runs meanwhile, and the head of every wrong file: fifteen lines.
const LAB: &str = r#"[bridge.br0]
router = "192.168.0.1/24"
[port.red]
bridge = "br0"
netns = "red"
address = "192.168.0.2/24"
[port.blue]
bridge = "br0"
netns = "blue"
address = "192.168.0.3/24"
[port.wan]
router = "203.0.113.1/24"
netns = "net"
address = "203.0.113.254/24"
gateway = false
"#;

/// What is written behind it, the line and column of the mistake, and words of the sentence.
const WRONG: &[(&str, &str, &[&str])] = &[
    ("[port.x]\nbrigde = \"br0\"\nnetns = \"x\"", "17:1", &["brigde", "bridge"]),
    ("[brigde.br1]", "16:2", &["brigde", "bridge"]),
    (
        "[bridge.br1]\nrouter = \"192.168.0.129/25\"",
        "17:10",
        &["bridge \"br1\"", "192.168.0.128/25", "overlaps", "br0"],
    ),
    ("[port.x]\nnetns = \"x\"", "16:7", &["port \"x\"", "on no bridge"]),
    ("[port.x]\nbridge = \"br7\"\nnetns = \"x\"", "17:10", &["port \"x\"", "br7"]),
    (
        "[port.x]\nbridge = \"br0\"\nnetns = \"x\"\naddress = \"10.0.0.2/24\"\n\
         gateway = \"192.168.0.1\"",
        "20:11",
        &["port \"x\"", "outside", "10.0.0.0/24"],
    ),
    ("[port.red]\nbridge = \"br0\"\nnetns = \"x\"", "16:7", &["red"]),
    ("[port.br0]\nbridge = \"br0\"\nnetns = \"x\"", "16:7", &["port \"br0\"", "bridge"]),
    (
        "[port.x]\nbridge = \"br0\"\nnetns = \"x\"\naddress = \"192.168.0.2/24\"",
        "19:11",
        &["port \"x\"", "192.168.0.2", "\"red\""],
    ),
    (
        "[port.x]\nbridge = \"br0\"\nnetns = \"x\"\nmac = \"02:00:00:00:00:05\"\n\
         [port.y]\nbridge = \"br0\"\nnetns = \"y\"\nmac = \"02:00:00:00:00:05\"",
        "23:7",
        &["port \"y\"", "02:00:00:00:00:05", "\"x\""],
    ),
    (
        "[[masquerade]]\nsource = \"192.168.0.0/24\"\nout = \"uplink\"",
        "18:7",
        &["masquerade 1", "uplink"],
    ),
    (
        "[port.x]\nbridge = \"br0\"\nnetns = \"x\"\nvlan = 0",
        "19:8",
        &["port \"x\"", "`vlan` is 0", "1 to 4094"],
    ),
    (
        "[port.x]\nbridge = \"br0\"\nnetns = \"x\"\nvlan = 4095",
        "19:8",
        &["port \"x\"", "4095", "1 to 4094"],
    ),
    (
        "[port.x]\nbridge = \"br0\"\nnetns = \"x\"\ndevice = \"a-device-of-16by\"",
        "19:10",
        &["port \"x\"", "longer than 15 bytes"],
    ),
    (
        "[port.x]\nbridge = \"br0\"\nnetns = \"x\"\npid = 7",
        "16:7",
        &["port \"x\"", "`netns`", "`pid`"],
    ),
    ("[port.x]\nbridge = br0", "17:10", &[]),
    ("[port.x", "16:8", &[]),
];

#[test]
fn a_wrong_file_is_one_sentence_and_changes_nothing() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, LAB);
    let before = daemon.lab();
    for (behind, position, words) in WRONG {
        refused(&world, format!("{LAB}{behind}\n").as_bytes(), position, words);
    }
    // And a file that is no text.
    let latin = [LAB.as_bytes(), b"# caf\xe9\n"].concat();
    refused(&world, &latin, "16:6", &["UTF-8"]);
    assert_eq!(daemon.lab(), before);
    assert_eq!(daemon.apply(LAB), "no changes\n");
    assert_eq!(world.names(), ["blue", "net", "red"]);
    world.host("red").ping("192.168.0.3");
    assert!(!daemon.has_logged("panicked"));
}

/// By every command that reads a lab file.
fn refused(world: &World, content: &[u8], position: &str, words: &[&str]) {
    let file = world.file(content);
    let text = String::from_utf8_lossy(content);
    for command in ["check", "apply", "run"] {
        let said = world.tapswitch_on(&[command], &file).sentence();
        let head = format!("{}:{position}: ", file.display());
        assert!(said.contains(&head), "{command} does not say {head}but\n{said}\nof\n{text}");
        for word in words {
            assert!(said.contains(word), "{command} says no {word}, but\n{said}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, LAB);
    for command in ["check", "apply", "run"] {
        let said = world.tapswitch_on(&[command], Path::new("/run/nowhere.toml")).sentence();
        assert!(said.contains("/run/nowhere.toml"), "{said}");
    }
    assert_eq!(daemon.apply(LAB), "no changes\n");
}

#[test]
fn a_file_that_says_nothing_takes_nothing_away() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, LAB);
    let before = daemon.lab();
    let (blank, settings) = (world.file("# a comment\n\n"), world.file("[switch]\nflows = 900\n"));
    for file in [Path::new("/dev/null"), &blank] {
        for command in ["check", "apply", "run", "apply --dry-run"] {
            let arguments: Vec<&str> = command.split(' ').collect();
            let finished = world.tapswitch_on(&arguments, file);
            assert_eq!(finished.status.code(), Some(2), "{command}");
            let said = finished.sentence();
            assert!(said.contains(":1:1: nothing is written here"), "{said}");
        }
    }
    let said = world.tapswitch_on(&["apply"], &settings).sentence();
    assert!(said.contains("the running lab has 1 bridge, 3 ports, and"), "{said}");
    assert_eq!(world.tapswitch(&["apply"]).status.code(), Some(2), "a file, or --empty");
    world.tapswitch(&["apply", "--empty", "--dry-run"]).ok();
    assert_eq!(daemon.lab(), before);
    let plan = world.tapswitch(&["apply", "--empty"]).ok();
    assert_eq!(plan.lines().count(), 4, "{plan}");
    assert_eq!(world.names(), [""; 0]);
    assert_eq!(world.tapswitch(&["show", "--toml"]).ok(), "empty = true\n");
}

#[test]
fn every_mistake_of_a_file_is_told_at_once() {
    let Some(world) = world() else { return };
    let file = world.file(format!("{LAB}[port.x]\nbridge = \"br7\"\nnetns = \"x\"\nvlan = 0\n"));
    let said = world.tapswitch_on(&["check"], &file).refusal();
    assert!(said.contains(":17:10: ") && said.contains(":19:8: "), "{said}");
}

#[test]
fn a_good_file_passes_the_check_without_root_or_daemon() {
    let Some(world) = world() else { return };
    for name in
        ["single-namespace", "two-namespaces", "docker-bridge", "fifteen-containers", "vlans"]
    {
        let path = crate::daemon::example(&format!("{name}.toml"));
        let text = std::fs::read(path).unwrap();
        let finished = crate::machine::as_nobody(&world, "check", &world.file(text));
        finished.ok();
    }
    assert_eq!(world.names(), [""; 0]);
}
