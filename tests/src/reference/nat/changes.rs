//! What a change of the rules, or of the way out, makes of flows that were begun before it.

use core::net::SocketAddrV4;

use nat::{Filtering, Mapping, Masquerade, Rules};
use packet::InterfaceId;

use super::ports::allows;
use super::{Flow, ICMP, Translator, UDP};

/// What an external source is: that of an uplink, or that of the address which was spoken to.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Source {
    Unchanged,
    Uplink(InterfaceId, Masquerade),
    Hairpin(Masquerade),
}

/// What rules say of a flow.
struct Said {
    to: Option<SocketAddrV4>,
    source: Source,
    /// The published port that it leaves from.
    named: Option<u16>,
    lender: Option<Filtering>,
    /// Whether a host inside may be reached, of a flow that has come in to one.
    reaches: Option<bool>,
    keep: bool,
}

impl Translator {
    /// Ends the flows of which the new rules say something else, unless they are established or
    /// kept.
    pub(super) fn follow_rules(&mut self, rules: Rules) {
        let before = core::mem::replace(&mut self.rules, rules);
        if self.flows.iter().any(|flow| flow.adopted) {
            self.lose_track();
        }
        let ends = |flow: &Flow| {
            let (was, is) = (say(&before, flow, flow.path.2), say(&self.rules, flow, flow.path.2));
            !flow.adopted && !flow.established && !was.keep && !same(flow, &was, &is)
        };
        let (ended, living) = self.flows.drain(..).partition(ends);
        self.flows = living;
        self.rest(self.now, ended);
    }

    /// Whether a packet of a flow may leave through `out`; the flow goes that way from now on.
    pub(super) fn may_leave(&mut self, at: usize, original: bool, out: InterfaceId) -> bool {
        let flow = &self.flows[at];
        let (came_on, owner, way) = flow.path;
        if original {
            let may = out == way
                || same(flow, &say(&self.rules, flow, way), &say(&self.rules, flow, out));
            if may {
                self.flows[at].path.2 = out;
            }
            return may;
        }
        let uplink = self.rules.masquerade.iter().any(|rule| rule.out == out);
        let translated = flow.original.to.ip() != flow.reply.from.ip();
        let strange = owner.is_some_and(|owner| out != owner && out != came_on);
        !(uplink && translated && strange)
    }
}

fn say(rules: &Rules, flow: &Flow, out: InterfaceId) -> Said {
    let (came_on, owner, _) = flow.path;
    let (original, reply) = (&flow.original, &flow.reply);
    let protocol = original.protocol;
    let listener = |port: SocketAddrV4, bearer: Option<InterfaceId>| {
        rules.publish.iter().find(|rule| {
            rule.protocol.0 == protocol
                && matches!(protocol, 6 | UDP)
                && rule.port == port.port()
                && rule.listen.matches(*port.ip(), bearer)
        })
    };
    let lender = |inside, owner| {
        rules.masquerade.iter().find(move |rule| rule.out == owner && rule.source.contains(inside))
    };
    let covers = rules.masquerade(*original.from.ip(), *reply.from.ip(), out);
    let is_outside = rules.masquerade.iter().any(|rule| rule.out == came_on);
    let inside = owner.filter(|owner| *owner != came_on && !is_outside);
    let inside = inside.and_then(|owner| lender(original.from.ip(), owner));
    let source = match (covers, inside) {
        (Some(rule), _) => Source::Uplink(out, rule.clone()),
        _ if !flow.redirected => Source::Unchanged,
        (None, Some(rule)) => Source::Hairpin(rule.clone()),
        (None, None) if came_on == out => {
            Source::Hairpin(Masquerade::new("0.0.0.0/0".parse().expect("a network"), out))
        }
        (None, None) => Source::Unchanged,
    };
    let bearer = match source {
        Source::Unchanged => None,
        Source::Uplink(out, _) => Some(Some(out)),
        Source::Hairpin(_) => Some(owner),
    };
    let named = bearer.and_then(|bearer| {
        let leads = |port| listener(SocketAddrV4::new(*reply.to.ip(), port), bearer);
        let mut own = rules.publish.iter().filter(|rule| rule.to == original.from);
        own.find(|rule| leads(rule.port).is_some_and(|first| first.to == original.from))
    });
    let listener = listener(original.to, owner);
    let lender = owner.filter(|_| flow.admitted).and_then(|owner| lender(reply.from.ip(), owner));
    let entered = flow.admitted && owner.is_none() && came_on != out;
    let hides = rules.masquerade(*reply.from.ip(), *original.from.ip(), came_on);
    let hides = hides.filter(|_| entered);
    Said {
        to: listener.map(|rule| rule.to),
        source,
        named: named.map(|rule| rule.port),
        lender: lender.map(|rule| rule.filtering),
        reaches: hides.map(|rule| rule.inside_reachable),
        keep: listener.is_some_and(|rule| rule.keep)
            || [covers, lender, hides].into_iter().flatten().any(|rule| rule.keep),
    }
}

/// Whether the rules say the same of a flow as they did.
fn same(flow: &Flow, was: &Said, is: &Said) -> bool {
    let to = (was.to, was.lender, was.reaches) == (is.to, is.lender, is.reaches);
    let (old, new) = match (&was.source, &is.source) {
        (Source::Unchanged, Source::Unchanged) => return to,
        (Source::Uplink(a, old), Source::Uplink(b, new)) if a == b => (old, new),
        (Source::Hairpin(old), Source::Hairpin(new)) => (old, new),
        _ => return false,
    };
    let protocol = flow.original.protocol;
    if !matches!(protocol, ICMP | 6 | UDP) {
        return to;
    }
    let (inside, port) = (flow.original.from.port(), flow.reply.to.port());
    let named = was.named == is.named || is.named == Some(port);
    let range = is.named.is_some()
        || allows(new, protocol, inside, port)
        || !allows(old, protocol, inside, port);
    let filters = |rule: &Masquerade| {
        (rule.mapping == Mapping::EndpointIndependent).then_some(rule.filtering)
    };
    to && named && range && filters(old) == filters(new)
}
