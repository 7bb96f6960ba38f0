//! When worker 0 looks at the switch's timers next: what it sleeps until when nothing else wakes
//! it.
//!
//! # Theory of operation
//! A look sets the alarm to the switch's own next timeout, so an idle switch costs no wake-up that
//! it did not ask for. Which timers a step has started is not asked for each batch, since the
//! answer costs more than a frame: a step brings the alarm forward to [`SLACK`] after it, and the
//! look then finds what is due. So a timer is late by at most that, and a busy switch is looked at
//! at most four times a second beyond its timeouts.
//!
//! The alarm is changed under the switch's lock alone, so no change is lost; who sleeps reads it
//! without.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use packet::Instant;

/// A moment that only worker 0 sleeps until.
#[derive(Debug, Default)]
pub(super) struct Alarm(AtomicU64);

impl Alarm {
    /// When it is.
    pub(super) fn at(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// The switch was stepped at `now`: at most [`SLACK`] later it is time. Whether that is sooner
    /// than whoever sleeps knows.
    pub(super) fn advance(&self, now: Instant) -> bool {
        let latest = now + SLACK;
        let sooner = latest < self.at();
        if sooner {
            self.set(latest);
        }
        sooner
    }

    /// It is at `at`.
    pub(super) fn set(&self, at: Instant) {
        self.0.store(at.as_nanos(), Ordering::Relaxed);
    }
}

/// How late a timer may be.
const SLACK: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_step_brings_the_alarm_forward_and_never_back() {
        let alarm = Alarm::default();
        assert_eq!(alarm.at(), Instant::ZERO, "timers are looked at before the first sleep");
        alarm.set(Instant::MAX);
        assert!(alarm.advance(at(1_000)), "whoever sleeps for ever is woken");
        assert_eq!(alarm.at(), at(1_250));
        assert!(!alarm.advance(at(1_100)), "who wakes in time is not");
        assert_eq!(alarm.at(), at(1_250));
    }

    #[test]
    fn a_timeout_that_is_nearer_stays() {
        let alarm = Alarm::default();
        alarm.set(at(1_100));
        assert!(!alarm.advance(at(1_000)));
        assert_eq!(alarm.at(), at(1_100));
    }
}
