//! NAT as RFC 4787 and 5382 describe it: a list of flows that is searched from front to back.
//!
//! A flow's birth, its translation and the ports it may get are predicted; how long it lives is
//! taken from the switch, and must be one of the lifetimes. Flows whose birth was not predicted (of
//! reassembled fragments) are taken as they are. Deadlines are exact where time moves in whole
//! seconds, as the fuzz targets let it.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use nat::{Filtering, Lifetimes, Limits, Mapping, Masquerade, Rules};
use packet::{DropReason, Instant, InterfaceId};
use switch::Change;
use switch::change::FlowFilter;

use super::ipv4::Transport;
use crate::wire::Packet;

mod changes;
mod filter;
mod flow;
mod outbound;
mod ports;
mod room;
mod tuple;

use flow::{Flow, Lent};
pub(crate) use outbound::{Departure, Outbound, Translated};
pub(crate) use tuple::Tuple;
use tuple::{begins, tuple};

const ICMP: u8 = 1;
const UDP: u8 = 17;
/// How long a freed port is kept from other hosts (RFC 6888 REQ-8).
const REST: Duration = Duration::from_secs(120);

/// A port that only this host may have for a while.
#[derive(Copy, Clone, Debug)]
struct Rest {
    protocol: u8,
    external: SocketAddrV4,
    host: Ipv4Addr,
    until: Instant,
}

/// Everything that translates.
#[derive(Debug, Default)]
pub(crate) struct Translator {
    rules: Rules,
    limits: Limits,
    lifetimes: Lifetimes,
    flows: Vec<Flow>,
    rests: Vec<Rest>,
    /// The flow that this step begins.
    opening: Option<Opening>,
    /// Until then it is not known which ports rest.
    doubt: Instant,
    /// Flows may be born or end in this step that nothing predicts.
    astray: bool,
    /// The port of the switch that this step's packet came in by.
    ingress: u32,
    /// Steps so far, and when the last one began.
    steps: u64,
    now: Instant,
}

/// What a packet is ahead of routing.
pub(crate) enum Inbound {
    Unknown,
    Refused(DropReason),
    /// For the router itself.
    Local,
    Destined(Destined),
}

/// A packet whose destination is the true one.
pub(crate) struct Destined {
    pub(crate) to: SocketAddrV4,
    sent: Option<Tuple>,
    arrival: (InterfaceId, Option<InterfaceId>),
    plan: Plan,
}

enum Plan {
    Fresh,
    Known { flow: usize, original: bool },
    Redirected { through: Option<Lent> },
}

#[derive(Clone, Debug)]
struct Opening {
    original: Tuple,
    to: SocketAddrV4,
    /// The port of the switch that it came in by.
    port: u32,
    /// The external address, and the rule that says how its port is chosen; none of either when
    /// the source is kept.
    external: Option<(Ipv4Addr, Masquerade, InterfaceId)>,
    through: Option<Lent>,
    path: (InterfaceId, Option<InterfaceId>, InterfaceId),
    redirected: bool,
    /// It comes from outside to a host inside.
    entered: bool,
    /// Its external port, or its kept source's, is one of its own, whatever else the endpoint has.
    apart: bool,
    /// It may be refused.
    doubtful: bool,
}

impl Translator {
    /// Makes a change. Living flows stay as they are, except those that are flushed.
    pub(crate) fn change(&mut self, now: Instant, change: &Change) {
        match change {
            Change::SetRules(rules) => self.follow_rules(rules.clone()),
            Change::SetLimits(limits) => self.limits = *limits,
            Change::SetLifetimes(lifetimes) => {
                self.lifetimes = *lifetimes;
                self.flows.iter_mut().for_each(|flow| flow.heard = None);
            }
            Change::FlushFlows => self.astray = true,
            Change::EndFlows(filter, _) => self.end(now, filter),
            // Which flows and ports stand under an address that goes is told by what is left.
            Change::SetInterface(..) | Change::DeleteInterface(_) => {
                self.astray = true;
                self.doubt = now + REST;
            }
            _ => {}
        }
    }

