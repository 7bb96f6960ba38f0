//! Several labs whose tunnels meet: every one a far end of every other, over an underlay that loses
//! and reorders.
//!
//! # Theory of operation
//! All labs have one clock. Each turn it jumps to what comes first, in a lab or on the underlay;
//! every lab goes there, and what then leaves through their tunnels is put on its way. Nothing is
//! lost but by the underlay's own choice, which comes from the seed.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::BTreeMap;

use packet::Instant;

use crate::lab::Lab;
use crate::link::Link;
use crate::rng::Rng;
use crate::talk::{Connection, PATIENCE, PING_PATIENCE, Stream};
use crate::tunnel::Tunnel;
use crate::wire::{Address, Socket};

/// Datagrams under way at once, beyond which they must be going in circles.
const STORM: usize = 100_000;
/// The segment of all.
const VNI: u32 = 42;

/// The labs and what is between them.
pub struct Mesh {
    labs: Vec<Lab>,
    link: Link,
    rng: Rng,
    underway: BTreeMap<(Instant, u64), Underway>,
    sequence: u64,
    lost: u64,
}

struct Underway {
    to: usize,
    from: Ipv4Addr,
    payload: Vec<u8>,
}

impl Mesh {
    /// As many labs as `sites`, each with a bridge "br0" and a tunnel "vx0" to all others that
    /// `shape` has shaped. Nobody is connected yet.
    pub fn full(seed: u64, sites: u8, link: Link, shape: impl Fn(Tunnel) -> Tunnel) -> Self {
        let lab = |site| {
            let mut lab = Lab::at_site(site, seed + u64::from(site));
            lab.bridge("br0");
            lab.underlay("udp");
            let others = (0..sites).filter(|other| *other != site);
            let tunnel = others.fold(Tunnel::on("br0", VNI), |tunnel, other| {
                tunnel.to(Self::address(usize::from(other)))
            });
            lab.tunnel("vx0", &shape(tunnel));
            lab
        };
        let labs = (0..sites).map(lab).collect();
        let rng = Rng::new(!seed);
        Self { labs, link, rng, underway: BTreeMap::new(), sequence: 0, lost: 0 }
    }

    /// The address of a lab on the underlay.
    pub fn address(site: usize) -> Ipv4Addr {
        Ipv4Addr::new(192, 0, 2, site as u8 + 1)
    }

    /// One of the labs. What it makes leave goes on its way when time passes.
    pub fn lab(&mut self, site: usize) -> &mut Lab {
        &mut self.labs[site]
    }

    /// Datagrams that the underlay has lost.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Lets `span` pass.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.labs[0].now + span;
        while self.turn(end) {}
    }

    /// Lets time pass until `done`, at most for `limit`; says whether it was done.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.labs[0].now + limit;
        loop {
            if done(self) {
                return true;
            }
            if !self.turn(end) {
                return done(self);
            }
        }
    }

    /// Pings from a host of a lab; says who answered.
    pub fn ping(&mut self, (site, host): (usize, &str), to: impl Address) -> Option<Ipv4Addr> {
        let sequence = self.labs[site].begin_ping(host, to.address(), 56);
        let mut answer = None;
        self.run_until(PING_PATIENCE, |mesh| {
            answer = mesh.labs[site].pong(host, sequence);
            answer.is_some()
        });
        answer
    }

    /// Sends `len` random bytes over TCP from a host of one lab to a host of another, and compares
    /// what came.
    ///
    /// # Panics
    /// It takes more than an hour, or the content differs.
    pub fn transfer(
        &mut self,
        (from, host): (usize, &str),
        address: impl Address,
        (to, server): (usize, &str),
        len: usize,
    ) {
        const PORT: u16 = 5001;
        let mut stream = Stream::new(self.rng.next(), len);
        let server: Connection = self.labs[to].listen(server, PORT);
        let address = format!("{}:{PORT}", address.address());
        let client = self.labs[from].connect(host, (*address).socket());
        let done = self.run_until(PATIENCE, |mesh| {
            if mesh.labs[from].feed(client, &mut stream) {
                mesh.labs[from].wake(client);
            }
            if mesh.labs[to].drink(server, &mut stream) {
                mesh.labs[to].wake(server);
            }
            stream.is_done()
        });
        assert!(done, "stuck, with {} datagrams lost", self.lost);
        stream.assert_equal();
        for (site, connection) in [(from, client), (to, server)] {
            self.labs[site].socket(connection).abort();
            self.labs[site].wake(connection);
        }
    }

    /// The next thing that happens until `end`; `false` when there is none and it is `end`.
    fn turn(&mut self, end: Instant) -> bool {
        self.collect();
        let labs = self.labs.iter().filter_map(Lab::next_turn).min();
        let underlay = self.underway.first_key_value().map(|((at, _), _)| *at);
        let next = [labs, underlay].into_iter().flatten().min().filter(|at| *at <= end);
        let now = next.unwrap_or(end).max(self.labs[0].now);
        self.labs.iter_mut().for_each(|lab| lab.advance(now));
        while let Some(entry) = self.underway.first_entry().filter(|entry| entry.key().0 <= now) {
            let Underway { to, from, payload } = entry.remove();
            self.labs[to].from_remote(from, &payload);
        }
        next.is_some()
    }

    /// Puts on its way what has left the labs.
    fn collect(&mut self) {
        for site in 0..self.labs.len() {
            let now = self.labs[site].now;
            for datagram in self.labs[site].datagrams() {
                let sites = 0..self.labs.len();
                let to = sites.into_iter().find(|to| Self::address(*to) == datagram.remote);
                let to = to.expect("every far end is a lab");
                let journeys = self.link.journeys(&mut self.rng);
                self.lost += u64::from(journeys.is_empty());
                for journey in journeys {
                    self.sequence += 1;
                    let payload = datagram.payload.clone();
                    let underway = Underway { to, from: Self::address(site), payload };
                    self.underway.insert((now + journey, self.sequence), underway);
                }
            }
        }
        assert!(self.underway.len() < STORM, "a storm: datagrams go in circles");
    }
}
