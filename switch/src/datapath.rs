//! A packet's life, top to bottom. The numbers are those of ARCHITECTURE.md's picture.
//!
//! `?` is the drop path: a step that refuses a frame says why, and `Switch::count` is the one place
//! that counts. Each step tells the witness which it is and what it decided, for whoever asks why
//! (`trace`). A refusal by the router is [`Silent`](Refusal::Silent), or [`Tell`](Refusal::Tell)
//! when the sender should hear of it; it then carries the packet as its sender knew it. Ahead of
//! step 2 and of step 5 stand the entrances where a frame may take a shorter way (`fast_paths`).

use nat::{AfterDnat, Arrival, Departure, Lookup};
use packet::{DropReason, Dropped, EtherType, Ethernet, Frame, Instant, Ipv4, PortId, VlanId};

use crate::bridge::{Decision, Ingress};
use crate::inside;
use crate::interface::Origin;
use crate::l2_fast_path::FdbHit;
use crate::outbox::Outbox;
use crate::port::Role;
use crate::router::{self, Hop, Refusal};
use crate::routes::Target;
use crate::station::{Location, Segment};
use crate::stats::Fate;
use crate::switch::Switch;
use crate::trace::{Note, Step};

impl Switch {
    /// The life of a frame that came in on a port, or from a remote VTEP of a tunnel.
    pub(crate) fn ingress(
        &mut self,
        now: Instant,
        from: Location,
        frame: Frame,
        out: &mut Outbox,
    ) -> Result<Fate, Dropped> {
        // 1 parse Ethernet and VLAN: is it a frame, and in which VLAN?
        self.trace.enter(Step::Parse);
        let ethernet = Ethernet::parse(frame)?;
        if let Some(segment) = self.fast_ports.segment(from, &ethernet) {
            return self.bridge_input(now, ethernet, segment, from, out);
        }
        let tag = ethernet.tag();
        let port = from.port().and_then(|port| Some((port, self.ports.get(port)?)));
        let Some((id, port)) = port.filter(|(_, port)| port.up) else {
            return Err(ethernet.refuse(DropReason::PortDown));
        };
        if !ethernet.source().is_station() {
            return Err(ethernet.refuse(DropReason::BadSource));
        }
        if let Some(guard) = &port.settings.guard
            && let Err(reason) = guard.admit(&ethernet)
        {
            return Err(ethernet.refuse(reason));
        }
        match &port.settings.role {
            Role::Routed { .. } if tag.is_some_and(|tag| tag.vlan() != Some(VlanId::UNTAGGED)) => {
                Err(ethernet.refuse(DropReason::NotInVlan))
            }
            Role::Routed { interface } => {
                let origin = Origin { port: id, interface: *interface };
                self.trace.note(move || Note::routed(origin));
                self.router_input(now, ethernet, origin, out)
            }
            Role::Bridged(member) | Role::Tunnel(member, _) => {
                let ethernet = match ethernet.ethertype() {
                    EtherType::SERVICE_VLAN if self.ports.has_service_vlans(member.bridge) => {
                        ethernet.without_service_tag()?
                    }
                    _ => ethernet,
                };
                let tag = ethernet.tag();
                match (member.vlans.admit(tag), member.vlans.pushes()) {
                    (Ok(vlan), pushed) => {
                        let segment = Segment { bridge: member.bridge, vlan };
                        self.trace.note(move || Note::bridged(from, segment, tag));
                        let ethernet = match pushed {
                            Some(service) => ethernet.stacked(service)?,
                            None => ethernet,
                        };
                        self.bridge_input(now, ethernet, segment, from, out)
                    }
                    (Err(reason), _) => Err(ethernet.refuse(reason)),
                }
            }
            Role::Underlay => Err(ethernet.refuse(DropReason::BadVxlan)),
        }
    }

