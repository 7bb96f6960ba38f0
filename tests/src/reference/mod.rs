//! The switch as a text-book has it: linear tables, no cleverness, and a prediction for every
//! frame.
//!
//! # Theory of operation
//! Ahead of each step [`Reference::predict`] says what may become of the frame; behind it
//! [`Reference::confirm`] compares that with the counters, with what left, and with the tables.
//! Frames are read by [`wire`](crate::wire), settings come from the changes that were made. Shared
//! with the switch, and so not judged here: reading ARP and VXLAN headers, what a set of VLANs
//! holds, and which addresses a rule covers.
//!
//! | exact | as a relation |
//! |---|---|
//! | VLAN of a frame, its tag on each port | which of several reasons an IPv4 header is refused for, where it has several faults |
//! | stations: place, order, age, eviction, moves, static and own entries | neighbours: which states may follow which, and whose MAC address may change |
//! | who gets a flooded frame, and who is refused a copy | NAT: an external port is unused, unpublished and of the right class; how long a flow lives is one of the lifetimes |
//! | drops: port and reason, where a single one fits | ICMP errors: well made, from an own address; not whether the limiter lets them pass |
//! | routes, TTL, MTU, the next hop's MAC address | |
//!
//! Not predicted, and left to the lab's other checks: fragments that are put together or made, ICMP
//! errors that pass NAT, tunnels that answer ARP or change an MSS, congestion marks.

use std::collections::{BTreeMap, BTreeSet};

use packet::arp::Arp;
use packet::{BridgeId, DropReason, Frame, Instant, InterfaceId, Mac, PortId, Tag, VlanId};
use switch::change::{BridgeSettings, Route};
use switch::view::{Location, NeighborView};
use switch::{Change, Egress, Event, Switch, Totals};

use crate::checks::Checks;
use crate::model::Model;

mod bridge;
mod changes;
mod confirm;
mod decap;
mod guard;
pub(crate) mod ipv4;
pub(crate) mod nat;
mod neighbors;
mod router;

pub(crate) use changes::announced;

/// The tables that a step may change, and that are predicted.
#[derive(Debug)]
pub(crate) struct Reference {
    bridges: BTreeMap<BridgeId, Bridge>,
    routes: Vec<Route>,
    pub(crate) nat: nat::Translator,
    neighbor_capacity: usize,
    /// As they were ahead of the step.
    before: Tables,
}

#[derive(Debug)]
struct Bridge {
    settings: BridgeSettings,
    stations: Model<(VlanId, Mac)>,
}

/// What the switch shows of itself that is compared from step to step.
#[derive(Debug, Default)]
struct Tables {
    totals: Totals,
    drops: BTreeMap<(PortId, DropReason), u64>,
    neighbors: Vec<NeighborView>,
}

/// What is around a step.
#[derive(Copy, Clone)]
pub(crate) struct World<'a> {
    pub(crate) settings: &'a Checks,
    pub(crate) switch: &'a Switch,
    pub(crate) now: Instant,
}

/// What is to become of a frame.
#[derive(Clone, Debug)]
enum Fate {
    /// It ends, under the port that it came in on.
    Dropped(DropReason),
    Consumed,
    Held,
    /// It leaves as it came.
    Bridged(Copies),
    /// It leaves as the router makes it.
    Routed(Box<Leaving>),
    /// Not predicted.
    Unknown,
}

/// Who gets a frame, and who is refused a copy of it.
#[derive(Clone, Default, Debug)]
struct Copies {
    sent: BTreeSet<Copy>,
    refused: BTreeMap<(PortId, DropReason), u64>,
}

/// Port, far end, and the sixteen bits of the tag; a seventeenth for a service tag.
type Copy = (PortId, Option<core::net::Ipv4Addr>, Option<u32>);

/// A packet as it is to leave the router.
#[derive(Clone, Debug)]
struct Leaving {
    to: Mac,
    from: Mac,
    copies: BTreeSet<Copy>,
    packet: nat::Translated,
}

/// A prediction: one of these, and what is heard beside it.
#[derive(Debug)]
pub(crate) struct Prediction {
    /// Whose drops count it.
    port: PortId,
    fates: Vec<Fate>,
    heard: Option<ArpInput>,
    /// The kind of event, which decides what else may happen.
    timeout: bool,
    is_down: bool,
}

/// An ARP packet that the router listens to.
#[derive(Copy, Clone, Debug)]
struct ArpInput {
    arp: Arp,
    interface: InterfaceId,
    /// The frame's source.
    source: Mac,
}

impl Prediction {
    fn new(port: PortId) -> Self {
        Self { port, fates: Vec::new(), heard: None, timeout: false, is_down: false }
    }
}

impl Default for Reference {
    fn default() -> Self {
        let (bridges, routes, nat) = Default::default();
        Self { bridges, routes, nat, neighbor_capacity: 8192, before: Tables::default() }
    }
}

impl Reference {
    /// Says what may become of what happens next. `came` is the frame that it brings, opened and
    /// its tag taken out.
    pub(crate) fn predict(
        &mut self,
        world: World<'_>,
        event: &Event,
        came: Option<&(PortId, Frame)>,
    ) -> Prediction {
        self.nat.begin(world.now);
        let mut prediction = Prediction::new(PortId::new(0));
        match event {
            Event::Frame { port, frame } => {
                prediction.port = *port;
                let opened = came.map(|(_, frame)| frame);
                self.receive(world, Location::Port(*port), frame, opened, &mut prediction);
            }
            Event::Datagram { port, remote, datagram, .. } => {
                self.open(world, (*port, *remote), datagram, came, &mut prediction);
            }
            Event::Malformed { port } => {
                prediction.port = *port;
                prediction.fates = vec![Fate::Dropped(DropReason::BadOffload)];
            }
            Event::PortUp(_) => {}
            Event::PortDown(port) => {
                prediction.is_down = true;
                self.bridges.values_mut().for_each(|bridge| bridge.stations.flush(Some(*port)));
            }
            Event::Timeout => {
                prediction.timeout = true;
                self.bridges.values_mut().for_each(|bridge| bridge.stations.expire(world.now));
            }
        }
        prediction
    }

    /// Steps 1 and 2 of a packet's life: is it a frame, may it come in, and in which VLAN?
    fn receive(
        &mut self,
        world: World<'_>,
        from: Location,
        whole: &Frame,
        opened: Option<&Frame>,
        prediction: &mut Prediction,
    ) {
        prediction.fates = match opened {
            _ if whole.len() < 14 => vec![Fate::Dropped(DropReason::Runt)],
            None => vec![Fate::Dropped(DropReason::PartialTag)],
            Some(frame) => match self.enter(world, from, frame, prediction) {
                Ok(fates) => fates,
                Err(reason) => vec![Fate::Dropped(reason)],
            },
        };
    }

    /// Who gets each frame that leaves, as sets to compare.
    fn places(copies: &[Egress]) -> BTreeSet<Copy> {
        let bits = |tag: Tag| u32::from(tag.bits()) | u32::from(tag == tag.service()) << 16;
        copies.iter().map(|copy| (copy.port, copy.remote, copy.tag.map(bits))).collect()
    }

    /// Notes a change that the switch has made.
    pub(crate) fn change(&mut self, world: World<'_>, change: &Change) {
        self.nat.begin(world.now);
        self.nat.change(world.now, change);
        self.follow(world, change);
        self.check_tables(world, "a change");
        self.nat.confirm(world.now, &world.switch.flows(world.now));
        self.remember(world);
    }
}
