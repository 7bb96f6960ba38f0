//! Any topology: bridges, ports in every VLAN mode, routed ports, routes, rules and tunnels.

use core::time::Duration;

use nat::{Filtering, Limits, Listen, Mapping, Masquerade, PortRange, Publish, Rules};
use packet::Protocol;
use packet::{InterfaceId, VlanId};
use switch::Change;
use switch::change::{
    BridgeSettings, Guard, Hop, InterfaceSettings, Membership, PortSettings, Reject, Role, Route,
};
use switch::vlan::{PriorityTags, VlanMode, VlanSet};

use super::bytes::Bytes;
use crate::lab::{End, Lab};
use crate::port::Port;
use crate::topology::net;
use crate::tunnel::Tunnel;
use crate::wire::{Address, Socket};

pub(super) const BRIDGES: [&str; 2] = ["br0", "br1"];
pub(super) const TUNNELS: [&str; 2] = ["t0", "t1"];
pub(super) const REMOTES: [&str; 4] = ["192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.9"];
const PORTS: [&str; 6] = ["p0", "p1", "p2", "p3", "p4", "p5"];
const VLANS: [u16; 3] = [0, 10, 20];

/// A lab with what is in it, by name.
pub(super) struct Town {
    pub(super) lab: Lab,
    pub(super) ports: Vec<&'static str>,
    pub(super) interfaces: Vec<&'static str>,
    pub(super) has_tunnels: bool,
}

impl Town {
    /// The town that the first bytes describe.
    pub(super) fn read(bytes: &mut Bytes<'_>) -> Self {
        let mut lab = Lab::new(1);
        lab.predict();
        for bridge in BRIDGES {
            lab.bridge_with(bridge, bridge_settings(bytes));
        }
        lab.router("br0", "192.168.0.1/24");
        let mut town = Self { lab, ports: Vec::new(), interfaces: vec!["br0"], has_tunnels: false };
        for (name, address) in [("br0.10", "192.168.10.1/24"), ("br1", "192.168.1.1/24")] {
            if !bytes.one_in(3) {
                town.lab.router(name, address);
                town.interfaces.push(name);
            }
        }
        let count = 2 + bytes.below(PORTS.len() - 1);
        PORTS[..count].iter().enumerate().for_each(|(at, name)| town.connect(bytes, at, name));
        if bytes.one_in(2) {
            town.dig(bytes);
        }
        for _ in 0..bytes.below(4) {
            let change = Change::SetRoute(town.route(bytes));
            let _ = town.lab.try_change(change);
        }
        let rules = town.rules(bytes);
        town.lab.set_rules(rules);
        town.lab.change(Change::SetLimits(limits(bytes)));
        town.lab.clear();
        town
    }

    /// One more port with a station that has an address in every segment it may be in.
    fn connect(&mut self, bytes: &mut Bytes<'_>, at: usize, name: &'static str) {
        let mtu = bytes.pick(&[1500, 1500, 1500, 600, 9000, 68]);
        if bytes.one_in(4) {
            let routed = Port::routed(&format!("10.0.{at}.1/24")).mtu(mtu);
            self.lab.peer(name, routed, &*format!("10.0.{at}.2"));
            self.interfaces.push(name);
        } else {
            let port = Port::on(bytes.pick(&BRIDGES)).mtu(mtu);
            self.lab.station(name, if bytes.one_in(2) { port.offload() } else { port });
            let change = self.membership(bytes, name);
            self.lab.change(change);
            if !bytes.one_in(4) {
                let id = self.lab.port_id(name);
                if let End::Station { addresses, .. } = &mut self.lab.cable(id).end {
                    let own = ["192.168.0", "192.168.10", "192.168.1"];
                    addresses.extend(own.map(|net| format!("{net}.{}", 2 + at).as_str().address()));
                }
            }
        }
        self.ports.push(name);
    }

    /// Another way for a port to be in its bridge; of a port in none, nothing new.
    pub(super) fn membership(&self, bytes: &mut Bytes<'_>, port: &str) -> Change {
        let id = self.lab.port_id(port);
        let mut settings = self.port_settings(port);
        let is_guarded;
        if let Role::Bridged(member) = &mut settings.role {
            *member = Membership {
                vlans: vlans(bytes),
                priority_tags: bytes.pick(&[
                    PriorityTags::Never,
                    PriorityTags::IfNonzero,
                    PriorityTags::Always,
                ]),
                // One byte for both, so that what was found keeps its meaning.
                isolated: {
                    let choice = bytes.below(32);
                    is_guarded = choice / 4 == 7;
                    choice % 4 == 3
                },
                ..*member
            };
            settings.guard = is_guarded.then(|| Guard {
                mac: self.lab.mac(port),
                addresses: vec!["192.168.0.2".address(), "192.168.0.3".address()],
            });
        }
        Change::SetPort(id, settings)
    }

    /// A port's settings as they are, or as they were when it was deleted.
    pub(super) fn port_settings(&self, port: &str) -> PortSettings {
        let (id, checks) = (self.lab.port_id(port), &self.lab.checks);
        let settings = checks.ports.get(&id).or_else(|| checks.gone_ports.get(&id));
        settings.expect("a port that there was").clone()
    }

