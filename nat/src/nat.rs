//! NAT as one value: rules, flows, mappings, and their times.
//!
//! # Theory of operation
//! Only flows that are translated are tracked; a packet that no rule concerns passes untouched and
//! leaves no trace. A flow counts against who began it (see `eviction`, where limits are and who
//! makes room). A flow holds the mappings that lend it ports, so a port outlives no flow and is not
//! lent twice.
//!
//! The invariant above all: no packet whose source a masquerade rule covers leaves that rule's
//! interface with that source. It is translated, or refused with a reason. The one exception is an
//! answer within a flow whose other end had sent to that very address, and so learns nothing from
//! it. Such a flow begins where a publish rule or `inside_reachable` says so: otherwise what comes
//! in where a rule leads out reaches none of the rule's hosts.

use core::fmt;
use core::net::Ipv4Addr;
use core::num::NonZeroU32;
use core::ops::Range;
use std::collections::VecDeque;

use packet::{DropReason, Instant, InterfaceId, Transport};
use serde::{Deserialize, Serialize};

use crate::accounts::{Accounts, Limits};
use crate::flow::Flow;
use crate::flow_id::FlowId;
use crate::index::{Hashes, mix};
use crate::lifetime::Lifetimes;
use crate::mapping::Mappings;
use crate::path::Path;
use crate::rules::{Listeners, Rules};
use crate::stats::Stats;
use crate::sweeps::Sweep;
use crate::table::{Due, Table};
use crate::tcp::Tcp;
use crate::tuple::{Direction, Tuple};
use crate::view::FlowView;

mod snapshot;

/// Flows looked at in one [`Nat::timeout`]: a third of a millisecond, so that packets do not wait
/// behind it.
const EXPIRY_BATCH: usize = 1024;

/// Connection tracking, masquerade and publishing. See the crate's own page for the two steps of a
/// packet.
#[derive(Clone, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Nat {
    pub(crate) rules: Rules,
    #[serde(skip)]
    pub(crate) listeners: Listeners,
    pub(crate) limits: Limits,
    pub(crate) lifetimes: Lifetimes,
    #[serde(skip, default = "unkeyed")]
    pub(crate) hashes: Hashes,
    pub(crate) table: Table,
    pub(crate) accounts: Accounts,
    pub(crate) mappings: Mappings,
    /// The counts that no table keeps; the others are zero here.
    pub(crate) counts: Stats,
    /// Changes that have ended flows which are still in the table.
    pub(crate) sweeps: VecDeque<Sweep>,
    /// The latest time that a packet or a timer told.
    pub(crate) latest: Instant,
    seed: u64,
    draws: u64,
}

impl Nat {
    /// No rules and no flows. The seed keys the hashes and chooses ports.
    pub fn new(seed: u64) -> Self {
        Self {
            rules: Rules::default(),
            listeners: Listeners::default(),
            limits: Limits::default(),
            lifetimes: Lifetimes::default(),
            hashes: Hashes::new(seed),
            table: Table::new(),
            accounts: Accounts::new(),
            mappings: Mappings::new(),
            counts: Stats::default(),
            sweeps: VecDeque::new(),
            latest: Instant::ZERO,
            seed: mix(!seed),
            draws: 0,
        }
    }

    /// Replaces the rules. Flows that the new rules would translate otherwise end, except those
    /// that `keep` and connections that are established. Their places are free after some rounds of
    /// [`Nat::sweep`].
    pub fn set_rules(&mut self, rules: Rules) {
        if rules == self.rules {
            return;
        }
        let listeners = Listeners::new(&rules.publish);
        let before = core::mem::replace(&mut self.rules, rules);
        let heard_before = core::mem::replace(&mut self.listeners, listeners);
        self.mappings.publish(&self.listeners);
        self.sweep_rules(before, heard_before);
        self.reserve();
    }

    /// The rules in force.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether a masquerade rule covers a packet with these addresses that leaves through `out`.
    pub fn covers(&self, source: Ipv4Addr, destination: Ipv4Addr, out: InterfaceId) -> bool {
        self.rules.masquerade(source, destination, out).is_some()
    }

