//! Tunnels by the command: added, changed, listed, and what is told of them.

use crate::daemon::Daemon;
use crate::host::Host;
use crate::interfaces::LAB;
use crate::two_hosts::until_dropped;
use crate::underlay::{cable, lab, pair, three};
use crate::world::{World, world};

#[test]
fn a_tunnel_is_added_changed_and_deleted_while_the_lab_runs() {
    let Some(worlds) = pair(1500) else { return };
    let daemon = Daemon::with(&worlds[0], LAB);
    let _far = Daemon::with(&worlds[1], &lab(2, &[1], ""));
    let run = |words: &str| worlds[0].tapswitch(&words.split(' ').collect::<Vec<_>>()).ok();
    let c1 = worlds[0].host("c1");
    assert_eq!(c1.link("eth0").mtu, 1500);
    for _ in 0..2 {
        run("tunnel add vx0 --bridge sw0 --vni 42 --remote 192.168.10.2");
        c1.ping("10.1.0.2");
        let link = c1.link("eth0");
        assert_eq!((link.mtu, link.super_frame), (1450, 62_024), "ports follow their tunnel");
        let row = &worlds[0].rows(&["tunnel", "list"])[0];
        assert_eq!(
            (&row["name"], &row["vni"], &row["port"]),
            (&"vx0".into(), &42.into(), &4789.into())
        );
        assert_eq!((&row["mtu"], &row["state"]), (&1450.into(), &"up".into()), "{row}");
        let table = run("tunnel list");
        for word in ["vx0", "sw0", "42", "4789", "192.168.10.2", "1450", "up"] {
            assert!(table.split_whitespace().any(|column| column == word), "no {word}:\n{table}");
        }
        assert!(run("show").contains("vx0"));
        // A segment that the other machine has not: nothing arrives, and the other machine counts
        // it.
        run("tunnel set vx0 --vni 43");
        c1.udp(0).send_to(b"?", "10.1.0.2:9").unwrap();
        until_dropped(&worlds[1], "unknown-vni");
        run("tunnel set vx0 --vni 42 --ttl 9 --dscp inherit");
        c1.ping("10.1.0.2");
        run("tunnel set vx0 --local 192.168.10.1");
        c1.ping("10.1.0.2");
        run("tunnel set vx0 --unset local --unset ttl --unset dscp --checksum zero");
        c1.ping("10.1.0.2");
        run("tunnel del vx0");
        assert!(worlds[0].rows(&["tunnel", "list"]).is_empty());
        let link = c1.link("eth0");
        assert_eq!((link.mtu, link.super_frame), (1500, 65_536), "and are as they were without it");
    }
    assert_eq!(daemon.apply(LAB), "no changes\n", "nothing of it is left");
    let said = worlds[0].tapswitch(&["tunnel", "del", "vx0"]).sentence();
    assert!(said.contains("vx0"), "{said}");
}

/// A port's super-frames follow the tunnel, also where its MTU is written.
#[test]
fn a_change_that_is_printed_is_made() {
    let Some(worlds) = pair(1500) else { return };
    let lab = LAB.replacen("netns = \"c1\"", "netns = \"c1\"\nmtu = 1400", 1);
    let _daemon = Daemon::with(&worlds[0], &lab);
    let c1 = worlds[0].host("c1");
    assert_eq!((c1.link("eth0").mtu, c1.link("eth0").super_frame), (1400, 65_536));
    let add = "tunnel add vx0 --bridge sw0 --vni 42 --remote 192.168.10.2";
    let said = worlds[0].tapswitch(&add.split(' ').collect::<Vec<_>>()).ok();
    assert!(said.contains("~ port c1: super-frames 65536 -> 62024\n"), "{said}");
    assert_eq!((c1.link("eth0").mtu, c1.link("eth0").super_frame), (1400, 62_024));
}