    /// Begins a step: flows whose time has come are dead.
    pub(crate) fn begin(&mut self, now: Instant) {
        (self.opening, self.astray) = (None, false);
        (self.steps, self.now) = (self.steps + 1, now);
        let (dead, living) = self.flows.drain(..).partition(|flow: &Flow| flow.until <= now);
        self.flows = living;
        self.rest(now, dead);
        self.rests.retain(|rest| rest.until > now);
        if self.doubt <= now {
            self.doubt = Instant::ZERO;
        }
    }

    /// Ends the flows that are meant. Who is behind a port, and under which rule a flow is, is told
    /// by what is left.
    fn end(&mut self, now: Instant, filter: &FlowFilter) {
        if filter.rule.is_some() || filter.behind.is_some() {
            self.astray = true;
            return;
        }
        let meant = |flow: &Flow| filter::means(filter, flow);
        let (ended, living) = self.flows.drain(..).partition(meant);
        self.flows = living;
        self.rest(now, ended);
    }

    /// Lets the ports of flows that have ended rest, where no other flow holds them.
    fn rest(&mut self, now: Instant, dead: Vec<Flow>) {
        for flow in dead {
            if flow.adopted {
                // It may have held a port, which nobody foretold.
                self.doubt = self.doubt.max(flow.until.min(now) + REST);
            }
            let ports = flow.lent.iter().map(|lent| (lent.external, *lent.inside.ip()));
            let shared = flow.shared.then_some((flow.reply.to, *flow.original.from.ip()));
            for (external, host) in ports.chain(shared) {
                let protocol = flow.original.protocol;
                if !self.is_used(protocol, external) {
                    // It may have ended before somebody looked, and rests from then on.
                    let until = flow.until.min(now) + REST;
                    self.rests.push(Rest { protocol, external, host, until });
                }
            }
        }
    }

    /// Says by which port of the switch this step's packet came in.
    pub(crate) const fn came_by(&mut self, port: u32) {
        self.ingress = port;
    }

    /// From here to the end of the step flows may come and go unforeseen.
    pub(crate) const fn lose_track(&mut self) {
        self.astray = true;
    }

    /// Whether a packet between these addresses may be translated, whatever its ports: a rule
    /// covers it where it leaves or listens on its destination, or it is what an inside host
    /// sends within a flow.
    pub(crate) fn concerns(
        &self,
        (source, destination): (Ipv4Addr, Ipv4Addr),
        came_on: InterfaceId,
        out: Option<InterfaceId>,
    ) -> bool {
        let covers = |out| self.rules.masquerade(source, destination, out).is_some();
        let enters = |out| {
            let rule = self.rules.masquerade(destination, source, came_on);
            out != came_on && rule.is_some_and(|rule| rule.inside_reachable)
        };
        let listens = |rule: &nat::Publish| rule.listen == nat::Listen::Address(destination);
        let sends = |flow: &Flow| {
            let kept = flow.reply.to.ip() == flow.original.from.ip();
            let way = if kept { flow.reply } else { flow.original };
            (*way.from.ip(), *way.to.ip()) == (source, destination)
        };
        out.is_some_and(|out| covers(out) || enters(out))
            || self.rules.publish.iter().any(listens)
            || self.flows.iter().any(sends)
    }

    pub(crate) fn is_outside(&self, interface: InterfaceId) -> bool {
        self.rules.masquerade.iter().any(|rule| rule.out == interface)
    }

