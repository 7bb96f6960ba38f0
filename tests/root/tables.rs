//! What the daemon tells: flows, stations, neighbours, counters; as tables, as JSON, and over the
//! socket.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use crate::daemon::Daemon;
use crate::http::{self, SOCKET};
use crate::traffic::lab;
use crate::world::{World, world};

/// Connections of every kind: out by masquerade, in by a published port, and an echo.
fn talk(world: &World) -> impl Sized + use<> {
    let (red, blue, net) = (world.host("red"), world.host("blue"), world.host("net"));
    let (outside, inside) = (net.listen(443), red.listen(4000));
    let out = blue.connect("203.0.113.254:443".parse().unwrap(), &outside);
    let back = net.connect("203.0.113.1:4000".parse().unwrap(), &inside);
    let (near, far) = (blue.udp(5300), net.udp(53));
    near.send_to(b"?", "203.0.113.254:53").unwrap();
    far.recv_from(&mut [0; 4]).unwrap();
    red.ping("203.0.113.254");
    red.ping("192.168.0.3");
    (outside, inside, out, back)
}

#[test]
fn flows_are_listed_as_conntrack_lists_them() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    let _open = talk(&world);
    let listed = world.tapswitch(&["conntrack", "list"]).ok();
    let lines: Vec<&str> = listed.lines().collect();
    let line = |words: &[&str]| {
        let found = lines.iter().find(|line| words.iter().all(|word| line.contains(word)));
        *found.unwrap_or_else(|| panic!("no line with {words:?} in\n{listed}"))
    };
    lines.iter().for_each(|line| assert!(is_conntrack(line), "{line}"));
    let out = line(&["tcp      6 ", "ESTABLISHED src=192.168.0.3 dst=203.0.113.254"]);
    assert!(out.contains("dport=443 src=203.0.113.254 dst=203.0.113.1 sport=443"), "{out}");
    assert!(out.ends_with("[ASSURED] mark=0 use=1"), "{out}");
    let back = line(&["src=203.0.113.254 dst=203.0.113.1", "dport=4000 src=192.168.0.2"]);
    assert!(back.contains("dst=203.0.113.254 sport=4000"), "{back}");
    let asked = line(&["udp      17 ", "sport=5300 dport=53 [UNREPLIED] src=203.0.113.254"]);
    assert!(asked.contains("dst=203.0.113.1 sport=53 dport=5300"), "{asked}");
    line(&["icmp     1 ", "src=192.168.0.2 dst=203.0.113.254 type=8 code=0 id="]);

    let source = world.tapswitch(&["conntrack", "list", "--src-nat"]).ok();
    assert!(source.contains("src=192.168.0.3") && !source.contains("dport=4000"), "{source}");
    let destination = world.tapswitch(&["conntrack", "list", "--dst-nat"]).ok();
    assert!(destination.contains("dport=4000"), "{destination}");
    assert!(!destination.contains("src=192.168.0.3 "), "{destination}");
    let rows = world.rows(&["conntrack", "list"]);
    assert_eq!(rows.len(), lines.len());
    assert!(rows.iter().all(|row| is_conntrack(row["line"].as_str().unwrap())));
}

/// The layout of `conntrack -L`: protocol, its number, seconds, a state for TCP, and two tuples.
fn is_conntrack(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let mut next = || words.next().unwrap_or_default();
    let (name, number, seconds) = (next(), next(), next());
    let known = [("tcp", "6"), ("udp", "17"), ("icmp", "1")].contains(&(name, number));
    let counted = seconds.parse::<u32>().is_ok();
    let state = name != "tcp" || next().bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'_'));
    let keys: Vec<&str> = words.map(|word| word.split('=').next().unwrap_or_default()).collect();
    let keys: Vec<&str> = keys.into_iter().filter(|key| !key.starts_with('[')).collect();
    let tuple = match name {
        "icmp" => ["src", "dst", "type", "code", "id"].to_vec(),
        _ => ["src", "dst", "sport", "dport"].to_vec(),
    };
    let expected = [&tuple[..], &tuple, &["mark", "use"]].concat();
    known && counted && state && keys == expected && line.starts_with(&format!("{name:<8} "))
}

