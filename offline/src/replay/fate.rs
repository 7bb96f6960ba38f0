//! Finds out what became of each frame without asking the switch: from its counts before and after
//! a step, and from what it left in the outbox.
//!
//! # Theory of operation
//! Every frame that comes in is counted once as sent, held, consumed or dropped, so the differences
//! of one step add up to one, but for earlier frames that stop waiting in the same step. What makes
//! frames stop waiting tells those from the frame itself: an ARP packet frees what waited for a
//! neighbour, which is then sent or dropped; a last fragment frees the others, which are then
//! consumed. What the switch said of itself is known by number, and is the router's ARP before it
//! is anything else of the router's. A full queue is the one case that counts cannot tell: the
//! frame is taken to wait in place of older ones.

use std::borrow::Cow;
use std::collections::BTreeSet;

use packet::{DropReason, EtherType, Frame, Instant, Mac};
use switch::{Egress, Notice};

use super::account::{Account, Arrival, Cause, Fate, Part, Sent};
use super::stage::Difference;
use super::words::words;
use super::write::label;
use crate::listing::notices::say;
use crate::listing::rows::{self, Drops};
use labfile::Lab;
use labfile::ids::Ids;

/// What a step was made for.
pub(super) enum Occasion<'a> {
    Start,
    Timer,
    Frame(Came<'a>),
    /// Something else, which is told in any case.
    Change(String),
}

/// A frame that came in.
pub(super) struct Came<'a> {
    /// What people call the place.
    pub(super) label: Cow<'a, str>,
    pub(super) bytes: Cow<'a, [u8]>,
    /// Whether it was longer than what there is of it.
    pub(super) is_truncated: bool,
}

/// Makes an account of each step, and tells it.
pub(super) struct Accountant<'a> {
    start: Instant,
    /// The router's own addresses.
    own: BTreeSet<Mac>,
    /// What left in this step.
    seen: Vec<Departed>,
    tell: &'a mut dyn FnMut(&Account),
}

struct Departed {
    sent: Sent,
    is_arp: bool,
    is_from_router: bool,
}

impl<'a> Accountant<'a> {
    pub(super) fn new(lab: &Lab, start: Instant, tell: &'a mut dyn FnMut(&Account)) -> Self {
        let mut accountant = Self { start, own: BTreeSet::new(), seen: Vec::new(), tell };
        accountant.know(lab);
        accountant
    }

    /// Learns the router's addresses, where they have become others.
    pub(super) fn know(&mut self, lab: &Lab) {
        self.own = lab.interfaces().into_iter().map(|interface| interface.mac).collect();
    }

    /// Notes a frame that leaves.
    pub(super) fn see(&mut self, ids: &Ids, frame: &Frame, copies: &[Egress]) {
        let source = frame.bytes().get(6..12).and_then(|bytes| bytes.first_chunk::<6>());
        let sent = Sent {
            part: Part::Frame,
            bytes: frame.len(),
            to: copies.iter().map(|copy| label(ids, copy.port, copy.remote)).collect(),
            words: words(frame.compact()),
        };
        self.seen.push(Departed {
            sent,
            is_arp: is_arp(frame.bytes()),
            is_from_router: source.is_some_and(|source| self.own.contains(&Mac(*source))),
        });
    }

