//! How a change set is made: checked first, so that it is all or nothing.
//!
//! What the configuration alone can refuse is found in [`draft`](crate::draft). What depends on
//! tables that packets fill is asked here, ahead of the first change and of the tables as they are
//! then: a station or a neighbour that another change of the set happens to forget counts as known.

use std::collections::{BTreeMap, BTreeSet};

use nat::Rules;
use packet::{BridgeId, DropReason, Frame, Instant, Ip, Mac, PortId, VlanId};

use crate::change::{Change, ChangeError};
use crate::draft::{Draft, Prepared};
use crate::flows::{ALL_FLOWS, FlowFilter};
use crate::inside;
use crate::limiter::Limiter;
use crate::neighbors::{Key, NeighborView};
use crate::outbox::Outbox;
use crate::pending::Waiting;
use crate::routes::Routes;
use crate::station::{Location, StationOrigin};
use crate::switch::Switch;

mod interfaces;
mod segments;

impl Switch {
    /// Makes one change.
    ///
    /// # Errors
    /// Says what the change contradicts; then nothing has changed.
    pub fn apply(
        &mut self,
        now: Instant,
        change: Change,
        out: &mut Outbox,
    ) -> Result<(), ChangeError> {
        self.apply_all(now, vec![change], out)
    }

    /// Makes changes in order, all of them or none.
    ///
    /// # Errors
    /// Says what the first change contradicts that cannot be made; then nothing has changed.
    pub fn apply_all(
        &mut self,
        now: Instant,
        changes: Vec<Change>,
        out: &mut Outbox,
    ) -> Result<(), ChangeError> {
        let mut prepared = self.draft().prepare(changes)?;
        self.commit(now, &mut prepared, out)
    }

    /// What the switch is told to be, to prepare changes without it: whoever has the switch in a
    /// lock need not hold that for longer than [`Switch::commit`] takes.
    pub fn draft(&self) -> Draft {
        Draft::of(self)
    }

    /// Makes changes that were prepared. Prepared for another configuration than there is now, they
    /// are prepared anew. What they replace is left in `prepared`: dropping it takes time too.
    ///
    /// # Errors
    /// Says what the first change contradicts that cannot be made; then nothing has changed.
    pub fn commit(
        &mut self,
        now: Instant,
        prepared: &mut Prepared,
        out: &mut Outbox,
    ) -> Result<(), ChangeError> {
        if prepared.revision != self.revision {
            *prepared = self.draft().prepare(core::mem::take(&mut prepared.changes))?;
        }
        self.check_known(&prepared.changes)?;
        self.revision += 1;
        let mut laying = Laying {
            left: prepared.changes.iter().filter(|change| lays_routes(change)).count(),
            routes: prepared.routes.as_mut(),
        };
        for change in prepared.changes.drain(..) {
            self.invalidate_caches();
            self.make(now, change, &mut laying, out);
        }
        self.nat.sweep();
        Ok(())
    }

    /// Finds the first change that needs something known which is not, or room where there is none.
    fn check_known(&self, changes: &[Change]) -> Result<(), ChangeError> {
        let mut stations = BTreeMap::new();
        let mut neighbors = BTreeMap::new();
        let pins = changes.iter().any(|change| matches!(change, Change::PinNeighbor(..)));
        let mut pinned = if pins { self.protocols.arp.neighbors.pinned() } else { BTreeSet::new() };
        let mut capacity = self.protocols.arp.neighbors.capacity;
        for change in changes {
            match change {
                Change::PinStation(id, vlan, mac, _) => {
                    stations.insert((*id, *vlan, *mac), true);
                }
                Change::DeleteStation(id, vlan, mac) => {
                    let known = stations.insert((*id, *vlan, *mac), false);
                    if !known.unwrap_or_else(|| self.has_station(*id, *vlan, *mac)) {
                        return Err(ChangeError::NoStation(*mac));
                    }
                }
                Change::PinNeighbor(id, address, _) => {
                    let key = Key::new(*id, *address);
                    neighbors.insert(key, true);
                    if pinned.len() >= capacity && !pinned.contains(&key) {
                        return Err(ChangeError::Full);
                    }
                    pinned.insert(key);
                }
                Change::DeleteNeighbor(id, address) => {
                    let key = Key::new(*id, *address);
                    let known = neighbors.insert(key, false);
                    if !known.unwrap_or_else(|| self.protocols.arp.neighbors.one(key).is_some()) {
                        return Err(ChangeError::NoNeighbor(*address));
                    }
                    pinned.remove(&key);
                }
                Change::SetInterface(id, settings) => {
                    pinned.retain(|key| key.interface() != *id || settings.reaches(key.address()));
                }
                Change::DeleteInterface(id) => pinned.retain(|key| key.interface() != *id),
                Change::SetNeighborLimits { capacity: new, .. } => capacity = *new,
                Change::SetBridge(..)
                | Change::DeleteBridge(_)
                | Change::SetPort(..)
                | Change::DeletePort(_)
                | Change::AnnounceStation(..)
                | Change::SetRoute(_)
                | Change::DeleteRoute(_)
                | Change::SetRules(_)
                | Change::SetLimits(_)
                | Change::SetLifetimes(_)
                | Change::SetErrorRate { .. }
                | Change::FlushStations(..)
                | Change::FlushNeighbors
                | Change::FlushFlows
                | Change::EndFlows(..) => {}
            }
        }
        Ok(())
    }

    /// Whether a station is known that is not the router itself.
    fn has_station(&self, id: BridgeId, vlan: VlanId, mac: Mac) -> bool {
        let place = self.bridges.get(id).and_then(|bridge| bridge.fdb.find(mac, vlan));
        place.is_some_and(|place| !matches!(place, Location::Router(_)))
    }

