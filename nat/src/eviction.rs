//! Room for a new flow, and who makes it when there is none.
//!
//! # Theory of operation
//! A flow is charged to who began it: the source of its first packet, as it came in by its port of the switch. So
//! what outsiders begin with a published port is theirs and not the server's, and who sends under its neighbour's
//! address takes nothing from the neighbour, whose packets come in by another port.
//!
//! There are three limits. A *host*, an address behind one port, may have so many flows. The *table* holds so many in
//! all; and a port of the switch may have at most [`SHARE`] times as many as are free, so that however many flows a
//! guest makes up, and whoever answers them, some are left for the others; except where one host may have all. The
//! external *ports* of an address end.
//!
//! At each limit flows make room before a new one is refused, in this order:
//!
//! 1. connections that have ended, the one that ended first before the others;
//! 2. flows that only one side has spoken in, and connections whose handshake is not complete, the one heard longest ago
//!    first;
//! 3. datagrams that were answered (UDP, ICMP and other protocols) once they are silent for [`IDLE`], the longest silent
//!    first.
//!
//! Nothing else is evicted: no connection that is established, no exchange of datagrams that goes on. At the limit of
//! a host its own flows make room. At the others those of the port of the switch that has the most of what is short,
//! within a factor of two: the new flow's own port where it is one of these, so that who floods displaces himself.
//!
//! "Heard" is by the second, so that a packet moves its flow in a queue once a second at most.

use core::time::Duration;

use packet::snapshot::Damaged;
use packet::{DropReason, Instant, PortId};
use serde::{Deserialize, Serialize};

use crate::flow::Flow;
use crate::groups::{Class, Key, Ranks};
use crate::index::Hashes;
use crate::lifetime::Lifetimes;
use crate::nat::Nat;
use crate::table::FlowId;
use crate::tuple::Tuple;

/// Datagrams that were answered are idle after that: a call, a game or a stream is never silent for so long, and a
/// resolver may ask 1,600 times a second until its host's flows are all younger.
pub(crate) const IDLE: Duration = Duration::from_secs(10);
/// How many times as many flows as are free a port of the switch may have: one alone gets 98 in 100, ten get 99.8 in
/// all, and the next one still something.
const SHARE: usize = 64;
/// Who has how many flows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Room {
    /// Groups by address and port of the switch.
    pub(crate) hosts: Ranks,
    /// Groups by port of the switch.
    ports: Ranks,
    /// Groups by port of the switch, for each kind of external port that is short.
    lanes: Ranks,
}

/// The groups that a flow is in.
#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Seat {
    host: u32,
    port: u32,
    lane: Option<u32>,
}

/// Whom a flow is charged to.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Payer {
    port: u32,
    address: u32,
}

impl Payer {
    pub(crate) fn new(original: &Tuple, port: Option<PortId>) -> Self {
        let port = port.map_or(u32::MAX, |port| port.index() as u32);
        Self { port, address: u32::from(original.source) }
    }

    const fn host(self) -> Key {
        Key { rivals: 0, port: self.port, address: self.address }
    }

    const fn among(self, rivals: u32) -> Key {
        Key { rivals, port: self.port, address: 0 }
    }
}

impl Room {
    pub(crate) const fn new() -> Self {
        Self { hosts: Ranks::new(), ports: Ranks::new(), lanes: Ranks::new() }
    }

    pub(crate) fn reindex(&mut self, hashes: &Hashes) {
        for ranks in [&mut self.hosts, &mut self.ports, &mut self.lanes] {
            ranks.reindex(hashes);
        }
    }

    pub(crate) fn reserve(&mut self, flows: usize) {
        self.hosts.reserve(flows, flows);
        self.ports.reserve(flows, 0);
        self.lanes.reserve(flows, 0);
    }

    /// Whether flows have ports of this lane.
    pub(crate) fn is_lane_used(&self, lane: u32) -> bool {
        self.lanes.has_rivals(lane)
    }

    /// Counts a new flow.
    pub(crate) fn seat(&mut self, hashes: &Hashes, payer: Payer, lane: Option<u32>) -> Seat {
        Seat {
            host: self.hosts.add(hashes, payer.host()),
            port: self.ports.add(hashes, payer.among(0)),
            lane: lane.map(|lane| self.lanes.add(hashes, payer.among(lane))),
        }
    }

    /// Counts a flow no more.
    pub(crate) fn leave(&mut self, hashes: &Hashes, seat: Seat, flow: u32, class: Option<Class>) {
        self.rank(seat, flow, class, None);
        self.hosts.remove(hashes, seat.host);
        self.ports.remove(hashes, seat.port);
        if let Some(lane) = seat.lane {
            self.lanes.remove(hashes, lane);
        }
    }

