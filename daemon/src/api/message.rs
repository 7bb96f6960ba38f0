//! What travels over the control socket beside the lab's own words and the engine's views.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::config::{LabSpec, MasqueradeSpec, PublishSpec};
use crate::engine::views::{BridgeView, FlowEntry, PortView, RouteView, TunnelView};

/// The answer to a change: one line a step, none when nothing differed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// `+` comes, `-` goes, `~` changes.
    pub changes: Vec<String>,
}

/// A bridge's subnet to be moved with all that belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenumberSpec {
    /// The router's address in the new subnet, as "192.168.225.1/24".
    pub to: String,
    /// Its address in the old one; left out: the only one. It may have left the bridge already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The VLAN of the bridge that is meant; left out: frames without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
}

/// The answer to a request that ends flows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// How many.
    pub ended: usize,
    /// As they were when they ended; not told where all were to end.
    pub flows: Vec<FlowEntry>,
}

/// The answer to a request that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What was wrong, where, and what to do about it.
    pub error: String,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// `tapswitch`.
    pub name: String,
    /// The daemon's version.
    pub version: String,
    /// The daemon's process.
    pub pid: u32,
}

/// Everything that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Show {
    /// The daemon's version.
    pub version: String,
    /// By name.
    pub bridges: Vec<BridgeView>,
    /// By name, routed ports too.
    pub ports: Vec<PortView>,
    /// By name.
    pub tunnels: Vec<TunnelView>,
    /// By prefix.
    pub routes: Vec<RouteView>,
    /// In the order of their trial.
    pub masquerade: Vec<MasqueradeSpec>,
    /// As written.
    pub publish: Vec<PublishSpec>,
    /// What is legal and will not work as it is written, a sentence each.
    pub warnings: Vec<String>,
}

/// A station to bind to a port or a tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StationSpec {
    /// The station's Ethernet address.
    pub mac: String,
    /// The port or the tunnel it is behind.
    pub port: String,
    /// Behind a tunnel, the peer that has it; left out: the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The bridge; left out: the port's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// The VLAN; left out: the port's own untagged one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<i64>,
}

/// A neighbour to bind to a MAC address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighborSpec {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its Ethernet address.
    pub mac: String,
    /// The interface; left out: the one whose subnet the address is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
}

/// A lab to send: the text of a file, or the same as values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabBody {
    /// A lab file.
    Toml(Vec<u8>),
    /// Its values.
    Json(LabSpec),
}
