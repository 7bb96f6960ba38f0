//! The rounds: in each of them every load, and each load through every system in turn.
//!
//! A system is built for one reading and taken down after it, so only one is up at a time, and
//! systems that are compared with one another are measured within seconds of each other.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::builder::PossibleValuesParser;

use crate::interrupt;
use crate::load::{self, Load, Reading, Trial};
use crate::system::{self, Surroundings, System};
use crate::{report, room};

/// What to compare, and how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rounds; the table shows medians over them
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds that each load counts; ping, rate and idle take what they need
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=600))]
    secs: u32,
    /// Only these systems; named together with --work, each gets all those loads that it has ports
    /// for
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(system_names()))]
    only: Vec<String>,
    /// Only these loads
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(load_names()))]
    work: Vec<String>,
    /// The `tapswitch` binary [default: beside this program]
    #[arg(long, value_name = "PATH")]
    tapswitch: Option<PathBuf>,
    /// Measure a TCP stream with iperf3, too
    #[arg(long)]
    iperf3: bool,
    /// Write every reading to this file, too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Draw the ratios to this file, as SVG
    #[arg(long, value_name = "FILE")]
    pub(crate) chart: Option<PathBuf>,
}

/// All that was found out.
pub(crate) struct Outcome {
    /// Rounds made.
    pub(crate) rounds: u32,
    /// Seconds counted for each reading.
    pub(crate) secs: u32,
    /// The loads, in order.
    pub(crate) loads: Vec<&'static Load>,
    /// The systems, in order, with their readings.
    pub(crate) tested: Vec<Tested>,
    /// Why some systems cannot run here, and which.
    pub(crate) left_out: Vec<(String, Vec<&'static str>)>,
    /// Sentences about systems that failed.
    pub(crate) failed: Vec<String>,
}

/// One system's readings.
pub(crate) struct Tested {
    /// Which system.
    pub(crate) system: &'static System,
    /// What it is measured by, of the outcome's loads.
    pub(crate) loads: Vec<&'static str>,
    /// What was read, of which load, in which round.
    pub(crate) readings: Vec<(&'static Load, u32, Reading)>,
    /// The most memory its processes held in any round, in KiB.
    pub(crate) peak_memory: Option<u64>,
}

/// Measures, prints the tables and writes the files that were asked for.
pub(crate) fn compare(options: &Options) -> Result<()> {
    os::privileges::check()?;
    interrupt::listen()?;
    room::sweep()?;
    let outcome = run(options)?;
    print!("{}", report::summary(&outcome));
    if let Some(path) = &options.json {
        report::json::write(&outcome, path)?;
    }
    if let Some(path) = &options.chart {
        report::chart::write(&outcome, path)?;
    }
    ensure!(outcome.failed.is_empty(), "{} of the systems failed", outcome.failed.len());
    Ok(())
}

/// Runs all rounds. A system that fails is left out from there on; an interruption ends everything.
fn run(options: &Options) -> Result<Outcome> {
    let surroundings = surroundings(options)?;
    let mut outcome = plan(options, &surroundings);
    announce(&outcome);
    ensure!(!outcome.tested.is_empty(), "nothing is left to measure: see above what was left out");
    let span = Duration::from_secs(u64::from(options.secs));
    let mut alive: Vec<usize> = (0..outcome.tested.len()).collect();
    for round in 0..options.rounds {
        for (number, load) in outcome.loads.iter().enumerate() {
            if load.is_once && round > 0 {
                continue;
            }
            let trial = Trial::new(round, number, span);
            eprint!("round {}/{} {:<7}{:<5}", round + 1, options.rounds, load.name, load.unit);
            for index in alive.clone() {
                let tested = outcome.tested.get_mut(index);
                let Some(tested) = tested.filter(|it| it.loads.contains(&load.name)) else {
                    continue;
                };
                eprint!(" {}", tested.system.name);
                if let Err(error) = visit(tested, round, load, trial, &surroundings) {
                    eprintln!(" failed");
                    // Ctrl-C may have struck a child of ours, too: that is no failure of the
                    // system.
                    interrupt::check()?;
                    outcome.failed.push(format!("{} failed: {error:#}", tested.system.name));
                    alive.retain(|it| *it != index);
                }
            }
            eprintln!();
            // Whoever comes first finds the machine in another state: everybody comes first once in
            // a while.
            let (first, rest) = alive.split_at(alive.len().min(1));
            alive = [rest, first].concat();
        }
    }
    Ok(outcome)
}

fn plan(options: &Options, surroundings: &Surroundings) -> Outcome {
    let mut outcome = Outcome {
        rounds: options.rounds,
        secs: options.secs,
        loads: load::ALL.iter().filter(|load| is_wanted(options, load)).collect(),
        tested: Vec::new(),
        left_out: Vec::new(),
        failed: Vec::new(),
    };
    if let Some(why) = load::iperf::missing() {
        let count = outcome.loads.len();
        outcome.loads.retain(|load| load.name != IPERF);
        if outcome.loads.len() < count {
            leave_out(&mut outcome.left_out, IPERF, why);
        }
    }
    // Who names systems and loads wants just these; otherwise each system has its own list.
    let all = !options.only.is_empty() && !options.work.is_empty();
    for system in system::ALL.iter().filter(|system| is_named(system.name, &options.only)) {
        let loads = outcome.loads.iter().filter(|load| load.seats <= system.seats);
        let loads = loads.map(|load| load.name);
        let loads: Vec<_> = loads.filter(|name| all || system.loads.contains(name)).collect();
        if loads.is_empty() {
            // Nobody misses a variant in a run of everything.
            if !options.only.is_empty() {
                leave_out(&mut outcome.left_out, system.name, NO_LOAD.into());
            }
            continue;
        }
        match (system.missing)(surroundings) {
            Some(why) => leave_out(&mut outcome.left_out, system.name, why),
            None => outcome.tested.push(Tested {
                system,
                loads,
                readings: Vec::new(),
                peak_memory: None,
            }),
        }
    }
    outcome
}

fn is_wanted(options: &Options, load: &Load) -> bool {
    if load.name == IPERF && options.work.is_empty() {
        return options.iperf3;
    }
    is_named(load.name, &options.work) || (load.name == IPERF && options.iperf3)
}

/// An empty list names all.
fn is_named(name: &str, list: &[String]) -> bool {
    list.is_empty() || list.iter().any(|it| it == name)
}

fn leave_out(list: &mut Vec<(String, Vec<&'static str>)>, name: &'static str, why: String) {
    match list.iter_mut().find(|(known, _)| *known == why) {
        Some((_, names)) => names.push(name),
        None => list.push((why, vec![name])),
    }
}

/// Builds a system, runs a load through it, takes it down.
fn visit(
    tested: &mut Tested,
    round: u32,
    load: &'static Load,
    trial: Trial,
    surroundings: &Surroundings,
) -> Result<()> {
    let running = (tested.system.build)(surroundings, load.seats)?;
    load::settle(&running)?;
    let reading = (load.measure)(&running, trial).with_context(|| load.name)?;
    eprint!(" {:.1},", reading.value);
    tested.readings.push((load, round, reading));
    tested.peak_memory = tested.peak_memory.max(running.peak_memory()?);
    Ok(())
}

fn surroundings(options: &Options) -> Result<Surroundings> {
    let myself = env::current_exe().context("cannot tell where this program is")?;
    let beside = myself.with_file_name("tapswitch");
    Ok(Surroundings { tapswitch: options.tapswitch.clone().unwrap_or(beside), myself })
}

fn announce(outcome: &Outcome) {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0.0);
    if load > 0.5 {
        eprintln!("this machine is busy (load {load}): only large differences will mean anything");
    }
    for tested in &outcome.tested {
        eprintln!("{:<17} {}", tested.system.name, tested.system.about);
    }
    for (why, names) in &outcome.left_out {
        eprintln!("left out: {}\n          {why}", names.join(", "));
    }
    for load in &outcome.loads {
        eprintln!("{:<17} {}", load.name, load.about);
    }
}

fn system_names() -> impl Iterator<Item = &'static str> {
    system::ALL.iter().map(|system| system.name)
}

fn load_names() -> impl Iterator<Item = &'static str> {
    load::ALL.iter().map(|load| load.name)
}

const NO_LOAD: &str =
    "has too few ports for the loads, or they are not among those that it gets unasked";
/// The load that needs a program of somebody else's.
const IPERF: &str = "iperf3";
