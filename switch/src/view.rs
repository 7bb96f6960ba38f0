//! Read-only listings of the switch, in a stable order.

use core::net::Ipv4Addr;

use nat::FlowView;
use packet::{BridgeId, DropReason, Instant, Ipv4Net, PortId};
use vxlan::UnknownVtep;

pub use crate::fdb::FdbCounts;
pub use crate::neighbors::{NeighborState, NeighborView};
pub use crate::routes::{Reject, Target};
pub use crate::station::{Location, Station, StationOrigin};

use crate::port::Role;
use crate::stats::Totals;
use crate::switch::Switch;

impl Switch {
    /// What became of all frames.
    pub const fn totals(&self) -> Totals {
        self.stats.totals
    }

    /// Every drop count that is not zero, by port and reason.
    pub fn drops(&self) -> Vec<(PortId, DropReason, u64)> {
        self.stats.drops().collect()
    }

    /// The stations of a bridge, by VLAN and address; none when there is no such bridge.
    pub fn stations(&self, now: Instant, bridge: BridgeId) -> Vec<Station> {
        self.bridges.get(bridge).map_or_else(Vec::new, |bridge| bridge.fdb.stations(now))
    }

    /// A bridge's learned stations, their limit, and counts since it was made.
    pub fn fdb_counts(&self, bridge: BridgeId) -> Option<(usize, usize, FdbCounts)> {
        let bridge = self.bridges.get(bridge)?;
        Some((bridge.fdb.len(), bridge.settings.capacity, bridge.fdb.counts))
    }

    /// The neighbours, by interface and address.
    pub fn neighbors(&self) -> Vec<NeighborView> {
        self.protocols.arp.neighbors.list()
    }

    /// Connected and written routes that are in force, by prefix.
    pub fn routes(&self) -> Vec<(Ipv4Net, Target)> {
        self.router.routes.list()
    }

    /// The flows that live at `now`.
    pub fn flows(&self, now: Instant) -> Vec<FlowView> {
        self.nat.flows(now).collect()
    }

    /// Counts of NAT.
    pub fn nat_stats(&self) -> nat::Stats {
        self.nat.stats()
    }

    /// Frames that came through a tunnel, those refused included, and their bytes. A super-frame
    /// counts as one.
    pub fn received_through(&self, tunnel: PortId) -> Option<(u64, u64)> {
        let port = self.ports.get(tunnel)?;
        matches!(port.settings.role, Role::Tunnel(..)).then_some(port.received)
    }

    /// The remote VTEPs of a tunnel that no datagram has come from.
    pub fn silent(&self, tunnel: PortId) -> Vec<Ipv4Addr> {
        self.tunnels.silent(tunnel).map(|far| far.remote).collect()
    }

    /// Datagrams refused for their VNI or their sender: by both, and of further VTEPs together.
    pub fn unknown_vteps(&self) -> (Vec<UnknownVtep>, u64) {
        let (counted, more) = self.tunnels.unknown_vteps();
        (counted.collect(), more)
    }

    /// Whether a port is there, and up.
    pub fn is_up(&self, port: PortId) -> bool {
        self.ports.get(port).is_some_and(|port| port.up)
    }
}
