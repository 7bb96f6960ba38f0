//! What is connected to what, by name and with few words.

use core::net::Ipv4Addr;
use core::time::Duration;

use packet::{BridgeId, Instant, InterfaceId, Ipv4Net, Mac, PortId, VlanId};
use switch::change::{
    BridgeSettings, Guard, Hop, InterfaceSettings, Link as Segment, Membership, PortSettings, Role,
    Route, RpFilter,
};
use switch::view::{Location, NeighborState, StationOrigin};
use switch::{Change, Event};

use crate::device::Device;
use crate::host::Host;
use crate::lab::{Cable, End, Lab};
use crate::port::{Port, id};
use crate::wire::Address;

/// People's names for the switch's numbers.
#[derive(Debug, Default)]
pub(crate) struct Names {
    ports: Vec<String>,
    bridges: Vec<String>,
    interfaces: Vec<String>,
}

impl Names {
    pub(crate) fn port(&self, name: &str) -> PortId {
        PortId::new(position(&self.ports, name).unwrap_or_else(|| panic!("no port {name}")) as u32)
    }

    pub(crate) fn port_name(&self, port: PortId) -> &str {
        self.ports.get(port.index()).map_or("a port without a name", String::as_str)
    }
}

fn position(names: &[String], name: &str) -> Option<usize> {
    names.iter().position(|known| known == name)
}

pub(crate) fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap_or_else(|_| panic!("not an address with a prefix: {text}"))
}

impl Lab {
    /// Makes a bridge with Open vSwitch's settings.
    pub fn bridge(&mut self, name: &str) {
        self.bridge_with(name, BridgeSettings::default());
    }

    /// Makes a bridge, or changes its settings.
    pub fn bridge_with(&mut self, name: &str, settings: BridgeSettings) {
        if position(&self.names.bridges, name).is_none() {
            self.names.bridges.push(name.into());
        }
        self.change(Change::SetBridge(self.bridge_id(name), settings));
    }

    /// Gives the router an address (or one more) on a bridge, or with `name` as `br0.10` on a VLAN
    /// of it.
    pub fn router(&mut self, name: &str, address: &str) {
        let (bridge, vlan) = name.split_once('.').unwrap_or((name, "0"));
        let vlan = id(vlan.parse().expect("a VLAN's number"));
        let link = Segment::Vlan { bridge: self.bridge_id(bridge), vlan };
        self.interface(name, link, &[address.into()], 1500);
    }

    /// Changes how large packets may be that the router sends on an interface.
    pub fn router_mtu(&mut self, name: &str, mtu: u16) {
        let interface = self.interface_id(name);
        let settings = InterfaceSettings { mtu, ..self.checks.interfaces[&interface].clone() };
        self.change(Change::SetInterface(interface, settings));
    }

    /// Sets whose packets the router takes on an interface.
    pub fn rp_filter(&mut self, name: &str, rp_filter: RpFilter) {
        let settings = InterfaceSettings { rp_filter, ..self.interface_settings(name) };
        self.change(Change::SetInterface(self.interface_id(name), settings));
    }

    fn interface(&mut self, name: &str, link: Segment, addresses: &[String], mtu: u16) {
        if position(&self.names.interfaces, name).is_none() {
            self.names.interfaces.push(name.into());
        }
        let interface = self.interface_id(name);
        let old = self.checks.interfaces.get(&interface);
        let mac = Mac([2, 0xff, 0, 0, self.site, interface.number() as u8 + 1]);
        let mut all = old.map_or_else(Vec::new, |old| old.addresses.clone());
        all.extend(addresses.iter().map(|address| net(address)));
        let rp_filter = old.map_or_else(RpFilter::default, |old| old.rp_filter);
        let settings = InterfaceSettings { link, mac, addresses: all, mtu, rp_filter };
        self.change(Change::SetInterface(interface, settings));
    }

    /// Adds a port, up, with a station at its end that only a test makes speak.
    pub fn station(&mut self, name: &str, port: Port) {
        self.connect_end(name, port, |mac, _| End::Station { mac, addresses: Vec::new() });
    }

