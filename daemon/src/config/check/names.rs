//! Names: bridges, ports and tunnels are one family, because listings, drops and rules show them side by side.

use crate::config::lab::name::Name;
use crate::config::problem::{Fault, quoted};
use crate::config::spec::LabSpec;

/// The name of a bridge, port or tunnel, unlike any other.
pub(super) fn name(text: &str) -> Result<Name, Fault> {
    text.parse().map_err(|error| {
        let remedy = "write a name such as \"red\" or \"br0\"";
        Fault::new(format!("{} is not a name: {error}", quoted(text)), remedy)
    })
}

/// A name that no bridge has, and that is not how one of its VLANs is called.
pub(super) fn of_port(name: Name, spec: &LabSpec) -> Result<Name, Fault> {
    unlike_bridges(name, "port", spec)
}

/// A name that neither a bridge nor a port has, and that is not how a bridge's VLAN is called.
pub(super) fn of_tunnel(name: Name, spec: &LabSpec) -> Result<Name, Fault> {
    if spec.port.contains_key(name.as_str()) {
        return Err(Fault::new("a port has this name too", "give the tunnel another name"));
    }
    unlike_bridges(name, "tunnel", spec)
}

fn unlike_bridges(name: Name, kind: &str, spec: &LabSpec) -> Result<Name, Fault> {
    let remedy = format!("give the {kind} another name");
    if spec.bridge.contains_key(name.as_str()) {
        return Err(Fault::new("a bridge has this name too", remedy));
    }
    if let Some((owner, vlan)) = name.as_str().rsplit_once('.')
        && spec.bridge.contains_key(owner)
        && vlan.bytes().all(|byte| byte.is_ascii_digit())
    {
        let wrong = format!("this is how VLAN {vlan} of bridge \"{owner}\" is called");
        return Err(Fault::new(wrong, remedy));
    }
    Ok(name)
}
