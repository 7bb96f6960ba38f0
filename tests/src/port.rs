//! A port in few words.

use packet::{Tag, VlanId};
use switch::vlan::{PriorityTags, VlanMode, VlanSet};

use crate::link::Link;

/// A port as a test describes it: `Port::on("br0").access(10).isolated()`.
#[derive(Clone, Debug)]
pub struct Port {
    pub(crate) bridge: Option<String>,
    pub(crate) addresses: Vec<String>,
    pub(crate) vlans: VlanMode,
    pub(crate) priority_tags: PriorityTags,
    pub(crate) isolated: bool,
    /// Addresses that alone may speak on it, with the station's own MAC address.
    pub(crate) guard: Option<Vec<String>>,
    pub(crate) mtu: u16,
    pub(crate) offload: bool,
    pub(crate) link: Link,
}

impl Port {
    /// A port of a bridge that carries every VLAN, as Open vSwitch's do.
    pub fn on(bridge: &str) -> Self {
        Self { bridge: Some(bridge.into()), ..Self::routed("0.0.0.0/0") }
    }

    /// A port whose cable ends in the router, which has this address there.
    pub fn routed(address: &str) -> Self {
        Self {
            bridge: None,
            addresses: vec![address.into()],
            vlans: VlanMode::Trunk(VlanSet::All),
            priority_tags: PriorityTags::Never,
            isolated: false,
            guard: None,
            mtu: 1500,
            offload: false,
            link: Link::default(),
        }
    }

    /// One more address of the router on this routed port.
    #[must_use]
    pub fn and(mut self, address: &str) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// An access port of a VLAN.
    #[must_use]
    pub fn access(self, vlan: u16) -> Self {
        Self { vlans: VlanMode::Access(id(vlan)), ..self }
    }

    /// A trunk of these VLANs; 0 stands for frames without one.
    #[must_use]
    pub fn trunk(self, vlans: &[u16]) -> Self {
        Self { vlans: VlanMode::Trunk(set(vlans)), ..self }
    }

    /// A trunk whose untagged frames belong to `native`, which leaves tagged.
    #[must_use]
    pub fn native_tagged(self, native: u16, vlans: &[u16]) -> Self {
        let vlans = VlanMode::NativeTagged { native: id(native), trunks: set(vlans) };
        Self { vlans, ..self }
    }

    /// A trunk whose untagged frames belong to `native`, which leaves untagged.
    #[must_use]
    pub fn native_untagged(self, native: u16, vlans: &[u16]) -> Self {
        let vlans = VlanMode::NativeUntagged { native: id(native), trunks: set(vlans) };
        Self { vlans, ..self }
    }

    /// The end of a tunnel through `service`, whose tags are 802.1ad's or 802.1Q's, for all
    /// customers' VLANs.
    #[must_use]
    pub fn dot1q_tunnel(self, service: u16, ad: bool) -> Self {
        let tag = Tag::new(id(service));
        let service = if ad { tag.service() } else { tag };
        Self { vlans: VlanMode::Dot1qTunnel { service, customers: VlanSet::All }, ..self }
    }

    /// Of a tunnel's end: for these customers' VLANs; 0 stands for frames without one.
    #[must_use]
    pub fn customers(mut self, vlans: &[u16]) -> Self {
        if let VlanMode::Dot1qTunnel { customers, .. } = &mut self.vlans {
            *customers = set(vlans);
        }
        self
    }

    /// With tags for priority alone.
    #[must_use]
    pub fn priority_tags(self, priority_tags: PriorityTags) -> Self {
        Self { priority_tags, ..self }
    }

    /// Talks only to ports that are not isolated.
    #[must_use]
    pub fn isolated(self) -> Self {
        Self { isolated: true, ..self }
    }

    /// Only the station's own MAC address and these addresses may speak on it.
    #[must_use]
    pub fn guard(self, addresses: &[&str]) -> Self {
        Self { guard: Some(addresses.iter().map(ToString::to_string).collect()), ..self }
    }

    /// Takes IP packets of up to `mtu` bytes.
    #[must_use]
    pub fn mtu(self, mtu: u16) -> Self {
        Self { mtu, ..self }
    }

    /// Its end sends and takes partial checksums and super-frames, as a TAP with a virtio header
    /// does.
    #[must_use]
    pub fn offload(self) -> Self {
        Self { offload: true, ..self }
    }

    /// With a cable that is not perfect.
    #[must_use]
    pub fn link(self, link: Link) -> Self {
        Self { link, ..self }
    }
}

pub(crate) fn id(vlan: u16) -> VlanId {
    VlanId::new(vlan).unwrap_or_else(|| panic!("no VLAN {vlan}"))
}

fn set(vlans: &[u16]) -> VlanSet {
    VlanSet::only(vlans.iter().map(|vlan| id(*vlan)))
}
