//! A change set checked before anything of it is made, against a copy of what the switch is told to
//! be.
//!
//! # Theory of operation
//! A [`Draft`] is what [`apply`](crate::Switch::apply_all) sets and checks against: bridges, ports,
//! interfaces, routes and remote VTEPs, without anything that packets change. It is taken under the
//! switch's lock in a time that is the lab's size (2 ms for 4,094 interfaces), and everything dear
//! happens without the lock: each change is checked behind those before it, and one table of routes
//! is laid out for all of them. What comes of it, [`Prepared`], is made by
//! [`Switch::commit`](crate::Switch::commit), which swaps the routes in. Whether a station or a
//! neighbour is known depends on packets, and is asked there, before the first change is made.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use packet::{BridgeId, InterfaceId, Ipv4Net, Mac, PortId};
use vxlan::RemoteVtep;

use crate::change::{Change, ChangeError};
use crate::interface::{InterfaceSettings, Interfaces, Link};
use crate::port::{PortSettings, Role};
use crate::routes::{Hop, Route, Routes};
use crate::station::Location;
use crate::switch::Switch;

/// See the module's own text.
#[derive(Clone, Debug)]
pub struct Draft {
    revision: u64,
    /// Ports and interfaces of each bridge.
    bridges: BTreeMap<BridgeId, usize>,
    ports: BTreeMap<PortId, Place>,
    remote_vteps: BTreeMap<RemoteVtep, PortId>,
    interfaces: Interfaces,
    routes: Arc<BTreeMap<Ipv4Net, Hop>>,
    lays_routes: bool,
}

/// A change set that nothing but tables that packets fill can refuse.
#[derive(Debug)]
pub struct Prepared {
    /// The state of the configuration that it was prepared for.
    pub(crate) revision: u64,
    pub(crate) changes: Vec<Change>,
    /// The routes behind all changes, where they may be others.
    pub(crate) routes: Option<Routes>,
}

impl Prepared {
    /// The changes, in order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }
}

/// What a port is, as far as other settings depend on it.
#[derive(Clone, Debug)]
enum Place {
    Bridged(BridgeId),
    Routed,
    Tunnel { bridge: BridgeId, underlay: PortId, remotes: BTreeSet<Ipv4Addr> },
    Underlay,
}

impl Place {
    fn of(role: &Role) -> Self {
        match role {
            Role::Bridged(member) => Self::Bridged(member.bridge),
            Role::Routed { .. } => Self::Routed,
            Role::Tunnel(member, tunnel) => Self::Tunnel {
                bridge: member.bridge,
                underlay: tunnel.underlay,
                remotes: tunnel.remotes.iter().copied().collect(),
            },
            Role::Underlay => Self::Underlay,
        }
    }

    const fn bridge(&self) -> Option<BridgeId> {
        match self {
            Self::Bridged(bridge) | Self::Tunnel { bridge, .. } => Some(*bridge),
            Self::Routed | Self::Underlay => None,
        }
    }
}

impl Draft {
    pub(crate) fn of(switch: &Switch) -> Self {
        let ports = (0..).zip(switch.ports.iter());
        let places = ports.filter_map(|(number, port)| {
            Some((PortId::new(number), Place::of(&port?.settings.role)))
        });
        let mut draft = Self {
            revision: switch.revision,
            bridges: switch.bridges.iter().map(|(id, _)| (id, 0)).collect(),
            ports: places.collect(),
            remote_vteps: switch.tunnels.remote_vteps().collect(),
            interfaces: switch.router.interfaces.clone(),
            routes: switch.router.routes.written(),
            lays_routes: false,
        };
        let on_ports = draft.ports.values().filter_map(Place::bridge);
        let on_interfaces = draft.interfaces.iter().filter_map(|(_, own)| bridge_of(own.link));
        for bridge in on_ports.chain(on_interfaces) {
            if let Some(users) = draft.bridges.get_mut(&bridge) {
                *users += 1;
            }
        }
        draft
    }

    /// Checks changes that are to be made in this order, and lays out the routes behind them.
    ///
    /// # Errors
    /// What the first change contradicts that cannot be made.
    pub fn prepare(mut self, changes: Vec<Change>) -> Result<Prepared, ChangeError> {
        changes.iter().try_for_each(|change| self.change(change))?;
        let routes = self.lays_routes.then(|| Routes::new(self.routes, &self.interfaces));
        Ok(Prepared { revision: self.revision, changes, routes })
    }

