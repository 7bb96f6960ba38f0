//! The witness of a frame's life: notes down what the steps saw and decided while somebody wants to
//! know.
//!
//! It stands in the switch and is asleep, except in a copy that
//! [`Switch::step_explained`](crate::Switch) drives. A step says which it is by a store, and leaves
//! a note by one branch that is never taken while the witness sleeps; what a note is made of is
//! looked up only behind that branch.

use core::ops::Range;

use nat::facts::{Endpoints, SentPacket};
use nat::{AfterDnat, AfterSnat, Departure, Nat};
use packet::{DropReason, Dropped, Frame, Instant, InterfaceId, Ipv4, Mac, PortId, Tag, VlanId};

use crate::bridge::{Bridge, Decision, Ingress};
use crate::interface::Origin;
use crate::neighbors::{Key, Neighbors};
use crate::pending::Pending;
use crate::port::Ports;
use crate::routes::Routes;
use crate::station::{Location, Segment};
use crate::trace::{Learning, Lost, Note, Part, Step, Verdict};

/// Frames of the outbox, and whose they are.
pub(crate) type Parts = Vec<(Range<usize>, Part)>;

/// See the module's own text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    step: Step,
    awake: Option<Box<Awake>>,
}

#[derive(Clone, Debug, Default)]
struct Awake {
    notes: Vec<(Step, Note)>,
    parts: Parts,
    /// The packet under way, as its sender sent it.
    sent: Option<SentPacket>,
    /// The same as it is now.
    ends: Option<Endpoints>,
    /// Whether it belonged to a flow when it came.
    is_known: bool,
}

impl Witness {
    /// Wakes it.
    pub(crate) fn begin(&mut self) {
        *self = Self { step: Step::default(), awake: Some(Box::default()) };
    }

    /// What was noted, and whose the frames in the outbox are; then it sleeps again.
    pub(crate) fn end(&mut self) -> (Vec<(Step, Note)>, Parts) {
        self.awake.take().map_or_else(Default::default, |awake| (awake.notes, awake.parts))
    }

    /// The step that began last.
    pub(crate) const fn last(&self) -> Step {
        self.step
    }

    /// A step begins.
    #[inline(always)]
    pub(crate) const fn enter(&mut self, step: Step) {
        self.step = step;
    }

    /// The step that is under way saw or decided something.
    #[inline(always)]
    pub(crate) fn note(&mut self, note: impl FnOnce() -> Note) {
        if let Some(awake) = &mut self.awake {
            write(awake, self.step, note);
        }
    }

    /// Frames `from` to `to` of the outbox are not the one that came in.
    #[inline]
    pub(crate) fn sent(&mut self, from: usize, to: usize, part: Part) {
        if let Some(awake) = &mut self.awake {
            awake.parts.push((from..to, part));
        }
    }

    /// A packet reached the router.
    #[inline(always)]
    pub(crate) fn packet(&mut self, packet: &Ipv4) {
        if let Some(awake) = &mut self.awake {
            let sent = SentPacket::of(packet);
            (awake.sent, awake.ends) = (Some(sent), Some(sent.ends));
            let (ttl, len) = (packet.ttl(), packet.total_len());
            write(awake, self.step, || Note::Packet { ends: sent.ends, ttl, len });
        }
    }

    /// NAT said whom the packet is for.
    #[inline(always)]
    pub(crate) fn destined(
        &mut self,
        now: Instant,
        nat: &Nat,
        destined: &AfterDnat,
        owner: Option<InterfaceId>,
    ) {
        if let Some(awake) = &mut self.awake {
            destination(awake, self.step, now, nat, destined, owner);
        }
    }

    /// NAT said whom the packet is from, or refused it.
    #[inline(always)]
    pub(crate) fn translated(
        &mut self,
        now: Instant,
        nat: &Nat,
        outcome: &Result<AfterSnat, Dropped>,
        departure: Departure,
    ) {
        if let Some(awake) = &mut self.awake {
            source(awake, self.step, now, nat, outcome, departure);
        }
    }
}

#[cold]
#[inline(never)]
fn write(awake: &mut Awake, step: Step, note: impl FnOnce() -> Note) {
    awake.notes.push((step, note()));
}

