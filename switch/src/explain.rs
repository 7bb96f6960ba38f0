//! The door for whoever asks why: an event in a copy of the switch, with the witness awake.

use crate::event::Event;
use crate::outbox::Outbox;
use crate::switch::Switch;
use crate::trace::{Explanation, Part, Sent};

impl Switch {
    /// What would become of an event now, and why. The switch itself does not notice: a copy of it
    /// lives through the event. Costs a copy of all state: a fraction of a millisecond for a lab,
    /// and in proportion to flows and stations for more.
    pub fn explain(&self, now: packet::Instant, event: Event) -> Explanation {
        self.clone().step_explained(now, event)
    }

    /// As [`Switch::step`], and says what became of the event and why. For copies: what leaves is
    /// told and not sent.
    pub fn step_explained(&mut self, now: packet::Instant, event: Event) -> Explanation {
        let is_frame = matches!(event, Event::Frame { .. } | Event::Datagram { .. });
        let mut out = Outbox::new(BUFFERS);
        // A frame on a fast path has no steps to tell.
        self.invalidate_caches();
        self.trace.begin();
        let outcome = self.input(now, event, &mut out);
        let last = self.trace.last();
        let (notes, parts) = self.trace.end();
        let mut sent = Vec::new();
        out.drain(|frame, copies| {
            let at = sent.len();
            let part = parts.iter().find(|(range, _)| range.contains(&at)).map(|(_, part)| *part);
            let part = part.unwrap_or(if is_frame { Part::Frame } else { Part::Spoken });
            sent.push(Sent { part, frame: frame.compact(), copies: copies.to_vec() });
        });
        Explanation { outcome, notes, last, sent, notices: out.notices().collect() }
    }
}

/// Buffers kept while one event lives: a flood of released packets takes as many as it takes.
const BUFFERS: usize = 8;
