//! Behind a step: was it one of the fates that were predicted?

use std::collections::{BTreeMap, BTreeSet};

use packet::{DropReason, Frame, PortId};
use switch::Egress;

use super::ipv4::Transport;
use super::nat::Translated;
use super::{Copies, Fate, Leaving, Prediction, Reference, Tables, World, neighbors};
use crate::beyond::is_lowered;
use crate::checks::seen;
use crate::wire::Packet;

/// A step as it can be seen from outside.
struct Seen<'a> {
    came: Option<&'a Frame>,
    sent: &'a [(Frame, Vec<Egress>)],
    before: &'a Tables,
    after: &'a Tables,
    port: PortId,
    /// Frames that had waited may have gone their way in the same step.
    released: bool,
}

impl Reference {
    /// Compares a step with its prediction. `sent` is what left, each with its copies.
    pub(crate) fn confirm(
        &mut self,
        world: World<'_>,
        prediction: &Prediction,
        came: Option<&(PortId, Frame)>,
        sent: &[(Frame, Vec<Egress>)],
    ) {
        self.check_tables(world, "a step");
        let after = tables(world);
        let interfaces = &world.settings.interfaces;
        let lost = after.neighbors.iter().find(|n| !interfaces.contains_key(&n.interface));
        assert!(lost.is_none(), "a neighbour on an interface that is gone: {lost:?}");
        let (old, new) = (&self.before.neighbors, &after.neighbors);
        neighbors::check(world, prediction, (old, new), self.neighbor_capacity);
        self.nat.confirm(world.now, &world.switch.flows(world.now));
        let seen = Seen {
            came: came.map(|(_, frame)| frame),
            sent,
            before: &self.before,
            after: &after,
            port: prediction.port,
            released: prediction.heard.is_some() || prediction.timeout || prediction.is_down,
        };
        let fates = &prediction.fates;
        let right = fates.is_empty() || fates.iter().any(|fate| self.is_seen(world, &seen, fate));
        assert!(
            right,
            "not as predicted: {prediction:#?}\ndrops: {:?}\ncounts: {:?}\nthen: {:?}\nleft: {sent:?}",
            seen.drops(),
            seen.before.totals,
            seen.after.totals,
        );
        self.before = after;
    }

    /// Notes how things stand.
    pub(super) fn remember(&mut self, world: World<'_>) {
        self.before = tables(world);
    }

    fn is_seen(&self, world: World<'_>, seen: &Seen<'_>, fate: &Fate) -> bool {
        let [sent, held, consumed, dropped] = seen.counts();
        let only_speech = || seen.released || seen.sent.iter().all(|(f, _)| is_speech(world, f));
        match fate {
            Fate::Unknown => true,
            Fate::Dropped(reason) => {
                let counted = seen.drops().contains_key(&(seen.port, *reason));
                // Who sends too much into a tunnel is told so in the name of whom it was for.
                let in_a_name =
                    matches!(reason, DropReason::ExceedsTunnelMtu | DropReason::NoEgress);
                dropped >= 1 && counted && (in_a_name || only_speech())
            }
            Fate::Consumed => consumed >= 1 && only_speech(),
            Fate::Held => {
                // An older one made room, of this neighbour or of one that gave way.
                let room = [DropReason::NeighborQueueFull, DropReason::NeighborTableFull];
                let full = seen.drops().keys().any(|drop| room.contains(&drop.1));
                (held == 1 || held <= 0 && full) && only_speech()
            }
            Fate::Bridged(copies) => sent >= 1 && seen.has_left(world, copies),
            Fate::Routed(leaving) => {
                sent >= 1 && seen.sent.iter().any(|(f, to)| self.is_leaving(seen, leaving, f, to))
            }
        }
    }

    /// Whether a frame that left is the packet that came, as it is to leave.
    fn is_leaving(
        &self,
        seen: &Seen<'_>,
        leaving: &Leaving,
        frame: &Frame,
        copies: &[Egress],
    ) -> bool {
        let (Some(was), Some(is)) = (seen.came.and_then(packet), packet(frame)) else {
            return false;
        };
        let Translated { to, .. } = leaving.packet;
        let from = self.nat.seen_as(&leaving.packet, &was);
        let transport = Transport::of(&was);
        let ports =
            !was.is_fragment() && matches!(transport, Transport::Tcp { .. } | Transport::Udp);
        let same_ends = is.source == *from.ip()
            && is.destination == *to.ip()
            && (!ports || (is.from().port(), is.to().port()) == (from.port(), to.port()));
        let addresses = (super::bridge::destination(frame), super::bridge::source(frame));
        same_ends
            && addresses == (leaving.to, leaving.from)
            && is.ttl + 1 == was.ttl
            && is.payload.len() == was.payload.len()
            && Self::places(copies) == leaving.copies
    }
}

impl Seen<'_> {
    /// How many more were sent, are held, were consumed and dropped.
    const fn counts(&self) -> [i64; 4] {
        let (old, new) = (&self.before.totals, &self.after.totals);
        [
            new.sent as i64 - old.sent as i64,
            new.held as i64 - old.held as i64,
            new.consumed as i64 - old.consumed as i64,
            new.dropped as i64 - old.dropped as i64,
        ]
    }

    /// What was dropped in this step.
    fn drops(&self) -> BTreeMap<(PortId, DropReason), u64> {
        let mut drops = self.after.drops.clone();
        for (key, count) in &self.before.drops {
            if let Some(now) = drops.get_mut(key) {
                *now -= count;
            }
        }
        drops.retain(|_, count| *count > 0);
        drops
    }

    /// Whether the frame that came left on these copies and no others, and the others were refused
    /// as they should. Copies with a lowered MSS leave on their own.
    fn has_left(&self, world: World<'_>, copies: &Copies) -> bool {
        let Some(came) = self.came.map(|frame| world.settings.on_bridge(self.port, frame)) else {
            return false;
        };
        let left = self.sent.iter().filter(|(frame, _)| {
            frame.bytes() == came.bytes() || is_lowered(came.bytes(), frame.bytes())
        });
        let left: Vec<_> = left.flat_map(|(_, to)| Reference::places(to)).collect();
        let places = left.iter().copied().collect::<BTreeSet<_>>();
        let each_once = places.len() == left.len() && places == copies.sent;
        each_once && (self.released || self.drops() == copies.refused)
    }
}

/// Whether the router says this of its own accord: it bears an address of its own.
fn is_speech(world: World<'_>, frame: &Frame) -> bool {
    let own = || world.settings.interfaces.values();
    let source = super::bridge::source(frame);
    own().any(|own| own.mac == source)
        && packet(frame).is_none_or(|packet| {
            own().flat_map(|own| &own.addresses).any(|net| net.addr() == packet.source)
        })
}

fn packet(frame: &Frame) -> Option<Packet> {
    seen(frame).packet()
}

fn tables(world: World<'_>) -> Tables {
    let drops = world.switch.drops().into_iter();
    Tables {
        totals: world.switch.totals(),
        drops: drops.map(|(port, reason, count)| ((port, reason), count)).collect(),
        neighbors: world.switch.neighbors(),
    }
}
