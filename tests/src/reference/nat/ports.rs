//! The birth of a flow: limits, then its external port; and whether the switch has it so.

use core::net::{Ipv4Addr, SocketAddrV4};

use nat::{FlowView, Masquerade, PortRange, Publish};
use packet::{DropReason, Instant, InterfaceId};

use super::super::ipv4::Transport;
use super::room::{class, epoch, lane};
use super::{
    Flow, ICMP, Lent, Mapping, Opening, Outbound, Rest, Translated, Translator, Tuple, UDP, tuple,
};
use crate::wire::Packet;

impl Translator {
    /// What becomes of a packet that begins a flow.
    pub(super) fn open(&mut self, opening: Opening) -> Outbound {
        let Opening { original, to, .. } = opening;
        self.end_reopened(&original);
        if self.flows.iter().any(|flow| flow.adopted) {
            return Outbound::Unknown;
        }
        if let Err(reason) = self.make_room(&opening) {
            return reason.map_or(Outbound::Unknown, Outbound::Refused);
        }
        let address = opening.external.as_ref().map_or(*original.from.ip(), |(at, ..)| *at);
        let own = SocketAddrV4::new(address, original.from.port());
        let (port, apart, doubtful) = match &opening.external {
            None if !self.is_taken(&opening, own) => (Some(own.port()), false, false),
            None if original.protocol == ICMP => return Outbound::Refused(DropReason::NatNoPort),
            // To another listener of the same service.
            None => (None, true, true),
            Some(_) if !has_ports(original.protocol) => {
                if self.is_taken(&opening, SocketAddrV4::new(address, 0)) {
                    return Outbound::Refused(DropReason::NatNoPort);
                }
                (Some(0), false, false)
            }
            Some((external, rule, owner)) => match self.port(&opening, (*external, rule, *owner)) {
                Ok(found) => found,
                Err(reason) => return reason.map_or(Outbound::Unknown, Outbound::Refused),
            },
        };
        let translated = Translated { from: (address, port), to };
        self.opening = Some(Opening { apart, doubtful, ..opening });
        match doubtful {
            true => Outbound::Either(DropReason::NatNoPort, translated),
            false => Outbound::Passed(translated),
        }
    }

    /// The external port for a flow where only one is right, whether it is the flow's alone, not
    /// its endpoint's, and whether it may be that there is none.
    ///
    /// # Errors
    /// As [`Translator::make_room`].
    fn port(
        &mut self,
        opening: &Opening,
        (external, rule, owner): (Ipv4Addr, &Masquerade, InterfaceId),
    ) -> Result<(Option<u16>, bool, bool), Option<DropReason>> {
        let (inside, protocol) = (opening.original.from, opening.original.protocol);
        // What the owner of a published port says leaves from it.
        let leads = |port| self.leads(protocol, SocketAddrV4::new(external, port), owner);
        let hears = |rule: &&Publish| {
            rule.protocol.0 == protocol && rule.listen.matches(external, Some(owner))
        };
        let mut published = self
            .rules
            .publish
            .iter()
            .filter(hears)
            .filter(|rule| rule.to == inside && leads(rule.port) == Some(inside));
        let at = |port| SocketAddrV4::new(external, port);
        if let Some(rule) = published.find(|rule| !self.is_taken(opening, at(rule.port))) {
            return Ok((Some(rule.port), true, false));
        }
        let wish = at(inside.port());
        let open = allows(rule, protocol, inside.port(), inside.port())
            && !self.is_published(protocol, wish, owner);
        let can_share = open && !self.is_lent(opening, wish) && !self.is_taken(opening, wish);
        if rule.mapping == Mapping::AddressAndPortDependent {
            return match can_share {
                true => Ok((Some(wish.port()), true, false)),
                false => self.shared(opening, (external, rule, owner)),
            };
        }
        let own = |lent: &&Lent| lent.inside == inside && *lent.external.ip() == external;
        let lent = self.lent(opening).find(own).copied();
        if let Some(lent) = lent {
            // With this remote it has a flow already, by another name.
            return match self.is_taken(opening, lent.external) {
                true => self.shared(opening, (external, rule, owner)),
                false => Ok((Some(lent.external.port()), false, false)),
            };
        }
        self.free_port(opening, (external, rule, owner))?;
        let free = open
            && !self.is_used(protocol, wish)
            && wish != opening.original.to
            && self.rested(protocol, wish).all(|host| host == *inside.ip());
        match free && !self.is_doubtful() {
            true if self.is_taken(opening, wish) => self.shared(opening, (external, rule, owner)),
            true => Ok((Some(wish.port()), false, false)),
            false => Ok((None, false, self.is_ambiguous(&reply(opening, wish)))),
        }
    }

