//! The clocks: the monotonic one, read once per batch of frames and handed to the pure crates as an
//! argument.

use nix::time::{ClockId, clock_gettime};
use packet::Instant;

/// Nanoseconds since boot without the time spent suspended (`CLOCK_MONOTONIC`). Never goes back;
/// costs about 20 ns, for the kernel answers it from memory it shares with the process.
pub fn now() -> Instant {
    // The call cannot fail: the clock is one that every Linux has, and the result lies on our
    // stack.
    let Ok(time) = clock_gettime(ClockId::CLOCK_MONOTONIC) else {
        return Instant::ZERO;
    };
    let nanos = time.tv_sec().saturating_mul(1_000_000_000).saturating_add(time.tv_nsec());
    Instant::from_nanos(nanos.unsigned_abs())
}

/// Nanoseconds since 1970 (`CLOCK_REALTIME`), for people and files; may go back.
pub fn since_1970() -> u64 {
    // As above.
    let Ok(time) = clock_gettime(ClockId::CLOCK_REALTIME) else { return 0 };
    let nanos = time.tv_sec().saturating_mul(1_000_000_000).saturating_add(time.tv_nsec());
    nanos.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back() {
        let first = now();
        assert!(first > Instant::ZERO);
        assert!(now() >= first);
    }
}
