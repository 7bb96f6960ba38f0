//! What reading ahead asks of a forwarding database.

use packet::{Mac, VlanId};

use super::{Fdb, key};

/// Stations whose slots lie in the processor's nearer caches anyway: half a megabyte.
const NEAR: usize = 32_768;

impl Fdb {
    /// Whether the stations are so many that reading ahead pays.
    #[inline]
    pub(crate) const fn is_far(&self) -> bool {
        self.entries.len() > NEAR
    }

    /// What the look-up of a station begins with.
    #[inline]
    pub(crate) fn hash(&self, mac: Mac, vlan: VlanId) -> u64 {
        self.hasher.of(key(mac, vlan))
    }

    /// Reads what lies under a hash. The number means nothing.
    #[inline]
    pub(crate) fn touch(&self, hash: u64) -> u64 {
        self.index.find(hash, |_| true).map_or(0, |slot| slot.key)
    }
}
