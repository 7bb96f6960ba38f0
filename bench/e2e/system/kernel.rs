//! The kernel's own bridge between veth pairs: what a lab without a userspace switch would use.
//!
//! It is made with `ip` in a namespace of its own so that nothing of the host touches it.

use anyhow::Result;

use super::iproute::ip;
use super::{Running, seats};
use crate::room::Room;

/// The rooms, and the bridge between them.
pub(super) fn build(seats: usize) -> Result<Running> {
    let rooms = seats::rooms(seats)?;
    let bridge = Room::new("bridge")?;
    ip(&["-n", bridge.name(), "link", "add", "br0", "up", "type", "bridge"])?;
    for (seat, room) in rooms.iter().enumerate() {
        enslave(room, &bridge, &format!("port{seat}"), &[])?;
        seats::configure(room, seat)?;
    }
    Running::seated(Vec::new(), rooms, bridge)
}

/// Joins `room` by a veth pair, its `eth0` with more `options`, to the bridge `br0` of another.
pub(super) fn enslave(room: &Room, bridge: &Room, port: &str, options: &[&str]) -> Result<()> {
    wire(room, bridge, port, options)?;
    ip(&["-n", bridge.name(), "link", "set", port, "master", "br0"])
}

/// A veth pair between the `eth0` of `room`, with more `options`, and the device `port` of another,
/// which is up.
pub(super) fn wire(room: &Room, hub: &Room, port: &str, options: &[&str]) -> Result<()> {
    let add = ["-n", room.name(), "link", "add", "eth0"];
    let pair = ["type", "veth", "peer", "name", port, "netns", hub.name()];
    ip(&[&add[..], options, &pair[..]].concat())?;
    ip(&["-n", hub.name(), "link", "set", port, "up"])
}
