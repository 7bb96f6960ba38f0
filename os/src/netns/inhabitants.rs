//! Who lives in namespaces: processes, and other programs of our own kind that use one.
//!
//! # Theory of operation
//! A process is in the namespaces that its `/proc/PID/task/TID/ns/net` show, for a thread may be in
//! another one than its process. Programs of our kind say that they use a namespace by a shared
//! lock (flock(2)) on its nsfs file, which the kernel keeps by namespace and lets go of with the
//! file. Whoever would take the name away asks for the lock alone first; so two of them never take
//! a namespace from each other, whatever the order of their steps.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{Id, Netns, id_of};
use crate::blocking;

/// A process of each namespace that has one, as they were at one moment. This process itself is
/// left out.
#[derive(Debug)]
pub struct Inhabitants(HashMap<Id, Inhabitant>);

/// A process that is in a namespace, or a thread of which is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inhabitant {
    /// Its number.
    pub pid: u32,
    /// The name that `ps` shows, which is its own choice.
    pub name: String,
}

impl Inhabitants {
    /// Looks at every thread of this machine that can be seen from here: some microseconds each.
    pub fn now() -> Self {
        blocking(Self::look)
    }

    fn look() -> Self {
        let mut found: HashMap<Id, Inhabitant> = HashMap::new();
        let own = std::process::id();
        for pid in numbers(Path::new("/proc")).filter(|pid| *pid != own) {
            let process = Path::new("/proc").join(pid.to_string());
            let tasks = process.join("task");
            for task in numbers(&tasks) {
                // Fails when it has ended meanwhile.
                let Ok(at) = fs::metadata(tasks.join(format!("{task}/ns/net"))) else { continue };
                found.entry(id_of(&at)).or_insert_with(|| {
                    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
                    Inhabitant { pid, name: name.trim_end_matches('\n').to_owned() }
                });
            }
        }
        Self(found)
    }

    /// One that lives in `netns`.
    pub fn of(&self, netns: &Netns) -> Option<&Inhabitant> {
        self.0.get(&netns.id)
    }
}

impl fmt::Display for Inhabitant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.name)
    }
}

impl Netns {
    /// Says that this process uses the namespace, until the last clone of this value is dropped.
    /// Whether the place that it was opened at still shows it: somebody may have taken the name
    /// away just before.
    pub fn mark_used(&self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        // Whoever holds it alone is removing the name, for microseconds.
        while self.file.try_lock_shared().is_err() && Instant::now() < deadline {
            blocking(|| thread::sleep(Duration::from_millis(1)));
        }
        self.still_exists()
    }

    /// Whether another process has said that it uses the namespace. If not, none will until this
    /// value is dropped.
    pub fn is_used_by_others(&self) -> bool {
        self.file.try_lock().is_err()
    }
}

/// The entries of a directory that are numbers, as those of processes and threads are.
fn numbers(directory: &Path) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// How long to wait for the removal of a name that is under way.
const PATIENCE: Duration = Duration::from_millis(500);
