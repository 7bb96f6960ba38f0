//! A port as the lab defines it: how its far end attaches, and what it is plugged into on our side.
//!
//! An existing device (`interface`) is its own far end: the switch sets nothing of it, so address,
//! MAC address and gateway are for whoever made it.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use packet::{Ipv4Net, Mac};
use switch::change::RpFilter;
use switch::vlan::{PriorityTags, VlanMode, VlanSet};

use super::derived;
use super::device::Device;
use super::list;
use super::name::Name;
use crate::printable;

/// `[port.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name, also the key in the lab.
    pub name: Name,
    /// Where the far end is.
    pub attach: Attach,
    /// The far end's device.
    pub device: Device,
    /// The far end's Ethernet address; without meaning for an existing device, which keeps its
    /// own.
    pub mac: Mac,
    /// Largest IPv4 packet, 68 to 65521 bytes. Unless it is written,
    /// [`Lab::derive_mtus`](super::Lab::derive_mtus) sets it, and an existing device has the
    /// one that it has.
    pub mtu: u16,
    /// Whether the port, or the bridge it is on, says so.
    pub mtu_written: bool,
    /// Largest super-frame that the far end's kernel hands over, from 65,536, its default, down to
    /// what a tunnel of the bridge sends at once; set by
    /// [`Lab::derive_mtus`](super::Lab::derive_mtus). An existing device has its own.
    pub super_frame: u32,
    /// The far end's addresses; may be empty.
    pub address: Vec<Ipv4Net>,
    /// The far end's default gateway, inside a subnet of `address`.
    pub gateway: Option<Ipv4Addr>,
    /// Whether unfinished checksums and super-frames pass.
    pub offload: bool,
    /// Only `mac` and `address`, of which there is one then, may speak on it.
    pub guard: bool,
    /// Our side.
    pub segment: Segment,
}

impl Port {
    /// Every key with its value as people read it, and what a change of it asks of the device.
    pub(crate) fn keys(&self) -> Vec<Key> {
        use DeviceChange::{Alter, Make, None};
        let Self {
            name: _,
            attach: _,
            device: _,
            mac,
            mtu,
            mtu_written,
            super_frame,
            address,
            gateway,
            offload,
            guard,
            segment,
        } = self;
        let key = |name: &str, change, value: &dyn fmt::Display| Key {
            name: name.to_owned(),
            value: value.to_string(),
            brief: Option::None,
            change,
        };
        // The same number may come to stand there for another reason.
        let reason = if *mtu_written { "as written" } else { "by default" };
        let mut keys = vec![
            key("far end", Make, &self.far_end()),
            key("offload", Make, offload),
            key("address", Alter, &list(address)),
            key("gateway", Alter, &list(gateway)),
            key("mtu", Alter, mtu),
            key(&format!("mtu {mtu}"), None, &reason),
            key("super-frames", Alter, super_frame),
            key("mac", Alter, mac),
        ];
        match segment {
            Segment::Bridged(Membership { bridge, vlan_mode, priority_tags, isolated }) => {
                keys.extend([
                    key("bridge", None, bridge),
                    key("vlan_mode", None, vlan_mode).brief(*vlan_mode != ALL_VLANS, vlan_mode),
                    key("priority_tags", None, priority_tags),
                    key("isolated", None, isolated).brief(*isolated, &"isolated"),
                ]);
            }
            Segment::Routed { router, router_mac, rp_filter } => keys.extend([
                key("router", None, &list(router)),
                key("router_mac", None, router_mac),
                key("rp_filter", None, rp_filter),
            ]),
        }
        keys.push(key("guard", None, guard).brief(*guard, &"guarded"));
        keys
    }

    /// What becoming `to` asks of the device.
    pub(crate) fn device_change(&self, to: &Self) -> DeviceChange {
        if (&self.attach, &self.device) != (&to.attach, &to.device) {
            return DeviceChange::Make;
        }
        let now = to.keys();
        let changed = self.keys().into_iter().filter(|key| !now.contains(key));
        changed.map(|key| key.change).max().unwrap_or(DeviceChange::None)
    }

    /// "netns red, eth0", or "interface eth1"
    pub(crate) fn far_end(&self) -> String {
        match &self.attach {
            Attach::Interface(_) => self.attach.to_string(),
            Attach::Netns(_) | Attach::Veth(_) | Attach::Host { .. } => {
                format!("{}, {}", self.attach, self.device)
            }
        }
    }

    /// The bridge it is plugged into.
    pub fn bridge(&self) -> Option<&Name> {
        self.membership().map(|membership| &membership.bridge)
    }

