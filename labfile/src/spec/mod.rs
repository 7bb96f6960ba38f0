//! A lab as it is written: the lab file's keys, and the JSON of the control API.
//!
//! Values stay as written (addresses are text, numbers are wide) so that one check judges files and
//! requests alike, and so that a lab can be written back as a file. A key left out stays out.
//! Nothing here says what is legal.

mod rules;
mod switch;
pub(crate) mod texts;

use std::collections::BTreeMap;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::printable;
pub use rules::{MasqueradeSpec, PublishSpec, RouteSpec};
pub use switch::{SwitchSpec, TimeoutsSpec};
use texts::{BoolOrText, NumberOrText};

/// A whole lab file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabSpec {
    /// Says that there is meant to be nothing else: a file in which nothing is written is no lab.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty: Option<bool>,
    /// `[switch]`: limits and timers of the switch itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switch: Option<SwitchSpec>,
    /// `[bridge.NAME]`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bridge: BTreeMap<String, BridgeSpec>,
    /// `[port.NAME]`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub port: BTreeMap<String, PortSpec>,
    /// `[tunnel.NAME]`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tunnel: BTreeMap<String, TunnelSpec>,
    /// `[[route]]`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<RouteSpec>,
    /// `[[masquerade]]`, first match wins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub masquerade: Vec<MasqueradeSpec>,
    /// `[[publish]]`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<PublishSpec>,
}

impl LabSpec {
    /// The lab as the text of a lab file, which reads back to the same lab.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        printable::toml(&self.clone().explicit())
    }

    /// Whether it has neither parts nor rules. Settings are none of these.
    pub fn is_bare(&self) -> bool {
        let Self { empty: _, switch: _, bridge, port, tunnel, route, masquerade, publish } = self;
        let parts = bridge.is_empty() && port.is_empty() && tunnel.is_empty();
        parts && route.is_empty() && masquerade.is_empty() && publish.is_empty()
    }

    /// Whether it says nothing at all, as a file of no bytes: a slip far more often than a wish.
    pub fn is_nothing(&self) -> bool {
        let has_settings = self.switch.as_ref().is_some_and(|it| *it != SwitchSpec::default());
        self.is_bare() && !has_settings && !self.says_empty()
    }

    /// Whether `empty = true` is written.
    pub fn says_empty(&self) -> bool {
        self.empty == Some(true)
    }

    /// The same lab, which says so where it is empty: as it can be applied again.
    #[must_use]
    pub fn explicit(self) -> Self {
        if self.is_nothing() { Self { empty: Some(true), ..self } } else { self }
    }
}

/// `[bridge.NAME]`: a bridge of the switch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct BridgeSpec {
    /// The switch's own address here, with its prefix length; more than one may be given.
    #[serde(with = "texts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[arg(long, value_name = "ADDRESS/LEN", value_delimiter = ',')]
    pub router: Vec<String>,
    /// The switch's own Ethernet address here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub mac: Option<String>,
    /// Largest IPv4 packet, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub mtu: Option<i64>,
    /// Seconds after which a silent station is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "SECONDS")]
    pub ageing: Option<i64>,
    /// How many stations are remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "N")]
    pub fdb_size: Option<i64>,
    /// Reserved protocols that pass: stp, lacp, lldp, ptp, ..., an address, or all.
    #[serde(with = "texts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[arg(long, value_name = "PROTOCOL", value_delimiter = ',')]
    pub forward: Vec<String>,
    /// Learn nothing and flood everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub hub: Option<bool>,
    /// Keep its ports out of each other's reach, as Docker's icc=false; a port may say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub isolated: Option<bool>,
    /// Let only each port's own MAC address and addresses speak on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub guard: Option<bool>,
    /// From whom the router takes packets here: strict, loose or off [default: loose].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "MODE")]
    pub rp_filter: Option<String>,
    /// `[bridge.NAME.vlan.NUMBER]`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[arg(skip)]
    pub vlan: BTreeMap<String, VlanSpec>,
    /// `[[bridge.NAME.static]]`
    #[serde(rename = "static", skip_serializing_if = "Vec::is_empty")]
    #[arg(skip)]
    pub statics: Vec<StaticSpec>,
}

/// `[bridge.NAME.vlan.NUMBER]`: the switch's own addresses in a VLAN.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VlanSpec {
    /// As [`BridgeSpec::router`].
    #[serde(with = "texts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub router: Vec<String>,
    /// As [`BridgeSpec::rp_filter`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rp_filter: Option<String>,
}

/// `[[bridge.NAME.static]]`: a station that is known without being heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StaticSpec {
    /// The station's Ethernet address.
    pub mac: String,
    /// The port or the tunnel it is behind.
    pub port: String,
    /// Behind a tunnel, the peer that has it; may be left out when there is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The VLAN it is in; left out: the port's own untagged one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<i64>,
}

