//! What changes do to stations and routes.

use packet::{Frame, Instant, Ipv4Net, Mac, PortId};
use switch::Change;
use switch::change::{Hop, InterfaceSettings, Link, Reject, Role};
use switch::view::Location;

use super::{Bridge, Prediction, Reference, World};
use crate::model::Model;
use crate::wire::{announcement, frame};

/// Where a route leads.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Target {
    Segment(packet::InterfaceId, core::net::Ipv4Addr),
    Unreachable,
    Prohibit,
    Blackhole,
}

/// What a change has the switch say in a station's name, as if it came from there; of several
/// addresses the first.
pub(crate) fn announced(change: &Change) -> Option<(PortId, Frame)> {
    let Change::AnnounceStation(port, mac, addresses) = change else { return None };
    let arp = announcement(*mac, &*addresses.first()?.to_string());
    Some((*port, Frame::copied_from(&frame(Mac::BROADCAST, *mac).arp(&arp))))
}

impl Reference {
    /// Makes a change in the tables. The settings of `world` are as they were.
    pub(super) fn follow(&mut self, world: World<'_>, change: &Change) {
        match change {
            Change::SetBridge(id, settings) => {
                let settings = settings.clone();
                let stations = Model::new(settings.capacity, settings.ageing);
                let fresh = Bridge { settings: settings.clone(), stations };
                let bridge = self.bridges.entry(*id).or_insert(fresh);
                bridge.stations.resize(settings.capacity, settings.ageing);
                if settings.hub {
                    bridge.stations.flush(None);
                }
                bridge.settings = settings;
            }
            Change::DeleteBridge(id) => drop(self.bridges.remove(id)),
            Change::SetPort(id, settings) => {
                let old = world.settings.ports.get(id).map(|old| &old.role);
                if !old.is_some_and(|old| keeps_stations(old, &settings.role)) {
                    self.forget_port(*id);
                }
                if let Role::Tunnel(_, tunnel) = &settings.role {
                    self.forget(|location| match location {
                        Location::Remote { tunnel: at, remote } => {
                            at == *id && !tunnel.remotes.contains(&remote)
                        }
                        Location::Port(_) | Location::Router(_) => false,
                    });
                }
            }
            Change::DeletePort(id) => self.forget_port(*id),
            Change::SetInterface(id, settings) => {
                if let Some(old) = world.settings.interfaces.get(id) {
                    self.unpin(old);
                }
                if let Link::Vlan { bridge, vlan } = settings.link
                    && let Some(bridge) = self.bridges.get_mut(&bridge)
                {
                    let own = Location::Router(*id);
                    bridge.stations.fix(world.now, (vlan, settings.mac), own);
                }
            }
            Change::DeleteInterface(id) => {
                if let Some(old) = world.settings.interfaces.get(id) {
                    self.unpin(old);
                }
            }
            Change::SetRoute(route) => {
                self.erase(route.to);
                self.routes.push(*route);
            }
            Change::DeleteRoute(to) => self.erase(*to),
            Change::PinStation(bridge, vlan, mac, to) => {
                if let Some(bridge) = self.bridges.get_mut(bridge) {
                    bridge.stations.fix(world.now, (*vlan, *mac), *to);
                }
            }
            Change::DeleteStation(bridge, vlan, mac) => {
                if let Some(bridge) = self.bridges.get_mut(bridge) {
                    bridge.stations.forget(|known| known.station == (*vlan, *mac));
                }
            }
            Change::FlushStations(only, port) => {
                let bridges = self.bridges.iter_mut();
                bridges
                    .filter(|(id, _)| only.is_none_or(|only| only == **id))
                    .for_each(|(_, bridge)| bridge.stations.flush(*port));
            }
            Change::AnnounceStation(port, ..) => {
                let bridges = self.bridges.values_mut();
                bridges.for_each(|bridge| bridge.stations.flush(Some(*port)));
                if let Some((_, frame)) = announced(change) {
                    // A port that is down hears nothing.
                    let _ = self.enter(
                        world,
                        Location::Port(*port),
                        &frame,
                        &mut Prediction::new(*port),
                    );
                }
            }
            Change::SetNeighborLimits { capacity, .. } => self.neighbor_capacity = *capacity,
            Change::SetRules(_)
            | Change::SetLimits(_)
            | Change::SetLifetimes(_)
            | Change::SetErrorRate { .. }
            | Change::PinNeighbor(..)
            | Change::DeleteNeighbor(..)
            | Change::FlushNeighbors
            | Change::FlushFlows
            | Change::EndFlows(..) => {}
        }
    }

