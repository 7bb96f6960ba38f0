//! The external ports of one address and protocol: which are taken, shared, resting or published.
//!
//! # Theory of operation
//! A port is free, *owned* by one mapping, *shared* by flows to different remotes
//! (address-and-port-dependent mapping), or *resting*: free, but for 120 s only for the host that
//! had it last (RFC 6888 REQ-8), so that a late packet does not meet a stranger; another host gets
//! it when no other port is left. Beside that a port may be *published*, and then no mapping gets
//! it. Each property is a bitmap, so that a free port is found by looking at 64 at a time: at most
//! 1024 words, also when one port is left. `slots` says who owns, how many share, or who rested.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::VecDeque;

use packet::snapshot::{Damaged, ensure, read_sparse, write_sparse};
use packet::{Instant, InterfaceId, Protocol};
use serde::{Deserialize, Serialize};

use crate::mapping_id::MappingId;
use crate::masquerade::AllowedPorts;
use crate::rules::Listeners;

/// How long a freed port is kept from other hosts (RFC 6888 REQ-8).
pub(crate) const REST: Duration = Duration::from_secs(120);
/// Rests remembered at once; the oldest ends early beyond that. Each is 8 bytes.
const MAX_RESTS: usize = 1 << 17;

/// One bit for each port: 8 KiB.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Bits(
    #[serde(serialize_with = "write_sparse", deserialize_with = "read_sparse::<1024, _>")] Vec<u64>,
);

impl Bits {
    fn new() -> Self {
        Self(vec![0; 1024])
    }

    fn has(&self, port: u16) -> bool {
        self.word(port / 64) & (1 << (port % 64)) != 0
    }

    fn word(&self, word: u16) -> u64 {
        self.0.get(usize::from(word)).copied().unwrap_or(0)
    }

    fn set(&mut self, port: u16, value: bool) {
        if let Some(word) = self.0.get_mut(usize::from(port / 64)) {
            let bit = 1 << (port % 64);
            *word = if value { *word | bit } else { *word & !bit };
        }
    }
}

/// The ports of one external address and protocol. 544 KiB when every port was used once, touched
/// as they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PortPool {
    pub(crate) address: Ipv4Addr,
    pub(crate) protocol: Protocol,
    /// The router's interface that bears the address.
    owner: Option<InterfaceId>,
    used: Bits,
    shared: Bits,
    resting: Bits,
    published: Bits,
    /// Owner's mapping, number of sharers, or host and end of rest, by what the bitmaps say.
    #[serde(serialize_with = "write_sparse", deserialize_with = "read_sparse::<65536, _>")]
    slots: Vec<u64>,
    rests: VecDeque<(u32, u16)>,
    in_use: usize,
}

impl PortPool {
    pub(crate) fn new(
        address: Ipv4Addr,
        protocol: Protocol,
        owner: Option<InterfaceId>,
        listeners: &Listeners,
    ) -> Self {
        let mut pool = Self {
            address,
            protocol,
            owner,
            used: Bits::new(),
            shared: Bits::new(),
            resting: Bits::new(),
            published: Bits::new(),
            slots: vec![0; 1 << 16],
            rests: VecDeque::new(),
            in_use: 0,
        };
        pool.publish(listeners);
        pool
    }

    /// Finds what is wrong with a pool that was read, given how many flows there are.
    pub(crate) fn check(&self, flows: usize) -> Result<(), Damaged> {
        ensure(self.in_use <= 1 << 16, "more ports are in use than there are")?;
        let mut sharers = (0..=u16::MAX).filter(|port| self.shared.has(*port));
        let shared = sharers.all(|port| self.slot(port) <= flows as u64);
        ensure(shared, "a port is shared by more flows than there are")
    }

    /// Learns which ports are published; flows that have one of them already keep it.
    pub(crate) fn publish(&mut self, listeners: &Listeners) {
        self.published = Bits::new();
        for port in listeners.ports(self.protocol, self.address, self.owner) {
            self.published.set(port, true);
        }
    }

    /// Learns which interface bears the address.
    pub(crate) fn belong(&mut self, owner: Option<InterfaceId>, listeners: &Listeners) {
        if self.owner != owner {
            self.owner = owner;
            self.publish(listeners);
        }
    }

    /// Ports owned or shared.
    pub(crate) const fn in_use(&self) -> usize {
        self.in_use
    }

    /// The mapping that owns `port`.
    pub(crate) fn mapping(&self, port: u16) -> Option<MappingId> {
        if !self.used.has(port) || self.shared.has(port) {
            return None;
        }
        MappingId::from_bits(self.slot(port) as u32)
    }

    /// Whether flows share `port`.
    pub(crate) fn is_shared(&self, port: u16) -> bool {
        self.shared.has(port)
    }

    /// How many flows share `port`, if any do.
    pub(crate) fn sharers(&self, port: u16) -> Option<u64> {
        self.shared.has(port).then(|| self.slot(port))
    }

    /// A port for `host` alone: `wish` where it may be had, else the first free one from `start`
    /// on.
    pub(crate) fn find_free(
        &mut self,
        now: Instant,
        host: Ipv4Addr,
        wish: u16,
        allowed: AllowedPorts,
        start: u64,
    ) -> Option<u16> {
        self.end_rests(now);
        if allowed.allows(wish) && self.is_free_for(host, wish) {
            return Some(wish);
        }
        let (low, high) = (allowed.range.low(), allowed.range.high());
        let start = low + (start % (u64::from(high - low) + 1)) as u16;
        self.scan(start, high, allowed.pattern)
            .or_else(|| self.scan(low, start, allowed.pattern))
            .or_else(|| self.own_rest(host, allowed))
            .or_else(|| self.any_rest(start, allowed))
    }

