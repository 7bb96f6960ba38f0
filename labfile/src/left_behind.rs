//! What a lab still says of a subnet that a bridge has left: legal, and of no use.

use packet::Ipv4Net;

use super::lab::Lab;
use super::lab::interface::{Interface, InterfaceName};
use super::renumber::is_on;

/// A sentence for each port and rule of `new` that means a subnet that a bridge had in `old` and
/// has no longer, and one that says how to move them along.
pub fn left_behind(old: &Lab, new: &Lab) -> Vec<String> {
    let mut notes = Vec::new();
    for interface in old.interfaces() {
        let name = &interface.name;
        let now = new.addresses(name);
        let is_bridge = new.bridges.contains_key(&name.owner);
        for from in interface.addresses.iter().filter(|_| is_bridge) {
            let is_left = now.iter().all(|net| !net.contains(&from.network()));
            let told = notes.len();
            if is_left && !is_in(from.trunc(), &new.interfaces()) {
                of_subnet(&mut notes, new, name, *from);
            }
            if notes.len() > told
                && let Some(to) = now.iter().find(|net| !interface.addresses.contains(net))
            {
                notes.push(remedy(name, *from, *to));
            }
        }
    }
    notes
}

/// The command that moves a subnet's ports and rules, of a bridge that is at its new address
/// already.
fn remedy(name: &InterfaceName, from: Ipv4Net, to: Ipv4Net) -> String {
    let vlan = match name.vlan.is_untagged() {
        true => String::new(),
        false => format!(" --vlan {}", name.vlan),
    };
    let bridge = &name.owner;
    format!(
        "! to move them along: `tapswitch bridge renumber {bridge} {to} --from {from}{vlan}`; next time in place of `set`"
    )
}

fn of_subnet(notes: &mut Vec<String>, new: &Lab, name: &InterfaceName, from: Ipv4Net) {
    let subnet = from.trunc();
    for port in new.ports.values().filter(|port| is_on(port, name.owner.as_str(), name.vlan)) {
        for address in port.address.iter().filter(|address| subnet.contains(&address.addr())) {
            notes.push(format!(
                "! port {}: its address {address} is in no subnet of {name} any more, so the switch is no gateway for it",
                port.name
            ));
        }
    }
    for (number, rule) in (1..).zip(&new.masquerade) {
        if subnet.contains(&rule.source) {
            notes.push(format!(
                "! masquerade {number}: its source {} is in no subnet of the switch any more",
                rule.source
            ));
        }
    }
    for (listener, to) in new.publish.iter().filter(|(_, to)| subnet.contains(&to.address)) {
        notes.push(format!("! publish {listener}: {to} is in no subnet of the switch any more"));
    }
}

fn is_in(subnet: Ipv4Net, interfaces: &[Interface<'_>]) -> bool {
    let mut addresses = interfaces.iter().flat_map(|interface| interface.addresses);
    addresses.any(|net| net.contains(&subnet))
}