#[test]
fn a_flush_forgets_every_flow() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    let _open = talk(&world);
    assert!(!world.rows(&["conntrack", "list"]).is_empty());
    world.tapswitch(&["conntrack", "flush"]).ok();
    assert!(world.rows(&["conntrack", "list"]).is_empty());
    world.host("blue").ping("203.0.113.254");
    assert_eq!(world.rows(&["conntrack", "list"]).len(), 1);
}

/// As conntrack(8): the flows that every option fits, listed and ended, how many, and exit status 1
/// when there was none.
#[test]
fn flows_are_ended_by_what_they_are() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    let _open = talk(&world);
    let count = |asked: &[&str]| world.rows(&[&["conntrack", "list"], asked].concat()).len();
    let all = count(&[]);
    for (asked, expected) in [
        (&["-p", "udp", "-s", "192.168.0.0/24", "--dport", "53"][..], 1),
        (&["-p", "icmp", "-d", "203.0.113.254"], 1),
        (&["--rule", "203.0.113.1:4000/tcp"], 1),
        (&["--rule", "1"], all - 1),
        (&["--port", "wan"], all),
        (&["-s", "10.0.0.0/8"], 0),
        (&["-n", "-g"], 0),
    ] {
        assert_eq!(count(asked), expected, "{asked:?}");
    }
    let ended = world.tapswitch(&["conntrack", "del", "-p", "udp", "-s", "192.168.0.3"]);
    assert!(ended.ok().contains("udp      17 "));
    assert_eq!((count(&[]), count(&["-p", "udp"])), (all - 1, 0));
    let ended = world.json(&["conntrack", "del", "--rule", "203.0.113.1:4000"]);
    assert_eq!((&ended["ended"], count(&["-g"])), (&1.into(), 0));
    let again = world.tapswitch(&["conntrack", "del", "--rule", "203.0.113.1:4000"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(again.refusal().contains("0 flow entries have been deleted."));
    let nobody = world.tapswitch(&["conntrack", "del", "--port", "nobody"]);
    assert!(nobody.sentence().contains("there is no port and no tunnel \"nobody\""));
    let everything = world.tapswitch(&["conntrack", "del"]);
    assert_eq!(everything.status.code(), Some(2));
    assert_eq!(count(&[]), all - 2);
}

#[test]
fn stations_and_neighbours_are_those_that_spoke() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    let _open = talk(&world);
    let mac = |name: &str| world.host(name).link("eth0").mac.to_string();
    let stations = world.rows(&["fdb", "list"]);
    let table = world.tapswitch(&["fdb", "list"]).ok();
    for name in ["red", "blue"] {
        let row = stations.iter().find(|row| row["mac"] == mac(name)).unwrap();
        assert_eq!((&row["bridge"], &row["port"]), (&"br0".into(), &name.into()));
        assert_eq!(row["origin"], "learned");
        assert!(table.contains(&mac(name)), "{table}");
    }
    let neighbours = world.rows(&["neigh", "list"]);
    let table = world.tapswitch(&["neigh", "list"]).ok();
    for (name, address, on) in [("blue", "192.168.0.3", "br0"), ("net", "203.0.113.254", "wan")] {
        let row = neighbours.iter().find(|row| row["address"] == address).unwrap();
        assert_eq!((&row["mac"], &row["interface"]), (&mac(name).into(), &on.into()));
        assert!(table.contains(address) && table.contains(&mac(name)), "{table}");
    }
    // Somebody may speak between the two.
    let forgotten = (0..20).any(|_| {
        world.tapswitch(&["fdb", "flush"]).ok();
        world.rows(&["fdb", "list"]).iter().all(|row| row["origin"] != "learned")
    });
    assert!(forgotten, "{:?}", world.rows(&["fdb", "list"]));
    world.host("red").ping("192.168.0.3");
}

