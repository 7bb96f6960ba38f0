//! ARP (RFC 826, RFC 5227): what the router hears, answers and asks, whom it knows, and the packets
//! that wait for an answer.
//!
//! The neighbour table ([`neighbors`](crate::neighbors)) knows what a reply, a silence or a claim
//! means; this says it on the wire and to the packets that wait ([`pending`](crate::pending)).

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use packet::arp::{Arp as Packet, Operation};
use packet::{Instant, InterfaceId, Mac};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::limiter::Limiter;
use crate::neighbors::{Due, Key, Neighbors};
use crate::pending::Pending;
use crate::seeds::Seeds;

use self::snoop_table::ArpSnoopTable;

mod announce;
mod delivery;
mod input;
mod snoop_table;
mod suppress;

pub(crate) use announce::announcement;

/// See the module's own text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Arp {
    pub(crate) neighbors: Neighbors,
    pub(crate) pending: Pending,
    /// Who has which address on bridges whose tunnels suppress ARP.
    snooped: ArpSnoopTable,
    /// When each interface last told everybody that an address is its own (RFC 5227 section 2.4
    /// c).
    defended: BTreeMap<InterfaceId, Instant>,
    /// What is told of neighbours that move.
    pub(crate) told: Limiter,
}

impl Arp {
    pub(crate) fn new(seeds: &mut Seeds) -> Self {
        Self {
            neighbors: Neighbors::new(seeds.hasher()),
            pending: Pending::new(seeds.hasher()),
            snooped: ArpSnoopTable::default(),
            defended: BTreeMap::new(),
            told: Limiter::new(1, 10),
        }
    }

    /// Asks again, or gives up, where nobody has answered.
    pub(crate) fn timeout(&mut self, now: Instant, ctx: &mut Context<'_>) {
        while let Some(due) = self.neighbors.due(now) {
            match due {
                Due::Ask(key) => ask(key, None, ctx),
                Due::Probe(key, mac) => ask(key, Some(mac), ctx),
                Due::GaveUp(key) => self.give_up(key, ctx),
            }
        }
    }

    /// When [`Arp::timeout`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.neighbors.next_timeout()
    }

    /// An interface is another than before, or gone.
    pub(crate) fn forget_interface(&mut self, interface: InterfaceId) {
        self.defended.remove(&interface);
    }

    /// Keys the tables with seeds of the switch's own, and finds what is wrong with what was read.
    pub(crate) fn rehash(&mut self, seeds: &mut Seeds) {
        self.neighbors.rehash(seeds.hasher());
        self.pending.rehash(seeds.hasher());
    }
}

/// Asks who has an address: everybody, or the station that had it last.
fn ask(key: Key, to: Option<Mac>, ctx: &mut Context<'_>) {
    let Some(own) = ctx.interfaces.get(key.interface()) else {
        return;
    };
    let Some(sender) = own.address_towards(key.address()) else {
        return;
    };
    let request = request(own.mac, sender, key.address());
    send(key.interface(), &request, to.unwrap_or(Mac::BROADCAST), ctx);
}

/// Sends an ARP packet of our own.
fn send(interface: InterfaceId, arp: &Packet, to: Mac, ctx: &mut Context<'_>) {
    let mut frame = ctx.out.pool.take();
    if arp.emit(&mut frame, to) {
        ctx.send_own(interface, frame);
    }
}

/// The question "who has `target`?".
const fn request(own: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Packet {
    let operation = Operation::Request;
    Packet { operation, sender_mac: own, sender, target_mac: Mac::ZERO, target }
}
