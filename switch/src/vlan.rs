//! Which VLANs a port carries, and how a frame of one looks on it (IEEE 802.1Q clause 8, Open
//! vSwitch's names).

use core::fmt;

use packet::snapshot::{read_sparse, write_sparse};
use packet::{DropReason, Tag, VlanId};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of VLANs, 0 (frames without a VLAN) included.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum VlanSet {
    /// Every VLAN.
    All,
    /// The VLANs whose bit is set; 512 bytes.
    Only(#[serde(serialize_with = "write_bits", deserialize_with = "read_bits")] Box<[u64; 64]>),
}

impl VlanSet {
    /// Just these VLANs; of none, nothing.
    pub fn only(vlans: impl IntoIterator<Item = VlanId>) -> Self {
        let mut bits = Box::new([0; 64]);
        for vlan in vlans {
            if let Some(word) = bits.get_mut(usize::from(vlan.number() / 64)) {
                *word |= 1 << (vlan.number() % 64);
            }
        }
        Self::Only(bits)
    }

    /// Its VLANs in order; `None` when it is every one.
    pub fn listed(&self) -> Option<impl Iterator<Item = VlanId>> {
        let all = (0..=VlanId::MAX.number()).filter_map(VlanId::new);
        (*self != Self::All).then(|| all.filter(|vlan| self.contains(*vlan)))
    }

    /// Whether `vlan` is in it.
    pub fn contains(&self, vlan: VlanId) -> bool {
        match self {
            Self::All => true,
            Self::Only(bits) => bits
                .get(usize::from(vlan.number() / 64))
                .is_some_and(|word| word >> (vlan.number() % 64) & 1 == 1),
        }
    }

    /// Whether the VLAN of a customer's `tag` is in it; without one, whether 0 is. All is the
    /// reserved 4095 as well.
    fn contains_customer(&self, tag: Option<Tag>) -> bool {
        let vlan = tag.map_or(Some(VlanId::UNTAGGED), Tag::vlan);
        matches!(self, Self::All) || vlan.is_some_and(|vlan| self.contains(vlan))
    }
}

fn write_bits<S: Serializer>(bits: &[u64; 64], writer: S) -> Result<S::Ok, S::Error> {
    write_sparse(bits, writer)
}

fn read_bits<'de, D: Deserializer<'de>>(reader: D) -> Result<Box<[u64; 64]>, D::Error> {
    let bits: Result<Box<[u64; 64]>, _> = read_sparse::<64, D>(reader)?.try_into();
    bits.map_err(|_| D::Error::custom("a set of VLANs has no such length"))
}

impl fmt::Display for VlanSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(vlans) = self.listed() else { return f.write_str("all") };
        let vlans: Vec<String> = vlans.map(|vlan| vlan.to_string()).collect();
        f.write_str(&vlans.join(","))
    }
}

/// Open vSwitch's `vlan_mode`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum VlanMode {
    /// All untagged frames belong to this VLAN; tagged ones are refused.
    Access(VlanId),
    /// Frames carry their VLAN's tag; untagged ones are in VLAN 0.
    Trunk(VlanSet),
    /// A trunk whose untagged frames belong to `native`, which leaves tagged.
    NativeTagged {
        /// VLAN of untagged frames.
        native: VlanId,
        /// The others.
        trunks: VlanSet,
    },
    /// A trunk whose untagged frames belong to `native`, which leaves untagged.
    NativeUntagged {
        /// VLAN of untagged frames.
        native: VlanId,
        /// The others.
        trunks: VlanSet,
    },
    /// All frames belong to the VLAN that `service` names; a tag that they come with is a
    /// customer's, and stays in them behind that one.
    Dot1qTunnel {
        /// What is pushed on the way in and popped on the way out; its kind is the service tag's
        /// on trunks.
        service: Tag,
        /// The customers' VLANs that pass; 0 stands for frames without a tag.
        customers: VlanSet,
    },
}

