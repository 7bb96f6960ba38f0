//! Child processes, which never outlive this one.
//!
//! # Theory of operation
//! The kernel sends a child its death signal when the *thread* that made it ends
//! (`PR_SET_PDEATHSIG`), so all children are made by one thread that lives as long as the process.
//! The signal is set between fork and exec, and then the child looks whether its parent is still
//! its parent: one that ended ahead of the signal would never send it. A child enters its namespace
//! there too. Neither is passed on by fork, so a program that makes processes of its own, or
//! detaches itself, must not be started here.
//!
//! A child is a process group of its own: Ctrl-C at the terminal reaches its parent alone, who then
//! ends it in its turn.
//!
//! [`Child`] is one that lives in a namespace and is awaited on tokio; [`Program`] one that is
//! awaited by a thread.

use std::io::{self, Error, ErrorKind};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid, getppid};
use tokio::process::ChildStdout;
use tokio::time::timeout;

use crate::netns::Netns;

mod program;

pub use program::{Program, first_to_end};

/// A running child, or one that has ended and is still to be waited for. Killed when dropped.
#[derive(Debug)]
pub struct Child(tokio::process::Child);

impl Child {
    /// Starts `command` in `netns`, on the current tokio runtime, which must have its I/O driver
    /// enabled. Should this process end first, the child is asked to end as by [`Child::end`],
    /// with SIGTERM: it has things to take away.
    ///
    /// # Errors
    /// The process cannot be made, or may not enter the namespace.
    pub fn start(netns: &Netns, mut command: tokio::process::Command) -> io::Result<Self> {
        let runtime = tokio::runtime::Handle::try_current().map_err(Error::other)?;
        bind(command.as_std_mut(), Signal::SIGTERM, Some(netns.clone()));
        command.kill_on_drop(true);
        on_parent(move || {
            let _runtime = runtime.enter();
            command.spawn().map(Self)
        })
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
    /// A system call's, or it is not gone after as long again: the kernel does not let go of it.
    pub async fn end(mut self, patience: Duration) -> io::Result<ExitStatus> {
        // None: it has ended and was waited for, so the number may be another's by now.
        if let Some(id) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            kill(Pid::from_raw(id), Signal::SIGTERM)?;
        }
        match timeout(patience, self.0.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.0.start_kill()?;
                timeout(patience, self.0.wait()).await.unwrap_or_else(|late| Err(late.into()))
            }
        }
    }
}

/// Has a child ended by `signal` when this process ends, and begin in `netns`.
fn bind(command: &mut Command, signal: Signal, netns: Option<Netns>) {
    let parent = getpid();
    command.process_group(0);
    let begin = move || {
        if let Some(netns) = &netns {
            netns.enter()?;
        }
        set_pdeathsig(signal)?;
        match getppid() {
            known if known == parent => Ok(()),
            _ => Err(Error::from(ErrorKind::BrokenPipe)),
        }
    };
    // SAFETY: between fork and exec it makes three system calls and nothing else: it takes no lock
    // and no memory, and the errors it may return have none.
    unsafe {
        command.pre_exec(begin);
    }
}

/// Runs `make` on the thread that makes children, which lives as long as the process.
fn on_parent<T: Send + 'static>(
    make: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    type Job = Box<dyn FnOnce() + Send>;
    static PARENT: OnceLock<io::Result<mpsc::Sender<Job>>> = OnceLock::new();
    let parent = PARENT.get_or_init(|| {
        let (jobs, todo) = mpsc::channel::<Job>();
        let serve = move || todo.into_iter().for_each(|job| job());
        thread::Builder::new().name("children".into()).spawn(serve).map(|_| jobs)
    });
    let parent = parent.as_ref().map_err(|error| Error::from(error.kind()))?;
    let (answer, made) = mpsc::sync_channel(1);
    let job = move || drop(answer.send(make()));
    // Neither fails while that thread lives.
    parent.send(Box::new(job)).map_err(|_| Error::from(ErrorKind::BrokenPipe))?;
    made.recv().map_err(Error::other)?
}
