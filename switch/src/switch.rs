//! The switch as one value, and its two doors.

use nat::Nat;
use packet::{DropReason, Dropped, Frame, Instant, PortId};
use serde::{Deserialize, Serialize};
use vxlan::Tunnels;

use crate::adjacency::Adjacencies;
use crate::arp::Arp;
use crate::bridge::Bridges;
use crate::context::Context;
use crate::event::{Event, Outer};
use crate::l2_fast_path::FastPorts;
use crate::outbox::Outbox;
use crate::port::Ports;
use crate::protocols::Protocols;
use crate::reassembly::Reassembly;
use crate::router::Router;
use crate::seeds::Seeds;
use crate::station::Location;
use crate::stats::{Fate, Stats};
use crate::witness::Witness;

/// Everything between the cables: bridges, router and NAT.
///
/// Cost: a frame takes tens of nanoseconds and allocates nothing once the outbox is warm. Memory is
/// bounded by the capacities of its tables. A clone is another switch in the same state: given the
/// same events it does the same, and the first does not notice.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Switch {
    pub(crate) seeds: Seeds,
    /// Grows with every change set, so that one prepared for another configuration is found.
    #[serde(skip)]
    pub(crate) revision: u64,
    pub(crate) ports: Ports,
    pub(crate) bridges: Bridges,
    pub(crate) router: Router,
    pub(crate) protocols: Protocols,
    pub(crate) nat: Nat,
    #[serde(skip)]
    pub(crate) fast_ports: FastPorts,
    #[serde(skip, default = "Adjacencies::new")]
    pub(crate) adjacencies: Adjacencies,
    pub(crate) tunnels: Tunnels,
    pub(crate) stats: Stats,
    #[serde(skip)]
    pub(crate) trace: Witness,
}

/// The port or tunnel that a frame is counted at, and what became of it.
pub(crate) type Outcome = (PortId, Result<Fate, DropReason>);

impl Switch {
    /// A switch without ports. `seed` keeps its tables from being attacked by chosen addresses; the
    /// same seed and the same events give the same effects, always.
    pub fn new(seed: u64) -> Self {
        let mut seeds = Seeds::new(seed);
        let arp = Arp::new(&mut seeds);
        let nat = Nat::new(seeds.next());
        let reassembly = Reassembly::new(seeds.hasher());
        Self {
            revision: 0,
            ports: Ports::default(),
            bridges: Bridges::default(),
            router: Router::new(),
            protocols: Protocols { arp, reassembly },
            nat,
            fast_ports: FastPorts::default(),
            adjacencies: Adjacencies::new(),
            tunnels: Tunnels::default(),
            stats: Stats::default(),
            trace: Witness::default(),
            seeds,
        }
    }

    /// Takes in what happened at `now`, which never runs backwards. Effects are added to `out`.
    pub fn step(&mut self, now: Instant, event: Event, out: &mut Outbox) {
        self.input(now, event, out);
    }

    /// As [`Switch::step`]; says what became of a frame, if one came.
    #[inline]
    pub(crate) fn input(
        &mut self,
        now: Instant,
        event: Event,
        out: &mut Outbox,
    ) -> Option<Outcome> {
        match event {
            Event::Frame { port, frame } => return Some(self.receive(now, port, frame, out)),
            Event::Datagram { port, remote, traffic_class, datagram } => {
                let outer = Outer { remote, traffic_class };
                return Some(self.receive_datagram(now, port, outer, datagram, out));
            }
            Event::Malformed { port } => {
                self.stats.totals.received += 1;
                self.stats.drop(port, DropReason::BadOffload);
                return Some((port, Err(DropReason::BadOffload)));
            }
            Event::PortUp(port) => self.set_up(now, port, true, out),
            Event::PortDown(port) => self.set_up(now, port, false, out),
            Event::Timeout => self.timeout(now, out),
        }
        None
    }

    /// Takes a frame in and counts what became of it.
    fn receive(&mut self, now: Instant, port: PortId, frame: Frame, out: &mut Outbox) -> Outcome {
        self.stats.totals.received += 1;
        let outcome = self.ingress(now, Location::Port(port), frame, out);
        if !self.fast_ports.is_complete() {
            self.fast_ports.note(&self.ports, &self.bridges);
        }
        self.count(port, outcome, out)
    }

    /// Counts what became of a frame that came in on a port or through a tunnel.
    pub(crate) fn count(
        &mut self,
        port: PortId,
        outcome: Result<Fate, Dropped>,
        out: &mut Outbox,
    ) -> Outcome {
        let outcome = outcome.map_err(|Dropped { reason, frame }| {
            out.pool.give(frame);
            reason
        });
        match outcome {
            Ok(fate) => self.stats.count(fate),
            Err(reason) => self.stats.drop(port, reason),
        }
        (port, outcome)
    }

    /// The protocols, and the parts of the switch that they may see and use.
    #[inline(always)]
    pub(crate) fn lend<'a>(&'a mut self, out: &'a mut Outbox) -> (&'a mut Protocols, Context<'a>) {
        let ctx = Context {
            ports: &self.ports,
            bridges: &self.bridges,
            interfaces: &self.router.interfaces,
            stats: &mut self.stats,
            trace: &mut self.trace,
            out,
        };
        (&mut self.protocols, ctx)
    }

    /// Forgets what only saves time: what it follows from may be another.
    pub(crate) fn invalidate_caches(&mut self) {
        self.fast_ports.forget();
        self.adjacencies.begin_epoch();
    }

    fn set_up(&mut self, now: Instant, port: PortId, up: bool, out: &mut Outbox) {
        let Some(state) = self.ports.get_mut(port) else {
            return;
        };
        let changed = core::mem::replace(&mut state.up, up) != up;
        self.invalidate_caches();
        if changed && !up {
            self.forget_neighbors_behind(now, port, |place| place.port() == Some(port), out);
            for bridge in self.bridges.iter_mut() {
                bridge.fdb.flush(Some(port));
            }
        }
        if changed && up {
            let (protocols, mut ctx) = self.lend(out);
            protocols.arp.announce_on(port, &mut ctx);
        }
    }
}
