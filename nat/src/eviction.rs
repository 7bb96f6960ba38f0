//! How many flows there may be, and which of them are evicted for a new one.
//!
//! # Theory of operation
//! A flow is charged to who began it: the source of its first packet, as it came in by its port of
//! the switch. So what outsiders begin with a published port is theirs and not the server's, and
//! who sends under its neighbour's address takes nothing from the neighbour, whose packets come in
//! by another port.
//!
//! There are three limits. A *host*, an address behind one port, may have so many flows. The
//! *table* holds so many in all; and a port of the switch may have at most [`SHARE`] times as many
//! as are free, so that however many flows a guest makes up, and whoever answers them, some are
//! left for the others; except where one host may have all. The external *ports* of an address end.
//!
//! At each limit flows make room before a new one is refused, in this order:
//!
//! 1. connections that are closed, the one that closed first before the others;
//! 2. flows that only one side has spoken in, and connections whose handshake is not complete, the
//!    one heard longest ago first;
//! 3. datagrams that were answered (UDP, ICMP and other protocols) once they are silent for
//!    [`IDLE`], the longest silent first.
//!
//! Nothing else is evicted: no connection that is established, no exchange of datagrams that goes
//! on. At the limit of a host its own flows make room. At the others those of the port of the
//! switch that has the most of what is short, within a factor of two: the new flow's own port where
//! it is one of these, so that who floods evicts himself.
//!
//! "Heard" is by the four seconds, so that a packet moves its flow in its queues so often at most: a
//! move touches some ten cache lines that no other packet of the flow needs.

use core::time::Duration;

use packet::snapshot::Damaged;
use packet::{DropReason, Instant, PortId};
use serde::{Deserialize, Serialize};

use crate::flow::Flow;
use crate::groups::{Class, Groups, Key};
use crate::index::Hashes;
use crate::lifetime::Lifetimes;
use crate::nat::Nat;
use crate::table::FlowId;
use crate::tuple::Tuple;

/// Datagrams that were answered are idle after that: a call, a game or a stream is never silent for
/// so long, and a resolver may ask 1,600 times a second until its host's flows are all younger.
pub(crate) const IDLE: Duration = Duration::from_secs(10);
/// How many times as many flows as are free a port of the switch may have: one alone gets 98 in
/// 100, ten get 99.8 in all, and the next one still something.
const SHARE: usize = 64;

/// Caps on flows. At a cap the new takes the place of one that is closed, unanswered or idle; where
/// there is none, it is refused, and the established stay.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// All flows; at most [`Limits::MOST_FLOWS`]. About 200 bytes each, 380 in the worst case;
    /// touched as they are used.
    pub flows: usize,
    /// Flows that one host began, inside or outside, by one port of the switch: so one cannot
    /// starve the others (RFC 6888 REQ-4).
    pub flows_per_host: usize,
}

impl Limits {
    /// More flows than this are not to be had: 4.4 GB.
    pub const MOST_FLOWS: usize = 1 << 24;
}

impl Default for Limits {
    /// As many flows as Linux tracks on a machine with 8 GiB, and as many for a host as four busy
    /// browsers need.
    fn default() -> Self {
        Self { flows: 262_144, flows_per_host: 16_384 }
    }
}

/// Who has how many flows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Accounts {
    /// Groups by address and port of the switch.
    pub(crate) hosts: Groups,
    /// Groups by port of the switch.
    ports: Groups,
    /// Groups by port of the switch, for each kind of external port that is short.
    port_groups: Groups,
}

/// The groups that a flow is in.
#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FlowGroups {
    host: u32,
    port: u32,
    port_group: Option<u32>,
}

/// Whom a flow is charged to.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Account {
    port: u32,
    address: u32,
}

impl Account {
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

impl Accounts {
    pub(crate) const fn new() -> Self {
        Self { hosts: Groups::new(), ports: Groups::new(), port_groups: Groups::new() }
    }

    pub(crate) fn reindex(&mut self, hashes: &Hashes) {
        for groups in [&mut self.hosts, &mut self.ports, &mut self.port_groups] {
            groups.reindex(hashes);
        }
    }

    pub(crate) fn reserve(&mut self, flows: usize) {
        self.hosts.reserve(flows, flows);
        self.ports.reserve(flows, 0);
        self.port_groups.reserve(flows, 0);
    }

    /// Whether flows have ports of this port group.
    pub(crate) fn is_port_group_used(&self, port_group: u32) -> bool {
        self.port_groups.has_rivals(port_group)
    }

    /// Counts a new flow.
    pub(crate) fn charge(
        &mut self,
        hashes: &Hashes,
        account: Account,
        port_group: Option<u32>,
    ) -> FlowGroups {
        FlowGroups {
            host: self.hosts.add(hashes, account.host()),
            port: self.ports.add(hashes, account.among(0)),
            port_group: port_group
                .map(|port_group| self.port_groups.add(hashes, account.among(port_group))),
        }
    }

    /// Counts a flow no more.
    pub(crate) fn discharge(
        &mut self,
        hashes: &Hashes,
        groups: FlowGroups,
        flow: u32,
        class: Option<Class>,
    ) {
        self.requeue(groups, flow, class, None);
        self.hosts.remove(hashes, groups.host);
        self.ports.remove(hashes, groups.port);
        if let Some(port_group) = groups.port_group {
            self.port_groups.remove(hashes, port_group);
        }
    }

