//! One worker thread: reads a batch, steps the switch through it under its lock, writes what came
//! out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use os::poller::Events;
use os::tap::Received;
use os::underlay::{BATCH, Datagrams, Listener, Slots};
use os::{affinity, clock};
use packet::{Instant, PortId};
use switch::{Event, Outbox, Switch};

use super::arriving::{Arriving, is_followed};
use super::joining::CROWD;
use super::polling::Polling;
use super::table::{Cable, PortIo, Queue, Readable, Table};
use super::transmit::Sending;
use super::tunnel::{self, Underlay};
use super::turns::Turns;
use super::{End, Report, Shared, WAKE};

/// Frames taken from one queue before the next has its turn: one flooding port cannot starve the
/// others.
const PER_QUEUE: usize = 32;
/// Bytes taken from one queue before the next has its turn. Two or three super-frames: more would
/// leave the cache before they are written.
const PER_QUEUE_BYTES: usize = 192 << 10;
/// Frames taken from a queue that holds fragments, while no other port waits. A sender faster than
/// the worker finds places in the queue only as they are read, and the datagrams at both ends of
/// every pause are torn: the fewer pauses, the fewer are. But what is read at once leaves at once,
/// and is to fit into a receiver's socket: by Linux's defaults, 21 datagrams of 8,000 bytes do.
const PER_FRAGMENTED_QUEUE: usize = 96;
/// Fragments of a turn after which whoever waits for the processor has it first: the datagrams that
/// they make may be half of what a socket has room for, and its reader may wait for this processor.
const BURST: usize = 64;
/// Frames beyond these to the end of a datagram: as many as the largest has behind its first at an
/// MTU of 1500.
const MOST_FRAGMENTS: usize = 44;
/// Frames of a batch beyond which no further queue is read, and which the switch is stepped through
/// under one taking of its lock. With a thousand busy
/// ports, more would keep the other workers and the control plane waiting, and hold more memory
/// than a cache has.
const PER_BATCH: usize = 256;
/// Copies that flooded frames of a batch may leave in before they are written: at about a
/// microsecond each, so that a broadcast storm among a thousand ports neither fills memory nor
/// keeps a new table waiting.
const PER_FLUSH: usize = 4096;
/// Buffers kept: a batch of frames, and what is received beyond it.
const BUFFERS: usize = PER_BATCH + PER_FRAGMENTED_QUEUE + MOST_FRAGMENTS;
/// Events taken from epoll at once.
const EVENTS: usize = 128;

struct Worker<'a> {
    shared: &'a Shared,
    number: usize,
    table: Arc<Table>,
    generation: u64,
    /// Ports whose queue may hold more, in the order of their turns.
    busy: Turns,
    batch: Vec<Event>,
    arriving: Arriving,
    out: Outbox,
    sending: Sending,
    /// Which frames of `out` are flooded ones that came in on a port: their places, in order.
    origins: Vec<(usize, PortId)>,
    /// Where datagrams are received.
    slots: Slots,
    datagrams: Vec<Datagrams>,
    polling: Polling<'a>,
    /// Whether a burst of fragments was read in this turn.
    gives_way: bool,
}

/// Runs worker `number` until the dataplane stops.
pub(super) fn run(shared: &Shared, number: usize) {
    let Some(end) = shared.ends.get(number) else { return };
    let _gone = Gone { shared, number };
    let mut worker = Worker {
        shared,
        number,
        table: shared.table(),
        generation: 0,
        busy: Turns::default(),
        batch: Vec::new(),
        arriving: Arriving::default(),
        out: Outbox::new(BUFFERS),
        sending: Sending::default(),
        origins: Vec::new(),
        slots: Slots::new(),
        datagrams: Vec::new(),
        polling: Polling::new(shared.poll, &end.polls),
        gives_way: false,
    };
    if let Err(error) = settle_on(end.cpu).and_then(|()| worker.work(end)) {
        tracing::error!("worker {number} ends: {error}");
        let _ = shared.reports.send(Report::Failed(error));
    }
}

