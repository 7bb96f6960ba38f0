//! The recorder of a dataplane: starts and stops records, and takes down what enters the switch.
//!
//! Lock order: the switch's lock first, then `tape`; whoever writes something down passes the
//! switch that it holds.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use os::new_file::{self, NewFileError};
use packet::Instant;
use switch::{Change, Event, Switch};

use super::error::RecordError;
use super::tape::{Limits, Over, Spare, Tape};
use super::writer::{Beginning, Message, Progress, Writer};
use super::{DEFAULT_SIZE, LEAST_SIZE};
use control::record::{RecordSpec, RecordState, RecordStatus};
use offline::record::Names;
use offline::record::format::Head;

/// See the module's own text.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// Whether there is a tape; changes under the switch's lock alone.
    is_on: AtomicBool,
    tape: Mutex<Option<Tape>>,
    latest: Mutex<Option<Latest>>,
}

/// The record that runs, or ran last.
#[derive(Debug)]
struct Latest {
    status: Arc<Mutex<RecordStatus>>,
    progress: Arc<Progress>,
    writer: Option<JoinHandle<()>>,
}

/// A file and a thread to write it, waiting for a switch.
pub(crate) struct Prepared {
    limits: Limits,
    sender: Sender<Message>,
    spare: Arc<Spare>,
    go: Sender<Beginning>,
    latest: Latest,
}

/// A record that runs, whose beginning is still to be written.
pub(crate) struct Begun {
    head: Head,
    switch: Box<Switch>,
    go: Sender<Beginning>,
}

impl Recorder {
    /// Makes all that a record needs, so that nothing can fail behind its beginning. Starts wait
    /// for each other: the caller sees to that.
    pub(crate) fn prepare(&self, spec: &RecordSpec) -> Result<Prepared, RecordError> {
        if self.is_on() {
            let file = self.status().file.unwrap_or_default();
            return Err(RecordError::Busy { file });
        }
        // One that ended of itself may still be writing.
        self.await_end();
        let limits = limits(spec)?;
        let file = create(&spec.file, spec.force)?;
        let made = file.try_clone().map_err(|error| RecordError::of(&spec.file, error))?;
        let (sender, messages) = channel();
        let (progress, spare) = (Arc::<Progress>::default(), Arc::<Spare>::default());
        let status = Arc::new(Mutex::new(RecordStatus {
            state: RecordState::Recording,
            file: Some(spec.file.clone()),
            max_size: limits.size,
            max_time: spec.max_time,
            ..RecordStatus::default()
        }));
        let writer = Writer {
            path: spec.file.clone(),
            file,
            max_size: limits.size,
            messages,
            progress: Arc::clone(&progress),
            spare: Arc::clone(&spare),
            status: Arc::clone(&status),
        };
        let (go, gone) = channel::<Beginning>();
        let run = move || {
            if let Ok(beginning) = gone.recv() {
                writer.run(beginning);
            }
        };
        let thread = thread::Builder::new().name("record".into()).spawn(run).map_err(|error| {
            // Nothing was written into it.
            let _ = new_file::remove(&spec.file, &made);
            RecordError::Thread(error)
        })?;
        let latest = Latest { status, progress, writer: Some(thread) };
        Ok(Prepared { limits, sender, spare, go, latest })
    }

    /// Begins the record with `switch` as it is now, whose lock the caller holds: for as long as a
    /// clone takes.
    pub(crate) fn begin(&self, prepared: Prepared, head: Head, switch: &Switch) -> Begun {
        let Prepared { limits, sender, spare, go, latest } = prepared;
        let progress = Arc::clone(&latest.progress);
        *lock(&self.tape) = Some(Tape::new(head.start, limits, sender, progress, spare));
        *lock(&self.latest) = Some(latest);
        self.is_on.store(true, Ordering::Release);
        Begun { head, switch: Box::new(switch.clone()), go }
    }

    /// Lets go of a record whose beginning could not be written; the caller holds the lock of
    /// `_switch`.
    pub(crate) fn give_up(&self, _switch: &Switch) {
        drop(self.take_tape());
    }

