//! The switch joined to its cables: worker threads move frames, the control plane changes things
//! beside them.
//!
//! # Theory of operation
//! One [`Switch`] stands behind one lock. Each worker reads a bounded batch from its own queue of
//! every port, takes the lock once for the whole batch, and writes what came out after letting the
//! lock go; system calls, cutting and checksums all happen outside. The set of ports is an
//! immutable [`Table`]; a change publishes a new one, and a worker takes it up between two batches.
//! A port that is removed is closed when every worker has let go of the old table,
//! which [`Dataplane::detach`] waits for, so that its device is gone when the call returns.
//!
//! Lock order: `control` (the outbox of the control plane), then `switch`. Workers take `switch`
//! alone.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dashmap::DashMap;
use nat::FlowView;
use offline::listing::counts::{PortCounts, WorkerCounts};
use os::clock;
use os::poller::{Poller, Waker};
use packet::PortId;
use switch::change::FlowFilter;
use switch::{Change, ChangeError, Event, Notice, Outbox, Prepared, Switch};
use tokio::sync::mpsc::UnboundedSender;

use crate::record::Recorder;

mod alarm;
mod arriving;
mod attach;
mod close;
mod counters;
mod detach;
mod flood;
mod joining;
mod polling;
mod record;
mod settle;
mod table;
mod threads;
mod transmit;
mod tunnel;
mod turns;
mod worker;

use alarm::Alarm;
pub(crate) use close::close;
pub use counters::Counters;
use polling::PollCounters;
use settle::Generations;
pub use table::Queue;
pub(crate) use table::{PortIo, Table};
pub use threads::Threads;
use transmit::Sending;
pub use tunnel::Exit;

/// What a worker tells the control plane.
#[derive(Debug)]
pub enum Report {
    /// A port's device is gone.
    Gone(PortId),
    /// The switch has something for people.
    Notice(Notice),
    /// A worker ended for an error; the process should too.
    Failed(io::Error),
}

/// The packet path, as the control plane holds it.
#[derive(Debug)]
pub struct Dataplane {
    shared: Arc<Shared>,
    control: Mutex<Outbox>,
    workers: Vec<JoinHandle<()>>,
}

/// What workers and control plane share.
#[derive(Debug)]
struct Shared {
    switch: Mutex<Switch>,
    /// Takes down what enters the switch, under its lock.
    recorder: Recorder,
    table: RwLock<Arc<Table>>,
    generation: AtomicU64,
    /// The newest table that each worker has taken up.
    seen: Generations,
    /// When worker 0 looks at the switch's timers.
    alarm: Alarm,
    counters: DashMap<PortId, Arc<Counters>>,
    /// What the kernel has dropped at the sockets of ports, as far as it was asked.
    overruns: Mutex<BTreeMap<PortId, u64>>,
    ends: Vec<End>,
    /// How long a worker polls at most.
    poll: Duration,
    stop: AtomicBool,
    reports: UnboundedSender<Report>,
    #[cfg(debug_assertions)]
    is_broken: AtomicBool,
    #[cfg(debug_assertions)]
    unwatchable: AtomicBool,
}

/// One worker, as seen from outside.
#[derive(Debug)]
struct End {
    poller: Poller,
    waker: Waker,
    /// The processor that it stays on.
    cpu: Option<u16>,
    polls: PollCounters,
}

impl End {
    fn rouse(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::warn!(
                "a worker cannot be woken and will see the change with its next frame: {error}"
            );
        }
    }
}

/// Token of a worker's waker; ports have their number.
const WAKE: u64 = u64::MAX;
/// Flows looked at, or ended, under one taking of the lock: three milliseconds.
const FLOWS_AT_ONCE: usize = 2048;
/// Buffers that the control plane's outbox keeps.
const CONTROL_BUFFERS: usize = 8;

