//! `tapswitch record` of a daemon under load, and its replay: the same counters and tables, or a
//! sentence.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use os::netns::Netns;
use serde_json::Value;

use crate::daemon::Daemon;
use crate::host::Host;
use crate::traffic::lab;
use crate::transfer::{self, WHOLE};
use crate::wait;
use crate::world::{World, world};

const FILE: &str = "/run/load.record";

/// What a listing of a record says as of a moment.
fn as_of(world: &World, time: &str, view: &str) -> Value {
    world.json(&["replay", FILE, "--at", time, view])
}

/// Ages that a listing tells in whole seconds: between the question to the daemon and the record's
/// end one may pass.
fn without_ages(mut rows: Value) -> Value {
    for row in rows.as_array_mut().into_iter().flatten() {
        if let Some(age) = row.get_mut("age") {
            *age = Value::Null;
        }
        if let Some(line) = row.get("line").and_then(Value::as_str) {
            // The third word is the time that is left.
            let words = line.split_whitespace().enumerate().filter(|(at, _)| *at != 2);
            row["line"] = words.map(|(_, word)| word).collect();
        }
    }
    rows
}

/// Transfers masqueraded and bridged, both ways, at the same time.
fn load(world: &World, ports: std::ops::Range<u16>) {
    let (red, blue, net) = (world.host("red"), world.host("blue"), world.host("net"));
    thread::scope(|scope| {
        for port in ports {
            let (outside, inside) = (net.listen(port), blue.listen(port));
            let out = red.connect(format!("203.0.113.254:{port}").parse().unwrap(), &outside);
            let over = red.connect(format!("192.168.0.3:{port}").parse().unwrap(), &inside);
            scope.spawn(|| transfer::tcp(out, WHOLE / 32));
            scope.spawn(|| transfer::tcp(over, WHOLE / 32));
        }
    });
}

/// What the daemon tells of what traffic moves.
fn listings(world: &World) -> [Value; 4] {
    [
        world.json(&["stats"]),
        world.json(&["drops"]),
        without_ages(world.json(&["fdb", "list"])),
        without_ages(world.json(&["conntrack", "list"])),
    ]
}

/// The same once two in a row agree: hosts' kernels end connections and announce themselves for a
/// while.
fn listings_when_silent(world: &World) -> [Value; 4] {
    let mut last = listings(world);
    wait::until("the hosts to be silent", || {
        let told = listings(world);
        let agrees = last == told;
        last = told;
        agrees.then(|| last.clone())
    })
}

/// A namespace that is there ahead of its port, and whose kernel speaks only when it is spoken to.
fn silent(world: &World, name: &str) {
    let netns = world.run(|| Netns::create(name)).unwrap();
    Host::new(name, netns).speak_ipv4_only();
}

/// Records a load, in the middle of which `port` is added; what the daemon told around the record's
/// end. `None` when a frame came in just then: a host's kernel speaks when it likes.
fn recorded(world: &World, port: &str, first: u16) -> Option<[Value; 4]> {
    silent(world, port);
    world.tapswitch(&["record", "start", FILE, "--force"]).ok();
    load(world, first..first + 2);
    world.tapswitch(&["port", "add", port, "--bridge", "br0", "--netns", port]).ok();
    load(world, first + 2..first + 3);
    let before = listings_when_silent(world);
    let stopped = world.json(&["record", "stop"]);
    assert_eq!(
        (&stopped["state"], &stopped["why"]),
        (&"finished".into(), &"it was stopped".into())
    );
    let bytes = stopped["bytes"].as_u64().unwrap();
    assert_eq!(world.run(|| fs::metadata(FILE).unwrap().len()), bytes);
    println!("{} entries, {bytes} bytes", stopped["entries"]);
    (listings(world) == before).then_some(before)
}

/// A replay of a record made under load equals the live run's counters.
#[test]
fn a_record_made_under_load_gives_the_live_counters_again() {
    let Some(world) = world() else { return };
    ["red", "blue", "green", "net"].iter().for_each(|name| silent(&world, name));
    let daemon = Daemon::with(&world, &format!("[switch]\nworkers = 2\n{}", lab(true, 1500)));
    // The switch is not new when the record begins.
    load(&world, 6000..6001);
    let mut attempts = (1..=5).filter_map(|number| {
        recorded(&world, &format!("late{number}"), 6000 + 100 * number).map(|told| (number, told))
    });
    let (number, [stats, drops, fdb, conntrack]) = attempts.next().expect("a quiet moment");

    let summary = world.json(&["replay", FILE, "--write", "/run/first"]);
    assert_eq!(summary["record"]["equal"], true, "{}", summary["record"]);
    // How its workers polled is the machine's affair.
    for part in ["ports", "totals"] {
        assert_eq!(summary["stats"][part], stats[part]);
    }
    assert_eq!(summary["drops"], drops);
    assert_eq!(without_ages(summary["fdb"].clone()), fdb);
    assert_eq!(without_ages(summary["conntrack"].clone()), conntrack);
    assert!(!conntrack.as_array().unwrap().is_empty());

    world.json(&["replay", FILE, "--write", "/run/second"]);
    world.run(|| {
        let mut files = 0;
        for entry in fs::read_dir("/run/first").unwrap() {
            let name = entry.unwrap().file_name();
            let read = |dir: &str| fs::read(Path::new(dir).join(&name)).unwrap();
            assert!(read("/run/first") == read("/run/second"), "{name:?}");
            files += 1;
        }
        assert!(files >= 3, "{files} files");
    });

    // In the beginning nobody had spoken to the ports of later transfers, and the late port was not
    // there.
    let early = as_of(&world, "0s", "conntrack").to_string();
    let later = format!("dport={}", 6000 + 100 * number);
    assert!(early.contains("dport=6000") && !early.contains(&later), "{early}");
    assert!(conntrack.to_string().contains(&later));
    let late = format!("netns late{number}");
    assert!(!as_of(&world, "0s", "show").to_string().contains(&late));
    assert!(world.json(&["show"]).to_string().contains(&late));
    daemon.stop(Signal::SIGTERM);
}

