//! The part of a record that stands under the switch's lock: entries into memory, and memory to the
//! writer.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use packet::{Frame, Instant};
use serde::Serialize;
use switch::{Change, Event, Switch};

use super::writer::{Message, Progress};
use offline::record::Names;
use offline::record::format::{CHUNK_HEAD, RecordEntry};

/// Entries on their way to the file.
#[derive(Debug)]
pub(super) struct Tape {
    chunk: Vec<u8>,
    /// When the chunk's first entry came.
    begun: Instant,
    start: Instant,
    limits: Limits,
    /// Bytes of chunks that were handed on, heads included.
    handed: u64,
    writer: Sender<Message>,
    progress: Arc<Progress>,
    spare: Arc<Spare>,
}

/// Where a record ends of itself.
#[derive(Copy, Clone, Debug)]
pub(super) struct Limits {
    /// Bytes of the file.
    pub(super) size: u64,
    pub(super) time: Option<Duration>,
}

/// Chunks that were written and may be filled again, so that no packet waits for memory to be had.
#[derive(Debug, Default)]
pub(super) struct Spare(Mutex<Vec<Vec<u8>>>);

/// The tape has come to its end.
#[derive(Debug)]
pub(super) enum Over {
    /// In order: the file gets an end.
    Limit(String),
    /// The file cannot go on.
    Broken(Option<&'static str>),
}

impl Tape {
    pub(super) fn new(
        start: Instant,
        limits: Limits,
        writer: Sender<Message>,
        progress: Arc<Progress>,
        spare: Arc<Spare>,
    ) -> Self {
        let chunk = spare.take();
        Self { chunk, begun: start, start, limits, handed: 0, writer, progress, spare }
    }

    /// Writes down what a worker is about to let in, all of it or nothing. Of nothing too: so that
    /// time passes for the record of an idle switch.
    pub(super) fn batch(&mut self, now: Instant, batch: &[Event]) -> Result<(), Over> {
        self.make_room(now, batch.iter().map(length).sum())?;
        for event in batch {
            self.write(now, &RecordEntry::<_, &[Change]>::Event(now, event))?;
        }
        self.hand_on_if_due(now)
    }

    /// Writes down a change set that is about to be made.
    pub(super) fn changes(&mut self, now: Instant, changes: &[Change]) -> Result<(), Over> {
        self.make_room(now, changes.iter().map(largest).sum())?;
        self.write(now, &RecordEntry::<&Event, _>::Changes(now, changes))?;
        self.hand_on_if_due(now)
    }

    /// Writes down what things are called from now on.
    pub(super) fn names(&mut self, now: Instant, names: Names) -> Result<(), Over> {
        self.write(now, &RecordEntry::<&Event, &[Change]>::Names(Box::new(names)))
    }

    /// Ends the record in order.
    pub(super) fn finish(mut self, now: Instant, why: String, switch: &Switch) {
        // Whoever cannot take the last chunk has said why.
        if self.hand_on(now).is_ok() {
            let switch = Box::new(switch.clone());
            let _ = self.writer.send(Message::End { at: now, why, switch });
        }
    }

    /// Ends it where it is.
    pub(super) fn break_off(self, why: &'static str) {
        let _ = self.writer.send(Message::BreakOff(why));
    }

    fn make_room(&mut self, now: Instant, more: u64) -> Result<(), Over> {
        if self.progress.is_over() {
            return Err(Over::Broken(None));
        }
        let Limits { size, time } = self.limits;
        if let Some(time) = time.filter(|time| now.since(self.start) > *time) {
            return Err(Over::Limit(format!("{} s have passed", time.as_secs_f64())));
        }
        let used = self.progress.beginning() + self.handed + self.chunk.len() as u64;
        if used + more + ROOM_FOR_END > size {
            return Err(Over::Limit(format!("the file would take more than {size} bytes")));
        }
        if self.progress.waiting() > MOST_WAITING {
            return Err(Over::Broken(Some("the disk takes in less than the ports carry")));
        }
        Ok(())
    }

    fn write(&mut self, now: Instant, entry: &impl Serialize) -> Result<(), Over> {
        if self.chunk.is_empty() {
            self.begun = now;
        }
        let chunk = core::mem::take(&mut self.chunk);
        match postcard::to_extend(entry, chunk) {
            Ok(chunk) => self.chunk = chunk,
            Err(_) => return Err(Over::Broken(Some("an entry cannot be written as bytes"))),
        }
        self.progress.count_entry();
        Ok(())
    }

    fn hand_on_if_due(&mut self, now: Instant) -> Result<(), Over> {
        let is_due = self.chunk.len() >= CHUNK || now.since(self.begun) >= LONGEST_WAIT;
        if is_due { self.hand_on(now) } else { Ok(()) }
    }

    fn hand_on(&mut self, now: Instant) -> Result<(), Over> {
        self.progress.reach(now.since(self.start));
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = core::mem::replace(&mut self.chunk, self.spare.take());
        self.handed += (chunk.len() + CHUNK_HEAD) as u64;
        self.progress.hand_over(chunk.len());
        self.writer.send(Message::Entries(chunk)).map_err(|_| Over::Broken(None))
    }
}

impl Spare {
    fn take(&self) -> Vec<u8> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        known.unwrap_or_else(|| Vec::with_capacity(CHUNK + CHUNK / 4))
    }

    pub(super) fn give(&self, mut chunk: Vec<u8>) {
        chunk.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST_SPARE {
            kept.push(chunk);
        }
    }
}

/// What an event takes at most.
fn length(event: &Event) -> u64 {
    let frame = match event {
        Event::Frame { frame, .. } | Event::Datagram { datagram: frame, .. } => Frame::len(frame),
        Event::Malformed { .. } | Event::PortUp(_) | Event::PortDown(_) | Event::Timeout => 0,
    };
    frame as u64 + 64
}

/// What a change takes at most.
const fn largest(change: &Change) -> u64 {
    match change {
        Change::SetRoute(_) | Change::DeleteRoute(_) => LARGEST_ROUTE,
        _ => LARGEST_CHANGE,
    }
}

/// Bytes of a chunk when it is handed on.
const CHUNK: usize = 1 << 20;
/// How long an entry waits for others: what a daemon that is killed loses.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Bytes that wait for the disk at most: what four ports carry at 10 Gb/s in 13 ms, or a slow disk
/// in a second.
const MOST_WAITING: u64 = 64 << 20;
/// Chunks kept to be filled again.
const MOST_SPARE: usize = 16;
/// What a change is taken to need: the rules of a large lab.
const LARGEST_CHANGE: u64 = 64 << 10;
/// What a route needs at most, of which a lab has tens of thousands.
const LARGEST_ROUTE: u64 = 32;
/// What is kept free for the end: every drop count of 500 ports.
const ROOM_FOR_END: u64 = 128 << 10;