    /// A port that the flow shares with others. Where all are taken, who makes room is not
    /// foretold.
    fn shared(
        &self,
        opening: &Opening,
        (external, rule, owner): (Ipv4Addr, &Masquerade, InterfaceId),
    ) -> Result<(Option<u16>, bool, bool), Option<DropReason>> {
        let (inside, protocol) = (opening.original.from.port(), opening.original.protocol);
        let (_, _, low, high, _) = lane(rule, external, protocol, inside);
        let mut ports = (low..=high).filter(|port| allows(rule, protocol, inside, *port));
        let can = ports.any(|port| {
            let port = SocketAddrV4::new(external, port);
            !self.is_published(protocol, port, owner)
                && !self.is_lent(opening, port)
                && !self.is_taken(opening, port)
        });
        if can { Ok((None, true, high - low > 511)) } else { Err(None) }
    }

    /// Where the first rule that listens on a port of the router's leads.
    fn leads(&self, protocol: u8, port: SocketAddrV4, owner: InterfaceId) -> Option<SocketAddrV4> {
        let mut rules = self.rules.publish.iter();
        let hears = rules.find(|rule| {
            rule.protocol.0 == protocol
                && rule.port == port.port()
                && rule.listen.matches(*port.ip(), Some(owner))
        });
        hears.map(|rule| rule.to)
    }

    const fn is_doubtful(&self) -> bool {
        self.doubt.as_nanos() != 0
    }

    /// Whether answers to the flow from this port could not be told from other packets.
    fn is_taken(&self, opening: &Opening, port: SocketAddrV4) -> bool {
        let reply = reply(opening, port);
        reply == opening.original || self.find(&reply).is_some()
    }

    /// The ports that flows hold, and the one that a new flow was sent to: it is held whoever makes
    /// room.
    fn lent<'a>(&'a self, opening: &'a Opening) -> impl Iterator<Item = &'a Lent> {
        let protocol = opening.original.protocol;
        let flows = self.flows.iter().filter(move |flow| flow.original.protocol == protocol);
        flows.flat_map(|flow| &flow.lent).chain(&opening.through)
    }

    fn is_lent(&self, opening: &Opening, external: SocketAddrV4) -> bool {
        self.lent(opening).any(|lent| lent.external == external)
    }

    pub(super) fn is_published(
        &self,
        protocol: u8,
        external: SocketAddrV4,
        owner: InterfaceId,
    ) -> bool {
        self.rules.publish.iter().any(|rule| {
            rule.protocol.0 == protocol
                && rule.port == external.port()
                && rule.listen.matches(*external.ip(), Some(owner))
        })
    }

    /// Who had the port a moment ago; several where flows of several hosts ended together, for one
    /// of whom it rests.
    fn rested(&self, protocol: u8, external: SocketAddrV4) -> impl Iterator<Item = Ipv4Addr> {
        let same = move |rest: &&Rest| (rest.protocol, rest.external) == (protocol, external);
        self.rests.iter().filter(same).map(|rest| rest.host)
    }

