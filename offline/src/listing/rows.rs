//! Rows of listings: what the switch tells by number, told by name. The running lab and a replay
//! show the same.
//!
//! A row is made from what was collected, never from the switch itself: whoever holds a lock lets
//! it go first.

use packet::{DropReason, PortId};
use switch::stats::Totals;
use switch::view::{Location, NeighborState, NeighborView, Station, StationOrigin};
use vxlan::UnknownVtep;

use crate::listing::counts::{PortCounts, WorkerCounts};
use control::view::{
    DropView, FlowEntry, NeighborEntry, PortStats, StationView, StatsView, UnknownVtepView,
    WorkerStats,
};
use labfile::ids::Ids;
use labfile::{Name, Settings};

/// Drops of one port for one reason, as the switch counts them.
pub type Drops = (PortId, DropReason, u64);

/// A station of `bridge`.
pub fn station(ids: &Ids, bridge: &Name, station: Station) -> StationView {
    let port = match station.location {
        Location::Port(port) | Location::Remote { tunnel: port, .. } => {
            ids.port_name(port).map(ToString::to_string)
        }
        Location::Router(_) => Some("router".to_owned()),
    };
    let origin = match station.origin {
        StationOrigin::Learned => "learned",
        StationOrigin::Static => "static",
        StationOrigin::Own => "own",
    };
    StationView {
        bridge: bridge.to_string(),
        port: port.unwrap_or_default(),
        remote: match station.location {
            Location::Remote { remote, .. } => Some(remote),
            Location::Port(_) | Location::Router(_) => None,
        },
        vlan: station.vlan.number(),
        mac: station.mac.to_string(),
        age: (station.origin == StationOrigin::Learned).then_some(station.age.as_secs()),
        origin: origin.to_owned(),
    }
}

/// A neighbour's state.
pub const fn neighbor_state(state: NeighborState) -> &'static str {
    match state {
        NeighborState::Incomplete => "incomplete",
        NeighborState::Reachable => "reachable",
        NeighborState::Stale => "stale",
        NeighborState::Probe => "probe",
        NeighborState::Failed => "failed",
        NeighborState::Static => "static",
    }
}

/// A neighbour.
pub fn neighbor(ids: &Ids, neighbor: NeighborView) -> NeighborEntry {
    let interface = ids.interface_name(neighbor.interface);
    let state = neighbor_state(neighbor.state);
    NeighborEntry {
        address: neighbor.address,
        interface: interface.map_or_else(String::new, ToString::to_string),
        mac: neighbor.mac.map(|mac| mac.to_string()),
        state: state.to_owned(),
    }
}

/// A flow, as conntrack(8) prints it.
pub fn flow(flow: nat::FlowView) -> FlowEntry {
    FlowEntry { line: flow.to_string(), src_nat: flow.is_src_nat, dst_nat: flow.is_dst_nat }
}

/// What of `wanted` a running daemon cannot take up.
pub fn at_restart(current: &Settings, wanted: &Settings) -> Vec<String> {
    let changes = [
        ("the number of workers changes", current.workers != wanted.workers),
        ("the processors of the workers change", current.cpus != wanted.cpus),
        ("polling changes", current.poll != wanted.poll),
    ];
    let changes = changes.into_iter().filter(|(_, changes)| *changes);
    changes.map(|(what, _)| format!("! {what} when the daemon is started again")).collect()
}

/// One worker.
pub fn worker((number, counts): (usize, WorkerCounts)) -> WorkerStats {
    WorkerStats {
        worker: number,
        cpu: counts.cpu,
        polls: counts.spells,
        polls_with_frames: counts.hits,
        polled_us: u64::try_from(counts.polled.as_micros()).unwrap_or(u64::MAX),
    }
}

/// All counts; `carried` says what each port has carried, a tunnel what came in through it. Workers
/// are not the switch's, and so left out.
pub fn stats(
    ids: &Ids,
    totals: Totals,
    drops: &[Drops],
    carried: impl Iterator<Item = (PortId, PortCounts)>,
) -> StatsView {
    let ports = carried.filter_map(|(port, counts)| {
        let dropped = drops.iter().filter(|(at, _, _)| *at == port).map(|(_, _, n)| n);
        Some(PortStats {
            port: ids.port_label(port)?,
            received_frames: counts.received_frames,
            received_bytes: counts.received_bytes,
            sent_frames: counts.sent_frames,
            sent_bytes: counts.sent_bytes,
            dropped_frames: dropped.sum::<u64>() + counts.failed_frames + counts.crowded_frames,
        })
    });
    let totals = [
        ("received", totals.received),
        ("sent", totals.sent),
        ("held", totals.held),
        ("consumed", totals.consumed),
        ("dropped", totals.dropped),
        ("spoken", totals.spoken),
        ("copies_dropped", totals.copies_dropped),
        ("errors_suppressed", totals.errors_suppressed),
        ("arp_suspicious", totals.arp_suspicious),
        ("arp_conflicts", totals.arp_conflicts),
    ];
    let totals = totals.map(|(name, count)| (name.to_owned(), count));
    StatsView { ports: ports.collect(), totals: totals.into(), workers: Vec::new() }
}

/// Drops of one port for one reason.
pub fn drop(ids: &Ids, (port, reason, frames): Drops) -> DropView {
    DropView {
        port: ids.port_label(port).unwrap_or_else(|| port.to_string()),
        reason: reason.name().to_owned(),
        meaning: reason.describe().trim().to_owned(),
        frames,
    }
}

/// Who sent datagrams that no tunnel wanted; `more` came from further ones.
pub fn unknown_vteps(
    ids: &Ids,
    unknown_vteps: Vec<UnknownVtep>,
    more: u64,
) -> Vec<UnknownVtepView> {
    let row = |vtep: UnknownVtep| UnknownVtepView {
        port: ids.port_label(vtep.far.underlay).unwrap_or_default(),
        vni: Some(vtep.far.vni.number()),
        remote: Some(vtep.far.remote),
        reason: vtep.reason.name().to_owned(),
        datagrams: vtep.count,
    };
    let others = (more > 0).then(|| UnknownVtepView {
        port: String::new(),
        vni: None,
        remote: None,
        reason: "unknown-vni or unknown-vtep".to_owned(),
        datagrams: more,
    });
    unknown_vteps.into_iter().map(row).chain(others).collect()
}
