//! Names: bridges, ports and tunnels are one family, because listings, drops and rules show them
//! side by side.

use crate::lab::name::Name;
use crate::problem::{Fault, quoted};
use crate::recency::Recency;
use crate::spec::LabSpec;

/// The name of a bridge, port or tunnel, unlike any other.
pub(super) fn name(text: &str) -> Result<Name, Fault> {
    text.parse().map_err(|error| {
        let remedy = "write a name such as \"red\" or \"br0\"";
        Fault::new(format!("{} is not a name: {error}", quoted(text)), remedy)
    })
}

/// The name of a bridge, when what has the same name was not there first.
pub(super) fn of_bridge(name: Name, spec: &LabSpec, recency: &Recency) -> Result<Name, Fault> {
    let text = name.as_str();
    let own = recency.bridge(text);
    let remedy = "give the bridge another name";
    let kinds = [
        ("port", spec.port.get_key_value(text).map(|(name, _)| recency.port(name))),
        ("tunnel", spec.tunnel.get_key_value(text).map(|(name, _)| recency.tunnel(name))),
    ];
    for (kind, other) in kinds {
        if other.is_some_and(|other| other < own) {
            return Err(Fault::new(format!("a {kind} has this name too"), remedy));
        }
    }
    let ports = spec.port.keys().map(|name| ("port", name, recency.port(name)));
    let tunnels = spec.tunnel.keys().map(|name| ("tunnel", name, recency.tunnel(name)));
    for (kind, other, rank) in ports.chain(tunnels) {
        if rank < own
            && let Some((owner, vlan)) = vlan_of(other)
            && owner == text
        {
            let wrong = format!("{kind} \"{other}\" is called as its VLAN {vlan} is");
            return Err(Fault::new(wrong, remedy));
        }
    }
    Ok(name)
}

/// A name that no bridge has, and that is not how one of its VLANs is called, unless the bridge
/// came later.
pub(super) fn of_port(name: Name, spec: &LabSpec, recency: &Recency) -> Result<Name, Fault> {
    let rank = recency.port(name.as_str());
    unlike_bridges(name, "port", rank, spec, recency)
}

/// A name that neither a bridge nor a port has, and that is not how a bridge's VLAN is called.
pub(super) fn of_tunnel(name: Name, spec: &LabSpec, recency: &Recency) -> Result<Name, Fault> {
    if spec.port.contains_key(name.as_str()) {
        return Err(Fault::new("a port has this name too", "give the tunnel another name"));
    }
    let rank = recency.tunnel(name.as_str());
    unlike_bridges(name, "tunnel", rank, spec, recency)
}

fn unlike_bridges(
    name: Name,
    kind: &str,
    rank: usize,
    spec: &LabSpec,
    recency: &Recency,
) -> Result<Name, Fault> {
    let remedy = format!("give the {kind} another name");
    let was_there =
        |bridge: &str| spec.bridge.contains_key(bridge) && recency.bridge(bridge) <= rank;
    if was_there(name.as_str()) {
        return Err(Fault::new("a bridge has this name too", remedy));
    }
    if let Some((owner, vlan)) = vlan_of(name.as_str())
        && was_there(owner)
    {
        let wrong = format!("this is how VLAN {vlan} of bridge \"{owner}\" is called");
        return Err(Fault::new(wrong, remedy));
    }
    Ok(name)
}

/// A name as that of a bridge's VLAN: "br0.10".
fn vlan_of(name: &str) -> Option<(&str, &str)> {
    let (owner, vlan) = name.rsplit_once('.')?;
    vlan.bytes().all(|byte| byte.is_ascii_digit()).then_some((owner, vlan))
}