    /// Compares the flows with what the switch shows behind a step.
    pub(crate) fn confirm(&mut self, now: Instant, shown: &[FlowView]) {
        let opening = self.opening.take();
        let (mut living, mut new) = (Vec::new(), Vec::new());
        for view in shown {
            let protocol = view.protocol.0;
            let original = Tuple::of(&view.original, protocol);
            let reply = Tuple::of(&view.reply, protocol);
            let until = now + view.expires_in;
            let Some(at) = self.flows.iter().position(|flow| flow.original == original) else {
                assert!(self.is_lifetime(view) || self.astray, "a lifetime of nobody's: {view}");
                new.push((original, reply, until, class(view)));
                continue;
            };
            let flow = self.flows.swap_remove(at);
            assert_eq!(flow.reply, reply, "a flow is translated otherwise than before");
            let right = until == flow.until || self.is_lifetime(view);
            assert!(right || self.astray, "a lifetime of nobody's: {view}");
            let has_ended = matches!(view.state, Some("TIME_WAIT" | "CLOSE"));
            let ended = has_ended.then(|| flow.ended.unwrap_or(self.steps));
            let established = protocol == 6 && view.assured && !has_ended;
            let class = class(view);
            let is_heard = until != flow.until;
            let moves = class != flow.class
                || class.is_some_and(|class| class > 0) && epoch(until) != epoch(flow.until);
            let since = if moves { self.steps } else { flow.since };
            let heard = if is_heard { Some(now) } else { flow.heard };
            living.push(Flow { until, ended, established, class, since, heard, ..flow });
        }
        let gone = core::mem::replace(&mut self.flows, living);
        for flow in &gone {
            assert!(self.astray || flow.until <= now, "a flow is gone before its time: {flow:?}");
        }
        self.rest(now, gone);
        let mut kept = false;
        for (original, reply, until, class) in new {
            let born = match &opening {
                Some(opening) if opening.original == original => {
                    kept = true;
                    self.born(opening, reply, until)
                }
                _ => {
                    assert!(self.astray, "a flow out of nothing: {original:?}");
                    Flow::adopted(original, reply, until)
                }
            };
            let flow = Flow { class, since: self.steps, heard: Some(now), ..born };
            let (protocol, port) = (reply.protocol, reply.to);
            let is_used = |external| {
                external == port || flow.lent.iter().any(|lent| lent.external == external)
            };
            self.rests.retain(|rest| rest.protocol != protocol || !is_used(rest.external));
            self.flows.push(flow);
        }
        if let Some(opening) = opening.filter(|opening| !opening.doubtful) {
            assert!(kept, "a flow is not kept: {:?}", opening.original);
        }
    }

    /// A flow as it was predicted, with the port that it has got.
    fn born(&self, opening: &Opening, reply: Tuple, until: Instant) -> Flow {
        let Opening { original, through, .. } = opening;
        let protocol = original.protocol;
        let port = reply.to;
        assert_eq!(reply, self::reply(opening, port), "a reply to another packet");
        let mut lent: Vec<Lent> = Vec::new();
        lent.extend(through.map(|through| Lent { remote: *reply.to.ip(), ..through }));
        let (mut shared, mut adopted) = (false, false);
        let mut lent_by = None;
        match &opening.external {
            None => {
                assert_eq!(port.ip(), original.from.ip(), "a source changes that is to stay");
                assert!(opening.apart || port == original.from, "a port changes without need");
            }
            Some((external, ..)) if !has_ports(protocol) => assert_eq!(port.ip(), external),
            Some((external, rule, owner)) => {
                assert_eq!(port.ip(), external, "another external address");
                let inside = original.from;
                let own = |l: &Lent| (l.inside, *l.external.ip()) == (inside, *external);
                let before = self.lent(opening).find(|l| own(l) && l.external == port);
                let published = self.leads(protocol, port, *owner) == Some(inside);
                shared = opening.apart && !published;
                adopted = !opening.apart && before.is_none() && self.is_ambiguous(&reply);
                if published {
                    assert!(opening.apart, "{port} is published");
                } else if before.is_none() {
                    let (wish, got) = (inside.port(), port.port());
                    assert!(
                        allows(rule, protocol, wish, got),
                        "{got} in place of {wish}: {rule:?}"
                    );
                    assert!(!self.is_published(protocol, port, *owner), "{port} is published");
                    assert!(!self.is_lent(opening, port), "{port} is lent twice");
                    assert!(shared || !self.is_used(protocol, port), "{port} has two users");
                    let mut rested = self.rested(protocol, port).peekable();
                    let free = rested.peek().is_none() || rested.any(|host| host == *inside.ip());
                    // Only where there is no other.
                    let better = || {
                        self.has_port((*external, rule, *owner), protocol, wish, |port| {
                            port != original.to
                                && self.rested(protocol, port).all(|host| host == *inside.ip())
                        })
                    };
                    assert!(free || shared || self.is_doubtful() || !better(), "{port} rests");
                }
                if !shared && !published {
                    // A mapping filters as the rule said when it was made.
                    let filtering = before.map_or(rule.filtering, |mapping| mapping.filtering);
                    let remote = *original.to.ip();
                    lent.push(Lent { inside, external: port, filtering, remote });
                    lent_by = Some(lane(rule, *external, protocol, inside.port()));
                }
            }
        }
        let original = *original;
        let (path, redirected, admitted) =
            (opening.path, opening.redirected, through.is_some() || opening.entered);
        Flow {
            port: opening.port,
            lane: lent_by,
            lent,
            shared,
            path,
            redirected,
            admitted,
            adopted,
            ..Flow::adopted(original, reply, until)
        }
    }

