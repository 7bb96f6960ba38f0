//! Nothing: what a system with many ports costs while nobody uses them.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Reading, Trial};
use crate::interrupt;
use crate::system::Running;

/// The most memory that its processes held, in MB (10^6 bytes); CPU in hundredths of one processor.
pub(super) fn measure(running: &Running, trial: Trial) -> Result<Reading> {
    interrupt::pause(CALM_AFTER)?;
    let (start, before) = (Instant::now(), running.cpu()?);
    interrupt::pause(trial.span.max(SHORTEST))?;
    let (elapsed, after) = (start.elapsed(), running.cpu()?);
    let cpu = after.zip(before).map(|(after, before)| after.saturating_sub(before));
    let memory = running.peak_memory()?.unwrap_or_default();
    Ok(Reading {
        value: memory as f64 * 1024.0 / 1e6,
        cpu: cpu.map(|cpu| cpu.as_secs_f64() / elapsed.as_secs_f64() * 100.0),
        loss: 0.0,
    })
}

/// New devices speak IPv6 for a while: duplicate address detection, router solicitation, multicast
/// reports.
const CALM_AFTER: Duration = Duration::from_secs(3);
/// CPU time is counted in steps of 10 ms: a third of a hundredth of this.
const SHORTEST: Duration = Duration::from_secs(3);
