//! The few steps from the lab that runs to the lab that is wanted.
//!
//! # Theory of operation
//!
//! Steps run in this order, so that whoever refers to something comes after it and goes before it:
//!
//! | | steps | why there |
//! |---|---|---|
//! | 1 | `-` publish, route, static entry | they refer to ports and interfaces |
//! | 2 | `+` masquerade | before any new source can reach its way out |
//! | 3 | `-` tunnel, `-` port, then `-` bridge | sockets, devices and subnets become free |
//! | 4 | `~` settings, bridge, port, tunnel | in place: devices stay, flows stay |
//! | 5 | `+` bridge, `+` port, then `+` tunnel | into the free place |
//! | 6 | `-` masquerade | when no old source is left |
//! | 7 | `+` static entry, `+` `~` route, `+` `~` publish | everything they refer to is there |
//!
//! A masquerade rule may thus name an interface that is not there yet or no longer; it rests. Whoever brings an
//! interface up makes its rules work in the same breath, or an inside address could slip out untranslated.
//!
//! A port keeps its device unless its namespace, device, offload or bridge changes; then it is removed and added. So is
//! a tunnel whose bridge, UDP port or local address changes, or that takes over a remote and VNI of another tunnel: no
//! two tunnels claim one peer's segment between two steps.
//! A subnet that moves from one interface to another in place is first cleared from the old one, so that no two
//! interfaces overlap between two steps.

mod edits;
mod moves;
mod show;
mod step;

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

use crate::{Bridge, InterfaceName, Lab, ListenScope, Listener, Name, NextHop};

pub use step::Step;

use edits::Edit;

/// Steps in the order to execute them; empty when nothing differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    steps: Vec<Step>,
}

impl Plan {
    /// The steps that turn `current` into `wanted`.
    pub fn between(current: &Lab, wanted: &Lab) -> Self {
        let comparison = Comparison::new(current, wanted);
        let mut steps = Vec::new();
        comparison.remove_rules(&mut steps);
        comparison.add_masquerades(&mut steps);
        comparison.remove_members_and_bridges(&mut steps);
        comparison.set_in_place(&mut steps);
        comparison.add_bridges_and_members(&mut steps);
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
    current: &'a Lab,
    wanted: &'a Lab,
    /// Ports and tunnels that are removed and added again.
    recreated: BTreeSet<&'a Name>,
    /// Bridges that lose moving subnets before anything else is set, as they are in between.
    cleared: Vec<Bridge>,
    /// Interfaces that are away for a while, or for good.
    unsettled: BTreeSet<InterfaceName>,
    /// Own addresses whose interface stays what it is throughout.
    settled: BTreeSet<Ipv4Addr>,
    masquerade: Vec<Edit>,
}

impl<'a> Comparison<'a> {
    fn new(current: &'a Lab, wanted: &'a Lab) -> Self {
        let mut recreated: BTreeSet<&Name> = BTreeSet::new();
        for (name, port) in &current.ports {
            if wanted.ports.get(name).is_some_and(|wanted| !moves::same_device(port, wanted)) {
                recreated.insert(name);
            }
        }
        recreated.extend(moves::remade_tunnels(current, wanted));
        let moving = moves::moving(current, wanted);
        for (name, _) in &moving {
            if let Some((port, _)) = current.ports.get_key_value(&name.owner) {
                recreated.insert(port);
            }
        }
        let cleared = moves::cleared(current, &moving);
        let unsettled = current
            .interfaces()
            .into_iter()
            .map(|interface| interface.name)
            .filter(|name| {
                let port_away = recreated.contains(&name.owner)
                    || current.ports.contains_key(&name.owner)
                        != wanted.ports.contains_key(&name.owner);
                let emptied = cleared.iter().any(|bridge| {
                    bridge.name == name.owner && bridge.addresses(name.vlan).is_empty()
                });
                port_away || emptied || wanted.addresses(name).is_empty()
            })
            .collect();
        let settled = moves::settled(current, wanted, &cleared, &unsettled);
        let masquerade = edits::between(&current.masquerade, &wanted.masquerade);
        Self { current, wanted, recreated, cleared, unsettled, settled, masquerade }
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
            if !self.wanted.statics.contains(entry) || self.recreated.contains(&entry.port) {
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
            if !self.wanted.tunnels.contains_key(name) || self.recreated.contains(name) {
                steps.push(Step::RemoveTunnel(tunnel.clone()));
            }
        }
        for (name, port) in &self.current.ports {
            if !self.wanted.ports.contains_key(name) || self.recreated.contains(name) {
                steps.push(Step::RemovePort(port.clone()));
            }
        }
        for (name, bridge) in &self.current.bridges {
            if !self.wanted.bridges.contains_key(name) {
                steps.push(Step::RemoveBridge(bridge.clone()));
            }
        }
    }

    fn set_in_place(&self, steps: &mut Vec<Step>) {
        if self.current.settings != self.wanted.settings {
            let (from, to) = (self.current.settings.clone(), self.wanted.settings.clone());
            steps.push(Step::SetSettings { from, to });
        }
        for to in &self.cleared {
            if let Some(from) = self.current.bridges.get(&to.name) {
                steps.push(Step::SetBridge { from: from.clone(), to: to.clone() });
            }
        }
        for (name, current) in &self.current.bridges {
            let between = self.cleared.iter().find(|bridge| bridge.name == *name);
            let from = between.unwrap_or(current);
            if let Some(to) = self.wanted.bridges.get(name).filter(|to| *to != from) {
                steps.push(Step::SetBridge { from: from.clone(), to: to.clone() });
            }
        }
        for (name, from) in &self.current.ports {
            if let Some(to) = self.wanted.ports.get(name).filter(|to| *to != from)
                && !self.recreated.contains(name)
            {
                steps.push(Step::SetPort { from: from.clone(), to: to.clone() });
            }
        }
        for (name, from) in &self.current.tunnels {
            if let Some(to) = self.wanted.tunnels.get(name).filter(|to| *to != from)
                && !self.recreated.contains(name)
            {
                steps.push(Step::SetTunnel { from: from.clone(), to: to.clone() });
            }
        }
    }

    fn add_bridges_and_members(&self, steps: &mut Vec<Step>) {
        for (name, bridge) in &self.wanted.bridges {
            if !self.current.bridges.contains_key(name) {
                steps.push(Step::AddBridge(bridge.clone()));
            }
        }
        for (name, port) in &self.wanted.ports {
            if !self.current.ports.contains_key(name) || self.recreated.contains(name) {
                steps.push(Step::AddPort(port.clone()));
            }
        }
        for (name, tunnel) in &self.wanted.tunnels {
            if !self.current.tunnels.contains_key(name) || self.recreated.contains(name) {
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
            if !self.current.statics.contains(entry) || self.recreated.contains(&entry.port) {
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

#[cfg(test)]
mod tests;
