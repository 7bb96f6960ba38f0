//! Frames that the kernel drops at a socket of the switch, for nobody reads them in time: counted,
//! and shown.

use std::net::{Ipv4Addr, UdpSocket};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::daemon::Daemon;
use crate::host::Host;
use crate::interfaces::LAB;
use crate::raw::Raw;
use crate::underlay::cable;
use crate::wait;
use crate::world::{World, world};

/// More than the largest receive buffer of a socket holds, 16 MiB with the kernel's bookkeeping.
const MANY: usize = 16_000;
const LENGTH: usize = 1_400;

#[test]
fn frames_that_a_packet_socket_drops_are_counted_under_its_port() {
    let Some(world) = world() else { return };
    let far = Host::anonymous("the namespace behind veth_sw0");
    cable((&world.here(), "veth_sw0", None), (&far, "eth0", None), 1500);
    let port = "[port.up]\nbridge = \"sw0\"\ninterface = \"veth_sw0\"\n";
    let daemon = Daemon::with(&world, &(LAB.to_owned() + port));
    let raw = Raw::on(&far);
    let before = received(&world, "up");
    daemon.signal(Signal::SIGSTOP);
    let mut frame = vec![0; LENGTH];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5]);
    (0..MANY).for_each(|_| raw.send(&frame));
    daemon.signal(Signal::SIGCONT);
    let lost = until_all_are_told(&world, "up", before);
    assert!(lost > 0);
    assert_eq!(overruns(&world, "up"), lost, "it is told as often as it is asked");
    let drops = world.tapswitch(&["drops"]).ok();
    assert!(drops.contains("receive-overrun: The kernel dropped it"), "{drops}");
    let stats = world.json(&["stats"]);
    let dropped = row(&stats["ports"], "up", |_| true).unwrap()["dropped_frames"].as_u64();
    assert!(dropped >= Some(lost), "{stats}");
    daemon.stop(Signal::SIGTERM);
}

#[test]
fn datagrams_that_a_tunnel_s_socket_drops_are_counted_under_its_udp_port() {
    let Some(world) = world() else { return };
    let far = Host::anonymous("another host");
    let (here, there) = ("192.168.10.1/24", "192.168.10.2/24");
    cable((&world.here(), "up0", Some(here)), (&far, "eth0", Some(there)), 1500);
    let tunnel = "[tunnel.vx0]\nbridge = \"sw0\"\nvni = 42\nremotes = [\"192.168.10.2\"]\n";
    let daemon = Daemon::with(&world, &(LAB.to_owned() + tunnel));
    let socket: UdpSocket = far.udp(0);
    socket.connect((Ipv4Addr::new(192, 168, 10, 1), 4789)).unwrap();
    daemon.signal(Signal::SIGSTOP);
    let datagram = [0; LENGTH];
    (0..MANY).for_each(|_| assert_eq!(socket.send(&datagram).unwrap(), LENGTH));
    daemon.signal(Signal::SIGCONT);
    let lost =
        wait::until("a count", || Some(overruns(&world, "udp 4789")).filter(|lost| *lost > 0));
    // Nobody sends any more, and what was told is not told again.
    assert_eq!(overruns(&world, "udp 4789"), lost);
    daemon.stop(Signal::SIGTERM);
}

/// Waits until every frame that was sent has been read or is told to be lost; how many are.
fn until_all_are_told(world: &World, port: &str, before: u64) -> u64 {
    let sent = u64::try_from(MANY).unwrap();
    wait::until("every frame to be counted", || {
        let lost = overruns(world, port);
        (received(world, port) - before + lost >= sent).then_some(lost)
    })
}

fn received(world: &World, port: &str) -> u64 {
    let stats = world.json(&["stats"]);
    row(&stats["ports"], port, |_| true).map_or(0, |row| row["received_frames"].as_u64().unwrap())
}

fn overruns(world: &World, port: &str) -> u64 {
    let drops = world.json(&["drops"]);
    let overrun = row(&drops, port, |row| row["reason"] == "receive-overrun");
    overrun.map_or(0, |row| row["frames"].as_u64().unwrap())
}

fn row<'v>(rows: &'v Value, port: &str, is_it: impl Fn(&Value) -> bool) -> Option<&'v Value> {
    rows.as_array().unwrap().iter().find(|row| row["port"] == port && is_it(row))
}
