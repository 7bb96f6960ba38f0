//! The kernel's own bridge between two veth pairs: what a lab without a userspace switch would use.
//!
//! It is made with `ip` in a third namespace so that nothing of the host touches it.

use anyhow::Result;

use super::iproute::ip;
use super::{FAR, NEAR, Running, WIDE};
use crate::room::Room;

/// Three namespaces: two ends, and the bridge between them.
pub(super) fn build() -> Result<Running> {
    let near = Room::new("a")?;
    let far = Room::new("b")?;
    let bridge = Room::new("bridge")?;
    ip(&["-n", bridge.name(), "link", "add", "br0", "up", "type", "bridge"])?;
    for (room, port) in [(&near, "port0"), (&far, "port1")] {
        enslave(room, &bridge, port, &[])?;
    }
    near.configure("eth0", packet::Ipv4Net::new(NEAR, WIDE)?)?;
    far.configure("eth0", packet::Ipv4Net::new(FAR, WIDE)?)?;
    Ok(Running { processes: Vec::new(), near, far, _rest: Box::new(bridge) })
}

/// Joins `room` by a veth pair, its `eth0` with more `options`, to the bridge `br0` of another.
pub(super) fn enslave(room: &Room, bridge: &Room, port: &str, options: &[&str]) -> Result<()> {
    let add = ["-n", room.name(), "link", "add", "eth0"];
    let pair = ["type", "veth", "peer", "name", port, "netns", bridge.name()];
    ip(&[&add[..], options, &pair[..]].concat())?;
    ip(&["-n", bridge.name(), "link", "set", port, "master", "br0", "up"])
}
