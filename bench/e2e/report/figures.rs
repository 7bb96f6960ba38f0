//! Numbers out of readings: medians, and ratios between systems.

use crate::campaign::{Outcome, Tested};
use crate::load::Reading;

/// One number of a reading; not every reading has each.
pub(super) type Figure = fn(&Reading) -> Option<f64>;

/// What the load counted.
pub(super) fn value(reading: &Reading) -> Option<f64> {
    Some(reading.value)
}

/// What it cost.
pub(super) fn cpu(reading: &Reading) -> Option<f64> {
    reading.cpu
}

/// What did not arrive, from 0 to 1.
pub(super) fn loss(reading: &Reading) -> Option<f64> {
    Some(reading.loss)
}

/// The median over the rounds of what a load showed.
pub(super) fn of(tested: &Tested, load: &str, figure: Figure) -> Option<f64> {
    median(values(tested, load, figure))
}

/// The system called `name`, if it was tested.
pub(super) fn find<'a>(outcome: &'a Outcome, name: &str) -> Option<&'a Tested> {
    outcome.tested.iter().find(|it| it.system.name == name)
}

/// The median of the rounds' ratios to the system called `reference`: each round is compared with
/// itself, so that what else the machine did meanwhile falls out. A round whose reference is zero
/// has no ratio.
pub(super) fn ratio(
    outcome: &Outcome,
    tested: &Tested,
    reference: &str,
    load: &str,
    figure: Figure,
) -> Option<f64> {
    let wholes = values(find(outcome, reference)?, load, figure);
    let ratios = values(tested, load, figure).into_iter().filter_map(|(round, value)| {
        let (_, whole) = wholes.iter().find(|(other, _)| *other == round)?;
        (*whole > 0.0).then_some((round, value / whole))
    });
    median(ratios.collect())
}

/// What a load showed, by round.
fn values(tested: &Tested, load: &str, figure: Figure) -> Vec<(u32, f64)> {
    let readings = tested.readings.iter().filter(|it| it.0.name == load);
    readings.filter_map(|(_, round, reading)| Some((*round, figure(reading)?))).collect()
}

/// The middle value; of an even number, the mean of the middle two.
fn median(values: Vec<(u32, f64)>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().map(|(_, value)| value).collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}
