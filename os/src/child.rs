//! A child process that lives in a network namespace, is asked to end, and is never forgotten.
//!
//! It is a process group of its own, so Ctrl-C at the terminal reaches its parent alone, who then ends it in its turn.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

use crate::netns::Netns;

/// A running child, or one that has ended and is still to be waited for. Killed when dropped.
#[derive(Debug)]
pub struct Child(tokio::process::Child);

impl Child {
    /// Starts `command` in `netns`, on the current tokio runtime, which must have its I/O driver enabled.
    ///
    /// # Errors
    /// The thread that enters the namespace, or the process, cannot be made.
    pub fn start(netns: &Netns, mut command: Command) -> io::Result<Self> {
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        command.process_group(0).kill_on_drop(true);
        let started = netns.run(|| {
            // A child is in the namespace of the thread that makes it.
            let _runtime = runtime.enter();
            command.spawn()
        })?;
        started.map(Self)
    }

    /// Its standard output, if that was piped and nobody has it yet.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// Waits for its end. Nothing is lost when the wait is given up.
    ///
    /// # Errors
    /// A system call's.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.0.wait().await
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    /// A system call's.
    pub fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Asks it to end (SIGTERM), waits for that, and kills it when it takes longer than `patience`.
    ///
    /// # Errors
    /// A system call's.
    pub async fn end(mut self, patience: Duration) -> io::Result<ExitStatus> {
        // None: it has ended and was waited for, so the number may be another's by now.
        if let Some(id) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            kill(Pid::from_raw(id), Signal::SIGTERM)?;
        }
        match timeout(patience, self.0.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.0.start_kill()?;
                self.0.wait().await
            }
        }
    }
}
