//! A bridge's subnet moved to another place, with all that the lab says of addresses in it.
//!
//! What moves is what means a host or a part of the old subnet on that one segment: the router's
//! address, addresses and gateways of the ports there, sources and exceptions of masquerade,
//! listeners on the router's address, targets of publish, destinations and next hops of routes.
//! Host parts are kept; the router's own is the one that was asked for. A network that is wider
//! than the subnet stays: it means more than this one. The other addresses of the bridge, those in
//! its VLANs among them, stay too: each is a subnet of its own, moved by a call of its own.

use std::net::Ipv4Addr;

use packet::{Ipv4Net, VlanId};

use super::lab::Lab;
use super::lab::port::{Port, Segment};
use super::spec::LabSpec;
use super::spec::texts::BoolOrText;

/// What somebody wants moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The router's address in the new subnet.
    pub to: Ipv4Net,
    /// The router's address in the old subnet, or just that subnet; none: the only one there. It
    /// may have left the bridge already.
    pub from: Option<Ipv4Net>,
    /// The VLAN of the bridge that is meant.
    pub vlan: VlanId,
}

/// One subnet that becomes another; the host parts are the router's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renumbering {
    from: Ipv4Net,
    to: Ipv4Net,
}

/// Why a lab stays where it is, in a sentence.
#[derive(Debug, thiserror::Error)]
pub enum Unmovable {
    /// There is no such bridge.
    #[error("{0}")]
    Unknown(String),
    /// What is there does not go with what is wanted.
    #[error("{0}")]
    Contradicted(String),
}

/// Moves a subnet of `bridge` in a lab that is legal as `lab`. Whether the result is legal is the
/// check's matter.
///
/// # Errors
/// What was asked makes no sense, or a host has no place in the new subnet; then the lab is half
/// changed.
pub fn renumber(
    spec: &mut LabSpec,
    lab: &Lab,
    bridge: &str,
    wanted: Wanted,
) -> Result<Renumbering, Unmovable> {
    let (moved, vlan) = (Renumbering::of(lab, bridge, wanted)?, wanted.vlan);
    let mut mover = Mover { moved, misfits: Vec::new() };
    if let Some(written) = spec.bridge.get_mut(bridge) {
        let router = match vlan.is_untagged() {
            true => Some(&mut written.router),
            false => written.vlan.get_mut(&vlan.to_string()).map(|written| &mut written.router),
        };
        for text in router.into_iter().flatten() {
            if text.parse() == Ok(moved.from) {
                *text = moved.to.to_string();
            }
        }
    }
    for (name, written) in &mut spec.port {
        let Some(port) = lab.ports.get(name.as_str()) else { continue };
        if is_on(port, bridge, vlan) {
            mover.host_nets(&format!("port {name}"), &mut written.address);
            if let Some(BoolOrText::Text(gateway)) = &mut written.gateway {
                mover.host(&format!("the gateway of port {name}"), gateway);
            }
        }
    }
    for (number, rule) in (1..).zip(&mut spec.masquerade) {
        mover.net(&format!("masquerade {number}"), &mut rule.source);
        for net in &mut rule.except {
            mover.net(&format!("an exception of masquerade {number}"), net);
        }
    }
    for rule in &mut spec.publish {
        mover.socket(&format!("publish {}", rule.listen), &mut rule.to);
        mover.listener(&mut rule.listen);
    }
    for route in &mut spec.route {
        let owner = format!("the route to {}", route.to);
        mover.net(&owner, &mut route.to);
        if let Some(via) = &mut route.via {
            mover.host(&owner, via);
        }
    }
    mover.finish().map(|()| moved)
}

/// Whether a port's far end lives in this VLAN of this bridge.
pub(super) fn is_on(port: &Port, bridge: &str, vlan: VlanId) -> bool {
    match &port.segment {
        Segment::Bridged(member) => {
            member.bridge.as_str() == bridge && member.vlan_mode.untagged() == Some(vlan)
        }
        Segment::Routed { .. } => false,
    }
}

impl Renumbering {
    fn of(lab: &Lab, name: &str, wanted: Wanted) -> Result<Self, Unmovable> {
        let Wanted { to, from, vlan } = wanted;
        let unknown = || Unmovable::Unknown(format!("there is no bridge {name:?}"));
        let own = lab.bridges.get(name).ok_or_else(unknown)?.addresses(vlan);
        let segment = match vlan.is_untagged() {
            true => format!("bridge {name}"),
            false => format!("VLAN {vlan} of bridge {name}"),
        };
        let sentence = match (from, own) {
            (Some(from), _) => {
                let known = own.iter().find(|net| net.trunc() == from.trunc());
                if known.is_some() || own.contains(&to) {
                    return Ok(Self { from: known.copied().unwrap_or(from), to });
                }
                format!("{segment} has no address in {}: it has {}", from.trunc(), listed(own))
            }
            (None, [only]) => return Ok(Self { from: *only, to }),
            (None, []) => {
                let key = match vlan.is_untagged() {
                    true => "--router ".to_owned(),
                    false => format!("--vlan-router {vlan}="),
                };
                format!(
                    "{segment} has no router address that could move: give it one, \
                     `tapswitch bridge set {name} {key}{to}`"
                )
            }
            (None, [first, ..]) => format!(
                "{segment} has the addresses {}: say which one moves, `--from {first}`",
                listed(own)
            ),
        };
        Err(Unmovable::Contradicted(sentence))
    }

