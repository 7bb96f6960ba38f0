//! A forwarding database as the books describe it, naive on purpose: a list in the order of last
//! hearing.

use core::time::Duration;

use packet::{Instant, PortId};
use switch::view::Location;

/// How much older than said a station may look: it moves in the order of hearing once a second of
/// the clock at most.
pub const GRANULARITY: Duration = Duration::from_secs(1);

/// What a model knows of one station.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Known<S> {
    /// The station: its address and VLAN.
    pub station: S,
    /// Where it is.
    pub location: Location,
    /// When it was last heard, within [`GRANULARITY`].
    pub heard: Instant,
    /// Whether somebody wrote it, or it is the router's own.
    pub fixed: bool,
}

/// The list. The least recently heard is first.
#[derive(Clone, Debug)]
pub struct Model<S> {
    known: Vec<Known<S>>,
    capacity: usize,
    ageing: Duration,
}

impl<S: Copy + Ord> Model<S> {
    /// An empty list.
    pub const fn new(capacity: usize, ageing: Duration) -> Self {
        Self { known: Vec::new(), capacity, ageing }
    }

    /// Where a station is.
    pub fn find(&self, station: S) -> Option<Location> {
        self.known.iter().find(|known| known.station == station).map(|known| known.location)
    }

    /// Whether a station is bound to another place than this.
    pub fn is_bound_elsewhere(&self, station: S, here: Location) -> bool {
        let mut known = self.known.iter();
        known.any(|known| known.station == station && known.fixed && known.location != here)
    }

    /// A station speaks from somewhere; `false` when it is bound to another place.
    pub fn learn(&mut self, now: Instant, station: S, here: Location) -> bool {
        if self.is_bound_elsewhere(station, here) {
            return false;
        }
        if let Some(at) = self.known.iter().position(|known| known.station == station) {
            let known = self.known[at];
            let heard_lately = known.location == here && now.as_secs() == known.heard.as_secs();
            if !known.fixed && !heard_lately {
                self.known.remove(at);
                self.known.push(Known { location: here, heard: now, ..known });
            }
            return true;
        }
        if self.learned().count() >= self.capacity {
            self.evict();
        }
        self.known.push(Known { station, location: here, heard: now, fixed: false });
        true
    }

    fn learned(&self) -> impl Iterator<Item = &Known<S>> {
        self.known.iter().filter(|known| !known.fixed)
    }

    /// The oldest station of the port that has most goes; of several such ports, the lowest.
    fn evict(&mut self) {
        let on = |port| self.learned().filter(move |known| known.location.port() == port).count();
        let mut ports: Vec<Option<PortId>> = self.learned().map(|k| k.location.port()).collect();
        ports.sort_unstable();
        ports.dedup();
        let Some(most) = ports.iter().map(|port| on(*port)).max() else { return };
        let Some(fullest) = ports.into_iter().find(|port| on(*port) == most) else { return };
        let oldest = self.known.iter().position(|k| k.location.port() == fullest && !k.fixed);
        if let Some(at) = oldest {
            self.known.remove(at);
        }
    }

    /// Changes how many are remembered, and how long; the oldest go until the others fit.
    pub fn resize(&mut self, capacity: usize, ageing: Duration) {
        (self.capacity, self.ageing) = (capacity, ageing);
        while self.learned().count() > capacity {
            self.evict();
        }
    }

    /// Binds a station to a place for good.
    pub fn fix(&mut self, now: Instant, station: S, location: Location) {
        self.forget(|known| known.station == station);
        self.known.push(Known { station, location, heard: now, fixed: true });
    }

    /// Forgets stations, bound ones too.
    pub fn forget(&mut self, mut gone: impl FnMut(&Known<S>) -> bool) {
        self.known.retain(|known| !gone(known));
    }

    /// Forgets the learned stations of a port, or of all.
    pub fn flush(&mut self, port: Option<PortId>) {
        self.forget(|known| !known.fixed && (port.is_none() || known.location.port() == port));
    }

    /// Forgets who has been silent for the ageing time.
    pub fn expire(&mut self, now: Instant) {
        let limit = self.ageing + GRANULARITY;
        self.forget(|known| !known.fixed && now.since(known.heard) >= limit);
    }

    /// All that is known, by station.
    pub fn list(&self) -> Vec<Known<S>> {
        let mut list = self.known.clone();
        list.sort_unstable_by_key(|known| known.station);
        list
    }
}
