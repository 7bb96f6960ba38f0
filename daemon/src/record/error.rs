//! Why a record cannot be begun or ended, a sentence each.

use std::io;
use std::path::PathBuf;

use super::LEAST_SIZE;

/// Why nothing was recorded, or nothing stopped.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// One at a time.
    #[error("{file} is being recorded already: stop that first", file = file.display())]
    Busy {
        /// The running record.
        file: PathBuf,
    },
    /// There is nothing to stop.
    #[error("nothing is being recorded")]
    Idle,
    /// A path that means something else to the daemon than to whoever wrote it.
    #[error("{file} is no absolute path: the daemon writes the file, and its directory is another", file = file.display())]
    Relative {
        /// The path.
        file: PathBuf,
    },
    /// A file would be replaced.
    #[error("{file} is there already: --force replaces it", file = file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The file cannot be made.
    #[error("{file} cannot be written: {error}", file = file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The largest size is too small to hold anything.
    #[error("a record takes at least {LEAST_SIZE} bytes, and {size} are allowed")]
    TooSmall {
        /// What was allowed.
        size: u64,
    },
    /// The longest time is none.
    #[error("a record lasts longer than {seconds} seconds")]
    NoTime {
        /// What was allowed.
        seconds: f64,
    },
    /// The thread that writes cannot be had.
    #[error("a thread to write the record cannot be had: {0}")]
    Thread(io::Error),
}
