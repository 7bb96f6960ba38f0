//! How a change set is made: checked first, so that it is all or nothing.
//!
//! What the configuration alone can refuse is found in [`draft`](crate::draft). What depends on tables that packets fill is
//! asked here, ahead of the first change and of the tables as they are then: a station or a neighbour that another
//! change of the set happens to forget counts as known.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet};

use nat::Rules;
use packet::{BridgeId, DropReason, Frame, Instant, InterfaceId, Ip, Ipv4Net, Mac, PortId, VlanId};

use crate::arp::announcement;
use crate::bridge::{Bridge, BridgeSettings};
use crate::change::{Change, ChangeError};
use crate::draft::{Draft, Prepared};
use crate::flows::{ALL_FLOWS, FlowFilter};
use crate::inside;
use crate::interface::{InterfaceSettings, Link};
use crate::limiter::Limiter;
use crate::neighbors::{Key, NeighborView};
use crate::outbox::Outbox;
use crate::pending::Waiting;
use crate::port::{PortSettings, Role, Tunnel};
use crate::routes::Routes;
use crate::station::{Location, Origin};
use crate::stats::Fate;
use crate::switch::Switch;

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

    /// What the switch is told to be, to prepare changes without it: whoever has the switch in a lock need not hold that
    /// for longer than [`Switch::commit`] takes.
    pub fn draft(&self) -> Draft {
        Draft::of(self)
    }

    /// Makes changes that were prepared. Prepared for another configuration than there is now, they are prepared anew.
    /// What they replace is left in `prepared`: dropping it takes time too.
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
                    bridge.fdb.pin(now, mac, vlan, to, Origin::Static);
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

    /// Ends what waits to leave with a source that the rules translate now and did not `before`: it has passed NAT, and
    /// no rule may come too late for it.
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

    fn set_bridge(&mut self, id: BridgeId, settings: BridgeSettings) {
        match self.bridges.get_mut(id) {
            Some(bridge) => {
                bridge.fdb.resize(settings.capacity, settings.ageing);
                if settings.hub {
                    bridge.fdb.flush(None);
                }
                bridge.settings = settings;
            }
            None => {
                let hasher = self.seeds.hasher();
                self.bridges.insert(id, Bridge::new(hasher, settings));
            }
        }
    }

    fn set_port(&mut self, now: Instant, id: PortId, mut settings: PortSettings, out: &mut Outbox) {
        if let Role::Tunnel(_, Tunnel { remotes, .. }) = &mut settings.role {
            let mut known = BTreeSet::new();
            remotes.retain(|remote| known.insert(*remote));
        }
        let bridge = settings.role.membership().map(|member| member.bridge);
        let old = self.ports.get(id).map(|old| &old.settings.role);
        let same_segment = old.is_some_and(|old| is_same_segment(old, &settings.role));
        match &settings.role {
            Role::Tunnel(_, tunnel) => self.tunnels.set(id, tunnel.remote_vteps()),
            Role::Bridged(_) | Role::Routed { .. } | Role::Underlay => self.tunnels.remove(id),
        }
        if !same_segment {
            self.leave_bridges(now, id, out);
        }
        if let Role::Tunnel(_, Tunnel { remotes, .. }) = &settings.role {
            let gone = |place| match place {
                Location::Peer { tunnel, remote } => tunnel == id && !remotes.contains(&remote),
                Location::Port(_) | Location::Router(_) => false,
            };
            self.forget_neighbors_behind(now, id, gone, out);
            if let Some(bridge) = bridge.and_then(|bridge| self.bridges.get_mut(bridge)) {
                bridge.fdb.forget(gone);
            }
        }
        if let Some(bridge) = bridge.and_then(|bridge| self.bridges.get_mut(bridge))
            && let Err(at) = bridge.ports.binary_search(&id)
        {
            bridge.ports.insert(at, id);
        }
        self.ports.set(id, settings);
        if !same_segment {
            let (protocols, mut ctx) = self.lend(out);
            protocols.arp.announce_on(id, &mut ctx);
        }
    }

    fn leave_bridges(&mut self, now: Instant, id: PortId, out: &mut Outbox) {
        self.forget_neighbors_behind(now, id, |place| place.port() == Some(id), out);
        for bridge in self.bridges.iter_mut() {
            bridge.ports.retain(|port| *port != id);
            bridge.fdb.remove_port(id);
        }
    }

    fn delete_port(&mut self, now: Instant, id: PortId, out: &mut Outbox) {
        self.ports.remove(id);
        self.tunnels.remove(id);
        self.leave_bridges(now, id, out);
        self.stats.forget(id);
    }

    fn announce_station(
        &mut self,
        now: Instant,
        id: PortId,
        mac: Mac,
        addresses: &[Ipv4Addr],
        out: &mut Outbox,
    ) {
        let member = self.ports.get(id).and_then(|port| port.settings.role.membership());
        let bridge = member.map(|member| member.bridge);
        let vlan = member.and_then(|member| member.vlans.admit(None).ok());
        let segment = bridge.zip(vlan);
        let interface = segment.and_then(|(bridge, vlan)| self.router.interfaces.on(bridge, vlan));
        self.forget_neighbors_behind(now, id, |place| place.port() == Some(id), out);
        // Packets that wait for the address go on waiting: the announcement is what they wait for.
        let elsewhere = |neighbor: &NeighborView| {
            let here =
                Some(neighbor.interface) == interface && addresses.contains(&neighbor.address);
            here && !neighbor.is_static() && neighbor.mac.is_some_and(|known| known != mac)
        };
        self.forget_neighbors(now, elsewhere, out);
        if let Some(bridge) = bridge.and_then(|bridge| self.bridges.get_mut(bridge)) {
            bridge.fdb.flush(Some(id));
        }
        for address in addresses {
            self.announce_for(now, id, mac, *address, out);
        }
    }

    /// Tells everybody on a port's segment, the router too, that the station behind it has an address.
    fn announce_for(
        &mut self,
        now: Instant,
        port: PortId,
        mac: Mac,
        address: Ipv4Addr,
        out: &mut Outbox,
    ) {
        let mut frame = out.pool.take();
        if !announcement(mac, address).emit(&mut frame, Mac::BROADCAST) {
            return out.pool.give(frame);
        }
        match self.ingress(now, Location::Port(port), frame, out) {
            Ok(fate) => self.stats.totals.spoken += u64::from(fate == Fate::Sent),
            Err(unheard) => out.pool.give(unheard.frame),
        }
    }

    fn set_interface(
        &mut self,
        now: Instant,
        id: InterfaceId,
        settings: InterfaceSettings,
        laying: &mut Laying<'_>,
        out: &mut Outbox,
    ) {
        let old = self.router.interfaces.get(id).cloned();
        if let Some(old) = &old {
            self.unpin_own(old);
            let gone = |net: &&Ipv4Net| !settings.owns(net.addr());
            for net in old.addresses.iter().filter(gone) {
                self.nat.forget_address(net.addr());
            }
        }
        if let Link::Vlan { bridge, vlan } = settings.link
            && let Some(bridge) = self.bridges.get_mut(bridge)
        {
            bridge.fdb.pin(now, settings.mac, vlan, Location::Router(id), Origin::Own);
        }
        self.router.interfaces.set(id, settings.clone());
        self.protocols.arp.forget_interface(id);
        laying.step(&mut self.router.routes);
        if old.is_some() {
            let gone = |n: &NeighborView| n.interface == id && !settings.reaches(n.address);
            self.forget_neighbors(now, gone, out);
        }
        if old.as_ref() != Some(&settings) {
            let (protocols, mut ctx) = self.lend(out);
            protocols.arp.announce(id, &mut ctx);
        }
    }

    fn delete_interface(
        &mut self,
        now: Instant,
        id: InterfaceId,
        laying: &mut Laying<'_>,
        out: &mut Outbox,
    ) {
        let Some(old) = self.router.interfaces.get(id).cloned() else { return };
        self.forget_neighbors(now, |neighbor| neighbor.interface == id, out);
        self.unpin_own(&old);
        for net in &old.addresses {
            self.nat.forget_address(net.addr());
        }
        self.router.interfaces.remove(id);
        self.protocols.arp.forget_interface(id);
        laying.step(&mut self.router.routes);
        // Telling senders may have asked for a neighbour on the interface that goes.
        self.forget_neighbors(now, |neighbor| neighbor.interface == id, out);
    }

    fn unpin_own(&mut self, old: &InterfaceSettings) {
        if let Link::Vlan { bridge, vlan } = old.link
            && let Some(bridge) = self.bridges.get_mut(bridge)
        {
            bridge.fdb.remove(old.mac, vlan);
        }
    }
}

/// The routes behind a change set, which come into force with the last change that they follow from.
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

/// Whether what was learned on a port still holds when its role changes.
fn is_same_segment(old: &Role, new: &Role) -> bool {
    match (old, new) {
        (Role::Bridged(old), Role::Bridged(new)) => {
            old.bridge == new.bridge && old.vlans == new.vlans
        }
        (Role::Tunnel(old, old_tunnel), Role::Tunnel(new, new_tunnel)) => {
            old.bridge == new.bridge
                && old.vlans == new.vlans
                && old_tunnel.vni == new_tunnel.vni
                && old_tunnel.underlay == new_tunnel.underlay
        }
        (Role::Routed { interface: old }, Role::Routed { interface: new }) => old == new,
        (Role::Underlay, Role::Underlay) => true,
        _ => false,
    }
}
