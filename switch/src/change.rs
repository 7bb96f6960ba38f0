//! What somebody wants different. How it is made is told in `apply`.

use core::fmt;
use core::net::Ipv4Addr;
use core::ops::Range;
use core::time::Duration;

use nat::{Lifetimes, Limits, Rules};
use packet::{BridgeId, InterfaceId, Ipv4Net, Mac, PortId, VlanId};
use serde::{Deserialize, Serialize};
use vxlan::RemoteVtep;

pub use crate::bridge::BridgeSettings;
pub use crate::flows::{ALL_FLOWS, Behind, FlowFilter, FlowRule};
pub use crate::guard::Guard;
pub use crate::interface::{InterfaceSettings, Link, RpFilter};
pub use crate::port::{Membership, PortSettings, Role, Tunnel};
pub use crate::routes::{Hop, Reject, Route};
use crate::station::Location;

/// One thing to be different. `Set` adds what is not there and changes what is, without disturbing
/// the rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Change {
    /// A bridge.
    SetBridge(BridgeId, BridgeSettings),
    /// A bridge without ports and interfaces goes.
    DeleteBridge(BridgeId),
    /// A port; new ones are down.
    SetPort(PortId, PortSettings),
    /// A port goes, with all that was learned on it.
    DeletePort(PortId),
    /// The far end of a port is this station now, with these addresses: whoever was behind it is
    /// forgotten, and its segment hears an ARP announcement of each (RFC 5227 section 3), as if the
    /// station had sent it. A port that is down carries none.
    AnnounceStation(PortId, Mac, Vec<Ipv4Addr>),
    /// A router interface.
    SetInterface(InterfaceId, InterfaceSettings),
    /// A router interface goes, with its neighbours and the flows translated to its addresses.
    DeleteInterface(InterfaceId),
    /// A route, replacing one to the same prefix.
    SetRoute(Route),
    /// The written route to this prefix goes.
    DeleteRoute(Ipv4Net),
    /// All masquerade and publish rules. Living flows stay.
    SetRules(Rules),
    /// How many flows there may be.
    SetLimits(Limits),
    /// How long idle flows live.
    SetLifetimes(Lifetimes),
    /// How many neighbours are remembered, and how long.
    SetNeighborLimits {
        /// Entries.
        capacity: usize,
        /// How long a neighbour is trusted after it was heard.
        reachable: Duration,
        /// How long an unused neighbour is remembered after that.
        stale: Duration,
    },
    /// How many ICMP errors a second the router speaks, and how many at once.
    SetErrorRate {
        /// A second; none when zero.
        rate: u32,
        /// At once.
        burst: u32,
    },
    /// A station is bound to a port, or to a remote VTEP of a tunnel.
    PinStation(BridgeId, VlanId, Mac, Location),
    /// A station is forgotten, learned or bound.
    DeleteStation(BridgeId, VlanId, Mac),
    /// Learned stations are forgotten: of one bridge and port, or all.
    FlushStations(Option<BridgeId>, Option<PortId>),
    /// A neighbour is bound to a MAC address.
    PinNeighbor(InterfaceId, Ipv4Addr, Mac),
    /// A neighbour is forgotten.
    DeleteNeighbor(InterfaceId, Ipv4Addr),
    /// All neighbours that nobody bound are forgotten.
    FlushNeighbors,
    /// All flows are forgotten.
    FlushFlows,
    /// The flows that are meant are forgotten, of those in these places of NAT's table
    /// ([`ALL_FLOWS`], or a part where the table is large).
    EndFlows(FlowFilter, Range<u32>),
}

