//! How a change is made: checked first, so that it is all or nothing.

use core::net::Ipv4Addr;
use std::collections::BTreeSet;

use packet::{BridgeId, Instant, InterfaceId, Ipv4Net, Mac, PortId, VlanId};
use vxlan::RemoteVtep;

use crate::bridge::{Bridge, BridgeSettings};
use crate::change::{Change, ChangeError};
use crate::interface::{InterfaceSettings, Link};
use crate::limiter::Limiter;
use crate::neighbors::{Full, Key, NeighborView};
use crate::outbox::Outbox;
use crate::port::{PortSettings, Role, Tunnel};
use crate::routes::Hop;
use crate::station::{Location, Origin};
use crate::switch::Switch;

/// Checks a change, then makes it.
pub(crate) fn apply(
    switch: &mut Switch,
    now: Instant,
    change: Change,
    out: &mut Outbox,
) -> Result<(), ChangeError> {
    match change {
        Change::SetBridge(id, settings) => set_bridge(switch, id, settings),
        Change::DeleteBridge(id) => delete_bridge(switch, id),
        Change::SetPort(id, settings) => set_port(switch, now, id, settings, out),
        Change::DeletePort(id) => delete_port(switch, now, id, out),
        Change::AnnounceStation(id, mac, addresses) => {
            announce_station(switch, now, id, mac, &addresses, out)
        }
        Change::SetInterface(id, settings) => set_interface(switch, now, id, settings, out),
        Change::DeleteInterface(id) => delete_interface(switch, now, id, out),
        Change::SetRoute(route) => {
            if let Hop::Interface(id) = route.hop
                && switch.router.interfaces.get(id).is_none()
            {
                return Err(ChangeError::NoInterface(id));
            }
            switch.router.routes.write(route);
            switch.router.routes.rebuild(&switch.router.interfaces);
            Ok(())
        }
        Change::DeleteRoute(to) => {
            let known = switch.router.routes.erase(to);
            switch.router.routes.rebuild(&switch.router.interfaces);
            known.then_some(()).ok_or(ChangeError::NoRoute(to))
        }
        Change::SetRules(rules) => {
            let before = switch.nat.rules().clone();
            switch.nat.set_rules(rules);
            switch.end_untranslated(&before, out);
            Ok(())
        }
        Change::SetLimits(limits) => {
            switch.nat.set_limits(limits);
            Ok(())
        }
        Change::SetLifetimes(lifetimes) => {
            switch.nat.set_lifetimes(lifetimes);
            Ok(())
        }
        Change::SetNeighborLimits { capacity, reachable, stale } => {
            let neighbors = &mut switch.router.neighbors;
            neighbors.capacity = at_least(capacity, 1)?;
            (neighbors.reachable, neighbors.stale) = (reachable, stale);
            Ok(())
        }
        Change::SetErrorRate { rate, burst } => {
            switch.router.errors = Limiter::new(rate, burst);
            Ok(())
        }
        Change::PinStation(bridge, vlan, mac, to) => pin(switch, now, bridge, vlan, mac, to),
        Change::DeleteStation(id, vlan, mac) => {
            let bridge = switch.bridges.get_mut(id).ok_or(ChangeError::NoBridge(id))?;
            let own = matches!(bridge.fdb.find(mac, vlan), Some(Location::Router(_)));
            let removed = !own && bridge.fdb.remove(mac, vlan);
            removed.then_some(()).ok_or(ChangeError::NoStation(mac))
        }
        Change::FlushStations(only, port) => {
            if let Some(id) = only {
                let bridge = switch.bridges.get_mut(id).ok_or(ChangeError::NoBridge(id))?;
                bridge.fdb.flush(port);
            } else {
                switch.bridges.iter_mut().for_each(|bridge| {
                    bridge.fdb.flush(port);
                });
            }
            Ok(())
        }
        Change::PinNeighbor(id, address, mac) => {
            switch.router.interfaces.get(id).ok_or(ChangeError::NoInterface(id))?;
            station(mac)?;
            let key = Key::new(id, address);
            let evicted =
                switch.router.neighbors.pin(key, mac).map_err(|Full| ChangeError::Full)?;
            switch.end_evicted(evicted);
            switch.release(now, key, mac, out);
            Ok(())
        }
        Change::DeleteNeighbor(id, address) => {
            let key = Key::new(id, address);
            let known = switch.router.neighbors.remove(key);
            switch.give_up(now, key, out);
            known.then_some(()).ok_or(ChangeError::NoNeighbor(address))
        }
        Change::FlushNeighbors => {
            forget_neighbors(switch, now, |neighbor| !neighbor.is_static(), out);
            Ok(())
        }
        Change::FlushFlows => {
            switch.nat.flush(|_| false);
            Ok(())
        }
        Change::EndFlows(filter) => {
            switch.end_flows(&filter);
            Ok(())
        }
    }
}

