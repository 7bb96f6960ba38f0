//! A machine of its own for one test: a private network namespace, and a private mount namespace
//! with an empty `/run`.
//!
//! The daemon, the commands and the checks of a test run inside, so lab files need no unique names,
//! the default control socket is free, and no rule or setting of this machine is touched. The
//! kernel takes all of it away with the last process, thread and file in it, also when the test
//! fails.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use os::netns::{Netns, Place};
use os::privileges;
use serde_json::Value;

use crate::binary;
use crate::host::Host;
use crate::process::{Finished, Process, locate};
use crate::wait::PATIENCE;

/// See the file's head.
pub(crate) struct World {
    mounts: File,
    netns: Netns,
    files: AtomicU32,
}

/// A new world; `None` when this process may not make one, which is said, and is a failure where
/// `CI` is `true`.
pub(crate) fn world() -> Option<World> {
    if let Err(reason) = privileges::check() {
        skip(&reason.to_string());
        return None;
    }
    Some(World::new())
}

/// Says why something is not tested; panics in CI, where a skipped test would hide a fault.
pub(crate) fn skip(reason: &str) {
    assert!(env::var("CI").as_deref() != Ok("true"), "this must not be skipped in CI: {reason}");
    println!("skipped: {reason}");
}

impl World {
    fn new() -> Self {
        // Ahead of everything, so that its time is nobody's.
        binary::path();
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).unwrap();
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
            empty("/run");
            let netns = Netns::open(&Place::Path("/proc/thread-self/ns/net".into())).unwrap();
            (File::open("/proc/thread-self/ns/mnt").unwrap(), netns)
        });
        let (mounts, netns) = made.join().unwrap();
        Self { mounts, netns, files: AtomicU32::new(0) }
    }

    /// Runs `task` inside, on a thread of its own. Its panics go on in the caller.
    pub(crate) fn run<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        let (mounts, netns) = (&self.mounts, &self.netns);
        let inside = || {
            // The kernel lets nobody change mounts who shares a working directory.
            unshare(CloneFlags::CLONE_FS).unwrap();
            setns(mounts, CloneFlags::CLONE_NEWNS).unwrap();
            netns.run(task).unwrap()
        };
        let outcome = thread::scope(|scope| scope.spawn(inside).join());
        outcome.unwrap_or_else(|cause| std::panic::resume_unwind(cause))
    }

    /// Covers a directory with an empty one.
    pub(crate) fn hide(&self, directory: &str) {
        self.run(|| empty(directory));
    }

    /// The machine itself: the namespace that the daemon runs in.
    pub(crate) fn here(&self) -> Host {
        Host::new("the daemon's namespace", self.netns.clone())
    }

    /// The host in the namespace of this name.
    pub(crate) fn host(&self, name: &str) -> Host {
        let netns = self.run(|| Netns::open(&Place::Name(name.into())));
        Host::new(name, netns.unwrap_or_else(|error| panic!("{error}")))
    }

    /// What `ip netns list` would show.
    pub(crate) fn names(&self) -> Vec<String> {
        self.run(os::netns::list).unwrap()
    }

    /// Writes a file that is seen inside only, and returns its path.
    pub(crate) fn file(&self, content: impl AsRef<[u8]>) -> PathBuf {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/run/lab{number}.toml"));
        let content = content.as_ref();
        self.run(|| fs::write(&path, content)).unwrap();
        path
    }

    /// `tapswitch` with these arguments, to its end.
    pub(crate) fn tapswitch(&self, arguments: &[&str]) -> Finished {
        self.start(Command::new(binary::path()).args(arguments)).finish(PATIENCE)
    }

    /// `tapswitch` with these arguments and a file's path behind them, to its end.
    pub(crate) fn tapswitch_on(&self, arguments: &[&str], file: &Path) -> Finished {
        self.start(Command::new(binary::path()).args(arguments).arg(file)).finish(PATIENCE)
    }

    /// What `tapswitch ... --json` prints.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.tapswitch(&[arguments, &["--json"]].concat()).ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
    }

    /// The rows of a listing as JSON.
    #[track_caller]
    pub(crate) fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        match self.json(arguments) {
            Value::Array(rows) => rows,
            other => panic!("no list: {other}"),
        }
    }

    /// A program inside, to its end; `None` when the machine has no such program.
    pub(crate) fn program(&self, program: &str, arguments: &[&str]) -> Option<Finished> {
        Some(self.start(Command::new(locate(program)?).args(arguments)).finish(PATIENCE))
    }

    /// Starts any process inside.
    pub(crate) fn start(&self, command: &mut Command) -> Process {
        self.run(|| Process::start(command))
    }

    /// Starts any process inside, in the namespace of one of its hosts: what `nsenter --net=` does.
    pub(crate) fn start_on(&self, host: &Host, command: &mut Command) -> Process {
        self.run(|| host.run(|| Process::start(command)))
    }
}

/// Covers a directory of the calling thread's mount namespace.
fn empty(directory: &str) {
    let mode = Some("mode=755,size=64m");
    mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), mode).unwrap();
}
