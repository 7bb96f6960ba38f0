//! Flooded frames that wait while frames for one receiver go ahead.
//!
//! # Theory of operation
//! A flooded frame is a write for each port: among a thousand ports milliseconds, and every host
//! that comes up sends a dozen. So a worker writes no more than [`SHARE`] copies in one turn. What
//! fits leaves in its place in the batch; what does not waits here, and so does every flooded frame
//! behind it. The rest is written in later turns, each of which reads and sends what is for one
//! receiver first.
//!
//! Who floods without end must not keep others from flooding. Frames wait by the port that they
//! came in on, ports take turns, and none holds more than a part of the room. ARP, by which hosts
//! find one another, has a room of its own, and the two take turns: a question is not behind all
//! that hosts say when they come up. The frames of a port keep their order within each room. What
//! finds no place is dropped, and counted under each port that it was for.
//!
//! What waits belongs to the ports that were there: a port that goes takes its copies along, and a
//! new one of the same number gets none of them.

use std::collections::{BTreeMap, VecDeque};

use packet::{EtherType, Frame, PortId};
use switch::Egress;

/// Copies of flooded frames that a worker writes in one turn: a fraction of a millisecond.
pub(super) const SHARE: usize = 256;
/// Copies that may wait in one room, 20 bytes each: 5 MiB, which are written in a second.
const COPIES: usize = 1 << 18;
/// Bytes of frames that may wait in one room.
const BYTES: usize = 4 << 20;
/// One port may fill so much of a room.
const PART: usize = 16;

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Flood {
    arp: Room,
    others: Room,
    /// Whose turn it is.
    is_turn_of_others: bool,
}

/// A frame, and who is still to get it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) frame: Frame,
    pub(super) copies: Vec<Egress>,
    /// How many of them were written.
    pub(super) written: usize,
}

#[derive(Debug, Default)]
struct Room {
    /// What each port has flooded; the router's own frames came in on none.
    lanes: BTreeMap<Option<PortId>, Backlog>,
    /// Ports that have frames waiting, in the order of their turns.
    turns: VecDeque<Option<PortId>>,
    held: Held,
}

#[derive(Debug, Default)]
struct Backlog {
    frames: VecDeque<Waiting>,
    held: Held,
}

#[derive(Copy, Clone, Debug, Default)]
struct Held {
    copies: usize,
    bytes: usize,
}

impl Flood {
    pub(super) fn is_empty(&self) -> bool {
        self.arp.turns.is_empty() && self.others.turns.is_empty()
    }

    /// Lets a frame that came in on `from` wait; whether there was room. The frame's own buffer
    /// does not wait with it.
    pub(super) fn wait(&mut self, from: Option<PortId>, frame: &Frame, copies: &[Egress]) -> bool {
        let room = if is_arp(frame) { &mut self.arp } else { &mut self.others };
        room.wait(from, frame, copies)
    }

    /// The next frame to write; it goes back by [`Flood::put_back`] unless all of it was written.
    pub(super) fn next(&mut self) -> Option<(Option<PortId>, Waiting)> {
        self.is_turn_of_others = !self.is_turn_of_others;
        let (first, second) = match self.is_turn_of_others {
            true => (&mut self.arp, &mut self.others),
            false => (&mut self.others, &mut self.arp),
        };
        first.next().or_else(|| second.next())
    }

    /// Puts a frame back of which a part was written: it is the next again.
    pub(super) fn put_back(&mut self, from: Option<PortId>, waiting: Waiting) {
        let room = match is_arp(&waiting.frame) {
            true => &mut self.arp,
            false => &mut self.others,
        };
        room.put_back(from, waiting);
        self.is_turn_of_others = !self.is_turn_of_others;
    }

