//! Who has which IPv4 address on a segment, as ARP packets said: what the answers for stations
//! beyond a tunnel are made of (`suppress`).
//!
//! Nothing here ages by itself, since an answer is only given while the forwarding database knows
//! the station. When the table is full, entries of forgotten stations go first, and while there are
//! none, new ones are not taken.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::BTreeMap;

use packet::{Instant, Mac};
use serde::{Deserialize, Serialize};

use crate::bridge::Bridges;
use crate::station::Segment;

/// Addresses remembered, about 64 bytes each.
const CAPACITY: usize = 8192;
/// A full table is searched at most this often: whoever claims many addresses does not keep the
/// switch busy.
const BETWEEN_SEARCHES: Duration = Duration::from_secs(1);

/// See the module's own text.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ArpSnoopTable {
    stations: BTreeMap<(Segment, Ipv4Addr), Mac>,
    /// When a full table was last searched for entries of forgotten stations.
    searched: Option<Instant>,
}

impl ArpSnoopTable {
    pub(crate) fn find(&self, segment: Segment, address: Ipv4Addr) -> Option<Mac> {
        self.stations.get(&(segment, address)).copied()
    }

    /// Notes that the station `mac` said it has an address.
    pub(crate) fn learn(
        &mut self,
        now: Instant,
        address: (Segment, Ipv4Addr),
        mac: Mac,
        bridges: &Bridges,
    ) {
        let Self { stations, searched } = self;
        if stations.len() >= CAPACITY && !stations.contains_key(&address) {
            if searched.is_some_and(|at| now.since(at) < BETWEEN_SEARCHES) {
                return;
            }
            *searched = Some(now);
            stations.retain(|(segment, _), mac| {
                let bridge = bridges.get(segment.bridge);
                bridge.is_some_and(|bridge| bridge.fdb.find(*mac, segment.vlan).is_some())
            });
            if stations.len() >= CAPACITY {
                return;
            }
        }
        stations.insert(address, mac);
    }
}
