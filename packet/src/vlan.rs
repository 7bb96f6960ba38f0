//! VLAN identifiers and 802.1Q tags (IEEE 802.1Q-2018 clause 9).

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::damaged::Damaged;

/// The EtherType of an 802.1Q tag, as it stands in a frame.
pub const TPID_8021Q: [u8; 2] = [0x81, 0x00];
/// The EtherType of an 802.1ad service tag.
pub const TPID_8021AD: [u8; 2] = [0x88, 0xa8];

/// A VLAN inside a bridge: 1 to 4094, or 0 for frames that carry no VLAN ([`VlanId::UNTAGGED`]).
///
/// 4095 is reserved by the standard and cannot be written.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u16")]
pub struct VlanId(u16);

impl VlanId {
    /// The segment of frames without a VLAN; also what VID 0 in a tag means (priority only).
    pub const UNTAGGED: Self = Self(0);
    /// The highest VLAN a frame may be in.
    pub const MAX: Self = Self(4094);

    /// The VLAN numbered `number`, when it is at most 4094.
    #[inline]
    pub const fn new(number: u16) -> Option<Self> {
        if number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// 0 to 4094.
    #[inline]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Whether frames of this VLAN carry no VLAN number.
    #[inline]
    pub const fn is_untagged(self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<u16> for VlanId {
    type Error = Damaged;

    fn try_from(number: u16) -> Result<Self, Damaged> {
        Self::new(number).ok_or(Damaged("a VLAN is above 4094"))
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vlan{}", self.0)
    }
}

/// A tag: 16 bits of control information (priority, drop eligibility, VLAN identifier, which may be
/// 4095 here), and which of the two kinds it is.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Tag {
    bits: u16,
    /// 802.1ad's, and not 802.1Q's.
    service: bool,
}

impl Tag {
    /// An 802.1Q tag of these sixteen bits.
    pub const fn from_bits(bits: u16) -> Self {
        Self { bits, service: false }
    }

    /// The same as an 802.1ad service tag.
    #[must_use]
    pub const fn service(self) -> Self {
        Self { service: true, ..self }
    }

    /// The EtherType that says which kind it is.
    #[inline]
    pub const fn tpid(self) -> [u8; 2] {
        if self.service { TPID_8021AD } else { TPID_8021Q }
    }

    /// The standard of its kind, as Open vSwitch's `qinq-ethtype` has it: "802.1ad" or "802.1q".
    pub const fn standard(self) -> &'static str {
        if self.service { "802.1ad" } else { "802.1q" }
    }

    /// A tag of the same kind that puts a frame in `vlan` with the priority and drop eligibility of
    /// `self`.
    #[inline]
    pub const fn in_vlan(self, vlan: VlanId) -> Self {
        Self { bits: self.bits & 0xf000 | vlan.0, ..self }
    }

    /// The sixteen bits as they stand on the wire.
    pub const fn bits(self) -> u16 {
        self.bits
    }

    /// Priority code point, 0 to 7.
    pub const fn priority(self) -> u8 {
        (self.bits >> 13) as u8
    }

    /// The VLAN named; `None` for the reserved 4095. Zero reads as [`VlanId::UNTAGGED`].
    #[inline]
    pub const fn vlan(self) -> Option<VlanId> {
        VlanId::new(self.bits & 0x0fff)
    }

    /// An 802.1Q tag of priority 0 in `vlan`.
    #[inline]
    pub const fn new(vlan: VlanId) -> Self {
        Self::from_bits(vlan.0)
    }
}
