//! A changed lab file changes what differs, and nothing else.

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::Signal;

use crate::daemon::{Daemon, example};
use crate::http;
use crate::traffic::lab;
use crate::wait;
use crate::world::{World, world};

/// A connection that must live through everything.
struct Flow(TcpStream, TcpStream);

impl Flow {
    fn open(world: &World) -> Self {
        let listener = world.host("net").listen(443);
        let to = "203.0.113.254:443".parse().unwrap();
        let (near, far) = world.host("red").connect(to, &listener);
        Self(near, far)
    }

    fn goes_on(&mut self) {
        let mut heard = [0; 4];
        self.0.write_all(b"ping").unwrap();
        self.1.read_exact(&mut heard).unwrap();
        self.1.write_all(&heard).unwrap();
        self.0.read_exact(&mut heard).unwrap();
    }
}

#[test]
fn the_same_file_twice_changes_nothing() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let daemon = Daemon::with(&world, &text);
    let mut flow = Flow::open(&world);
    let before = daemon.lab();
    for _ in 0..2 {
        assert_eq!(daemon.apply(&text), "no changes\n");
    }
    let file = world.file(&text);
    assert_eq!(daemon.apply_file(&["--dry-run"], &file), "no changes\n");
    assert_eq!(daemon.lab(), before);
    flow.goes_on();
}

#[test]
fn a_dry_run_tells_the_plan_and_changes_nothing() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let daemon = Daemon::with(&world, &text);
    let before = daemon.lab();
    let changed = text.replace("192.168.0.3/24", "192.168.0.33/24");
    let plan = daemon.apply_file(&["--dry-run"], &world.file(&changed));
    let moves = "~ port blue: address 192.168.0.3/24 -> 192.168.0.33/24, mac 02:";
    assert!(plan.starts_with(moves) && plan.lines().count() == 1, "{plan}");
    assert_eq!(daemon.lab(), before);
    world.host("red").ping("192.168.0.3");
    assert_eq!(daemon.apply(&changed), plan);
    world.host("red").ping("192.168.0.33");
}

/// The MAC addresses of bridges and ports.
fn macs(world: &World) -> Vec<String> {
    let rows = [["bridge", "list"], ["port", "list"]].map(|listing| world.rows(&listing));
    rows.concat().iter().map(|row| format!("{} {}", row["name"], row["mac"])).collect()
}

/// Two hosts that are set up by command do not have one router MAC, and a restart changes none.
#[test]
fn a_lab_that_came_step_by_step_has_the_mac_addresses_of_its_file() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, "[switch]\nworkers = 1\n");
    let steps: [&[&str]; 6] = [
        &["bridge", "add", "br0"],
        &["port", "add", "red", "--bridge", "br0", "--netns", "red"],
        &["port", "add", "wan", "--router", "203.0.113.1/24", "--netns", "net"],
        &["bridge", "set", "br0", "--router", "192.168.0.1/24"],
        &["port", "set", "red", "--address", "192.168.0.2/24"],
        &["port", "set", "wan", "--router", "198.51.100.1/24"],
    ];
    for step in steps {
        world.tapswitch(step).ok();
    }
    let (file, live) = (world.tapswitch(&["show", "--toml"]).ok(), macs(&world));
    let red = world.host("red").link("eth0").mac;
    assert!(live.contains(&format!("\"red\" \"{red}\"")), "{live:?}");
    daemon.stop(Signal::SIGTERM);
    let _again = Daemon::with(&world, &file);
    assert_eq!(macs(&world), live);
}

