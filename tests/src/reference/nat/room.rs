//! Room for a new flow: who is charged, and who gives way, by searching all flows.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::BTreeMap;

use nat::{FlowView, Masquerade};
use packet::{DropReason, Instant, InterfaceId};

use super::ports::allows;
use super::{Flow, ICMP, Opening, Translator};

/// Answered datagrams are idle once they are silent for this.
const IDLE: Duration = Duration::from_secs(10);
/// As many times as flows are free a port of the switch may have.
const SHARE: usize = 64;
/// Flows that make room for one new.
const MOST_DISPLACED: usize = 64;

/// External ports that end together: protocol, address, range, and parity where it counts.
pub(super) type Lane = (u8, Ipv4Addr, u16, u16, Option<u16>);

/// How far a flow is from giving way: 0 ended, 1 unanswered, 2 answered datagrams; nothing where it
/// never does.
pub(super) fn class(view: &FlowView) -> Option<u8> {
    match view.state {
        Some("TIME_WAIT" | "CLOSE") => Some(0),
        Some("SYN_SENT" | "SYN_SENT2" | "SYN_RECV") => Some(1),
        _ if view.unreplied => Some(1),
        Some(_) => None,
        None => Some(2),
    }
}

/// The four seconds, roughly, that flows are sorted by.
pub(super) const fn epoch(time: Instant) -> u64 {
    time.as_nanos() >> 32
}

/// The ports that an inside port may have outside.
pub(super) fn lane(rule: &Masquerade, external: Ipv4Addr, protocol: u8, inside: u16) -> Lane {
    let (low, high) = match (protocol, inside) {
        (ICMP, _) => (0, u16::MAX),
        (_, ..1024) => (1, 1023),
        _ => (1024, u16::MAX),
    };
    let (low, high) = rule.ports.map_or((low, high), |ports| {
        let (least, most) = (ports.low().max(low), ports.high().min(high));
        if least <= most { (least, most) } else { (ports.low(), ports.high()) }
    });
    let parity = (rule.parity && protocol == 17).then_some(inside % 2);
    (protocol, external, low, high, parity)
}

/// Who gives way.
enum Victim {
    Nobody,
    Flow(usize),
    Unknown,
}

impl Translator {
    /// Makes room at the limits.
    ///
    /// # Errors
    /// Why it is refused; nothing where that is not known.
    pub(super) fn make_room(&mut self, opening: &Opening) -> Result<(), Option<DropReason>> {
        let (port, address) = (opening.port, *opening.original.from.ip());
        let mine = |flow: &Flow| flow.port == port && *flow.original.from.ip() == address;
        if self.flows.iter().filter(|flow| mine(flow)).count() >= self.limits.flows_per_host {
            let victim = self.first(mine);
            let reason = match self.flows.len() >= self.limits.flows {
                true => DropReason::NatTableFull,
                false => DropReason::NatHostLimit,
            };
            self.displace(victim, reason)?;
        }
        let free = self.limits.flows.saturating_sub(self.flows.len());
        let of_port = self.flows.iter().filter(|flow| flow.port == port).count();
        let victim = if free == 0 {
            self.first_of_largest(port, |_| true)
        } else if self.limits.flows_per_host < self.limits.flows && of_port > free * SHARE {
            self.first(|flow| flow.port == port)
        } else {
            return Ok(());
        };
        self.displace(victim, DropReason::NatTableFull)
    }

    /// Makes room where all ports that the flow may have are taken.
    ///
    /// # Errors
    /// As [`Translator::make_room`].
    pub(super) fn free_port(
        &mut self,
        opening: &Opening,
        (external, rule, owner): (Ipv4Addr, &Masquerade, InterfaceId),
    ) -> Result<(), Option<DropReason>> {
        let (protocol, inside) = (opening.original.protocol, opening.original.from.port());
        let lane = lane(rule, external, protocol, inside);
        // The port that it was sent to stays in use, whoever makes room.
        let is_other = |port| port != opening.original.to;
        for _ in 0..MOST_DISPLACED {
            if self.has_port((external, rule, owner), protocol, inside, is_other) {
                return Ok(());
            }
            let victim = self.first_of_largest(opening.port, |flow| flow.lane == Some(lane));
            self.displace(victim, DropReason::NatNoPort)?;
        }
        match self.has_port((external, rule, owner), protocol, inside, is_other) {
            true => Ok(()),
            false => Err(Some(DropReason::NatNoPort)),
        }
    }

    /// Whether a port that the rule allows is nobody's, and such as is asked for.
    pub(super) fn has_port(
        &self,
        (external, rule, owner): (Ipv4Addr, &Masquerade, InterfaceId),
        protocol: u8,
        inside: u16,
        is_such: impl Fn(SocketAddrV4) -> bool,
    ) -> bool {
        let (_, _, low, high, _) = lane(rule, external, protocol, inside);
        let mut ports = (low..=high).filter(|port| allows(rule, protocol, inside, *port));
        ports.any(|port| {
            let port = SocketAddrV4::new(external, port);
            !self.is_published(protocol, port, owner)
                && !self.is_used(protocol, port)
                && is_such(port)
        })
    }

    fn displace(&mut self, victim: Victim, reason: DropReason) -> Result<(), Option<DropReason>> {
        match victim {
            Victim::Nobody => Err(Some(reason)),
            Victim::Unknown => Err(None),
            Victim::Flow(at) => {
                let displaced = self.flows.swap_remove(at);
                self.rest(self.now, vec![displaced]);
                Ok(())
            }
        }
    }

    /// Who gives way first of these flows.
    fn first(&self, such: impl Fn(&Flow) -> bool) -> Victim {
        for class in 0..3 {
            let all = self.flows.iter().enumerate();
            let of_class = all.filter(|(_, flow)| such(flow) && flow.class == Some(class));
            let Some((at, flow)) = of_class.min_by_key(|(_, flow)| flow.since) else { continue };
            if class < 2 {
                return Victim::Flow(at);
            }
            if flow.heard.is_none() {
                return Victim::Unknown;
            }
            if flow.heard.is_some_and(|heard| self.now.since(heard) >= IDLE) {
                return Victim::Flow(at);
            }
        }
        Victim::Nobody
    }

    /// Who gives way first of the flows of the port that has the most such, or else of the new
    /// flow's own.
    fn first_of_largest(&self, own: u32, such: impl Fn(&Flow) -> bool) -> Victim {
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        for flow in self.flows.iter().filter(|flow| such(flow)) {
            *counts.entry(flow.port).or_default() += 1;
        }
        let size = |count: &u32| u32::BITS - count.leading_zeros();
        let Some(most) = counts.values().map(size).max() else { return Victim::Nobody };
        let largest: Vec<u32> =
            counts.iter().filter(|(_, count)| size(count) == most).map(|(port, _)| *port).collect();
        let port = match largest.as_slice() {
            largest if largest.contains(&own) => own,
            [port] => *port,
            _ => return Victim::Unknown,
        };
        match self.first(|flow| such(flow) && flow.port == port) {
            Victim::Nobody => self.first(|flow| such(flow) && flow.port == own),
            victim => victim,
        }
    }
}
