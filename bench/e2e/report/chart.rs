//! The outcome as a picture: a panel of horizontal bars for each load, a bar for each system.
//!
//! What is drawn is the ratio to the reference, with a line at 1; where a load has none, what it
//! counted. The picture has a background of its own and follows the reader's preference for a light
//! or a dark one.

use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::figures::{self, Figure, cpu, value};
use super::machine::{kernel, processors};
use crate::campaign::{Outcome, Tested};
use crate::load::Load;

/// Writes it to a file, and says which when that fails.
pub(crate) fn write(outcome: &Outcome, path: &Path) -> Result<()> {
    let mut text = String::new();
    draw(outcome, &panels(outcome), &mut text).context("cannot draw the chart")?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The bars of one load to one reference.
struct Panel {
    name: &'static str,
    what: String,
    about: &'static str,
    bars: Vec<Bar>,
    /// Whether lengths are ratios.
    has_line: bool,
}

struct Bar {
    name: &'static str,
    length: f64,
    label: String,
}

/// A panel for each load and each reference that systems have in it.
fn panels(outcome: &Outcome) -> Vec<Panel> {
    let mut references: Vec<&str> = Vec::new();
    for tested in &outcome.tested {
        let first = tested.system.references.first().copied().unwrap_or_default();
        if !references.contains(&first) {
            references.push(first);
        }
    }
    let pairs = references.iter().flat_map(|it| outcome.loads.iter().map(move |load| (*it, *load)));
    pairs.filter_map(|(reference, load)| panel(outcome, reference, load)).collect()
}

fn panel(outcome: &Outcome, reference: &str, load: &Load) -> Option<Panel> {
    let mine = |it: &&Tested| it.system.references.first() == Some(&reference);
    let tested: Vec<&Tested> = outcome.tested.iter().filter(mine).collect();
    let shown = Shown::of(load);
    let ratio_of = |it: &Tested| figures::ratio(outcome, it, reference, load.name, shown.figure);
    let has_line = tested.iter().any(|it| ratio_of(it).is_some());
    let bars: Vec<Bar> = tested
        .into_iter()
        .filter_map(|it| {
            let number = figures::of(it, load.name, shown.figure)?;
            let counted = format!("{number:.*} {}", shown.after_point, shown.unit);
            if !has_line {
                return Some(Bar { name: it.system.name, length: number, label: counted });
            }
            let ratio = ratio_of(it)?;
            let label = format!("{ratio:.2} ({counted})");
            Some(Bar { name: it.system.name, length: ratio, label })
        })
        .collect();
    let to = if has_line { format!("ratio to {reference}, ") } else { String::new() };
    let better = if shown.is_better_low { "lower is better" } else { "higher is better" };
    let what = format!("{}{to}{better}", shown.prefix);
    (!bars.is_empty()).then_some(Panel { name: load.name, what, about: load.about, bars, has_line })
}

/// What a panel shows of its load: what it counts, or its cost, where everybody counts the same.
struct Shown {
    figure: Figure,
    prefix: &'static str,
    unit: &'static str,
    after_point: usize,
    is_better_low: bool,
}

impl Shown {
    fn of(load: &Load) -> Self {
        let Load { unit, cpu: cost, is_better_low, .. } = *load;
        if matches!(load.name, "paced" | "mtu") {
            let prefix = "CPU: ";
            return Self { figure: cpu, prefix, unit: cost, after_point: 2, is_better_low: true };
        }
        Self { figure: value, prefix: "", unit, after_point: 1, is_better_low }
    }
}

fn draw(outcome: &Outcome, panels: &[Panel], out: &mut String) -> fmt::Result {
    let mut places = Vec::new();
    let mut below = [TOP; COLUMNS];
    for panel in panels {
        // The column that ends first takes the next panel.
        let shortest = below.iter_mut().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
        let Some((column, bottom)) = shortest else {
            break;
        };
        places.push((MARGIN + column as f64 * (PANEL + MARGIN), *bottom));
        *bottom += HEAD + panel.bars.len() as f64 * STEP + GAP;
    }
    let width = MARGIN + COLUMNS as f64 * (PANEL + MARGIN);
    let height = below.into_iter().fold(TOP, f64::max);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"tapswitch beside its peers\">"
    )?;
    writeln!(out, "<style>{STYLE}</style>")?;
    writeln!(out, "<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>")?;
    writeln!(
        out,
        "<text class=\"name\" x=\"{MARGIN}\" y=\"30\">tapswitch beside its peers</text>\n\
         <text class=\"note\" x=\"{MARGIN}\" y=\"48\">medians; rounds: {}, of {} s, {} processors, Linux {}</text>",
        outcome.rounds,
        outcome.secs,
        processors(),
        escape(&kernel()),
    )?;
    for (panel, place) in panels.iter().zip(places) {
        draw_panel(panel, place, out)?;
    }
    writeln!(out, "</svg>")
}

