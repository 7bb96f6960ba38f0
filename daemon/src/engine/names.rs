//! Records of the running lab: whoever replays one must know what its numbers are called.

use std::sync::Arc;

use tokio::task::spawn_blocking;

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
    pub async fn start_record(
        self: &Arc<Self>,
        spec: RecordSpec,
    ) -> Result<RecordStatus, RecordError> {
        // Held to the end: no name changes meanwhile, and one start waits for another.
        let running = self.running.lock().await;
        let (engine, names) = (Arc::clone(self), of(&running));
        let begun = spawn_blocking(move || engine.plane.start_record(&spec, names)).await;
        begun.unwrap_or_else(|failed| Err(RecordError::Thread(failed.into())))
    }

    /// Ends the record and waits until it is written, which takes what the disk takes.
    ///
    /// # Errors
    /// [`RecordError::Idle`].
    pub async fn stop_record(self: &Arc<Self>) -> Result<RecordStatus, RecordError> {
        let engine = Arc::clone(self);
        let stopped = spawn_blocking(move || engine.plane.stop_record("it was stopped")).await;
        stopped.unwrap_or_else(|failed| Err(RecordError::Thread(failed.into())))
    }

    /// How far the latest record is.
    pub fn record_status(&self) -> RecordStatus {
        self.plane.record_status()
    }
}
