//! Records of the dataplane: begun and ended under the switch's lock, so that they begin and end
//! between two events.

use std::time::Instant as Moment;

use os::clock;

use super::Dataplane;
use crate::record::RecordError;
use control::record::{RecordSpec, RecordStatus};
use labfile::printable;
use offline::record::{Head, Names};

impl Dataplane {
    /// Begins to record all that enters the switch; `names` are those in force. Starts must wait
    /// for each other.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub(crate) fn start_record(
        &self,
        spec: &RecordSpec,
        names: Names,
    ) -> Result<RecordStatus, RecordError> {
        let recorder = &self.shared.recorder;
        let prepared = recorder.prepare(spec)?;
        let (begun, pause) = {
            let switch = self.shared.switch();
            let (moment, start) = (Moment::now(), clock::now());
            let (since_1970, carried) = (clock::since_1970(), self.counts());
            let head = Head { names, start, since_1970, carried };
            (recorder.begin(prepared, head, &switch), moment.elapsed())
        };
        if let Err(error) = begun.go() {
            recorder.give_up(&self.shared.switch());
            return Err(error);
        }
        tracing::info!("recording to {}: packets waited {pause:?}", printable::path(&spec.file));
        Ok(recorder.status())
    }

    /// Ends the record and waits until it is written.
    ///
    /// # Errors
    /// [`RecordError::Idle`].
    pub(crate) fn stop_record(&self, why: &str) -> Result<RecordStatus, RecordError> {
        let recorder = &self.shared.recorder;
        let was_on = {
            let switch = self.shared.switch();
            recorder.end(clock::now(), why, &switch)
        };
        recorder.await_end();
        if was_on { Ok(recorder.status()) } else { Err(RecordError::Idle) }
    }

    /// How far the latest record is.
    pub(crate) fn record_status(&self) -> RecordStatus {
        self.shared.recorder.status()
    }

    /// Has the record know what things are called from now on.
    pub(crate) fn record_names(&self, names: impl FnOnce() -> Names) {
        if self.shared.recorder.is_on() {
            let names = names();
            let switch = self.shared.switch();
            self.shared.recorder.names(clock::now(), names, &switch);
        }
    }
}