    /// Adds a port, up, with a station at its end that answers ARP requests for an address.
    pub fn peer(&mut self, name: &str, port: Port, address: impl Address) {
        let addresses = vec![address.address()];
        self.connect_end(name, port, |mac, _| End::Station { mac, addresses });
    }

    /// Adds a port, up, with a host at its end. Its gateway is the router's address in its subnet,
    /// if there is one.
    pub fn host(&mut self, name: &str, port: Port, address: &str) {
        let (address, mtu, offload) = (net(address), port.mtu, port.offload);
        let now = self.now;
        self.connect_end(name, port, |mac, lab| {
            let own = lab.checks.interfaces.values().flat_map(|own| &own.addresses);
            let gateway = own.map(Ipv4Net::addr).find(|own| address.contains(own));
            let device = Device::new(usize::from(mtu), offload);
            End::Host(Box::new(Host::new(now, mac, address, gateway, device)))
        });
    }

    fn connect_end(&mut self, name: &str, port: Port, end: impl FnOnce(Mac, &Self) -> End) {
        self.port(name, &port);
        let id = self.names.port(name);
        let mac = self.station_mac(id);
        let end = end(mac, self);
        let cable = Cable { link: port.link, offload: port.offload, end, inbox: Vec::new() };
        self.cables.insert(id, cable);
        self.up(name);
    }

    /// Adds a port, down and with nothing at its end, or changes its settings.
    pub fn port(&mut self, name: &str, port: &Port) {
        let id = self.number_port(name);
        let role = match &port.bridge {
            Some(bridge) => Role::Bridged(Membership {
                bridge: self.bridge_id(bridge),
                vlans: port.vlans.clone(),
                priority_tags: port.priority_tags,
                isolated: port.isolated,
            }),
            None => {
                self.interface(name, Segment::Port(id), &port.addresses, port.mtu);
                Role::Routed { interface: self.interface_id(name) }
            }
        };
        let guard = port.guard.as_ref().map(|addresses| Guard {
            mac: self.station_mac(id),
            addresses: addresses.iter().map(|address| address.as_str().address()).collect(),
        });
        self.change(Change::SetPort(id, PortSettings { role, mtu: port.mtu, guard }));
    }

    /// The MAC address of whoever is at the end of a port's cable.
    const fn station_mac(&self, port: PortId) -> Mac {
        Mac([2, 0, 0, 0, self.site, port.number() as u8 + 1])
    }

    /// The number of a port, given now if it has none.
    pub(crate) fn number_port(&mut self, name: &str) -> PortId {
        if position(&self.names.ports, name).is_none() {
            self.names.ports.push(name.into());
        }
        self.names.port(name)
    }

    /// A port's device comes up.
    pub fn up(&mut self, port: &str) {
        self.step(Event::PortUp(self.names.port(port)));
        self.settle();
    }

    /// A port's device goes down.
    pub fn down(&mut self, port: &str) {
        self.step(Event::PortDown(self.names.port(port)));
        self.settle();
    }

    /// Writes a route to a neighbour router.
    pub fn route(&mut self, to: &str, via: impl Address) {
        self.route_to(to, Hop::Via(via.address()));
    }

    /// Writes a route.
    pub fn route_to(&mut self, to: &str, hop: Hop) {
        self.change(Change::SetRoute(Route { to: net(to), hop }));
    }

    /// The switch's number for a port.
    pub fn port_id(&self, name: &str) -> PortId {
        self.names.port(name)
    }

    /// The switch's number for a bridge.
    pub fn bridge_id(&self, name: &str) -> BridgeId {
        let at = position(&self.names.bridges, name).unwrap_or_else(|| panic!("no bridge {name}"));
        BridgeId::new(at as u16)
    }

    /// The switch's number for a router interface: a bridge's, a VLAN's as `br0.10`, or a routed
    /// port's.
    pub fn interface_id(&self, name: &str) -> InterfaceId {
        let at = position(&self.names.interfaces, name);
        InterfaceId::new(at.unwrap_or_else(|| panic!("no interface {name}")) as u16)
    }

    /// The MAC address at the end of a port's cable.
    pub fn mac(&self, port: &str) -> Mac {
        let cable = self.cables.get(&self.names.port(port));
        cable.unwrap_or_else(|| panic!("nothing is at {port}")).end.mac()
    }

