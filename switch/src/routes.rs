//! Which way an address is: one longest-prefix match that also knows the router's own addresses.
//!
//! The table holds, beside the routes, every own address and every subnet's broadcast addresses as /32 entries, so
//! that one look-up answers both "is it for us?" and "which way?".

use core::net::Ipv4Addr;

use packet::{InterfaceId, Ipv4Net};
use prefix_trie::PrefixMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fib::Fib;
use crate::interface::Interfaces;

/// A route that somebody wrote.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Route {
    /// Destinations that it is for.
    pub to: Ipv4Net,
    /// Where it leads.
    pub hop: Hop,
}

/// Where a written route leads.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Hop {
    /// To a router in one of our subnets.
    Via(Ipv4Addr),
    /// Straight onto a segment.
    Interface(InterfaceId),
    /// Nowhere: the sender is told that the network is unreachable.
    Unreachable,
    /// Nowhere: the sender is told that this is forbidden.
    Prohibit,
    /// Nowhere, without a word.
    Blackhole,
}

/// What the table says of a destination.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// It is the router's own.
    Local(InterfaceId),
    /// It is a subnet's broadcast (or all-zeros) address.
    Broadcast(InterfaceId),
    /// It is a neighbour on this segment.
    Connected(InterfaceId),
    /// It is behind this router.
    Via {
        /// The segment on which the router is.
        interface: InterfaceId,
        /// The router's address.
        gateway: Ipv4Addr,
    },
    /// Told unreachable.
    Unreachable,
    /// Told prohibited.
    Prohibit,
    /// Told nothing.
    Blackhole,
}

impl Target {
    /// The interface that bears the address.
    #[inline]
    pub(crate) const fn owner(self) -> Option<InterfaceId> {
        match self {
            Self::Local(owner) => Some(owner),
            _ => None,
        }
    }
}

/// The table, with the routes it is made from.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    table: PrefixMap<Ipv4Net, Target>,
    written: Vec<Route>,
    /// The table, laid out for finding.
    fib: Fib,
}

impl Routes {
    pub(crate) fn new() -> Self {
        Self { table: PrefixMap::new(), written: Vec::new(), fib: Fib::new() }
    }

    /// The interface that bears an address, if one does.
    #[inline]
    pub(crate) fn owner(&self, address: Ipv4Addr) -> Option<InterfaceId> {
        self.find(address)?.owner()
    }

    /// Whether `address` is one of the router's own.
    #[inline]
    pub(crate) fn is_own(&self, address: Ipv4Addr) -> bool {
        matches!(self.find(address), Some(Target::Local(_)))
    }

    /// What is known of the way to `destination`; nothing when no prefix holds it.
    #[inline]
    pub(crate) fn find(&self, destination: Ipv4Addr) -> Option<Target> {
        self.fib.find(destination)
    }

    /// The longest prefix that holds `destination`, and what is known of the way there: what [`Routes::find`] finds.
    pub(crate) fn holding(&self, destination: Ipv4Addr) -> Option<(Ipv4Net, Target)> {
        let (net, target) = self.table.get_lpm(&destination.into())?;
        Some((net, *target))
    }

    /// Adds a written route, replacing one to the same prefix. Takes effect with [`Routes::rebuild`].
    pub(crate) fn write(&mut self, route: Route) {
        self.erase(route.to);
        self.written.push(route);
    }

    /// Takes a written route out; `false` when there is none to that prefix.
    pub(crate) fn erase(&mut self, to: Ipv4Net) -> bool {
        let before = self.written.len();
        self.written.retain(|route| route.to.trunc() != to.trunc());
        self.written.len() != before
    }

    /// Makes the table anew from the interfaces and the written routes. A written route whose gateway no subnet
    /// holds, or whose interface is gone, waits until there is one.
    pub(crate) fn rebuild(&mut self, interfaces: &Interfaces) {
        self.table.clear();
        for route in &self.written {
            if let Some(target) = target(interfaces, route.hop) {
                self.table.insert(route.to.trunc(), target);
            }
        }
        for (interface, settings) in interfaces.iter() {
            for net in &settings.addresses {
                self.table.insert(net.trunc(), Target::Connected(interface));
            }
        }
        for (interface, settings) in interfaces.iter() {
            // RFC 3021: a /31 has no broadcast addresses.
            for net in settings.addresses.iter().filter(|net| net.prefix_len() <= 30) {
                self.table.insert(net.broadcast().into(), Target::Broadcast(interface));
                self.table.insert(net.network().into(), Target::Broadcast(interface));
            }
        }
        for (interface, settings) in interfaces.iter() {
            for net in &settings.addresses {
                self.table.insert(net.addr().into(), Target::Local(interface));
            }
        }
        let mut routes: Vec<_> = self.table.iter().map(|(net, target)| (net, *target)).collect();
        routes.sort_by_key(|(net, _)| net.prefix_len());
        self.fib.rebuild(routes.into_iter());
    }

    /// Every prefix and where it leads, in order, without own and broadcast addresses.
    pub(crate) fn list(&self) -> Vec<(Ipv4Net, Target)> {
        let routes = self.table.iter().map(|(net, target)| (net, *target));
        let mut routes: Vec<_> = routes
            .filter(|(_, target)| !matches!(target, Target::Local(_) | Target::Broadcast(_)))
            .collect();
        routes.sort_unstable_by_key(|(net, _)| (net.network(), net.prefix_len()));
        routes
    }
}

impl Serialize for Routes {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(writer)
    }
}

impl<'de> Deserialize<'de> for Routes {
    /// Those that somebody wrote; [`Routes::rebuild`] makes the table.
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        Ok(Self { written: Vec::deserialize(reader)?, ..Self::new() })
    }
}

/// Where a hop leads given these interfaces; nothing when its gateway is in no subnet.
pub(crate) fn target(interfaces: &Interfaces, hop: Hop) -> Option<Target> {
    match hop {
        Hop::Via(gateway) => {
            let near = interfaces.iter().find(|(_, settings)| settings.reaches(gateway));
            near.map(|(interface, _)| Target::Via { interface, gateway })
        }
        Hop::Interface(interface) => {
            interfaces.get(interface).map(|_| Target::Connected(interface))
        }
        Hop::Unreachable => Some(Target::Unreachable),
        Hop::Prohibit => Some(Target::Prohibit),
        Hop::Blackhole => Some(Target::Blackhole),
    }
}
