//! `[[bridge.NAME.static]]`: stations known without being heard.

use std::collections::BTreeSet;

use packet::{Mac, VlanId};

use super::{Findings, value};
use crate::config::lab::Lab;
use crate::config::lab::bridge::{Bridge, Static};
use crate::config::lab::port::Membership;
use crate::config::place::Place;
use crate::config::problem::{Fault, quoted};
use crate::config::spec::{LabSpec, StaticSpec};

/// Adds every legal entry to the lab, whose bridges and ports are known.
pub(super) fn check(spec: &LabSpec, lab: &mut Lab, findings: &mut Findings) {
    let mut entries = BTreeSet::new();
    for (name, written) in &spec.bridge {
        let Some(bridge) = lab.bridges.get(name.as_str()) else {
            continue;
        };
        let place = Place::root().key("bridge").key(name).key("static");
        let mut taken: BTreeSet<(Mac, VlanId)> = BTreeSet::new();
        for (index, written) in written.statics.iter().enumerate() {
            if findings.is_full() {
                return;
            }
            let place = place.nth(index);
            let Some(entry) = entry(written, bridge, &place, spec, lab, findings) else {
                continue;
            };
            if taken.insert((entry.mac, entry.vlan)) {
                entries.insert(entry);
            } else {
                findings.refuse(
                    place.key("mac"),
                    format!("{} has an entry already", entry.mac),
                    "keep one of the two",
                );
            }
        }
        if taken.len() > usize::try_from(bridge.fdb_size).unwrap_or(usize::MAX) {
            findings.refuse(
                place.clone(),
                format!(
                    "{} static entries do not fit in fdb_size {}",
                    taken.len(),
                    bridge.fdb_size
                ),
                "write a larger fdb_size, or delete entries",
            );
        }
    }
    lab.statics = entries;
}

fn entry(
    written: &StaticSpec,
    bridge: &Bridge,
    place: &Place,
    spec: &LabSpec,
    lab: &Lab,
    findings: &mut Findings,
) -> Option<Static> {
    let mac = value::present("mac", &written.mac, "02:00:00:00:00:01")
        .and_then(|text| value::station("mac", text))
        .and_then(|mac| foreign(mac, bridge));
    let mac = findings.keep(place.key("mac"), mac);
    let vlan = written.vlan.map(|vlan| value::vlan("vlan", vlan));
    let vlan = findings.keep_option(place.key("vlan"), vlan);
    let member = value::present("port", &written.port, "NAME")
        .and_then(|text| member(text, bridge, spec, lab));
    let member = findings.keep(place.key("port"), member)??;
    let vlan = findings.keep(place.key("vlan"), in_vlan(vlan?, &written.port, member))?;
    let (port, _) = lab.ports.get_key_value(written.port.as_str())?;
    Some(Static { bridge: bridge.name.clone(), vlan, mac: mac?, port: port.clone() })
}

fn foreign(mac: Mac, bridge: &Bridge) -> Result<Mac, Fault> {
    if mac == bridge.mac {
        let wrong = format!("`mac` {mac} is the switch's own on this bridge");
        return Err(Fault::new(wrong, "delete the entry"));
    }
    Ok(mac)
}

/// The port as a member of the bridge; `Ok(None)` when the port is itself at fault.
fn member<'a>(
    text: &str,
    bridge: &Bridge,
    spec: &LabSpec,
    lab: &'a Lab,
) -> Result<Option<&'a Membership>, Fault> {
    let membership = lab.ports.get(text).and_then(|port| port.membership());
    let there = |membership: &&Membership| membership.bridge == bridge.name;
    if let Some(membership) = membership.filter(there) {
        return Ok(Some(membership));
    }
    if spec.port.contains_key(text) && !lab.ports.contains_key(text) {
        return Ok(None);
    }
    let members = lab.ports.values().filter(|port| port.bridge() == Some(&bridge.name));
    let remedy = value::meant(text, members.map(|port| port.name.as_str()));
    Err(Fault::new(format!("`port` {} is no port of this bridge", quoted(text)), remedy))
}

fn in_vlan(vlan: Option<VlanId>, port: &str, member: &Membership) -> Result<VlanId, Fault> {
    let mode = &member.vlan_mode;
    match (vlan, mode.untagged()) {
        (Some(vlan), _) if mode.passes(vlan) => Ok(vlan),
        (Some(vlan), _) => {
            let wrong = format!("VLAN {vlan} does not pass port \"{port}\" ({mode})");
            Err(Fault::new(wrong, "write a VLAN that does"))
        }
        (None, Some(untagged)) => Ok(untagged),
        (None, None) => {
            let wrong =
                format!("`vlan` is missing, and port \"{port}\" has no untagged one ({mode})");
            Err(Fault::new(wrong, "write vlan = NUMBER"))
        }
    }
}