/// What a change contradicts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ChangeError {
    /// There is no such bridge.
    NoBridge(BridgeId),
    /// There is no such port.
    NoPort(PortId),
    /// There is no such interface.
    NoInterface(InterfaceId),
    /// There is no route to this prefix.
    NoRoute(Ipv4Net),
    /// There is no such station.
    NoStation(Mac),
    /// There is no such neighbour.
    NoNeighbor(Ipv4Addr),
    /// The bridge still has ports or interfaces.
    BridgeInUse(BridgeId),
    /// Another interface stands on the same segment.
    SegmentTaken(InterfaceId),
    /// Another interface has the address, or one whose subnet overlaps.
    Overlap(Ipv4Net, Ipv4Net),
    /// An MTU under 68 (RFC 791) or a capacity of zero.
    TooSmall,
    /// The place is not one of the bridge's.
    NotAMember(Location, BridgeId),
    /// The port is not one that datagrams come in on.
    NotUnderlay(PortId),
    /// Another tunnel has this remote VTEP already.
    VtepTaken(RemoteVtep, PortId),
    /// A tunnel's datagrams come in on the port.
    UnderlayInUse(PortId, PortId),
    /// The address is not a station's.
    NotAStation(Mac),
    /// The table is full.
    Full,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBridge(id) => write!(f, "there is no {id}"),
            Self::NoPort(id) => write!(f, "there is no {id}"),
            Self::NoInterface(id) => write!(f, "there is no {id}"),
            Self::NoRoute(net) => write!(f, "there is no route to {net}"),
            Self::NoStation(mac) => write!(f, "no station {mac} is known there"),
            Self::NoNeighbor(address) => write!(f, "no neighbour {address} is known there"),
            Self::BridgeInUse(id) => write!(f, "{id} still has ports or router addresses"),
            Self::SegmentTaken(id) => write!(f, "{id} is on that segment already"),
            Self::Overlap(new, old) => write!(f, "{new} overlaps {old}"),
            Self::TooSmall => f.write_str("an MTU is at least 68 and a capacity at least 1"),
            Self::NotAMember(place, bridge) => write!(f, "{place:?} is no place on {bridge}"),
            Self::NotUnderlay(port) => write!(f, "no datagrams come in on {port}"),
            Self::VtepTaken(RemoteVtep { vni, remote, .. }, tunnel) => {
                write!(f, "{tunnel} has the remote {remote} with VNI {vni} already")
            }
            Self::UnderlayInUse(port, tunnel) => {
                write!(f, "datagrams of {tunnel} come in on {port}")
            }
            Self::NotAStation(mac) => write!(f, "{mac} cannot be a station's address"),
            Self::Full => f.write_str("the table is full"),
        }
    }
}

impl core::error::Error for ChangeError {}

#[cfg(test)]
mod tests {
    use vxlan::Vni;

    use super::*;

    #[test]
    fn every_refusal_is_a_sentence() {
        let (bridge, port, interface) = (BridgeId::new(1), PortId::new(2), InterfaceId::new(3));
        let (net, address) = ("10.0.0.0/8".parse().unwrap(), Ipv4Addr::new(10, 0, 0, 9));
        let (vni, mac) = (Vni::new(42).unwrap(), Mac([2, 0, 0, 0, 0, 1]));
        let vtep = RemoteVtep { underlay: port, vni, remote: address };
        for (error, sentence) in [
            (ChangeError::NoBridge(bridge), "there is no bridge1"),
            (ChangeError::NoPort(port), "there is no port2"),
            (ChangeError::NoInterface(interface), "there is no interface3"),
            (ChangeError::NoRoute(net), "there is no route to 10.0.0.0/8"),
            (ChangeError::NoStation(mac), "no station 02:00:00:00:00:01 is known there"),
            (ChangeError::NoNeighbor(address), "no neighbour 10.0.0.9 is known there"),
            (ChangeError::BridgeInUse(bridge), "bridge1 still has ports or router addresses"),
            (ChangeError::SegmentTaken(interface), "interface3 is on that segment already"),
            (ChangeError::Overlap(net, net), "10.0.0.0/8 overlaps 10.0.0.0/8"),
            (ChangeError::NotUnderlay(port), "no datagrams come in on port2"),
            (
                ChangeError::VtepTaken(vtep, port),
                "port2 has the remote 10.0.0.9 with VNI 42 already",
            ),
            (
                ChangeError::UnderlayInUse(port, PortId::new(4)),
                "datagrams of port4 come in on port2",
            ),
            (ChangeError::NotAStation(mac), "02:00:00:00:00:01 cannot be a station's address"),
            (ChangeError::Full, "the table is full"),
        ] {
            assert_eq!(error.to_string(), sentence);
        }
    }
}
