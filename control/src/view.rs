//! What a running lab looks like, as values that the API sends and the command line prints.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use labfile::machine::DeviceState;
use labfile::{NumberOrText, Port, Segment};

/// One port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortView {
    /// Its name.
    pub name: String,
    /// Its number inside the switch.
    pub number: u32,
    /// `up` or `down`, as its device is, or `lost` with the reason behind a colon.
    pub state: String,
    /// The bridge it is a member of; none for a routed port.
    pub bridge: Option<String>,
    /// Its VLAN mode, as Open vSwitch names it.
    pub vlan: Option<String>,
    /// Whether it is out of reach for the other isolated ports.
    pub isolated: bool,
    /// Whether only its own addresses may speak on it.
    pub guard: bool,
    /// The router's own addresses on it; for routed ports.
    pub router: Vec<String>,
    /// From whom the router takes packets on it: `strict`, `loose` or `off`; for routed ports.
    pub rp_filter: Option<String>,
    /// Where its far end is: `netns red`, `pid 1557`, `netns red, veth`, `host`, `interface eth1`.
    pub attach: String,
    /// The namespace's number, as `ip netns list-id` shows it.
    pub nsid: Option<i32>,
    /// The far end's device; this and what follows is as its kernel tells, or as the lab says of
    /// one that is lost.
    pub device: String,
    /// The device's index in its namespace.
    pub ifindex: Option<u32>,
    /// The device's MAC address.
    pub mac: String,
    /// The device's IPv4 addresses.
    pub address: Vec<String>,
    /// The gateway of the default route through the device.
    pub gateway: Option<Ipv4Addr>,
    /// The largest IP packet that the device sends.
    pub mtu: u32,
    /// The Linux bridge or bond that the device is a port of.
    pub master: Option<String>,
    /// Whether super-frames pass.
    pub offload: bool,
    /// In what the device is not as the lab says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
}

/// How it stands with a port's device.
#[derive(Clone, Debug)]
pub struct PortState {
    /// As [`PortView::state`].
    pub state: String,
    /// The namespace's number, as `ip netns list-id` shows it.
    pub nsid: Option<i32>,
    /// The device's index in its namespace.
    pub ifindex: Option<u32>,
    /// The device as it is; where nothing is known of it, it is shown as the lab has it.
    pub device: Option<DeviceState>,
    /// What of it is not as the lab says.
    pub differs: Vec<String>,
}

impl PortState {
    /// A port of whose device nothing is known.
    pub const fn without_device(state: String) -> Self {
        Self { state, nsid: None, ifindex: None, device: None, differs: Vec::new() }
    }
}

impl PortView {
    /// A port of the lab: every key is shown, or is named as one that is not; the device's own are
    /// as they are.
    pub fn new(number: u32, port: &Port, now: PortState) -> Self {
        #[rustfmt::skip]
        let Port {
            device: _, mac: _, mtu: _, mtu_written: _, super_frame: _, address: _, gateway: _,
            name, attach, offload, guard, segment,
        } = port;
        let (member, router, rp_filter) = match segment {
            Segment::Bridged(member) => (Some(member), Vec::new(), None),
            Segment::Routed { router, router_mac: _, rp_filter } => {
                (None, texts(router), Some(rp_filter.to_string()))
            }
        };
        let device = now.device.unwrap_or_else(|| DeviceState::of(port));
        Self {
            name: name.to_string(),
            number,
            state: now.state,
            bridge: member.map(|member| member.bridge.to_string()),
            vlan: member.map(|member| member.vlan_mode.to_string()),
            isolated: member.is_some_and(|member| member.isolated),
            guard: *guard,
            router,
            rp_filter,
            attach: attach.to_string(),
            nsid: now.nsid,
            device: device.name,
            ifindex: now.ifindex,
            mac: device.mac.to_string(),
            address: texts(&device.address),
            gateway: device.gateway,
            mtu: device.mtu,
            master: device.master,
            offload: *offload,
            differs: now.differs,
        }
    }

    /// What `show` says of its keys besides where it is and its addresses.
    pub fn traits(&self) -> Vec<String> {
        let Self { vlan, isolated, guard, .. } = self;
        let mut traits = Vec::new();
        traits.extend(vlan.clone().filter(|vlan| vlan != "trunk all"));
        traits.extend(isolated.then(|| "isolated".to_owned()));
        traits.extend(guard.then(|| "guarded".to_owned()));
        traits
    }
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// One tunnel, in the words of the lab file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TunnelView {
    /// Its name.
    pub name: String,
    /// `up`; `silent` as long as nothing has come from a remote VTEP, or `down`, with the reason
    /// behind a colon.
    pub state: String,
    /// The bridge that it continues.
    pub bridge: String,
    /// The segment.
    pub vni: u32,
    /// The peers.
    pub remotes: Vec<Ipv4Addr>,
    /// The own address, when one is written.
    pub local: Option<Ipv4Addr>,
    /// The UDP port.
    pub port: u16,
    /// The VLAN that is carried without tags; none for a trunk, 0 for frames without a VLAN.
    pub vlan: Option<u16>,
    /// Whether all VLANs are carried with their tags.
    pub trunk: bool,
    /// Largest IP packet inside.
    pub mtu: u16,
    /// Time to live of the outer packet, or `inherit`.
    pub ttl: NumberOrText,
    /// DSCP of the outer packet, or `inherit`.
    pub dscp: NumberOrText,
    /// Whether the outer packet may not be cut.
    pub df: bool,
    /// Whether the outer UDP checksum is filled in.
    pub checksum: bool,
    /// Whether reserved bits of the VXLAN header are refused.
    pub strict_reserved: bool,
    /// Whether ARP requests for far stations are answered here.
    pub arp_suppression: bool,
    /// Whether the MSS of TCP connections is lowered.
    pub mss_clamp: bool,
    /// Whether stations are learned from what arrives.
    pub learning: bool,
    /// Whether it is out of reach for the isolated ports.
    pub isolated: bool,
}

