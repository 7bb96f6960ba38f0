//! A forwarding database for people to read.

use packet::{Instant, Mac, VlanId};

use super::{Entry, Fdb, Slot, key};
use crate::station::Station;

impl Fdb {
    /// One entry.
    pub(crate) fn station(&self, now: Instant, mac: Mac, vlan: VlanId) -> Option<Station> {
        let key = key(mac, vlan);
        let slot = self.index.find(self.hasher.of(key), |slot| slot.key == key)?;
        self.entries.get(slot.entry as usize)?.view(now)
    }

    /// Every entry, ordered by VLAN and address.
    pub(crate) fn stations(&self, now: Instant) -> Vec<Station> {
        let mut slots: Vec<&Slot> = self.index.iter().collect();
        slots.sort_unstable_by_key(|slot| slot.key);
        let entries = slots.into_iter().filter_map(|slot| self.entries.get(slot.entry as usize));
        entries.filter_map(|entry| entry.view(now)).collect()
    }
}

impl Entry {
    fn view(&self, now: Instant) -> Option<Station> {
        Some(Station {
            mac: Mac::from_u64(self.key),
            vlan: VlanId::new((self.key >> 48) as u16)?,
            location: self.location,
            origin: self.origin,
            age: now.since(self.heard),
        })
    }
}
