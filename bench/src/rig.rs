//! A switch under a kind of traffic, and the time it takes.
//!
//! # Theory of operation
//! Frames go through in batches, as a worker hands them over. Each batch has three parts: frames
//! are taken from the pool and written (not timed; as after a read, their headers are in the cache
//! and nothing else is), the switch steps through them and its timers (timed), and the outbox is
//! drained, which brings the buffers back (timed). The clock is read twice a batch, so it adds
//! under two nanoseconds to a frame. Virtual time moves on with every batch.

use std::time::{Duration, Instant};

use packet::{Frame, PortId};
use switch::{Change, Event, Outbox, Switch};

/// What comes in.
pub trait Traffic {
    /// Makes `frame` the next one; says where it comes in.
    fn next(&mut self, frame: &mut Frame) -> PortId;

    /// What to change ahead of a batch of `frames`, if anything; not timed.
    fn interlude(&mut self, _frames: usize) -> Option<Change> {
        None
    }
}

/// A switch, its buffers and its traffic.
#[derive(Debug)]
pub struct Rig<T> {
    switch: Switch,
    out: Outbox,
    now: packet::Instant,
    tick: Duration,
    batch: Vec<Event>,
    traffic: T,
    copies: u64,
}

impl<T: Traffic> Rig<T> {
    /// Puts traffic on a switch that has been set up with `out` until `now`.
    pub fn new(switch: Switch, out: Outbox, now: packet::Instant, traffic: T) -> Self {
        let batch = Vec::with_capacity(BATCH);
        Self { switch, out, now, tick: TICK, batch, traffic, copies: 0 }
    }

    /// The switch as traffic has left it, and when.
    pub fn into_switch(self) -> (Switch, packet::Instant) {
        (self.switch, self.now)
    }

    /// Lets more virtual time pass with each batch, so that timers run often.
    #[must_use]
    pub const fn with_tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// Sends `frames` frames through; the time they were inside the switch. Allocates nothing once
    /// warm, as far as the switch does not.
    ///
    /// # Panics
    /// When a frame did not leave: the measurement would be of something else.
    pub fn run(&mut self, frames: u64) -> Duration {
        let before = self.switch.totals();
        let mut time = Duration::ZERO;
        let mut left = frames;
        while left > 0 {
            let count = left.min(BATCH as u64);
            time += self.run_batch(count as usize);
            left -= count;
        }
        let after = self.switch.totals();
        let sent = after.sent - before.sent;
        assert!(sent == frames, "{sent} of {frames} frames left: {:?}", self.switch.drops());
        time
    }

    /// Copies that left so far: a flooded frame leaves in many.
    pub const fn copies(&self) -> u64 {
        self.copies
    }

    fn run_batch(&mut self, frames: usize) -> Duration {
        if let Some(change) = self.traffic.interlude(frames) {
            let made = self.switch.apply(self.now, change, &mut self.out);
            assert!(made.is_ok(), "{made:?}");
        }
        for _ in 0..frames {
            let mut frame = self.out.pool.take();
            let port = self.traffic.next(&mut frame);
            self.batch.push(Event::Frame { port, frame });
        }
        self.now += self.tick;
        let start = Instant::now();
        self.switch.prefetch(&mut self.batch);
        for event in self.batch.drain(..) {
            self.switch.step(self.now, event, &mut self.out);
        }
        if self.switch.next_timeout().is_some_and(|due| due <= self.now) {
            self.switch.step(self.now, Event::Timeout, &mut self.out);
        }
        let copies = &mut self.copies;
        self.out.drain(|_, egresses| *copies += egresses.len() as u64);
        start.elapsed()
    }
}

/// Frames a batch: what a worker reads from its queues before it takes the lock.
pub const BATCH: usize = 64;
/// Virtual time a batch: what the frames would take at 10 million a second.
const TICK: Duration = Duration::from_nanos(6_400);