    /// Keeps the copies for those ports alone.
    pub(super) fn retain(&mut self, stays: impl Fn(PortId) -> bool) {
        for room in [&mut self.arp, &mut self.others] {
            for (from, waiting) in room.drain() {
                let Waiting { frame, copies, written } = waiting;
                let rest = copies.get(written..).unwrap_or_default().iter();
                let copies: Vec<Egress> = rest.filter(|copy| stays(copy.port)).copied().collect();
                if !copies.is_empty() {
                    room.push(from, Waiting { frame, copies, written: 0 });
                }
            }
        }
    }
}

impl Room {
    fn wait(&mut self, from: Option<PortId>, frame: &Frame, copies: &[Egress]) -> bool {
        let more = Held { copies: copies.len(), bytes: frame.len() };
        let own = self.lanes.get(&from).map_or(Held::default(), |lane| lane.held);
        // A frame for more ports than a part of the room may wait alone.
        let has_part = own.copies == 0 || own.with(more).fits(PART);
        if !has_part || !self.held.with(more).fits(1) {
            return false;
        }
        self.push(from, Waiting { frame: frame.compact(), copies: copies.to_vec(), written: 0 });
        true
    }

    fn push(&mut self, from: Option<PortId>, waiting: Waiting) {
        let more = waiting.held();
        let lane = self.lanes.entry(from).or_default();
        if lane.frames.is_empty() {
            self.turns.push_back(from);
        }
        lane.held = lane.held.with(more);
        self.held = self.held.with(more);
        lane.frames.push_back(waiting);
    }

    fn put_back(&mut self, from: Option<PortId>, waiting: Waiting) {
        let more = waiting.held();
        let lane = self.lanes.entry(from).or_default();
        if !lane.frames.is_empty() {
            self.turns.retain(|other| *other != from);
        }
        self.turns.push_front(from);
        lane.held = lane.held.with(more);
        self.held = self.held.with(more);
        lane.frames.push_front(waiting);
    }

    fn next(&mut self) -> Option<(Option<PortId>, Waiting)> {
        let from = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&from)?;
        let waiting = lane.frames.pop_front()?;
        let less = waiting.held();
        lane.held = lane.held.without(less);
        self.held = self.held.without(less);
        match lane.frames.is_empty() {
            true => drop(self.lanes.remove(&from)),
            false => self.turns.push_back(from),
        }
        Some((from, waiting))
    }

    /// Takes everything out, in the order of each port's frames.
    fn drain(&mut self) -> Vec<(Option<PortId>, Waiting)> {
        core::iter::from_fn(|| self.next()).collect()
    }
}

impl Waiting {
    fn held(&self) -> Held {
        Held { copies: self.copies.len(), bytes: self.frame.len() }
    }
}

impl Held {
    const fn with(self, more: Self) -> Self {
        Self { copies: self.copies + more.copies, bytes: self.bytes + more.bytes }
    }

    const fn without(self, less: Self) -> Self {
        Self {
            copies: self.copies.saturating_sub(less.copies),
            bytes: self.bytes.saturating_sub(less.bytes),
        }
    }

    /// Whether it is no more than one of so many parts of a room.
    const fn fits(self, parts: usize) -> bool {
        self.copies <= COPIES / parts && self.bytes <= BYTES / parts
    }
}

