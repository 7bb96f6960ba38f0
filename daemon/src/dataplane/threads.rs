//! How packet threads are to work: how many, on which processors, and how patiently they look for
//! frames.

use std::time::Duration;

/// What the threads of a dataplane are told when they start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threads {
    /// How many, at least one.
    pub workers: usize,
    /// Worker i stays on processor `cpus[i % n]`; anywhere when empty.
    pub cpus: Vec<u16>,
    /// How long an idle worker looks for frames before it sleeps; zero to sleep at once.
    pub poll: Duration,
}

impl Threads {
    /// Where a worker stays.
    pub(super) fn cpu(&self, number: usize) -> Option<u16> {
        self.cpus.get(number.checked_rem(self.cpus.len())?).copied()
    }
}

/// One thread, which goes anywhere and sleeps at once.
impl Default for Threads {
    fn default() -> Self {
        Self { workers: 1, cpus: Vec::new(), poll: Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_take_processors_in_turn() {
        let threads = Threads { cpus: vec![4, 2], ..Threads::default() };
        let cpus: Vec<_> = (0..5).map(|number| threads.cpu(number)).collect();
        assert_eq!(cpus, [Some(4), Some(2), Some(4), Some(2), Some(4)]);
        assert_eq!(Threads::default().cpu(3), None);
    }
}
