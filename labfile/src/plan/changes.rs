//! What a plan asks of the switch.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use packet::{Ipv4Net, VlanId};
use switch::Change;
use switch::change::{InterfaceSettings, PortSettings, Role};

use super::{Plan, Step};
use crate::changes::{
    bridge_settings, interface_settings, port_settings, route, rules, settings, station,
    tunnel_settings,
};
use crate::ids::{Ids, UdpPort, udp_ports};
use crate::{Bridge, InterfaceName, Lab, Name, Port, Tunnel};

impl Plan {
    /// The changes that make a switch that is `current` into one that is `wanted`, the labs that
    /// the plan is between, to be made under one lock. Numbers are given to new names and freed
    /// of old ones.
    pub fn changes(&self, current: &Lab, wanted: &Lab, ids: &mut Ids) -> Vec<Change> {
        let old_rules = rules(current, &mut ids.clone());
        let mut translation = Translation::new(current, wanted, ids);
        if *current == Lab::default() {
            translation.changes.extend(settings(&wanted.settings));
        }
        for step in &self.steps {
            translation.step(step);
        }
        translation.set_interfaces();
        let Translation { mut changes, touches_interfaces, .. } = translation;
        let rules = rules(wanted, ids);
        if touches_interfaces || rules != old_rules {
            changes.push(Change::SetRules(rules));
        }
        changes
    }
}

/// A plan on its way into changes.
struct Translation<'a> {
    wanted: &'a Lab,
    ids: &'a mut Ids,
    changes: Vec<Change>,
    /// The interfaces that the switch has by now.
    interfaces: BTreeMap<InterfaceName, InterfaceSettings>,
    /// The UDP ports that it has by now, with how many of the old tunnels are left on each.
    underlays: BTreeMap<UdpPort, usize>,
    wanted_underlays: BTreeSet<UdpPort>,
    touches_interfaces: bool,
    /// Whether all are as wanted.
    has_interfaces: bool,
}

impl<'a> Translation<'a> {
    fn new(current: &Lab, wanted: &'a Lab, ids: &'a mut Ids) -> Self {
        let interfaces = current.interfaces().into_iter().map(|interface| {
            (interface.name.clone(), interface_settings(&interface, current, ids))
        });
        let interfaces = interfaces.collect();
        let mut underlays = BTreeMap::new();
        for tunnel in current.tunnels.values() {
            *underlays.entry(UdpPort::of(tunnel)).or_default() += 1;
        }
        Self {
            wanted,
            ids,
            changes: Vec::new(),
            interfaces,
            underlays,
            wanted_underlays: udp_ports(wanted),
            touches_interfaces: false,
            has_interfaces: false,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            // All rules are set at once, behind everything else.
            Step::RemovePublish(..)
            | Step::AddPublish(..)
            | Step::SetPublish { .. }
            | Step::AddMasquerade { .. }
            | Step::RemoveMasquerade { .. } => {}
            // The device's alone.
            Step::MendPort { .. } | Step::RestorePort(_) => {}
            Step::RemoveRoute(to, _) => self.changes.push(Change::DeleteRoute(*to)),
            Step::AddRoute(to, hop) | Step::SetRoute { to, hop, .. } => {
                self.set_interfaces();
                self.changes.push(route(*to, hop, self.ids));
            }
            Step::RemoveStatic(entry) => {
                let bridge = self.ids.bridge(&entry.bridge);
                self.changes.push(Change::DeleteStation(bridge, entry.vlan, entry.mac));
            }
            Step::AddStatic(entry) => self.changes.push(station(entry, self.ids)),
            Step::SetSettings { to, .. } => self.changes.extend(settings(to)),
            Step::RemoveBridge(bridge) => self.remove_bridge(bridge),
            Step::AddBridge(bridge) => self.set_bridge(None, bridge),
            Step::SetBridge { from, to } => self.set_bridge(Some(from), to),
            Step::RemovePort(port) => self.remove_port(port),
            Step::AddPort(port) => self.set_port(None, port),
            Step::SetPort { from, to } => self.set_port(Some(from), to),
            Step::RemoveTunnel(tunnel) => self.remove_tunnel(tunnel),
            Step::AddTunnel(tunnel) | Step::SetTunnel { to: tunnel, .. } => self.set_tunnel(tunnel),
        }
    }

