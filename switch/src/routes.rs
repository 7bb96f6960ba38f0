//! Which way an address is: one longest-prefix match that also knows the router's own addresses.
//!
//! The table holds, beside the routes, every own address and every subnet's broadcast addresses as
//! /32 entries, so that one look-up answers both "is it for us?" and "which way?".

use core::net::Ipv4Addr;
use std::collections::BTreeMap;
use std::sync::Arc;

use packet::{InterfaceId, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fib::Fib;
pub use crate::fib::{Reject, Target};
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
    /// Nowhere.
    Reject(Reject),
}

/// Where each prefix leads, shortest prefixes first, then by address.
type Table = BTreeMap<(u8, Ipv4Addr), Target>;

/// The table, with the routes it is made from. Never changed in place: [`Routes::new`] lays out
/// another.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    /// What somebody wrote, by prefix. Shared with a [`Draft`](crate::draft::Draft), so that
    /// drafting costs no copy.
    written: Arc<BTreeMap<Ipv4Net, Hop>>,
    table: Table,
    /// The table, laid out for finding.
    fib: Fib,
}

impl Routes {
    /// The table that follows from the interfaces and the written routes. A written route whose
    /// gateway no subnet holds, or whose interface is gone, waits until there is one.
    pub(crate) fn new(written: Arc<BTreeMap<Ipv4Net, Hop>>, interfaces: &Interfaces) -> Self {
        let mut table = Table::new();
        for (to, hop) in written.iter() {
            if let Some(target) = target(interfaces, *hop) {
                table.insert((to.prefix_len(), to.network()), target);
            }
        }
        let nets = || {
            let all = interfaces.iter();
            all.flat_map(|(id, own)| own.addresses.iter().map(move |net| (id, *net)))
        };
        for (interface, net) in nets() {
            table.insert((net.prefix_len(), net.network()), Target::Connected(interface));
        }
        // RFC 3021: a /31 has no broadcast addresses.
        for (interface, net) in nets().filter(|(_, net)| net.prefix_len() <= 30) {
            table.insert((HOST, net.broadcast()), Target::Broadcast(interface));
            table.insert((HOST, net.network()), Target::Broadcast(interface));
        }
        for (interface, net) in nets() {
            table.insert((HOST, net.addr()), Target::Local(interface));
        }
        let fib = Fib::new(table.iter().map(|((len, first), target)| (*first, *len, *target)));
        Self { written, table, fib }
    }

    /// What somebody wrote.
    pub(crate) fn written(&self) -> Arc<BTreeMap<Ipv4Net, Hop>> {
        Arc::clone(&self.written)
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

    /// The longest prefix that holds `destination`, and what is known of the way there: what
    /// [`Routes::find`] finds.
    pub(crate) fn holding(&self, destination: Ipv4Addr) -> Option<(Ipv4Net, Target)> {
        let nets = (0..=HOST).rev().filter_map(|len| Ipv4Net::new(destination, len).ok());
        let mut found = nets.filter_map(|net| {
            let net = net.trunc();
            Some((net, *self.table.get(&(net.prefix_len(), net.addr()))?))
        });
        found.next()
    }

    /// Every prefix and where it leads, in order, without own and broadcast addresses.
    pub(crate) fn list(&self) -> Vec<(Ipv4Net, Target)> {
        let routes = self.table.iter().filter_map(|((len, first), target)| {
            let is_route = !matches!(target, Target::Local(_) | Target::Broadcast(_));
            Some((Ipv4Net::new(*first, *len).ok()?, *target)).filter(|_| is_route)
        });
        let mut routes: Vec<_> = routes.collect();
        routes.sort_unstable_by_key(|(net, _)| (net.network(), net.prefix_len()));
        routes
    }
}

impl Serialize for Routes {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        self.written.as_ref().serialize(writer)
    }
}

impl<'de> Deserialize<'de> for Routes {
    /// Those that somebody wrote; [`Routes::new`] makes the table.
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let written = Arc::new(BTreeMap::deserialize(reader)?);
        Ok(Self { written, table: Table::new(), fib: Fib::new(core::iter::empty()) })
    }
}

/// Where a hop leads given these interfaces; nothing when its gateway is in no subnet.
fn target(interfaces: &Interfaces, hop: Hop) -> Option<Target> {
    match hop {
        Hop::Via(gateway) => {
            let interface = interfaces.reaching(gateway)?;
            Some(Target::Via { interface, gateway })
        }
        Hop::Interface(interface) => {
            interfaces.get(interface).map(|_| Target::Connected(interface))
        }
        Hop::Reject(reject) => Some(Target::Reject(reject)),
    }
}

/// The prefix length of one address.
const HOST: u8 = 32;
