//! Bridges and ports come, change and go, and with them what was learned there.

use core::net::Ipv4Addr;
use std::collections::BTreeSet;

use packet::{BridgeId, Instant, Mac, PortId};

use crate::arp::announcement;
use crate::bridge::{Bridge, BridgeSettings};
use crate::neighbors::NeighborView;
use crate::outbox::Outbox;
use crate::port::{PortSettings, Role, Tunnel};
use crate::station::Location;
use crate::stats::Fate;
use crate::switch::Switch;

impl Switch {
    pub(super) fn set_bridge(&mut self, id: BridgeId, settings: BridgeSettings) {
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

    pub(super) fn set_port(
        &mut self,
        now: Instant,
        id: PortId,
        mut settings: PortSettings,
        out: &mut Outbox,
    ) {
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
                Location::Remote { tunnel, remote } => tunnel == id && !remotes.contains(&remote),
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

    pub(super) fn delete_port(&mut self, now: Instant, id: PortId, out: &mut Outbox) {
        self.ports.remove(id);
        self.tunnels.remove(id);
        self.leave_bridges(now, id, out);
        self.stats.forget(id);
    }

    pub(super) fn announce_station(
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

    /// Tells everybody on a port's segment, the router too, that the station behind it has an
    /// address.
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