    fn set_bridge(&mut self, from: Option<&Bridge>, to: &Bridge) {
        if from.map(bridge_settings) != Some(bridge_settings(to)) {
            self.changes.push(Change::SetBridge(self.ids.bridge(&to.name), bridge_settings(to)));
        }
        if let Some(from) = from {
            self.give_up(&from.name, from.segments(), |vlan| to.addresses(vlan));
        }
    }

    fn remove_bridge(&mut self, bridge: &Bridge) {
        self.give_up(&bridge.name, bridge.segments(), |_| &[]);
        self.changes.push(Change::DeleteBridge(self.ids.bridge(&bridge.name)));
        self.ids.free_bridge(&bridge.name);
    }

    fn set_port(&mut self, from: Option<&Port>, to: &Port) {
        if let Some(from) = from {
            let after = to.router();
            self.give_up(&from.name, routed(from), |_| after);
        }
        let before = from.map(|from| port_settings(from, self.ids));
        let settings = port_settings(to, self.ids);
        if before.as_ref() != Some(&settings) {
            self.changes.push(Change::SetPort(self.ids.port(&to.name), settings));
        }
    }

    fn remove_port(&mut self, port: &Port) {
        self.give_up(&port.name, routed(port), |_| &[]);
        self.changes.push(Change::DeletePort(self.ids.port(&port.name)));
        self.ids.free_port(&port.name);
    }

    fn set_tunnel(&mut self, tunnel: &Tunnel) {
        let udp = UdpPort::of(tunnel);
        if let Entry::Vacant(vacant) = self.underlays.entry(udp) {
            vacant.insert(0);
            let settings = PortSettings::unguarded(Role::Underlay, u16::MAX);
            self.changes.push(Change::SetPort(self.ids.udp_port(udp), settings));
        }
        let settings = tunnel_settings(tunnel, self.ids);
        self.changes.push(Change::SetPort(self.ids.port(&tunnel.name), settings));
    }

    fn remove_tunnel(&mut self, tunnel: &Tunnel) {
        self.changes.push(Change::DeletePort(self.ids.port(&tunnel.name)));
        self.ids.free_port(&tunnel.name);
        let udp = UdpPort::of(tunnel);
        let left = self.underlays.get_mut(&udp);
        let is_last = left.is_some_and(|left| {
            *left -= 1;
            *left == 0
        });
        if is_last && !self.wanted_underlays.contains(&udp) {
            self.underlays.remove(&udp);
            self.changes.push(Change::DeletePort(self.ids.udp_port(udp)));
            self.ids.free_udp_port(udp);
        }
    }

    /// Takes from the interfaces of `owner` the addresses that they have no more.
    fn give_up<'b>(
        &mut self,
        owner: &Name,
        segments: impl Iterator<Item = VlanId>,
        after: impl Fn(VlanId) -> &'b [Ipv4Net],
    ) {
        for vlan in segments {
            let name = InterfaceName { owner: owner.clone(), vlan };
            let Some(known) = self.interfaces.get_mut(&name) else { continue };
            let after = after(vlan);
            if known.addresses.iter().all(|net| after.contains(net)) {
                continue;
            }
            self.touches_interfaces = true;
            let id = self.ids.interface(&name);
            known.addresses.retain(|net| after.contains(net));
            if !known.addresses.is_empty() {
                self.changes.push(Change::SetInterface(id, known.clone()));
                continue;
            }
            self.changes.push(Change::DeleteInterface(id));
            self.interfaces.remove(&name);
            if self.wanted.addresses(&name).is_empty() {
                self.ids.free_interface(&name);
            }
        }
    }

    /// Makes all interfaces what is wanted; whoever bears them is there, and nobody has what they
    /// need.
    fn set_interfaces(&mut self) {
        if core::mem::replace(&mut self.has_interfaces, true) {
            return;
        }
        for interface in self.wanted.interfaces() {
            let settings = interface_settings(&interface, self.wanted, self.ids);
            if self.interfaces.get(&interface.name) != Some(&settings) {
                self.touches_interfaces = true;
                self.changes
                    .push(Change::SetInterface(self.ids.interface(&interface.name), settings));
            }
        }
    }
}

/// The one segment of a routed port.
fn routed(port: &Port) -> impl Iterator<Item = VlanId> + use<> {
    (!port.router().is_empty()).then_some(VlanId::UNTAGGED).into_iter()
}