fn forget_neighbors(
    switch: &mut Switch,
    now: Instant,
    forget: impl Fn(&NeighborView) -> bool,
    out: &mut Outbox,
) {
    for key in switch.router.neighbors.flush(forget) {
        switch.give_up(now, key, out);
    }
}

fn at_least<T: PartialOrd>(value: T, least: T) -> Result<T, ChangeError> {
    if value >= least { Ok(value) } else { Err(ChangeError::TooSmall) }
}

fn station(mac: Mac) -> Result<(), ChangeError> {
    mac.is_station().then_some(()).ok_or(ChangeError::NotAStation(mac))
}

fn set_bridge(
    switch: &mut Switch,
    id: BridgeId,
    settings: BridgeSettings,
) -> Result<(), ChangeError> {
    at_least(settings.capacity, 1)?;
    match switch.bridges.get_mut(id) {
        Some(bridge) => {
            bridge.fdb.resize(settings.capacity, settings.ageing);
            if settings.hub {
                bridge.fdb.flush(None);
            }
            bridge.settings = settings;
        }
        None => {
            let hasher = switch.seeds.hasher();
            switch.bridges.insert(id, Bridge::new(hasher, settings));
        }
    }
    Ok(())
}

fn delete_bridge(switch: &mut Switch, id: BridgeId) -> Result<(), ChangeError> {
    let bridge = switch.bridges.get(id).ok_or(ChangeError::NoBridge(id))?;
    let mut interfaces = switch.router.interfaces.iter();
    let has_interface =
        interfaces.any(|(_, own)| matches!(own.link, Link::Vlan { bridge, .. } if bridge == id));
    if !bridge.ports.is_empty() || has_interface {
        return Err(ChangeError::BridgeInUse(id));
    }
    switch.bridges.remove(id);
    Ok(())
}

