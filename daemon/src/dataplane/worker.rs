//! One worker thread: reads a batch, steps the switch once under its lock, writes what came out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use os::poller::Events;
use os::tap::Received;
use os::underlay::{BATCH, Datagrams, Listener, Slots};
use os::{affinity, clock};
use packet::{Instant, PortId};
use switch::{Event, Outbox};

use super::polling::Polling;
use super::table::{Cable, Entry, Queue, Readable, Table};
use super::transmit::Sending;
use super::tunnel::{self, Underlay};
use super::{End, Report, Shared, WAKE};

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
    sending: Sending,
    /// Where datagrams are received.
    slots: Slots,
    datagrams: Vec<Datagrams>,
    polling: Polling<'a>,
}

/// Runs worker `number` until the dataplane stops.
pub(super) fn run(shared: &Shared, number: usize) {
    let Some(end) = shared.ends.get(number) else { return };
    let mut worker = Worker {
        shared,
        number,
        table: shared.table(),
        generation: 0,
        busy: Vec::new(),
        batch: Vec::new(),
        timers: if number == 0 { Instant::ZERO } else { Instant::MAX },
        out: Outbox::new(BUFFERS),
        sending: Sending::default(),
        slots: Slots::new(),
        datagrams: Vec::new(),
        polling: Polling::new(shared.poll, &end.polls),
    };
    if let Err(error) = settle_on(end.cpu).and_then(|()| worker.work(end)) {
        tracing::error!("worker {number} ends: {error}");
        let _ = shared.reports.send(Report::Failed(error));
    }
}

/// Keeps the calling thread where it should stay, if anywhere.
fn settle_on(cpu: Option<u16>) -> io::Result<()> {
    let Some(cpu) = cpu else { return Ok(()) };
    affinity::pin(usize::from(cpu)).map_err(|error| {
        io::Error::new(error.kind(), format!("it cannot be kept on processor {cpu}: {error}"))
    })
}

impl Worker<'_> {
    fn work(&mut self, end: &End) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while !self.shared.stop.load(Ordering::Acquire) {
            let at_once = !self.busy.is_empty() || self.polling.goes_on(clock::now);
            let timeout = if at_once { Duration::ZERO } else { self.sleep() };
            end.poller.wait(&mut events, Some(timeout))?;
            self.take_up_table();
            for (token, readiness) in events.iter() {
                if token == WAKE {
                    end.waker.drain()?;
                    continue;
                }
                let port = PortId::new(token as u32);
                // On a socket an error is news to be read; on a TAP it is the end.
                if readiness.gone
                    && matches!(self.table.get(port), Some(Entry::Cable(cable)) if cable.is_tap())
                {
                    self.lose(port);
                } else if !self.busy.contains(&port) {
                    self.busy.push(port);
                }
            }
            if !self.busy.is_empty() {
                self.polling.found(clock::now);
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
            let workers = self.shared.ends.len();
            let Some(entry) = self.table.get(*port).cloned() else { continue };
            let more = match (&entry, entry.read_by(self.number, workers)) {
                (Entry::Cable(cable), Some(Readable::Queue(queue))) => self.read(cable, queue),
                (Entry::Underlay(underlay), Some(Readable::Listener(listener))) => {
                    self.receive(underlay, listener)
                }
                _ => false,
            };
            if more {
                self.busy.push(*port);
            }
        }
        let now = clock::now();
        let timers = now >= self.timers;
        if timers || !self.batch.is_empty() {
            self.step(now, timers);
        }
        self.sending.flush(&mut self.out, &self.table, self.number);
        for notice in self.out.notices() {
            let _ = self.shared.reports.send(Report::Notice(notice));
        }
    }

    fn step(&mut self, now: Instant, timers: bool) {
        let mut switch = self.shared.switch();
        switch.look_ahead(&mut self.batch);
        self.shared.recorder.events(now, &self.batch, &switch);
        for event in self.batch.drain(..) {
            switch.step(now, event, &mut self.out);
        }
        if timers {
            if switch.next_timeout().is_some_and(|at| at <= now) {
                self.shared.recorder.events(now, &[Event::Timeout], &switch);
                switch.step(now, Event::Timeout, &mut self.out);
            }
            let next = switch.next_timeout().unwrap_or(Instant::MAX);
            self.timers = next.min(now + LONGEST_SLEEP);
        }
    }

    /// Takes a bounded number of frames from a port; whether there may be more.
    fn read(&mut self, cable: &Cable, queue: &Queue) -> bool {
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
                    if queue.is_gone(&error) {
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

    /// Takes a bounded number of datagrams from a UDP port; whether there may be more.
    fn receive(&mut self, underlay: &Underlay, listener: &Listener) -> bool {
        let (mut frames, mut bytes) = (0, 0);
        let more = loop {
            if frames >= PER_QUEUE || bytes >= PER_QUEUE_BYTES {
                break true;
            }
            let datagrams = &mut self.datagrams;
            let received = listener.receive(&mut self.slots, &mut self.out.pool, |datagram| {
                datagrams.push(datagram);
            });
            for datagrams in self.datagrams.drain(..) {
                frames += 1;
                bytes += datagrams.frame.len();
                tunnel::arrive(underlay.port, datagrams, &mut self.out.pool, &mut self.batch);
            }
            match received {
                Ok(count) if count == BATCH => {}
                Ok(_) => break false,
                Err(error) => {
                    tracing::warn!("datagrams cannot be received: {error}");
                    break false;
                }
            }
        };
        if frames > 0 {
            underlay.counters.received(frames as u64, bytes as u64);
        }
        more
    }

    /// A device is gone: the port goes down, and the control plane hears of it.
    fn lose(&mut self, port: PortId) {
        let Some(entry) = self.table.get(port).cloned() else { return };
        if let (Some(end), Some(source)) =
            (self.shared.ends.get(self.number), entry.read_by(self.number, self.shared.ends.len()))
        {
            // Fails when the control plane is removing the port at this moment.
            let _ = end.poller.remove(&source);
        }
        self.shared.step(Event::PortDown(port), &mut self.out);
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
