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
    use super::*;

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