impl Dataplane {
    /// Starts threads (at least one) around a new switch. One that cannot stay where it should is
    /// reported as failed.
    ///
    /// # Errors
    /// A system call's, when epoll or a thread cannot be had.
    pub fn start(
        threads: &Threads,
        seed: u64,
        reports: UnboundedSender<Report>,
    ) -> io::Result<Self> {
        let mut ends = Vec::new();
        for number in 0..threads.workers.max(1) {
            let (poller, waker) = (Poller::new()?, Waker::new()?);
            poller.add(&waker, WAKE)?;
            let (cpu, polls) = (threads.cpu(number), PollCounters::default());
            ends.push(End { poller, waker, cpu, polls });
        }
        let shared = Arc::new(Shared {
            switch: Mutex::new(Switch::new(seed)),
            recorder: Recorder::default(),
            table: RwLock::new(Arc::new(Table::default())),
            generation: AtomicU64::new(0),
            seen: Generations::by(ends.len()),
            alarm: Alarm::default(),
            counters: DashMap::new(),
            overruns: Mutex::default(),
            ends,
            poll: threads.poll,
            stop: AtomicBool::new(false),
            reports,
            #[cfg(debug_assertions)]
            is_broken: AtomicBool::new(false),
            #[cfg(debug_assertions)]
            unwatchable: AtomicBool::new(false),
        });
        let mut plane =
            Self { shared, control: Mutex::new(Outbox::new(CONTROL_BUFFERS)), workers: Vec::new() };
        for number in 0..plane.shared.ends.len() {
            let shared = Arc::clone(&plane.shared);
            let name = format!("worker-{number}");
            let thread =
                thread::Builder::new().name(name).spawn(move || worker::run(&shared, number))?;
            plane.workers.push(thread);
        }
        Ok(plane)
    }

    /// How many queues a TAP can use: one a worker.
    pub fn queues(&self) -> usize {
        self.shared.ends.len()
    }

    /// Checks changes, and lays out beside the running switch what they need. Packets do not wait.
    ///
    /// # Errors
    /// What the first change contradicts that cannot be made.
    pub fn prepare(&self, changes: Vec<Change>) -> Result<Prepared, ChangeError> {
        let draft = self.shared.switch().draft();
        draft.prepare(changes)
    }

    /// Makes changes that were prepared, in order, all of them or none. Packets wait only
    /// meanwhile.
    ///
    /// # Errors
    /// What the first change contradicts that cannot be made; then nothing has changed.
    pub fn commit(&self, mut prepared: Prepared) -> Result<(), ChangeError> {
        let mut out = lock(&self.control);
        let made = self.shared.commit(&mut prepared, &mut out);
        self.shared.send_from_control(&mut out);
        drop(out);
        while self.look(|_, switch| switch.is_sweeping()) {
            self.events(std::iter::once(Event::Timeout));
        }
        made
    }

    /// Makes changes in order, all of them or none.
    ///
    /// # Errors
    /// As [`Dataplane::prepare`] and [`Dataplane::commit`].
    pub fn apply(&self, changes: Vec<Change>) -> Result<(), ChangeError> {
        self.commit(self.prepare(changes)?)
    }

    /// The flows that are meant. Looks at a part of them at a time, so that packets do not wait for
    /// all.
    pub fn flows(&self, filter: &FlowFilter) -> Vec<FlowView> {
        self.parts()
            .flat_map(|part| self.look(|now, switch| switch.flows_of(now, filter, part)))
            .collect()
    }

    /// Ends the flows that are meant, a part of them at a time, and returns them as they were.
    ///
    /// # Errors
    /// None that is known.
    pub fn end_flows(&self, filter: &FlowFilter) -> Result<Vec<FlowView>, ChangeError> {
        let mut ended = Vec::new();
        for part in self.parts() {
            let mut out = lock(&self.control);
            let mut switch = self.shared.switch();
            let now = clock::now();
            ended.extend(switch.flows_of(now, filter, part.clone()));
            let change = [Change::EndFlows(filter.clone(), part)];
            self.shared.recorder.changes(now, &change, &switch);
            switch.apply_all(now, change.into(), &mut out)?;
            self.shared.stepped(now);
        }
        Ok(ended)
    }

    /// All places of NAT's table, in parts.
    fn parts(&self) -> impl Iterator<Item = Range<u32>> {
        let places = self.look(|_, switch| switch.flow_places());
        (0..places)
            .step_by(FLOWS_AT_ONCE)
            .map(|from| from..from.saturating_add(FLOWS_AT_ONCE as u32))
    }

    /// Looks at the switch. Workers wait meanwhile: collect, do not format.
    pub fn look<T>(&self, look: impl FnOnce(packet::Instant, &Switch) -> T) -> T {
        let switch = self.shared.switch();
        look(clock::now(), &switch)
    }

