//! `[[publish]]`: inside services that are reached at an address of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use super::connected::{self, Connected, covering};
use super::{Findings, value};
use crate::config::lab::Lab;
use crate::config::lab::interface::InterfaceName;
use crate::config::lab::nat::{ListenScope, Listener, Target, Transport};
use crate::config::lab::route::NextHop;
use crate::config::place::Place;
use crate::config::problem::{Fault, quoted};
use crate::config::spec::{LabSpec, PublishSpec};

/// Adds every legal rule to the lab, whose interfaces and routes are known.
pub(super) fn check(spec: &LabSpec, connected: &Connected, lab: &mut Lab, findings: &mut Findings) {
    let rules = Place::root().key("publish");
    let mut taken: BTreeMap<(NonZeroU16, Transport), Taken> = BTreeMap::new();
    for (index, written) in spec.publish.iter().enumerate() {
        if findings.is_full() {
            return;
        }
        let place = rules.nth(index);
        let sure = findings.is_empty();
        let listener = value::present("listen", &written.listen, "203.0.113.1:8080/tcp")
            .and_then(|text| listener(text, spec, connected, lab, sure));
        let listener = findings.keep(place.key("listen"), listener);
        let target = target(written, listener.as_ref().and_then(Option::as_ref), &place, findings);
        let (Some(Some(listener)), Some(target)) = (listener, target) else {
            continue;
        };
        if sure && let Err(fault) = reachable(target.address, connected, lab) {
            findings.keep::<()>(place.key("to"), Err(fault));
            continue;
        }
        let others = taken.entry((listener.port, listener.transport)).or_default();
        match others.add(&listener.scope, connected) {
            Ok(()) => drop(lab.publish.insert(listener, target)),
            Err(fault) => drop(findings.keep::<()>(place.key("listen"), Err(fault))),
        }
    }
}

/// "ADDRESS:PORT/tcp", "INTERFACE:PORT/udp"; `Ok(None)` when the interface is itself at fault.
fn listener(
    text: &str,
    spec: &LabSpec,
    connected: &Connected,
    lab: &Lab,
    sure: bool,
) -> Result<Option<Listener>, Fault> {
    let (rest, transport) = match text.split_once('/') {
        None => (text, Transport::Tcp),
        Some((rest, word)) => (rest, value::word("listen", word, &TRANSPORTS)?),
    };
    let Some((scope, port)) = rest.rsplit_once(':') else {
        let wrong = format!("`listen` {} has no port", quoted(text));
        return Err(Fault::new(
            wrong,
            format!("write {}", quoted(&format!("{rest}:8080/{transport}"))),
        ));
    };
    let port = value::transport_port("listen", port)?;
    let scope = match scope.parse::<Ipv4Addr>() {
        Ok(Ipv4Addr::UNSPECIFIED) => Some(ListenScope::Any),
        Ok(address) => own(address, connected, sure)?.then_some(ListenScope::Address(address)),
        Err(_) => connected::interface("listen", scope, spec, lab)?.map(ListenScope::Interface),
    };
    Ok(scope.map(|scope| Listener { scope, port, transport }))
}

/// Whether the address is ours; an error only when all our addresses are known for sure.
fn own(address: Ipv4Addr, connected: &Connected, sure: bool) -> Result<bool, Fault> {
    if connected.owner(address).is_some() || !sure {
        return Ok(connected.owner(address).is_some());
    }
    let own: Vec<String> = connected.own().take(4).map(|own| own.to_string()).collect();
    let remedy = match own.as_slice() {
        [] => "give a bridge or a port a `router` address first".to_owned(),
        own => format!("write one of its own: {}", own.join(", ")),
    };
    Err(Fault::new(format!("`listen` {address} is not an address of the switch"), remedy))
}

/// "ADDRESS:PORT", or "ADDRESS" for the listener's port.
fn target(
    written: &PublishSpec,
    listener: Option<&Listener>,
    place: &Place,
    findings: &mut Findings,
) -> Option<Target> {
    let to = value::present("to", &written.to, "192.168.0.2:80").and_then(|text| {
        if let Some((rest, _)) = text.split_once('/') {
            let wrong = format!("`to` {} has a protocol, which belongs to `listen`", quoted(text));
            return Err(Fault::new(wrong, format!("write {}", quoted(rest))));
        }
        match text.split_once(':') {
            None => Ok((value::address("to", text)?, None)),
            Some((address, port)) => {
                let port = value::transport_port("to", port)?;
                Ok((value::address("to", address)?, Some(port)))
            }
        }
    });
    let (address, port) = findings.keep(place.key("to"), to)?;
    let port = match port {
        Some(port) => port,
        None => listener?.port,
    };
    Some(Target { address, port })
}

fn reachable(address: Ipv4Addr, connected: &Connected, lab: &Lab) -> Result<(), Fault> {
    if let Some(owner) = connected.owner(address) {
        let wrong = format!("`to` {address} is the switch's own address on {owner}");
        return Err(Fault::new(wrong, "write the address of a host behind the switch"));
    }
    if let Some((subnet, _)) = connected.around(address) {
        return value::edge_of("to", address, subnet);
    }
    match covering(address).find_map(|net| lab.routes.get(&net)) {
        Some(NextHop::Via { .. } | NextHop::Out(_)) => Ok(()),
        Some(NextHop::Reject(_)) | None => Err(Fault::new(
            format!("`to` {address} is in no subnet of the switch and no route leads there"),
            "write the address of a host behind the switch",
        )),
    }
}

/// The listeners of one port of one protocol.
#[derive(Default)]
struct Taken {
    any: bool,
    addresses: BTreeSet<Ipv4Addr>,
    whole: BTreeSet<InterfaceName>,
    partly: BTreeSet<InterfaceName>,
}

impl Taken {
    fn add(&mut self, scope: &ListenScope, connected: &Connected) -> Result<(), Fault> {
        let owner = match scope {
            ListenScope::Address(address) => connected.owner(*address),
            ListenScope::Any | ListenScope::Interface(_) => None,
        };
        let overlaps = self.any
            || match scope {
                ListenScope::Any => !self.addresses.is_empty() || !self.whole.is_empty(),
                ListenScope::Address(address) => {
                    self.addresses.contains(address)
                        || owner.is_some_and(|owner| self.whole.contains(owner))
                }
                ListenScope::Interface(name) => {
                    self.whole.contains(name) || self.partly.contains(name)
                }
            };
        if overlaps {
            let wrong = "another publish listens on this address and port already";
            return Err(Fault::new(wrong, "write another port, or delete one of the two"));
        }
        match scope {
            ListenScope::Any => self.any = true,
            ListenScope::Address(address) => {
                self.addresses.insert(*address);
                self.partly.extend(owner.cloned());
            }
            ListenScope::Interface(name) => drop(self.whole.insert(name.clone())),
        }
        Ok(())
    }
}

const TRANSPORTS: [(&str, Transport); 2] = [("tcp", Transport::Tcp), ("udp", Transport::Udp)];
