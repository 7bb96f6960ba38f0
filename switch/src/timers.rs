//! What happens by itself when time passes: one name for each timer, its deadline and its work.
//!
//! Who has a timer keeps its deadline in its own tables and has two doors, `next_timeout` and
//! `timeout`. The compiler asks for both when a name is added here, and for a name when a protocol
//! is.

use packet::Instant;

use crate::outbox::Outbox;
use crate::protocols::Protocols;
use crate::switch::Switch;

/// What a timer is for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Timer {
    /// Stations that have been silent for the ageing time.
    Stations,
    /// Neighbours that are asked for, trusted, or remembered for long enough.
    Neighbors,
    /// Flows that have been silent for their lifetime, or that a change has ended.
    Flows,
    /// Packets whose fragments did not all come.
    Fragments,
}

impl Timer {
    /// In the order in which those that are due run.
    const ALL: [Self; 4] = [Self::Stations, Self::Neighbors, Self::Flows, Self::Fragments];
}

impl Switch {
    /// When [`Event::Timeout`](crate::Event::Timeout) is needed next; never when no timer runs.
    pub fn next_timeout(&self) -> Option<Instant> {
        Timer::ALL.into_iter().filter_map(|timer| self.deadline(timer)).min()
    }

    /// Runs what is due.
    pub(crate) fn timeout(&mut self, now: Instant, out: &mut Outbox) {
        for timer in Timer::ALL {
            self.run(now, timer, out);
            self.send_reports(now, out);
        }
    }

    fn deadline(&self, timer: Timer) -> Option<Instant> {
        let Protocols { arp, reassembly } = &self.protocols;
        match timer {
            Timer::Stations => self.bridges.next_timeout(),
            Timer::Neighbors => arp.next_timeout(),
            Timer::Flows => self.nat.next_timeout(),
            Timer::Fragments => reassembly.next_timeout(),
        }
    }

    fn run(&mut self, now: Instant, timer: Timer, out: &mut Outbox) {
        let (Protocols { arp, reassembly }, mut ctx) = self.lend(out);
        match timer {
            Timer::Stations => self.bridges.timeout(now),
            Timer::Neighbors => arp.timeout(now, &mut ctx),
            Timer::Flows => self.nat.timeout(now),
            Timer::Fragments => reassembly.timeout(now, &mut ctx),
        }
    }
}