    /// Has every step of the switch panic from now on: how tests see that nothing dies unnoticed.
    /// Not in a release.
    #[cfg(debug_assertions)]
    pub fn break_switch(&self) {
        self.shared.is_broken.store(true, Ordering::Release);
        self.shared.alarm.set(packet::Instant::ZERO);
        self.shared.ends.iter().for_each(End::rouse);
    }

    /// Whether a port has been joined to anything.
    pub fn is_attached(&self, port: PortId) -> bool {
        self.shared.table().get(port).is_some()
    }

    /// Counts of every port, by number.
    pub fn counts(&self) -> Vec<(PortId, PortCounts)> {
        let all = self.shared.counters.iter();
        let mut all: Vec<_> = all.map(|entry| (*entry.key(), entry.value().read())).collect();
        all.sort_unstable_by_key(|(port, _)| *port);
        all
    }

    /// Frames that the kernel has dropped at a port's sockets before anybody read them, by port.
    pub fn overruns(&self) -> BTreeMap<PortId, u64> {
        let mut overruns = lock(&self.shared.overruns);
        for entry in self.shared.table().entries() {
            let taken = entry.take_overruns();
            if taken > 0 {
                *overruns.entry(entry.port()).or_default() += taken;
            }
        }
        overruns.clone()
    }

    /// Where each worker stays and what its polling came to, by number.
    pub fn workers(&self) -> Vec<WorkerCounts> {
        self.shared.ends.iter().map(|end| end.polls.read(end.cpu)).collect()
    }

    fn events(&self, events: impl Iterator<Item = Event>) {
        let mut out = lock(&self.control);
        {
            let mut switch = self.shared.switch();
            let now = clock::now();
            for event in events {
                self.shared.recorder.events(now, std::slice::from_ref(&event), &switch);
                switch.step(now, event, &mut out);
            }
            self.shared.stepped(now);
        }
        self.shared.send_from_control(&mut out);
    }
}

impl Drop for Dataplane {
    /// Stops the workers and closes every device.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        for end in &self.shared.ends {
            end.rouse();
        }
        for worker in self.workers.drain(..) {
            // One that panicked was reported.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn switch(&self) -> MutexGuard<'_, Switch> {
        let switch = lock(&self.switch);
        #[cfg(debug_assertions)]
        assert!(!self.is_broken.load(Ordering::Acquire), "the switch was broken on purpose");
        switch
    }

    /// Lets one event in, now.
    fn step(&self, event: Event, out: &mut Outbox) {
        let mut switch = self.switch();
        let now = clock::now();
        self.recorder.events(now, std::slice::from_ref(&event), &switch);
        switch.step(now, event, out);
        self.stepped(now);
    }

    /// The switch has been stepped or changed at `now`, under its lock: worker 0 looks at its
    /// timers soon.
    fn stepped(&self, now: packet::Instant) {
        if self.alarm.advance(now)
            && let Some(first) = self.ends.first()
        {
            first.rouse();
        }
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes what was prepared, now.
    fn commit(&self, prepared: &mut Prepared, out: &mut Outbox) -> Result<(), ChangeError> {
        let mut switch = self.switch();
        let now = clock::now();
        self.recorder.changes(now, prepared.changes(), &switch);
        let made = switch.commit(now, prepared, out);
        self.stepped(now);
        made
    }

    /// Replaces the table and wakes the workers to take it up; says which generation it is.
    fn publish(&self, change: impl FnOnce(&Table) -> Table) -> u64 {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        *table = Arc::new(change(&table));
        let generation = self.generation.fetch_add(1, Ordering::Release) + 1;
        drop(table);
        for end in &self.ends {
            end.rouse();
        }
        generation
    }

    /// Sends what the control plane caused, on each port's first queue.
    fn send_from_control(&self, out: &mut Outbox) {
        let table = self.table();
        Sending::without_limit().flush(out, &[], &table, 0);
        for notice in out.notices() {
            // Nobody listens only while the process is ending.
            let _ = self.reports.send(Report::Notice(notice));
        }
    }
}

/// Takes a lock whose holder may have panicked: what it guards is counted in whole steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