    /// Tells of the step that is over. One of a timer that nobody could notice is passed over.
    pub(super) fn tell(
        &mut self,
        ids: &Ids,
        now: Instant,
        step: Occasion<'_>,
        difference: &Difference,
        notices: impl Iterator<Item = Notice>,
    ) {
        let mut seen = core::mem::take(&mut self.seen);
        mark_spoken(&mut seen, difference.spoken);
        let mut drops = difference.drops.clone();
        let (cause, fate) = match step {
            Occasion::Start => (Cause::Start, None),
            Occasion::Timer => (Cause::Timer, None),
            Occasion::Change(words) => (Cause::Change(words), None),
            Occasion::Frame(came) => {
                let is_arp = is_arp(&came.bytes);
                let fate = fate(difference, &seen, is_arp, &mut drops);
                mark_released(&mut seen, difference, &fate, is_arp);
                (Cause::Frame(arrival(&came)), Some(fate))
            }
        };
        if fate.is_none() {
            // What a timer or a change sets free had waited.
            seen.iter_mut().for_each(Departed::release);
        }
        let notices: Vec<String> = notices.map(|notice| say(ids, notice)).collect();
        let is_told = fate.is_some() || matches!(cause, Cause::Change(_));
        if !is_told && seen.is_empty() && drops.is_empty() && notices.is_empty() {
            return;
        }
        (self.tell)(&Account {
            at: u64::try_from(now.since(self.start).as_nanos()).unwrap_or(u64::MAX),
            cause,
            fate,
            sent: seen.into_iter().map(|seen| seen.sent).collect(),
            drops: drops.into_iter().map(|drop| rows::drop(ids, drop)).collect(),
            notices,
        });
    }
}

impl Departed {
    fn release(&mut self) {
        if self.sent.part == Part::Frame {
            self.sent.part = Part::Released;
        }
    }
}

fn arrival(came: &Came<'_>) -> Arrival {
    Arrival {
        input: came.label.clone().into_owned(),
        bytes: came.bytes.len(),
        truncated: came.is_truncated,
        words: words(Frame::copied_from(&came.bytes)),
    }
}

/// Marks as many frames as the switch spoke of itself.
fn mark_spoken(seen: &mut [Departed], spoken: u64) {
    let count = usize::try_from(spoken).unwrap_or(usize::MAX);
    let mut order: Vec<&mut Departed> = seen.iter_mut().collect();
    order.sort_by_key(|seen| (!(seen.is_arp && seen.is_from_router), !seen.is_from_router));
    for seen in order.into_iter().take(count) {
        seen.sent.part = Part::Spoken;
    }
}

/// Marks frames that left and are neither the one that came in nor the switch's own.
fn mark_released(seen: &mut [Departed], difference: &Difference, fate: &Fate, is_arp: bool) {
    for seen in seen {
        // What waits for an ARP packet is IPv4; a packet put together from fragments is the last
        // one's.
        if *fate != Fate::Sent || (difference.held < 0 && is_arp && !seen.is_arp) {
            seen.release();
        }
    }
}

/// What became of the frame itself. What is left in `drops` is what became of others.
fn fate(difference: &Difference, seen: &[Departed], is_arp: bool, drops: &mut Vec<Drops>) -> Fate {
    let Difference { sent, consumed, dropped, held, .. } = *difference;
    let gave_way = drops.iter().any(|(_, reason, _)| GIVES_WAY.contains(reason));
    let freed = held < 0;
    let left = seen.iter().any(|seen| seen.sent.part == Part::Frame && seen.is_arp == is_arp);
    if held > 0 || held.saturating_add_unsigned(dropped) == 1 && gave_way {
        return Fate::Held;
    }
    if freed && is_arp && consumed > 0 {
        return Fate::Consumed;
    }
    // A frame that left is among what was seen; of others that were freed, some may have ended.
    let is_sent = if freed && is_arp { left } else { sent > 0 && (!freed || dropped == 0) };
    if is_sent {
        return Fate::Sent;
    }
    match drops.first_mut().filter(|_| dropped > 0) {
        Some((_, reason, count)) => {
            let (reason, is_last) = (*reason, *count == 1);
            *count -= 1;
            if is_last {
                drops.remove(0);
            }
            let meaning = reason.describe().trim().to_owned();
            Fate::Dropped { reason: reason.name().to_owned(), meaning }
        }
        None => Fate::Consumed,
    }
}

/// Of what frames die that waited, for the sake of one that comes to wait.
const GIVES_WAY: [DropReason; 3] =
    [DropReason::NeighborQueueFull, DropReason::FragmentLimit, DropReason::FragmentStale];

fn is_arp(bytes: &[u8]) -> bool {
    packet::ethernet::network_header(bytes).is_some_and(|(_, kind)| kind == EtherType::ARP)
}
