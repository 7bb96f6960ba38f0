//! All masquerade and publish rules, in the administrator's order: the first that fits decides.

use core::net::{Ipv4Addr, SocketAddrV4};

use packet::{InterfaceId, Protocol};
use serde::{Deserialize, Serialize};

use crate::masquerade::{Filtering, Masquerade};

/// What is to be translated. A living flow keeps the translation that it began with, and ends where
/// a change of rules would translate it otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Rules {
    /// In order; the first that covers a packet translates it.
    pub masquerade: Vec<Masquerade>,
    /// In order; the first that hears a packet redirects it.
    pub publish: Vec<Publish>,
}

impl Rules {
    /// Whether there is nothing to translate.
    pub const fn is_empty(&self) -> bool {
        self.masquerade.is_empty() && self.publish.is_empty()
    }

    /// Whether a rule listens on just this address, whoever bears it.
    pub(crate) fn listens_on(&self, address: Ipv4Addr) -> bool {
        self.publish.iter().any(|rule| rule.listen == Listen::Address(address))
    }

    /// Whether a rule needs to know which addresses a mapping has flows with.
    pub(crate) fn filters_by_address(&self) -> bool {
        let mut rules = self.masquerade.iter();
        rules.any(|rule| rule.filtering == Filtering::AddressDependent)
    }

    /// The rule that gives a packet with these addresses, about to leave through `out`, an external
    /// source.
    pub fn masquerade(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        out: InterfaceId,
    ) -> Option<&Masquerade> {
        let mut rules = self.masquerade.iter();
        rules.find(|rule| rule.covers(source, destination, out))
    }

    /// Whether packets are translated that leave through `interface`: who is there is outside,
    /// whomever a rule's source holds beside the hosts inside.
    pub fn is_outside(&self, interface: InterfaceId) -> bool {
        self.masquerade.iter().any(|rule| rule.out == interface)
    }

    /// The rule by which hosts inside get ports of the addresses of `owner`.
    pub(crate) fn lender(&self, inside: Ipv4Addr, owner: InterfaceId) -> Option<&Masquerade> {
        let mut rules = self.masquerade.iter();
        rules.find(|rule| rule.out == owner && rule.source.contains(&inside))
    }

    /// The rule that would masquerade `source` behind the addresses of `owner`, for a packet that
    /// came in inside. From another outside nobody is inside, though the rule's source may hold
    /// everybody. Exceptions are about other destinations.
    pub(crate) fn inside_rule(
        &self,
        source: Ipv4Addr,
        came_on: InterfaceId,
        owner: InterfaceId,
    ) -> Option<&Masquerade> {
        if came_on == owner || self.is_outside(came_on) { None } else { self.lender(source, owner) }
    }
}

/// New TCP or UDP flows to a listener go to `to` in its place, from whatever interface they come.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Publish {
    /// TCP or UDP; a rule for another protocol never matches.
    pub protocol: Protocol,
    /// Addresses it listens on.
    pub listen: Listen,
    /// Port it listens on.
    pub port: u16,
    /// The service inside.
    pub to: SocketAddrV4,
    /// Whether its flows go on when it changes or goes.
    pub keep: bool,
}

/// The addresses that a publish rule listens on.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Listen {
    /// This one, whoever bears it.
    Address(Ipv4Addr),
    /// Every address of this router interface.
    Interface(InterfaceId),
    /// Every address of the router.
    Any,
}

impl Listen {
    /// Whether it listens on `address`, which `owner` of the router's interfaces bears, if one
    /// does.
    pub fn matches(self, address: Ipv4Addr, owner: Option<InterfaceId>) -> bool {
        match self {
            Self::Address(own) => own == address,
            Self::Interface(interface) => owner == Some(interface),
            Self::Any => owner.is_some(),
        }
    }
}

/// Publish rules sorted for search: packets of no flow are many when somebody scans.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listeners {
    /// By protocol and port, then in the administrator's order.
    sorted: Vec<Publish>,
    /// By protocol and service, then in the administrator's order.
    services: Vec<Publish>,
}

