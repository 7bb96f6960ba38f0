//! `[port.NAME]`: the far end's address, gateway, size, and the parts joined.

use std::net::Ipv4Addr;

use packet::Ipv4Net;

use super::{Findings, attach, bridge, names, segment, value};
use crate::lab::Lab;
use crate::lab::derived::{self, Role};
use crate::lab::name::Name;
use crate::lab::port::{Attach, DEFAULT_MTU, Port, SUPER_FRAME, Segment};
use crate::place::Place;
use crate::problem::Fault;
use crate::spec::texts::BoolOrText;
use crate::spec::{LabSpec, PortSpec};

/// Adds every legal port to the lab, whose bridges are known.
pub(super) fn check(spec: &LabSpec, lab: &mut Lab, findings: &mut Findings) {
    let ports = Place::root().key("port");
    for (text, written) in &spec.port {
        if findings.is_full() {
            return;
        }
        let place = ports.key(text);
        let name = names::name(text).and_then(|name| names::of_port(name, spec, &findings.recency));
        let name = findings.keep(place.clone(), name);
        let port = port(text, name, written, &place, Surroundings { spec, lab }, findings);
        if let Some(port) = port {
            lab.ports.insert(port.name.clone(), port);
        }
    }
}

/// What a port may refer to.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) spec: &'a LabSpec,
    pub(super) lab: &'a Lab,
}

