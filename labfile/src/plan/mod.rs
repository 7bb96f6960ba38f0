//! The few steps from the lab that runs to the lab that is wanted.
//!
//! # Theory of operation
//!
//! A plan is what is executed, and what is printed is its steps. Each says what it asks of the
//! machine ([`Step::device`]) and of the switch ([`Plan::changes`]). Steps stand in this order, so
//! that whoever refers to something comes after it and goes before it:
//!
//! | | steps | why there |
//! |---|---|---|
//! | 1 | `-` publish, route, static entry | they refer to ports and interfaces |
//! | 2 | `+` masquerade | before any new source can reach its way out |
//! | 3 | `-` tunnel, `-` port, then `-` bridge | sockets, devices and subnets become free |
//! | 4 | `~` settings; what moves from one to another is given up | no two have it between two steps |
//! | 5 | `~` bridge, `+` bridge, `~` port, `~` tunnel | in place: flows stay, and devices if they can; what somebody else has changed of a port's device is mended first |
//! | 6 | `-` bridge | those that ports of step 5 have left |
//! | 7 | `+` port, then `+` tunnel | into the free place |
//! | 8 | `-` masquerade | when no old source is left |
//! | 9 | `+` static entry, `+` `~` route, `+` `~` publish | everything they refer to is there |
//!
//! A masquerade rule may thus name an interface that is not there yet or no longer; it rests.
//! Whoever brings an interface up makes its rules work in the same breath, or an inside address
//! could slip out untranslated.
//!
//! A port stays what it is in the switch whatever changes; its device is made anew when its
//! namespace, its name, its offload or what kind it is changes. A tunnel whose bridge, UDP port or
//! local address changes ends and begins again.

mod changes;
mod edits;
mod moves;
mod show;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use crate::machine::{Drift, Machine};
use crate::{Attach, InterfaceName, Lab, ListenScope, Listener, Name, NextHop, Port};

pub use moves::is_reopened;
pub use step::{Device, Step};

use edits::Edit;
use moves::Cleared;

/// Steps in the order to execute them; empty when nothing differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    steps: Vec<Step>,
}

impl Plan {
    /// The steps that turn `current` into `wanted` where the machine is as `current` says.
    pub fn between(current: &Lab, wanted: &Lab) -> Self {
        Self::on(&Machine::default(), current, wanted)
    }

    /// The steps that turn `current` into `wanted`, and the devices of `machine` into what `wanted`
    /// says.
    pub fn on(machine: &Machine, current: &Lab, wanted: &Lab) -> Self {
        let comparison = Comparison::new(machine, current, wanted);
        let mut steps = Vec::new();
        comparison.remove_rules(&mut steps);
        comparison.add_masquerades(&mut steps);
        comparison.remove_members_and_bridges(&mut steps);
        comparison.set_in_place(&mut steps);
        comparison.add_members(&mut steps);
        comparison.remove_masquerades(&mut steps);
        comparison.add_rules(&mut steps);
        Self { steps }
    }

    /// What to do, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// One line a step, or `no changes`.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str("no changes");
        }
        for (index, step) in self.steps.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{step}")?;
        }
        Ok(())
    }
}

struct Comparison<'a> {
    machine: &'a Machine,
    current: &'a Lab,
    wanted: &'a Lab,
    /// Tunnels that end and begin again.
    reopened: BTreeSet<&'a Name>,
    /// Bridges that go when ports that stay have left them.
    left: BTreeSet<&'a Name>,
    /// Ports and tunnels, there before and after, that lose what is bound to them in between.
    unbound: BTreeSet<&'a Name>,
    cleared: Cleared,
    /// Interfaces that are away for a while, or for good.
    unsettled: BTreeSet<InterfaceName>,
    /// Own addresses whose interface stays what it is throughout.
    settled: BTreeSet<Ipv4Addr>,
    masquerade: Vec<Edit>,
}