    /// Where a host of the old subnet is in the new one; nothing where there is no room.
    pub fn host(&self, address: Ipv4Addr) -> Option<Ipv4Addr> {
        if address == self.from.addr() {
            return Some(self.to.addr());
        }
        let host = u32::from(address) - u32::from(self.from.network());
        let size = 1_u64 << (32 - self.to.prefix_len());
        let is_edge = self.to.prefix_len() < 31 && (host == 0 || u64::from(host) + 1 == size);
        (u64::from(host) < size && !is_edge)
            .then(|| Ipv4Addr::from(u32::from(self.to.network()) + host))
    }

    /// Whether an address is in the old subnet.
    pub fn concerns(&self, address: Ipv4Addr) -> bool {
        self.from.contains(&address)
    }

    /// Where a part of the old subnet is in the new one.
    fn part(&self, net: Ipv4Net) -> Option<Ipv4Net> {
        if net == self.from.trunc() {
            return Some(self.to.trunc());
        }
        let start = match net.prefix_len() {
            32 => self.host(net.addr())?,
            _ => {
                let offset = u32::from(net.network()) - u32::from(self.from.network());
                let start = u32::from(self.to.network()).checked_add(offset)?;
                Some(Ipv4Addr::from(start)).filter(|start| self.to.contains(start))?
            }
        };
        let moved = Ipv4Net::new(start, net.prefix_len().max(self.to.prefix_len())).ok()?;
        (moved.network() == start).then_some(moved)
    }
}

fn listed(nets: &[Ipv4Net]) -> String {
    let nets: Vec<String> = nets.iter().map(Ipv4Net::to_string).collect();
    if nets.is_empty() { "none".to_owned() } else { nets.join(", ") }
}

/// Rewrites texts, and remembers whom the new subnet has no room for.
struct Mover {
    moved: Renumbering,
    misfits: Vec<(String, Ipv4Addr)>,
}

impl Mover {
    fn host(&mut self, owner: &str, text: &mut String) {
        if let Ok(address) = text.parse::<Ipv4Addr>()
            && let Some(to) = self.address(owner, address)
        {
            *text = to.to_string();
        }
    }

    fn address(&mut self, owner: &str, address: Ipv4Addr) -> Option<Ipv4Addr> {
        if !self.moved.concerns(address) {
            return None;
        }
        let to = self.moved.host(address);
        if to.is_none() {
            self.misfits.push((owner.to_owned(), address));
        }
        to
    }

    /// Addresses with the prefix length that a host believes in.
    fn host_nets(&mut self, owner: &str, texts: &mut [String]) {
        for text in texts {
            let Ok(net) = text.parse::<Ipv4Net>() else { continue };
            let Some(to) = self.address(owner, net.addr()) else { continue };
            let Renumbering { from, to: subnet } = self.moved;
            let length = match net.prefix_len() > from.prefix_len() {
                true => net.prefix_len().max(subnet.prefix_len()),
                false => subnet.prefix_len(),
            };
            *text = format!("{to}/{length}");
        }
    }

    fn net(&mut self, owner: &str, text: &mut String) {
        let address = text.parse::<Ipv4Addr>().map(Ipv4Net::from);
        let is_address = address.is_ok();
        let Ok(net) = address.or_else(|_| text.parse()) else { return };
        if !self.moved.from.contains(&net) {
            return;
        }
        match self.moved.part(net.trunc()) {
            Some(to) if is_address => *text = to.addr().to_string(),
            Some(to) => *text = to.to_string(),
            None => self.misfits.push((owner.to_owned(), net.network())),
        }
    }

    fn socket(&mut self, owner: &str, text: &mut String) {
        let (address, ports) = match text.split_once(':') {
            Some((address, ports)) => (address, format!(":{ports}")),
            None => return self.host(owner, text),
        };
        if let Some(to) = address.parse().ok().and_then(|address| self.address(owner, address)) {
            *text = format!("{to}{ports}");
        }
    }

    /// A listener on an address of the router's that moves.
    fn listener(&mut self, text: &mut String) {
        if let Some((address, rest)) = text.split_once(':')
            && address.parse() == Ok(self.moved.from.addr())
        {
            *text = format!("{}:{rest}", self.moved.to.addr());
        }
    }

    fn finish(self) -> Result<(), Unmovable> {
        let Renumbering { from, to } = self.moved;
        let Some((_, widest)) = self.misfits.iter().max_by_key(|(_, address)| *address) else {
            return Ok(());
        };
        let host = u32::from(*widest) - u32::from(from.network());
        // The last address of a subnet is everybody's.
        let room = (0..=32_u8).rev().find(|len| u64::from(host) + 1 < 1 << (32 - len));
        let named = |(owner, address): &(String, Ipv4Addr)| format!("{address} ({owner})");
        let mut named: Vec<String> = self.misfits.iter().take(MOST_NAMED).map(named).collect();
        if self.misfits.len() > MOST_NAMED {
            named.push(format!("{} more", self.misfits.len() - MOST_NAMED));
        }
        Err(Unmovable::Contradicted(format!(
            "{} has no room for {}: give what does not fit another address first, or choose a prefix length of {} or \
             less",
            to.trunc(),
            named.join(", "),
            room.unwrap_or(0)
        )))
    }
}

/// Misfits that a sentence names one by one.
const MOST_NAMED: usize = 4;
