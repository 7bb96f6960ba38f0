//! The figures for people, as tables of 80 columns, and for programs, as JSON.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};

use crate::curve::{Curve, Panel, STEEP};

/// A table for each panel, the targets, and the steps that were found.
pub(crate) fn text(panels: &[Panel]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = render(panels, &mut text);
    text
}

/// All figures, factors, targets and steps.
pub(crate) fn json(panels: &[Panel]) -> String {
    let panels: Vec<Value> = panels.iter().map(of_panel).collect();
    format!("{:#}\n", json!({ "steep": STEEP, "panels": panels }))
}

fn render(panels: &[Panel], out: &mut String) -> fmt::Result {
    for panel in panels {
        table(panel, out)?;
    }
    writeln!(out, "\nx: by what the figure was multiplied for each tenfold number of things.")?;
    for target in panels.iter().flat_map(|panel| &panel.targets) {
        let verdict = if target.found <= target.most { "met" } else { "missed" };
        let (what, found, most) = (&target.what, target.found, target.most);
        writeln!(out, "{what}: {found:.1}, target {most:.0}: {verdict}")?;
    }
    let mut steps = 0;
    for panel in panels {
        for curve in &panel.curves {
            for (things, factor) in curve.steps() {
                steps += 1;
                let (unit, name) = (panel.unit, curve.name);
                writeln!(
                    out,
                    "STEP: {unit}, {name}: x{factor:.1} a decade up to {} {}",
                    grouped(things),
                    panel.things
                )?;
            }
        }
    }
    if steps == 0 {
        writeln!(out, "no step: no figure rose by more than x{STEEP} in a decade")?;
    }
    Ok(())
}

fn table(panel: &Panel, out: &mut String) -> fmt::Result {
    write!(out, "\n{:<16}", panel.unit)?;
    for curve in &panel.curves {
        write!(out, "{:>16}", curve.name)?;
    }
    writeln!(out, "\n{:>16}", panel.things)?;
    let mut rows: Vec<u32> =
        panel.curves.iter().flat_map(|curve| curve.points.iter().map(|it| it.things)).collect();
    rows.sort_unstable();
    rows.dedup();
    for things in rows {
        write!(out, "{:>16}", grouped(things))?;
        for curve in &panel.curves {
            write!(out, "{:>16}", cell(curve, things))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn cell(curve: &Curve, things: u32) -> String {
    let Some(cost) = curve.at(things) else { return "-".to_owned() };
    match curve.factor(things) {
        Some(factor) => format!("{cost:.1} x{factor:<4.1}"),
        None => format!("{cost:.1}      "),
    }
}

/// With commas between thousands.
pub(crate) fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn of_panel(panel: &Panel) -> Value {
    let curves = panel.curves.iter().map(|curve| {
        let points = curve.points.iter().map(|point| {
            let factor = curve.factor(point.things);
            json!({ "things": point.things, "cost": point.cost, "factor_a_decade": factor })
        });
        let steps =
            curve.steps().map(|(things, factor)| json!({ "up_to": things, "factor": factor }));
        json!({
            "name": curve.name,
            "points": points.collect::<Vec<_>>(),
            "steps": steps.collect::<Vec<_>>(),
        })
    });
    let targets = panel
        .targets
        .iter()
        .map(|target| json!({ "what": target.what, "found": target.found, "most": target.most }));
    json!({
        "unit": panel.unit,
        "things": panel.things,
        "curves": curves.collect::<Vec<_>>(),
        "targets": targets.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_000_000, "1,000,000")] {
            assert_eq!(grouped(number), text);
        }
    }
}