/// `[port.NAME]`: a cable between the switch and a namespace, or an existing device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct PortSpec {
    /// The bridge it is plugged into; or else `router`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub bridge: Option<String>,
    /// The switch's own address on a routed port; or else `bridge`.
    #[serde(with = "texts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[arg(long, value_name = "ADDRESS/LEN", value_delimiter = ',')]
    pub router: Vec<String>,
    /// The switch's own Ethernet address on a routed port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "MAC")]
    pub router_mac: Option<String>,
    /// From whom the router takes packets on a routed port: strict, loose or off [default: loose].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "MODE")]
    pub rp_filter: Option<String>,
    /// The namespace of the far end: a name (made when absent), or a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "NAME|PATH")]
    pub netns: Option<String>,
    /// A process whose namespace is the far end's, such as a container's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub pid: Option<i64>,
    /// The far end is in the daemon's own namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub host: Option<bool>,
    /// An existing device of the daemon's own namespace, which becomes the port as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "DEVICE")]
    pub interface: Option<String>,
    /// What joins a namespace: tap, or veth for a real pair [default: tap].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "KIND")]
    pub link: Option<String>,
    /// With `host`: the Linux bridge that the device is enslaved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "BRIDGE")]
    pub master: Option<String>,
    /// Name of the far end's device.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub device: Option<String>,
    /// Ethernet address of the far end's device.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub mac: Option<String>,
    /// Largest IPv4 packet, in bytes [default: the bridge's, or that of its smallest tunnel, or
    /// 1500].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub mtu: Option<i64>,
    /// The far end's address, with its prefix length; more than one may be given.
    #[serde(with = "texts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[arg(long, value_name = "ADDRESS/LEN", value_delimiter = ',')]
    pub address: Vec<String>,
    /// The far end's default gateway, or none [default: the bridge's router address].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "ADDRESS|none")]
    pub gateway: Option<BoolOrText>,
    /// Let unfinished checksums and super-frames pass [default: true].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub offload: Option<bool>,
    /// Out of reach for the other isolated ports of the bridge.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub isolated: Option<bool>,
    /// Let only the port's own MAC address and addresses speak on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub guard: Option<bool>,
    /// The one VLAN of an access port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub vlan: Option<i64>,
    /// The tagged VLANs of a trunk.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[arg(long, value_name = "VLAN", value_delimiter = ',')]
    pub trunks: Vec<i64>,
    /// The VLAN of untagged frames on a trunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "VLAN")]
    pub native: Option<i64>,
    /// access, trunk, native-tagged, native-untagged or dot1q-tunnel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "MODE")]
    pub vlan_mode: Option<String>,
    /// Of a dot1q-tunnel port: the customers' VLANs that pass, 0 for frames without a tag.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[arg(long, value_name = "VLAN", value_delimiter = ',')]
    pub cvlans: Vec<i64>,
    /// Of a dot1q-tunnel port: the outer tag on trunks, 802.1ad or 802.1q.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "KIND")]
    pub qinq_ethertype: Option<String>,
    /// false, if-nonzero or always.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "WHEN")]
    pub priority_tags: Option<BoolOrText>,
}

/// `[tunnel.NAME]`: a bridge continued at other hosts, over VXLAN (RFC 7348).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct TunnelSpec {
    /// The bridge that is continued.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub bridge: Option<String>,
    /// The number of the segment, 0 to 16777215, the same at every peer [default: 0, as Open
    /// vSwitch].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "N")]
    pub vni: Option<i64>,
    /// A peer's address; more than one may be given.
    #[serde(with = "texts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[arg(
        long = "remote",
        visible_alias = "remotes",
        value_name = "ADDRESS",
        value_delimiter = ','
    )]
    pub remotes: Vec<String>,
    /// The own address that datagrams leave from and arrive at [default: as the kernel routes].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "ADDRESS")]
    pub local: Option<String>,
    /// The UDP port, here and at the peers [default: 4789].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub port: Option<i64>,
    /// The one VLAN that is carried, without tags inside [default: frames without a VLAN].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub vlan: Option<i64>,
    /// Carry every VLAN, with its tags inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub trunk: Option<bool>,
    /// Largest IPv4 packet inside, in bytes [default: what the path to the peers carries].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub mtu: Option<i64>,
    /// Time to live of the outer packet, or inherit for that of the packet inside [default: 64].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "N|inherit")]
    pub ttl: Option<NumberOrText>,
    /// DSCP of the outer packet, or inherit for that of the packet inside [default: 0].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "N|inherit")]
    pub dscp: Option<NumberOrText>,
    /// Whether routers on the way may not cut the outer packet [default: true].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "BOOL")]
    pub df: Option<bool>,
    /// Outer UDP checksum: true or on, false or zero [default: true].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "BOOL")]
    pub checksum: Option<BoolOrText>,
    /// Drop datagrams that set reserved bits of the VXLAN header, as Open vSwitch does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub strict_reserved: Option<bool>,
    /// Answer ARP requests for known far stations here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub arp_suppression: Option<bool>,
    /// Lower the MSS of TCP connections to what fits the tunnel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub mss_clamp: Option<bool>,
    /// Learn from what arrives which peer has which station [default: true].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "BOOL")]
    pub learning: Option<bool>,
    /// Out of reach for the bridge's isolated ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, flag = "BOOL")]
    pub isolated: Option<bool>,
}

/// An option that means true where no value is behind it.
trait Flag {
    /// `--hub`, or `--hub=VALUE`: a word behind it is not taken for its value.
    fn flag(self, value: &'static str) -> Self;
}

impl Flag for clap::Arg {
    fn flag(self, value: &'static str) -> Self {
        self.num_args(0..=1).require_equals(true).default_missing_value("true").value_name(value)
    }
}