impl Listeners {
    pub(crate) fn new(publish: &[Publish]) -> Self {
        let mut sorted = publish.to_vec();
        sorted.sort_by_key(Self::key);
        let mut services = publish.to_vec();
        services.sort_by_key(Self::service);
        Self { sorted, services }
    }

    /// Where a packet to this address and port goes in truth.
    pub(crate) fn find(
        &self,
        protocol: Protocol,
        address: Ipv4Addr,
        port: u16,
        owner: Option<InterfaceId>,
    ) -> Option<SocketAddrV4> {
        self.rule(protocol, address, port, owner).map(|rule| rule.to)
    }

    /// The rule that hears a packet to this address and port.
    pub(crate) fn rule(
        &self,
        protocol: Protocol,
        address: Ipv4Addr,
        port: u16,
        owner: Option<InterfaceId>,
    ) -> Option<&Publish> {
        if protocol != Protocol::TCP && protocol != Protocol::UDP {
            return None;
        }
        let key = (protocol.0, port);
        let first = self.sorted.partition_point(|rule| Self::key(rule) < key);
        let same_port = self.sorted.get(first..)?.iter();
        same_port
            .take_while(|rule| Self::key(rule) == key)
            .find(|rule| rule.listen.matches(address, owner))
    }

    /// The ports at this address behind which `service` is reached: what it says first leaves from
    /// one of them.
    pub(crate) fn ports_of(
        &self,
        protocol: Protocol,
        service: SocketAddrV4,
        address: Ipv4Addr,
        owner: Option<InterfaceId>,
    ) -> impl Iterator<Item = u16> {
        let key = (protocol.0, service);
        let first = self.services.partition_point(|rule| Self::service(rule) < key);
        let same =
            self.services.iter().skip(first).take_while(move |rule| Self::service(rule) == key);
        let ports =
            same.filter(move |rule| rule.listen.matches(address, owner)).map(|rule| rule.port);
        // An earlier rule may lead elsewhere from there.
        ports.filter(move |port| self.find(protocol, address, *port, owner) == Some(service))
    }

    /// Ports of `protocol` that rules listen on at this address.
    pub(crate) fn ports(
        &self,
        protocol: Protocol,
        address: Ipv4Addr,
        owner: Option<InterfaceId>,
    ) -> impl Iterator<Item = u16> {
        self.sorted
            .iter()
            .filter(move |rule| rule.protocol == protocol && rule.listen.matches(address, owner))
            .map(|rule| rule.port)
    }

    const fn key(rule: &Publish) -> (u8, u16) {
        (rule.protocol.0, rule.port)
    }

    const fn service(rule: &Publish) -> (u8, SocketAddrV4) {
        (rule.protocol.0, rule.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

    fn rule(protocol: Protocol, listen: Listen, port: u16, last: u8) -> Publish {
        let to = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, last), 80);
        Publish { protocol, listen, port, to, keep: false }
    }

    #[test]
    fn the_first_rule_that_hears_a_packet_redirects_it() {
        let wan = InterfaceId::new(3);
        let listeners = Listeners::new(&[
            rule(Protocol::UDP, Listen::Any, 8080, 9),
            rule(Protocol::TCP, Listen::Interface(InterfaceId::new(1)), 8080, 1),
            rule(Protocol::TCP, Listen::Address(OUTSIDE), 8080, 2),
            rule(Protocol::TCP, Listen::Any, 8080, 3),
        ]);
        let last = |address, owner| {
            let to = listeners.find(Protocol::TCP, address, 8080, owner)?;
            Some(to.ip().octets()[3])
        };
        assert_eq!(last(OUTSIDE, Some(wan)), Some(2));
        assert_eq!(last(Ipv4Addr::new(203, 0, 113, 2), Some(wan)), Some(3));
        assert_eq!(last(OUTSIDE, Some(InterfaceId::new(1))), Some(1));
        assert_eq!(last(Ipv4Addr::new(8, 8, 8, 8), None), None);
        assert_eq!(listeners.find(Protocol::TCP, OUTSIDE, 8081, Some(wan)), None);
    }
}
