//! The directory of one comparison: sockets, database, logs and captures. Nobody else can enter it.
//!
//! It goes with the value. A process that is killed leaves it behind, and the next comparison
//! removes it: a directory in use has a locked file in it, and the lock ends with its holder,
//! however that ends.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process};

use crate::error::CompareError;

/// A directory, removed when dropped.
#[derive(Debug)]
pub(super) struct Room {
    path: PathBuf,
    /// Held until the directory is gone.
    _lock: File,
}

impl Room {
    /// Makes one, and removes those whose makers are gone.
    pub(super) fn make() -> Result<Self, CompareError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let base = env::temp_dir();
        remove_left(&base);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            // Short, since a socket's path has 107 bytes at most.
            let path = base.join(format!("{PREFIX}{}-{number}", process::id()));
            match DirBuilder::new().mode(0o700).create(&path).and_then(|()| lock(&path)) {
                Ok(lock) => return Ok(Self { path, _lock: lock }),
                // Left from before; or taken for that by another comparison, between its making and
                // its lock.
                Err(error) if is_taken(&error) && number < MANY => {}
                Err(error) => return Err(CompareError::File { path, error }),
            }
        }
    }

    /// A file in it; the directory itself for "".
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What cannot be removed is the next one's to remove.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, NotFound, WouldBlock};
    matches!(error.kind(), AlreadyExists | NotFound | WouldBlock)
}

/// Makes the file that says that a directory is in use.
fn lock(directory: &Path) -> io::Result<File> {
    let file = File::create_new(directory.join(LOCK))?;
    file.try_lock()?;
    Ok(file)
}

/// Removes our user's directories that nobody holds.
fn remove_left(base: &Path) {
    let own = fs::metadata("/proc/self").map(|process| process.uid());
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX))
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && entry
                .metadata()
                .is_ok_and(|found| own.as_ref().is_ok_and(|own| found.uid() == *own));
        let is_left = || {
            let lock = File::open(entry.path().join(LOCK));
            lock.is_ok_and(|lock| lock.try_lock().is_ok())
        };
        if is_ours && is_left() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

const PREFIX: &str = "tapswitch-compare-";
const LOCK: &str = "lock";
/// Directories of one process id that may be left from before.
const MANY: u32 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_goes_with_its_holder_or_with_the_next_comparison() {
        let base = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = base.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let (held, left) = (make("tapswitch-compare-1-0"), make("tapswitch-compare-2-0"));
        let (fresh, other) = (make("tapswitch-compare-3-0"), make("another"));
        let lock_of_held = lock(&held).unwrap();
        drop(lock(&left).unwrap());
        drop(lock(&other).unwrap());
        remove_left(base.path());
        let there = [&held, &left, &fresh, &other].map(|path| path.exists());
        assert_eq!(there, [true, false, true, true]);
        drop(lock_of_held);
        remove_left(base.path());
        assert!(!held.exists());
        let (one, two) = (Room::make().unwrap(), Room::make().unwrap());
        assert!(one.path("").exists() && one.path("") != two.path(""));
        let path = one.path("");
        drop(one);
        assert!(!path.exists());
    }
}
