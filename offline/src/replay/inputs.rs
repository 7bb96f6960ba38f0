//! All captures as one stream of frames in the order of time. Of each, one frame is read ahead and
//! no more.

use packet::Instant;

use super::error::ReplayError;
use super::input::Input;
use super::summary::Carried;
use crate::capture::{Capture, CapturedFrame};

/// The captures, merged.
pub(super) struct Inputs(Vec<InputFile>);

struct InputFile {
    capture: Capture,
    ahead: Option<CapturedFrame>,
    /// The time of the latest frame so far.
    latest: Instant,
    /// Frames whose time was before that of the one ahead of them, and the first of them.
    backwards: u64,
    first_backwards: u64,
    carried: Carried,
}

impl Inputs {
    /// Opens every capture and reads its first frame.
    pub(super) fn open(inputs: &[Input]) -> Result<Self, ReplayError> {
        let lanes = inputs.iter().map(|input| InputFile::of(input, Capture::open(&input.file)?));
        Ok(Self(lanes.collect::<Result<_, _>>()?))
    }

    /// The time of the first frame of all.
    pub(super) fn begins(&self) -> Option<Instant> {
        self.earliest().map(|(at, _)| at)
    }

    /// The next frame, unless it is after `end`, with the number of its input.
    pub(super) fn next(
        &mut self,
        end: Option<Instant>,
    ) -> Result<Option<(usize, CapturedFrame)>, ReplayError> {
        let Some((at, number)) = self.earliest() else { return Ok(None) };
        if end.is_some_and(|end| at > end) {
            return Ok(None);
        }
        let Some(lane) = self.0.get_mut(number) else { return Ok(None) };
        Ok(lane.take()?.map(|record| (number, record)))
    }

    /// How much of each was replayed.
    pub(super) fn carried(&self) -> Vec<Carried> {
        self.0.iter().map(|lane| lane.carried.clone()).collect()
    }

    /// Whether one of them could not be read to its end.
    pub(super) fn are_cut_off(&self) -> bool {
        self.0.iter().any(|lane| lane.capture.broken().is_some())
    }

    /// What was wrong with them, a sentence each.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.0.iter().flat_map(InputFile::warnings).collect()
    }

    /// The earliest frame's time and input; of equal ones, the first input's.
    fn earliest(&self) -> Option<(Instant, usize)> {
        let ahead = self.0.iter().enumerate();
        ahead.filter_map(|(number, lane)| Some((lane.ahead.as_ref()?.at, number))).min()
    }
}

impl InputFile {
    fn of(input: &Input, capture: Capture) -> Result<Self, ReplayError> {
        let carried = Carried {
            input: input.to_string(),
            file: input.file.display().to_string(),
            ..Carried::default()
        };
        let (latest, ahead) = (Instant::ZERO, None);
        let mut lane = Self { capture, ahead, latest, backwards: 0, first_backwards: 0, carried };
        lane.look_ahead()?;
        Ok(lane)
    }

    fn take(&mut self) -> Result<Option<CapturedFrame>, ReplayError> {
        let Some(record) = self.ahead.take() else { return Ok(None) };
        self.carried.frames += 1;
        self.carried.bytes += record.bytes.len() as u64;
        self.carried.truncated += u64::from(record.is_truncated);
        self.look_ahead()?;
        Ok(Some(record))
    }

    /// Time never runs backwards: a frame that is earlier than the one ahead of it counts as
    /// simultaneous with it.
    fn look_ahead(&mut self) -> Result<(), ReplayError> {
        self.ahead = self.capture.next_record()?;
        let Some(record) = &mut self.ahead else { return Ok(()) };
        if record.at < self.latest {
            record.at = self.latest;
            self.backwards += 1;
            if self.backwards == 1 {
                self.first_backwards = self.carried.frames + 1;
            }
        }
        self.latest = record.at;
        Ok(())
    }

    fn warnings(&self) -> impl Iterator<Item = String> {
        let Self { backwards, first_backwards, carried, .. } = self;
        let backwards = (*backwards > 0).then(|| {
            format!(
                "{} runs backwards ({backwards} times, first at frame {first_backwards}): such frames were taken to be \
                 simultaneous with those ahead of them",
                carried.file
            )
        });
        self.capture.warnings().chain(backwards)
    }
}
