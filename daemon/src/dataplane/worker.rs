//! One worker thread: reads a batch, steps the switch once under its lock, writes what came out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use os::clock;
use os::poller::Events;
use os::tap::{self, Received};
use packet::{Instant, Pool, PortId};
use switch::{Event, Outbox};

use super::table::{Cable, Table};
use super::{Report, Shared, WAKE, transmit};

/// Frames taken from one queue before the next has its turn: one flooding port cannot starve the others.
const PER_QUEUE: usize = 32;
/// Bytes taken from one queue before the next has its turn. Two or three super-frames: more would leave the cache
/// before they are written.
const PER_QUEUE_BYTES: usize = 192 << 10;
/// Buffers kept: a batch from a dozen busy ports.
const BUFFERS: usize = 256;
/// The longest sleep, so that a timer that another worker started is late by no more than this.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);
/// Events taken from epoll at once.
const EVENTS: usize = 128;

struct Worker<'a> {
    shared: &'a Shared,
    number: usize,
    table: Arc<Table>,
    generation: u64,
    /// Ports whose queue may hold more.
    busy: Vec<PortId>,
    batch: Vec<Event>,
    /// When the switch's timers are looked at next. Worker 0 runs them; the others never do.
    timers: Instant,
    out: Outbox,
    /// The buffer that pieces of super-frames are made in.
    pieces: Pool,
}

/// Runs worker `number` until the dataplane stops.
pub(super) fn run(shared: &Shared, number: usize) {
    let mut worker = Worker {
        shared,
        number,
        table: shared.table(),
        generation: 0,
        busy: Vec::new(),
        batch: Vec::new(),
        timers: if number == 0 { Instant::ZERO } else { Instant::MAX },
        out: Outbox::new(BUFFERS),
        pieces: Pool::new(1),
    };
    if let Err(error) = worker.work() {
        tracing::error!("worker {number} ends: {error}");
        let _ = shared.reports.send(Report::Failed(error));
    }
}

impl Worker<'_> {
    fn work(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let Some(end) = self.shared.ends.get(self.number) else { return Ok(()) };
        while !self.shared.stop.load(Ordering::Acquire) {
            let timeout = if self.busy.is_empty() { self.sleep() } else { Duration::ZERO };
            end.poller.wait(&mut events, Some(timeout))?;
            self.take_up_table();
            for (token, readiness) in events.iter() {
                if token == WAKE {
                    end.waker.drain()?;
                    continue;
                }
                let port = PortId::new(token as u32);
                if readiness.gone {
                    self.lose(port);
                } else if !self.busy.contains(&port) {
                    self.busy.push(port);
                }
            }
            self.turn();
            end.seen.store(self.generation, Ordering::Release);
        }
        Ok(())
    }

    /// How long nothing needs to happen.
    fn sleep(&self) -> Duration {
        self.timers.since(clock::now()).min(LONGEST_SLEEP)
    }

    /// Every busy queue has its turn, then the switch is stepped once for all of them.
    fn turn(&mut self) {
        let busy = core::mem::take(&mut self.busy);
        for port in &busy {
            let Some(cable) = self.table.get(*port).cloned() else { continue };
            if self.read(&cable) {
                self.busy.push(*port);
            }
        }
        let now = clock::now();
        let timers = now >= self.timers;
        if timers || !self.batch.is_empty() {
            self.step(now, timers);
        }
        transmit::flush(&mut self.out, &self.table, self.number, &mut self.pieces);
        for notice in self.out.notices() {
            let _ = self.shared.reports.send(Report::Notice(notice));
        }
    }

    fn step(&mut self, now: Instant, timers: bool) {
        let mut switch = self.shared.switch();
        for event in self.batch.drain(..) {
            switch.step(now, event, &mut self.out);
        }
        if timers {
            if switch.next_timeout().is_some_and(|at| at <= now) {
                switch.step(now, Event::Timeout, &mut self.out);
            }
            let next = switch.next_timeout().unwrap_or(Instant::MAX);
            self.timers = next.min(now + LONGEST_SLEEP);
        }
    }

    /// Takes a bounded number of frames from a port; whether there may be more.
    fn read(&mut self, cable: &Cable) -> bool {
        let workers = self.shared.ends.len();
        let Some(queue) = cable.read_by(self.number, workers) else { return false };
        let (mut frames, mut bytes) = (0, 0);
        let port = cable.port;
        let more = loop {
            if frames >= PER_QUEUE || bytes >= PER_QUEUE_BYTES {
                break true;
            }
            let mut frame = self.out.pool.take();
            match queue.read(&mut frame) {
                Ok(Received::Frame) => {
                    frames += 1;
                    bytes += frame.len();
                    self.batch.push(Event::Frame { port, frame });
                }
                Ok(Received::Malformed) => {
                    frames += 1;
                    self.out.pool.give(frame);
                    self.batch.push(Event::Malformed { port });
                }
                Ok(Received::Empty) => {
                    self.out.pool.give(frame);
                    break false;
                }
                Err(error) => {
                    self.out.pool.give(frame);
                    if tap::is_gone(&error) {
                        self.lose(port);
                    }
                    break false;
                }
            }
        };
        if frames > 0 {
            cable.counters.received(frames as u64, bytes as u64);
        }
        more
    }

    /// A device is gone: the port goes down, and the control plane hears of it.
    fn lose(&mut self, port: PortId) {
        let Some(cable) = self.table.get(port).cloned() else { return };
        if let (Some(end), Some(queue)) =
            (self.shared.ends.get(self.number), cable.read_by(self.number, self.shared.ends.len()))
        {
            // Fails when the control plane is removing the port at this moment.
            let _ = end.poller.remove(queue);
        }
        self.shared.switch().step(clock::now(), Event::PortDown(port), &mut self.out);
        let _ = self.shared.reports.send(Report::Gone(port));
    }

    fn take_up_table(&mut self) {
        let generation = self.shared.generation.load(Ordering::Acquire);
        if generation != self.generation {
            self.table = self.shared.table();
            self.generation = generation;
        }
    }
}
