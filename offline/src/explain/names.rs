//! People's names for what the switch tells by number, and small phrases that several steps share.

use nat::facts::Endpoints;
use packet::icmp::IcmpError;
use packet::{BridgeId, InterfaceId, PortId, Protocol, Tag, VlanId};
use switch::view::{Location, NeighborView, Station, StationOrigin};

use crate::listing::rows::neighbor_state;
use crate::replay::label;
use labfile::Lab;
use labfile::ids::Ids;

/// The lab and its numbers.
#[derive(Copy, Clone)]
pub(super) struct Names<'a> {
    pub(super) ids: &'a Ids,
    pub(super) lab: &'a Lab,
}

impl Names<'_> {
    pub(super) fn port(&self, port: PortId) -> String {
        label(self.ids, port, None)
    }

    pub(super) fn bridge(&self, bridge: BridgeId) -> String {
        let mut all = self.ids.bridges();
        all.find(|(_, id)| *id == bridge).map_or_else(|| bridge.to_string(), |(n, _)| n.to_string())
    }

    pub(super) fn interface(&self, interface: InterfaceId) -> String {
        let name = self.ids.interface_name(interface);
        name.map_or_else(|| interface.to_string(), ToString::to_string)
    }

    /// `red`, `vx0@192.0.2.1`, or `router`.
    pub(super) fn place(&self, place: Location) -> String {
        match place {
            Location::Port(port) => self.port(port),
            Location::Remote { tunnel, remote } => label(self.ids, tunnel, Some(remote)),
            Location::Router(_) => "router".to_owned(),
        }
    }

    /// `behind red (learned, heard 3 s ago)`
    pub(super) fn station(&self, station: &Station) -> String {
        let place = self.place(station.location);
        match station.origin {
            StationOrigin::Learned => {
                format!("behind {place} (learned, heard {} s ago)", station.age.as_secs())
            }
            StationOrigin::Static => format!("behind {place} (static entry)"),
            StationOrigin::Own => "the router's own".to_owned(),
        }
    }

    /// The masquerade rule of this number, from 1: `masquerade 1 (10.0.0.0/8 out wan)`.
    pub(super) fn masquerade(&self, number: usize) -> String {
        let rule = number.checked_sub(1).and_then(|at| self.lab.masquerade.get(at));
        rule.map_or_else(
            || format!("masquerade {number}"),
            |rule| format!("masquerade {number} ({rule})"),
        )
    }

    /// The publish rule of this number, from 1: `publish 1 (203.0.113.1:80/tcp to 10.0.0.2:80)`.
    pub(super) fn publish(&self, number: usize) -> String {
        let rule = number.checked_sub(1).and_then(|at| self.lab.publish.iter().nth(at));
        rule.map_or_else(
            || format!("publish {number}"),
            |(listener, target)| format!("publish {number} ({listener} to {target})"),
        )
    }
}

/// `learned`, `static` or `own`.
pub(super) const fn origin(origin: StationOrigin) -> &'static str {
    match origin {
        StationOrigin::Learned => "learned",
        StationOrigin::Static => "static",
        StationOrigin::Own => "own",
    }
}

/// `VLAN 10`, or `no VLAN`.
pub(super) fn vlan(vlan: VlanId) -> String {
    if vlan.is_untagged() { "no VLAN".to_owned() } else { format!("VLAN {vlan}") }
}

/// `untagged`, `tagged VLAN 10`, `tagged VLAN 10 priority 5`.
pub(super) fn tag(tag: Option<Tag>) -> String {
    let Some(tag) = tag else { return "untagged".to_owned() };
    let named = tag.vlan().map_or_else(|| "4095".to_owned(), |vlan| vlan.to_string());
    match tag.priority() {
        0 => format!("tagged VLAN {named}"),
        priority => format!("tagged VLAN {named} priority {priority}"),
    }
}

/// `tcp 192.168.0.2:40000 > 198.51.100.7:80`, `icmp 192.168.0.2 > 198.51.100.7 id 7`
pub(super) fn ends(ends: &Endpoints) -> String {
    let Endpoints { protocol, source, destination, ports } = *ends;
    let name = protocol_name(protocol);
    match ports {
        Some((identifier, _)) if protocol == Protocol::ICMP => {
            format!("{name} {source} > {destination} id {identifier}")
        }
        Some((from, to)) => format!("{name} {source}:{from} > {destination}:{to}"),
        None => format!("{name} {source} > {destination}"),
    }
}

fn protocol_name(protocol: Protocol) -> String {
    match protocol {
        Protocol::TCP => "tcp".to_owned(),
        Protocol::UDP => "udp".to_owned(),
        Protocol::ICMP => "icmp".to_owned(),
        Protocol(number) => format!("protocol {number}"),
    }
}

/// `192.168.0.2:40000`; an ICMP query's identifier is its source's: `192.168.0.2 id 7`.
pub(super) fn source(ends: &Endpoints) -> String {
    match ends.ports {
        Some((identifier, _)) if ends.protocol == Protocol::ICMP => {
            format!("{} id {identifier}", ends.source)
        }
        Some((port, _)) => format!("{}:{port}", ends.source),
        None => ends.source.to_string(),
    }
}

/// `198.51.100.7:80`; of an ICMP query, with the identifier.
pub(super) fn destination(ends: &Endpoints) -> String {
    match ends.ports {
        Some((_, identifier)) if ends.protocol == Protocol::ICMP => {
            format!("{} id {identifier}", ends.destination)
        }
        Some((_, port)) => format!("{}:{port}", ends.destination),
        None => ends.destination.to_string(),
    }
}

/// `02:00:00:00:00:01 (reachable)`, or `not known`.
pub(super) fn neighbor(known: Option<&NeighborView>) -> String {
    let Some(known) = known else { return "not known".to_owned() };
    let state = neighbor_state(known.state);
    known.mac.map_or_else(|| format!("not known ({state})"), |mac| format!("{mac} ({state})"))
}

/// `net unreachable (3/0)`
pub(super) fn icmp_error(error: IcmpError) -> String {
    let (kind, code) = error.wire();
    let name = match error {
        IcmpError::NetUnreachable => "net unreachable".to_owned(),
        IcmpError::HostUnreachable => "host unreachable".to_owned(),
        IcmpError::ProtocolUnreachable => "protocol unreachable".to_owned(),
        IcmpError::PortUnreachable => "port unreachable".to_owned(),
        IcmpError::FragmentationNeeded { mtu } => format!("fragmentation needed, MTU {mtu}"),
        IcmpError::Prohibited => "prohibited".to_owned(),
        IcmpError::TtlExceeded => "time exceeded".to_owned(),
        IcmpError::ReassemblyTimeExceeded => "reassembly time exceeded".to_owned(),
    };
    format!("{name} (ICMP {kind}/{code})")
}