/// One bridge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BridgeView {
    /// Its name.
    pub name: String,
    /// The router's MAC address on it.
    pub mac: String,
    /// The router's addresses on it, `vlan N: ` ahead of those of a VLAN.
    pub router: Vec<String>,
    /// From whom the router takes packets on it where that is written: `strict`, or `vlan N:
    /// loose`.
    pub rp_filter: Vec<String>,
    /// Its ports.
    pub ports: Vec<String>,
    /// Its tunnels.
    pub tunnels: Vec<String>,
    /// Seconds until a silent station is forgotten.
    pub ageing: u64,
    /// Stations known.
    pub stations: usize,
    /// Stations that fit.
    pub fdb_size: usize,
    /// Reserved protocols that pass.
    pub forward: Vec<String>,
    /// Whether it floods everything.
    pub hub: bool,
    /// Stations learned since the bridge was made.
    pub learned: u64,
    /// Stations forgotten for silence.
    pub expired: u64,
    /// Stations forgotten for room.
    pub evicted: u64,
    /// Stations that changed port.
    pub moved: u64,
}

/// One route in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteView {
    /// Destinations.
    pub to: String,
    /// The next router.
    pub via: Option<Ipv4Addr>,
    /// The interface that packets leave by.
    pub out: Option<String>,
    /// `connected` or `static`.
    pub kind: String,
    /// For a route to nowhere: `unreachable`, `prohibit` or `blackhole`.
    pub reject: Option<String>,
}

/// One station of a forwarding table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StationView {
    /// The bridge.
    pub bridge: String,
    /// The port or tunnel behind which it is; `router` for the router's own address.
    pub port: String,
    /// Behind a tunnel, the remote VTEP that has it.
    pub remote: Option<Ipv4Addr>,
    /// Its VLAN; 0 for none.
    pub vlan: u16,
    /// Its address.
    pub mac: String,
    /// Seconds since it was heard; none for entries that do not age.
    pub age: Option<u64>,
    /// `learned`, `static` or `own`.
    pub origin: String,
}

/// One neighbour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeighborEntry {
    /// Its address.
    pub address: Ipv4Addr,
    /// The interface on which it is.
    pub interface: String,
    /// Its MAC address.
    pub mac: Option<String>,
    /// `incomplete`, `reachable`, `stale`, `probe`, `failed` or `static`.
    pub state: String,
}

/// One flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowEntry {
    /// The flow as `conntrack -L` prints it.
    pub line: String,
    /// Whether its source is translated.
    pub src_nat: bool,
    /// Whether its destination is translated.
    pub dst_nat: bool,
}

/// What a port has carried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortStats {
    /// The port.
    pub port: String,
    /// Frames that its far end sent.
    pub received_frames: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Frames that its far end got.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames that ended here, whatever the reason.
    pub dropped_frames: u64,
}

/// All counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatsView {
    /// By port.
    pub ports: Vec<PortStats>,
    /// Of the switch as a whole, by name.
    pub totals: BTreeMap<String, u64>,
    /// Each packet thread, in order; a replay has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<WorkerStats>,
}

/// One packet thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerStats {
    /// Counts from 0.
    pub worker: usize,
    /// The processor that it stays on, if on one.
    pub cpu: Option<u16>,
    /// How often it looked for frames instead of sleeping.
    pub polls: u64,
    /// How many of these met a frame.
    pub polls_with_frames: u64,
    /// What they took, in microseconds.
    pub polled_us: u64,
}

/// Datagrams of somebody that no tunnel wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnknownVtepView {
    /// Where they came in: `udp 4789`.
    pub port: String,
    /// The VNI that they name; none for those of all further VTEPs together.
    pub vni: Option<u32>,
    /// Who sent them.
    pub remote: Option<Ipv4Addr>,
    /// `unknown-vni` or `unknown-vtep`.
    pub reason: String,
    /// How many.
    pub datagrams: u64,
}

/// Frames of one port that ended for one reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DropView {
    /// The port.
    pub port: String,
    /// The reason's short name.
    pub reason: String,
    /// What it means.
    pub meaning: String,
    /// Frames.
    pub frames: u64,
}