#[cold]
fn destination(
    awake: &mut Awake,
    step: Step,
    now: Instant,
    nat: &Nat,
    destined: &AfterDnat,
    owner: Option<InterfaceId>,
) {
    let Some(sent) = awake.sent else { return };
    let flow = nat.flow_of(now, &sent);
    let after = Endpoints::of(destined.packet());
    let note = Note::Dnat {
        found: nat.is_configured().then(|| destined.dnat_reason()),
        flow,
        publish: nat.publish_of(&sent, owner),
        before: sent.ends,
        after,
        own: owner.filter(|_| destined.is_local()),
    };
    (awake.ends, awake.is_known) = (Some(after), flow.is_some());
    awake.notes.push((step, note));
}

#[cold]
fn source(
    awake: &mut Awake,
    step: Step,
    now: Instant,
    nat: &Nat,
    outcome: &Result<AfterSnat, Dropped>,
    departure: Departure,
) {
    let (Some(sent), Some(before)) = (awake.sent, awake.ends) else { return };
    let out = departure.interface;
    let flow = nat.flow_of(now, &sent).filter(|_| outcome.is_ok());
    let note = Note::Snat {
        out,
        flow,
        is_new: flow.is_some() && !awake.is_known,
        rule_matches: nat.rule_matches(before.source, before.destination, out),
        before,
        after: outcome.as_ref().ok().map(|translated| Endpoints::of(translated.packet())),
    };
    awake.notes.push((step, note));
}

impl Note {
    /// A frame on a bridge.
    pub(crate) const fn bridged(from: Location, segment: Segment, tag: Option<Tag>) -> Self {
        Self::Bridged { from, bridge: segment.bridge, vlan: segment.vlan, tag }
    }

    /// A frame on a port whose cable ends in the router.
    pub(crate) const fn routed(Origin { port, interface }: Origin) -> Self {
        Self::Routed { port, interface }
    }

    /// Who speaks on a bridge, ahead of learning.
    pub(crate) fn speaker(
        now: Instant,
        bridge: &Bridge,
        (mac, vlan): (Mac, VlanId),
        reserved: bool,
        learns: bool,
    ) -> Self {
        let learning = match () {
            () if reserved => Learning::Reserved,
            () if bridge.settings.hub => Learning::Hub,
            () if !learns => Learning::Off,
            () => Learning::Here,
        };
        Self::Speaker { mac, known: bridge.fdb.station(now, mac, vlan), learning }
    }

    /// Whom a frame on a bridge is for.
    pub(crate) fn addressee(
        now: Instant,
        bridge: &Bridge,
        (mac, vlan): (Mac, VlanId),
        decision: Result<Decision, DropReason>,
    ) -> Self {
        let verdict = match decision {
            Ok(Decision::Forward(to)) => Verdict::Forward(to),
            Ok(Decision::Flood) if mac.is_group() => Verdict::Group,
            Ok(Decision::Flood) if bridge.settings.hub => Verdict::Hub,
            Ok(Decision::Flood) => Verdict::Unknown,
            Ok(Decision::Router(interface)) => Verdict::Router(interface),
            Err(reason) => Verdict::Refused(reason),
        };
        Self::Addressee { mac, known: bridge.fdb.station(now, mac, vlan), verdict }
    }

    /// Who gets a flooded frame.
    pub(crate) fn audience(
        bridge: &Bridge,
        ports: &Ports,
        ingress: Ingress,
        frame: &Frame,
    ) -> Self {
        let mut audience = Vec::new();
        bridge.audience(ports, ingress, frame, |port, _, verdict| audience.push((port, verdict)));
        Self::Audience(audience)
    }

    /// Who gets a packet next.
    pub(crate) fn next_hop(key: Key, neighbors: &Neighbors) -> Self {
        let (interface, address) = (key.interface(), key.address());
        Self::NextHop { interface, address, known: neighbors.one(key) }
    }

    /// A packet waits; `from` is the port that it came in on.
    pub(crate) fn waits(
        key: Key,
        pending: &Pending,
        lost: Option<Lost>,
        from: Option<PortId>,
    ) -> Self {
        let (address, waiting) = (key.address(), pending.waiting(key));
        Self::Waits { address, waiting, lost, is_own: from.is_none() }
    }

    /// What the routes say of a packet, ahead of the decision.
    pub(crate) fn route(routes: &Routes, packet: &Ipv4) -> Self {
        Self::Route { route: routes.holding(packet.destination()), ttl: packet.ttl() }
    }
}
