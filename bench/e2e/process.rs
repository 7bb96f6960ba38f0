//! A child process under test: started, waited for until it says that it is ready, its CPU time
//! read, ended.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::interrupt;

/// A running child. Dropping it ends it: SIGTERM, and SIGKILL when that does not help in time.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    complaints: Arc<Mutex<VecDeque<String>>>,
}

impl Process {
    /// Starts `command` and waits for a line of its standard output that begins with `ready`. When
    /// it does not come in time, the error carries the last lines of the child's standard
    /// error.
    pub(crate) fn start(name: &'static str, mut command: Command, ready: &str) -> Result<Self> {
        command.stdout(Stdio::piped());
        let mut process = Self::spawn(name, command)?;
        process.wait_for(ready)?;
        Ok(process)
    }

    /// Starts `command` and waits for nothing. Its standard output is where `command` says, its
    /// standard input stays open and silent as long as this value lives: some end with it.
    pub(crate) fn spawn(name: &'static str, mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that Ctrl-C at the terminal reaches us alone and we end it in
        // order.
        let child = command.process_group(0).spawn();
        let child = child.with_context(|| format!("cannot start {name}"))?;
        let mut process = Self { name, child, complaints: Arc::default() };
        process.listen_to_complaints();
        Ok(process)
    }

    /// CPU time of all its threads so far, user and system: `/proc/PID/stat`, in steps of 10 ms.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let text = self.read("stat")?;
        // The second field is the program's name in parentheses, which may hold anything.
        let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: Option<u64> = fields.split_whitespace().skip(11).take(2).map(to_number).sum();
        let ticks = ticks.with_context(|| format!("cannot read the CPU time of {}", self.name))?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS_A_SECOND))
    }

    /// The most memory it ever held, in KiB (`VmHWM`).
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        let text = self.read("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()).and_then(to_number);
        number.with_context(|| format!("cannot read the memory of {}", self.name))
    }

    /// Waits until it has ended by itself, and well.
    pub(crate) fn finish(mut self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            interrupt::check()?;
            match self.child.try_wait().with_context(|| format!("{} is lost", self.name))? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("{} ended with {status}{}", self.name, self.last_words()),
                None if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
                None => bail!("{} took too long{}", self.name, self.last_words()),
            }
        }
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(path).with_context(|| format!("{} has ended", self.name))
    }

    fn wait_for(&mut self, ready: &str) -> Result<()> {
        let lines = forward_lines(self.child.stdout.take());
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            interrupt::check()?;
            match lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) if line.starts_with(ready) => return Ok(()),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{} was not ready in time{}", self.name, self.last_words())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended before it was ready{}", self.name, self.last_words())
                }
            }
        }
    }

    fn listen_to_complaints(&mut self) {
        let lines = forward_lines(self.child.stderr.take());
        let kept = Arc::clone(&self.complaints);
        thread::spawn(move || {
            for line in lines {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LINES_KEPT {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
    }

    fn last_words(&self) -> String {
        // The child's last lines may still be on their way through two threads.
        thread::sleep(Duration::from_millis(100));
        let kept = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(|line| format!("\n  {line}")).collect()
    }

    /// Whether it ends by itself within `patience`.
    fn ends_within(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // The child has not been waited for, so the number is still its own.
        let sent =
            i32::try_from(self.child.id()).map(|id| kill(Pid::from_raw(id), Signal::SIGTERM));
        if matches!(sent, Ok(Ok(()))) && self.ends_within(ENDS_WITHIN) {
            return;
        }
        eprintln!("e2e: {} did not end on SIGTERM and is killed", self.name);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines of a pipe, read on a thread of their own so that the child never waits for us.
fn forward_lines(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    if let Some(pipe) = pipe {
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                // A receiver that has gone wants no more lines, but the pipe must stay empty.
                let _ = sender.send(line);
            }
        });
    }
    receiver
}

fn to_number(text: &str) -> Option<u64> {
    text.parse().ok()
}

/// `USER_HZ`, which Linux shows to programs as 100 on every architecture that we know.
const TICKS_A_SECOND: u64 = 100;
const READY_WITHIN: Duration = Duration::from_secs(5);
const ENDS_WITHIN: Duration = Duration::from_secs(3);
const LINES_KEPT: usize = 20;