/// Says, however the thread ends, that it holds no table any more: nobody waits for it to take up
/// another.
struct Gone<'a> {
    shared: &'a Shared,
    number: usize,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.shared.seen.end(self.number);
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
            let at_once = !self.busy.is_empty()
                || self.sending.is_waiting()
                || self.polling.goes_on(clock::now);
            let timeout = if at_once { Some(Duration::ZERO) } else { self.sleep() };
            end.poller.wait(&mut events, timeout)?;
            self.take_up_table();
            for (token, readiness) in events.iter() {
                if token == WAKE {
                    end.waker.drain()?;
                    continue;
                }
                let port = PortId::new(token as u32);
                // On a socket an error is news to be read; on a TAP it is the end.
                if readiness.gone
                    && matches!(self.table.get(port), Some(PortIo::Cable(cable)) if cable.is_tap())
                {
                    self.lose(port);
                } else {
                    self.busy.push(port);
                }
            }
            if !self.busy.is_empty() {
                self.polling.found(clock::now);
            }
            self.turn();
        }
        Ok(())
    }

    /// How long nothing needs to happen; `None` until something does. Worker 0 runs the timers, the
    /// others never do.
    fn sleep(&self) -> Option<Duration> {
        let at = self.shared.alarm.at();
        (self.number == 0 && at != Instant::MAX).then(|| at.since(clock::now()))
    }

    fn timers_are_due(&self) -> bool {
        self.number == 0 && clock::now() >= self.shared.alarm.at()
    }

    /// Busy queues have their turn until the batch is full, then the switch is stepped for all of
    /// them.
    fn turn(&mut self) {
        self.sending.begin();
        for _ in 0..self.busy.len() {
            if self.batch.len() >= PER_BATCH {
                break;
            }
            let Some(port) = self.busy.pop() else { break };
            if self.take_from(port) {
                self.busy.push(port);
            }
        }
        if !self.batch.is_empty() || self.timers_are_due() {
            self.step();
        } else {
            // A lost device may have had effects.
            self.send();
        }
        if std::mem::take(&mut self.gives_way) {
            std::thread::yield_now();
        }
    }

    /// Takes what a port may give in one turn; whether there may be more.
    fn take_from(&mut self, port: PortId) -> bool {
        let Some(entry) = self.table.get(port).cloned() else { return false };
        match (&entry, entry.read_by(self.number, self.shared.ends.len())) {
            (PortIo::Cable(cable), Some(Readable::Queue(queue))) => self.read(cable, queue),
            (PortIo::Underlay(underlay), Some(Readable::Listener(listener))) => {
                self.receive(underlay, listener)
            }
            _ => false,
        }
    }

    /// Steps the switch through the batch and sends what comes out: under one taking of the lock,
    /// unless so much is flooded that some of it must leave first. The time is read under the
    /// lock: no step is earlier than the one before it, whichever worker made that.
    fn step(&mut self) {
        let shared = self.shared;
        let mut batch = core::mem::take(&mut self.batch);
        let mut switch = shared.switch();
        let mut now = clock::now();
        switch.prefetch(&mut batch);
        let mut events = batch.drain(..);
        loop {
            for event in events.by_ref() {
                shared.recorder.events(now, std::slice::from_ref(&event), &switch);
                let (copies, from) = (self.out.waiting_copies(), came_in(&event));
                switch.step(now, event, &mut self.out);
                if self.out.waiting_copies() > copies + 1
                    && let (Some(last), Some(from)) = (self.out.len().checked_sub(1), from)
                {
                    self.origins.push((last, from));
                }
                if self.out.waiting_copies() >= PER_FLUSH {
                    break;
                }
            }
            let done = events.len() == 0;
            if done {
                self.look_at_timers(now, &mut switch);
            }
            drop(switch);
            self.send();
            if done {
                break;
            }
            switch = shared.switch();
            now = clock::now();
        }
        drop(events);
        self.batch = batch;
    }

    /// Runs the timers that are due, and sets the alarm to the next one; or has that done soon.
    fn look_at_timers(&mut self, now: Instant, switch: &mut Switch) {
        let shared = self.shared;
        if self.number > 0 {
            return shared.stepped(now);
        }
        if now < shared.alarm.at() {
            shared.alarm.advance(now);
            return;
        }
        if switch.next_timeout().is_some_and(|at| at <= now) {
            shared.recorder.events(now, &[Event::Timeout], switch);
            switch.step(now, Event::Timeout, &mut self.out);
        }
        shared.alarm.set(switch.next_timeout().unwrap_or(Instant::MAX));
    }

    /// Writes what the switch left, and lets go of a table that has been replaced.
    fn send(&mut self) {
        self.sending.flush(&mut self.out, &self.origins, &self.table, self.number);
        self.origins.clear();
        for notice in self.out.notices() {
            let _ = self.shared.reports.send(Report::Notice(notice));
        }
        self.take_up_table();
    }

    /// Takes a bounded number of frames from a port; whether there may be more. A datagram whose
    /// first fragments are among them is taken to its end.
    fn read(&mut self, cable: &Cable, queue: &Queue) -> bool {
        let (mut frames, mut bytes) = (0, 0);
        let (mut in_datagram, mut has_fragments) = (false, false);
        let (port, first, is_alone) = (cable.port, self.batch.len(), self.busy.is_empty());
        let more = loop {
            let most = if has_fragments && is_alone { PER_FRAGMENTED_QUEUE } else { PER_QUEUE };
            let rest = if in_datagram { MOST_FRAGMENTS } else { 0 };
            if frames >= most + rest || bytes >= PER_QUEUE_BYTES {
                break true;
            }
            let mut frame = self.out.pool.take();
            match queue.read(&mut frame) {
                Ok(Received::Frame) => {
                    frames += 1;
                    bytes += frame.len();
                    in_datagram = is_followed(&frame);
                    has_fragments |= in_datagram;
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
        self.gives_way |= has_fragments && frames >= BURST;
        if has_fragments && frames >= CROWD {
            self.arriving.join(port, &mut self.batch, first, &mut self.out.pool);
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

    /// Takes up the newest table, and says so to whoever waits for the old one's end. No entry of
    /// the old one is in anyone's hands here.
    fn take_up_table(&mut self) {
        let generation = self.shared.generation.load(Ordering::Acquire);
        if generation == self.generation {
            return;
        }
        let table = self.shared.table();
        self.sending.take_up(&self.table, &table);
        self.table = table;
        self.generation = generation;
        self.shared.seen.note(self.number, generation);
    }
}

/// The port that an event's frame came in on.
const fn came_in(event: &Event) -> Option<PortId> {
    match event {
        Event::Frame { port, .. } | Event::Datagram { port, .. } => Some(*port),
        Event::Malformed { .. } | Event::PortUp(_) | Event::PortDown(_) | Event::Timeout => None,
    }
}