    fn erase(&mut self, to: Ipv4Net) {
        self.routes.retain(|route| route.to.trunc() != to.trunc());
    }

    fn forget_port(&mut self, id: PortId) {
        self.forget(|location| location.port() == Some(id));
    }

    fn forget(&mut self, gone: impl Fn(Location) -> bool) {
        let bridges = self.bridges.values_mut();
        bridges.for_each(|bridge| bridge.stations.forget(|known| gone(known.location)));
    }

    fn unpin(&mut self, old: &InterfaceSettings) {
        if let Link::Vlan { bridge, vlan } = old.link
            && let Some(bridge) = self.bridges.get_mut(&bridge)
        {
            bridge.stations.forget(|known| known.station == (vlan, old.mac));
        }
    }

    /// Where the longest prefix that holds `destination` leads; connected ones before written ones
    /// of the same length.
    pub(super) fn lookup_route(
        &self,
        world: World<'_>,
        destination: core::net::Ipv4Addr,
    ) -> Option<Target> {
        let interfaces = &world.settings.interfaces;
        let reaches = |own: &InterfaceSettings, address| {
            own.addresses.iter().any(|net| net.contains(&address))
        };
        let written = self.routes.iter().filter_map(|route| {
            let target = match route.hop {
                Hop::Via(gateway) => {
                    let near = interfaces.iter().find(|(_, own)| reaches(own, gateway));
                    Target::Segment(*near?.0, gateway)
                }
                Hop::Interface(id) => {
                    interfaces.get(&id)?;
                    Target::Segment(id, destination)
                }
                Hop::Reject(Reject::Unreachable) => Target::Unreachable,
                Hop::Reject(Reject::Prohibit) => Target::Prohibit,
                Hop::Reject(Reject::Blackhole) => Target::Blackhole,
            };
            Some((route.to, target))
        });
        let connected = interfaces.iter().flat_map(|(id, own)| {
            own.addresses.iter().map(|net| (*net, Target::Segment(*id, destination)))
        });
        let all = written.chain(connected).filter(|(net, _)| net.contains(&destination));
        all.max_by_key(|(net, _)| net.prefix_len()).map(|(_, target)| target)
    }

    /// Compares the stations of every bridge with what the switch shows.
    pub(super) fn check_tables(&self, world: World<'_>, after: &str) {
        for (id, bridge) in &self.bridges {
            let shown = world.switch.stations(world.now, *id);
            let shown: Vec<_> = shown.iter().map(|s| ((s.vlan, s.mac), s.location)).collect();
            let expected = bridge.stations.list();
            let places: Vec<_> = expected.iter().map(|k| (k.station, k.location)).collect();
            assert_eq!(shown, places, "stations of {id} after {after}");
            let shown = world.switch.stations(world.now, *id);
            for (station, known) in shown.iter().zip(&expected).filter(|(_, known)| !known.fixed) {
                let age: Instant = Instant::ZERO + station.age;
                let expected = Instant::ZERO + world.now.since(known.heard);
                assert_eq!(age, expected, "the age of {station:?} after {after}");
            }
        }
    }
}

/// Whether what was learned on a port outlives the change of its role.
fn keeps_stations(old: &Role, new: &Role) -> bool {
    match (old, new) {
        (Role::Bridged(old), Role::Bridged(new)) => {
            (old.bridge, &old.vlans) == (new.bridge, &new.vlans)
        }
        (Role::Tunnel(old, was), Role::Tunnel(new, is)) => {
            (old.bridge, &old.vlans, was.vni, was.underlay)
                == (new.bridge, &new.vlans, is.vni, is.underlay)
        }
        _ => false,
    }
}
