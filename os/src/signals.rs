//! What a signal means to this process, as far as only the kernel knows.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A write beyond the limit on a file's size (`ulimit -f`). Unless somebody takes it, it kills;
/// then the write fails.
pub const FILE_SIZE: i32 = libc::SIGXFSZ;

/// Whether SIGHUP was ignored when this process was started, as nohup(1) has it. Asked before
/// anybody takes it over.
pub fn hangup_is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_some_and(|set| set & 1 << (libc::SIGHUP - 1) != 0)
}

fn ignored(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// The terminal that this process was started from. Keeping it open keeps nothing alive.
#[derive(Debug)]
pub struct Terminal(File);

impl Terminal {
    /// The controlling terminal, if there is one.
    pub fn controlling() -> Option<Self> {
        let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
        let opened = OpenOptions::new().read(true).custom_flags(flags).open("/dev/tty");
        opened.ok().map(Self)
    }

    /// Whether it was closed, or its connection broke. True by the time that its SIGHUP arrives:
    /// the kernel takes the terminal away first.
    pub fn is_gone(&self) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::empty())];
        let news = PollFlags::POLLHUP | PollFlags::POLLERR;
        // An error says nothing about the terminal.
        poll(&mut fds, PollTimeout::ZERO).is_ok()
            && fds.iter().any(|fd| fd.revents().is_some_and(|revents| revents.intersects(news)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_counted_from_one() {
        let set = ignored("Name:\tx\nSigBlk:\tff\nSigIgn:\t0000000000001001\n").unwrap();
        assert_eq!(set & 1 << (libc::SIGHUP - 1), 1);
        assert_eq!(set & 1 << (libc::SIGINT - 1), 0);
        assert_eq!(ignored("SigIgn:\tzz"), None);
        assert_eq!(ignored(""), None);
    }
}
