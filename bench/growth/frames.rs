//! What a frame costs inside the switch, by stations on a bridge and by flows behind masquerade.

use std::time::Duration;

use anyhow::Result;
use bench::turns;
use bench::work;

use crate::curve::{Curve, Panel};
use crate::interrupt;

/// The curves that are wanted.
pub(crate) fn panel(quick: bool, fdb: bool, flows: bool) -> Result<Panel> {
    let mut curves = Vec::new();
    if fdb {
        curves.push(measured("bridged", quick, |stations, length| {
            turns::measure(work::bridged(stations), length).median
        })?);
    }
    if flows {
        curves.push(measured("translated", quick, |flows, length| {
            turns::measure(work::translated(flows), length).median
        })?);
    }
    let targets = Vec::new();
    Ok(Panel { unit: "ns a frame", things: "stations, flows", curves, targets })
}

fn measured(
    name: &'static str,
    quick: bool,
    measure: impl Fn(u32, Duration) -> f64,
) -> Result<Curve> {
    let mut curve = Curve::new(name);
    let (steps, length) = if quick { (&STEPS[..QUICK], SHORT) } else { (&STEPS[..], LONG) };
    for &things in steps {
        interrupt::check()?;
        let cost = measure(things, length);
        eprintln!("{name} {things}: {cost:.0} ns a frame");
        curve.push(things, cost);
    }
    Ok(curve)
}

/// Even numbers, as the work wants them.
pub(crate) const STEPS: [u32; 9] =
    [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
/// How many of them a quick run takes.
pub(crate) const QUICK: usize = 7;
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(2);