    fn change(&mut self, change: &Change) -> Result<(), ChangeError> {
        match change {
            Change::SetBridge(id, settings) => {
                at_least(settings.capacity, 1)?;
                self.bridges.entry(*id).or_default();
                Ok(())
            }
            Change::DeleteBridge(id) => match self.bridges.get(id) {
                None => Err(ChangeError::NoBridge(*id)),
                Some(0) => {
                    self.bridges.remove(id);
                    Ok(())
                }
                Some(_) => Err(ChangeError::BridgeInUse(*id)),
            },
            Change::SetPort(id, settings) => self.set_port(*id, settings),
            Change::DeletePort(id) => self.delete_port(*id),
            Change::AnnounceStation(id, mac, _) => {
                station(*mac)?;
                self.ports.contains_key(id).then_some(()).ok_or(ChangeError::NoPort(*id))
            }
            Change::SetInterface(id, settings) => self.set_interface(*id, settings),
            Change::DeleteInterface(id) => {
                let old = self.interfaces.remove(*id).ok_or(ChangeError::NoInterface(*id))?;
                self.leave(bridge_of(old.link));
                self.lays_routes = true;
                Ok(())
            }
            Change::SetRoute(Route { to, hop }) => {
                if let Hop::Interface(id) = hop {
                    self.interface(*id)?;
                }
                self.written().insert(to.trunc(), *hop);
                Ok(())
            }
            Change::DeleteRoute(to) => match self.written().remove(&to.trunc()) {
                Some(_) => Ok(()),
                None => Err(ChangeError::NoRoute(*to)),
            },
            Change::SetNeighborLimits { capacity, .. } => at_least(*capacity, 1),
            Change::PinStation(bridge, vlan, mac, to) => {
                station(*mac)?;
                self.bridge(*bridge)?;
                self.fits(*to, *bridge)?;
                let own = self.interfaces.on(*bridge, *vlan).and_then(|id| self.interfaces.get(id));
                match own {
                    Some(own) if own.mac == *mac => Err(ChangeError::NotAStation(*mac)),
                    _ => Ok(()),
                }
            }
            Change::DeleteStation(bridge, ..) | Change::FlushStations(Some(bridge), _) => {
                self.bridge(*bridge)
            }
            Change::PinNeighbor(id, _, mac) => {
                self.interface(*id)?;
                station(*mac)
            }
            Change::SetRules(_)
            | Change::SetLimits(_)
            | Change::SetLifetimes(_)
            | Change::SetErrorRate { .. }
            | Change::FlushStations(None, _)
            | Change::DeleteNeighbor(..)
            | Change::FlushNeighbors
            | Change::FlushFlows
            | Change::EndFlows(..) => Ok(()),
        }
    }

    fn set_port(&mut self, id: PortId, settings: &PortSettings) -> Result<(), ChangeError> {
        at_least(settings.mtu, 68)?;
        let place = Place::of(&settings.role);
        if let Some(bridge) = place.bridge() {
            self.bridge(bridge)?;
        }
        if !matches!(place, Place::Underlay) {
            self.no_tunnel_on(id)?;
        }
        let ends: Vec<RemoteVtep> = match &settings.role {
            Role::Tunnel(_, tunnel) => {
                if !matches!(self.ports.get(&tunnel.underlay), Some(Place::Underlay))
                    || tunnel.underlay == id
                {
                    return Err(ChangeError::NotUnderlay(tunnel.underlay));
                }
                tunnel.remote_vteps().collect()
            }
            Role::Bridged(_) | Role::Routed { .. } | Role::Underlay => Vec::new(),
        };
        let owned = |far: &RemoteVtep| self.remote_vteps.get(far).map(|owner| (*far, *owner));
        if let Some((far, owner)) = ends.iter().filter_map(owned).find(|(_, owner)| *owner != id) {
            return Err(ChangeError::VtepTaken(far, owner));
        }
        self.forget_port(id);
        self.remote_vteps.extend(ends.into_iter().map(|far| (far, id)));
        self.enter(place.bridge());
        self.ports.insert(id, place);
        Ok(())
    }