fn draw_panel(panel: &Panel, (x, y): (f64, f64), out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "<text class=\"note\" x=\"{x}\" y=\"{}\"><tspan class=\"title\">{}</tspan> &#160; {}</text>",
        y + 12.0,
        panel.name,
        escape(&panel.what)
    )?;
    writeln!(
        out,
        "<text class=\"note\" x=\"{x}\" y=\"{}\">{}</text>",
        y + 27.0,
        escape(panel.about)
    )?;
    let longest = panel.bars.iter().map(|bar| bar.length).fold(0.0, f64::max);
    let scale = if longest > 0.0 { BARS / longest } else { 0.0 };
    let left = x + NAMES;
    if panel.has_line {
        let one = left + scale;
        let (top, bottom) = (y + HEAD - 3.0, y + HEAD + panel.bars.len() as f64 * STEP - 2.0);
        writeln!(
            out,
            "<line x1=\"{one:.1}\" x2=\"{one:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>"
        )?;
    }
    for (number, bar) in panel.bars.iter().enumerate() {
        let top = y + HEAD + number as f64 * STEP;
        let base = top + THICK - 4.0;
        let length = (bar.length * scale).max(1.0);
        writeln!(
            out,
            "<text class=\"label\" x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            bar.name
        )?;
        writeln!(
            out,
            "<rect class=\"{}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{THICK}\" rx=\"1.5\"/>",
            family(bar.name)
        )?;
        writeln!(
            out,
            "<text class=\"label\" x=\"{:.1}\" y=\"{base:.1}\">{}</text>",
            left + length + 6.0,
            escape(&bar.label)
        )?;
    }
    Ok(())
}

/// Which colour a system's bar has: ours, the limit's, or a peer's.
fn family(system: &str) -> &'static str {
    match system {
        "vxlan" => "ours",
        it if it.starts_with("tapswitch") => "ours",
        it if it.starts_with("loop") => "limit",
        it if it.contains("kernel") => "kernel",
        it if it.contains("ovs") => "ovs",
        _ => "peer",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const COLUMNS: usize = 2;
/// Pixels from here on: around panels, and a panel's width.
const MARGIN: f64 = 24.0;
const PANEL: f64 = 540.0;
/// Above the panels.
const TOP: f64 = 70.0;
/// A panel's title, and the room below its bars.
const HEAD: f64 = 36.0;
const GAP: f64 = 24.0;
/// From bar to bar, and how thick they are.
const STEP: f64 = 19.0;
const THICK: f64 = 14.0;
/// The names at the left; the longest bar; the rest is for labels.
const NAMES: f64 = 112.0;
const BARS: f64 = 300.0;

/// Colours that are told apart in both, also by those who see few: they differ in lightness.
const STYLE: &str = "
text{font-family:system-ui,-apple-system,'DejaVu Sans',sans-serif;fill:#1b1f24}
.name{font-size:18px;font-weight:600}.title{font-weight:600}
.note{font-size:11.5px;fill:#59636e}.title{font-size:13px;fill:#1b1f24}
.label{font-size:11.5px;paint-order:stroke;stroke:#ffffff;stroke-width:3px}
.ground{fill:#ffffff}.ours{fill:#0a69da}.limit{fill:#8b949e}.kernel{fill:#2f8f4e}.ovs{fill:#d4851a}.peer{fill:#a04fb8}
line{stroke:#1b1f24;stroke-width:1;stroke-dasharray:3 2}
@media (prefers-color-scheme:dark){
text,.title{fill:#e6edf3}.note{fill:#9aa4af}.label{stroke:#0d1117}.ground{fill:#0d1117}
.ours{fill:#4c9bff}.limit{fill:#6e7681}.kernel{fill:#4cc27a}.ovs{fill:#e3a545}.peer{fill:#c58ae0}
line{stroke:#e6edf3}}
";