#[test]
fn every_drop_is_counted_by_reason_and_port() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    let _open = talk(&world);
    let red = world.host("red");
    red.probe("198.51.100.1".parse().unwrap(), 64, 8);
    red.probe("203.0.113.254".parse().unwrap(), 1, 8);
    let rows = world.rows(&["drops"]);
    let table = world.tapswitch(&["drops"]).ok();
    for reason in ["no-route", "ttl-expired"] {
        let is_it = |row: &&serde_json::Value| row["reason"] == reason && row["port"] == "red";
        let row = rows.iter().find(is_it).unwrap_or_else(|| panic!("no {reason}: {rows:?}"));
        assert_eq!(row["frames"], 1, "{row}");
        assert!(table.contains(reason), "{table}");
    }
    let stats = world.json(&["stats"]);
    let total = |name: &str| stats["totals"][name].as_u64().unwrap();
    let received: u64 = counted(&stats, "received_frames");
    assert!(received >= 20, "{stats}");
    assert!(counted(&stats, "sent_frames") >= 10, "{stats}");
    assert!(total("dropped") >= 2 && total("received") >= total("dropped"), "{stats}");
    let table = world.tapswitch(&["stats"]).ok();
    assert!(["red", "blue", "green", "wan"].iter().all(|port| table.contains(port)), "{table}");
}

fn counted(stats: &serde_json::Value, key: &str) -> u64 {
    let ports = stats["ports"].as_array().unwrap();
    ports.iter().map(|port| port[key].as_u64().unwrap()).sum()
}

#[test]
fn every_listing_is_also_json_and_fits_a_screen() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    let _open = talk(&world);
    let listings: [&[&str]; 10] = [
        &["bridge", "list"],
        &["port", "list"],
        &["route", "list"],
        &["masquerade", "list"],
        &["publish", "list"],
        &["fdb", "list"],
        &["neigh", "list"],
        &["conntrack", "list"],
        &["stats"],
        &["drops"],
    ];
    for listing in listings {
        world.json(listing);
        let table = world.tapswitch(listing).ok();
        assert!(!table.is_empty(), "{listing:?}");
    }
    let show = world.json(&["show"]);
    assert_eq!(show["ports"].as_array().unwrap().len(), 4);
    let tree = world.tapswitch(&["show"]).ok();
    for name in ["br0", "br1", "red", "blue", "green", "wan"] {
        assert!(tree.contains(name), "{tree}");
    }
}

#[test]
fn the_socket_speaks_http_to_root_alone() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let daemon = Daemon::with(&world, &text);
    let found = world.run(|| std::fs::metadata(SOCKET)).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o7777, 0o600);
    let (status, version) = http::json(&world, "GET /v1/version", b"");
    assert_eq!((status, &version["pid"]), (200, &daemon.id().into()));
    let (status, changes) = http::json(&world, "PUT /v1/lab", text.as_bytes());
    assert_eq!((status, changes.to_string()), (200, "{\"changes\":[]}".into()));
    let (status, written) = http::request(&world, "GET /v1/lab?format=toml", b"");
    assert_eq!(status, 200);
    assert_eq!(daemon.apply(&written), "no changes\n", "what it writes is what it runs");
    for (head, body, expected) in [
        ("GET /v1/nothing", "", 404),
        ("DELETE /v1/version", "", 405),
        ("GET /v1/ports/nobody", "", 404),
        ("DELETE /v1/bridges/br0", "", 409),
        ("POST /v1/ports/x", "{", 400),
        ("PUT /v1/lab", "[bridge.br0]\nruoter = 1\n", 400),
        ("GET /v1/fdb?bridgge=br0", "", 400),
    ] {
        let (status, answer) = http::json(&world, head, body.as_bytes());
        let sentence = answer["error"].as_str().unwrap_or_else(|| panic!("{head}: {answer}"));
        assert_eq!(status, expected, "{head}: {sentence}");
        assert!(sentence.len() > 10, "{head}: {sentence}");
    }
    assert_eq!(daemon.apply(&text), "no changes\n");
}

#[test]
fn a_request_of_ten_megabytes_is_refused_and_the_daemon_goes_on() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let daemon = Daemon::with(&world, &text);
    let body = vec![b'#'; 10 << 20];
    for head in ["PUT /v1/lab", "POST /v1/ports/x"] {
        let (status, answer) = http::json(&world, head, &body);
        let sentence = answer["error"].as_str().unwrap().to_owned();
        assert_eq!(status, 413, "{sentence}");
        assert!(sentence.contains("larger than"), "{sentence}");
    }
    let said = world.tapswitch_on(&["apply"], &world.file(&body)).sentence();
    assert!(said.contains("limit") || said.contains("larger than"), "{said}");
    assert_eq!(daemon.apply(&text), "no changes\n");
    world.host("red").ping("203.0.113.254");
}