    /// Whether a packet between these addresses can need a translation, as far as can be told
    /// without its transport header: a rule covers it where it leaves, through `out`, or lets it
    /// begin a flow with a host inside, a rule listens on its destination, or there is a flow
    /// between the two. What is sent to an address of the router's own can need one besides.
    pub fn concerns(
        &mut self,
        now: Instant,
        (source, destination): (Ipv4Addr, Ipv4Addr),
        came_on: InterfaceId,
        out: Option<InterfaceId>,
    ) -> bool {
        self.collect(now);
        let is_judged = |out| {
            let hides = self.rules.hiding(
                source,
                destination,
                Path { ingress: came_on, owner: None, egress: out },
            );
            self.covers(source, destination, out) || hides.is_some_and(|rule| rule.inside_reachable)
        };
        out.is_some_and(is_judged)
            || self.rules.listens_on(destination)
            || self.table.pairs.has(&self.hashes, source, destination)
    }

    /// Replaces the limits. Flows beyond them stay; only the new are refused.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = Limits { flows: limits.flows.min(Limits::MOST_FLOWS), ..limits };
        self.reserve();
    }

    /// The limits in force.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Replaces the lifetimes; a living flow takes its new one with its next packet.
    pub const fn set_lifetimes(&mut self, lifetimes: Lifetimes) {
        self.lifetimes = lifetimes;
    }

    /// The lifetimes in force.
    pub const fn lifetimes(&self) -> Lifetimes {
        self.lifetimes
    }

    /// Whether packets need to come here: there is a rule, or a flow.
    pub const fn is_configured(&self) -> bool {
        !self.rules.is_empty() || self.table.len() != 0
    }

    /// Ends flows whose time has come. Looks at a bounded number; [`Nat::next_timeout`] is in the
    /// past while more wait. A flow that is late here is dead to packets all the same.
    pub fn timeout(&mut self, now: Instant) {
        self.table.settle();
        self.collect(now);
        self.sweep();
    }

    /// When [`Nat::timeout`] has something to do, if ever. May turn out early.
    pub fn next_timeout(&self) -> Option<Instant> {
        if self.is_sweeping() { Some(self.latest) } else { self.table.next_timeout() }
    }

    /// Living flows, in the order of their places in the table.
    pub fn flows(&self, now: Instant) -> impl Iterator<Item = FlowView> {
        self.flows_at(now, 0..u32::MAX)
    }

    /// Living flows in these places of the table, in order.
    pub fn flows_at(&self, now: Instant, places: Range<u32>) -> impl Iterator<Item = FlowView> {
        let places = places.start..places.end.min(self.places());
        places.filter_map(move |number| {
            let (flow, _) = self.table.held(number)?;
            let lives = flow.is_living(now) && !(self.is_sweeping() && self.is_swept(number));
            lives.then(|| FlowView::of(now, flow))
        })
    }

    /// One more than the highest place that has ever held a flow.
    pub const fn places(&self) -> u32 {
        self.table.bound()
    }

    /// Ends the flows in these places that `keep` does not want, seen as of the latest time told;
    /// returns how many.
    pub fn flush(&mut self, places: Range<u32>, mut keep: impl FnMut(&FlowView) -> bool) -> usize {
        let before = self.table.len();
        for number in places.start..places.end.min(self.places()) {
            if let Some((flow, _)) = self.table.held(number)
                && !keep(&FlowView::of(self.latest, flow))
                && let Some(id) = self.table.id(number)
            {
                self.end(self.latest, id);
            }
        }
        let ended = before - self.table.len();
        self.counts.flushed += ended as u64;
        ended
    }

    /// How full it is, and what happened so far.
    pub fn stats(&self) -> Stats {
        Stats {
            flows: self.table.len(),
            mappings: self.mappings.len(),
            ports: self.mappings.ports_in_use(),
            hosts: self.accounts.hosts.len(),
            ..self.counts
        }
    }

    /// Ends flows whose time has come, a batch of them; costs a comparison once it was done in this
    /// second.
    pub(crate) fn collect(&mut self, now: Instant) {
        self.set_latest(now);
        for _ in 0..EXPIRY_BATCH {
            match self.table.next_due(now) {
                None => return,
                Some(Due::Living) => {}
                Some(Due::Expired(id)) => {
                    self.end(now, id);
                    self.counts.expired += 1;
                }
            }
        }
    }

    /// Remembers what time it is.
    pub(crate) fn set_latest(&mut self, now: Instant) {
        self.latest = self.latest.max(now);
    }

    /// The living flow that a packet with this tuple belongs to. A dead one in its place is ended.
    #[inline]
    pub(crate) fn find(&mut self, now: Instant, tuple: &Tuple) -> Option<(FlowId, Direction)> {
        let (id, direction) = self.table.find(&self.hashes, tuple)?;
        let is_living = self.table.get(id)?.is_living(now);
        if is_living && !self.has_ended(id) {
            return Some((id, direction));
        }
        self.end(now, id);
        *if is_living { &mut self.counts.flushed } else { &mut self.counts.expired } += 1;
        None
    }

    /// [`Nat::find`], by a hint first.
    #[inline]
    pub(crate) fn find_by_hint(
        &mut self,
        now: Instant,
        tuple: &Tuple,
        hint: Option<NonZeroU32>,
    ) -> Option<(FlowId, Direction)> {
        if let Some(hint) = hint
            && let Some((id, direction)) = self.table.find_at(hint.get() - 1, tuple)
            && self.table.get(id)?.is_living(now)
            && !self.has_ended(id)
        {
            return Some((id, direction));
        }
        self.find(now, tuple)
    }

    /// Whether a change has ended a flow that is still in the table.
    #[inline]
    pub(crate) fn has_ended(&self, id: FlowId) -> bool {
        self.is_sweeping() && self.is_swept(id.number())
    }

    /// Whether a packet of this flow's tuple is not the flow's, but opens the connection anew (RFC
    /// 9293 section 3.6.1).
    #[inline]
    pub(crate) fn is_reopened(&self, id: FlowId, transport: Transport) -> bool {
        let Transport::Tcp { flags, .. } = transport else { return false };
        Tcp::opens(flags) && self.table.get(id).is_some_and(Flow::is_closed)
    }

    /// [`Nat::find`] for a packet that may open a connection anew.
    pub(crate) fn find_for(
        &mut self,
        now: Instant,
        tuple: &Tuple,
        transport: Transport,
    ) -> Option<(FlowId, Direction)> {
        self.find(now, tuple).filter(|(id, _)| !self.is_reopened(*id, transport))
    }

    /// Removes a flow and gives back what it held.
    pub(crate) fn end(&mut self, now: Instant, id: FlowId) {
        let Some((number, flow, holdings)) = self.table.remove(&self.hashes, id) else {
            return;
        };
        self.accounts.discharge(&self.hashes, holdings.groups, number, flow.class());
        let (original, reply) = (flow.tuple(Direction::Original), flow.tuple(Direction::Reply));
        if flow.shares_port() {
            let (external, port) = (reply.destination, reply.destination_port);
            self.mappings.unshare(now, reply.protocol, external, port, original.source);
        }
        if let Some(mapping) = holdings.source_mapping {
            self.mappings.release(now, &self.hashes, mapping, original.destination);
        }
        if let Some(mapping) = holdings.destination_mapping {
            self.mappings.release(now, &self.hashes, mapping, reply.destination);
        }
    }

    /// A number that others cannot foresee and the seed reproduces.
    pub(crate) const fn draw(&mut self) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        mix(self.seed ^ mix(self.draws))
    }

    pub(crate) const fn count_refused(&mut self, reason: DropReason) {
        self.counts.refused.count(reason);
    }

    /// Sets memory aside once there is a rule: 40 MB of addresses at the default limits, none of it
    /// touched.
    fn reserve(&mut self) {
        if self.rules.is_empty() {
            return;
        }
        let flows = self.limits.flows;
        self.table.reserve(flows);
        self.accounts.reserve(flows);
        self.mappings.reserve(flows, self.rules.filters_by_address());
    }
}

fn unkeyed() -> Hashes {
    Hashes::new(0)
}

impl fmt::Debug for Nat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nat")
            .field("rules", &self.rules)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_the_seed_decides_what_is_drawn() {
        let nat = Nat::new(7);
        let drawn = |seed| Nat { seed, ..nat.clone() }.draw();
        for bit in 0..64 {
            assert_ne!(drawn(nat.seed ^ 1 << bit), drawn(nat.seed), "bit {bit}");
        }
        let mut nat = Nat { seed: nat.seed, ..Nat::new(8) };
        assert_eq!(nat.draw(), drawn(nat.seed));
        assert_ne!(nat.draw(), drawn(nat.seed), "the second is another");
    }
}
