//! Which table each worker has taken up, and waiting until all have let go of an old one.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::lock;

/// The newest generation of the table that each worker has seen.
#[derive(Debug)]
pub(super) struct Generations {
    generations: Mutex<Vec<u64>>,
    changed: Condvar,
}

impl Generations {
    /// None yet by `workers` workers.
    pub(super) fn by(workers: usize) -> Self {
        Self { generations: Mutex::new(vec![0; workers]), changed: Condvar::new() }
    }

    /// Worker `number` has taken up `generation`, and holds nothing of an older one.
    pub(super) fn note(&self, number: usize, generation: u64) {
        if let Some(seen) = lock(&self.generations).get_mut(number) {
            *seen = generation;
        }
        self.changed.notify_all();
    }

    /// Worker `number` ends, and holds no table any more.
    pub(super) fn end(&self, number: usize) {
        self.note(number, u64::MAX);
    }

    /// Waits until every worker has taken up `generation`, or has ended. Blocks for a batch's time.
    pub(super) fn wait(&self, generation: u64) {
        let behind = |seen: &mut Vec<u64>| seen.iter().any(|seen| *seen < generation);
        let waited = self.changed.wait_timeout_while(lock(&self.generations), LONGEST, behind);
        if waited.is_ok_and(|(_, waited)| waited.timed_out()) {
            tracing::warn!("a worker has not let go of a removed port within {LONGEST:?}");
        }
    }
}

/// How long a worker may take to finish a batch and take up a new table.
const LONGEST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// Has a thread wait for generation 2, and says when it has done so.
    fn waiting<'scope>(
        scope: &'scope thread::Scope<'scope, '_>,
        seen: &'scope Generations,
    ) -> mpsc::Receiver<()> {
        let (done, waits) = mpsc::channel();
        scope.spawn(move || {
            seen.wait(2);
            let _ = done.send(());
        });
        waits
    }

    #[test]
    fn a_wait_ends_with_the_last_worker_and_not_before() {
        let seen = Generations::by(2);
        thread::scope(|scope| {
            seen.note(0, 1);
            seen.note(1, 2);
            let done = waiting(scope, &seen);
            seen.note(1, 3);
            assert!(done.recv_timeout(Duration::from_millis(20)).is_err(), "worker 0 is behind");
            seen.note(0, 2);
            assert!(done.recv_timeout(LONGEST / 2).is_ok());
        });
    }

    #[test]
    fn nobody_waits_for_a_worker_that_has_ended() {
        let seen = Generations::by(2);
        thread::scope(|scope| {
            let done = waiting(scope, &seen);
            seen.end(0);
            seen.end(1);
            assert!(done.recv_timeout(LONGEST / 2).is_ok());
        });
    }
}