    /// A frame on a bridge; `hit` is what the fast path has looked up of its speaker and its
    /// addressee.
    #[inline]
    pub(crate) fn bridge(
        &mut self,
        now: Instant,
        ethernet: Ethernet,
        segment: Segment,
        from: Location,
        hit: Option<FdbHit>,
        out: &mut Outbox,
    ) -> Result<Fate, Dropped> {
        let Segment { bridge: id, vlan } = segment;
        let (Some(port), Some(bridge)) = (from.port(), self.bridges.get_mut(id)) else {
            return Err(ethernet.refuse(DropReason::PortDown));
        };
        // 2 learn: who speaks, from where. A reserved frame teaches nothing, forwarded or not: its
        // sender may be a bridge's own end.
        self.trace.enter(Step::Learn);
        let reserved = ethernet.destination().reserved().is_some();
        let (learns, speaker) = (self.ports.learns(from), (ethernet.source(), vlan));
        self.trace.note(|| Note::speaker(now, bridge, speaker, reserved, learns));
        let is_news = hit.is_none() && !bridge.is_reserved(ethernet.destination());
        let learned = learns && !reserved;
        if is_news && let Err(reason) = bridge.learn(now, ethernet.source(), vlan, from, learned) {
            if let Some(Location::Router(interface)) = bridge.fdb.find(ethernet.source(), vlan) {
                self.notice_own_source(now, interface, ethernet.source(), from, out);
            }
            return Err(ethernet.refuse(reason));
        }
        // After learning: a frame from a station to itself is for the port that it came from.
        let decision = bridge.decide_on(hit, &ethernet, vlan, from);
        // 3 arp: learn from it, and answer for ourselves, or for who is known to be beyond a
        // tunnel.
        let mut heard = false;
        if ethernet.ethertype() == EtherType::ARP && !reserved {
            self.trace.enter(Step::Arp);
            let (protocols, mut ctx) = self.lend(out);
            let listened = protocols.arp.input_bridged(now, &ethernet, segment, from, &mut ctx);
            self.send_reports(now, out);
            match listened {
                Some(ours) => heard = ours,
                None => return Ok(self.consume(ethernet.into_frame(), out)),
            }
        }
        // 4 decide: same segment, forward or flood, or for the router?
        self.trace.enter(Step::Decide);
        let addressee = (ethernet.destination(), vlan);
        let Some(bridge) = self.bridges.get(id) else {
            return Err(ethernet.refuse(DropReason::PortDown));
        };
        self.trace.note(move || Note::addressee(now, bridge, addressee, decision));
        match decision {
            Err(reason) => Err(ethernet.refuse(reason)),
            Ok(Decision::Forward(to)) => {
                let (ingress, mut frame) =
                    (Ingress { vlan, from: Some(from) }, ethernet.into_frame());
                if let Location::Remote { tunnel, .. } = to {
                    self.ports.clamp_mss(&mut frame, tunnel);
                }
                let outcome = bridge.forward(&self.ports, ingress, to, frame, out);
                self.report_too_big(now, outcome, segment, from, to, out)
            }
            Ok(Decision::Flood) => {
                let (ingress, frame) = (Ingress { vlan, from: Some(from) }, ethernet.into_frame());
                self.trace.note(|| Note::audience(bridge, &self.ports, ingress, &frame));
                let flooded = bridge.flood(&self.ports, ingress, frame, &mut self.stats, out);
                if let Some((mtu, frame)) = flooded.too_large {
                    self.send_too_big(now, &frame, segment, from, mtu, out);
                    out.pool.give(frame);
                }
                match flooded.outcome {
                    Err(unwanted) if heard => Ok(self.consume(unwanted.frame, out)),
                    outcome => outcome,
                }
            }
            Ok(Decision::Router(interface)) => {
                self.router_input(now, ethernet, Origin { port, interface }, out)
            }
        }
    }

    /// A frame that reached the router's own end: on a routed port, or to its MAC address on a
    /// bridge.
    pub(crate) fn router_input(
        &mut self,
        now: Instant,
        ethernet: Ethernet,
        origin: Origin,
        out: &mut Outbox,
    ) -> Result<Fate, Dropped> {
        let Some(own) = self.router.interfaces.get(origin.interface) else {
            return Err(ethernet.refuse(DropReason::PortDown));
        };
        self.trace.enter(Step::Decide);
        let destination = ethernet.destination();
        if ethernet.source() == own.mac {
            let (interface, from) = (origin.interface, Location::Port(origin.port));
            self.notice_own_source(now, interface, ethernet.source(), from, out);
            return Err(ethernet.refuse(DropReason::SourceIsOurs));
        }
        if destination != own.mac && !destination.is_group() {
            return Err(ethernet.refuse(DropReason::NotForUs));
        }
        match ethernet.ethertype() {
            // 3 arp, on a routed port; on a bridge the ARP was heard on the way here.
            EtherType::ARP => {
                self.trace.enter(Step::Arp);
                match self.ports.is_member(origin.port)
                    || self.arp_input(now, &ethernet, origin, out)
                {
                    true => Ok(self.consume(ethernet.into_frame(), out)),
                    false => Err(ethernet.refuse(DropReason::BadArp)),
                }
            }
            EtherType::IPV4 => match self.ipv4_input(now, ethernet, origin, out) {
                Err(Refusal::Tell(dropped, error)) => {
                    self.send_icmp_error(now, &dropped.frame, Some(origin.interface), error, out);
                    Err(dropped)
                }
                Err(Refusal::Silent(dropped)) => Err(dropped),
                Ok(fate) => Ok(fate),
            },
            _ => Err(ethernet.refuse(DropReason::UnknownProtocol)),
        }
    }

