//! A token bucket: how often the router may tell senders about errors (RFC 1812 section 4.3.2.8).

use core::time::Duration;

use packet::Instant;
use packet::snapshot::{Damaged, ensure};
use serde::{Deserialize, Serialize};

/// A bucket of `burst` tokens that refills at `rate` a second.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Limiter {
    rate: u32,
    burst: u32,
    tokens: u32,
    refilled: Instant,
}

impl Limiter {
    pub(crate) const fn new(rate: u32, burst: u32) -> Self {
        Self { rate, burst, tokens: burst, refilled: Instant::ZERO }
    }

    /// Finds what is wrong with a bucket that was read.
    pub(crate) fn check(&self) -> Result<(), Damaged> {
        ensure(self.tokens <= self.burst, "a limiter has more tokens than it holds")
    }

    /// Takes a token; `false` when there is none.
    pub(crate) fn allow(&mut self, now: Instant) -> bool {
        if self.rate == 0 {
            return false;
        }
        let token = Duration::from_secs(1) / self.rate;
        let earned = now.since(self.refilled).as_nanos() / token.as_nanos().max(1);
        if earned > 0 {
            let room = self.burst - self.tokens;
            let earned = u32::try_from(earned).unwrap_or(u32::MAX);
            self.tokens += earned.min(room);
            self.refilled = if earned > room { now } else { self.refilled + token * earned };
        }
        let allowed = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many of `asked` are allowed at a time.
    fn allowed(limiter: &mut Limiter, at: Instant, asked: u32) -> u32 {
        (0..asked).filter(|_| limiter.allow(at)).count() as u32
    }

    proptest! {
        /// Who asks all the time gets the burst and then the rate, to the token: no fraction of one
        /// is lost between two askings.
        #[test]
        fn saturation_gets_the_rate_exactly(
            rate in 1u32..5000, burst in 1u32..20,
            waits in prop::collection::vec(0u64..=1000, 1..60)
        ) {
            let token = 1_000_000_000 / u64::from(rate);
            let (start, mut passed) = (Instant::from_secs(9), 0);
            let mut limiter = Limiter::new(rate, burst);
            let mut got = allowed(&mut limiter, start, burst + 1);
            for wait in waits {
                // Never so long that the bucket would run over.
                passed += wait * token * u64::from(burst) / 1000;
                got += allowed(&mut limiter, start + Duration::from_nanos(passed), 2 * burst + 2);
                prop_assert_eq!(u64::from(got), u64::from(burst) + passed / token);
            }
        }

        /// However one asks, no stretch of time has more than a burst and what the rate gives.
        #[test]
        fn no_stretch_of_time_has_more_than_burst_and_rate(
            rate in 1u32..5000, burst in 0u32..20,
            asked in prop::collection::vec((0u64..3000, 0u32..25), 1..60)
        ) {
            let token = 1_000_000_000 / u64::from(rate);
            let (mut now, mut limiter) = (0, Limiter::new(rate, burst));
            let mut log: Vec<(u64, u32)> = Vec::new();
            for (wait, asked) in asked {
                now += wait * token * 2 / 1000;
                log.push((now, allowed(&mut limiter, Instant::from_nanos(now), asked)));
                let mut got = 0;
                for (since, count) in log.iter().rev() {
                    got += u64::from(*count);
                    prop_assert!(got <= u64::from(burst) + (now - since) / token + 1);
                }
            }
        }
    }

    #[test]
    fn no_rate_allows_nothing() {
        assert_eq!(allowed(&mut Limiter::new(0, 5), Instant::from_secs(5), 9), 0);
    }

    #[test]
    fn a_burst_passes_then_the_rate() {
        let mut limiter = Limiter::new(10, 3);
        let at = Instant::from_secs(5);
        assert_eq!((0..5).filter(|_| limiter.allow(at)).count(), 3);
        let later = at + Duration::from_millis(250);
        assert_eq!((0..5).filter(|_| limiter.allow(later)).count(), 2);
        let spread =
            (0..50).filter(|i| limiter.allow(later + Duration::from_millis(20 * i))).count();
        assert!((9..=11).contains(&spread), "{spread}");
    }
}
