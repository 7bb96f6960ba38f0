//! The thread that writes a record to its file.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use os::new_file;
use packet::Instant;
use switch::{Change, Event, Switch};

use super::error::RecordError;
use super::tape::Spare;
use control::record::{RecordState, RecordStatus};
use offline::record::format::{
    CHUNK_HEAD, Ending, Head, Kind, RecordEntry, beginning, checksum_of, chunk_head,
};

use labfile::printable;

/// What the tape tells the writer, in order.
#[derive(Debug)]
pub(super) enum Message {
    /// A chunk of entries.
    Entries(Vec<u8>),
    /// The record ends in order, and this is the switch then.
    End { at: Instant, why: String, switch: Box<Switch> },
    /// The record ends where it is.
    BreakOff(&'static str),
}

/// How far a record is, as tape and writer both know it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    beginning: AtomicU64,
    waiting: AtomicU64,
    written: AtomicU64,
    entries: AtomicU64,
    nanos: AtomicU64,
    is_over: AtomicBool,
}

impl Progress {
    /// Bytes of the file ahead of the first entry, once they are known.
    pub(super) fn beginning(&self) -> u64 {
        self.beginning.load(Ordering::Relaxed)
    }

    /// Bytes that wait for the disk.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether nothing is written any more, for whatever reason.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(super) fn hand_over(&self, bytes: usize) {
        self.waiting.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_entry(&self) {
        self.entries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn reach(&self, span: Duration) {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_max(nanos, Ordering::Relaxed);
    }

    pub(super) fn tell(&self, status: &mut RecordStatus) {
        status.bytes = self.written.load(Ordering::Relaxed);
        status.entries = self.entries.load(Ordering::Relaxed);
        status.seconds = self.nanos.load(Ordering::Relaxed) as f64 / 1e9;
    }
}

/// What the file begins with, and whom to tell whether it does.
pub(super) struct Beginning {
    pub(super) head: Head,
    pub(super) switch: Box<Switch>,
    pub(super) told: Sender<Result<(), RecordError>>,
}

/// All that the thread has.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) max_size: u64,
    pub(super) messages: Receiver<Message>,
    pub(super) progress: Arc<Progress>,
    pub(super) spare: Arc<Spare>,
    pub(super) status: Arc<Mutex<RecordStatus>>,
}

impl Writer {
    /// Writes the record to its end, whatever that is.
    pub(super) fn run(mut self, beginning: Beginning) {
        let path = printable::path(&self.path);
        let Beginning { head, switch, told } = beginning;
        let begun = self.begin(&head, &switch);
        // It may be large.
        drop(switch);
        let failed = begun.as_ref().err().map(ToString::to_string);
        if failed.is_some() {
            // There is nothing in it that could be replayed.
            let _ = new_file::remove(&self.path, &self.file);
        }
        // Whoever waited may have gone.
        let _ = told.send(begun);
        if let Some(why) = failed {
            tracing::warn!("nothing is recorded: {why}");
            return self.end(RecordState::BrokenOff, why);
        }
        let state = self.go_on();
        let (state, why) = match state {
            Ok(why) => (RecordState::Finished, why),
            Err(why) => (RecordState::BrokenOff, why),
        };
        match state {
            RecordState::BrokenOff => tracing::warn!("the record {path} breaks off: {why}"),
            _ => tracing::info!("the record {path} is finished: {why}"),
        }
        self.end(state, why);
    }

    fn begin(&mut self, head: &Head, switch: &Switch) -> Result<(), RecordError> {
        let refused = |error| RecordError::of(&self.path, error);
        let unwritten = |error| refused(io::Error::other(error));
        let head = postcard::to_stdvec(head).map_err(unwritten)?;
        let switch = postcard::to_stdvec(switch).map_err(unwritten)?;
        let first = beginning();
        let length = (first.len() + head.len() + switch.len() + 2 * CHUNK_HEAD) as u64;
        if length > self.max_size {
            return Err(RecordError::Outgrown { length, allowed: self.max_size });
        }
        self.progress.beginning.store(length, Ordering::Relaxed);
        self.file.write_all(&first).map_err(refused)?;
        self.progress.written.fetch_add(first.len() as u64, Ordering::Relaxed);
        self.chunk(Kind::Head, &head)?;
        self.chunk(Kind::Switch, &switch)
    }

    /// Writes entries until there are no more; why there are not, or why they cannot be written.
    fn go_on(&mut self) -> Result<String, String> {
        loop {
            match self.messages.recv() {
                Ok(Message::Entries(entries)) => {
                    self.chunk(Kind::Entries, &entries).map_err(|error| error.to_string())?;
                    self.progress.waiting.fetch_sub(entries.len() as u64, Ordering::Relaxed);
                    self.spare.give(entries);
                }
                Ok(Message::End { at, why, switch }) => {
                    let end =
                        end_of(at, why.clone(), &switch).map_err(|error| error.to_string())?;
                    self.chunk(Kind::Entries, &end).map_err(|error| error.to_string())?;
                    return Ok(why);
                }
                Ok(Message::BreakOff(why)) => return Err(why.to_owned()),
                Err(_) => return Err("the daemon ended".to_owned()),
            }
        }
    }

    fn chunk(&mut self, kind: Kind, content: &[u8]) -> Result<(), RecordError> {
        let head = chunk_head(kind, content);
        let written = self.file.write_all(&head).and_then(|()| self.file.write_all(content));
        written.map_err(|error| RecordError::of(&self.path, error))?;
        let bytes = (head.len() + content.len()) as u64;
        self.progress.written.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn end(&self, state: RecordState, why: String) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        (status.state, status.why) = (state, Some(why));
        self.progress.tell(&mut status);
        self.progress.is_over.store(true, Ordering::Relaxed);
    }
}

fn end_of(at: Instant, why: String, switch: &Switch) -> Result<Vec<u8>, postcard::Error> {
    let state = checksum_of(switch)?;
    let ending = Ending { at, why, totals: switch.totals(), drops: switch.drops(), state };
    postcard::to_stdvec(&RecordEntry::<&Event, &Change>::End(Box::new(ending)))
}