#[test]
fn stations_behind_a_tunnel_are_listed_with_their_peer() {
    let Some(worlds) = pair(1500) else { return };
    let _daemons = daemons(&worlds);
    let (c1, c2) = (worlds[0].host("c1"), worlds[1].host("c2"));
    c1.ping("10.1.0.2");
    let mac = c2.link("eth0").mac.to_string();
    let row = station(&worlds[0], &mac).unwrap();
    assert_eq!((&row["port"], &row["remote"]), (&"vx0".into(), &"192.168.10.2".into()), "{row}");
    assert_eq!(row["origin"], "learned");
    let table = worlds[0].tapswitch(&["fdb", "list"]).ok();
    let line = table.lines().find(|line| line.contains(&mac)).unwrap();
    assert!(line.contains("vx0") && line.contains("192.168.10.2"), "{table}");

    let bind = ["fdb", "add", "02:00:00:00:00:99", "--port", "vx0"];
    worlds[0].tapswitch(&[&bind[..], &["--remote", "192.168.10.2"]].concat()).ok();
    let row = station(&worlds[0], "02:00:00:00:00:99").unwrap();
    assert_eq!((&row["remote"], &row["origin"]), (&"192.168.10.2".into(), &"static".into()));
    let stranger = ["02:00:00:00:00:98", "--port", "vx0", "--remote", "192.168.10.3"];
    let stranger = worlds[0].tapswitch(&[&["fdb", "add"], &stranger[..]].concat());
    let said = stranger.sentence();
    assert!(said.contains("192.168.10.3"), "{said}");
    worlds[0].tapswitch(&["fdb", "flush", "--port", "vx0"]).ok();
    assert!(station(&worlds[0], &mac).is_none(), "what was learned is forgotten");
    assert!(station(&worlds[0], "02:00:00:00:00:99").is_some(), "what was bound stays");
    worlds[0].tapswitch(&["fdb", "del", "02:00:00:00:00:99", "--bridge", "sw0"]).ok();
    c1.ping("10.1.0.2");
}

fn daemons(worlds: &[World; 2]) -> [Daemon<'_>; 2] {
    let [one, two] = worlds;
    [Daemon::with(one, &lab(1, &[2], "")), Daemon::with(two, &lab(2, &[1], ""))]
}

fn station(world: &World, mac: &str) -> Option<serde_json::Value> {
    world.rows(&["fdb", "list"]).into_iter().find(|row| row["mac"] == mac)
}

#[test]
fn what_a_tunnel_carries_and_refuses_is_counted() {
    let Some(worlds) = pair(1500) else { return };
    let _daemons = daemons(&worlds);
    let c1 = worlds[0].host("c1");
    for _ in 0..10 {
        c1.ping("10.1.0.2");
    }
    for world in &worlds {
        let stats = world.json(&["stats"]);
        let ports = stats["ports"].as_array().unwrap();
        let row =
            ports.iter().find(|row| row["port"] == "vx0").unwrap_or_else(|| panic!("{stats}"));
        for (frames, bytes) in
            [("sent_frames", "sent_bytes"), ("received_frames", "received_bytes")]
        {
            let (frames, bytes) = (row[frames].as_u64().unwrap(), row[bytes].as_u64().unwrap());
            assert!(frames >= 10 && bytes >= frames * 42, "{row}");
        }
        assert!(world.tapswitch(&["stats"]).ok().contains("vx0"));
    }
    let far = worlds[1].here();
    let mouth = far.udp(0);
    let send = |datagram: &[u8]| mouth.send_to(datagram, "192.168.10.1:4789").unwrap();
    let frame = [0; 60];
    send(&[&[8, 0, 0, 0, 0, 0, 99, 0], &frame[..]].concat());
    until_dropped(&worlds[0], "unknown-vni");
    send(&[&[0, 0, 0, 0, 0, 0, 42, 0], &frame[..]].concat());
    until_dropped(&worlds[0], "bad-vxlan");
    send(&[8, 0, 0, 0, 0, 0, 42, 0, 1, 2, 3]);
    until_dropped(&worlds[0], "runt");
    assert!(worlds[0].tapswitch(&["drops"]).ok().contains("unknown-vni"));
    c1.ping("10.1.0.2");
}

/// A stranger who knows the segment's number is not one of the tunnel's remotes.
#[test]
fn a_stranger_is_no_peer() {
    let Some((worlds, _room)) = three() else { return };
    let _daemons = [
        Daemon::with(&worlds[0], &lab(1, &[2], "")),
        Daemon::with(&worlds[1], &lab(2, &[1], "")),
        Daemon::with(&worlds[2], &lab(3, &[1], "")),
    ];
    worlds[0].host("c1").ping("10.1.0.2");
    worlds[2].host("c3").udp(0).send_to(b"?", "10.1.0.1:9").unwrap();
    until_dropped(&worlds[0], "unknown-vtep");
    let mac = worlds[2].host("c3").link("eth0").mac.to_string();
    assert!(station(&worlds[0], &mac).is_none(), "nor is anything learned from it");
}

/// Without a tunnel the daemon has no socket in the machine's network.
#[test]
fn the_last_tunnel_takes_its_socket_along() {
    let Some(world) = world() else { return };
    let here = world.here();
    let far = Host::anonymous("the far end");
    cable((&here, "u0", Some("192.168.10.1/24")), (&far, "u0", None), 1500);
    let sockets = || {
        let text = here.run(|| std::fs::read_to_string("/proc/thread-self/net/udp")).unwrap();
        text.lines().count() - 1
    };
    let daemon = Daemon::with(&world, &lab(1, &[2], ""));
    assert!(sockets() > 1);
    daemon.apply(LAB);
    assert_eq!(sockets(), 0);
}