    /// Whether the port that a new mapping would have got first may be another flow's with this
    /// very remote, so that the flow shares the one that it has got.
    fn is_ambiguous(&self, reply: &Tuple) -> bool {
        self.flows.iter().map(|flow| flow.original).any(|other| {
            (other.protocol, other.from, other.to.ip())
                == (reply.protocol, reply.from, reply.to.ip())
                && !self.is_used(other.protocol, other.to)
        })
    }

    fn is_lifetime(&self, view: &FlowView) -> bool {
        let all = self.lifetimes;
        let known = [
            all.udp_unreplied,
            all.udp_stream,
            all.tcp_opening,
            all.tcp_established,
            all.tcp_closing,
            all.tcp_time_wait,
            all.tcp_close,
            all.icmp_unreplied,
            all.icmp_replied,
            all.other,
        ];
        known.contains(&view.expires_in)
    }

    /// The external end that a packet has got.
    pub(crate) fn seen_as(&self, translated: &Translated, sent: &Packet) -> SocketAddrV4 {
        let (address, port) = translated.from;
        let born = || {
            let tuple = tuple(sent, Transport::of(sent))?;
            let (flow, _) = self.find(&tuple)?;
            Some(self.flows[flow].reply.to.port())
        };
        SocketAddrV4::new(address, port.or_else(born).unwrap_or(0))
    }
}

const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, ICMP | 6 | UDP)
}

/// What the answers to a flow look like that is seen as `port`.
fn reply(opening: &Opening, port: SocketAddrV4) -> Tuple {
    let forwarded = Tuple { to: opening.to, from: port, ..opening.original };
    let answer = forwarded.answer();
    match opening.original.protocol {
        // One identifier for both.
        ICMP => Tuple { from: SocketAddrV4::new(*answer.from.ip(), port.port()), ..answer },
        _ => answer,
    }
}

/// Whether a rule allows `port` in place of `inside`: its class and parity (RFC 4787 REQ-3a,
/// REQ-4), or its range.
pub(super) fn allows(rule: &Masquerade, protocol: u8, inside: u16, port: u16) -> bool {
    let range = |range: PortRange| range.low()..=range.high();
    if protocol == ICMP {
        return rule.ports.is_none_or(|ports| range(ports).contains(&port));
    }
    let class = if inside < 1024 { 1..=1023 } else { 1024..=u16::MAX };
    let within = match rule.ports {
        None => class.contains(&port),
        Some(ports) => {
            let both = ports.low().max(*class.start()) <= ports.high().min(*class.end());
            ports.contains(port) && (!both || class.contains(&port))
        }
    };
    within && (!rule.parity || protocol != UDP || port % 2 == inside % 2)
}
