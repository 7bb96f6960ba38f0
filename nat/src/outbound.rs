//! Step 7 of a packet's life: whom is it really from?

use packet::rewrite::{self, End};
use packet::{DropReason, Dropped, Instant, Ipv4, Protocol, Transport};

use crate::creation::{NewFlow, Source};
use crate::flow::FlowOrigin;
use crate::flow_id::FlowDirection;
use crate::flow_id::FlowId;
use crate::inbound::begins;
use crate::mapping_id::MappingId;
use crate::nat::Nat;
use crate::path::Path;
use crate::revalidation::SnatKind;
use crate::tcp::Tcp;
use crate::translated::{AfterDnat, AfterSnat, Arrival, CtState, Departure};
use crate::tuple::{Direction, Tuple};

impl Nat {
    /// Gives a packet the source that the other side shall see, follows its flow, and keeps a flow
    /// that it begins.
    ///
    /// # Errors
    /// The frame is as its sender knew it; nothing is kept. [`DropReason::NatNoFlow`] and
    /// [`DropReason::BadTransport`]: a rule covers it, but no flow can be told from it or begun
    /// with it. [`DropReason::NatBadError`]: a covered ICMP error about a packet of no flow.
    /// [`DropReason::NatNoAddress`], [`DropReason::NatTableFull`], [`DropReason::NatHostLimit`],
    /// [`DropReason::NatNoPort`]: the flow that it would begin cannot be.
    /// [`DropReason::Unsolicited`]: it comes from outside for a host inside, and nobody there asked
    /// for it.
    pub fn outbound(
        &mut self,
        now: Instant,
        packet: AfterDnat,
        arrival: Arrival,
        departure: Departure,
    ) -> Result<AfterSnat, Dropped> {
        self.set_latest(now);
        let translated = match packet.state {
            CtState::Established { flow, direction, transport } => {
                self.follow(now, packet, (flow, direction), transport, departure)
            }
            CtState::Untracked if !self.is_configured() => Ok(AfterSnat::new(packet.into_packet())),
            CtState::Untracked => self.masquerade(now, packet, arrival, departure),
            CtState::Dnat { original, origin, mapping } => {
                let redirected = Redirected { original, arrival, origin, mapping };
                self.redirect(now, packet, redirected, departure)
            }
            CtState::Related { flow, direction } => {
                self.outbound_error(packet, (flow, direction), departure)
            }
        };
        if let Err(dropped) = &translated {
            self.count_refused(dropped.reason);
        }
        translated
    }

    /// A packet of a known flow.
    #[inline]
    fn follow(
        &mut self,
        now: Instant,
        destined: AfterDnat,
        (id, direction): (FlowId, Direction),
        transport: Transport,
        departure: Departure,
    ) -> Result<AfterSnat, Dropped> {
        let Some(flow) = self.table.get(id) else {
            return Err(destined.undo().refuse(DropReason::NatNoFlow));
        };
        let sent = flow.tuple(direction);
        let seen = flow.tuple(direction.opposite());
        // Routes may have changed under it.
        if !self.may_egress(id, direction, departure.interface) {
            self.end(now, id);
            return Err(destined.undo().refuse(DropReason::NatNoFlow));
        }
        // Rules may have changed under a connection whose source nobody translates.
        if direction == Direction::Original
            && seen.destination == sent.source
            && self.rules.masquerade(sent.source, seen.source, departure.interface).is_some()
        {
            return Err(destined.undo().refuse(DropReason::NatNoFlow));
        }
        self.track(now, id, direction, transport, destined.packet().total_len());
        let mut packet = destined.into_packet();
        if (seen.destination, seen.destination_port) != (sent.source, sent.source_port) {
            set_source(&mut packet, &seen, direction);
        }
        Ok(AfterSnat::of_flow(packet, FlowDirection { flow: id, direction }))
    }

    /// A packet that goes where it was sent, and belongs to no flow.
    fn masquerade(
        &mut self,
        now: Instant,
        destined: AfterDnat,
        arrival: Arrival,
        departure: Departure,
    ) -> Result<AfterSnat, Dropped> {
        let packet = destined.packet();
        let (from, to) = (packet.source(), packet.destination());
        let Some(rule) = self.rules.masquerade(from, to, departure.interface) else {
            return self.enter(now, destined, arrival, departure);
        };
        let policy = rule.policy();
        let transport = packet.transport();
        let Some(original) = Tuple::of(packet.ip(), transport) else {
            return Err(destined.undo().refuse(match transport {
                Transport::Malformed => DropReason::BadTransport,
                Transport::Error { .. } => DropReason::NatBadError,
                _ => DropReason::NatNoFlow,
            }));
        };
        if let Some((flow, direction)) = self.find_for(now, &original, transport) {
            return self.join(now, destined, (flow, direction), departure);
        }
        if !begins(transport) {
            return Err(destined.undo().refuse(DropReason::NatNoFlow));
        }
        let Some(external) = departure.external else {
            return Err(destined.undo().refuse(DropReason::NatNoAddress));
        };
        let new = NewFlow {
            original,
            to: (original.destination, original.destination_port),
            source: Source::Translated { external, owner: Some(departure.interface), policy },
            origin: FlowOrigin::Masquerade,
            tcp: first_state(transport),
            mapping: None,
            path: Path::new(arrival, departure.interface),
            port: arrival.port,
        };
        self.begin(now, destined, new)
    }