    /// Puts a flow last of its class.
    pub(crate) fn rank(&mut self, seat: Seat, flow: u32, old: Option<Class>, new: Option<Class>) {
        let groups = [
            (&mut self.hosts, Some(seat.host)),
            (&mut self.ports, Some(seat.port)),
            (&mut self.lanes, seat.lane),
        ];
        for (ranks, group) in groups {
            let Some(group) = group else { continue };
            if let Some(old) = old {
                ranks.take(group, old, flow);
            }
            if let Some(new) = new {
                ranks.append(group, new, flow);
            }
        }
    }

    /// Compares the groups with the flows.
    pub(crate) fn check<'a>(
        &self,
        flows: impl Iterator<Item = (u32, &'a Flow, Seat)> + Clone,
    ) -> Result<(), Damaged> {
        let all = flows.map(|(number, flow, seat)| (number, seat, flow.class()));
        self.hosts.check(all.clone().map(|(number, seat, class)| (number, seat.host, class)))?;
        self.ports.check(all.clone().map(|(number, seat, class)| (number, seat.port, class)))?;
        self.lanes.check(all.filter_map(|(number, seat, class)| Some((number, seat.lane?, class))))
    }
}

impl Nat {
    /// Flows that make room for one new: several where they stand behind one external port. 20 microseconds.
    pub(crate) const MOST_DISPLACED: usize = 64;

    /// At the limit of a host or of the table, a flow gives its place away.
    ///
    /// # Errors
    /// [`DropReason::NatHostLimit`], [`DropReason::NatTableFull`]: nobody may be evicted.
    pub(crate) fn make_room(&mut self, now: Instant, payer: Payer) -> Result<(), DropReason> {
        let own = self.room.hosts.find(&self.hashes, payer.host());
        if own.map_or(0, |own| self.room.hosts.flows(own)) >= self.limits.flows_per_host {
            let first = own.and_then(|own| self.first_idle(now, &self.room.hosts, own));
            let is_full = self.table.len() >= self.limits.flows;
            let reason = if is_full { DropReason::NatTableFull } else { DropReason::NatHostLimit };
            self.displace(now, first).ok_or(reason)?;
        }
        let free = self.limits.flows.saturating_sub(self.table.len());
        let shares = self.limits.flows_per_host < self.limits.flows;
        let most = if shares { free.saturating_mul(SHARE) } else { usize::MAX };
        let own = self.room.ports.find(&self.hashes, payer.among(0));
        let first = if free == 0 {
            self.first_of_largest(now, &self.room.ports, 0, own)
        } else if own.is_some_and(|own| self.room.ports.flows(own) > most) {
            own.and_then(|own| self.first_idle(now, &self.room.ports, own))
        } else {
            return Ok(());
        };
        self.displace(now, first).ok_or(DropReason::NatTableFull)
    }

    /// At the end of a lane's external ports, a flow gives its own away.
    pub(crate) fn free_port(&mut self, now: Instant, payer: Payer, lane: u32) -> Option<()> {
        let own = self.room.lanes.find(&self.hashes, payer.among(lane));
        let first = self.first_of_largest(now, &self.room.lanes, lane, own);
        self.displace(now, first)
    }

    fn first_of_largest(
        &self,
        now: Instant,
        ranks: &Ranks,
        rivals: u32,
        own: Option<u32>,
    ) -> Option<u32> {
        let largest = ranks.largest_or(rivals, own)?;
        let first = self.first_idle(now, ranks, largest);
        first.or_else(|| self.first_idle(now, ranks, own.filter(|own| *own != largest)?))
    }

    /// The flow of a group that gives way before its others.
    fn first_idle(&self, now: Instant, ranks: &Ranks, group: u32) -> Option<u32> {
        let gives_way = |number: &u32| {
            let held = self.table.held(*number);
            held.is_some_and(|(flow, _)| gives_way(now, &self.lifetimes, flow).is_some())
        };
        ranks.first(group).find(gives_way)
    }

    fn displace(&mut self, now: Instant, number: Option<u32>) -> Option<()> {
        let id = self.table.id(number?)?;
        self.end(now, id);
        self.counts.displaced += 1;
        Some(())
    }

    /// Follows a flow to another class, or, where it grows young, to the end of its own.
    #[cold]
    pub(crate) fn set_rank(
        &mut self,
        id: FlowId,
        old: Option<Class>,
        new: Option<Class>,
        grows_young: bool,
    ) {
        let moves = old != new || grows_young && new.is_some_and(Class::ages);
        if moves && let Some((number, seat)) = self.table.seat(id) {
            self.room.rank(seat, number, old, new);
        }
    }
}

/// The class of a flow that makes room now, if it does.
pub(crate) fn gives_way(now: Instant, lifetimes: &Lifetimes, flow: &Flow) -> Option<Class> {
    let class = flow.class()?;
    let heard = flow.deadline() - lifetimes.of(flow);
    (class != Class::Answered || now.since(heard) >= IDLE).then_some(class)
}