    /// Puts a flow last of its class.
    pub(crate) fn requeue(
        &mut self,
        groups: FlowGroups,
        flow: u32,
        old: Option<Class>,
        new: Option<Class>,
    ) {
        let all = [
            (&mut self.hosts, Some(groups.host)),
            (&mut self.ports, Some(groups.port)),
            (&mut self.port_groups, groups.port_group),
        ];
        for (groups, group) in all {
            let Some(group) = group else { continue };
            if let Some(old) = old {
                groups.dequeue(group, old, flow);
            }
            if let Some(new) = new {
                groups.enqueue(group, new, flow);
            }
        }
    }

    /// Compares the groups with the flows.
    pub(crate) fn check<'a>(
        &self,
        flows: impl Iterator<Item = (u32, &'a Flow, FlowGroups)> + Clone,
    ) -> Result<(), Damaged> {
        let all = flows.map(|(number, flow, groups)| (number, groups, flow.class()));
        self.hosts
            .check(all.clone().map(|(number, groups, class)| (number, groups.host, class)))?;
        self.ports
            .check(all.clone().map(|(number, groups, class)| (number, groups.port, class)))?;
        self.port_groups.check(
            all.filter_map(|(number, groups, class)| Some((number, groups.port_group?, class))),
        )
    }
}

impl Nat {
    /// Flows that make room for one new: several where they stand behind one external port. 20
    /// microseconds.
    pub(crate) const MOST_EVICTED: usize = 64;

    /// At the limit of a host or of the table, a flow gives its place away.
    ///
    /// # Errors
    /// [`DropReason::NatHostLimit`], [`DropReason::NatTableFull`]: nobody may be evicted.
    pub(crate) fn make_room(&mut self, now: Instant, account: Account) -> Result<(), DropReason> {
        let own = self.accounts.hosts.find(&self.hashes, account.host());
        if own.map_or(0, |own| self.accounts.hosts.flows(own)) >= self.limits.flows_per_host {
            let first = own.and_then(|own| self.first_evictable(now, &self.accounts.hosts, own));
            let is_full = self.table.len() >= self.limits.flows;
            let reason = if is_full { DropReason::NatTableFull } else { DropReason::NatHostLimit };
            self.evict(now, first).ok_or(reason)?;
        }
        let free = self.limits.flows.saturating_sub(self.table.len());
        let shares = self.limits.flows_per_host < self.limits.flows;
        let most = if shares { free.saturating_mul(SHARE) } else { usize::MAX };
        let own = self.accounts.ports.find(&self.hashes, account.among(0));
        let first = if free == 0 {
            self.first_of_largest(now, &self.accounts.ports, 0, own)
        } else if own.is_some_and(|own| self.accounts.ports.flows(own) > most) {
            own.and_then(|own| self.first_evictable(now, &self.accounts.ports, own))
        } else {
            return Ok(());
        };
        self.evict(now, first).ok_or(DropReason::NatTableFull)
    }

    /// At the end of a port group's external ports, a flow gives its own away.
    pub(crate) fn free_port(
        &mut self,
        now: Instant,
        account: Account,
        port_group: u32,
    ) -> Option<()> {
        let own = self.accounts.port_groups.find(&self.hashes, account.among(port_group));
        let first = self.first_of_largest(now, &self.accounts.port_groups, port_group, own);
        self.evict(now, first)
    }

    fn first_of_largest(
        &self,
        now: Instant,
        groups: &Groups,
        rivals: u32,
        own: Option<u32>,
    ) -> Option<u32> {
        let largest = groups.largest_or(rivals, own)?;
        let first = self.first_evictable(now, groups, largest);
        first.or_else(|| self.first_evictable(now, groups, own.filter(|own| *own != largest)?))
    }

    /// The flow of a group that is evicted before its others.
    fn first_evictable(&self, now: Instant, groups: &Groups, group: u32) -> Option<u32> {
        let evictable = |number: &u32| {
            let held = self.table.held(*number);
            held.is_some_and(|(flow, _)| evictable(now, &self.lifetimes, flow).is_some())
        };
        groups.first(group).find(evictable)
    }

    fn evict(&mut self, now: Instant, number: Option<u32>) -> Option<()> {
        let id = self.table.id(number?)?;
        self.end(now, id);
        self.counts.evicted += 1;
        Some(())
    }

    /// Follows a flow to another class, or, where it grows young, to the end of its own.
    #[cold]
    pub(crate) fn set_class(
        &mut self,
        id: FlowId,
        old: Option<Class>,
        new: Option<Class>,
        grows_young: bool,
    ) {
        let moves = old != new || grows_young && new.is_some_and(Class::ages);
        if moves && let Some((number, groups)) = self.table.groups(id) {
            self.accounts.requeue(groups, number, old, new);
        }
    }
}

/// The class of a flow that makes room now, if it does.
pub(crate) fn evictable(now: Instant, lifetimes: &Lifetimes, flow: &Flow) -> Option<Class> {
    let class = flow.class()?;
    let heard = flow.deadline() - lifetimes.of(flow);
    (class != Class::Answered || now.since(heard) >= IDLE).then_some(class)
}