    /// The router's MAC address on an interface.
    pub fn router_mac(&self, interface: &str) -> Mac {
        self.checks.interfaces[&self.interface_id(interface)].mac
    }

    /// An interface's settings as they are.
    pub fn interface_settings(&self, interface: &str) -> InterfaceSettings {
        self.checks.interfaces[&self.interface_id(interface)].clone()
    }

    /// The MAC address of the router on the segment of a port's untagged frames.
    pub(crate) fn router_beside(&self, port: &str) -> Mac {
        let segment = match &self.checks.ports[&self.names.port(port)].role {
            Role::Routed { interface } => return self.checks.interfaces[interface].mac,
            Role::Bridged(member) | Role::Tunnel(member, _) => {
                let vlan = member.vlans.admit(None).unwrap_or(VlanId::UNTAGGED);
                Segment::Vlan { bridge: member.bridge, vlan }
            }
            Role::Underlay => panic!("{port} is in no segment"),
        };
        let own = self.checks.interfaces.values().find(|own| own.link == segment);
        own.unwrap_or_else(|| panic!("no router beside {port}")).mac
    }

    /// The port behind which a bridge knows a station; "router" for the router's own.
    pub fn location(&self, bridge: &str, vlan: u16, mac: Mac) -> Option<&str> {
        let stations = self.switch.stations(self.now, self.bridge_id(bridge));
        let station = stations.into_iter().find(|s| s.mac == mac && s.vlan.number() == vlan)?;
        match station.location {
            Location::Port(port) | Location::Remote { tunnel: port, .. } => {
                Some(self.names.port_name(port))
            }
            Location::Router(_) => Some("router"),
        }
    }

    /// The far end behind which a bridge knows a station.
    pub fn vtep(&self, bridge: &str, vlan: u16, mac: Mac) -> Option<Ipv4Addr> {
        let stations = self.switch.stations(self.now, self.bridge_id(bridge));
        let station = stations.into_iter().find(|s| s.mac == mac && s.vlan.number() == vlan)?;
        match station.location {
            Location::Remote { remote, .. } => Some(remote),
            Location::Port(_) | Location::Router(_) => None,
        }
    }

    /// The stations that a bridge has learned, with the time since each was heard, by VLAN and
    /// address.
    pub fn learned(&self, bridge: &str) -> Vec<(Mac, u16, &str, Duration)> {
        let stations = self.switch.stations(self.now, self.bridge_id(bridge)).into_iter();
        let learned = stations.filter(|station| station.origin == StationOrigin::Learned);
        let line = |station: switch::view::Station| {
            let port = self.names.port_name(station.location.port()?);
            Some((station.mac, station.vlan.number(), port, station.age))
        };
        learned.filter_map(line).collect()
    }

    /// What the router knows of a neighbour.
    pub fn neighbor(&self, interface: &str, address: &str) -> Option<(NeighborState, Option<Mac>)> {
        let (interface, address): (_, Ipv4Addr) = (self.interface_id(interface), address.address());
        let neighbors = self.switch.neighbors().into_iter();
        let mut known = neighbors.filter(|n| (n.interface, n.address) == (interface, address));
        known.next().map(|neighbor| (neighbor.state, neighbor.mac))
    }

    /// Keeps the lab's own idea of the switch's settings in step.
    pub(crate) fn note(&mut self, change: Change) {
        match change {
            Change::SetPort(port, settings) => {
                self.checks.ports.insert(port, settings);
            }
            Change::DeletePort(port) => {
                let old = self.checks.ports.remove(&port);
                self.checks.gone_ports.extend(old.map(|old| (port, old)));
                self.checks.up.remove(&port);
            }
            Change::SetInterface(interface, settings) => {
                self.checks.set_interface(interface, Some(settings));
            }
            Change::DeleteInterface(interface) => {
                let old = self.checks.set_interface(interface, None);
                self.checks.gone_interfaces.extend(old.map(|old| (interface, old)));
            }
            Change::SetRules(rules) => self.checks.rules = rules,
            _ => {}
        }
    }

    /// How long ago `then` was.
    pub fn since(&self, then: Instant) -> Duration {
        self.now.since(then)
    }
}
