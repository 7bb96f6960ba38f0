//! Whether a flow still holds: what it was begun under, asked again when that changes.
//!
//! # Theory of operation
//! A flow was begun under rules, and between two interfaces of the router. Either may change while
//! its packets go on.
//!
//! When the rules change, each flow is judged by the old and by the new. Where they say the same of
//! it, in whatever order and words, it stays. Where they do not (its listener leads elsewhere or is
//! gone, another rule covers it or none, its external port is out of the rule's range), it ends,
//! and its next packet begins another. Two stay nevertheless: a connection that is established,
//! because its ends know nothing of rules and cannot begin again where they are; and what a rule
//! with `keep` began.
//!
//! When a packet is about to leave through another interface than its flow's first did, the rules
//! are asked whether they say the same there. An external address belongs to its interface, so a
//! flow that is masqueraded ends: that packet is refused, and the next begins a flow under the
//! other interface's address, as with the kernel. Answers from a published port leave through the
//! interface that bears its address or that the flow came in by; never through another uplink.

use core::net::{Ipv4Addr, SocketAddrV4};

use packet::{InterfaceId, Protocol};

use crate::flow::{Flow, FlowOrigin};
use crate::flow_id::FlowId;
use crate::masquerade::{Filtering, Mapping, Masquerade, PortPolicy};
use crate::nat::Nat;
use crate::path::Path;
use crate::rules::{Listeners, Rules};
use crate::tuple::Direction;

/// What becomes of a flow's source.
#[derive(Copy, Clone, Debug)]
pub(crate) enum SnatKind {
    /// It stays.
    Untranslated,
    /// The address of the interface that it leaves through, by this policy.
    Masquerade(InterfaceId, PortPolicy),
    /// The address that its first packet was sent to, because it turns back to the inside.
    Hairpin(PortPolicy),
}

/// What rules say of a flow.
#[derive(Copy, Clone, Debug)]
struct Verdict {
    /// Where a listener sends it.
    to: Option<SocketAddrV4>,
    snat: SnatKind,
    /// The published port that its source leaves from.
    named: Option<u16>,
    /// How the rule filters that lends the port through which it was let in.
    lender: Option<Filtering>,
    /// Of a flow that came in to a host inside: whether the rule that keeps it inside lets that
    /// be.
    reaches: Option<bool>,
    /// Whether a rule that says this keeps its flows when it goes.
    keep: bool,
}

impl Rules {
    /// What becomes of the source of a flow to `to`; `redirected`: it was sent elsewhere.
    pub(crate) fn snat_kind(
        &self,
        source: Ipv4Addr,
        to: Ipv4Addr,
        redirected: bool,
        path: Path,
    ) -> SnatKind {
        if let Some(rule) = self.masquerade(source, to, path.egress) {
            return SnatKind::Masquerade(path.egress, rule.policy());
        }
        // What turns back leaves from the address that it was sent to, so that the answer comes
        // through here (RFC 4787 REQ-9, RFC 5382 REQ-8).
        let inside = path.owner.and_then(|owner| self.inside_rule(source, path.ingress, owner));
        match inside.map(|rule| rule.policy()) {
            Some(policy) if redirected => SnatKind::Hairpin(policy),
            None if redirected && path.ingress == path.egress => {
                SnatKind::Hairpin(PortPolicy::default())
            }
            _ => SnatKind::Untranslated,
        }
    }

    /// The rule that keeps the host `to` inside from who is where the rule leads out. What turns
    /// back there was not sent inside, though the rule's source may hold everybody.
    pub(crate) fn hiding(&self, from: Ipv4Addr, to: Ipv4Addr, path: Path) -> Option<&Masquerade> {
        self.masquerade(to, from, path.ingress).filter(|_| path.ingress != path.egress)
    }
}

