//! Many ports at once: all come up, all answer, and nothing is left of them. Untimed; `growth` in
//! `bench/` measures.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::daemon::Daemon;
use crate::ports::{BRIDGE, port};
use crate::raw::Raw;
use crate::wait;
use crate::world::world;

/// More ports than get several queues, with fewer descriptors allowed at first than they need.
#[test]
fn a_hundred_ports_come_up_with_few_descriptors_and_all_answer() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with_files(&world, &lab(PORTS), FEW);
    let mut names: Vec<String> = (0..PORTS).map(|number| format!("n{number}")).collect();
    names.sort();
    assert_eq!(world.names(), names);
    for name in &names {
        world.host(name).ping("192.168.0.1");
    }
    world.host("n0").ping(&format!("192.168.0.{}", FIRST + PORTS - 1));
    // Most of them go at once while others talk on.
    let plan = daemon.apply(&lab(2));
    assert_eq!(plan.lines().filter(|line| line.starts_with("- port")).count(), 98, "{plan}");
    assert_eq!(world.names(), ["n0", "n1"]);
    world.host("n0").ping("192.168.0.11");
    daemon.stop(Signal::SIGTERM);
    assert_eq!(world.names(), [""; 0]);
}

/// A burst that takes far more writes than a worker has a share for.
#[test]
fn a_flood_among_a_hundred_ports_leaves_room_for_others_and_each_copy_is_counted() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &lab(PORTS));
    let flooder = Raw::on(&world.host("n0"));
    let frame = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 9], &[0x88, 0xb5], &[0; 46]].concat();
    for _ in 0..BURST {
        flooder.send(&frame);
    }
    world.host("n50").ping("192.168.0.1");
    world.host("n51").ping("192.168.0.62");
    let port = |name: &str| {
        let stats = world.json(&["stats"]);
        let ports = stats["ports"].as_array().unwrap();
        ports.iter().find(|port| port["port"] == name).unwrap().clone()
    };
    let count = |port: &Value, what: &str| port[what].as_u64().unwrap();
    // n99 says little and asks for nothing: what is for it are copies.
    wait::until("an end of every copy", || {
        let (came, quiet) = (port("p0"), port("p99"));
        let ended = count(&quiet, "sent_frames") + count(&quiet, "dropped_frames");
        let came = count(&came, "received_frames");
        (came >= BURST / 4 && ended >= came).then_some(())
    });
    let drops = world.rows(&["drops"]);
    assert!(drops.iter().any(|drop| drop["reason"] == "flood-limit" && drop["port"] == "p99"));
    daemon.stop(Signal::SIGTERM);
}

fn lab(ports: u8) -> String {
    let ports = (0..ports).map(|number| {
        port(&format!("p{number}"), &format!("netns = \"n{number}\""), FIRST + number)
    });
    format!("{BRIDGE}{}", ports.collect::<String>())
}

const PORTS: u8 = 100;
/// Frames.
const BURST: u64 = 8000;
const FIRST: u8 = 10;
/// A port takes three.
const FEW: u32 = 256;
