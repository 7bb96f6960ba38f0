//! What a mapping is known by, to the ports, flows and remotes that belong to it.

use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// A mapping's number plus one.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct MappingId(pub(crate) NonZeroU32);

impl MappingId {
    pub(crate) const fn bits(self) -> u32 {
        self.0.get()
    }

    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        NonZeroU32::new(bits).map(Self)
    }

    pub(crate) const fn number(self) -> u32 {
        self.0.get() - 1
    }
}
