//! A tunnel as the lab defines it: a bridge continued at other hosts, over VXLAN (RFC 7348).

use std::fmt;
use std::net::Ipv4Addr;
use std::num::{NonZeroU8, NonZeroU16};

use packet::VlanId;
use vxlan::encap::SendLimits;
use vxlan::{Vni, outer};

use super::name::Name;
use super::port::SUPER_FRAME;

/// `[tunnel.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Its name, also the key in the lab.
    pub name: Name,
    /// The bridge that it continues.
    pub bridge: Name,
    /// The segment.
    pub vni: Vni,
    /// The peers in the order they are written; never empty, and none twice.
    pub remotes: Vec<Ipv4Addr>,
    /// The own address that datagrams leave from and arrive at; none of the remotes. Every tunnel
    /// of one UDP port has one, or none has.
    pub local: Option<Ipv4Addr>,
    /// The UDP port, here and at the peers.
    pub port: NonZeroU16,
    /// What it carries of the bridge.
    pub vlans: TunnelVlans,
    /// Largest IPv4 packet inside. Unless it is written,
    /// [`Lab::derive_mtus`](super::Lab::derive_mtus) sets it.
    pub mtu: u16,
    /// Whether the lab says so.
    pub mtu_written: bool,
    /// Of the outer packet.
    pub ttl: Ttl,
    /// Of the outer packet.
    pub dscp: Dscp,
    /// Routers on the way may not cut the outer packet.
    pub df: bool,
    /// Whether the outer UDP checksum is filled in.
    pub checksum: bool,
    /// Whether datagrams that set reserved bits of the VXLAN header are dropped.
    pub strict_reserved: bool,
    /// Whether ARP requests for known far stations are answered here.
    pub arp_suppression: bool,
    /// Whether the MSS of TCP connections is lowered to what fits.
    pub mss_clamp: bool,
    /// Whether it is learned from what arrives which peer has which station.
    pub learning: bool,
    /// Out of reach for the isolated ports.
    pub isolated: bool,
}

impl Tunnel {
    /// Bytes of an outer IPv4 packet that are not for the IPv4 packet inside: outer IPv4, UDP and
    /// VXLAN headers, the Ethernet header inside, and its VLAN tag where tags are carried.
    pub const fn overhead(&self) -> u16 {
        self.vlans.overhead()
    }

    /// The largest super-frame of TCP that leaves in one send, as
    /// [`Port::super_frame`](super::port::Port::super_frame) counts: as many full segments as
    /// there are datagrams of them in a send. A frame with a few segments more would
    /// leave in two, and the second costs as much as the first.
    pub(super) fn super_frame(&self) -> u32 {
        /// Ethernet header and tag inside, and the VXLAN header.
        const HEADERS: usize = 14 + 4 + 8;
        /// IPv4 header, and TCP's with timestamps.
        const TCP: usize = 20 + 32;
        /// What the kernel sets aside for headers, whatever they take (`MAX_TCP_HEADER`, some 320),
        /// and less than a segment.
        const MARGIN: usize = 512;
        let segment = usize::from(self.mtu).saturating_sub(TCP);
        let SendLimits { datagrams, bytes } = SendLimits::BATCH;
        let segments = (bytes / (usize::from(self.mtu) + HEADERS)).clamp(1, datagrams);
        u32::try_from(segments * segment + MARGIN).map_or(SUPER_FRAME, |size| size.min(SUPER_FRAME))
    }
}

/// What a tunnel carries of its bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelVlans {
    /// One VLAN, without tags inside; [`VlanId::UNTAGGED`] for frames without one.
    Access(VlanId),
    /// All VLANs, with their tags inside, and frames without one.
    Trunk,
}

impl TunnelVlans {
    /// The VLAN of frames that have no tag inside.
    pub const fn untagged(self) -> VlanId {
        match self {
            Self::Access(vlan) => vlan,
            Self::Trunk => VlanId::UNTAGGED,
        }
    }

    /// Whether frames of `vlan` pass.
    pub fn passes(self, vlan: VlanId) -> bool {
        match self {
            Self::Access(only) => only == vlan,
            Self::Trunk => true,
        }
    }

    /// Bytes that stand in front of an inside packet's IP header, outer headers and tags.
    pub const fn overhead(self) -> u16 {
        match self {
            Self::Access(_) => HEADERS,
            Self::Trunk => HEADERS + TAG,
        }
    }
}

impl fmt::Display for TunnelVlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Access(vlan) if vlan.is_untagged() => f.write_str("untagged"),
            Self::Access(vlan) => write!(f, "access {vlan}"),
            Self::Trunk => f.write_str("trunk all"),
        }
    }
}

/// Time to live of outer packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// This.
    Fixed(NonZeroU8),
    /// That of the IPv4 packet inside.
    Inherit,
}

impl Ttl {
    /// The same, for whoever writes outer headers.
    pub const fn of_outer(self) -> outer::Ttl {
        match self {
            Self::Fixed(ttl) => outer::Ttl::Fixed(ttl),
            Self::Inherit => outer::Ttl::Inherit,
        }
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(ttl) => write!(f, "{ttl}"),
            Self::Inherit => f.write_str("inherit"),
        }
    }
}

/// DSCP of outer packets (RFC 2474 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dscp {
    /// This, 0 to 63.
    Fixed(u8),
    /// That of the IPv4 packet inside.
    Inherit,
}

impl Dscp {
    /// The same, for whoever writes outer headers.
    pub const fn of_outer(self) -> outer::Dscp {
        match self {
            Self::Fixed(dscp) => outer::Dscp::Fixed(dscp),
            Self::Inherit => outer::Dscp::Inherit,
        }
    }
}

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(dscp) => write!(f, "{dscp}"),
            Self::Inherit => f.write_str("inherit"),
        }
    }
}

/// IPv4 (20), UDP (8), VXLAN (8) and the Ethernet header inside (14).
const HEADERS: u16 = 50;
/// IEEE 802.1Q.
const TAG: u16 = 4;