/// Whether frames that leave untagged carry a tag of VLAN 0 for their priority (Open vSwitch's
/// `priority-tags`).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum PriorityTags {
    /// Never: the priority is lost.
    #[default]
    Never,
    /// When the priority is not zero.
    IfNonzero,
    /// Also when it is zero, of a frame that came with a tag: the tag is kept, not invented.
    Always,
}

impl fmt::Display for PriorityTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Never => "never",
            Self::IfNonzero => "if-nonzero",
            Self::Always => "always",
        })
    }
}

impl VlanMode {
    /// The VLAN that a frame with this tag is in.
    ///
    /// # Errors
    /// [`DropReason::BadVlan`], [`DropReason::TaggedOnAccess`] or [`DropReason::NotInVlan`].
    pub fn admit(&self, tag: Option<Tag>) -> Result<VlanId, DropReason> {
        let named = match tag.map(Tag::vlan) {
            None => VlanId::UNTAGGED,
            Some(Some(vlan)) => vlan,
            Some(None) => return Err(DropReason::BadVlan),
        };
        match self {
            Self::Access(vlan) if named.is_untagged() => Ok(*vlan),
            Self::Access(_) => Err(DropReason::TaggedOnAccess),
            Self::Dot1qTunnel { service, customers } if customers.contains(named) => {
                service.vlan().ok_or(DropReason::BadVlan)
            }
            Self::NativeTagged { native, .. } | Self::NativeUntagged { native, .. }
                if named.is_untagged() =>
            {
                Ok(*native)
            }
            Self::Dot1qTunnel { .. } => Err(DropReason::NotInVlan),
            _ if self.carries(named, None) => Ok(named),
            _ => Err(DropReason::NotInVlan),
        }
    }

    /// Whether frames of `vlan` pass whose bytes begin with the tag `inside`, if with any.
    pub fn carries(&self, vlan: VlanId, inside: Option<Tag>) -> bool {
        match self {
            Self::Access(own) => *own == vlan,
            Self::Dot1qTunnel { service, customers } => {
                service.vlan() == Some(vlan) && customers.contains_customer(inside)
            }
            Self::Trunk(trunks) => trunks.contains(vlan),
            Self::NativeTagged { native, trunks } | Self::NativeUntagged { native, trunks } => {
                *native == vlan || (!vlan.is_untagged() && trunks.contains(vlan))
            }
        }
    }

    /// Whether frames of `vlan` pass, whatever is inside them.
    pub fn passes(&self, vlan: VlanId) -> bool {
        match self {
            Self::Dot1qTunnel { service, .. } => service.vlan() == Some(vlan),
            _ => self.carries(vlan, None),
        }
    }

    /// The VLAN whose frames both come and leave without tags.
    pub fn untagged(&self) -> Option<VlanId> {
        match self {
            Self::Access(vlan) | Self::NativeUntagged { native: vlan, .. } => Some(*vlan),
            Self::Dot1qTunnel { service, .. } => service.vlan(),
            Self::Trunk(trunks) => trunks.contains(VlanId::UNTAGGED).then_some(VlanId::UNTAGGED),
            Self::NativeTagged { .. } => None,
        }
    }

    /// The tag that frames come in under, ahead of what they came with; none but at a tunnel's end.
    #[inline]
    pub(crate) const fn pushes(&self) -> Option<Tag> {
        match self {
            Self::Dot1qTunnel { service, .. } => Some(*service),
            Self::Access(_)
            | Self::Trunk(_)
            | Self::NativeTagged { .. }
            | Self::NativeUntagged { .. } => None,
        }
    }

    /// The tag that a frame of `vlan` leaves with; `came` is the tag it came with, whose priority
    /// is kept.
    pub fn tag(&self, vlan: VlanId, came: Option<Tag>, priority: PriorityTags) -> Option<Tag> {
        let had_tag = came.is_some();
        let came = came.unwrap_or(Tag::new(VlanId::UNTAGGED));
        let tagged = match self {
            Self::Access(_) => false,
            // What is in the bytes is the customer's own, and stays as it is.
            Self::Dot1qTunnel { .. } => return None,
            Self::Trunk(_) | Self::NativeTagged { .. } => !vlan.is_untagged(),
            Self::NativeUntagged { native, .. } => *native != vlan && !vlan.is_untagged(),
        };
        if tagged {
            return Some(came.in_vlan(vlan));
        }
        let keep = match priority {
            PriorityTags::Never => false,
            PriorityTags::IfNonzero => came.priority() != 0,
            PriorityTags::Always => had_tag,
        };
        keep.then(|| came.in_vlan(VlanId::UNTAGGED))
    }
}

