//! `[[publish]]`: inside services that are reached at an address of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use nat::PortRange;
use packet::Protocol;

use super::connected::{self, Connected, covering};
use super::{Findings, MAX_PUBLISHES, value};
use crate::lab::Lab;
use crate::lab::interface::InterfaceName;
use crate::lab::nat::{InsideService, ListenScope, Listener};
use crate::lab::route::NextHop;
use crate::place::Place;
use crate::problem::{Fault, quoted};
use crate::spec::{LabSpec, PublishSpec};

/// Adds every legal rule to the lab, whose interfaces and routes are known; a range of ports as a
/// rule for each. Of two rules for one port, the one that came later is refused.
pub(super) fn check(spec: &LabSpec, connected: &Connected, lab: &mut Lab, findings: &mut Findings) {
    let rules = Place::root().key("publish");
    let mut taken: BTreeMap<(NonZeroU16, Protocol), Taken> = BTreeMap::new();
    let mut order: Vec<(usize, &PublishSpec)> = spec.publish.iter().enumerate().collect();
    order.sort_by_key(|(index, _)| findings.recency.publish(*index));
    for (index, written) in order {
        if findings.is_full() {
            return;
        }
        let place = rules.nth(index);
        let sure = findings.is_empty();
        let listeners = value::present("listen", &written.listen, "203.0.113.1:8080/tcp")
            .and_then(|text| listeners(text, spec, connected, lab, sure));
        let listeners = findings.keep(place.key("listen"), listeners);
        let targets =
            targets(written, listeners.as_ref().and_then(Option::as_ref), &place, findings);
        let (Some(Some(listeners)), Some((address, to))) = (listeners, targets) else {
            continue;
        };
        if sure && let Err(fault) = reachable(address, connected, lab) {
            findings.keep::<()>(place.key("to"), Err(fault));
            continue;
        }
        let Listeners { scope, ports, protocol } = listeners;
        if lab.publish.len() + ports.iter().len() > MAX_PUBLISHES {
            let wrong = format!("with these ports more than {MAX_PUBLISHES} are published");
            findings.refuse(place.key("listen"), wrong, "publish fewer ports");
            return;
        }
        let pairs = ports.iter().filter_map(NonZeroU16::new);
        for (port, to) in pairs.zip(to.iter().filter_map(NonZeroU16::new)) {
            let listener = Listener { scope: scope.clone(), port, protocol };
            let others = taken.entry((port, protocol)).or_default();
            if let Err(fault) = others.add(&scope, connected) {
                findings.keep::<()>(place.key("listen"), Err(fault));
                break;
            }
            let keep = written.keep.unwrap_or(false);
            lab.publish.insert(listener, InsideService { address, port: to, keep });
        }
    }
}

/// Where a rule listens.
struct Listeners {
    scope: ListenScope,
    ports: PortRange,
    protocol: Protocol,
}

/// "ADDRESS:PORT/tcp", "INTERFACE:FIRST-LAST/udp"; `Ok(None)` when the interface is itself at
/// fault.
fn listeners(
    text: &str,
    spec: &LabSpec,
    connected: &Connected,
    lab: &Lab,
    sure: bool,
) -> Result<Option<Listeners>, Fault> {
    let (rest, protocol) = match text.split_once('/') {
        None => (text, Protocol::TCP),
        Some((rest, word)) => (rest, value::word("listen", word, &PROTOCOLS)?),
    };
    let (scope, ports) = scope_and_ports(text, rest, protocol)?;
    let ports = value::transport_ports("listen", ports)?;
    let scope = match scope.parse::<Ipv4Addr>() {
        Ok(Ipv4Addr::UNSPECIFIED) => Some(ListenScope::Any),
        Ok(address) => own(address, connected, sure)?.then_some(ListenScope::Address(address)),
        Err(_) => connected::interface("listen", scope, spec, lab)?.map(ListenScope::Interface),
    };
    Ok(scope.map(|scope| Listeners { scope, ports, protocol }))
}

/// Both parts; whoever wrote one of them, or Docker's `8080:80`, is told what to write.
fn scope_and_ports<'a>(
    text: &str,
    rest: &'a str,
    protocol: Protocol,
) -> Result<(&'a str, &'a str), Fault> {
    let are_ports = |part: &str| value::transport_ports("listen", part).is_ok();
    let write = |listen: &str| format!("write {}", quoted(&format!("{listen}/{protocol}")));
    match rest.rsplit_once(':') {
        Some(("", ports)) => Err(Fault::new(
            format!("`listen` {} has no address", quoted(text)),
            write(&format!("0.0.0.0:{ports}")),
        )),
        Some((first, ports)) if are_ports(first) && are_ports(ports) => Err(Fault::new(
            format!("`listen` {} has no address, and a port of the target's", quoted(text)),
            format!("{}, and the other port in `to`", write(&format!("0.0.0.0:{first}"))),
        )),
        Some(parts) => Ok(parts),
        None if are_ports(rest) => Err(Fault::new(
            format!("`listen` {} has no address", quoted(text)),
            write(&format!("0.0.0.0:{rest}")),
        )),
        None => Err(Fault::new(
            format!("`listen` {} has no port", quoted(text)),
            write(&format!("{rest}:8080")),
        )),
    }
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

/// "ADDRESS:PORT" or "ADDRESS:FIRST-LAST"; "ADDRESS" for the listener's ports. As many as it
/// listens on.
fn targets(
    written: &PublishSpec,
    listeners: Option<&Listeners>,
    place: &Place,
    findings: &mut Findings,
) -> Option<(Ipv4Addr, PortRange)> {
    let to = value::present("to", &written.to, "192.168.0.2:80").and_then(|text| {
        if let Some((rest, _)) = text.split_once('/') {
            let wrong = format!("`to` {} has a protocol, which belongs to `listen`", quoted(text));
            return Err(Fault::new(wrong, format!("write {}", quoted(rest))));
        }
        match text.split_once(':') {
            None => Ok((value::address("to", text)?, None)),
            Some((address, ports)) => {
                let ports = value::transport_ports("to", ports)?;
                Ok((value::address("to", address)?, Some(ports)))
            }
        }
    });
    let (address, ports) = findings.keep(place.key("to"), to)?;
    let (Some(ports), Some(listeners)) = (ports, listeners) else {
        return Some((address, ports.or(listeners.map(|them| them.ports))?));
    };
    let (count, wanted) = (ports.iter().len(), listeners.ports.iter().len());
    if count == wanted {
        return Some((address, ports));
    }
    let wrong = format!("`to` has {} and `listen` has {}", of(count), of(wanted));
    let remedy = match ports.low().checked_add(u16::try_from(wanted - 1).unwrap_or(u16::MAX)) {
        Some(last) if wanted > 1 => format!("write \"{address}:{}-{last}\"", ports.low()),
        Some(_) | None => "write as many ports in both".to_owned(),
    };
    findings.refuse(place.key("to"), wrong, remedy);
    None
}

/// "1 port", "11 ports".
fn of(count: usize) -> String {
    if count == 1 { "1 port".to_owned() } else { format!("{count} ports") }
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

const PROTOCOLS: [(&str, Protocol); 2] = [("tcp", Protocol::TCP), ("udp", Protocol::UDP)];
