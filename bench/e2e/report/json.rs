//! The outcome for programs: every reading, every median, every target.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::figures::{self, cpu, loss, value};
use super::machine::{congestion_control, kernel, processors};
use super::targets::{self, Found, Target, Wanted};
use crate::campaign::{Outcome, Tested};
use crate::load::Load;

/// Writes it to a file, and says which when that fails.
pub(crate) fn write(outcome: &Outcome, path: &Path) -> Result<()> {
    let systems: Vec<Value> =
        outcome.tested.iter().map(|tested| of_system(outcome, tested)).collect();
    let left_out = outcome
        .left_out
        .iter()
        .flat_map(|(why, names)| names.iter().map(move |name| json!({ "name": name, "why": why })));
    let left_out: Vec<Value> = left_out.collect();
    let targets: Vec<Value> =
        targets::judge(outcome).map(|(it, found)| of_target(it, found)).collect();
    let document = json!({
        "rounds": outcome.rounds,
        "seconds": outcome.secs,
        "processors": processors(),
        "kernel": kernel(),
        "congestion_control": congestion_control(),
        "systems": systems,
        "targets": targets,
        "left_out": left_out,
        "failed": outcome.failed,
    });
    let text = format!("{document:#}\n");
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn of_system(outcome: &Outcome, tested: &Tested) -> Value {
    let loads = outcome.loads.iter().filter(|load| tested.loads.contains(&load.name));
    let loads: Map<String, Value> =
        loads.map(|load| (load.name.to_owned(), of_load(outcome, tested, load))).collect();
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
    let ratios = |figure| -> Map<String, Value> {
        let names = tested.system.references.iter();
        let ratio = |name: &&str| json!(figures::ratio(outcome, tested, name, load.name, figure));
        names.map(|name| ((*name).to_owned(), ratio(name))).collect()
    };
    json!({
        "unit": load.unit,
        "cpu_unit": load.cpu,
        "median": figures::of(tested, load.name, value),
        "ratios": ratios(value),
        "cpu_median": figures::of(tested, load.name, cpu),
        "cpu_ratios": ratios(cpu),
        "loss_median": figures::of(tested, load.name, loss),
        "rounds": rounds,
    })
}

fn of_target(target: &Target, found: Found) -> Value {
    let (bound, number) = match target.wanted {
        Wanted::AtLeast(number) => ("at least", number),
        Wanted::AtMost(number) => ("at most", number),
    };
    let (got, met, without, why) = match found {
        Found::Figure { got, met, without } => (Some(got), Some(met), without, None),
        Found::BeyondMachine(why) | Found::NotMeasured(why) => (None, None, Vec::new(), Some(why)),
    };
    json!({
        "what": target.what,
        "system": target.system,
        "load": target.load,
        "against": target.against,
        "bound": bound,
        "wanted": number,
        "got": got,
        "met": met,
        "without": without,
        "not_measured": why,
    })
}
