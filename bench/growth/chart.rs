//! The figures as a picture: a panel for each unit, both axes logarithmic, for light and dark
//! pages.
//!
//! A level line is linear growth. The page's `prefers-color-scheme` decides the colours; the
//! picture loads nothing.

use std::fmt::{self, Write as _};

use crate::curve::{Curve, Panel};
use crate::report::grouped;

/// One document with all panels, two in a row.
pub(crate) fn svg(panels: &[Panel]) -> String {
    let rows = panels.len().div_ceil(COLUMNS);
    let (width, height) = (WIDTH * COLUMNS as f64, HEIGHT * rows as f64);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    for (at, panel) in panels.iter().enumerate() {
        let (x, y) = ((at % COLUMNS) as f64 * WIDTH, (at / COLUMNS) as f64 * HEIGHT);
        let _ = writeln!(text, "<g transform=\"translate({x} {y})\">");
        // Writing to a String cannot fail.
        let _ = draw(panel, &mut text);
        text.push_str("</g>\n");
    }
    text.push_str("</svg>\n");
    text
}

/// A logarithmic axis over whole decades, from `low` at pixel `from` to `high` at pixel `to`.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let positive = values.filter(|value| *value > 0.0);
        let least = positive.clone().fold(f64::INFINITY, f64::min);
        let most = positive.fold(0.0, f64::max);
        if most == 0.0 {
            return Self { low: 0.0, high: 1.0, from, to };
        }
        let low = least.log10().floor();
        Self { low, high: most.log10().ceil().max(low + 1.0), from, to }
    }

    /// Where a value is; one that has no logarithm, at the low end.
    fn place(&self, value: f64) -> f64 {
        let at = if value > 0.0 { value.log10().max(self.low) } else { self.low };
        self.from + (at - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        (self.low as i32..=self.high as i32).map(|power| 10_f64.powi(power))
    }
}

fn draw(panel: &Panel, out: &mut String) -> fmt::Result {
    let points = || panel.curves.iter().flat_map(|curve| &curve.points);
    let across = Axis::over(points().map(|it| f64::from(it.things)), LEFT, WIDTH - RIGHT);
    let upward = Axis::over(points().map(|it| it.cost), HEIGHT - BOTTOM, TOP);
    writeln!(out, "<text class=\"title\" x=\"{LEFT}\" y=\"22\">{}</text>", panel.unit)?;
    let (middle, foot) = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12.0);
    writeln!(
        out,
        "<text class=\"note\" x=\"{middle}\" y=\"{foot}\" text-anchor=\"middle\">{}</text>",
        panel.things
    )?;
    grid(&across, &upward, out)?;
    let mut labels = Vec::new();
    for (number, curve) in panel.curves.iter().enumerate() {
        line(curve, number, &across, &upward, out)?;
        if let Some(last) = curve.points.last() {
            labels.push((upward.place(last.cost), number, curve.name));
        }
    }
    for (y, number, name) in spread(labels) {
        let x = WIDTH - RIGHT + 8.0;
        writeln!(out, "<text class=\"l{number}\" x=\"{x}\" y=\"{:.1}\">{name}</text>", y + 4.0)?;
    }
    Ok(())
}

fn grid(across: &Axis, upward: &Axis, out: &mut String) -> fmt::Result {
    for value in across.decades() {
        let (x, foot, label) = (across.place(value), HEIGHT - BOTTOM, HEIGHT - BOTTOM + 18.0);
        writeln!(out, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{foot}\"/>")?;
        let name = decade(value);
        writeln!(
            out,
            "<text class=\"note\" x=\"{x:.1}\" y=\"{label}\" text-anchor=\"middle\">{name}</text>"
        )?;
    }
    for value in upward.decades() {
        let (y, end, name) = (upward.place(value), WIDTH - RIGHT, decade(value));
        writeln!(out, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{end}\"/>")?;
        let (x, y) = (LEFT - 8.0, y + 4.0);
        writeln!(
            out,
            "<text class=\"note\" x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{name}</text>"
        )?;
    }
    Ok(())
}

fn line(
    curve: &Curve,
    number: usize,
    across: &Axis,
    upward: &Axis,
    out: &mut String,
) -> fmt::Result {
    let places = || {
        let points = curve.points.iter();
        points.map(|it| (it, across.place(f64::from(it.things)), upward.place(it.cost)))
    };
    let path: Vec<String> = places().map(|(_, x, y)| format!("{x:.1},{y:.1}")).collect();
    writeln!(out, "<polyline class=\"c{number}\" points=\"{}\"/>", path.join(" "))?;
    for (point, x, y) in places() {
        let (name, things, cost) = (curve.name, grouped(point.things), point.cost);
        writeln!(
            out,
            "<circle class=\"d{number}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\">\
             <title>{name}, {things}: {cost:.1}</title></circle>"
        )?;
    }
    Ok(())
}

/// Moves names apart that would lie on one another, downwards.
fn spread(mut labels: Vec<(f64, usize, &'static str)>) -> Vec<(f64, usize, &'static str)> {
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut least = f64::NEG_INFINITY;
    for (y, ..) in &mut labels {
        *y = y.max(least);
        least = *y + LINE;
    }
    labels
}

/// 0.01, 1, 1,000, 1M.
fn decade(value: f64) -> String {
    if value >= 1e6 {
        return format!("{}M", grouped((value / 1e6) as u32));
    }
    if value >= 1.0 { grouped(value as u32) } else { format!("{value}") }
}

const COLUMNS: usize = 2;
const WIDTH: f64 = 470.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
/// Room for the curves' names.
const RIGHT: f64 = 96.0;
const TOP: f64 = 38.0;
const BOTTOM: f64 = 50.0;
/// Height of a line of text.
const LINE: f64 = 14.0;
const STYLE: &str = "\
.page{fill:#fff}.title{fill:#1a1a1a;font-weight:bold;font-size:14px}.note{fill:#555}.grid{stroke:#ddd;fill:none}\
polyline{fill:none;stroke-width:2}\
.c0{stroke:#0b62b4}.d0,.l0{fill:#0b62b4}.c1{stroke:#b3430a}.d1,.l1{fill:#b3430a}\
.c2{stroke:#1c7a3e}.d2,.l2{fill:#1c7a3e}.c3{stroke:#8a3fa0}.d3,.l3{fill:#8a3fa0}\
@media(prefers-color-scheme:dark){\
.page{fill:#16181c}.title{fill:#eee}.note{fill:#aaa}.grid{stroke:#353a42}\
.c0{stroke:#6db3ff}.d0,.l0{fill:#6db3ff}.c1{stroke:#ff9d62}.d1,.l1{fill:#ff9d62}\
.c2{stroke:#63d08c}.d2,.l2{fill:#63d08c}.c3{stroke:#d49be6}.d3,.l3{fill:#d49be6}}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_covers_whole_decades_and_a_tenfold_is_the_same_step_everywhere() {
        let axis = Axis::over([30.0, 4_000.0].into_iter(), 0.0, 300.0);
        assert_eq!((axis.low, axis.high), (1.0, 4.0));
        assert_eq!(
            [10.0, 100.0, 1_000.0, 10_000.0].map(|value| axis.place(value).round()),
            [0.0, 100.0, 200.0, 300.0]
        );
        assert_eq!(axis.place(0.0), 0.0);
    }

    #[test]
    fn names_never_lie_on_one_another() {
        let spread = spread(vec![(50.0, 0, "a"), (52.0, 1, "b"), (10.0, 2, "c")]);
        assert_eq!(spread, [(10.0, 2, "c"), (50.0, 0, "a"), (64.0, 1, "b")]);
    }
}
