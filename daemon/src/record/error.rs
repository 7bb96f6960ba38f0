//! Why a record cannot be begun or ended, a sentence each.

use std::io;
use std::path::{Path, PathBuf};

use os::new_file::NewFileError;

use super::LEAST_SIZE;
use labfile::printable;

/// Why nothing was recorded, or nothing stopped.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// One at a time.
    #[error("{file} is being recorded already: stop that first", file = printable::path(file))]
    Busy {
        /// The running record.
        file: PathBuf,
    },
    /// There is nothing to stop.
    #[error("nothing is being recorded")]
    Idle,
    /// A path that means something else to the daemon than to whoever wrote it.
    #[error("{file} is no absolute path: the daemon writes the file, and its directory is another", file = printable::path(file))]
    Relative {
        /// The path.
        file: PathBuf,
    },
    /// A file would be replaced.
    #[error("{file} is there already: --force replaces it", file = printable::path(file))]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The file cannot be made or written.
    #[error("{file} {error}", file = printable::path(file))]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// Why not.
        error: NewFileError,
    },
    /// The size that is allowed does not hold the beginning.
    #[error(
        "the switch's state alone takes {length} bytes, and {allowed} are allowed: allow more with --max-size"
    )]
    Outgrown {
        /// Bytes of the beginning.
        length: u64,
        /// What was allowed.
        allowed: u64,
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

impl RecordError {
    pub(super) fn of(file: &Path, error: io::Error) -> Self {
        Self::Unwritable { file: file.to_owned(), error: error.into() }
    }
}
