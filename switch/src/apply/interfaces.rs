//! The router's interfaces come, change and go, and with them what follows from their addresses.

use packet::{Instant, InterfaceId, Ipv4Net};

use super::Laying;
use crate::interface::{InterfaceSettings, Link};
use crate::neighbors::NeighborView;
use crate::outbox::Outbox;
use crate::station::{Location, StationOrigin};
use crate::switch::Switch;

impl Switch {
    pub(super) fn set_interface(
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
            bridge.fdb.pin(now, settings.mac, vlan, Location::Router(id), StationOrigin::Own);
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

    pub(super) fn delete_interface(
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
