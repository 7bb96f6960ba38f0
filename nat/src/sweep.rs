//! Flows that a change has ended, taken out of the table a few at a time.
//!
//! # Theory of operation
//! When the rules change, or an address is no longer the router's, flows end. To look at all of
//! them at once would keep packets waiting (8 ms for 64,000 flows, 49 ms where all of them end), so
//! the change is kept as a [`Sweep`] over the places that the table has, and the timer carries it
//! on in slices. A flow that was born before the sweep, in a place that it has not come to, is
//! judged when it is looked up or listed: so a flow ends with the change for whoever asks, though
//! its place, its port and its part in the counts are free only once the sweep has come by.
//! Meanwhile nothing new comes in by a port that a flow was lent, since that flow may be one of
//! those. Sweeps run one behind the other, in the order of the changes.

use core::net::Ipv4Addr;
use std::collections::BTreeSet;

use packet::snapshot::{Damaged, ensure};

use crate::flow::Flow;
use crate::nat::Nat;
use crate::revalidation::still_holds;
use crate::rules::{Listeners, Rules};
use crate::sweeps::{Cause, Sweep};
use crate::tuple::Direction;

/// Places looked at in one [`Nat::sweep`]: three milliseconds where every flow ends, a third of one
/// where none does.
const SLICE: u32 = 2048;
/// Places looked at with each new flow, which may need the room.
pub(crate) const WITH_A_FLOW: u32 = 16;
/// Masquerade rules whose judgement costs as much as the rest of looking at a place.
const RULES_A_PLACE: usize = 16;
/// Sweeps that wait at most; a further change carries the first on to its end, whatever that takes.
const MOST_SWEEPS: usize = 32;

impl Nat {
    /// Ends the flows of which the rules in force say something else than those before.
    pub(crate) fn sweep_rules(&mut self, before: Rules, listeners: Listeners) {
        self.begin_sweep(Cause::Rules(before, listeners));
    }

    /// Ends the flows that stand under an address that is no longer the router's, and forgets its
    /// ports.
    pub fn forget_address(&mut self, external: Ipv4Addr) {
        if let Some(Sweep { cause: Cause::Addresses(gone), next: 0, births, .. }) =
            self.sweeps.back_mut()
            && *births == self.table.births()
        {
            gone.insert(external);
            return;
        }
        self.begin_sweep(Cause::Addresses(BTreeSet::from([external])));
    }

    fn begin_sweep(&mut self, cause: Cause) {
        while self.sweeps.len() >= MOST_SWEEPS {
            self.sweep();
        }
        let (end, births) = (self.table.bound(), self.table.births());
        self.sweeps.push_back(Sweep { cause, next: 0, end, births });
    }

    /// Whether flows that have ended may still be in the table.
    #[inline]
    pub fn is_sweeping(&self) -> bool {
        !self.sweeps.is_empty()
    }

    /// Takes out some of the flows that changes have ended.
    pub fn sweep(&mut self) {
        let rules = self.rules.masquerade.len() / RULES_A_PLACE;
        self.sweep_places(SLICE / u32::try_from(rules + 1).unwrap_or(SLICE).min(SLICE));
    }

    /// [`Nat::sweep`] for so many places.
    #[inline]
    pub(crate) fn sweep_places(&mut self, places: u32) {
        if self.is_sweeping() {
            self.carry_on(places);
        }
    }

    #[cold]
    fn carry_on(&mut self, mut places: u32) {
        while let Some(sweep) = self.sweeps.front_mut()
            && places > 0
        {
            let from = sweep.next;
            sweep.next = sweep.end.min(from.saturating_add(places));
            let (upto, is_over) = (sweep.next, sweep.next == sweep.end);
            places -= (upto - from).min(places);
            for number in from..upto {
                if self.is_ended_by(0, number)
                    && let Some(id) = self.table.id(number)
                {
                    self.end(self.latest, id);
                    self.counts.flushed += 1;
                }
            }
            let over = if is_over { self.sweeps.pop_front() } else { None };
            if let Some(Sweep { cause: Cause::Addresses(gone), .. }) = over {
                self.mappings.forget_addresses(&gone);
            }
        }
    }

    /// Whether a change has ended the flow in this place, and no sweep has come by yet.
    #[cold]
    pub(crate) fn is_swept(&self, number: u32) -> bool {
        let ahead = |sweep: &Sweep| (sweep.next..sweep.end).contains(&number);
        (0..).zip(&self.sweeps).any(|(at, sweep)| ahead(sweep) && self.is_ended_by(at, number))
    }

    fn is_ended_by(&self, at: usize, number: u32) -> bool {
        let (Some(sweep), Some((flow, held))) = (self.sweeps.get(at), self.table.held(number))
        else {
            return false;
        };
        if !self.table.is_born_by(number, sweep.births) {
            return false;
        }
        match &sweep.cause {
            Cause::Addresses(gone) => stands_under(flow, gone),
            Cause::Rules(rules, listeners) => {
                let mut later = self.sweeps.iter().skip(at + 1);
                let after = later.find_map(|sweep| match &sweep.cause {
                    Cause::Rules(rules, listeners) => Some((rules, listeners)),
                    Cause::Addresses(_) => None,
                });
                let after = after.unwrap_or((&self.rules, &self.listeners));
                !still_holds(flow, held.path, (rules, listeners), after)
            }
        }
    }

    /// Makes what is not written of the sweeps.
    pub(crate) fn mend_sweeps(&mut self) -> Result<(), Damaged> {
        ensure(self.sweeps.len() <= MOST_SWEEPS, "there are too many sweeps")?;
        let bound = self.table.bound();
        for Sweep { cause, next, end, .. } in &mut self.sweeps {
            ensure(*next <= *end && *end <= bound, "a sweep leads beyond the table")?;
            if let Cause::Rules(rules, listeners) = cause {
                *listeners = Listeners::new(&rules.publish);
            }
        }
        Ok(())
    }
}

fn stands_under(flow: &Flow, gone: &BTreeSet<Ipv4Addr>) -> bool {
    let (original, reply) = (flow.tuple(Direction::Original), flow.tuple(Direction::Reply));
    let stands_in = reply.destination != original.source && gone.contains(&reply.destination);
    let published = reply.source != original.destination && gone.contains(&original.destination);
    stands_in || published
}
