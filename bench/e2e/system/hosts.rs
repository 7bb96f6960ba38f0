//! Two hosts with a network between them and nothing else: what tunnels run over.
//!
//! Each host is a namespace, the network is a veth pair, and behind each host is one inner
//! namespace that the system under test joins to the other through its tunnel.

use std::net::Ipv4Addr;

use anyhow::Result;

use super::iproute::ip;
use super::{FAR, NEAR, Running};
use crate::process::Process;
use crate::room::Room;

/// The rooms of a tunnel: two hosts, and two that the tunnel joins.
pub(super) struct Hosts {
    pub(super) near: Host,
    pub(super) far: Host,
}

/// One side.
pub(super) struct Host {
    /// Where the tunnel ends; its underlay device is [`UNDERLAY`].
    pub(super) room: Room,
    /// The host's address in the underlay.
    pub(super) address: Ipv4Addr,
    /// The other host's.
    pub(super) remote: Ipv4Addr,
    /// What the tunnel joins to the other side's.
    pub(super) inner: Room,
    /// The inner room's address, in a network of length [`WIDE`](super::WIDE).
    pub(super) inner_address: Ipv4Addr,
}

impl Hosts {
    /// The rooms and the network between the hosts. Everything else is the system's.
    pub(super) fn new() -> Result<Self> {
        let [near, far] = OUTER;
        let near = Host {
            room: Room::new("host-a")?,
            address: near,
            remote: far,
            inner: Room::new("a")?,
            inner_address: NEAR,
        };
        let far = Host {
            room: Room::new("host-b")?,
            address: far,
            remote: near.address,
            inner: Room::new("b")?,
            inner_address: FAR,
        };
        let pair = ["type", "veth", "peer", "name", UNDERLAY, "netns", far.room.name()];
        let add = ["-n", near.room.name(), "link", "add", UNDERLAY];
        ip(&[&add[..], &pair[..]].concat())?;
        for host in [&near, &far] {
            let net = packet::Ipv4Net::new(host.address, OUTER_WIDE)?;
            host.room.configure(UNDERLAY, net)?;
        }
        Ok(Self { near, far })
    }

    /// Both sides.
    pub(super) fn both(&self) -> [&Host; 2] {
        [&self.near, &self.far]
    }

    /// The system with all that it is made of. `rest` goes after `processes` and with the rooms.
    pub(super) fn running(self, processes: Vec<Process>, rest: impl std::any::Any) -> Running {
        let Self { near, far } = self;
        let rest = Box::new((rest, near.room, far.room));
        Running { processes, near: near.inner, far: far.inner, others: Vec::new(), _rest: rest }
    }
}

/// The hosts' device towards each other, of Ethernet's usual MTU, 1500.
pub(super) const UNDERLAY: &str = "u0";
/// What is left of it inside of VXLAN.
pub(super) const INNER_MTU: &str = "1450";
/// The segment's number, the same for all.
pub(super) const VNI: &str = "42";
/// Length of the underlay's prefix.
pub(super) const OUTER_WIDE: u8 = 24;
/// TEST-NET-1 (RFC 5737).
const OUTER: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
