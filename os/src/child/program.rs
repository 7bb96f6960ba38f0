//! A program that a thread starts and waits for: killed by the kernel when this process ends.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::process::{ChildStderr, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{bind, on_parent};

/// A running program, or one that has ended. Ended when dropped: asked to, and killed if it takes
/// its time.
#[derive(Debug)]
pub struct Program {
    child: std::process::Child,
    /// Readable once it has ended.
    pidfd: OwnedFd,
}

impl Program {
    /// Starts `command`.
    ///
    /// # Errors
    /// The process cannot be made.
    pub fn start(mut command: Command) -> io::Result<Self> {
        bind(&mut command, Signal::SIGKILL, None);
        on_parent(move || {
            let mut child = command.spawn()?;
            match pidfd(child.id()) {
                Ok(pidfd) => Ok(Self { child, pidfd }),
                Err(error) => {
                    child.kill()?;
                    child.wait()?;
                    Err(error)
                }
            }
        })
    }

    /// What it writes, where that was piped and nobody has it yet.
    pub fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    /// A system call's.
    pub fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Asks it to end (SIGTERM), waits for that, and kills it when it takes longer than `patience`.
    /// One that is not gone after as long again is left to the kernel, which does not let go of
    /// it.
    ///
    /// # Errors
    /// A system call's.
    pub fn end(&mut self, patience: Duration) -> io::Result<()> {
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            // Until it was waited for, the number is its own.
            if self.child.try_wait()?.is_some() {
                break;
            }
            kill(Pid::from_raw(self.child.id().cast_signed()), signal)?;
            first_to_end(&[self], patience)?;
        }
        self.child.try_wait().map(drop)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.end(PATIENCE);
    }
}

/// Waits until one of them has ended; which, or none of them within `patience`.
///
/// # Errors
/// A system call's.
pub fn first_to_end(programs: &[&Program], patience: Duration) -> io::Result<Option<usize>> {
    let deadline = Instant::now() + patience;
    let mut ends: Vec<PollFd<'_>> = programs
        .iter()
        .map(|program| PollFd::new(program.pidfd.as_fd(), PollFlags::POLLIN))
        .collect();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut ends, left) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(ends.iter().position(|end| end.any() == Some(true))),
            Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A descriptor of a child that was not waited for yet.
fn pidfd(child: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes two numbers, and returns a descriptor that is nobody else's, or -1.
    let fd =
        unsafe { libc::syscall(libc::SYS_pidfd_open, libc::pid_t::from(child.cast_signed()), 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened it for us. Descriptors are of 32 bits.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// How long a program that is dropped may take to end.
const PATIENCE: Duration = Duration::from_secs(2);
