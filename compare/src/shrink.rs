//! The shortest sequence that still differs (delta debugging), then the smallest set-up and the
//! shortest frames.

use super::error::CompareError;
use super::scenario::{Scenario, Step, header_len};

/// Takes away steps, ports, static entries and payloads as long as `differs` says that the rest
/// still differs.
///
/// `upto` is how many steps were taken until the first difference. The result differs, and differs
/// no more when any single step is taken out of it.
///
/// # Errors
/// Those of `differs`.
pub fn shrink(
    scenario: &Scenario,
    upto: usize,
    mut differs: impl FnMut(&Scenario) -> Result<bool, CompareError>,
) -> Result<Scenario, CompareError> {
    let steps: Vec<Step> = scenario.steps.iter().take(upto).cloned().collect();
    let mut best = scenario.with_steps(steps);
    let mut chunk = best.steps.len().div_ceil(2).max(1);
    loop {
        let shorter = without_chunks(&mut best, chunk, &mut differs)?;
        match (chunk, shorter) {
            (1, false) => break,
            (1, true) => {}
            _ => chunk = chunk.div_ceil(2),
        }
    }
    let best = smaller_set_up(best, &mut differs)?;
    shorter_frames(best, &mut differs)
}

/// Tries each frame without what stands behind its EtherType.
fn shorter_frames(
    mut best: Scenario,
    differs: &mut impl FnMut(&Scenario) -> Result<bool, CompareError>,
) -> Result<Scenario, CompareError> {
    for at in 0..best.steps.len() {
        let mut shorter = best.clone();
        let Some(Step::Frame { bytes, .. }) = shorter.steps.get_mut(at) else { continue };
        let header = header_len(bytes);
        if header < bytes.len() {
            bytes.truncate(header);
            if differs(&shorter)? {
                best = shorter;
            }
        }
    }
    Ok(best)
}

/// Tries the sequence without each run of `chunk` steps; whether one could go.
fn without_chunks(
    best: &mut Scenario,
    chunk: usize,
    differs: &mut impl FnMut(&Scenario) -> Result<bool, CompareError>,
) -> Result<bool, CompareError> {
    let mut shorter = false;
    // From the end: what stands last is most often what matters, and what precedes it what does
    // not.
    let mut end = best.steps.len();
    while end > 0 {
        let begin = end.saturating_sub(chunk);
        let kept = best.steps.iter().enumerate();
        let kept = kept.filter(|(at, _)| !(begin..end).contains(at)).map(|(_, step)| step.clone());
        let fewer = best.with_steps(kept.collect());
        if fewer.steps.len() < best.steps.len() && differs(&fewer)? {
            *best = fewer;
            shorter = true;
        }
        end = begin;
    }
    Ok(shorter)
}

fn smaller_set_up(
    mut best: Scenario,
    differs: &mut impl FnMut(&Scenario) -> Result<bool, CompareError>,
) -> Result<Scenario, CompareError> {
    let mut candidates = Vec::new();
    for name in best.spec.bridge.keys() {
        let count = best.spec.bridge.get(name).map_or(0, |bridge| bridge.statics.len());
        candidates.extend((0..count).rev().map(|at| (name.clone(), Some(at))));
    }
    candidates.extend(best.spec.port.keys().map(|name| (name.clone(), None)));
    for (name, entry) in candidates {
        let mut spec = best.spec.clone();
        match entry {
            Some(at) => drop(spec.bridge.get_mut(&name).map(|bridge| bridge.statics.remove(at))),
            None => drop(spec.port.remove(&name)),
        }
        // What refers to the port that is gone makes it no scenario.
        if let Ok(smaller) = Scenario::new(spec, best.steps.clone())
            && smaller.is_complete()
            && differs(&smaller)?
        {
            best = smaller;
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate;

    #[test]
    fn what_does_not_matter_goes_and_what_does_stays() {
        let scenario = generate::scenario(3, 200).unwrap();
        let is_loud =
            |step: &Step| matches!(step, Step::Frame { bytes, .. } if bytes.first() == Some(&0xff));
        // Three shouts are a difference, and nothing less.
        let mut tries = 0;
        let mut differs = |candidate: &Scenario| {
            tries += 1;
            Ok(candidate.steps.iter().filter(|step| is_loud(step)).count() >= 3)
        };
        let smallest = shrink(&scenario, scenario.steps.len(), &mut differs).unwrap();
        assert_eq!(smallest.steps.len(), 3);
        assert!(smallest.steps.iter().all(is_loud));
        let named: Vec<_> = smallest.steps.iter().filter_map(Step::port).collect();
        assert!(smallest.ports().all(|(name, _)| named.contains(&name)), "others are gone");
        assert!(tries < 200, "{tries}");
    }
}
