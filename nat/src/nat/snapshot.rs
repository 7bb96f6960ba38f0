//! NAT written and read again: what follows from the rest is made anew.

use packet::snapshot::{Damaged, ensure};
use serde::{Deserialize, Serialize};

use super::Nat;
use crate::accounts::Limits;
use crate::index::Hashes;
use crate::rules::Listeners;

impl Nat {
    /// Makes what is not written from what is, and finds what cannot be.
    pub(crate) fn mend(&mut self) -> Result<(), Damaged> {
        ensure(
            self.limits.flows <= Limits::MOST_FLOWS,
            "more flows are allowed than there may be",
        )?;
        ensure(self.counts.is_sound(), "a count of NAT is out of range")?;
        self.listeners = Listeners::new(&self.rules.publish);
        // Another key than before does nobody harm: nothing depends on where in an index a flow is.
        self.hashes = Hashes::new(self.seed);
        self.table.reindex(&self.hashes);
        self.accounts.reindex(&self.hashes);
        self.mappings.reindex(&self.hashes, self.table.len())?;
        self.mend_sweeps()?;
        self.check_room()?;
        self.reserve();
        Ok(())
    }
}

impl Serialize for Nat {
    fn serialize<S: serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, writer)
    }
}

impl<'de> Deserialize<'de> for Nat {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let mut nat = Self::deserialize(reader)?;
        nat.mend().map_err(serde::de::Error::custom)?;
        Ok(nat)
    }
}