fn is_arp(frame: &Frame) -> bool {
    frame.bytes().get(12..14) == Some(&EtherType::ARP.0.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u16, number: usize, len: usize) -> Frame {
        let mut bytes = vec![0; len.max(18)];
        bytes[12..14].copy_from_slice(&kind.to_be_bytes());
        bytes[14..18].copy_from_slice(&(number as u32).to_be_bytes());
        Frame::copied_from(&bytes)
    }

    fn number(waiting: &Waiting) -> u32 {
        u32::from_be_bytes(waiting.frame.bytes()[14..18].try_into().unwrap())
    }

    fn copies(ports: u32) -> Vec<Egress> {
        let copy = |port| Egress { port: PortId::new(port), remote: None, tag: None };
        (0..ports).map(copy).collect()
    }

    fn port(number: u32) -> Option<PortId> {
        Some(PortId::new(number))
    }

    #[test]
    fn a_port_that_floods_without_end_keeps_nobody_else_out() {
        let mut flood = Flood::default();
        let taken =
            (0..10_000).filter(|n| flood.wait(port(1), &frame(0x86dd, *n, 60), &copies(1000)));
        assert_eq!(taken.count(), COPIES / PART / 1000);
        assert!(flood.wait(port(2), &frame(0x86dd, 77, 60), &copies(1000)));
        assert!(flood.wait(None, &frame(0x0806, 78, 60), &copies(1000)));
        let first: Vec<u32> = (0..3).map(|_| number(&flood.next().unwrap().1)).collect();
        assert_eq!(first, [78, 0, 77], "ARP, then each port once");
    }

    #[test]
    fn memory_is_bounded_whoever_floods() {
        for (ports, len) in [(1000, 60), (3, 65_000), (2, 60)] {
            let mut flood = Flood::default();
            for from in 0..100_000 {
                flood.wait(port(from % 5000), &frame(0x0800, 0, len), &copies(ports));
            }
            assert!(flood.others.held.fits(1), "{:?}", flood.others.held);
        }
    }

    #[test]
    fn a_frame_for_more_ports_than_its_part_waits_alone() {
        let mut flood = Flood::default();
        let many = copies((COPIES / PART) as u32 + 1);
        assert!(flood.wait(port(1), &frame(0x0800, 0, 60), &many));
        assert!(!flood.wait(port(1), &frame(0x0800, 1, 60), &many));
    }

    #[test]
    fn a_port_that_goes_takes_its_copies_along() {
        let mut flood = Flood::default();
        flood.wait(port(9), &frame(0x0800, 1, 60), &copies(3));
        flood.wait(port(9), &frame(0x0800, 2, 60), &copies(1));
        let (from, mut waiting) = flood.next().unwrap();
        waiting.written = 1;
        flood.put_back(from, waiting);
        flood.retain(|port| port.number() != 0);
        let (_, waiting) = flood.next().unwrap();
        assert_eq!((number(&waiting), waiting.written), (1, 0));
        assert_eq!(waiting.copies, copies(3)[1..]);
        assert!(flood.next().is_none() && flood.is_empty());
    }

    proptest! {
        /// Whatever comes and is written in pieces: the frames of a port leave in their order within a room, each copy once.
        #[test]
        fn the_frames_of_a_port_keep_their_order(
            steps in prop::collection::vec((0u32..4, any::<bool>(), 1u32..20, 0usize..12), 1..80)
        ) {
            let mut flood = Flood::default();
            let (mut came, mut left) = (BTreeMap::new(), BTreeMap::new());
            let mut write = |flood: &mut Flood, mut share: usize| while share > 0 {
                let Some((from, mut waiting)) = flood.next() else { break };
                let count = share.min(waiting.copies.len() - waiting.written);
                let kind = is_arp(&waiting.frame);
                let log: &mut Vec<(u32, u32)> = left.entry((from, kind)).or_default();
                log.extend(waiting.copies[waiting.written..][..count].iter().map(|copy| (number(&waiting), copy.port.number())));
                (waiting.written, share) = (waiting.written + count, share - count);
                if waiting.written < waiting.copies.len() {
                    flood.put_back(from, waiting);
                }
            };
            for (at, (from, arp, ports, share)) in steps.into_iter().enumerate() {
                let kind = if arp { 0x0806 } else { 0x0800 };
                prop_assert!(flood.wait(port(from), &frame(kind, at, 60), &copies(ports)));
                let log: &mut Vec<(u32, u32)> = came.entry((port(from), arp)).or_default();
                log.extend((0..ports).map(|port| (at as u32, port)));
                write(&mut flood, share);
            }
            write(&mut flood, usize::MAX);
            prop_assert!(flood.is_empty() && flood.arp.held.copies == 0 && flood.others.held.bytes == 0);
            prop_assert_eq!(came, left);
        }
    }
}
