//! Many ports at once: all come up, all answer, and nothing is left of them. Untimed; `growth` in `bench/` measures.

use nix::sys::signal::Signal;

use crate::daemon::Daemon;
use crate::ports::{BRIDGE, port};
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

fn lab(ports: u8) -> String {
    let ports = (0..ports).map(|number| {
        port(&format!("p{number}"), &format!("netns = \"n{number}\""), FIRST + number)
    });
    format!("{BRIDGE}{}", ports.collect::<String>())
}

const PORTS: u8 = 100;
const FIRST: u8 = 10;
/// A port takes three.
const FEW: u32 = 256;
