//! The outcome for people, as a table of medians, and for programs, as JSON with every reading.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::campaign::{Outcome, Tested};
use crate::load::{Load, Reading};
use crate::system;

/// Medians over the rounds, each beside its ratio to the reference; 80 columns.
pub(crate) fn table(outcome: &Outcome) -> String {
    let mut text = String::from("\n");
    // Writing to a String cannot fail.
    let _ = render(outcome, &mut text);
    text
}

/// Every reading, every median, and the machine's size.
pub(crate) fn write_json(outcome: &Outcome, path: &Path) -> Result<()> {
    let systems: Vec<Value> =
        outcome.tested.iter().map(|tested| of_system(outcome, tested)).collect();
    let left_out = outcome
        .left_out
        .iter()
        .flat_map(|(why, names)| names.iter().map(move |name| json!({ "name": name, "why": why })));
    let left_out: Vec<Value> = left_out.collect();
    let document = json!({
        "rounds": outcome.rounds,
        "seconds": outcome.secs,
        "processors": processors(),
        "kernel": kernel(),
        "reference": REFERENCE.name,
        "systems": systems,
        "left_out": left_out,
        "failed": outcome.failed,
    });
    let text = format!("{document:#}\n");
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// What ratios refer to.
const REFERENCE: &system::System = &system::ALL[0];

fn render(outcome: &Outcome, out: &mut String) -> std::fmt::Result {
    let shown: Vec<&Column> =
        COLUMNS.iter().filter(|it| outcome.loads.iter().any(|load| load.name == it.load)).collect();
    write!(out, "{:<16}", "")?;
    for column in &shown {
        let width = if column.ratio { 13 } else { 6 };
        write!(out, "{:>width$}", column.head)?;
    }
    write!(out, "\n{:<16}", "median")?;
    for column in &shown {
        write!(out, "{:>width$}", column.unit, width = if column.ratio { 7 } else { 6 })?;
        if column.ratio {
            write!(out, "{:>6}", "ratio")?;
        }
    }
    writeln!(out)?;
    for tested in &outcome.tested {
        write!(out, "{:<16}", tested.system.name)?;
        for column in &shown {
            let value = median(values(tested, column.load, column.read));
            if column.ratio {
                let ratio = ratio(outcome, tested, column.load);
                write!(out, "{:>7}{:>6}", digits(value, 1), digits(ratio, 2))?;
            } else {
                write!(out, "{:>6}", digits(value, 2))?;
            }
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "\n{} rounds of {} s, {} processors, Linux {}. ratio: to `{}`, median of the\n\
         rounds' ratios. CPU: of the system's own process, s per GB of one stream and\n\
         us per flooded 64-byte frame that arrived.",
        outcome.rounds,
        outcome.secs,
        processors(),
        kernel(),
        REFERENCE.name,
    )?;
    for (why, names) in &outcome.left_out {
        writeln!(out, "left out: {}\n          {why}", names.join(", "))?;
    }
    for line in &outcome.failed {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// A column of the table: one number of one load.
struct Column {
    load: &'static str,
    head: &'static str,
    unit: &'static str,
    read: fn(&Reading) -> Option<f64>,
    ratio: bool,
}

const COLUMNS: &[Column] = &[
    Column { load: "tcp1", head: "1 stream", unit: "Gb/s", read: value, ratio: true },
    Column { load: "tcp4", head: "4 streams", unit: "Gb/s", read: value, ratio: true },
    Column { load: "flood", head: "64 B flood", unit: "kpps", read: value, ratio: true },
    Column { load: "ping", head: "ping", unit: "us", read: value, ratio: true },
    Column { load: "tcp1", head: "CPU", unit: "s/GB", read: cpu, ratio: false },
    Column { load: "flood", head: "CPU", unit: "us/pk", read: cpu, ratio: false },
];

fn value(reading: &Reading) -> Option<f64> {
    Some(reading.value)
}

fn cpu(reading: &Reading) -> Option<f64> {
    reading.cpu
}

fn of_system(outcome: &Outcome, tested: &Tested) -> Value {
    let loads: serde_json::Map<String, Value> = outcome
        .loads
        .iter()
        .map(|load| (load.name.to_owned(), of_load(outcome, tested, load)))
        .collect();
    json!({
        "name": tested.system.name,
        "about": tested.system.about,
        "peak_memory_kib": tested.peak_memory,
        "loads": loads,
    })
}

fn of_load(outcome: &Outcome, tested: &Tested, load: &Load) -> Value {
    let readings = tested.readings.iter().filter(|it| it.0.name == load.name);
    let rounds: Vec<Value> = readings
        .map(|(_, round, it)| {
            json!({ "round": round + 1, "value": it.value, "cpu": it.cpu, "loss": it.loss })
        })
        .collect();
    json!({
        "unit": load.unit,
        "median": median(values(tested, load.name, value)),
        "ratio": ratio(outcome, tested, load.name),
        "cpu_median": median(values(tested, load.name, cpu)),
        "loss_median": median(values(tested, load.name, |it| Some(it.loss))),
        "rounds": rounds,
    })
}

/// The median of the rounds' ratios to the reference: each round is compared with itself, so that what else the
/// machine did meanwhile falls out.
fn ratio(outcome: &Outcome, tested: &Tested, load: &str) -> Option<f64> {
    let mut systems = outcome.tested.iter();
    let reference = systems.find(|it| it.system.name == REFERENCE.name)?;
    let wholes = values(reference, load, value);
    let ratios = values(tested, load, value).into_iter().filter_map(|(round, value)| {
        let (_, whole) = wholes.iter().find(|(other, _)| *other == round)?;
        Some((round, value / whole))
    });
    median(ratios.collect())
}

/// What a load showed, by round.
fn values(tested: &Tested, load: &str, of: fn(&Reading) -> Option<f64>) -> Vec<(u32, f64)> {
    let readings = tested.readings.iter().filter(|it| it.0.name == load);
    readings.filter_map(|(_, round, reading)| Some((*round, of(reading)?))).collect()
}

/// The middle value; of an even number, the mean of the middle two.
fn median(values: Vec<(u32, f64)>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().map(|(_, value)| value).collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

fn digits(number: Option<f64>, after_point: usize) -> String {
    number.map_or_else(|| "-".into(), |number| format!("{number:.after_point$}"))
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}