#[test]
fn only_what_differs_is_touched() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let daemon = Daemon::with(&world, &text);
    let mut flow = Flow::open(&world);
    let kept = ["red", "net"].map(|name| world.host(name));
    let before = kept.each_ref().map(|host| host.state());
    let gone =
        text.replace("[port.blue]\nbridge", "[port.teal]\nbridge").replace("\"blue\"", "\"teal\"");
    let steps: [(&str, String); 6] = [
        ("a port goes and another comes", gone.clone()),
        ("a bridge comes", format!("{gone}[bridge.br9]\nrouter = \"10.9.0.1/24\"\n")),
        ("a published port comes", {
            let listen = "listen = \"203.0.113.1:81\"\nto = \"10.1.0.2:80\"\n";
            format!("{gone}[[publish]]\n{listen}")
        }),
        ("a route comes", {
            format!("{gone}[[route]]\nto = \"default\"\nvia = \"203.0.113.254\"\n")
        }),
        ("another masquerade comes first", {
            let rule = "[[masquerade]]\nsource = \"10.1.0.0/24\"\nout = \"wan\"\n\n[[masquerade]]";
            gone.replacen("[[masquerade]]", rule, 1)
        }),
        ("all of it goes", text.clone()),
    ];
    for (what, lab) in steps {
        let plan = daemon.apply(&lab);
        assert!(!plan.contains("port red") && !plan.contains("port wan"), "{what}:\n{plan}");
        flow.goes_on();
        assert_eq!(kept.each_ref().map(|host| host.state()), before, "{what}");
        assert_eq!(daemon.apply(&lab), "no changes\n", "{what}");
    }
    assert_eq!(world.names(), ["blue", "green", "net", "red"]);
}

#[test]
fn a_port_changes_its_mtu_and_mac_in_place() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let daemon = Daemon::with(&world, &text);
    let mut flow = Flow::open(&world);
    let before = world.host("blue").link("eth0");
    let changed = text.replacen(
        "netns = \"blue\"",
        "netns = \"blue\"\nmac = \"02:00:00:00:00:77\"\nisolated = true",
        1,
    );
    daemon.apply(&changed);
    let after = world.host("blue").link("eth0");
    assert_eq!((after.index, after.mac.to_string()), (before.index, "02:00:00:00:00:77".into()));
    // Red has the old address in its cache; what it hears from blue is news.
    world.host("blue").ping("192.168.0.2");
    world.host("blue").ping("203.0.113.254");
    flow.goes_on();
}

#[test]
fn verbs_add_and_delete_as_a_file_would() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let daemon = Daemon::with(&world, &text);
    let mut flow = Flow::open(&world);
    let run = |arguments: &[&str]| world.tapswitch(arguments).ok();
    run(&["bridge", "add", "br9", "--router", "10.9.0.1/24"]);
    run(&["port", "add", "desk", "--bridge", "br9", "--netns", "desk", "--address", "10.9.0.2/24"]);
    world.host("desk").ping("10.9.0.1");
    run(&["masquerade", "add", "--source", "10.9.0.0/24", "--out", "wan"]);
    world.host("desk").ping("203.0.113.254");
    run(&["publish", "add", "203.0.113.1:9980", "--to", "10.9.0.2:80"]);
    let listener = world.host("desk").listen(80);
    world.host("net").connect("203.0.113.1:9980".parse().unwrap(), &listener);
    run(&["route", "add", "198.51.100.0/24", "--via", "203.0.113.254"]);
    let routes = run(&["route", "list"]);
    assert!(routes.contains("198.51.100.0/24"), "{routes}");
    run(&["route", "del", "198.51.100.0/24"]);
    run(&["publish", "del", "203.0.113.1:9980"]);
    run(&["port", "del", "desk"]);
    run(&["masquerade", "del", "--source", "10.9.0.0/24", "--out", "wan"]);
    run(&["bridge", "del", "br9"]);
    assert_eq!(daemon.apply(&text), "no changes\n", "nothing of it is left");
    let said = world.tapswitch(&["bridge", "del", "br0"]).sentence();
    assert!(said.contains("br0") && said.contains("red"), "{said}");
    let said = world.tapswitch(&["port", "del", "nobody"]).sentence();
    assert!(said.contains("nobody"), "{said}");
    flow.goes_on();
}

/// Somebody presses Ctrl-C while the lab is being changed: half a change would be worse than
/// either.
#[test]
fn a_change_is_finished_though_its_asker_has_gone() {
    let Some(world) = world() else { return };
    let empty = world.file("empty = true\n");
    let daemon = Daemon::run(&world, &empty);
    let fifteen = std::fs::read(example("fifteen-containers.toml")).unwrap();
    for _ in 0..3 {
        let asker = http::ask(&world, "PUT /v1/lab", &fifteen);
        wait::until("the first namespace", || (!world.names().is_empty()).then_some(()));
        drop(asker);
        wait::until("the last container", || {
            let ports = world.rows(&["port", "list"]);
            (ports.len() == 15).then_some(())
        });
        world.host("c1").ping("10.15.0.25");
        daemon.apply_file(&[], &empty);
        assert_eq!(world.names(), [""; 0]);
    }
}