    /// Ends the record in order, if one runs; the caller holds the lock of `switch`. Whether one
    /// did.
    pub(crate) fn end(&self, now: Instant, why: &str, switch: &Switch) -> bool {
        let tape = self.take_tape();
        let was_on = tape.is_some();
        if let Some(tape) = tape {
            tape.finish(now, why.to_owned(), switch);
        }
        was_on
    }

    /// Waits until a record that has ended is written.
    pub(crate) fn await_end(&self) {
        let writer = lock(&self.latest).as_mut().and_then(|latest| latest.writer.take());
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the thread that writes the record panicked");
        }
    }

    /// How far the latest record is.
    pub(crate) fn status(&self) -> RecordStatus {
        lock(&self.latest).as_ref().map_or_else(RecordStatus::default, Latest::read)
    }

    /// Whether what enters the switch is written down.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Writes down events that are about to enter `switch`, whose lock the caller holds.
    #[inline]
    pub(crate) fn events(&self, now: Instant, events: &[Event], switch: &Switch) {
        if self.is_on() {
            self.write(now, switch, |tape| tape.batch(now, events));
        }
    }

    /// Writes down a change set that is about to be made to `switch`, whose lock the caller holds.
    pub(crate) fn changes(&self, now: Instant, changes: &[Change], switch: &Switch) {
        if self.is_on() {
            self.write(now, switch, |tape| tape.changes(now, changes));
        }
    }

    /// Writes down what things are called from now on; the caller holds the lock of `switch`.
    pub(crate) fn names(&self, now: Instant, names: Names, switch: &Switch) {
        if self.is_on() {
            self.write(now, switch, |tape| tape.names(now, names));
        }
    }

    #[cold]
    fn write(
        &self,
        now: Instant,
        switch: &Switch,
        write: impl FnOnce(&mut Tape) -> Result<(), Over>,
    ) {
        let outcome = lock(&self.tape).as_mut().map(write);
        if let Some(Err(over)) = outcome
            && let Some(tape) = self.take_tape()
        {
            match over {
                // What could not be written down has not entered yet: the switch is as the record
                // knows it.
                Over::Limit(why) => tape.finish(now, why, switch),
                Over::Broken(Some(why)) => tape.break_off(why),
                Over::Broken(None) => {}
            }
        }
    }

    fn take_tape(&self) -> Option<Tape> {
        self.is_on.store(false, Ordering::Release);
        lock(&self.tape).take()
    }
}

impl Begun {
    /// Has its beginning written, without any lock, and waits until it is.
    pub(crate) fn go(self) -> Result<(), RecordError> {
        let Self { head, switch, go } = self;
        let (told, outcome) = channel();
        // Both fail only when the thread is gone.
        let _ = go.send(Beginning { head, switch, told });
        let gone = || RecordError::Thread(io::Error::other("it has ended"));
        outcome.recv().unwrap_or_else(|_| Err(gone()))
    }
}

impl Latest {
    fn read(&self) -> RecordStatus {
        let mut status = lock(&self.status).clone();
        self.progress.tell(&mut status);
        status
    }
}

fn limits(spec: &RecordSpec) -> Result<Limits, RecordError> {
    let size = spec.max_size.unwrap_or(DEFAULT_SIZE);
    if size < LEAST_SIZE {
        return Err(RecordError::TooSmall { size });
    }
    let time = spec.max_time.map(|seconds| {
        let time = Duration::try_from_secs_f64(seconds).ok();
        time.filter(|time| !time.is_zero()).ok_or(RecordError::NoTime { seconds })
    });
    Ok(Limits { size, time: time.transpose()? })
}

/// Makes the file, or empties it.
fn create(path: &Path, force: bool) -> Result<File, RecordError> {
    let file = || path.to_owned();
    if !path.is_absolute() {
        return Err(RecordError::Relative { file: file() });
    }
    new_file::create(path, force).map_err(|error| match error {
        NewFileError::Exists => RecordError::Exists { file: file() },
        error => RecordError::Unwritable { file: file(), error },
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