impl<'a> Comparison<'a> {
    fn new(machine: &'a Machine, current: &'a Lab, wanted: &'a Lab) -> Self {
        let ports = || both(&current.ports, &wanted.ports);
        let tunnels = || both(&current.tunnels, &wanted.tunnels);
        let reopened = tunnels().filter(|(from, to)| is_reopened(from, to));
        let reopened: BTreeSet<&Name> = reopened.map(|(from, _)| &from.name).collect();
        let left = ports().filter_map(|(from, _)| from.bridge());
        let left: BTreeSet<&Name> =
            left.filter(|bridge| !wanted.bridges.contains_key(*bridge)).collect();
        let goes_early = |owner: &Name| match current.ports.contains_key(owner) {
            true => !wanted.ports.contains_key(owner),
            false => !wanted.bridges.contains_key(owner) && !left.contains(owner),
        };
        let moving = moves::moving(current, wanted, goes_early);
        let cleared = Cleared::new(current, wanted, &moving);
        let unbound_ports = ports().filter(|(from, to)| is_unbound_port(from, to));
        let unbound_tunnels = tunnels().filter(|(from, to)| {
            is_reopened(from, to)
                || (from.vni, from.vlans) != (to.vni, to.vlans)
                || cleared.tunnels.contains_key(&from.name)
        });
        let unbound = unbound_ports.map(|(from, _)| &from.name);
        let unbound = unbound.chain(unbound_tunnels.map(|(from, _)| &from.name)).collect();
        let unsettled = current
            .interfaces()
            .into_iter()
            .map(|interface| interface.name)
            .filter(|name| {
                let is_port = |lab: &Lab| lab.ports.contains_key(&name.owner);
                is_port(current) != is_port(wanted)
                    || cleared.addresses(current, name).is_empty()
                    || wanted.addresses(name).is_empty()
            })
            .collect();
        let settled = moves::settled(current, wanted, &cleared, &unsettled);
        let masquerade = edits::between(&current.masquerade, &wanted.masquerade);
        Self {
            machine,
            current,
            wanted,
            reopened,
            left,
            unbound,
            cleared,
            unsettled,
            settled,
            masquerade,
        }
    }

    fn remove_rules(&self, steps: &mut Vec<Step>) {
        for (listener, target) in &self.current.publish {
            if !self.wanted.publish.contains_key(listener) || self.listener_moves(listener) {
                steps.push(Step::RemovePublish(listener.clone(), *target));
            }
        }
        for (to, hop) in &self.current.routes {
            if !self.wanted.routes.contains_key(to) || self.hop_ends(hop) {
                steps.push(Step::RemoveRoute(*to, hop.clone()));
            }
        }
        for entry in &self.current.statics {
            if !self.wanted.statics.contains(entry) || self.unbound.contains(&entry.port) {
                steps.push(Step::RemoveStatic(entry.clone()));
            }
        }
    }

    fn add_masquerades(&self, steps: &mut Vec<Step>) {
        for (at, edit) in self.masquerade.iter().enumerate() {
            if let Edit::Add(index) = edit
                && let Some(rule) = self.wanted.masquerade.get(*index)
            {
                steps.push(Step::AddMasquerade { at, rule: rule.clone() });
            }
        }
    }

    fn remove_members_and_bridges(&self, steps: &mut Vec<Step>) {
        for (name, tunnel) in &self.current.tunnels {
            if !self.wanted.tunnels.contains_key(name) || self.reopened.contains(name) {
                steps.push(Step::RemoveTunnel(tunnel.clone()));
            }
        }
        for (name, port) in &self.current.ports {
            if !self.wanted.ports.contains_key(name) {
                steps.push(Step::RemovePort(port.clone()));
            }
        }
        self.remove_bridges(steps, |name| !self.left.contains(name));
    }

    fn remove_bridges(&self, steps: &mut Vec<Step>, which: impl Fn(&Name) -> bool) {
        for (name, bridge) in &self.current.bridges {
            if !self.wanted.bridges.contains_key(name) && which(name) {
                let between = self.cleared.bridges.get(name).unwrap_or(bridge);
                steps.push(Step::RemoveBridge(between.clone()));
            }
        }
    }

    fn set_in_place(&self, steps: &mut Vec<Step>) {
        let (current, wanted, cleared) = (self.current, self.wanted, &self.cleared);
        if current.settings != wanted.settings {
            let (from, to) = (current.settings.clone(), wanted.settings.clone());
            steps.push(Step::SetSettings { from, to });
        }
        steps.extend(cleared.steps(current));
        for (from, to) in both(&current.bridges, &wanted.bridges) {
            let from = cleared.bridges.get(&from.name).unwrap_or(from);
            if from != to {
                steps.push(Step::SetBridge { from: from.clone(), to: to.clone() });
            }
        }
        for (name, bridge) in &wanted.bridges {
            if !current.bridges.contains_key(name) {
                steps.push(Step::AddBridge(bridge.clone()));
            }
        }
        for (from, to) in both(&current.ports, &wanted.ports) {
            steps.extend(self.mend(from, to));
            let from = cleared.ports.get(&from.name).unwrap_or(from);
            if from != to {
                steps.push(Step::SetPort { from: from.clone(), to: to.clone() });
            }
        }
        for (from, to) in both(&current.tunnels, &wanted.tunnels) {
            let from = cleared.tunnels.get(&from.name).unwrap_or(from);
            if from != to && !self.reopened.contains(&from.name) {
                steps.push(Step::SetTunnel { from: from.clone(), to: to.clone() });
            }
        }
        self.remove_bridges(steps, |name| self.left.contains(name));
    }