impl fmt::Display for VlanMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Access(vlan) => write!(f, "access {vlan}"),
            Self::Trunk(trunks) => write!(f, "trunk {trunks}"),
            Self::NativeTagged { native, trunks } => {
                write!(f, "native-tagged {native} trunk {trunks}")
            }
            Self::NativeUntagged { native, trunks } => {
                write!(f, "native-untagged {native} trunk {trunks}")
            }
            Self::Dot1qTunnel { service, customers } => {
                let vlan = service.bits() & 0xfff;
                write!(f, "dot1q-tunnel {vlan} {} customers {customers}", service.standard())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vlan(number: u16) -> VlanId {
        VlanId::new(number).unwrap()
    }

    fn tag(number: u16) -> Option<Tag> {
        Some(Tag::from_bits(number | 5 << 13))
    }

    /// BR10.
    #[test]
    fn access_ports_take_untagged_and_priority_tagged_frames_only() {
        let access = VlanMode::Access(vlan(10));
        assert_eq!(access.admit(None), Ok(vlan(10)));
        assert_eq!(access.admit(tag(0)), Ok(vlan(10)));
        assert_eq!(access.admit(tag(10)), Err(DropReason::TaggedOnAccess));
        assert_eq!(access.admit(tag(4095)), Err(DropReason::BadVlan));
        assert_eq!(access.tag(vlan(10), tag(10), PriorityTags::Never), None);
        assert_eq!(access.tag(vlan(10), tag(10), PriorityTags::IfNonzero), tag(0));
        assert_eq!(access.tag(vlan(10), None, PriorityTags::IfNonzero), None);
        let no_priority = Some(Tag::from_bits(0));
        assert_eq!(access.tag(vlan(10), no_priority, PriorityTags::IfNonzero), None);
        assert_eq!(access.tag(vlan(10), no_priority, PriorityTags::Always), no_priority);
        assert_eq!(access.tag(vlan(10), None, PriorityTags::Always), None, "never invented");
    }

    /// BR11.
    #[test]
    fn trunks_carry_their_list_with_tags() {
        let trunk = VlanMode::Trunk(VlanSet::only([vlan(10), vlan(20)]));
        assert_eq!(trunk.admit(tag(20)), Ok(vlan(20)));
        assert_eq!(trunk.admit(tag(30)), Err(DropReason::NotInVlan));
        assert_eq!(trunk.admit(None), Err(DropReason::NotInVlan));
        assert_eq!(VlanMode::Trunk(VlanSet::All).admit(None), Ok(vlan(0)));
        assert_eq!(trunk.tag(vlan(20), tag(7), PriorityTags::Never), tag(20));
    }

    /// BR11.
    #[test]
    fn native_modes_differ_only_in_the_tag_that_leaves() {
        let trunks = VlanSet::only([vlan(20)]);
        let tagged = VlanMode::NativeTagged { native: vlan(10), trunks: trunks.clone() };
        let untagged = VlanMode::NativeUntagged { native: vlan(10), trunks };
        for mode in [&tagged, &untagged] {
            assert_eq!(mode.admit(None), Ok(vlan(10)));
            assert_eq!(mode.admit(tag(10)), Ok(vlan(10)));
            assert_eq!(mode.admit(tag(20)), Ok(vlan(20)));
            assert_eq!(mode.admit(tag(30)), Err(DropReason::NotInVlan));
            assert!(!mode.carries(vlan(0), None));
        }
        assert_eq!(tagged.tag(vlan(10), None, PriorityTags::Never), Some(Tag::new(vlan(10))));
        assert_eq!(untagged.tag(vlan(10), None, PriorityTags::Never), None);
    }
}
