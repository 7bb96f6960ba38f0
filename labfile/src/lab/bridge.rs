//! A bridge as the lab defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use packet::{Ipv4Net, Mac, VlanId};
use switch::change::RpFilter;

use super::name::Name;

/// `[bridge.NAME]`, without its static entries, which depend on ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Its name, also the key in the lab.
    pub name: Name,
    /// The switch's own Ethernet address, in every VLAN.
    pub mac: Mac,
    /// Largest IPv4 packet, 68 to 65521 bytes, when written.
    pub mtu: Option<u16>,
    /// Learn nothing and flood everything.
    pub hub: bool,
    /// A silent station is forgotten after 15 to 3600 seconds.
    pub ageing: Duration,
    /// Stations remembered, 10 to 1,000,000.
    pub fdb_size: u32,
    /// Reserved group addresses that are forwarded like any other.
    pub forward: BTreeSet<Reserved>,
    /// The switch's own addresses among frames without a VLAN; may be empty.
    pub router: Vec<Ipv4Net>,
    /// The switch's own addresses in VLANs; no list is empty.
    pub vlans: BTreeMap<VlanId, Vec<Ipv4Net>>,
    /// From whom packets are taken, by VLAN of the own addresses, where it is written.
    pub rp_filters: BTreeMap<VlanId, RpFilter>,
}

impl Bridge {
    /// The switch's own addresses in `vlan`.
    pub fn addresses(&self, vlan: VlanId) -> &[Ipv4Net] {
        if vlan.is_untagged() {
            &self.router
        } else {
            self.vlans.get(&vlan).map_or(&[], Vec::as_slice)
        }
    }

    /// The VLANs where the switch has addresses of its own, [`VlanId::UNTAGGED`] ahead of the
    /// others.
    pub fn segments(&self) -> impl Iterator<Item = VlanId> {
        let untagged = (!self.router.is_empty()).then_some(VlanId::UNTAGGED);
        untagged.into_iter().chain(self.vlans.keys().copied())
    }

    /// From whom packets are taken in `vlan`.
    pub fn rp_filter(&self, vlan: VlanId) -> RpFilter {
        self.rp_filters.get(&vlan).copied().unwrap_or_default()
    }
}

/// A station that is known without being heard, and never moves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Static {
    /// The bridge.
    pub bridge: Name,
    /// The VLAN of the entry; [`VlanId::UNTAGGED`] for frames without one.
    pub vlan: VlanId,
    /// The station.
    pub mac: Mac,
    /// The port or the tunnel it is behind; it belongs to `bridge`.
    pub port: Name,
    /// Behind a tunnel, the peer that has it, one of the tunnel's remotes; none for a port.
    pub remote: Option<Ipv4Addr>,
}

impl fmt::Display for Static {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "static {} on {}", self.mac, self.bridge)?;
        if !self.vlan.is_untagged() {
            write!(f, " VLAN {}", self.vlan)?;
        }
        match self.remote {
            Some(remote) => write!(f, " at tunnel {} to {remote}", self.port),
            None => write!(f, " at port {}", self.port),
        }
    }
}

/// One of the sixteen group addresses 01:80:C2:00:00:00 to 0F, by its last nibble (IEEE 802.1Q-2018
/// table 8-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reserved(u8);

impl Reserved {
    /// The address that ends in `nibble`, 0 to 15.
    pub const fn new(nibble: u8) -> Option<Self> {
        if nibble < 16 { Some(Self(nibble)) } else { None }
    }

    /// The address of a protocol by its short name.
    pub fn named(name: &str) -> Option<Self> {
        let (_, nibble) = PROTOCOLS.iter().find(|(known, _)| *known == name)?;
        Some(Self(*nibble))
    }

    /// The names that [`Reserved::named`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PROTOCOLS.iter().map(|(name, _)| *name)
    }

    /// All sixteen.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self)
    }

    /// 0 to 15.
    pub const fn nibble(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PROTOCOLS.iter().find(|(_, nibble)| *nibble == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "01:80:c2:00:00:{:02x}", self.0),
        }
    }
}

/// Who speaks to which of the sixteen; the first name of an address is the one shown.
///
/// PTP's peer delay messages, and all of 802.1AS, share LLDP's address (IEEE 1588-2019 annex E,
/// 802.1AS-2020 table 10-3); its other messages go to 01:1B:19:00:00:00, a group like any other,
/// which is flooded.
const PROTOCOLS: [(&str, u8); 7] = [
    ("stp", 0x0),
    ("pause", 0x1),
    ("lacp", 0x2),
    ("slow", 0x2),
    ("dot1x", 0x3),
    ("lldp", 0xe),
    ("ptp", 0xe),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_addresses_have_names_and_numbers() {
        assert_eq!(Reserved::named("lldp").map(Reserved::nibble), Some(14));
        assert_eq!(Reserved::named("slow").map(|address| address.to_string()), Some("lacp".into()));
        assert_eq!(Reserved::named("ptp"), Reserved::named("lldp"), "they share an address");
        assert_eq!(Reserved::named("ospf"), None);
        assert_eq!(Reserved::new(16), None);
        assert_eq!(Reserved::new(8).unwrap().to_string(), "01:80:c2:00:00:08");
        assert_eq!(Reserved::all().count(), 16);
    }
}
