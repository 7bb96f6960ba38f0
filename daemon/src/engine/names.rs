//! Records of the running lab: whoever replays one must know what its numbers are called.

use os::blocking;

use super::{Engine, Running};
use crate::record::RecordError;
use control::record::{RecordSpec, RecordStatus};
use offline::record::Names;

/// What the running lab calls things.
pub(super) fn of(running: &Running) -> Names {
    Names::of(&running.ids, &running.spec, &running.lab)
}

impl Engine {
    /// Begins to record all that enters the switch, and waits until the beginning is written.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub async fn start_record(&self, spec: RecordSpec) -> Result<RecordStatus, RecordError> {
        // Held to the end: no name changes meanwhile, and one start waits for another.
        let running = self.running.lock().await;
        let names = of(&running);
        blocking(|| self.plane.start_record(&spec, names))
    }

    /// Ends the record and waits until it is written, which takes what the disk takes.
    ///
    /// # Errors
    /// [`RecordError::Idle`].
    pub fn stop_record(&self) -> Result<RecordStatus, RecordError> {
        blocking(|| self.plane.stop_record("it was stopped"))
    }

    /// How far the latest record is.
    pub fn record_status(&self) -> RecordStatus {
        self.plane.record_status()
    }
}
