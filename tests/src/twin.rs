//! A second switch beside the one under test that is told the same and always goes the long way.
//!
//! The switch keeps what it found for packets that follow one another, and takes guesses from
//! whoever reads ahead. Its twin forgets all that before every frame and gets no guesses. Both have
//! to say the same, always.

use core::num::NonZeroU32;

use packet::{BridgeId, Frame, Instant, Offload, Tag};
use switch::{Change, ChangeError, Egress, Event, Outbox, Switch};

use crate::lab::Lab;

/// A frame as it left: bytes, tag beside them, duties, copies.
type Left = (Vec<u8>, Option<Tag>, Offload, Vec<Egress>);

#[derive(Debug)]
pub(crate) struct Twin {
    switch: Switch,
    outbox: Outbox,
}

impl Twin {
    pub(crate) fn new(seed: u64) -> Self {
        Self { switch: Switch::new(seed), outbox: Outbox::new(8) }
    }

    pub(crate) fn apply(&mut self, now: Instant, change: Change) -> Result<(), ChangeError> {
        self.switch.apply(now, change, &mut self.outbox)
    }

    pub(crate) fn step(&mut self, now: Instant, event: Event) {
        // A change that is refused changes nothing, but whatever was kept is forgotten.
        let nothing = Change::DeleteBridge(BridgeId::new(u16::MAX));
        assert!(self.switch.apply(now, nothing, &mut self.outbox).is_err());
        self.switch.step(now, event, &mut self.outbox);
    }

    /// Sees that both said the same, and came to the same.
    pub(crate) fn compare(&mut self, now: Instant, switch: &Switch, sent: &[(Frame, Vec<Egress>)]) {
        let mut ours: Vec<Left> = Vec::new();
        self.outbox.drain(|frame, copies| ours.push(left(frame, copies)));
        let theirs: Vec<Left> = sent.iter().map(|(frame, copies)| left(frame, copies)).collect();
        assert_eq!(theirs, ours, "by the fast paths, and the long way");
        assert_eq!(switch.totals(), self.switch.totals(), "by the fast paths, and the long way");
        assert_eq!(switch.drops(), self.switch.drops(), "by the fast paths, and the long way");
        assert_eq!(switch.next_timeout(), self.switch.next_timeout());
        for bridge in (0..BRIDGES).map(BridgeId::new) {
            let counts = switch.fdb_counts(bridge);
            assert_eq!(counts, self.switch.fdb_counts(bridge));
            if counts.is_some_and(|(stations, ..)| stations < FEW) {
                assert_eq!(switch.stations(now, bridge), self.switch.stations(now, bridge));
            }
        }
        self.outbox.notices().for_each(drop);
        if switch.nat_stats().flows < FEW {
            assert_eq!(switch.flows(now), self.switch.flows(now));
        }
    }
}

impl Lab {
    /// The event as a worker hands it over that has read ahead; now and then its guess is wrong.
    pub(crate) fn guessing(&self, event: Event) -> Event {
        let mut events = [event];
        self.switch.prefetch(&mut events);
        let [mut event] = events;
        if let Event::Frame { frame, .. } = &mut event
            && frame.flow_hint().is_none()
        {
            frame.set_flow_hint(NonZeroU32::new(self.sequence as u32 % 12));
        }
        event
    }
}

/// Flows of all, and stations of a bridge, that are compared one by one after every step.
const FEW: usize = 32;
/// Bridges that are compared, from the first.
const BRIDGES: u16 = 4;

fn left(frame: &Frame, copies: &[Egress]) -> Left {
    (frame.bytes().to_vec(), frame.tag(), frame.offload(), copies.to_vec())
}