impl Nat {
    /// Whether a packet of a flow may leave through `out` as its flow's packets do.
    pub(crate) fn may_egress(
        &mut self,
        id: FlowId,
        direction: Direction,
        out: InterfaceId,
    ) -> bool {
        let Some((flow, path)) = self.table.get(id).zip(self.table.path(id)) else { return false };
        match direction {
            Direction::Original if out == path.egress => true,
            Direction::Original => {
                let moved = Path { egress: out, ..path };
                let rules = (&self.rules, &self.listeners);
                let holds =
                    Verdict::of(flow, path, rules).is_same(&Verdict::of(flow, moved, rules), flow);
                if holds {
                    self.table.set_path(id, moved);
                }
                holds
            }
            Direction::Reply => {
                let (original, reply) = (flow.tuple(direction.opposite()), flow.tuple(direction));
                let own = original.destination == reply.source;
                let stays = path.owner.is_none_or(|owner| out == owner || out == path.ingress);
                own || stays || !self.rules.masquerade.iter().any(|rule| rule.out == out)
            }
        }
    }
}

/// Whether a flow that was begun under the rules `before` goes on under those `after`.
pub(crate) fn still_holds(
    flow: &Flow,
    path: Path,
    before: (&Rules, &Listeners),
    after: (&Rules, &Listeners),
) -> bool {
    let was = Verdict::of(flow, path, before);
    was.keep || flow.is_established() || was.is_same(&Verdict::of(flow, path, after), flow)
}

impl Verdict {
    fn of(flow: &Flow, path: Path, (rules, listeners): (&Rules, &Listeners)) -> Self {
        let (original, reply) = (flow.tuple(Direction::Original), flow.tuple(Direction::Reply));
        let protocol = original.protocol;
        let listener =
            listeners.rule(protocol, original.destination, original.destination_port, path.owner);
        let redirected = flow.origin() != FlowOrigin::Masquerade;
        let snat = rules.snat_kind(original.source, reply.source, redirected, path);
        let bearer = match snat {
            SnatKind::Untranslated => None,
            SnatKind::Masquerade(out, _) => Some(Some(out)),
            SnatKind::Hairpin(_) => Some(path.owner),
        };
        let source = SocketAddrV4::new(original.source, original.source_port);
        let named = bearer.and_then(|bearer| {
            listeners.ports_of(protocol, source, reply.destination, bearer).next()
        });
        let lends = path.owner.filter(|_| flow.origin() == FlowOrigin::Admitted);
        let lender = lends.and_then(|owner| rules.lender(reply.source, owner));
        let covers = rules.masquerade(original.source, reply.source, path.egress);
        let entered = flow.origin() == FlowOrigin::Admitted && path.owner.is_none();
        let hides = rules.hiding(original.source, reply.source, path).filter(|_| entered);
        Self {
            to: listener.map(|rule| rule.to),
            snat,
            named,
            lender: lender.map(|rule| rule.filtering),
            reaches: hides.map(|rule| rule.inside_reachable),
            keep: [
                listener.map(|rule| rule.keep),
                covers.map(|rule| rule.keep),
                lender.map(|rule| rule.keep),
                hides.map(|rule| rule.keep),
            ]
            .contains(&Some(true)),
        }
    }

    fn is_same(&self, after: &Self, flow: &Flow) -> bool {
        let to = (self.to, self.lender, self.reaches) == (after.to, after.lender, after.reaches);
        to && match (self.snat, after.snat) {
            (SnatKind::Untranslated, SnatKind::Untranslated) => true,
            (SnatKind::Masquerade(out, old), SnatKind::Masquerade(now, new)) if out == now => {
                self.has_same_port(after, flow, old, new)
            }
            (SnatKind::Hairpin(old), SnatKind::Hairpin(new)) => {
                self.has_same_port(after, flow, old, new)
            }
            _ => false,
        }
    }

    /// Whether a flow's external port is as right as it was.
    fn has_same_port(&self, after: &Self, flow: &Flow, old: PortPolicy, new: PortPolicy) -> bool {
        let (inside, port) = (
            flow.tuple(Direction::Original).source_port,
            flow.tuple(Direction::Reply).destination_port,
        );
        let protocol = flow.protocol();
        if !matches!(protocol, Protocol::TCP | Protocol::UDP | Protocol::ICMP) {
            return true;
        }
        let allowed = |policy: PortPolicy| policy.allowed_ports(protocol, inside).allows(port);
        let named = self.named == after.named || after.named == Some(port);
        let lent = after.named.is_some() || allowed(new) || !allowed(old);
        let filters = |policy: PortPolicy| match policy.mapping {
            Mapping::EndpointIndependent => Some(policy.filtering),
            Mapping::AddressAndPortDependent => None,
        };
        named && lent && filters(old) == filters(new)
    }
}
