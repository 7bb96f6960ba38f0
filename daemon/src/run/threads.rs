//! How many packet threads a daemon has and how they work: as the command line says, else as the
//! lab does.

use std::num::NonZeroU16;
use std::thread;

use super::RunError;
use crate::dataplane::Threads;
use labfile::{Poll, Settings, ranges};

/// What the command line says of packet threads; what it leaves out is as the lab has it.
#[derive(Clone, Debug, Default)]
pub struct ThreadOptions {
    /// How many.
    pub workers: Option<NonZeroU16>,
    /// The processors that they stay on, in turn; none to leave it to the lab.
    pub cpus: Vec<u16>,
    /// How long they look for frames before they sleep.
    pub poll: Option<Poll>,
}

impl ThreadOptions {
    /// These, and for the rest the lab's.
    pub fn over(&self, settings: &Settings) -> Threads {
        let workers = self.workers.or(settings.workers);
        let cpus = if self.cpus.is_empty() { &settings.cpus } else { &self.cpus };
        Threads {
            workers: workers.map_or_else(suggested_workers, |count| usize::from(count.get())),
            cpus: cpus.clone(),
            poll: self.poll.unwrap_or(settings.poll).limit(),
        }
    }

    /// Refuses processors of the command line that are not among `present`.
    pub(super) fn check(&self, present: &[usize]) -> Result<(), RunError> {
        match self.cpus.iter().find(|cpu| !present.contains(&usize::from(**cpu))) {
            Some(cpu) => Err(RunError::Processor { cpu: *cpu, present: ranges(present) }),
            None => Ok(()),
        }
    }
}

/// One a core, and at most four: more wait for the one lock around the switch.
fn suggested_workers() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_WORKERS))
}

const MOST_WORKERS: usize = 4;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_command_line_wins_over_the_lab() {
        let settings = Settings {
            workers: NonZeroU16::new(3),
            cpus: vec![1],
            poll: "2ms".parse().unwrap(),
            ..Settings::default()
        };
        let threads = ThreadOptions::default().over(&settings);
        let poll = Duration::from_millis(2);
        assert_eq!(threads, Threads { workers: 3, cpus: vec![1], poll });
        let options =
            ThreadOptions { workers: NonZeroU16::new(2), cpus: vec![0], poll: Some(Poll::OFF) };
        let poll = Duration::ZERO;
        assert_eq!(options.over(&settings), Threads { workers: 2, cpus: vec![0], poll });
    }

    #[test]
    fn an_absent_processor_is_named_with_those_that_are_there() {
        let options = ThreadOptions { cpus: vec![0, 9], ..ThreadOptions::default() };
        assert!(options.check(&[0, 9]).is_ok());
        assert_eq!(
            options.check(&[0, 1, 2]).unwrap_err().to_string(),
            "processor 9 of `--cpus` is not there, or not for this process; it may use 0-2"
        );
    }
}