    /// The device in the daemon's own namespace that the switch reads through a packet socket: an
    /// existing one, or the near end of a veth pair. A TAP has none.
    pub fn near_device(&self) -> Option<Device> {
        match &self.attach {
            Attach::Interface(device) => Some(device.clone()),
            Attach::Veth(_) => Some(derived::veth(&self.name)),
            Attach::Netns(_) | Attach::Host { .. } => None,
        }
    }

    /// The router's own addresses on it; none on a port of a bridge.
    pub fn router(&self) -> &[Ipv4Net] {
        match &self.segment {
            Segment::Routed { router, .. } => router,
            Segment::Bridged(_) => &[],
        }
    }

    /// How it is plugged into its bridge.
    pub fn membership(&self) -> Option<&Membership> {
        match &self.segment {
            Segment::Bridged(membership) => Some(membership),
            Segment::Routed { .. } => None,
        }
    }
}

/// A key of a port, as a plan's lines show it.
#[derive(PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) value: String,
    /// What a line says of it that tells of the whole port, where it is worth a word.
    pub(crate) brief: Option<String>,
    change: DeviceChange,
}

impl Key {
    fn brief(self, is_worth_it: bool, word: &dyn fmt::Display) -> Self {
        Self { brief: is_worth_it.then(|| word.to_string()), ..self }
    }
}

/// What a change of a key asks of a port's device; the last is the greatest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DeviceChange {
    /// Nothing: it is for the switch.
    None,
    /// It changes in place.
    Alter,
    /// It is made anew.
    Make,
}

/// Where the far end of a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attach {
    /// A TAP inside a network namespace.
    Netns(Netns),
    /// One end of a veth pair inside a network namespace; see [`Port::near_device`] for the other.
    Veth(Netns),
    /// A TAP in the daemon's own namespace.
    Host {
        /// An existing Linux bridge that the TAP is enslaved to.
        master: Option<Device>,
    },
    /// An existing device in the daemon's own namespace, as it is found.
    Interface(Device),
}

impl Attach {
    /// The namespace that the far end is made in; none when it is the daemon's own.
    pub fn netns(&self) -> Option<&Netns> {
        match self {
            Self::Netns(netns) | Self::Veth(netns) => Some(netns),
            Self::Host { .. } | Self::Interface(_) => None,
        }
    }
}

impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netns(netns) => netns.fmt(f),
            Self::Veth(netns) => write!(f, "{netns}, veth"),
            Self::Host { master: None } => f.write_str("host"),
            Self::Host { master: Some(master) } => write!(f, "host, master {master}"),
            Self::Interface(device) => write!(f, "interface {device}"),
        }
    }
}

/// How a network namespace is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Netns {
    /// As `ip netns` knows it; made when absent.
    Name(String),
    /// A file that is one, such as `/proc/1557/ns/net`; absolute.
    Path(PathBuf),
    /// That of a process.
    Pid(u32),
}

impl Netns {
    /// The file that is the namespace.
    pub fn file(&self) -> PathBuf {
        match self {
            Self::Name(name) => PathBuf::from("/run/netns").join(name),
            Self::Path(path) => match path.strip_prefix("/var/run/netns") {
                Ok(name) => PathBuf::from("/run/netns").join(name),
                Err(_) => path.clone(),
            },
            Self::Pid(pid) => PathBuf::from(format!("/proc/{pid}/ns/net")),
        }
    }
}

impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "netns {}", printable::line(name)),
            Self::Path(path) => write!(f, "netns {}", printable::path(path)),
            Self::Pid(pid) => write!(f, "pid {pid}"),
        }
    }
}

/// What a port is plugged into on our side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A bridge.
    Bridged(Membership),
    /// The router alone: the port is a segment of its own.
    Routed {
        /// The switch's own addresses; never empty.
        router: Vec<Ipv4Net>,
        /// The switch's own Ethernet address.
        router_mac: Mac,
        /// From whom the router takes packets.
        rp_filter: RpFilter,
    },
}

/// How a port is plugged into a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The bridge.
    pub bridge: Name,
    /// The VLANs that pass.
    pub vlan_mode: VlanMode,
    /// Whether frames leave with a tag for their priority alone.
    pub priority_tags: PriorityTags,
    /// Out of reach for the other isolated ports.
    pub isolated: bool,
}

/// How a port is in a bridge of which nobody wrote anything.
const ALL_VLANS: VlanMode = VlanMode::Trunk(VlanSet::All);
/// Of Ethernet since ever.
pub(crate) const DEFAULT_MTU: u16 = 1500;
/// Linux's default for super-frames (`gso_max_size`).
pub const SUPER_FRAME: u32 = 65_536;
