//! Captures through the whole switch in virtual time, without root and without a daemon.
//!
//! # Theory of operation
//! A lab file makes a [`Switch`](switch::Switch) as it would make a daemon's; captures take the
//! place of devices and sockets, and files the place of whoever listens. Nothing here reads a
//! clock, draws a number or asks the machine: the time is that of the captures, and the seed is
//! given. So the same files and the same options give the same bytes, always. A record (see
//! [`crate::record`]) goes the same way, but it brings its own switch, and its own timers.
//!
//! | step | file |
//! |---|---|
//! | read a record, and let in what it holds | `recorded` |
//! | read each capture, one frame ahead | [`crate::capture`] |
//! | merge by time: ties go by the order of the inputs, then of the file | `inputs` |
//! | run timers that are due, each at its own time, then the frame | `stage` |
//! | make of what leaves what the far end gets, and write it | `egress`, `outer`, `write` |
//! | tell what became of the frame | `fate`, `account`, `words` |
//! | tell what became of everything | `summary` |
//!
//! The switch's clock counts nanoseconds since 1970, so what it sends is stamped with the captures'
//! time. It begins at the first frame, when all ports come up, and ends at the last one or where it
//! is told to. Memory is that of the switch's tables and a frame for each capture, however long
//! they are.

use std::path::PathBuf;
use std::time::Duration;

use packet::Instant;

use crate::capture::CapturedFrame;
use control::message::Show;
use labfile::{Lab, LabSpec};

mod account;
mod egress;
mod error;
mod fate;
pub(crate) mod input;
mod inputs;
mod moment;
mod outer;
mod recorded;
mod shown;
pub(crate) mod stage;
mod summary;
pub(crate) mod words;
mod write;

pub use account::{Account, Arrival, Cause, Fate, Part, Sent};
pub use error::ReplayError;
pub use input::{Input, NotAnInput};
pub use moment::{Moment, NotAMoment, NotASpan, span};
pub use recorded::{RecordOptions, is_record, run_record};
pub use summary::{Carried, Summary, Verdict};
pub use write::label;

use egress::{Egresses, Epoch};
use fate::{Accountant, Came, Occasion};
use input::Source;
use inputs::Inputs;
use shown::shown;
use stage::{Difference, Stage};
use summary::From;
use write::Files;

/// What `tapswitch replay` was told beside the lab.
#[derive(Clone, Debug, Default)]
pub struct ReplayOptions {
    /// The captures; of frames with the same time, the earlier input's go first.
    pub inputs: Vec<Input>,
    /// What the switch draws its numbers from.
    pub seed: u64,
    /// When to end, after the first frame; with the last frame when left out.
    pub until: Option<Duration>,
    /// Where to write what leaves; nowhere when left out.
    pub write: Option<PathBuf>,
    /// Whether files that are there already are replaced.
    pub force: bool,
}

/// Replays the captures and says what became of everything; to `tell`, also what became of each
/// frame.
///
/// # Errors
/// See [`ReplayError`]. Files that were written by then stay.
pub fn run(
    lab: &Lab,
    options: &ReplayOptions,
    tell: Option<&mut dyn FnMut(&Account)>,
) -> Result<Summary, ReplayError> {
    run_to_end(lab, options, tell).map(|(summary, _)| summary)
}

/// As [`run`], and what `show` would tell then.
///
/// # Errors
/// See [`ReplayError`].
pub fn run_and_show(
    (spec, lab): (&LabSpec, &Lab),
    options: &ReplayOptions,
) -> Result<(Summary, Show), ReplayError> {
    let (summary, stage) = run_to_end(lab, options, None)?;
    Ok((summary, shown(spec, lab, &stage)))
}

fn run_to_end(
    lab: &Lab,
    options: &ReplayOptions,
    tell: Option<&mut dyn FnMut(&Account)>,
) -> Result<(Summary, Stage), ReplayError> {
    let stage = Stage::new(lab, options.seed);
    let find = |input: &Input| Source::find(&input.name, input.remote, lab, &stage.ids);
    let sources = options.inputs.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let mut inputs = Inputs::open(&options.inputs)?;
    let files = match &options.write {
        Some(dir) => Some(Files::in_dir(dir, lab, &options.inputs, options.force)?),
        None => None,
    };
    let start = inputs.begins().unwrap_or(Instant::ZERO);
    let accountant = tell.map(|tell| Accountant::new(lab, start, tell));
    // The clock is the calendar's already.
    let epoch = Epoch::default();
    let egresses = Egresses::new(lab, &stage.ids, epoch, files);
    let mut replay = Replay { stage, egresses, accountant };
    replay.begin(start)?;
    let end = options.until.map(|until| start + until);
    while let Some((number, record)) = inputs.next(end)? {
        replay.run_timers(record.at)?;
        let Some(source) = sources.get(number) else { continue };
        replay.take(source, &record)?;
    }
    if let Some(end) = end {
        replay.run_timers(end)?;
        replay.stage.rest_until(end);
    }
    let files = replay.egresses.finish()?;
    let from = From {
        start,
        epoch,
        inputs: inputs.carried(),
        record: None,
        warnings: inputs.warnings(),
        is_cut_off: inputs.are_cut_off(),
    };
    Ok((Summary::of(&replay.stage, from, files), replay.stage))
}

/// A replay under way.
struct Replay<'a> {
    stage: Stage,
    egresses: Egresses,
    accountant: Option<Accountant<'a>>,
}

impl Replay<'_> {
    /// Plugs everything in.
    fn begin(&mut self, start: Instant) -> Result<(), ReplayError> {
        let difference = self.stage.begin(start)?;
        self.settle(Occasion::Start, &difference)
    }

    /// Runs timers, each at its time, up to `time`.
    fn run_timers(&mut self, time: Instant) -> Result<(), ReplayError> {
        while let Some(due) = self.stage.next_timer(time) {
            let difference = self.stage.expire(due);
            self.settle(Occasion::Timer, &difference)?;
        }
        Ok(())
    }

    /// Lets one frame in.
    fn take(&mut self, source: &Source, record: &CapturedFrame) -> Result<(), ReplayError> {
        let difference = self.stage.take(source, record);
        let came = Came {
            label: (&*source.label).into(),
            bytes: (&*record.bytes).into(),
            is_truncated: record.is_truncated,
        };
        self.settle(Occasion::Frame(came), &difference)
    }

    /// Hands out what the switch wants sent, and tells of it.
    fn settle(&mut self, step: Occasion<'_>, difference: &Difference) -> Result<(), ReplayError> {
        let Self { stage, egresses, accountant } = self;
        let Stage { now, ids, out, carried, .. } = stage;
        egresses.hand_out(*now, ids, out, carried, &mut |frame, copies| {
            if let Some(accountant) = accountant {
                accountant.see(ids, frame, copies);
            }
        })?;
        let notices = out.notices();
        if let Some(accountant) = accountant {
            accountant.tell(ids, *now, step, difference, notices);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
