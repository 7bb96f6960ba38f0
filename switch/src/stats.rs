//! Counts, and the one equation they must satisfy.

use packet::snapshot::is_count;
use packet::{DropReason, PortId};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What became of all frames that came in. `received = sent + held + consumed + dropped`, always.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Frames that came in.
    pub received: u64,
    /// Frames that left on one port or more.
    pub sent: u64,
    /// Frames that wait now, for a neighbour or for their fragments.
    pub held: u64,
    /// Frames for the switch itself: ARP for the router, pings answered, fragments put together.
    pub consumed: u64,
    /// Frames that ended under a [`DropReason`].
    pub dropped: u64,
    /// Frames that the switch spoke of itself: ARP, ICMP, resets. Not part of the equation.
    pub spoken: u64,
    /// Copies of flooded frames that one port of several could not take. Not part of the equation.
    pub copies_dropped: u64,
    /// ICMP errors that the rate limiter held back.
    pub errors_suppressed: u64,
    /// ARP packets whose sender contradicts their Ethernet source.
    pub arp_suspicious: u64,
    /// Times that a station claimed the router's address.
    pub arp_conflicts: u64,
}

impl Totals {
    /// Whether every count has room for what can still happen.
    pub(crate) fn is_sound(&self) -> bool {
        let frames = [self.received, self.sent, self.held, self.consumed, self.dropped];
        let others = [self.spoken, self.copies_dropped, self.errors_suppressed];
        let arp = [self.arp_suspicious, self.arp_conflicts];
        // A quarter of what fits, so that they can be added up.
        frames.into_iter().chain(others).chain(arp).all(|count| count < 1 << 61)
    }

    /// Whether every frame that came in is accounted for.
    pub const fn balance(&self) -> bool {
        self.received == self.sent + self.held + self.consumed + self.dropped
    }
}

/// Totals, and every drop count that is not zero.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    totals: Totals,
    drops: Vec<(PortId, DropReason, u64)>,
}

impl Serialize for Stats {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        Snapshot { totals: self.totals, drops: self.drops().collect() }.serialize(writer)
    }
}

impl<'de> Deserialize<'de> for Stats {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let Snapshot { totals, drops } = Snapshot::deserialize(reader)?;
        let mut stats = Self { totals, drops: Vec::new() };
        for (port, reason, count) in drops {
            if !is_count(count) {
                return Err(D::Error::custom("a count of drops is out of range"));
            }
            stats.row(port, reason, count);
        }
        Ok(stats)
    }
}

/// What became of one frame that did not end under a [`DropReason`].
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It left, on one port or more.
    Sent,
    /// It waits, for a neighbour or for the rest of its packet.
    Held,
    /// It was for the switch itself.
    Consumed,
}

/// Drops of one port, by reason.
type Row = [u64; DropReason::COUNT];

#[derive(Clone, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) totals: Totals,
    drops: Vec<Row>,
}

impl Stats {
    pub(crate) fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Sent => self.totals.sent += 1,
            // Counted where it is laid aside, because an older frame may lose its place to it.
            Fate::Held => {}
            Fate::Consumed => self.totals.consumed += 1,
        }
    }

    /// One frame that came in on `port` ends.
    pub(crate) fn drop(&mut self, port: PortId, reason: DropReason) {
        self.totals.dropped += 1;
        self.row(port, reason, 1);
    }

    /// One copy of a frame that others take ends at `port`.
    pub(crate) fn drop_copy(&mut self, port: PortId, reason: DropReason) {
        self.totals.copies_dropped += 1;
        self.row(port, reason, 1);
    }

    /// `count` frames of `port` that were held end.
    pub(crate) fn drop_held(&mut self, port: PortId, reason: DropReason, count: u64) {
        self.totals.held -= count;
        self.totals.dropped += count;
        self.row(port, reason, count);
    }

    /// `count` held frames went their way.
    pub(crate) fn release(&mut self, fate: Fate, count: u64) {
        self.totals.held -= count;
        match fate {
            Fate::Sent => self.totals.sent += count,
            // It was held twice in a row.
            Fate::Held => self.totals.held += count,
            Fate::Consumed => self.totals.consumed += count,
        }
    }

    fn row(&mut self, port: PortId, reason: DropReason, count: u64) {
        if self.drops.len() <= port.index() {
            self.drops.resize(port.index() + 1, [0; DropReason::COUNT]);
        }
        if let Some(cell) =
            self.drops.get_mut(port.index()).and_then(|r| r.get_mut(reason as usize))
        {
            *cell += count;
        }
    }

    /// Forgets the drops of a port that is removed, so that its number can be reused. Totals stay.
    pub(crate) fn forget(&mut self, port: PortId) {
        if let Some(row) = self.drops.get_mut(port.index()) {
            *row = [0; DropReason::COUNT];
        }
    }

    /// Every count that is not zero.
    pub(crate) fn drops(&self) -> impl Iterator<Item = (PortId, DropReason, u64)> {
        self.drops.iter().enumerate().flat_map(|(port, row)| {
            let cells = DropReason::ALL.iter().zip(row);
            cells
                .filter(|(_, count)| **count > 0)
                .map(move |(reason, count)| (PortId::new(port as u32), *reason, *count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_a_frame_is_counted_once() {
        let (first, second) = (PortId::new(0), PortId::new(3));
        let totals = Totals { received: 20, held: 15, ..Totals::default() };
        let mut stats = Stats { totals, drops: Vec::new() };
        for fate in [Fate::Sent, Fate::Consumed, Fate::Consumed, Fate::Held] {
            stats.count(fate);
        }
        stats.drop(second, DropReason::Runt);
        stats.drop(second, DropReason::Runt);
        stats.drop_copy(first, DropReason::PortDown);
        stats.drop_held(second, DropReason::NoNeighbor, 4);
        stats.release(Fate::Sent, 5);
        stats.release(Fate::Consumed, 2);
        stats.release(Fate::Held, 3);
        let expected = Totals {
            received: 20,
            sent: 1 + 5,
            consumed: 2 + 2,
            held: 15 - 4 - 5 - 2,
            dropped: 2 + 4,
            copies_dropped: 1,
            ..Totals::default()
        };
        assert_eq!(stats.totals, expected);
        assert!(expected.balance() && !Totals { sent: 7, ..expected }.balance());
        let rows = [
            (first, DropReason::PortDown, 1),
            (second, DropReason::Runt, 2),
            (second, DropReason::NoNeighbor, 4),
        ];
        assert_eq!(stats.drops().collect::<Vec<_>>(), rows);
        stats.forget(second);
        assert_eq!(stats.drops().collect::<Vec<_>>(), rows[..1]);
        assert_eq!(stats.totals, expected);
    }

    #[test]
    fn counts_without_room_are_damage() {
        let with = |set: fn(&mut Totals, u64), count| {
            let mut totals = Totals::default();
            set(&mut totals, count);
            totals.is_sound()
        };
        let counts: [fn(&mut Totals, u64); 10] = [
            |totals, count| totals.received = count,
            |totals, count| totals.sent = count,
            |totals, count| totals.held = count,
            |totals, count| totals.consumed = count,
            |totals, count| totals.dropped = count,
            |totals, count| totals.spoken = count,
            |totals, count| totals.copies_dropped = count,
            |totals, count| totals.errors_suppressed = count,
            |totals, count| totals.arp_suspicious = count,
            |totals, count| totals.arp_conflicts = count,
        ];
        for set in counts {
            assert!(with(set, (1 << 61) - 1));
            assert!(!with(set, 1 << 61));
        }
    }
}
