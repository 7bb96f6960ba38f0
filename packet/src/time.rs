//! Time as an argument: a point on a monotonic clock that the caller reads.
//!
//! The pure crates never ask for the time; whoever calls them says what time it is, so that a test
//! or a replay can decide. Durations are [`core::time::Duration`].

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: nanoseconds since an arbitrary start (boot, or zero in tests); lasts 584 years.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Instant(u64);

impl Instant {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);
    /// The farthest point: a deadline that never comes.
    pub const MAX: Self = Self(u64::MAX);

    /// A point `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A point `millis` milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// A point `seconds` seconds after the start.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the start.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    /// Saturates at [`Instant::MAX`].
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    /// Saturates at [`Instant::ZERO`].
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_counted_in_nanoseconds_and_stops_at_both_ends() {
        let at = Instant::from_millis(12_345);
        assert_eq!(at, Instant::from_nanos(12_345_000_000));
        assert_eq!((at.as_secs(), at.as_nanos()), (12, 12_345_000_000));
        assert_eq!(format!("{:?}", at + Duration::from_nanos(7)), "12.345000007s");
        let (second, mut later) = (Duration::from_secs(1), at);
        later += second;
        assert_eq!(later.since(at), second);
        assert_eq!((later - second, at.since(later)), (at, Duration::ZERO));
        assert_eq!(Instant::from_secs(u64::MAX), Instant::MAX);
        assert_eq!((Instant::MAX + second, Instant::ZERO - second), (Instant::MAX, Instant::ZERO));
        assert_eq!((at + Duration::MAX, at - Duration::MAX), (Instant::MAX, Instant::ZERO));
    }
}
