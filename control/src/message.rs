//! What travels over the control socket beside the lab's own words and the engine's views.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::view::{BridgeView, FlowEntry, PortView, RouteView, TunnelView};
use labfile::{LabSpec, MasqueradeSpec, PublishSpec};

/// The answer to a change: one line a step, none when nothing differed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// `+` comes, `-` goes, `~` changes.
    pub changes: Vec<String>,
    /// The ports that could not be brought up; of a whole lab that was applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostPort>,
}

impl From<Vec<String>> for Changes {
    fn from(changes: Vec<String>) -> Self {
        Self { changes, lost: Vec::new() }
    }
}

/// A port that has no device, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostPort {
    /// The port.
    pub port: String,
    /// What stands in its way.
    pub why: String,
}

/// `two is lost: there is no process 10946`
impl fmt::Display for LostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is lost: {}", self.port, self.why)
    }
}

/// How a whole lab is applied: `?dry_run=true&empty=true&strict=true`.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HowToApply {
    /// Tell what would be done, and do nothing.
    pub dry_run: bool,
    /// A body that has nothing in it is meant.
    pub empty: bool,
    /// Refuse the whole where one port cannot be brought up.
    pub strict: bool,
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

/// Which flows are meant: all keys that are there must fit; none means every flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowQuery {
    /// `tcp`, `udp`, `icmp`, `gre`, or a number.
    pub proto: Option<String>,
    /// Source address or network in the original direction.
    pub src: Option<String>,
    /// Destination address or network in the original direction.
    pub dst: Option<String>,
    /// Source port in the original direction.
    pub sport: Option<String>,
    /// Destination port in the original direction.
    pub dport: Option<String>,
    /// A masquerade rule's number, `publish:N`, or where something is published.
    pub rule: Option<String>,
    /// A port or tunnel that one end is behind.
    pub port: Option<String>,
    /// `true`, or the address or network that the source is translated to.
    pub src_nat: Option<String>,
    /// `true`, or the address or network that the destination is translated to.
    pub dst_nat: Option<String>,
    /// `true`, or the address or network that either is translated to.
    pub any_nat: Option<String>,
}

impl FlowQuery {
    /// The keys with their values, as a query has them.
    pub fn keys(&self) -> [(&'static str, Option<&str>); 10] {
        [
            ("proto", self.proto.as_deref()),
            ("src", self.src.as_deref()),
            ("dst", self.dst.as_deref()),
            ("sport", self.sport.as_deref()),
            ("dport", self.dport.as_deref()),
            ("rule", self.rule.as_deref()),
            ("port", self.port.as_deref()),
            ("src_nat", self.src_nat.as_deref()),
            ("dst_nat", self.dst_nat.as_deref()),
            ("any_nat", self.any_nat.as_deref()),
        ]
    }
}