    /// Whether flows to different remotes may leave from `port`: no mapping owns it, and no rule
    /// listens there.
    pub(crate) fn is_shareable(&self, port: u16) -> bool {
        (!self.used.has(port) || self.shared.has(port)) && !self.published.has(port)
    }

    /// Gives `port` to `mapping`.
    pub(crate) fn own(&mut self, port: u16, mapping: MappingId) {
        self.used.set(port, true);
        self.resting.set(port, false);
        self.set_slot(port, u64::from(mapping.bits()));
        self.in_use += 1;
    }

    /// Adds a flow to those that share `port`.
    pub(crate) fn share(&mut self, port: u16) {
        let sharers = if self.shared.has(port) {
            self.slot(port)
        } else {
            self.in_use += 1;
            0
        };
        self.used.set(port, true);
        self.shared.set(port, true);
        self.resting.set(port, false);
        self.set_slot(port, sharers + 1);
    }

    /// Takes a flow of `host` from those that share `port`; the last one lets it rest.
    pub(crate) fn unshare(&mut self, now: Instant, port: u16, host: Ipv4Addr) {
        match self.slot(port) {
            sharers if sharers > 1 => self.set_slot(port, sharers - 1),
            _ => {
                self.shared.set(port, false);
                self.release(now, port, host);
            }
        }
    }

    /// Frees a port that `host` had, and lets it rest.
    pub(crate) fn release(&mut self, now: Instant, port: u16, host: Ipv4Addr) {
        self.used.set(port, false);
        self.in_use = self.in_use.saturating_sub(1);
        self.resting.set(port, true);
        let until = (now + REST).as_secs() as u32;
        self.set_slot(port, u64::from(u32::from(host)) << 32 | u64::from(until));
        self.rests.push_back((until, port));
        if self.rests.len() > MAX_RESTS
            && let Some((until, port)) = self.rests.pop_front()
        {
            self.end_rest(until, port);
        }
    }

    /// Frees a port that was never used.
    pub(crate) fn give_back(&mut self, port: u16) {
        self.used.set(port, false);
        self.in_use = self.in_use.saturating_sub(1);
    }

    fn end_rests(&mut self, now: Instant) {
        // Each rest is taken once, so all calls together cost what releases cost.
        while let Some((until, port)) = self.rests.front().copied() {
            if u64::from(until) > now.as_secs() {
                return;
            }
            self.rests.pop_front();
            self.end_rest(until, port);
        }
    }

    /// Ends the rest that began with this entry, unless the port was taken and freed again since.
    fn end_rest(&mut self, until: u32, port: u16) {
        if self.resting.has(port) && self.slot(port) as u32 == until {
            self.resting.set(port, false);
        }
    }

    fn is_free_for(&self, host: Ipv4Addr, port: u16) -> bool {
        !self.used.has(port)
            && !self.published.has(port)
            && (!self.resting.has(port) || self.slot(port) >> 32 == u64::from(u32::from(host)))
    }

    /// The first port from `low` to `high` that nobody has, had a moment ago or published.
    fn scan(&self, low: u16, high: u16, pattern: u64) -> Option<u16> {
        for word in low / 64..=high / 64 {
            let taken = self.used.word(word) | self.resting.word(word) | self.published.word(word);
            let mut free = !taken & pattern;
            if word == low / 64 {
                free &= u64::MAX << (low % 64);
            }
            if word == high / 64 {
                free &= u64::MAX >> (63 - high % 64);
            }
            if free != 0 {
                return Some(word * 64 + free.trailing_zeros() as u16);
            }
        }
        None
    }

    /// A port that rests from `host` itself: the last resort, so that hosts do not run in circles.
    fn own_rest(&self, host: Ipv4Addr, allowed: AllowedPorts) -> Option<u16> {
        let (low, high) = (allowed.range.low(), allowed.range.high());
        for word in low / 64..=high / 64 {
            let mut rests = self.resting.word(word) & allowed.pattern;
            while rests != 0 {
                let port = word * 64 + rests.trailing_zeros() as u16;
                rests &= rests - 1;
                if allowed.allows(port) && self.is_free_for(host, port) {
                    return Some(port);
                }
            }
        }
        None
    }

    /// A port that rests from another host: better than none, or than one that a flow has.
    fn any_rest(&self, start: u16, allowed: AllowedPorts) -> Option<u16> {
        let rests = |low: u16, high: u16| {
            (low / 64..=high / 64).find_map(|word| {
                let mut free =
                    self.resting.word(word) & !self.used.word(word) & !self.published.word(word);
                free &= allowed.pattern;
                if word == low / 64 {
                    free &= u64::MAX << (low % 64);
                }
                if word == high / 64 {
                    free &= u64::MAX >> (63 - high % 64);
                }
                (free != 0).then(|| word * 64 + free.trailing_zeros() as u16)
            })
        };
        rests(start, allowed.range.high()).or_else(|| rests(allowed.range.low(), start))
    }

    fn slot(&self, port: u16) -> u64 {
        self.slots.get(usize::from(port)).copied().unwrap_or(0)
    }

    fn set_slot(&mut self, port: u16, value: u64) {
        if let Some(slot) = self.slots.get_mut(usize::from(port)) {
            *slot = value;
        }
    }
}