    /// Whom a packet is really for. `arrival`: the interface it came in on, and the one that bears
    /// its destination.
    pub(crate) fn inbound(
        &self,
        packet: &Packet,
        arrival: (InterfaceId, Option<InterfaceId>),
    ) -> Inbound {
        let transport = Transport::of(packet);
        let sent = tuple(packet, transport);
        let destined = |to, plan| Inbound::Destined(Destined { to, sent, arrival, plan });
        let untouched = || match arrival.1 {
            Some(_) => Inbound::Local,
            None => {
                let port = sent.map_or(0, |sent| sent.to.port());
                destined(SocketAddrV4::new(packet.destination, port), Plan::Fresh)
            }
        };
        if self.rules.is_empty() && self.flows.is_empty() {
            return untouched();
        }
        let Some(tuple) = sent else {
            return if transport == Transport::Error { Inbound::Unknown } else { untouched() };
        };
        if let Some((flow, original)) = self.find_for(&tuple, transport) {
            let known = &self.flows[flow];
            let to = match (original, tuple.protocol) {
                (false, _) => known.original.from,
                // A query's one identifier is its source's to change.
                (true, ICMP) => SocketAddrV4::new(*known.reply.from.ip(), tuple.to.port()),
                (true, _) => known.reply.from,
            };
            if to == tuple.to && arrival.1.is_some() {
                return Inbound::Local;
            }
            return destined(to, Plan::Known { flow, original });
        }
        let published = self.rules.publish.iter().find(|rule| {
            let ours = rule.protocol.0 == tuple.protocol && matches!(tuple.protocol, 6 | UDP);
            ours && rule.port == tuple.to.port() && rule.listen.matches(*tuple.to.ip(), arrival.1)
        });
        if let Some(rule) = published {
            if !begins(transport) {
                return Inbound::Refused(DropReason::NatNoFlow);
            }
            // A service published as itself stays the router's own.
            if rule.to == tuple.to && arrival.1.is_some() {
                return Inbound::Local;
            }
            return destined(rule.to, Plan::Redirected { through: None });
        }
        let request = matches!(transport, Transport::Query { reply: false, .. });
        let Some(owner) = arrival.1.filter(|_| !request) else { return untouched() };
        if self.flows.iter().any(|flow| flow.adopted) {
            return Inbound::Unknown;
        }
        self.behind(&tuple, transport, (arrival.0, owner)).map_or_else(untouched, |lent| {
            lent.map_or(Inbound::Refused(DropReason::NatFiltered), |lent| {
                destined(lent.inside, Plan::Redirected { through: Some(lent) })
            })
        })
    }

    /// The mapping behind the port that a packet of no flow was sent to: nothing when nobody has
    /// the port, none when it is not for this sender.
    fn behind(
        &self,
        tuple: &Tuple,
        transport: Transport,
        (came_on, owner): (InterfaceId, InterfaceId),
    ) -> Option<Option<Lent>> {
        let same = |flow: &&Flow| flow.original.protocol == tuple.protocol;
        let flows = || self.flows.iter().filter(same);
        if flows().any(|flow| flow.shared && flow.reply.to == tuple.to) {
            return Some(None);
        }
        let lent = || flows().flat_map(|flow| &flow.lent).filter(|l| l.external == tuple.to);
        let first = *lent().next()?;
        let begins = match transport {
            Transport::Tcp { flags } => flags & 0x17 == 0x02,
            Transport::Udp => true,
            _ => false,
        };
        let inside = self.inside_rule(*tuple.from.ip(), came_on, owner).is_some();
        let admitted = inside
            || match first.filtering {
                Filtering::EndpointIndependent => true,
                Filtering::AddressDependent => lent().any(|l| l.remote == *tuple.from.ip()),
                Filtering::AddressAndPortDependent => false,
            };
        Some((begins && admitted).then_some(first))
    }

    /// The flow that a packet belongs to: a SYN is not of a connection that has ended.
    fn find_for(&self, tuple: &Tuple, transport: Transport) -> Option<(usize, bool)> {
        let is_its = |at: usize| self.flows[at].ended.is_none() || !transport.opens();
        self.find(tuple).filter(|(at, _)| is_its(*at))
    }

    /// Ends the connection that another is opened in place of.
    fn end_reopened(&mut self, tuple: &Tuple) {
        if let Some((at, _)) = self.find(tuple)
            && self.flows[at].ended.is_some()
        {
            let ended = self.flows.swap_remove(at);
            self.rest(self.now, vec![ended]);
        }
    }

    /// The flow with this tuple, and whether it is its original direction.
    fn find(&self, tuple: &Tuple) -> Option<(usize, bool)> {
        self.flows.iter().enumerate().find_map(|(at, flow)| {
            (flow.original == *tuple)
                .then_some((at, true))
                .or((flow.reply == *tuple).then_some((at, false)))
        })
    }

    fn is_used(&self, protocol: u8, external: SocketAddrV4) -> bool {
        let same = |flow: &&Flow| flow.original.protocol == protocol;
        self.flows.iter().filter(same).any(|flow| {
            flow.shared && flow.reply.to == external
                || flow.lent.iter().any(|lent| lent.external == external)
        })
    }
}
