//! The words of steps 5 to 8: a packet through router and NAT.

use std::net::Ipv4Addr;

use nat::facts::{DnatReason, Endpoints, FlowMatch};
use nat::masquerade::RuleMatch;
use packet::{InterfaceId, Ipv4Net};
use serde_json::Value;
use switch::trace::{Answer, Lost, Untold};
use switch::view::{NeighborState, NeighborView, Reject, Target};

use super::names::{self, Names};
use crate::listing::rows::neighbor_state;
use control::explain::Fact;

impl Names<'_> {
    pub(super) fn packet(&self, ends: &Endpoints, ttl: u8, len: usize) -> Fact {
        let text = format!("the router takes {}, ttl {ttl}, {len} bytes", names::ends(ends));
        Fact::new("packet", text)
            .with("packet", names::ends(ends))
            .with("ttl", ttl)
            .with("len", len)
    }

    pub(super) fn destined(
        &self,
        found: Option<DnatReason>,
        flow: Option<&FlowMatch>,
        publish: Option<usize>,
        (before, after): (&Endpoints, &Endpoints),
        own: Option<InterfaceId>,
    ) -> Fact {
        let (from, to) = (names::destination(before), names::destination(after));
        let change = match from == to {
            true => format!("the destination stays {}", after.destination),
            false => format!("destination {from} -> {to}"),
        };
        let of_flow = flow.map_or_else(|| "a flow".to_owned(), words_of_flow);
        let (result, why) = match found {
            None => ("off", "no rules and no flows".to_owned()),
            Some(DnatReason::Unchanged) => ("none", "no flow and no published port".to_owned()),
            Some(DnatReason::Flow) => {
                ("flow", flow.map_or_else(|| "part of a flow".to_owned(), part_of_flow))
            }
            Some(DnatReason::Publish) => {
                let rule = publish.map_or_else(|| "publish".to_owned(), |n| self.publish(n));
                ("publish", format!("{rule} listens here"))
            }
            Some(DnatReason::Mapping) => {
                ("mapping", "the port is lent to a host inside that lets this sender in".to_owned())
            }
            Some(DnatReason::Error) => (
                "error",
                format!("an ICMP error about a packet of {of_flow}, which goes to its sender"),
            ),
        };
        let own = own.map(|own| self.interface(own));
        let end = own.as_ref().map_or_else(String::new, |own| {
            format!("; that is the router's own address on {own}: for the router itself")
        });
        Fact::new("nat-inbound", format!("{why}: {change}{end}"))
            .with("found", result)
            .with("flow", flow.map(|flow| flow.view.to_string()))
            .with("publish", publish)
            .with("before", names::ends(before))
            .with("after", names::ends(after))
            .with("own", own)
    }

    pub(super) fn way(&self, route: Option<(Ipv4Net, Target)>, ttl: u8) -> Fact {
        let Some((net, target)) = route else {
            return Fact::new("route", "no route holds the destination").with("route", Value::Null);
        };
        let hop = match target {
            Target::Connected(on) => format!("{net} is on {}", self.interface(on)),
            Target::Via { interface, gateway } => {
                format!("{net} via {gateway} on {}", self.interface(interface))
            }
            Target::Local(on) => {
                format!("{} is the router's own on {}", net.addr(), self.interface(on))
            }
            Target::Broadcast(on) => {
                format!("{} is a broadcast address on {}", net.addr(), self.interface(on))
            }
            Target::Reject(Reject::Unreachable) => format!("{net} is written as unreachable"),
            Target::Reject(Reject::Prohibit) => format!("{net} is written as prohibited"),
            Target::Reject(Reject::Blackhole) => format!("{net} is written as a blackhole"),
        };
        let leads = matches!(target, Target::Connected(_) | Target::Via { .. });
        let text = match ttl.checked_sub(1) {
            Some(less @ 1..) if leads => format!("{hop}; ttl {ttl} -> {less}"),
            _ if leads => format!("{hop}; ttl {ttl} is used up"),
            _ => hop,
        };
        Fact::new("route", text).with("route", net.to_string()).with("ttl", ttl)
    }

    pub(super) fn translated(
        &self,
        out: InterfaceId,
        (flow, is_new): (Option<&FlowMatch>, bool),
        rule_matches: &[RuleMatch],
        (before, after): (&Endpoints, Option<&Endpoints>),
    ) -> Fact {
        let covering = rule_matches.iter().position(|said| *said == RuleMatch::Covers);
        let rule = covering.map(|at| self.masquerade(at + 1));
        let from = names::source(before);
        let change = match after.map(names::source) {
            None => "refused".to_owned(),
            Some(to) if to == from => format!("the source stays {}", before.source),
            Some(to) => format!("source {from} -> {to}"),
        };
        let (result, why) = match (flow, rule) {
            (Some(_), Some(rule)) if is_new => ("new", format!("{rule}, a new flow")),
            (Some(_), None) if is_new => ("new", "a new flow".to_owned()),
            (Some(flow), _) => ("flow", part_of_flow(flow)),
            (None, Some(rule)) => ("refused", rule),
            (None, None) => ("none", self.not_covered(rule_matches, before, out)),
        };
        Fact::new("nat-outbound", format!("{why}: {change}"))
            .with("result", result)
            .with("flow", flow.map(|flow| flow.view.to_string()))
            .with("masquerade", covering.map(|at| at + 1))
            .with("before", names::ends(before))
            .with("after", after.map(names::ends))
    }

    /// Why no masquerade rule is for a packet.
    fn not_covered(
        &self,
        rule_matches: &[RuleMatch],
        ends: &Endpoints,
        out: InterfaceId,
    ) -> String {
        if rule_matches.is_empty() {
            return "no masquerade rule".to_owned();
        }
        let each = rule_matches.iter().enumerate().map(|(at, said)| {
            let rule = self.masquerade(at + 1);
            match said {
                RuleMatch::Covers => format!("{rule} is for it"),
                RuleMatch::OtherInterface => {
                    format!("{rule} is not for what leaves {}", self.interface(out))
                }
                RuleMatch::OtherSource => format!("{rule} is not for {}", ends.source),
                RuleMatch::Excepted(net) => format!("{rule} excepts {net}"),
            }
        });
        each.collect::<Vec<_>>().join("; ")
    }

    pub(super) fn next_hop(
        &self,
        interface: InterfaceId,
        address: Ipv4Addr,
        known: Option<&NeighborView>,
    ) -> Fact {
        let on = self.interface(interface);
        let what = match known.map(|known| known.state) {
            None => "is not known: everybody is asked by ARP".to_owned(),
            Some(NeighborState::Incomplete) => "is being asked for by ARP".to_owned(),
            Some(NeighborState::Failed) => "did not answer ARP".to_owned(),
            Some(NeighborState::Stale) => {
                format!("is {}, used and asked again", names::neighbor(known))
            }
            Some(NeighborState::Reachable | NeighborState::Probe | NeighborState::Static) => {
                format!("is {}", names::neighbor(known))
            }
        };
        Fact::new("next-hop", format!("{address} on {on} {what}"))
            .with("address", address.to_string())
            .with("interface", on)
            .with("mac", known.and_then(|known| known.mac).map(|mac| mac.to_string()))
            .with("state", known.map(|known| neighbor_state(known.state)))
    }
}

