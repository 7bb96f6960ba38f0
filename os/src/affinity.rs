//! A thread on a processor, and which processors there are to choose from.

use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Processors are numbered below this: as many as the kernel's interface for a set of them holds
/// here.
pub const MAX_PROCESSORS: usize = CpuSet::count();

/// Keeps the calling thread on processor `cpu`, counted from 0. `EINVAL` when there is no such
/// processor or this process may not use it; the thread then stays where it was allowed before.
pub fn pin(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set)?;
    Ok(())
}

/// The processors that the calling thread may use, counted from 0, in order. `EINVAL` on a machine
/// with more than [`MAX_PROCESSORS`].
pub fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..MAX_PROCESSORS).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_processor_that_is_not_there_is_refused() {
        assert!(pin(1_000_000).is_err());
    }

    #[test]
    fn a_pinned_thread_may_use_one_processor() {
        let pinned = thread::spawn(|| {
            let last = *allowed().unwrap().last().unwrap();
            pin(last).unwrap();
            (last, allowed().unwrap())
        });
        let (last, left) = pinned.join().unwrap();
        assert_eq!(left, [last]);
    }
}