fn set_port(
    switch: &mut Switch,
    now: Instant,
    id: PortId,
    mut settings: PortSettings,
    out: &mut Outbox,
) -> Result<(), ChangeError> {
    at_least(settings.mtu, 68)?;
    if let Role::Tunnel(_, Tunnel { remotes, .. }) = &mut settings.role {
        let mut known = BTreeSet::new();
        remotes.retain(|remote| known.insert(*remote));
    }
    let bridge = settings.role.membership().map(|member| member.bridge);
    if let Some(bridge) = bridge {
        switch.bridges.get(bridge).ok_or(ChangeError::NoBridge(bridge))?;
    }
    let old = switch.ports.get(id).map(|old| &old.settings.role);
    if old == Some(&Role::Underlay) && settings.role != Role::Underlay {
        no_tunnel_on(switch, id)?;
    }
    let same_segment = old.is_some_and(|old| is_same_segment(old, &settings.role));
    match &settings.role {
        Role::Tunnel(_, tunnel) => set_far_ends(switch, id, tunnel)?,
        Role::Bridged(_) | Role::Routed { .. } | Role::Underlay => switch.tunnels.remove(id),
    }
    if !same_segment {
        leave_bridges(switch, now, id, out);
    }
    if let Role::Tunnel(_, Tunnel { remotes, .. }) = &settings.role {
        let gone = |place| match place {
            Location::Peer { tunnel, remote } => tunnel == id && !remotes.contains(&remote),
            Location::Port(_) | Location::Router(_) => false,
        };
        switch.forget_neighbors_behind(now, id, gone, out);
        if let Some(bridge) = bridge.and_then(|bridge| switch.bridges.get_mut(bridge)) {
            bridge.fdb.forget(gone);
        }
    }
    if let Some(bridge) = bridge.and_then(|bridge| switch.bridges.get_mut(bridge))
        && !bridge.ports.contains(&id)
    {
        bridge.ports.push(id);
        bridge.ports.sort_unstable();
    }
    switch.ports.set(id, settings);
    if !same_segment {
        switch.announce_on(id, out);
    }
    Ok(())
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

/// Makes a tunnel's far ends known, or none of them.
fn set_far_ends(switch: &mut Switch, id: PortId, tunnel: &Tunnel) -> Result<(), ChangeError> {
    let underlay = switch.ports.get(tunnel.underlay).map(|port| &port.settings.role);
    if underlay != Some(&Role::Underlay) || tunnel.underlay == id {
        return Err(ChangeError::NotUnderlay(tunnel.underlay));
    }
    let ends = || {
        let (underlay, vni) = (tunnel.underlay, tunnel.vni);
        tunnel.remotes.iter().map(move |&remote| RemoteVtep { underlay, vni, remote })
    };
    if let Some((far, owner)) = switch.tunnels.taken(id, ends()) {
        return Err(ChangeError::VtepTaken(far, owner));
    }
    switch.tunnels.set(id, ends());
    Ok(())
}

/// An underlay that tunnels need cannot go.
fn no_tunnel_on(switch: &Switch, underlay: PortId) -> Result<(), ChangeError> {
    match switch.ports.tunnel_over(underlay) {
        Some(tunnel) => Err(ChangeError::UnderlayInUse(underlay, tunnel)),
        None => Ok(()),
    }
}

fn leave_bridges(switch: &mut Switch, now: Instant, id: PortId, out: &mut Outbox) {
    switch.forget_neighbors_behind(now, id, |place| place.port() == Some(id), out);
    for bridge in switch.bridges.iter_mut() {
        bridge.ports.retain(|port| *port != id);
        bridge.fdb.remove_port(id);
    }
}

fn delete_port(
    switch: &mut Switch,
    now: Instant,
    id: PortId,
    out: &mut Outbox,
) -> Result<(), ChangeError> {
    no_tunnel_on(switch, id)?;
    switch.ports.remove(id).ok_or(ChangeError::NoPort(id))?;
    switch.tunnels.remove(id);
    leave_bridges(switch, now, id, out);
    switch.stats.forget(id);
    Ok(())
}

fn announce_station(
    switch: &mut Switch,
    now: Instant,
    id: PortId,
    mac: Mac,
    addresses: &[Ipv4Addr],
    out: &mut Outbox,
) -> Result<(), ChangeError> {
    station(mac)?;
    let port = switch.ports.get(id).ok_or(ChangeError::NoPort(id))?;
    let member = port.settings.role.membership();
    let bridge = member.map(|member| member.bridge);
    let vlan = member.and_then(|member| member.vlans.admit(None).ok());
    let segment = bridge.zip(vlan);
    let interface = segment.and_then(|(bridge, vlan)| switch.router.interfaces.on(bridge, vlan));
    switch.forget_neighbors_behind(now, id, |place| place.port() == Some(id), out);
    // Packets that wait for the address go on waiting: the announcement is what they wait for.
    let elsewhere = |neighbor: &NeighborView| {
        let here = Some(neighbor.interface) == interface && addresses.contains(&neighbor.address);
        here && !neighbor.is_static() && neighbor.mac.is_some_and(|known| known != mac)
    };
    forget_neighbors(switch, now, elsewhere, out);
    if let Some(bridge) = bridge.and_then(|bridge| switch.bridges.get_mut(bridge)) {
        bridge.fdb.flush(Some(id));
    }
    for address in addresses {
        switch.announce_for(now, id, mac, *address, out);
    }
    Ok(())
}

fn set_interface(
    switch: &mut Switch,
    now: Instant,
    id: InterfaceId,
    settings: InterfaceSettings,
    out: &mut Outbox,
) -> Result<(), ChangeError> {
    at_least(settings.mtu, 68)?;
    station(settings.mac)?;
    if let Link::Vlan { bridge, .. } = settings.link {
        switch.bridges.get(bridge).ok_or(ChangeError::NoBridge(bridge))?;
    }
    for (other, own) in switch.router.interfaces.iter().filter(|(other, _)| *other != id) {
        if own.link == settings.link {
            return Err(ChangeError::SegmentTaken(other));
        }
        for (new, old) in
            settings.addresses.iter().flat_map(|n| own.addresses.iter().map(move |o| (n, o)))
        {
            if new.contains(&old.network()) || old.contains(&new.network()) {
                return Err(ChangeError::Overlap(*new, *old));
            }
        }
    }
    let old = switch.router.interfaces.get(id).cloned();
    if let Some(old) = &old {
        unpin_own(switch, old);
        let gone = |net: &&Ipv4Net| !settings.owns(net.addr());
        for net in old.addresses.iter().filter(gone) {
            switch.nat.forget_address(net.addr());
        }
    }
    if let Link::Vlan { bridge, vlan } = settings.link
        && let Some(bridge) = switch.bridges.get_mut(bridge)
    {
        bridge.fdb.pin(now, settings.mac, vlan, Location::Router(id), Origin::Own);
    }
    switch.router.interfaces.set(id, settings.clone());
    switch.router.routes.rebuild(&switch.router.interfaces);
    forget_neighbors(switch, now, |n| n.interface == id && !settings.reaches(n.address), out);
    if old.as_ref() != Some(&settings) {
        switch.announce(id, out);
    }
    Ok(())
}

fn delete_interface(
    switch: &mut Switch,
    now: Instant,
    id: InterfaceId,
    out: &mut Outbox,
) -> Result<(), ChangeError> {
    let old = switch.router.interfaces.get(id).cloned().ok_or(ChangeError::NoInterface(id))?;
    forget_neighbors(switch, now, |neighbor| neighbor.interface == id, out);
    unpin_own(switch, &old);
    for net in &old.addresses {
        switch.nat.forget_address(net.addr());
    }
    switch.router.interfaces.remove(id);
    switch.router.routes.rebuild(&switch.router.interfaces);
    // Telling senders may have asked for a neighbour on the interface that goes.
    forget_neighbors(switch, now, |neighbor| neighbor.interface == id, out);
    Ok(())
}

fn unpin_own(switch: &mut Switch, old: &InterfaceSettings) {
    if let Link::Vlan { bridge, vlan } = old.link
        && let Some(bridge) = switch.bridges.get_mut(bridge)
    {
        bridge.fdb.remove(old.mac, vlan);
    }
}

fn pin(
    switch: &mut Switch,
    now: Instant,
    id: BridgeId,
    vlan: VlanId,
    mac: Mac,
    to: Location,
) -> Result<(), ChangeError> {
    station(mac)?;
    let bridge = switch.bridges.get_mut(id).ok_or(ChangeError::NoBridge(id))?;
    let role = to.port().and_then(|port| switch.ports.get(port)).map(|port| &port.settings.role);
    let fits = match (to, role) {
        (Location::Peer { remote, .. }, Some(Role::Tunnel(member, tunnel))) => {
            member.bridge == id && tunnel.remotes.contains(&remote)
        }
        (Location::Port(_), Some(Role::Bridged(member))) => member.bridge == id,
        _ => false,
    };
    if !fits {
        return Err(ChangeError::NotAMember(to, id));
    }
    if matches!(bridge.fdb.find(mac, vlan), Some(Location::Router(_))) {
        return Err(ChangeError::NotAStation(mac));
    }
    bridge.fdb.pin(now, mac, vlan, to, Origin::Static);
    Ok(())
}