pub(super) fn waits(address: Ipv4Addr, waiting: usize, lost: Option<Lost>, is_own: bool) -> Fact {
    let what = if is_own { "the switch's own packet waits" } else { "it waits" };
    let text = match lost {
        None => format!("{what} for {address}'s MAC address, {waiting} in the queue"),
        Some(Lost::Oldest) => {
            format!(
                "{what} for {address}'s MAC address; no more may wait, and an older packet gives way"
            )
        }
        Some(Lost::Newest) => "too many packets wait already: there is no room for it".to_owned(),
    };
    Fact::new("waits", text).with("address", address.to_string()).with("waiting", waiting)
}

pub(super) fn answered(answer: Answer) -> Fact {
    let (kind, text) = match answer {
        Answer::Echo => ("echo", "the router answers the ping itself"),
        Answer::Reset => ("reset", "the router refuses the connection itself, by a reset"),
    };
    Fact::new("answered", text).with("answer", kind)
}

pub(super) fn told(error: packet::icmp::IcmpError, to: Ipv4Addr, from: Ipv4Addr) -> Fact {
    let error = names::icmp_error(error);
    Fact::new("told", format!("{to} is told by {from}: {error}"))
        .with("to", to.to_string())
        .with("from", from.to_string())
        .with("error", error)
}

pub(super) fn not_told(why: Untold) -> Fact {
    let (short, text) = match why {
        Untold::RateLimited => (
            "rate-limited",
            "the sender is not told: errors are limited to `[switch] icmp_errors` a second",
        ),
        Untold::NotDue => (
            "not-due",
            "nobody is told: such a packet must not be answered (RFC 1812 section 4.3.2.7)",
        ),
        Untold::NoWay => {
            ("no-way", "the sender is not told: the router has no address or no way there")
        }
    };
    Fact::new("not-told", text).with("why", short)
}

/// `the flow that 192.168.0.2 began (ESTABLISHED)`
fn words_of_flow(flow: &FlowMatch) -> String {
    let state = flow.view.state.map_or_else(String::new, |state| format!(" ({state})"));
    format!("the flow that {} began{state}", flow.view.original.source)
}

/// The same, with which way the packet goes.
fn part_of_flow(flow: &FlowMatch) -> String {
    let way = if flow.is_reply { "a reply in" } else { "part of" };
    format!("{way} {}", words_of_flow(flow))
}