    fn delete_port(&mut self, id: PortId) -> Result<(), ChangeError> {
        self.no_tunnel_on(id)?;
        self.forget_port(id).then_some(()).ok_or(ChangeError::NoPort(id))
    }

    fn forget_port(&mut self, id: PortId) -> bool {
        let Some(old) = self.ports.remove(&id) else { return false };
        if matches!(old, Place::Tunnel { .. }) {
            self.remote_vteps.retain(|_, owner| *owner != id);
        }
        self.leave(old.bridge());
        true
    }

    /// An underlay that tunnels need cannot go.
    fn no_tunnel_on(&self, id: PortId) -> Result<(), ChangeError> {
        if !matches!(self.ports.get(&id), Some(Place::Underlay)) {
            return Ok(());
        }
        let over = |(tunnel, place): (&PortId, &Place)| match place {
            Place::Tunnel { underlay, .. } if *underlay == id => Some(*tunnel),
            _ => None,
        };
        let tunnel = self.ports.iter().find_map(over);
        tunnel.map_or(Ok(()), |tunnel| Err(ChangeError::UnderlayInUse(id, tunnel)))
    }

    fn set_interface(
        &mut self,
        id: InterfaceId,
        settings: &InterfaceSettings,
    ) -> Result<(), ChangeError> {
        at_least(settings.mtu, 68)?;
        station(settings.mac)?;
        let bridge = bridge_of(settings.link);
        if let Some(bridge) = bridge {
            self.bridge(bridge)?;
        }
        if let Some(other) = self.interfaces.taken(id, settings.link) {
            return Err(ChangeError::SegmentTaken(other));
        }
        for net in &settings.addresses {
            if let Some(known) = self.interfaces.overlapping(id, *net) {
                return Err(ChangeError::Overlap(*net, known));
            }
        }
        if let Some(old) = self.interfaces.remove(id) {
            self.leave(bridge_of(old.link));
        }
        self.enter(bridge);
        self.interfaces.set(id, settings.clone());
        self.lays_routes = true;
        Ok(())
    }

    fn fits(&self, to: Location, bridge: BridgeId) -> Result<(), ChangeError> {
        let place = to.port().and_then(|port| self.ports.get(&port));
        let fits = match (to, place) {
            (Location::Remote { remote, .. }, Some(Place::Tunnel { bridge: of, remotes, .. })) => {
                *of == bridge && remotes.contains(&remote)
            }
            (Location::Port(_), Some(Place::Bridged(of))) => *of == bridge,
            _ => false,
        };
        fits.then_some(()).ok_or(ChangeError::NotAMember(to, bridge))
    }

    fn bridge(&self, id: BridgeId) -> Result<(), ChangeError> {
        self.bridges.contains_key(&id).then_some(()).ok_or(ChangeError::NoBridge(id))
    }

    fn interface(&self, id: InterfaceId) -> Result<(), ChangeError> {
        self.interfaces.get(id).map(|_| ()).ok_or(ChangeError::NoInterface(id))
    }

    fn written(&mut self) -> &mut BTreeMap<Ipv4Net, Hop> {
        self.lays_routes = true;
        Arc::make_mut(&mut self.routes)
    }

    fn enter(&mut self, bridge: Option<BridgeId>) {
        if let Some(users) = bridge.and_then(|bridge| self.bridges.get_mut(&bridge)) {
            *users += 1;
        }
    }

    fn leave(&mut self, bridge: Option<BridgeId>) {
        if let Some(users) = bridge.and_then(|bridge| self.bridges.get_mut(&bridge)) {
            *users = users.saturating_sub(1);
        }
    }
}

const fn bridge_of(link: Link) -> Option<BridgeId> {
    match link {
        Link::Vlan { bridge, .. } => Some(bridge),
        Link::Port(_) => None,
    }
}

fn at_least<T: PartialOrd>(value: T, least: T) -> Result<(), ChangeError> {
    if value >= least { Ok(()) } else { Err(ChangeError::TooSmall) }
}

fn station(mac: Mac) -> Result<(), ChangeError> {
    mac.is_station().then_some(()).ok_or(ChangeError::NotAStation(mac))
}
