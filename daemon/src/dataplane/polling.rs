//! Whether a worker without frames looks again at once or sleeps.
//!
//! # Theory of operation
//! To look again spares the next frame the wake-up of a thread, which takes longer than carrying
//! the frame; meanwhile a processor does nothing else. So it is off unless the lab says how long a
//! spell may last, and whether a spell is begun at all is learned from the gaps between frames:
//!
//! - A spell begins when the queues have become empty, and ends with the next frame or at its
//!   limit, a miss.
//! - After [`MISSES`] misses in a row the worker sleeps at once.
//! - A gap no longer than the limit, slept through or not, shows that a spell would have met the
//!   frame: the misses are forgotten.
//!
//! No frame, no spell: an idle worker sleeps. The worker looks for frames in turns of its own loop,
//! so timers and changes of the lab are met as punctually as under load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use offline::listing::counts::WorkerCounts;
use packet::Instant;

/// One worker's state.
#[derive(Debug)]
pub(super) struct Polling<'a> {
    /// The longest spell; zero: never.
    limit: Duration,
    state: State,
    misses: u8,
    counters: &'a PollCounters,
}

#[derive(Copy, Clone, Debug)]
enum State {
    /// Frames came in the last turn.
    Working,
    /// Queues empty since then, and a spell under way.
    Polling(Instant),
    /// Queues empty since then, and no spell until a frame has come.
    Sleeping(Instant),
}

impl<'a> Polling<'a> {
    /// Spells of at most `limit`, none when it is zero.
    pub(super) fn new(limit: Duration, counters: &'a PollCounters) -> Self {
        Self { limit, state: State::Sleeping(Instant::ZERO), misses: 0, counters }
    }

    /// Whether to look again at once, the queues being empty. `now` is read only when there may be
    /// spells.
    pub(super) fn goes_on(&mut self, now: impl FnOnce() -> Instant) -> bool {
        if self.limit.is_zero() {
            return false;
        }
        match self.state {
            State::Sleeping(_) => false,
            State::Working if self.misses < MISSES => {
                self.state = State::Polling(now());
                true
            }
            State::Working => {
                self.state = State::Sleeping(now());
                false
            }
            State::Polling(since) => {
                let spent = now().since(since);
                if spent < self.limit {
                    return true;
                }
                self.counters.add(spent, false);
                self.misses = self.misses.saturating_add(1);
                self.state = State::Sleeping(since);
                false
            }
        }
    }

    /// Frames have come. `now` is read only when there may be spells.
    pub(super) fn found(&mut self, now: impl FnOnce() -> Instant) {
        if self.limit.is_zero() {
            return;
        }
        let gap = match self.state {
            State::Working => return,
            State::Sleeping(since) => now().since(since),
            State::Polling(since) => {
                let spent = now().since(since);
                self.counters.add(spent, true);
                spent
            }
        };
        if gap <= self.limit {
            self.misses = 0;
        }
        self.state = State::Working;
    }
}

/// What a worker's spells came to; written once a spell, read by anybody.
#[derive(Debug, Default)]
pub(super) struct PollCounters {
    spells: AtomicU64,
    hits: AtomicU64,
    nanos: AtomicU64,
}

impl PollCounters {
    fn add(&self, spent: Duration, hit: bool) {
        self.spells.fetch_add(1, Ordering::Relaxed);
        self.hits.fetch_add(u64::from(hit), Ordering::Relaxed);
        let nanos = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The counts now, of a worker on `cpu`.
    pub(super) fn read(&self, cpu: Option<u16>) -> WorkerCounts {
        WorkerCounts {
            cpu,
            spells: self.spells.load(Ordering::Relaxed),
            hits: self.hits.load(Ordering::Relaxed),
            polled: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)),
        }
    }
}

/// Few, since a miss costs a whole spell; more than one, since a train of frames has an end each
/// time.
const MISSES: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_micros(200);

    fn at(micros: u64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    /// A worker's turns at 10 us each until it sleeps; when that was.
    fn until_asleep(polling: &mut Polling<'_>, mut micros: u64) -> u64 {
        while polling.goes_on(|| at(micros)) {
            micros += 10;
        }
        micros
    }

    #[test]
    fn nothing_is_polled_and_no_clock_read_when_off() {
        let counters = PollCounters::default();
        let mut polling = Polling::new(Duration::ZERO, &counters);
        polling.found(|| unreachable!("the clock was read"));
        assert!(!polling.goes_on(|| unreachable!("the clock was read")));
    }

    #[test]
    fn a_worker_that_saw_no_frame_sleeps() {
        let counters = PollCounters::default();
        let mut polling = Polling::new(LIMIT, &counters);
        assert!(!polling.goes_on(|| at(0)));
        assert!(!polling.goes_on(|| at(1_000_000)));
        assert_eq!(counters.read(None), WorkerCounts::default());
    }

    #[test]
    fn a_spell_ends_at_its_limit_and_is_not_begun_again_without_a_frame() {
        let counters = PollCounters::default();
        let mut polling = Polling::new(LIMIT, &counters);
        polling.found(|| at(1_000));
        assert_eq!(until_asleep(&mut polling, 1_000), 1_200);
        assert!(!polling.goes_on(|| at(2_000)));
        let counts = counters.read(Some(1));
        assert_eq!(
            counts,
            WorkerCounts { cpu: Some(1), spells: 1, hits: 0, polled: Duration::from_micros(200) }
        );
    }

    #[test]
    fn sparse_frames_end_polling_and_dense_ones_begin_it_again() {
        let counters = PollCounters::default();
        let mut polling = Polling::new(LIMIT, &counters);
        let mut now = 0;
        for _ in 0..20 {
            now += 5_000;
            polling.found(|| at(now));
            until_asleep(&mut polling, now);
        }
        assert_eq!(counters.read(None).spells, u64::from(MISSES), "then it sleeps at once");
        // The gap to the next one is short, though it is slept through.
        polling.found(|| at(now + 50));
        assert!(polling.goes_on(|| at(now + 60)));
        polling.found(|| at(now + 100));
        assert_eq!(counters.read(None).hits, 1);
    }

    #[test]
    fn a_steady_train_is_polled_for_ever() {
        let counters = PollCounters::default();
        let mut polling = Polling::new(LIMIT, &counters);
        for number in 1..=1_000 {
            polling.found(|| at(number * 100));
            assert!(polling.goes_on(|| at(number * 100)));
            assert!(polling.goes_on(|| at(number * 100 + 99)));
        }
        let counts = counters.read(None);
        assert_eq!((counts.spells, counts.hits), (999, 999));
        assert_eq!(counts.polled, Duration::from_micros(99_900));
    }
}
