//! The rooms around a bridge: two for most loads, more for those that need bystanders.

use std::net::Ipv4Addr;

use anyhow::Result;

use super::{FAR, NEAR, WIDE};
use crate::room::Room;

/// So many rooms, the near one and the far one first.
pub(super) fn rooms(count: usize) -> Result<Vec<Room>> {
    (0..count).map(|seat| Room::new(&format!("seat{seat}"))).collect()
}

/// The address of each seat: the near one's, the far one's, and on from the near one's.
pub(crate) fn address(seat: usize) -> Ipv4Addr {
    match seat {
        0 => NEAR,
        1 => FAR,
        _ => Ipv4Addr::from(u32::from(NEAR).saturating_add(seat as u32 - 1)),
    }
}

/// Gives a room's `eth0` its address and switches it on.
pub(super) fn configure(room: &Room, seat: usize) -> Result<()> {
    room.configure("eth0", packet::Ipv4Net::new(address(seat), WIDE)?)
}
