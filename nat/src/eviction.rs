//! How many flows there may be, and which of them are evicted for a new one.
//!
//! # Theory of operation
//! A flow is charged to who began it: the source of its first packet, as it came in by its port of
//! the switch. So what outsiders begin with a published port is theirs and not the server's, and
//! who sends under its neighbour's address takes nothing from the neighbour, whose packets come in
//! by another port.
//!
//! There are three limits. A *host*, an address behind one port, may have so many flows. The
//! *table* holds so many in all; and a port of the switch may have at most `SHARE` times as many
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
//! "Heard" is by the four seconds, so that a packet moves its flow in its queues so often at most:
//! a move touches some ten cache lines that no other packet of the flow needs.

use core::time::Duration;

use packet::{DropReason, Instant};

use crate::accounts::{Account, SHARE};
use crate::flow::Flow;
use crate::flow_id::FlowId;
use crate::groups::{Class, Groups};
use crate::lifetime::Lifetimes;
use crate::nat::Nat;

/// Datagrams that were answered are idle after that: a call, a game or a stream is never silent for
/// so long, and a resolver may ask 1,600 times a second until its host's flows are all younger.
pub(crate) const IDLE: Duration = Duration::from_secs(10);
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
