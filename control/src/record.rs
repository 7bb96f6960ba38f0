//! What somebody wants recorded, and how far that is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What to record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordSpec {
    /// The file, by an absolute path; made by the daemon, readable by nobody else.
    pub file: PathBuf,
    /// Whether a file that is there is replaced.
    #[serde(default)]
    pub force: bool,
    /// Bytes that the file may take; left out: [`super::DEFAULT_SIZE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// Seconds that it may take; left out: as many as it likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_time: Option<f64>,
}

/// Where a record stands.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordState {
    /// There was none since the daemon began.
    #[default]
    None,
    /// It runs.
    Recording,
    /// It is whole.
    Finished,
    /// It ended of itself and is good up to there.
    BrokenOff,
}

/// How far the latest record is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordStatus {
    /// Where it stands.
    pub state: RecordState,
    /// Its file.
    pub file: Option<PathBuf>,
    /// Seconds recorded.
    pub seconds: f64,
    /// Events and changes recorded.
    pub entries: u64,
    /// Bytes in the file.
    pub bytes: u64,
    /// Bytes that there may be.
    pub max_size: u64,
    /// Seconds that there may be.
    pub max_time: Option<f64>,
    /// Why it ended.
    pub why: Option<String>,
}