    /// An IPv4 packet through router and NAT; `lookup` is where its flow is, if it is known to be
    /// of one.
    #[inline]
    pub(crate) fn route(
        &mut self,
        now: Instant,
        packet: Ipv4,
        to_group: bool,
        lookup: Option<&Lookup>,
        origin: Origin,
        out: &mut Outbox,
    ) -> Result<Fate, Refusal> {
        let packet = router::admit(packet, to_group)?;
        self.trace.packet(&packet);
        let reverse_path = match self.router.reverse_path(packet.source()) {
            Ok(path) if self.router.admits(origin.interface, path) => path,
            Ok(_) => return Err(packet.refuse(DropReason::ReversePath).into()),
            Err(reason) => return Err(packet.refuse(reason).into()),
        };
        let packet = match packet.is_fragment() {
            true => match self.reassemble(now, packet, origin, out)? {
                Some(packet) => packet,
                None => return Ok(Fate::Held),
            },
            false => packet,
        };

        // 5 nat inbound: whom is it really for (existing flow, published port, hairpin)?
        self.trace.enter(Step::NatInbound);
        let sent_to = packet.destination();
        let target = self.router.routes.find(sent_to);
        let owner = target.and_then(Target::owner);
        let arrival = Arrival { interface: origin.interface, owner, port: Some(origin.port) };
        let destined = match lookup {
            Some(lookup) => self.nat.inbound_with(now, packet, lookup, arrival)?,
            None if !self.nat.is_configured() => AfterDnat::untouched(packet, owner.is_some()),
            None => self.nat.inbound(now, packet, arrival)?,
        };
        self.trace.destined(now, &self.nat, &destined, owner);
        if destined.is_local() {
            return self.local(now, destined.into_packet(), origin, out);
        }

        // 6 route: which way, and may it go on?
        self.trace.enter(Step::Route);
        self.trace.note(|| Note::route(&self.router.routes, destined.packet()));
        let target = match destined.packet().destination() {
            to if to == sent_to => target,
            to => self.router.routes.find(to),
        };
        let hop = match self.router.choose(destined.packet(), target) {
            Ok(hop) => hop,
            Err((reason, error)) => return Err(Refusal::of(destined.undo().refuse(reason), error)),
        };

        // What is nobody's inside does not leave where the inside is hidden.
        if inside::is_foreign(
            self.nat.rules(),
            &destined,
            (origin.interface, reverse_path),
            hop.interface,
        ) {
            return Err(destined.undo().refuse(DropReason::NatForeignSource).into());
        }

        // 7 nat outbound: whom is it really from; a new flow is kept only here, once its packet has
        // survived.
        let departure = Departure { interface: hop.interface, external: hop.source };
        self.trace.enter(Step::NatOutbound);
        let outcome = self.nat.outbound(now, destined, arrival, departure);
        self.trace.translated(now, &self.nat, &outcome, departure);
        let translated = outcome.map_err(router::out_of_resources)?;

        // 8 deliver: TTL one less; to a MAC, or wait (bounded) for one.
        self.trace.enter(Step::Deliver);
        let flow = translated.flow();
        let mut packet = translated.into_packet();
        packet.decrement_ttl();
        let frame = packet.into_frame();
        match self.deliver(now, frame, hop, Some(origin.port), out) {
            Err(dropped) => {
                self.report_lost(now, &dropped, hop.interface, out);
                Err(dropped.into())
            }
            Ok(Fate::Sent) if flow.is_some() => Ok(self.cache_next_hop(now, flow, origin, hop)),
            outcome => Ok(outcome?),
        }
    }

    /// Gives a packet to its next hop, or lets it wait; `from` is the port that it came in on, none
    /// for the router's own.
    pub(crate) fn deliver(
        &mut self,
        now: Instant,
        frame: Frame,
        hop: Hop,
        from: Option<PortId>,
        out: &mut Outbox,
    ) -> Result<Fate, Dropped> {
        let (protocols, mut ctx) = self.lend(out);
        protocols.arp.deliver(now, frame, hop, from, &mut ctx)
    }

    /// Hears an ARP packet for the router, and tells whom packets that waited have failed; `false`
    /// when it is none.
    #[inline(never)]
    fn arp_input(
        &mut self,
        now: Instant,
        ethernet: &Ethernet,
        origin: Origin,
        out: &mut Outbox,
    ) -> bool {
        let (protocols, mut ctx) = self.lend(out);
        let heard = protocols.arp.input(now, ethernet, origin, &mut ctx);
        self.send_reports(now, out);
        heard
    }

    /// The whole packet, when NAT or the router itself needs to see it whole; nothing while parts
    /// are missing. A fragment that nobody translates goes on as it is: should it be of those that
    /// a rule covers after all, step 7 refuses it.
    #[inline(never)]
    fn reassemble(
        &mut self,
        now: Instant,
        fragment: Ipv4,
        origin: Origin,
        out: &mut Outbox,
    ) -> Result<Option<Ipv4>, Dropped> {
        if !self.needs_reassembly(now, &fragment, origin) {
            return Ok(Some(fragment));
        }
        let (protocols, mut ctx) = self.lend(out);
        protocols.reassembly.input(now, fragment, origin, &mut ctx)
    }

    /// Whether a fragment is for the router itself, or NAT may translate the packet that it is of.
    fn needs_reassembly(&mut self, now: Instant, fragment: &Ipv4, origin: Origin) -> bool {
        let destination = fragment.destination();
        let between = (fragment.source(), destination);
        if matches!(self.router.routes.find(destination), Some(Target::Local(_))) {
            return true;
        }
        let out = self.router.next_hop(destination).map(|hop| hop.interface);
        self.nat.is_configured() && self.nat.concerns(now, between, origin.interface, out)
    }
}