    /// A packet that leaves as it came, and belongs to no flow. From outside nobody comes in to the
    /// hosts inside, or all that a flow can begin with where the rule says so; its answers then
    /// leave as they are.
    fn enter(
        &mut self,
        now: Instant,
        destined: AfterDnat,
        arrival: Arrival,
        departure: Departure,
    ) -> Result<AfterSnat, Dropped> {
        let packet = destined.packet();
        let (from, to) = (packet.source(), packet.destination());
        let path = Path::new(arrival, departure.interface);
        match self.rules.hiding(from, to, path) {
            None => {
                self.end_reopened(now, packet);
                return Ok(AfterSnat::new(destined.into_packet()));
            }
            Some(rule) if rule.inside_reachable => {}
            Some(_) => return Err(destined.undo().refuse(DropReason::Unsolicited)),
        }
        let transport = packet.transport();
        let Some(original) = Tuple::of(packet.ip(), transport).filter(|_| begins(transport)) else {
            return Ok(AfterSnat::new(destined.into_packet()));
        };
        if let Some(found) = self.find_for(now, &original, transport) {
            return self.join(now, destined, found, departure);
        }
        let new = NewFlow {
            original,
            to: (original.destination, original.destination_port),
            source: Source::Unchanged,
            origin: FlowOrigin::Admitted,
            tcp: first_state(transport),
            mapping: None,
            path,
            port: arrival.port,
        };
        self.begin(now, destined, new)
    }

    /// Where a connection is opened anew that no rule translates any more, what is left of the old
    /// one must not either.
    fn end_reopened(&mut self, now: Instant, packet: &Ipv4) {
        let transport = packet.transport();
        if matches!(transport, Transport::Tcp { flags, .. } if Tcp::opens(flags))
            && let Some(tuple) = Tuple::of(packet.ip(), transport)
            && let Some((id, _)) = self.table.find(&self.hashes, &tuple)
            && self.is_reopened(id, transport)
        {
            self.end(now, id);
        }
    }

    /// A packet that was sent elsewhere, and belongs to no flow.
    fn redirect(
        &mut self,
        now: Instant,
        destined: AfterDnat,
        redirected: Redirected,
        departure: Departure,
    ) -> Result<AfterSnat, Dropped> {
        let Redirected { original, arrival, origin, mapping } = redirected;
        let packet = destined.packet();
        let transport = packet.transport();
        if let Some(found) = self.find_for(now, &original, transport) {
            return self.join(now, destined, found, departure);
        }
        let to = match Tuple::of(packet.ip(), transport) {
            Some(tuple) => (tuple.destination, tuple.destination_port),
            None => return Err(destined.undo().refuse(DropReason::NatNoFlow)),
        };
        let path = Path::new(arrival, departure.interface);
        let source = match self.rules.snat_kind(original.source, to.0, true, path) {
            SnatKind::Untranslated => Source::Unchanged,
            SnatKind::Hairpin(policy) => {
                Source::Translated { external: original.destination, owner: arrival.owner, policy }
            }
            SnatKind::Masquerade(out, policy) => match departure.external {
                Some(external) => Source::Translated { external, owner: Some(out), policy },
                None => return Err(destined.undo().refuse(DropReason::NatNoAddress)),
            },
        };
        let (tcp, port) = (first_state(transport), arrival.port);
        let new = NewFlow { original, to, source, origin, tcp, mapping, path, port };
        self.begin(now, destined, new)
    }

    /// A packet whose flow began after its first step: it follows if it goes where the flow goes.
    fn join(
        &mut self,
        now: Instant,
        destined: AfterDnat,
        (id, direction): (FlowId, Direction),
        departure: Departure,
    ) -> Result<AfterSnat, Dropped> {
        let transport = destined.packet().transport();
        let now_to = Tuple::of(destined.packet().ip(), transport).map(Tuple::inverse);
        let flow = self.table.get(id).map(|flow| flow.tuple(direction.opposite()));
        let same = now_to.zip(flow).is_some_and(|(to, flow)| {
            // One identifier, which is not yet that of the other side.
            let is_query = to.protocol == Protocol::ICMP;
            to.source == flow.source && (is_query || to.source_port == flow.source_port)
        });
        if same {
            return self.follow(now, destined, (id, direction), transport, departure);
        }
        Err(destined.undo().refuse(DropReason::NatNoFlow))
    }

    fn begin(
        &mut self,
        now: Instant,
        destined: AfterDnat,
        new: NewFlow,
    ) -> Result<AfterSnat, Dropped> {
        match self.create(now, new, destined.packet().total_len()) {
            Ok(reply) => {
                let mut packet = destined.into_packet();
                let original = new.original;
                if (reply.destination, reply.destination_port)
                    != (original.source, original.source_port)
                {
                    set_source(&mut packet, &reply, Direction::Original);
                }
                Ok(AfterSnat::new(packet))
            }
            Err(reason) => Err(destined.undo().refuse(reason)),
        }
    }
}

struct Redirected {
    original: Tuple,
    arrival: Arrival,
    origin: FlowOrigin,
    mapping: Option<MappingId>,
}

/// Gives a packet the source that the other direction's tuple sends to.
fn set_source(packet: &mut Ipv4, seen: &Tuple, direction: Direction) {
    // A reply's identifier was set with its destination.
    let is_reply = seen.protocol == Protocol::ICMP && direction == Direction::Reply;
    let port = (!is_reply).then_some(seen.destination_port);
    rewrite::endpoint(packet, End::Source, seen.destination, port);
}

fn first_state(transport: Transport) -> Option<Tcp> {
    match transport {
        Transport::Tcp { flags, .. } => Tcp::begin(flags),
        _ => None,
    }
}