    /// Makes a change that has been checked.
    fn make(&mut self, now: Instant, change: Change, laying: &mut Laying<'_>, out: &mut Outbox) {
        match change {
            Change::SetBridge(id, settings) => self.set_bridge(id, settings),
            Change::DeleteBridge(id) => drop(self.bridges.remove(id)),
            Change::SetPort(id, settings) => self.set_port(now, id, settings, out),
            Change::DeletePort(id) => self.delete_port(now, id, out),
            Change::AnnounceStation(id, mac, addresses) => {
                self.announce_station(now, id, mac, &addresses, out);
            }
            Change::SetInterface(id, settings) => {
                self.set_interface(now, id, settings, laying, out);
            }
            Change::DeleteInterface(id) => self.delete_interface(now, id, laying, out),
            Change::SetRoute(_) | Change::DeleteRoute(_) => laying.step(&mut self.router.routes),
            Change::SetRules(rules) => {
                let before = self.nat.rules().clone();
                self.nat.set_rules(rules);
                self.end_untranslated(&before, out);
            }
            Change::SetLimits(limits) => self.nat.set_limits(limits),
            Change::SetLifetimes(lifetimes) => self.nat.set_lifetimes(lifetimes),
            Change::SetNeighborLimits { capacity, reachable, stale } => {
                let neighbors = &mut self.protocols.arp.neighbors;
                neighbors.capacity = capacity;
                (neighbors.reachable, neighbors.stale) = (reachable, stale);
            }
            Change::SetErrorRate { rate, burst } => self.router.errors = Limiter::new(rate, burst),
            Change::PinStation(id, vlan, mac, to) => {
                if let Some(bridge) = self.bridges.get_mut(id) {
                    bridge.fdb.pin(now, mac, vlan, to, StationOrigin::Static);
                }
            }
            Change::DeleteStation(id, vlan, mac) => {
                if self.has_station(id, vlan, mac)
                    && let Some(bridge) = self.bridges.get_mut(id)
                {
                    bridge.fdb.remove(mac, vlan);
                }
            }
            Change::FlushStations(Some(id), port) => {
                if let Some(bridge) = self.bridges.get_mut(id) {
                    bridge.fdb.flush(port);
                }
            }
            Change::FlushStations(None, port) => {
                for bridge in self.bridges.iter_mut() {
                    bridge.fdb.flush(port);
                }
            }
            Change::PinNeighbor(id, address, mac) => {
                let key = Key::new(id, address);
                let (protocols, mut ctx) = self.lend(out);
                protocols.arp.pin(key, mac, &mut ctx);
                self.send_reports(now, out);
            }
            Change::DeleteNeighbor(id, address) => {
                let key = Key::new(id, address);
                let (protocols, mut ctx) = self.lend(out);
                protocols.arp.remove(key, &mut ctx);
                self.send_reports(now, out);
            }
            Change::FlushNeighbors => {
                self.forget_neighbors(now, |neighbor| !neighbor.is_static(), out);
            }
            Change::FlushFlows => self.end_flows(&FlowFilter::default(), ALL_FLOWS),
            Change::EndFlows(filter, places) => self.end_flows(&filter, places),
        }
    }

    fn forget_neighbors(
        &mut self,
        now: Instant,
        forget: impl Fn(&NeighborView) -> bool,
        out: &mut Outbox,
    ) {
        let (protocols, mut ctx) = self.lend(out);
        protocols.arp.forget(forget, &mut ctx);
        self.send_reports(now, out);
    }

    /// Forgets the neighbours behind a port, or behind the part of it that is `gone`.
    pub(crate) fn forget_neighbors_behind(
        &mut self,
        now: Instant,
        port: PortId,
        gone: impl Fn(Location) -> bool,
        out: &mut Outbox,
    ) {
        let (protocols, mut ctx) = self.lend(out);
        protocols.arp.forget_behind(port, gone, &mut ctx);
        self.send_reports(now, out);
    }

    /// Ends what waits to leave with a source that the rules translate now and did not `before`: it
    /// has passed NAT, and no rule may come too late for it.
    fn end_untranslated(&mut self, before: &Rules, out: &mut Outbox) {
        let (rules, routes) = (self.nat.rules(), &self.router.routes);
        let leaks = |key: Key, frame: &Frame| {
            let Some((_, Ip::V4(ip))) = Ip::in_frame(frame.bytes()) else { return false };
            let ends = (ip.source(), ip.destination());
            let shows = |rules: &Rules| inside::shows(rules, routes, ends, key.interface());
            shows(rules) && !shows(before)
        };
        for Waiting { frame, from } in self.protocols.arp.pending.remove(leaks) {
            if let Some(port) = from {
                self.stats.drop_held(port, DropReason::NatNoFlow, 1);
            }
            out.pool.give(frame);
        }
    }
}

/// The routes behind a change set, which come into force with the last change that they follow
/// from.
struct Laying<'a> {
    /// Changes that routes follow from and that are still to be made.
    left: usize,
    routes: Option<&'a mut Routes>,
}

impl Laying<'_> {
    /// One of those changes has been made.
    fn step(&mut self, routes: &mut Routes) {
        self.left = self.left.saturating_sub(1);
        if let Some(new) = self.routes.take_if(|_| self.left == 0) {
            core::mem::swap(routes, new);
        }
    }
}

const fn lays_routes(change: &Change) -> bool {
    matches!(
        change,
        Change::SetInterface(..)
            | Change::DeleteInterface(_)
            | Change::SetRoute(_)
            | Change::DeleteRoute(_)
    )
}
