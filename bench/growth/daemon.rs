//! The real daemon on a lab file, in a network namespace of its own: started and ended by the
//! clock.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use os::netns::Netns;
use tempfile::TempDir;

use crate::interrupt;

/// A daemon that is up. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    directory: TempDir,
    /// From its start until it said that it was ready.
    pub(crate) came_up_in: Duration,
}

impl Daemon {
    /// Starts `tapswitch` on a lab of this text and waits until it is ready.
    pub(crate) fn start(tapswitch: &Path, lab: &str) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("tapswitch-growth-").tempdir()?;
        let file = directory.path().join("lab.toml");
        fs::write(&file, lab).with_context(|| format!("cannot write {}", file.display()))?;
        let complaints = File::create(directory.path().join(COMPLAINTS))?;
        let mut command = Command::new(tapswitch);
        command.arg("run").arg(&file).arg("--socket").arg(directory.path().join("control.sock"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(complaints);
        // A group of its own, so that Ctrl-C at the terminal reaches us alone and we end it in
        // order.
        command.process_group(0);
        // The namespace has no name, and goes with the daemon.
        let home = Netns::anonymous()?;
        let start = Instant::now();
        let child = home.run(|| command.spawn())?;
        let child = child.with_context(|| format!("cannot start {}", tapswitch.display()))?;
        let mut daemon = Self { child, directory, came_up_in: Duration::ZERO };
        daemon.wait_until_ready(start)?;
        daemon.came_up_in = start.elapsed();
        Ok(daemon)
    }

    fn wait_until_ready(&mut self, start: Instant) -> Result<()> {
        let output = self.child.stdout.take().context("the daemon has no standard output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // A receiver that has gone wants no more lines, but the pipe must stay empty.
                let _ = sender.send(line);
            }
        });
        loop {
            interrupt::check()?;
            match lines.recv_timeout(SLICE) {
                Ok(line) if line.trim() == "ready" => return Ok(()),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) if start.elapsed() < PATIENCE => {}
                Err(RecvTimeoutError::Timeout) => bail!("the daemon was not ready in {PATIENCE:?}"),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the daemon ended before it was ready{}", self.last_words())
                }
            }
        }
    }

    /// Its proportional set in KiB: what it alone has in memory, and its share of what it shares.
    pub(crate) fn memory(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))
            .context("the daemon has ended")?;
        field(&text, "Pss:").context("the kernel does not say how much memory the daemon has")
    }

    /// Ends it in order; how long that took.
    pub(crate) fn end(mut self) -> Result<Duration> {
        let start = Instant::now();
        let ended = self.ends();
        let took = start.elapsed();
        ensure!(ended, "the daemon did not end in {PATIENCE:?} and was killed");
        Ok(took)
    }

    /// Asks it to end and waits for that; kills it when it does not.
    fn ends(&mut self) -> bool {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return true;
        }
        // The child has not been waited for, so the number is still its own.
        let id = i32::try_from(self.child.id());
        let asked = id.is_ok_and(|id| kill(Pid::from_raw(id), Signal::SIGTERM).is_ok());
        let deadline = Instant::now() + PATIENCE;
        while asked && Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(TICK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        false
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(self.directory.path().join(COMPLAINTS)).unwrap_or_default();
        text.lines().rev().take(3).map(|line| format!("\n  {line}")).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !self.ends() {
            eprintln!("growth: the daemon did not end on SIGTERM and was killed");
        }
    }
}

/// What a line of a file in /proc that begins with `name` says, in KiB.
pub(crate) fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

const COMPLAINTS: &str = "errors.txt";
/// For a thousand ports, on a machine that has something else to do.
const PATIENCE: Duration = Duration::from_secs(300);
/// How late a Ctrl-C is noticed at most.
const SLICE: Duration = Duration::from_millis(50);
/// How late the daemon's end is noticed at most.
const TICK: Duration = Duration::from_millis(2);