fn port(
    text: &str,
    name: Option<Name>,
    written: &PortSpec,
    place: &Place,
    around: Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Port> {
    // Every key, so that a new one is asked for here; `attach` and `segment` read those without a
    // name.
    #[rustfmt::skip]
    let PortSpec {
        netns: _, pid: _, host: _, interface: _, link: _, master: _, device: _, bridge: _, vlan: _,
        trunks: _, native: _, vlan_mode: _, cvlans: _, qinq_ethertype: _, priority_tags: _,
        isolated: _, router: _, router_mac: _, rp_filter: _,
        mac, mtu, address, gateway, offload, guard,
    } = written;
    let attach = attach::check(written, place, findings);
    let device = attach::device(text, written, place, findings);
    let mac = mac.as_deref().map(|text| value::station("mac", text));
    let mac = findings.keep_option(place.key("mac"), mac);
    let mtu = findings.keep_option(place.key("mtu"), mtu.map(value::mtu));
    let address = bridge::host_nets("address", address, &place.key("address"), findings);
    let segment = segment::check(text, written, place, around, findings);

    let (attach, address, segment) = (attach?, address?, segment?);
    enslaved_without_address(&attach, &address, place, findings)?;
    let bridge = written.bridge.as_ref().and_then(|bridge| around.spec.bridge.get(bridge));
    let guards = (*guard, bridge.and_then(|bridge| bridge.guard));
    let guard = self::guard(guards, (&attach, &address), place, findings)?;
    let routers = routers(&segment, around.lab);
    let default = match attach {
        Attach::Netns(_) | Attach::Veth(_) => default_gateway(&address, routers),
        Attach::Host { .. } | Attach::Interface(_) => None,
    };
    let gateway = self::gateway(gateway.as_ref(), &address, default);
    let gateway = findings.keep(place.key("gateway"), gateway);
    let mtu = mtu?.or_else(|| mtu_of_bridge(&attach, &segment, around.lab));
    Some(Port {
        name: name?,
        attach,
        device: device?,
        mac: mac?.unwrap_or_else(|| derived::mac(Role::Port, text, &address)),
        mtu: mtu.unwrap_or(DEFAULT_MTU),
        mtu_written: mtu.is_some(),
        super_frame: SUPER_FRAME,
        address,
        gateway: gateway?,
        offload: offload.unwrap_or(true),
        guard,
        segment,
    })
}

fn mtu_of_bridge(attach: &Attach, segment: &Segment, lab: &Lab) -> Option<u16> {
    match (attach, segment) {
        (Attach::Interface(_), _) | (_, Segment::Routed { .. }) => None,
        (_, Segment::Bridged(membership)) => lab.bridges.get(&membership.bridge)?.mtu,
    }
}

fn enslaved_without_address(
    attach: &Attach,
    address: &[Ipv4Net],
    place: &Place,
    findings: &mut Findings,
) -> Option<()> {
    let Attach::Host { master: Some(master) } = attach else {
        return Some(());
    };
    if address.is_empty() {
        return Some(());
    }
    findings.refuse(
        place.key("address"),
        format!("a device that {master} enslaves bears no address"),
        format!("delete `address`, and give it to {master} where that is defined"),
    );
    None
}

/// As written, else as the bridge says. A guard has to know whom it lets speak.
fn guard(
    (of_port, of_bridge): (Option<bool>, Option<bool>),
    (attach, address): (&Attach, &[Ipv4Net]),
    place: &Place,
    findings: &mut Findings,
) -> Option<bool> {
    if !of_port.or(of_bridge).unwrap_or(false) {
        return Some(false);
    }
    if !address.is_empty() {
        return Some(true);
    }
    let (place, who) = match of_port {
        Some(_) => (place.key("guard"), "`guard`"),
        None => (place.clone(), "`guard` of its bridge"),
    };
    let remedy = match attach {
        Attach::Netns(_) | Attach::Veth(_) | Attach::Host { master: None } => {
            "write address = \"ADDRESS/LENGTH\", or guard = false for everybody"
        }
        Attach::Host { master: Some(_) } | Attach::Interface(_) => {
            "write guard = false: who is behind such a port is not known"
        }
    };
    let wrong = format!("{who} lets only the port's own `address` speak, and it has none");
    findings.refuse(place, wrong, remedy);
    None
}

/// The switch's own addresses on the segment that the far end sees without tags.
fn routers<'a>(segment: &'a Segment, lab: &'a Lab) -> &'a [Ipv4Net] {
    match segment {
        Segment::Routed { router, .. } => router,
        Segment::Bridged(membership) => {
            let vlan = membership.vlan_mode.untagged();
            let bridge = lab.bridges.get(&membership.bridge);
            bridge.zip(vlan).map_or(&[], |(bridge, vlan)| bridge.addresses(vlan))
        }
    }
}

/// The first router address that shares a subnet with an address, as both see it.
fn default_gateway(address: &[Ipv4Net], routers: &[Ipv4Net]) -> Option<Ipv4Addr> {
    address.iter().find_map(|own| {
        let mut shared = routers
            .iter()
            .filter(|router| router.contains(&own.addr()) && own.contains(&router.addr()));
        shared.next().map(Ipv4Net::addr)
    })
}

fn gateway(
    written: Option<&BoolOrText>,
    address: &[Ipv4Net],
    default: Option<Ipv4Addr>,
) -> Result<Option<Ipv4Addr>, Fault> {
    let text = match written {
        None => return Ok(default),
        Some(BoolOrText::Bool(false)) => return Ok(None),
        Some(BoolOrText::Bool(true)) => {
            let remedy = "write an address, or false for none; left out, it is the switch's own";
            return Err(Fault::new("`gateway` is true", remedy));
        }
        Some(BoolOrText::Text(text)) if text == "none" => return Ok(None),
        Some(BoolOrText::Text(text)) => text,
    };
    let gateway = value::address("gateway", text)?;
    let Some(first) = address.first() else {
        let wrong = "`gateway` needs an `address` beside it";
        return Err(Fault::new(
            wrong,
            format!("write address = \"...\" in the subnet of {gateway}"),
        ));
    };
    if address.iter().any(|own| own.addr() == gateway) {
        let wrong = format!("gateway {gateway} is the port's own address");
        return Err(Fault::new(wrong, "write the router's address"));
    }
    let Some(subnet) = address.iter().find(|own| own.contains(&gateway)) else {
        let wrong = format!("gateway {gateway} is outside its subnet {}", first.trunc());
        let remedy = match default {
            Some(default) => format!("write gateway = \"{default}\""),
            None => format!("write an address of {}", first.trunc()),
        };
        return Err(Fault::new(wrong, remedy));
    };
    value::edge_of("gateway", gateway, *subnet)?;
    Ok(Some(gateway))
}
