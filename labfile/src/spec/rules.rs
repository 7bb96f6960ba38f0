//! What is written of routes, masquerade and published ports.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::Flag;

/// `[[route]]`: one of `via`, `out` and `reject` says what happens to packets for `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct RouteSpec {
    /// The destinations: 10.0.0.0/8, 10.1.2.3 or default.
    pub to: String,
    /// The next router, in a subnet of the switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "ADDRESS", required_unless_present_any = ["out", "reject"])]
    pub via: Option<String>,
    /// The interface: wan, br0 or br0.10; beside `via` it only has to agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "INTERFACE")]
    pub out: Option<String>,
    /// Refuse the packets: unreachable, prohibit or, without a word to the sender, blackhole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "HOW", conflicts_with_all = ["via", "out"])]
    pub reject: Option<String>,
}

/// `[[masquerade]]`: packets from `source` leave `out` with an address of `out`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct MasqueradeSpec {
    /// The inside network.
    #[arg(long, value_name = "NETWORK", default_value = "", hide_default_value = true)]
    pub source: String,
    /// The interface they leave by: wan, br0 or br0.10.
    #[arg(long, value_name = "INTERFACE", default_value = "", hide_default_value = true)]
    pub out: String,
    /// Destinations that are left as they are.
    #[serde(with = "super::texts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    pub except: Vec<String>,
    /// endpoint-independent or address-and-port-dependent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub mapping: Option<String>,
    /// endpoint-independent, address-dependent or address-and-port-dependent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub filtering: Option<String>,
    /// Outside ports to choose from: 1024-65535.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "FIRST-LAST")]
    pub ports: Option<String>,
    /// Keep even ports even and odd ones odd [default: true].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub parity: Option<bool>,
    /// Let who is outside reach the hosts inside at their own addresses, too [default: false].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub inside_reachable: Option<bool>,
    /// Let its flows go on when it changes or goes [default: false].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub keep: Option<bool>,
}

/// `[[publish]]`: connections to `listen` reach `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct PublishSpec {
    /// Where it is reached: 203.0.113.1:8080/tcp, 0.0.0.0:53/udp (every own address) or wan:8080;
    /// a range as wan:9000-9010.
    pub listen: String,
    /// Whom it belongs to: 192.168.0.2:80, or 192.168.0.2 for the same ports.
    #[arg(long, value_name = "ADDRESS[:PORT]", default_value = "", hide_default_value = true)]
    pub to: String,
    /// Let its connections and flows go on when it changes or goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub keep: Option<bool>,
}