    /// An interface's settings as they are, or as they were when it was deleted.
    pub(super) fn interface_settings(&self, name: &str) -> InterfaceSettings {
        let (id, checks) = (self.lab.interface_id(name), &self.lab.checks);
        let gone = || checks.gone_interfaces.get(&id);
        let settings = checks.interfaces.get(&id).or_else(gone);
        settings.expect("an interface that there was").clone()
    }

    /// An underlay with two tunnels.
    fn dig(&mut self, bytes: &mut Bytes<'_>) {
        self.has_tunnels = true;
        self.lab.underlay("udp");
        for (name, vni) in TUNNELS.into_iter().zip([42, 43]) {
            let tunnel = Tunnel::on(bytes.pick(&BRIDGES), vni).to(REMOTES[0]);
            let tunnel = if bytes.one_in(2) { tunnel.to(REMOTES[1]) } else { tunnel };
            let tunnel = match bytes.below(3) {
                0 => tunnel,
                1 => tunnel.trunk(),
                _ => tunnel.vlan(10),
            };
            let tunnel = if bytes.one_in(4) { tunnel.isolated() } else { tunnel };
            let tunnel = if bytes.one_in(4) { tunnel.without_learning() } else { tunnel };
            let tunnel = if bytes.one_in(4) { tunnel.strict() } else { tunnel };
            self.lab.tunnel(name, &tunnel);
        }
    }

    pub(super) fn route(&self, bytes: &mut Bytes<'_>) -> Route {
        let to = ["0.0.0.0/0", "198.51.100.0/24", "198.51.100.9/32", "192.168.0.128/25"];
        let hop = match bytes.below(8) {
            0 => Hop::Reject(Reject::Unreachable),
            1 => Hop::Reject(Reject::Prohibit),
            2 => Hop::Reject(Reject::Blackhole),
            3 => Hop::Interface(self.interface(bytes)),
            at => Hop::Via(format!("10.0.{}.2", at - 3).as_str().address()),
        };
        Route { to: net(bytes.pick(&to)), hop }
    }

    pub(super) fn interface(&self, bytes: &mut Bytes<'_>) -> InterfaceId {
        self.lab.interface_id(bytes.pick(&self.interfaces))
    }

    pub(super) fn rules(&self, bytes: &mut Bytes<'_>) -> Rules {
        let mut rules = Rules::default();
        for _ in 0..bytes.below(3) {
            let source = ["192.168.0.0/24", "192.168.0.0/16", "192.168.0.3/32"];
            let inside_reachable;
            rules.masquerade.push(Masquerade {
                except: if bytes.one_in(3) { vec![net("198.51.100.64/28")] } else { Vec::new() },
                mapping: bytes
                    .pick(&[Mapping::EndpointIndependent, Mapping::AddressAndPortDependent]),
                filtering: bytes.pick(&[
                    Filtering::AddressAndPortDependent,
                    Filtering::AddressDependent,
                    Filtering::EndpointIndependent,
                ]),
                ports: bytes.pick(&[None, PortRange::new(4000, 4003), PortRange::new(1000, 1100)]),
                // One byte for both, so that what was found keeps its meaning.
                parity: {
                    let choice = bytes.below(4);
                    inside_reachable = choice > 1;
                    choice.is_multiple_of(2)
                },
                inside_reachable,
                ..Masquerade::new(net(bytes.pick(&source)), self.interface(bytes))
            });
        }
        for _ in 0..bytes.below(3) {
            let protocol = bytes.pick(&[Protocol::TCP, Protocol::UDP]);
            let on = self.interface(bytes);
            let listen = bytes.pick(&[Listen::Any, Listen::Interface(on)]);
            let to = ["192.168.0.2:80", "192.168.0.3:53", "192.168.1.3:80", "192.168.0.1:80"];
            let to = bytes.pick(&to).socket();
            rules.publish.push(Publish {
                protocol,
                listen,
                port: bytes.pick(&[80, 53, 4001]),
                to,
                keep: false,
            });
        }
        rules
    }
}

pub(super) fn bridge_settings(bytes: &mut Bytes<'_>) -> BridgeSettings {
    BridgeSettings {
        capacity: bytes.pick(&[8192, 8, 4, 2, 1]),
        ageing: Duration::from_secs(bytes.pick(&[300, 15])),
        forward: bytes.pick(&[0, 1, 1 << 14]),
        hub: bytes.one_in(8),
    }
}

pub(super) fn limits(bytes: &mut Bytes<'_>) -> Limits {
    Limits { flows: bytes.pick(&[20, 6]), flows_per_host: bytes.pick(&[20, 3]) }
}

fn vlans(bytes: &mut Bytes<'_>) -> VlanMode {
    let id = |number| VlanId::new(number).expect("a VLAN");
    let native = id(bytes.pick(&VLANS));
    let trunks = match bytes.below(3) {
        0 => VlanSet::All,
        1 => VlanSet::only([id(0), id(10)]),
        _ => VlanSet::only([id(20)]),
    };
    match bytes.below(5) {
        0 => VlanMode::Trunk(VlanSet::All),
        1 => VlanMode::Access(native),
        2 => VlanMode::Trunk(trunks),
        3 => VlanMode::NativeTagged { native, trunks },
        _ => VlanMode::NativeUntagged { native, trunks },
    }
}
