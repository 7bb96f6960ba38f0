//! Open vSwitch's userspace datapath as a bridge between veth pairs, in its three ways to read and
//! write them.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::openvswitch::{self, AFXDP, ALONE, Instance, NETDEV};
use super::{Running, Surroundings, kernel, seats};
use crate::room::Room;

/// How its ports are attached.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(super) enum Ports {
    /// Packet sockets, every checksum whole and every segment a frame of its own: what one gets
    /// unasked.
    Plain,
    /// Packet sockets with super-frames (`userspace-tso-enable`).
    SuperFrames,
    /// AF_XDP, every checksum whole.
    Afxdp,
}

/// Whether it is installed, and what its far ends are set with.
pub(super) fn missing(surroundings: &Surroundings) -> Option<String> {
    let words = "`ethtool` is missing: install the Debian package ethtool";
    let ethtool = || Command::new("ethtool").arg("--version").output().is_err();
    openvswitch::missing(surroundings).or_else(|| ethtool().then(|| words.into()))
}

/// Whether it is installed and knows AF_XDP.
pub(super) fn missing_afxdp(surroundings: &Surroundings) -> Option<String> {
    missing(surroundings).or_else(openvswitch::lacks_afxdp)
}

/// One bridge in a namespace of its own, a veth pair to each room.
pub(super) fn build(ports: Ports, seats: usize) -> Result<Running> {
    let rooms = seats::rooms(seats)?;
    let hub = Room::new("switch")?;
    let settings: &[&str] = match ports {
        Ports::SuperFrames => &["other_config:userspace-tso-enable=true"],
        Ports::Plain | Ports::Afxdp => &[],
    };
    let (switch, instance) = Instance::start(&hub, settings)?;
    instance.configure(&["add-br", "br0", "--", "set", "bridge", "br0", NETDEV, ALONE])?;
    for (seat, room) in rooms.iter().enumerate() {
        let port = format!("port{seat}");
        kernel::wire(room, &hub, &port, &[])?;
        if ports != Ports::SuperFrames {
            complete_checksums(room)?;
        }
        let kind = format!("type={}", if ports == Ports::Afxdp { AFXDP } else { "system" });
        let add = ["add-port", "br0", &port, "--", "set", "interface", &port, &kind];
        instance.configure(&add)?;
        seats::configure(room, seat)?;
    }
    Running::seated(vec![switch], rooms, (instance, hub))
}

/// Has the room's kernel finish what it would leave to a device: nobody does behind a plain packet
/// socket.
fn complete_checksums(room: &Room) -> Result<()> {
    let mut command = Command::new("ethtool");
    command.args(["-K", "eth0", "tx", "off", "tso", "off", "gso", "off"]);
    let output = room.run(|| command.output())?.context("cannot run ethtool")?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`ethtool -K eth0` failed: {}", words.trim());
    Ok(())
}
