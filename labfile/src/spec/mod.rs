//! A lab as it is written: the lab file's keys, and the JSON of the control API.
//!
//! Values stay as written (addresses are text, numbers are wide) so that one check judges files and
//! requests alike, and so that a lab can be written back as a file. A key left out stays out.
//! Nothing here says what is legal.

pub(crate) mod texts;

use std::collections::BTreeMap;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::printable;
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
    #[serde(with = "texts::one_or_many", skip_serializing_if = "Vec::is_empty")]
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

/// `[switch]`: what belongs to no bridge and no port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SwitchSpec {
    /// Packet threads, and queues of every device: one per core, at most 4, when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<i64>,
    /// Processors that the threads stay on, in turn; anywhere when left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<i64>,
    /// How long an idle thread looks for frames before it sleeps: "200us", "2ms", "off" (default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<String>,
    /// Tracked connections in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flows: Option<i64>,
    /// Tracked connections that one host began, by one port of the switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flows_per_host: Option<i64>,
    /// Neighbours remembered in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbors: Option<i64>,
    /// ICMP errors a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_errors: Option<i64>,
    /// Whose timers hold where none is written: "rfc" (default), "linux" or "ovs".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timers: Option<String>,
    /// `[switch.timeouts]`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<TimeoutsSpec>,
}

/// `[switch.timeouts]`: seconds. A key for one state wins over the key for all of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutsSpec {
    /// An idle UDP flow, answered or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp: Option<i64>,
    /// A UDP flow until both sides have spoken twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp_unreplied: Option<i64>,
    /// A UDP flow from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp_stream: Option<i64>,
    /// An idle, established TCP connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_established: Option<i64>,
    /// A TCP connection that opens or closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_transitory: Option<i64>,
    /// A TCP connection until its handshake is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_opening: Option<i64>,
    /// A TCP connection once a side has closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_closing: Option<i64>,
    /// A TCP connection once both sides have closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_time_wait: Option<i64>,
    /// A TCP connection after a reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_close: Option<i64>,
    /// An ICMP query, answered or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp: Option<i64>,
    /// An ICMP query without an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_unreplied: Option<i64>,
    /// An ICMP query once it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_replied: Option<i64>,
    /// A flow of any other protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<i64>,
    /// A neighbour is trusted this long without a new proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbor_reachable: Option<i64>,
    /// A neighbour that nobody asks for is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbor_stale: Option<i64>,
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
