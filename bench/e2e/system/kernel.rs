//! The kernel's own bridge between two veth pairs: what a lab without a userspace switch would use.
//!
//! It is made with `ip`, as everybody makes it, in a third namespace so that nothing of the host touches it.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{FAR, NEAR, Running, Surroundings, WIDE};
use crate::room::Room;

/// Whether `ip` is there to make it with.
pub(super) fn missing(_: &Surroundings) -> Option<String> {
    let version = Command::new("ip").arg("-V").output();
    version.is_err().then(|| "`ip` is missing: install the Debian package iproute2".into())
}

/// Three namespaces: two ends, and the bridge between them.
pub(super) fn build(_: &Surroundings) -> Result<Running> {
    let near = Room::new("a")?;
    let far = Room::new("b")?;
    let bridge = Room::new("bridge")?;
    ip(&["-n", bridge.name(), "link", "add", "br0", "up", "type", "bridge"])?;
    for (room, port) in [(&near, "port0"), (&far, "port1")] {
        let pair = ["link", "add", "eth0", "type", "veth", "peer", "name", port];
        ip(&[&["-n", room.name()], &pair[..], &["netns", bridge.name()]].concat())?;
        ip(&["-n", bridge.name(), "link", "set", port, "master", "br0", "up"])?;
    }
    near.configure("eth0", packet::Ipv4Net::new(NEAR, WIDE)?)?;
    far.configure("eth0", packet::Ipv4Net::new(FAR, WIDE)?)?;
    Ok(Running { process: None, near, far, _rest: Box::new(bridge) })
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("cannot run ip")?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`ip {}` failed: {}", arguments.join(" "), words.trim());
    Ok(())
}
