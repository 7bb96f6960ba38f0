//! The number of a VXLAN segment.

use core::fmt;

use packet::snapshot::Damaged;
use serde::{Deserialize, Serialize};

/// A VXLAN network identifier: 24 bits, 0 to 16,777,215 (RFC 7348 section 5).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct Vni(u32);

impl Vni {
    /// The highest.
    pub const MAX: Self = Self(0x00ff_ffff);

    /// The segment numbered `number`, when it fits in 24 bits.
    pub const fn new(number: u32) -> Option<Self> {
        if number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// 0 to 16,777,215.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Vni {
    type Error = Damaged;

    fn try_from(number: u32) -> Result<Self, Damaged> {
        Self::new(number).ok_or(Damaged("a VNI is above 16,777,215"))
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vni{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vni_has_24_bits_and_reads_as_its_number() {
        let vni = Vni::new(0xff_ffff).unwrap();
        assert_eq!(
            (vni.to_string(), format!("{vni:?}")),
            ("16777215".into(), "vni16777215".into())
        );
        assert_eq!(Vni::new(0x100_0000), None);
        assert_eq!(Vni::try_from(7), Ok(Vni::new(7).unwrap()));
        let refused = Vni::try_from(0x100_0000).unwrap_err();
        assert_eq!(refused.to_string(), "the state contradicts itself: a VNI is above 16,777,215");
    }
}
