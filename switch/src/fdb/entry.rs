//! What a forwarding database holds of a station: a slot of the index, and the entry behind it.

use packet::{Instant, Mac, PortId, VlanId};

use crate::station::{Location, Station, StationOrigin};

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// As small as it can be, for frames of many stations wait for it: 100,000 of them take 2 MiB.
#[derive(Copy, Clone, Debug)]
#[repr(align(16))]
pub(super) struct Slot {
    pub(super) key: u64,
    pub(super) entry: u32,
    pub(super) place: Place,
}

#[derive(Copy, Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: u64,
    pub(super) heard: Instant,
    pub(super) previous: u32,
    pub(super) next: u32,
    pub(super) origin: StationOrigin,
    pub(super) location: Location,
}

#[derive(Copy, Clone, Debug)]
pub(super) struct List {
    pub(super) head: u32,
    pub(super) tail: u32,
}

pub(super) const EMPTY: List = List { head: NONE, tail: NONE };

/// A port's number; of any other place, that the station's entry knows it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

impl Place {
    /// No port's number, since the table of ports would have to be that long.
    const ELSEWHERE: Self = Self(u32::MAX);

    #[inline]
    pub(super) const fn of(location: Location) -> Self {
        match location {
            Location::Port(port) => Self(port.index() as u32),
            Location::Remote { .. } | Location::Router(_) => Self::ELSEWHERE,
        }
    }

    /// The port.
    #[inline]
    pub(super) fn port(self) -> Option<PortId> {
        (self != Self::ELSEWHERE).then_some(PortId::new(self.0))
    }
}

impl Entry {
    pub(super) fn view(&self, now: Instant) -> Option<Station> {
        Some(Station {
            mac: Mac::from_u64(self.key),
            vlan: VlanId::new((self.key >> 48) as u16)?,
            location: self.location,
            origin: self.origin,
            age: now.since(self.heard),
        })
    }
}

/// A station in one word.
pub(super) const fn key(mac: Mac, vlan: VlanId) -> u64 {
    mac.to_u64() | (vlan.number() as u64) << 48
}
