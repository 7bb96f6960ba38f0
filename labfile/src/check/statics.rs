//! `[[bridge.NAME.static]]`: stations known without being heard.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

use packet::{Mac, VlanId};

use super::{Findings, value};
use crate::lab::Lab;
use crate::lab::bridge::{Bridge, Static};
use crate::lab::name::Name;
use crate::lab::port::Membership;
use crate::lab::tunnel::Tunnel;
use crate::place::Place;
use crate::problem::{Fault, quoted};
use crate::spec::{LabSpec, StaticSpec};

/// Adds every legal entry to the lab, whose bridges, ports and tunnels are known.
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
    let remote = findings.keep(place.key("remote"), remote(written.remote.as_deref(), member));
    let vlan = findings.keep(place.key("vlan"), in_vlan(vlan?, member))?;
    let port = member.name().clone();
    Some(Static { bridge: bridge.name.clone(), vlan, mac: mac?, port, remote: remote? })
}

fn foreign(mac: Mac, bridge: &Bridge) -> Result<Mac, Fault> {
    if mac == bridge.mac {
        let wrong = format!("`mac` {mac} is the switch's own on this bridge");
        return Err(Fault::new(wrong, "delete the entry"));
    }
    Ok(mac)
}

/// What a station may be behind.
#[derive(Clone, Copy)]
enum Member<'a> {
    Port(&'a Name, &'a Membership),
    Tunnel(&'a Tunnel),
}

impl<'a> Member<'a> {
    fn name(self) -> &'a Name {
        match self {
            Self::Port(name, _) => name,
            Self::Tunnel(tunnel) => &tunnel.name,
        }
    }

    fn passes(self, vlan: VlanId) -> bool {
        match self {
            Self::Port(_, membership) => membership.vlan_mode.passes(vlan),
            Self::Tunnel(tunnel) => tunnel.vlans.passes(vlan),
        }
    }

    fn untagged(self) -> Option<VlanId> {
        match self {
            Self::Port(_, membership) => membership.vlan_mode.untagged(),
            Self::Tunnel(tunnel) => Some(tunnel.vlans.untagged()),
        }
    }
}

/// As `port "red" (access 8)`.
impl fmt::Display for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(name, membership) => write!(f, "port \"{name}\" ({})", membership.vlan_mode),
            Self::Tunnel(tunnel) => write!(f, "tunnel \"{}\" ({})", tunnel.name, tunnel.vlans),
        }
    }
}

/// The port or tunnel as a member of the bridge; `Ok(None)` when it is itself at fault.
fn member<'a>(
    text: &str,
    bridge: &Bridge,
    spec: &LabSpec,
    lab: &'a Lab,
) -> Result<Option<Member<'a>>, Fault> {
    if let Some(port) = lab.ports.get(text)
        && let Some(membership) = port.membership()
        && membership.bridge == bridge.name
    {
        return Ok(Some(Member::Port(&port.name, membership)));
    }
    if let Some(tunnel) = lab.tunnels.get(text)
        && tunnel.bridge == bridge.name
    {
        return Ok(Some(Member::Tunnel(tunnel)));
    }
    let is_faulty = spec.port.contains_key(text) && !lab.ports.contains_key(text)
        || spec.tunnel.contains_key(text) && !lab.tunnels.contains_key(text);
    if is_faulty {
        return Ok(None);
    }
    let ports = lab.ports.values().filter(|port| port.bridge() == Some(&bridge.name));
    let tunnels = lab.tunnels.values().filter(|tunnel| tunnel.bridge == bridge.name);
    let members = ports.map(|port| &port.name).chain(tunnels.map(|tunnel| &tunnel.name));
    let remedy = value::meant(text, members.map(Name::as_str));
    Err(Fault::new(format!("`port` {} is no port of this bridge", quoted(text)), remedy))
}

/// The peer that has the station, where it is behind a tunnel.
fn remote(written: Option<&str>, member: Member<'_>) -> Result<Option<Ipv4Addr>, Fault> {
    let tunnel = match (member, written) {
        (Member::Port(_, _), None) => return Ok(None),
        (Member::Port(name, _), Some(_)) => {
            let wrong =
                format!("`remote` is for stations behind a tunnel, and \"{name}\" is a port");
            return Err(Fault::new(wrong, "delete it"));
        }
        (Member::Tunnel(tunnel), _) => tunnel,
    };
    let names: Vec<String> = tunnel.remotes.iter().map(Ipv4Addr::to_string).collect();
    let names = names.iter().map(String::as_str);
    match (written, tunnel.remotes.as_slice()) {
        (None, [only]) => Ok(Some(*only)),
        (None, many) => {
            let wrong = format!(
                "`remote` is missing, and tunnel \"{}\" has {} of them",
                tunnel.name,
                many.len()
            );
            let remedy = match value::choices("", names) {
                Some(choices) => format!("write remote = {choices}"),
                None => "write remote = \"ADDRESS\"".to_owned(),
            };
            Err(Fault::new(wrong, remedy))
        }
        (Some(text), remotes) => match value::address("remote", text)? {
            remote if remotes.contains(&remote) => Ok(Some(remote)),
            remote => {
                let wrong = format!("`remote` {remote} is no remote of tunnel \"{}\"", tunnel.name);
                Err(Fault::new(wrong, value::meant(text, names)))
            }
        },
    }
}

fn in_vlan(vlan: Option<VlanId>, member: Member<'_>) -> Result<VlanId, Fault> {
    match (vlan, member.untagged()) {
        (Some(vlan), _) if member.passes(vlan) => Ok(vlan),
        (Some(vlan), _) => {
            let wrong = format!("VLAN {vlan} does not pass {member}");
            Err(Fault::new(wrong, "write a VLAN that does"))
        }
        (None, Some(untagged)) => Ok(untagged),
        (None, None) => {
            let wrong = format!("`vlan` is missing, and {member} has no untagged one");
            Err(Fault::new(wrong, "write vlan = NUMBER"))
        }
    }
}
