//! Medians over the rounds, each beside its ratio to the system's first reference, and to others
//! below; 80 columns.

use std::fmt::{Result, Write as _};

use super::figures::{self, Figure, cpu, loss, value};
use crate::campaign::{Outcome, Tested};

/// A table for each group of columns that has been measured.
pub(super) fn write(outcome: &Outcome, out: &mut String) -> Result {
    for columns in TABLES {
        let is_measured = |column: &&Column| match column.source {
            Source::Load(load, _) => outcome.loads.iter().any(|it| it.name == load),
            Source::PeakMemory => true,
        };
        let shown: Vec<&Column> = columns.iter().filter(is_measured).collect();
        // Memory is read with whatever is measured and makes no table by itself.
        if shown.iter().any(|it| matches!(it.source, Source::Load(..))) {
            table(outcome, &shown, out)?;
        }
    }
    Ok(())
}

fn table(outcome: &Outcome, shown: &[&Column], out: &mut String) -> Result {
    write!(out, "\n{:<16}", "")?;
    for column in shown {
        write!(out, "{:>width$}", column.head, width = column.width())?;
    }
    write!(out, "\n{:<16}", "median")?;
    for column in shown {
        match column.shape {
            Shape::WithRatio => write!(out, "{:>7}{:>6}", column.unit, "ratio")?,
            Shape::Plain(width, _) => write!(out, "{:>width$}", column.unit)?,
        }
    }
    writeln!(out)?;
    for tested in &outcome.tested {
        let has_reading = |column: &&Column| match column.source {
            Source::Load(load, _) => tested.readings.iter().any(|it| it.0.name == load),
            Source::PeakMemory => false,
        };
        if shown.iter().any(has_reading) {
            row(outcome, tested, shown, out)?;
        }
    }
    Ok(())
}

/// A system's medians beside the ratios to its first reference, and a line of ratios to each other
/// that was tested.
fn row(outcome: &Outcome, tested: &Tested, shown: &[&Column], out: &mut String) -> Result {
    let (first, others) = tested.system.references.split_first().unwrap_or((&"", &[]));
    write!(out, "{:<16}", tested.system.name)?;
    for column in shown {
        let number = column.number(tested);
        match column.shape {
            Shape::WithRatio => {
                let ratio = column.ratio(outcome, tested, first);
                write!(out, "{:>7}{:>6}", digits(number, 1), digits(ratio, 2))?;
            }
            Shape::Plain(width, after_point) => {
                write!(out, "{:>width$}", digits(number, after_point))?;
            }
        }
    }
    writeln!(out)?;
    let with_ratio = |it: &&&Column| matches!(it.shape, Shape::WithRatio);
    for other in others.iter().filter(|name| figures::find(outcome, name).is_some()) {
        if !shown.iter().any(|it| with_ratio(&it)) {
            return Ok(());
        }
        write!(out, "{:<16}", format!("  to {other}"))?;
        for column in shown.iter().filter(with_ratio) {
            write!(out, "{:>13}", digits(column.ratio(outcome, tested, other), 2))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// A column: one number.
struct Column {
    head: &'static str,
    unit: &'static str,
    source: Source,
    shape: Shape,
}

/// Where its number comes from.
enum Source {
    /// Of a load's readings.
    Load(&'static str, Figure),
    /// Of the system's processes, under all loads of the run.
    PeakMemory,
}

/// How it is written.
enum Shape {
    /// One digit after the point, and beside it the ratio.
    WithRatio,
    /// The width, and the digits after the point.
    Plain(usize, usize),
}

impl Column {
    const fn both(head: &'static str, unit: &'static str, load: &'static str) -> Self {
        Self { head, unit, source: Source::Load(load, value), shape: Shape::WithRatio }
    }

    fn width(&self) -> usize {
        match self.shape {
            Shape::WithRatio => 13,
            Shape::Plain(width, _) => width,
        }
    }

    fn number(&self, tested: &Tested) -> Option<f64> {
        match self.source {
            Source::Load(load, figure) => figures::of(tested, load, figure),
            Source::PeakMemory => tested.peak_memory.map(|kib| kib as f64 * 1024.0 / 1e6),
        }
    }

    fn ratio(&self, outcome: &Outcome, tested: &Tested, reference: &str) -> Option<f64> {
        match self.source {
            Source::Load(load, figure) => figures::ratio(outcome, tested, reference, load, figure),
            Source::PeakMemory => None,
        }
    }
}

fn digits(number: Option<f64>, after_point: usize) -> String {
    number.map_or_else(|| "-".into(), |number| format!("{number:.after_point$}"))
}

const fn plain(
    head: &'static str,
    unit: &'static str,
    source: Source,
    (width, after_point): (usize, usize),
) -> Column {
    Column { head, unit, source, shape: Shape::Plain(width, after_point) }
}

const TABLES: &[&[Column]] = &[
    &[
        Column::both("1 stream", "Gb/s", "tcp1"),
        Column::both("4 streams", "Gb/s", "tcp4"),
        Column::both("64 B flood", "kpps", "flood"),
        Column::both("ping", "us", "ping"),
        plain("CPU", "s/GB", Source::Load("tcp1", cpu), (6, 2)),
        plain("CPU", "us/pk", Source::Load("flood", cpu), (6, 2)),
    ],
    &[
        Column::both("64 B, no loss", "kpps", "rate"),
        Column::both("requests", "k/s", "rr"),
        Column::both("connections", "k/s", "conns"),
        plain("64 B 20k/s", "us/pk", Source::Load("paced", cpu), (12, 2)),
        plain("1400 B", "us/pk", Source::Load("mtu", cpu), (8, 2)),
    ],
    &[
        plain("victim", "us", Source::Load("victim", value), (10, 1)),
        plain("victim", "lost", Source::Load("victim", loss), (10, 4)),
        plain("16 ports", "MB", Source::Load("idle", value), (10, 1)),
        plain("idle", "CPU %", Source::Load("idle", cpu), (10, 2)),
        plain("peak", "MB", Source::PeakMemory, (10, 1)),
        plain("iperf3", "Gb/s", Source::Load("iperf3", value), (10, 1)),
    ],
];
