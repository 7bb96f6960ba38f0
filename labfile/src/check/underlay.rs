//! What tunnels share: a datagram must say by its peer, VNI and UDP port whose it is, and one
//! socket listens either on one address or on all.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use vxlan::Vni;

use super::Findings;
use crate::lab::Lab;
use crate::lab::name::Name;
use crate::lab::tunnel::Tunnel;
use crate::place::Place;

/// Compares all tunnels of the lab with each other.
pub(super) fn check(lab: &Lab, findings: &mut Findings) {
    peers(lab, findings);
    sockets(lab, findings);
}

fn peers(lab: &Lab, findings: &mut Findings) {
    let mut taken: BTreeMap<(Ipv4Addr, Vni, NonZeroU16), &Name> = BTreeMap::new();
    for tunnel in tunnels(lab, findings) {
        for (index, remote) in tunnel.remotes.iter().enumerate() {
            match taken.get(&(*remote, tunnel.vni, tunnel.port)) {
                Some(other) => findings.refuse(
                    place(tunnel).key("remotes").nth(index),
                    format!(
                        "tunnel \"{other}\" has the remote {remote} with VNI {} and port {} too",
                        tunnel.vni, tunnel.port
                    ),
                    "write another VNI, or delete one of the two",
                ),
                None => drop(taken.insert((*remote, tunnel.vni, tunnel.port), &tunnel.name)),
            }
        }
    }
}

/// One sentence a UDP port, however many tunnels disagree.
fn sockets(lab: &Lab, findings: &mut Findings) {
    let mut first: BTreeMap<NonZeroU16, &Tunnel> = BTreeMap::new();
    let mut refused: BTreeSet<NonZeroU16> = BTreeSet::new();
    for tunnel in tunnels(lab, findings) {
        let other = *first.entry(tunnel.port).or_insert(tunnel);
        if other.local.is_some() == tunnel.local.is_some() || !refused.insert(tunnel.port) {
            continue;
        }
        let wrong = match tunnel.local {
            Some(local) => format!(
                "it has the `local` address {local} at port {}, where tunnel \"{}\" has none",
                tunnel.port, other.name
            ),
            None => format!(
                "it has no `local` address at port {}, where tunnel \"{}\" has one",
                tunnel.port, other.name
            ),
        };
        findings.refuse(
            place(tunnel).key("local"),
            wrong,
            format!("give every tunnel of port {} a `local` address, or none", tunnel.port),
        );
    }
}

/// All tunnels, those that came later behind the others.
fn tunnels<'a>(lab: &'a Lab, findings: &Findings) -> Vec<&'a Tunnel> {
    let mut tunnels: Vec<&Tunnel> = lab.tunnels.values().collect();
    tunnels.sort_by_key(|tunnel| findings.recency.tunnel(tunnel.name.as_str()));
    tunnels
}

fn place(tunnel: &Tunnel) -> Place {
    Place::root().key("tunnel").key(tunnel.name.as_str())
}
