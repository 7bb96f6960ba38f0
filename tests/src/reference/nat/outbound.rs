//! Step 7: whose name a packet leaves under.

use core::net::{Ipv4Addr, SocketAddrV4};

use nat::Masquerade;
use packet::{DropReason, InterfaceId};

use super::super::ipv4::Transport;
use super::tuple::begins;
use super::{Destined, Opening, Plan, Translator};
use crate::wire::Packet;

/// Where a packet leaves.
#[derive(Copy, Clone)]
pub(crate) struct Departure {
    pub(crate) interface: InterfaceId,
    pub(crate) external: Option<Ipv4Addr>,
}

/// What a packet is behind routing.
pub(crate) enum Outbound {
    Unknown,
    Refused(DropReason),
    Passed(Translated),
    /// It passes, or there is no port for it.
    Either(DropReason, Translated),
}

/// Whom a packet is seen to be from and to. No port where one was to be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Translated {
    pub(crate) from: (Ipv4Addr, Option<u16>),
    pub(crate) to: SocketAddrV4,
}

impl Translator {
    /// Whom a packet is really from.
    pub(crate) fn outbound(
        &mut self,
        packet: &Packet,
        destined: Destined,
        departure: Departure,
    ) -> Outbound {
        let transport = Transport::of(packet);
        if let Plan::Known { flow, original } = destined.plan
            && !self.flows[flow].adopted
            && !self.may_leave(flow, original, departure.interface)
        {
            let ended = self.flows.swap_remove(flow);
            self.rest(self.now, vec![ended]);
            return Outbound::Refused(DropReason::NatNoFlow);
        }
        let kept = Translated {
            from: (packet.source, Some(destined.sent.map_or(0, |sent| sent.from.port()))),
            to: destined.to,
        };
        let rule = |source, to: SocketAddrV4| {
            self.rules.masquerade(source, *to.ip(), departure.interface).cloned()
        };
        let redirected = matches!(destined.plan, Plan::Redirected { .. });
        let mut entered = false;
        let path = (destined.arrival.0, destined.arrival.1, departure.interface);
        let (through, external) = match destined.plan {
            Plan::Known { flow, original } => {
                let flow = &self.flows[flow];
                let seen = if original { flow.reply.to } else { flow.original.to };
                let untranslated = original && seen.ip() == flow.original.from.ip();
                if untranslated && rule(packet.source, flow.reply.from).is_some() {
                    return Outbound::Refused(DropReason::NatNoFlow);
                }
                return Outbound::Passed(Translated {
                    from: (*seen.ip(), Some(seen.port())),
                    ..kept
                });
            }
            Plan::Fresh => match (rule(packet.source, destined.to), destined.sent) {
                (None, sent) => match self.entry(packet, &destined, departure) {
                    None => {
                        if let Some(sent) = sent.filter(|_| transport.opens()) {
                            self.end_reopened(&sent);
                        }
                        return Outbound::Passed(kept);
                    }
                    Some(false) => return Outbound::Refused(DropReason::Unsolicited),
                    Some(true) if !begins(transport) => return Outbound::Passed(kept),
                    Some(true) => {
                        entered = true;
                        (None, None)
                    }
                },
                (Some(_), None) => {
                    return match transport {
                        Transport::Malformed => Outbound::Refused(DropReason::BadTransport),
                        Transport::Error => Outbound::Unknown,
                        _ => Outbound::Refused(DropReason::NatNoFlow),
                    };
                }
                (Some(_), _) if !begins(transport) => {
                    return Outbound::Refused(DropReason::NatNoFlow);
                }
                (Some(rule), _) => (None, Some((departure.external, rule, departure.interface))),
            },
            Plan::Redirected { through } => match rule(packet.source, destined.to) {
                Some(rule) => (through, Some((departure.external, rule, departure.interface))),
                None => (through, self.hairpin(&destined, departure)),
            },
        };
        let Some(original) = destined.sent else { return Outbound::Passed(kept) };
        let external = match external {
            Some((None, ..)) => return Outbound::Refused(DropReason::NatNoAddress),
            Some((Some(address), rule, owner)) => Some((address, rule, owner)),
            None => None,
        };
        let to = destined.to;
        self.open(Opening {
            original,
            to,
            port: self.ingress,
            external,
            through,
            path,
            redirected,
            entered,
            apart: false,
            doubtful: false,
        })
    }

    /// Whether a packet comes from outside to a host inside, and may.
    fn entry(&self, packet: &Packet, destined: &Destined, departure: Departure) -> Option<bool> {
        let came_on = destined.arrival.0;
        let rule = self.rules.masquerade(packet.destination, packet.source, came_on)?;
        (came_on != departure.interface).then_some(rule.inside_reachable)
    }

    /// Whether an address of the router's own is out of reach for `asker` on an interface: it is an
    /// inside interface's.
    pub(crate) fn hides(
        &self,
        (own, owner): (Ipv4Addr, InterfaceId),
        asker: Ipv4Addr,
        came_on: InterfaceId,
    ) -> bool {
        let rule = self.rules.masquerade(own, asker, came_on);
        let inside = owner != came_on && !self.is_outside(owner);
        inside && rule.is_some_and(|rule| !rule.inside_reachable)
    }

    /// Whether a packet of no flow leaves as no rule has it.
    pub(crate) fn leaves_bare(&self, packet: &Packet, to: &Destined, out: InterfaceId) -> bool {
        let begins = !matches!(to.plan, Plan::Known { .. });
        begins && self.rules.masquerade(packet.source, *to.to.ip(), out).is_none()
    }

    /// How a redirected packet's source is translated that turns back to the inside, if it does.
    pub(super) fn hairpin(
        &self,
        destined: &Destined,
        departure: Departure,
    ) -> Option<(Option<Ipv4Addr>, Masquerade, InterfaceId)> {
        let sent = destined.sent?;
        let (came_on, owner) = destined.arrival;
        let rule = owner.and_then(|owner| self.inside_rule(*sent.from.ip(), came_on, owner));
        if rule.is_none() && came_on != departure.interface {
            return None;
        }
        let everybody = "0.0.0.0/0".parse().expect("a network");
        let rule = rule.cloned().unwrap_or_else(|| Masquerade::new(everybody, departure.interface));
        Some((Some(*sent.to.ip()), rule, owner.unwrap_or(departure.interface)))
    }

    pub(super) fn inside_rule(
        &self,
        source: Ipv4Addr,
        came_on: InterfaceId,
        owner: InterfaceId,
    ) -> Option<&Masquerade> {
        let mut rules = self.rules.masquerade.iter();
        let inside = came_on != owner && !self.is_outside(came_on);
        rules.find(|rule| inside && rule.out == owner && rule.source.contains(&source))
    }
}