/// Whatever ends a record, what is in the file is good, and the daemon goes on.
#[test]
fn a_record_ends_in_order_with_its_daemon_its_limits_and_its_disk() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &lab(true, 1500));
    world.tapswitch(&["record", "start", FILE, "--max-size", "2M"]).ok();
    load(&world, 6000..6001);
    let status = world.json(&["record", "status"]);
    assert_eq!(status["state"], "finished", "{status}");
    assert!(status["bytes"].as_u64().unwrap() <= 2 << 20, "{status}");
    assert_eq!(world.json(&["replay", FILE])["record"]["equal"], true);
    daemon.until_logged("is finished: the file would take more than 2097152 bytes");
    let again = world.tapswitch(&["record", "start", FILE]);
    assert!(again.err.contains("--force replaces it"), "{}", again.err);

    // The world's /run holds 64 MB; six are left.
    world.run(|| fs::write("/run/filler", vec![1; 58 << 20]).unwrap());
    world.tapswitch(&["record", "start", FILE, "--force", "--max-size", "1G"]).ok();
    load(&world, 6000..6003);
    wait::until("the disk to be full", || {
        (world.json(&["record", "status"])["state"] == "broken-off").then_some(())
    });
    world.run(|| fs::remove_file("/run/filler").unwrap());
    daemon.until_logged("No space left on device");
    let cut = world.tapswitch(&["replay", FILE]);
    assert_eq!(cut.status.code(), Some(2));
    assert!(cut.err.contains("breaks off behind"), "{}", cut.err);
    assert!(cut.out.contains(" received = "), "{}", cut.out);

    world.tapswitch(&["record", "start", FILE, "--force"]).ok();
    world.host("red").ping("192.168.0.3");
    daemon.stop(Signal::SIGTERM);
    let summary = world.json(&["replay", FILE]);
    assert_eq!(summary["record"]["ended"], "the daemon ended");
    assert_eq!(summary["record"]["equal"], true);
}

/// What cannot be begun is a failure at once, and takes nothing away.
#[test]
fn a_record_that_cannot_begin_is_refused_and_leaves_all_as_it_was() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &lab(true, 1500));
    world.run(|| {
        fs::write("/run/target", "kept").unwrap();
        symlink("/run/target", "/run/link").unwrap();
        mkfifo("/run/fifo", Mode::S_IRWXU).unwrap();
    });
    for (file, kind) in [
        ("/dev/null", "a device"),
        ("/dev/full", "a device"),
        ("/run/fifo", "a FIFO"),
        ("/run/link", "a symbolic link"),
        ("/run", "a directory"),
        ("/run/tapswitch/control.sock", "a socket"),
    ] {
        let kinds = |path: &str| world.run(|| fs::symlink_metadata(path).unwrap().file_type());
        let before = kinds(file);
        for force in [&["--force"][..], &[]] {
            let said = world.tapswitch(&[&["record", "start", file], force].concat()).sentence();
            let expected =
                format!("tapswitch: {file} is {kind}, and only an ordinary file is replaced");
            assert_eq!(said, expected);
        }
        assert_eq!(kinds(file), before, "{file}");
    }
    assert_eq!(world.run(|| fs::read_to_string("/run/target").unwrap()), "kept");

    // Nothing is left of the 64 MB that the world's /run holds.
    world.run(|| {
        let mut filler = File::create("/run/filler").unwrap();
        while filler.write_all(&[1; 4096]).is_ok() {}
    });
    let said = world.tapswitch(&["record", "start", FILE]).sentence();
    assert!(said.starts_with(&format!("tapswitch: {FILE} cannot be written: No space")), "{said}");
    assert!(world.run(|| !Path::new(FILE).exists()), "half a record stays");
    assert_eq!(world.json(&["record", "status"])["state"], "broken-off");
    world.run(|| fs::remove_file("/run/filler").unwrap());
    world.tapswitch(&["record", "start", FILE]).ok();
    world.tapswitch(&["record", "stop"]).ok();
    assert_eq!(world.json(&["replay", FILE])["record"]["equal"], true);
    daemon.stop(Signal::SIGTERM);
}
