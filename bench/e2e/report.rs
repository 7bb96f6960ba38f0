//! The outcome for people, as a table of medians, and for programs, as JSON with every reading.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::campaign::{Outcome, Tested};
use crate::load::{Load, Reading};

/// Medians over the rounds, each beside its ratio to the system's first reference, and to others below; 80 columns.
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
        "congestion_control": congestion_control(),
        "systems": systems,
        "left_out": left_out,
        "failed": outcome.failed,
    });
    let text = format!("{document:#}\n");
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

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
        row(outcome, tested, &shown, out)?;
    }
    writeln!(
        out,
        "\n{} rounds of {} s, {} processors, Linux {}, TCP {}. ratio: to `loop`,\n\
         of VXLAN to `vxlan-kernel`, median of the rounds' ratios. CPU: of the system's own\n\
         processes, s per GB of one stream and us per flooded 64-byte frame that arrived.",
        outcome.rounds,
        outcome.secs,
        processors(),
        kernel(),
        congestion_control(),
    )?;
    for (why, names) in &outcome.left_out {
        writeln!(out, "left out: {}\n          {why}", names.join(", "))?;
    }
    for line in &outcome.failed {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// A system's medians beside the ratios to its first reference, and a line of ratios to each other that was tested.
fn row(
    outcome: &Outcome,
    tested: &Tested,
    shown: &[&Column],
    out: &mut String,
) -> std::fmt::Result {
    let (first, others) = tested.system.references.split_first().unwrap_or((&"", &[]));
    write!(out, "{:<16}", tested.system.name)?;
    for column in shown {
        let value = median(values(tested, column.load, column.read));
        if column.ratio {
            let ratio = ratio(outcome, tested, first, column.load);
            write!(out, "{:>7}{:>6}", digits(value, 1), digits(ratio, 2))?;
        } else {
            write!(out, "{:>6}", digits(value, 2))?;
        }
    }
    writeln!(out)?;
    let is_there = |name: &str| outcome.tested.iter().any(|it| it.system.name == name);
    for other in others.iter().filter(|name| is_there(name)) {
        write!(out, "{:<16}", format!("  to {other}"))?;
        for column in shown.iter().filter(|it| it.ratio) {
            write!(out, "{:>13}", digits(ratio(outcome, tested, other, column.load), 2))?;
        }
        writeln!(out)?;
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
    let ratios = tested.system.references.iter();
    let ratios: serde_json::Map<String, Value> = ratios
        .map(|name| ((*name).to_owned(), json!(ratio(outcome, tested, name, load.name))))
        .collect();
    json!({
        "unit": load.unit,
        "median": median(values(tested, load.name, value)),
        "ratios": ratios,
        "cpu_median": median(values(tested, load.name, cpu)),
        "loss_median": median(values(tested, load.name, |it| Some(it.loss))),
        "rounds": rounds,
    })
}

/// The median of the rounds' ratios to the system called `reference`: each round is compared with itself, so that what else the
/// machine did meanwhile falls out.
fn ratio(outcome: &Outcome, tested: &Tested, reference: &str, load: &str) -> Option<f64> {
    let mut systems = outcome.tested.iter();
    let reference = systems.find(|it| it.system.name == reference)?;
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
    setting("kernel/osrelease")
}

/// What new namespaces inherit.
fn congestion_control() -> String {
    setting("net/ipv4/tcp_congestion_control")
}

fn setting(name: &str) -> String {
    let text = fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap_or_default();
    text.trim().to_owned()
}
