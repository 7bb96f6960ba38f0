//! Measuring a rig in many short turns, most of which nothing interrupts.

use std::time::{Duration, Instant};

use crate::rig::{Rig, Traffic};

/// Nanoseconds a frame, over the turns of one measurement.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Turns {
    /// What to expect on this machine as it is.
    pub median: f64,
    /// What the code costs when nobody else wants the processor.
    pub best: f64,
}

/// Lets frames through for about `length`, in turns of about a millisecond, after a warm-up.
///
/// # Panics
/// As [`Rig::run`].
pub fn measure<T: Traffic>(mut rig: Rig<T>, length: Duration) -> Turns {
    let mut turns = Vec::with_capacity(MOST_TURNS);
    let end = Instant::now() + length;
    rig.run(WARM_UP);
    while turns.is_empty() || (turns.len() < MOST_TURNS && Instant::now() < end) {
        turns.push(rig.run(FRAMES_A_TURN).as_secs_f64() * 1e9 / FRAMES_A_TURN as f64);
    }
    turns.sort_by(f64::total_cmp);
    let at = |index: usize| turns.get(index).copied().unwrap_or(f64::NAN);
    Turns { median: at(turns.len() / 2), best: at(0) }
}

const WARM_UP: u64 = 100_000;
const FRAMES_A_TURN: u64 = 6_400;
const MOST_TURNS: usize = 10_000;
