//! A lab as it is written: the lab file's keys, and the JSON of the control API.
//!
//! Values stay as written (addresses are text, numbers are wide) so that one check judges files and requests alike,
//! and so that a lab can be written back as a file. A key left out stays out. Nothing here says what is legal.

pub(crate) mod texts;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::printable;
use texts::{BoolOrText, NumberOrText, Texts};

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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BridgeSpec {
    /// The switch's own addresses among frames without a VLAN, as "192.168.0.1/24".
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub router: Texts,
    /// The switch's own Ethernet address here; derived from the name when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Largest IPv4 packet, in bytes; also the default of the bridge's ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<i64>,
    /// Seconds after which a silent station is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ageing: Option<i64>,
    /// How many stations are remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fdb_size: Option<i64>,
    /// Reserved group addresses that are forwarded: "stp", "lacp", "lldp", ..., an address, or "all".
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub forward: Texts,
    /// Learn nothing and flood everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<bool>,
    /// Its ports are out of each other's reach, unless they say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolated: Option<bool>,
    /// The default of the bridge's ports: see [`PortSpec::guard`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<bool>,
    /// From whom the router takes packets here: "strict", "loose" (default) or "off"; also the default of the VLANs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rp_filter: Option<String>,
    /// `[bridge.NAME.vlan.NUMBER]`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub vlan: BTreeMap<String, VlanSpec>,
    /// `[[bridge.NAME.static]]`
    #[serde(rename = "static", skip_serializing_if = "Vec::is_empty")]
    pub statics: Vec<StaticSpec>,
}

/// `[bridge.NAME.vlan.NUMBER]`: the switch's own addresses in a VLAN.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VlanSpec {
    /// As [`BridgeSpec::router`].
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub router: Texts,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortSpec {
    /// The bridge it is plugged into; or else `router`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// The switch's own addresses on a routed port; or else `bridge`.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub router: Texts,
    /// The switch's own Ethernet address on a routed port; derived from the name when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router_mac: Option<String>,
    /// From whom the router takes packets on a routed port: as [`BridgeSpec::rp_filter`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rp_filter: Option<String>,
    /// The namespace of the far end: a name (made when absent), or a path when it has a slash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
    /// A process whose network namespace is the far end's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i64>,
    /// The far end is in the daemon's own namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<bool>,
    /// An existing device of the daemon's own namespace, which becomes the port as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// What joins the namespace to the switch: "tap" (default), or "veth" for a real pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// With `host`: the Linux bridge that the device is enslaved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
    /// Name of the far end's device: "eth0" in a namespace, the port's name on the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Ethernet address of the far end's device; derived from the port's name when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Largest IPv4 packet, in bytes: the bridge's, or that of its smallest tunnel, or 1500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<i64>,
    /// The far end's addresses, as "192.168.0.2/24".
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub address: Texts,
    /// The far end's default gateway; false or "none" for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<BoolOrText>,
    /// Pass unfinished checksums and super-frames through (default), or finish them in the far end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offload: Option<bool>,
    /// Out of reach for the other isolated ports of the bridge; left out: as the bridge says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolated: Option<bool>,
    /// Only the port's own `mac` and `address` may speak on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<bool>,
    /// The one VLAN of an access port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<i64>,
    /// The tagged VLANs of a trunk; left out: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trunks: Vec<i64>,
    /// The VLAN of untagged frames on a trunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<i64>,
    /// "access", "trunk", "native-tagged", "native-untagged" or "dot1q-tunnel"; left out: as the other keys imply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan_mode: Option<String>,
    /// Of a dot1q-tunnel port: the customers' VLANs that pass, 0 for frames without a tag; left out: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cvlans: Vec<i64>,
    /// Of a dot1q-tunnel port: what tag of `vlan` a trunk has outside, "802.1ad" (default) or "802.1q".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qinq_ethertype: Option<String>,
    /// Whether frames leave with a tag for their priority alone: false, true ("if-nonzero") or "always".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_tags: Option<BoolOrText>,
}

/// `[tunnel.NAME]`: a bridge continued at other hosts, over VXLAN (RFC 7348).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TunnelSpec {
    /// The bridge that is continued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// The number of the segment, the same at every peer; left out: 0, as with Open vSwitch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vni: Option<i64>,
    /// The peers' addresses.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub remotes: Texts,
    /// The own address that datagrams leave from and arrive at; left out: as the kernel routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
    /// The UDP port, here and at the peers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// The one VLAN that is carried, without tags inside; left out: frames without a VLAN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<i64>,
    /// Carry every VLAN, with its tags inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<bool>,
    /// Largest IPv4 packet inside, in bytes; derived from the path to the peers when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<i64>,
    /// Time to live of the outer packet, or "inherit" for that of the packet inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<NumberOrText>,
    /// DSCP of the outer packet, or "inherit" for that of the packet inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dscp: Option<NumberOrText>,
    /// Forbid routers on the way to cut the outer packet (default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub df: Option<bool>,
    /// Outer UDP checksum: true ("on", default), or false ("zero") for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<BoolOrText>,
    /// Drop datagrams that set reserved bits of the VXLAN header, as Open vSwitch does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_reserved: Option<bool>,
    /// Answer ARP requests for known far stations here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arp_suppression: Option<bool>,
    /// Lower the MSS of TCP connections to what fits the tunnel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mss_clamp: Option<bool>,
    /// Learn from what arrives which peer has which station (default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning: Option<bool>,
    /// Out of reach for the isolated ports of the bridge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolated: Option<bool>,
}

/// `[[route]]`: one of `via`, `out` and `reject` says what happens to packets for `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteSpec {
    /// The destinations: "10.0.0.0/8", "10.1.2.3" or "default".
    pub to: String,
    /// The next router's address, in a subnet of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// The interface: "wan", "br0" or "br0.10"; beside `via` it only has to agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
    /// Refuse the packets: "unreachable", "prohibit" or, without a word to the sender, "blackhole".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reject: Option<String>,
}

/// `[[masquerade]]`: packets from `source` leave `out` with an address of `out`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MasqueradeSpec {
    /// The inside network.
    pub source: String,
    /// The interface: "wan", "br0" or "br0.10".
    pub out: String,
    /// Destinations that are left as they are.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub except: Texts,
    /// "endpoint-independent" (default) or "address-and-port-dependent".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
    /// "address-and-port-dependent" (default), "address-dependent" or "endpoint-independent".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filtering: Option<String>,
    /// Outside ports to choose from, as "1024-65535".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<String>,
    /// Keep even ports even and odd ports odd (default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parity: Option<bool>,
    /// Let who is outside reach the hosts inside at their own addresses, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside_reachable: Option<bool>,
    /// Let its flows go on when it changes or goes; without, those end that it would translate otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<bool>,
}

/// `[[publish]]`: connections to `listen` reach `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PublishSpec {
    /// "203.0.113.1:8080/tcp", "0.0.0.0:53/udp" (every own address) or "wan:8080" (an interface; tcp).
    pub listen: String,
    /// "192.168.0.2:80", or "192.168.0.2" for the same port.
    pub to: String,
    /// Let its flows go on when it changes or goes; without, those end that it would translate otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
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
