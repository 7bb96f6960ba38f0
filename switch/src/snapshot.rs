//! The whole switch as bytes and back.
//!
//! # Theory of operation
//! What is written is what the switch's effects depend on: tables in an order that is theirs,
//! deadlines, counts and what random numbers are drawn from. What only makes finding fast (hash
//! tables, the table of routes) is made anew when it is read, so the bytes of two switches in the
//! same state are the same. A switch that was read does what the first would have done, to the
//! byte.
//!
//! Bytes may be anybody's. Reading finds what would make a table unsound (lists, places, sums), and
//! the limits of all that memory is taken for; then the worst that wrong bytes can make is a switch
//! in a state that none would reach.

use packet::snapshot::{Damaged, ensure};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::routes::Routes;
use crate::switch::Switch;

impl Serialize for Switch {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, writer)
    }
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let mut switch = Self::deserialize(reader)?;
        switch.check().map_err(D::Error::custom)?;
        switch.mend();
        Ok(switch)
    }
}

impl Switch {
    /// Finds what its parts alone could not.
    fn check(&self) -> Result<(), Damaged> {
        let totals = self.stats.totals;
        ensure(totals.is_sound() && totals.balance(), "the totals do not add up")?;
        let held = self.protocols.arp.pending.held() + self.protocols.reassembly.held();
        ensure(totals.held == held as u64, "other frames wait than are counted")?;
        let drops = self.stats.drops().map(|(_, _, count)| u128::from(count)).sum::<u128>();
        ensure(drops < 1 << 62, "drops are out of range")?;
        let mut interfaces = self.router.interfaces.iter();
        let mtu = interfaces.all(|(_, own)| own.mtu >= LEAST_MTU);
        ensure(mtu && self.ports.all_mtus().all(|mtu| mtu >= LEAST_MTU), "an MTU is under 68")?;
        self.router.errors.check()?;
        self.protocols.arp.told.check()?;
        self.tunnels.check()
    }

    /// Compares tables that must agree, and their sizes with their limits.
    ///
    /// # Errors
    /// Says what contradicts what.
    #[doc(hidden)]
    pub fn audit(&self) -> Result<(), &'static str> {
        for (_, bridge) in self.bridges.iter() {
            if bridge.fdb.len() > bridge.settings.capacity {
                return Err("a bridge has learned more stations than it may");
            }
        }
        let arp = &self.protocols.arp;
        let waiting = arp.pending.keys();
        if !waiting.into_iter().all(|key| arp.neighbors.is_asked_for(key)) {
            return Err("packets wait for a neighbour that nobody asks for");
        }
        if !arp.pending.is_within_limits() {
            return Err("more packets wait than may, or their count is wrong");
        }
        self.protocols.reassembly.audit()?;
        self.nat.audit()
    }

    /// Makes what is not written from what is.
    fn mend(&mut self) {
        // The stream goes on as it was: other keys than before harm nobody.
        let mut seeds = self.seeds.clone();
        for bridge in self.bridges.iter_mut() {
            bridge.fdb.rehash(seeds.hasher());
        }
        self.protocols.arp.rehash(&mut seeds);
        self.protocols.reassembly.rehash(seeds.hasher());
        let written = self.router.routes.written();
        self.router.routes = Routes::new(written, &self.router.interfaces);
    }
}

/// Every link carries packets of 68 bytes (RFC 791 section 3.2).
const LEAST_MTU: u16 = 68;