    /// What a port that stays needs for its device to be as its lab says, besides what changes in
    /// the lab.
    fn mend(&self, from: &Port, to: &Port) -> Option<Step> {
        if step::is_remade(from, to) {
            return None;
        }
        if self.machine.lost.contains(&to.name) {
            return Some(Step::RestorePort(to.clone()));
        }
        let state = self.machine.devices.get(&to.name)?;
        if matches!(to.attach, Attach::Interface(_)) {
            return None;
        }
        let before = state.drift(from);
        let mut drift = state.drift(to);
        // What the lab changes is set with that; the gateway needs the new address.
        drift.retain(|drift| match drift {
            Drift::Gateway(..) if from.address != to.address => false,
            drift => before.contains(drift),
        });
        (!drift.is_empty()).then(|| Step::MendPort { port: to.clone(), drift })
    }

    fn add_members(&self, steps: &mut Vec<Step>) {
        for (name, port) in &self.wanted.ports {
            if !self.current.ports.contains_key(name) {
                steps.push(Step::AddPort(port.clone()));
            }
        }
        for (name, tunnel) in &self.wanted.tunnels {
            if !self.current.tunnels.contains_key(name) || self.reopened.contains(name) {
                steps.push(Step::AddTunnel(tunnel.clone()));
            }
        }
    }

    fn remove_masquerades(&self, steps: &mut Vec<Step>) {
        for (at, edit) in self.masquerade.iter().enumerate().rev() {
            if let Edit::Remove(index) = edit
                && let Some(rule) = self.current.masquerade.get(*index)
            {
                steps.push(Step::RemoveMasquerade { at, rule: rule.clone() });
            }
        }
    }

    fn add_rules(&self, steps: &mut Vec<Step>) {
        for entry in &self.wanted.statics {
            if !self.current.statics.contains(entry) || self.unbound.contains(&entry.port) {
                steps.push(Step::AddStatic(entry.clone()));
            }
        }
        for (to, hop) in &self.wanted.routes {
            match self.current.routes.get(to).filter(|from| !self.hop_ends(from)) {
                None => steps.push(Step::AddRoute(*to, hop.clone())),
                Some(from) if from != hop => {
                    steps.push(Step::SetRoute { to: *to, from: from.clone(), hop: hop.clone() });
                }
                Some(_) => {}
            }
        }
        for (listener, to) in &self.wanted.publish {
            let kept = |_: &&_| !self.listener_moves(listener);
            let listener = listener.clone();
            match self.current.publish.get(&listener).filter(kept) {
                None => steps.push(Step::AddPublish(listener, *to)),
                Some(from) if from != to => {
                    steps.push(Step::SetPublish { listener, from: *from, to: *to });
                }
                Some(_) => {}
            }
        }
    }

    /// Whether a route to this hop cannot stay while the rest changes.
    fn hop_ends(&self, hop: &NextHop) -> bool {
        match hop {
            NextHop::Reject(_) => false,
            NextHop::Out(out) => self.unsettled.contains(out),
            NextHop::Via { gateway, out } => {
                let subnets = self.wanted.addresses(out);
                self.unsettled.contains(out) || !subnets.iter().any(|net| net.contains(gateway))
            }
        }
    }

    /// Whether a listener's addresses are with another interface, or away for a while.
    fn listener_moves(&self, listener: &Listener) -> bool {
        match &listener.scope {
            ListenScope::Any => false,
            ListenScope::Interface(name) => self.unsettled.contains(name),
            ListenScope::Address(address) => !self.settled.contains(address),
        }
    }
}

/// Whether what is bound to a port of a bridge is lost when it changes so.
fn is_unbound_port(from: &Port, to: &Port) -> bool {
    let place = |port: &Port| {
        let member = port.membership()?;
        Some((member.bridge.clone(), member.vlan_mode.clone()))
    };
    place(from) != place(to)
}

/// What is there before and after, as it is and as it will be.
fn both<'a, T>(
    current: &'a BTreeMap<Name, T>,
    wanted: &'a BTreeMap<Name, T>,
) -> impl Iterator<Item = (&'a T, &'a T)> {
    current.iter().filter_map(|(name, from)| Some((from, wanted.get(name)?)))
}

#[cfg(test)]
mod tests;
