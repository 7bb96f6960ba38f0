//! A child process whose output is read as it comes, and which does not outlive its value.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// A running child. Dropping it kills and reaps it; its standard error is shown if the test has
/// failed by then.
pub(crate) struct Process {
    child: Child,
    out: Lines,
    err: Lines,
}

/// What a child left behind.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Process {
    /// Starts it without input. In the namespaces of the calling thread.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let out = Lines::of(child.stdout.take().unwrap());
        let err = Lines::of(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far on standard output, by line.
    pub(crate) fn printed(&self) -> Vec<String> {
        self.out.lock().clone()
    }

    /// What it has printed so far on standard error, by line.
    pub(crate) fn logged(&self) -> Vec<String> {
        self.err.lock().clone()
    }

    /// How it ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end, and for the end of its output.
    pub(crate) fn finish(mut self, time: Duration) -> Finished {
        let status = wait::within(time, || self.status());
        let status = status.unwrap_or_else(|| panic!("it has not ended within {time:?}"));
        Finished { status, out: self.out.end(), err: self.err.end() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let err = self.err.end();
        if thread::panicking() && !err.is_empty() {
            eprintln!("--- standard error of process {}:\n{err}---", self.child.id());
        }
    }
}

impl Finished {
    /// What it printed, if it succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert!(self.status.success(), "{}\n{}{}", self.status, self.out, self.err);
        self.out
    }

    /// What it said, if it ended by itself with an error, printed nothing else, and did not panic.
    #[track_caller]
    pub(crate) fn refusal(self) -> String {
        let Self { status, out, err } = self;
        let code = status.code().unwrap_or_else(|| panic!("{status}\n{out}{err}"));
        assert!(code != 0, "it should have been refused:\n{out}{err}");
        assert!(!err.contains("panicked") && code != 101, "{code}\n{err}");
        assert!(out.is_empty(), "{out}");
        err.trim_end().to_owned()
    }

    /// The one line that it said while it refused.
    #[track_caller]
    pub(crate) fn sentence(self) -> String {
        let said = self.refusal();
        assert_eq!(said.lines().count(), 1, "not one sentence:\n{said}");
        said
    }
}

/// Where the machine has a program, if it has it.
pub(crate) fn locate(program: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let also = ["/usr/sbin".into(), "/sbin".into()];
    let places = env::split_paths(&paths).chain(also);
    places.map(|place| place.join(program)).find(|path| path.is_file())
}

/// The lines of a stream, gathered by a thread.
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let gathered = Arc::clone(&lines);
        let thread = thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                gathered.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
            }
        });
        Self { lines, thread: Some(thread) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap()
    }

    /// All of it, once the stream has ended.
    fn end(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        self.lock().iter().map(|line| format!("{line}\n")).collect()
    }
}
