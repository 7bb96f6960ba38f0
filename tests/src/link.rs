//! The cable between a port and its end: how long it takes, and what it loses, doubles or puts out
//! of order.

use core::time::Duration;

use crate::rng::Rng;

/// What a cable does to frames, the same in both directions. The default is a perfect one.
#[derive(Copy, Clone, Debug, Default)]
pub struct Link {
    /// How long a frame takes.
    pub delay: Duration,
    /// Frames of a thousand that never arrive.
    pub loss: u16,
    /// Frames of a thousand that arrive twice.
    pub duplication: u16,
    /// Frames of a thousand that others may overtake: they take up to eight delays (at least 1 ms)
    /// longer.
    pub reordering: u16,
}

impl Link {
    /// A perfect cable that takes `delay`.
    pub const fn delayed(delay: Duration) -> Self {
        Self { delay, loss: 0, duplication: 0, reordering: 0 }
    }

    /// A bad cable: every twentieth frame is lost, some come twice, every tenth is overtaken.
    pub const fn bad() -> Self {
        let delay = Duration::from_micros(500);
        Self { delay, loss: 50, duplication: 10, reordering: 100 }
    }

    /// How long each copy of one frame takes; none when it is lost.
    pub(crate) fn journeys(self, rng: &mut Rng) -> Vec<Duration> {
        if rng.chance(self.loss) {
            return Vec::new();
        }
        let copies = if rng.chance(self.duplication) { 2 } else { 1 };
        let mut journey = || {
            let late = rng.chance(self.reordering);
            let unit = self.delay.max(Duration::from_millis(1)).as_nanos() as u64;
            let extra = if late { rng.below(8 * unit) } else { 0 };
            self.delay + Duration::from_nanos(extra)
        };
        (0..copies).map(|_| journey()).collect()
    }
}
