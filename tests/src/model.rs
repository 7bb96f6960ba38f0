//! A forwarding database as the books describe it, naive on purpose: a list in the order of last hearing.

use core::time::Duration;

use packet::Instant;

/// How much older than said a station may look: it moves in the order of hearing once in this time at most.
pub const GRANULARITY: Duration = Duration::from_secs(1);

/// What a model knows of one station.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Known<S, P> {
    /// The station: its address and VLAN.
    pub station: S,
    /// Behind which port.
    pub port: P,
    /// When it was last heard, within [`GRANULARITY`].
    pub heard: Instant,
    /// Whether somebody wrote it.
    pub fixed: bool,
}

/// The list. The least recently heard is first.
#[derive(Clone, Debug)]
pub struct Model<S, P> {
    known: Vec<Known<S, P>>,
    capacity: usize,
    ageing: Duration,
}

impl<S: Copy + Ord, P: Copy + Ord> Model<S, P> {
    /// An empty list.
    pub const fn new(capacity: usize, ageing: Duration) -> Self {
        Self { known: Vec::new(), capacity, ageing }
    }

    /// Where a station is.
    pub fn find(&self, station: S) -> Option<P> {
        self.known.iter().find(|known| known.station == station).map(|known| known.port)
    }

    /// A station speaks on a port; `false` when it is bound to another.
    pub fn learn(&mut self, now: Instant, station: S, port: P) -> bool {
        if let Some(at) = self.known.iter().position(|known| known.station == station) {
            let known = self.known[at];
            if known.fixed {
                return known.port == port;
            }
            if known.port != port || now.since(known.heard) >= GRANULARITY {
                self.known.remove(at);
                self.known.push(Known { port, heard: now, ..known });
            }
            return true;
        }
        if self.known.iter().filter(|known| !known.fixed).count() >= self.capacity {
            self.evict();
        }
        self.known.push(Known { station, port, heard: now, fixed: false });
        true
    }

    /// The oldest station of the port that has most goes; of several such ports, the lowest.
    fn evict(&mut self) {
        let learned =
            |port: P| self.known.iter().filter(move |k| k.port == port && !k.fixed).count();
        let mut ports: Vec<P> = self.known.iter().filter(|k| !k.fixed).map(|k| k.port).collect();
        ports.sort_unstable();
        ports.dedup();
        let Some(most) = ports.iter().map(|port| learned(*port)).max() else { return };
        let Some(fullest) = ports.into_iter().find(|port| learned(*port) == most) else { return };
        let oldest = self.known.iter().position(|k| k.port == fullest && !k.fixed);
        if let Some(at) = oldest {
            self.known.remove(at);
        }
    }

    /// Binds a station to a port for good.
    pub fn fix(&mut self, now: Instant, station: S, port: P) {
        self.known.retain(|known| known.station != station);
        self.known.push(Known { station, port, heard: now, fixed: true });
    }

    /// Forgets a port's learned stations.
    pub fn flush(&mut self, port: P) {
        self.known.retain(|known| known.port != port || known.fixed);
    }

    /// Forgets who has been silent for the ageing time.
    pub fn expire(&mut self, now: Instant) {
        let limit = self.ageing + GRANULARITY;
        self.known.retain(|known| known.fixed || now.since(known.heard) < limit);
    }

    /// All that is known, by station.
    pub fn list(&self) -> Vec<Known<S, P>> {
        let mut list = self.known.clone();
        list.sort_unstable_by_key(|known| known.station);
        list
    }
}
