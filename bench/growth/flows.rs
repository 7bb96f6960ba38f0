//! What a flow takes in memory: the resident set of a child process that holds so many, less that
//! of one that holds two.
//!
//! The resident set, and not the sum of allocations, because it is what a machine must have: room
//! that tables keep for growth counts once it has been touched.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use bench::work;

use crate::curve::{Curve, Panel, Target};
use crate::frames::{QUICK, STEPS};
use crate::interrupt;

/// Bytes a flow, by flows.
pub(crate) fn panel(quick: bool, myself: &Path) -> Result<Panel> {
    let least = resident(myself, 2)?;
    let mut curve = Curve::new("resident");
    let steps = if quick { &STEPS[..QUICK] } else { &STEPS[..] };
    // Below, pages of 4 KiB are more than the flows in them.
    for &flows in steps.iter().filter(|flows| **flows >= LEAST) {
        interrupt::check()?;
        let grown = resident(myself, flows)?.saturating_sub(least);
        let cost = grown as f64 * 1024.0 / f64::from(flows);
        eprintln!("{flows} flows: {grown} KiB more, {cost:.0} bytes each");
        curve.push(flows, cost);
    }
    let million = curve.at(1_000_000).map(|found| Target {
        what: "bytes for each of 1,000,000 flows".to_owned(),
        found,
        most: 256.0,
    });
    let targets = million.into_iter().collect();
    Ok(Panel { unit: "bytes a flow", things: "flows", curves: vec![curve], targets })
}

/// Opens `flows` flows and prints the process's resident set in KiB.
pub(crate) fn child(flows: u32) -> Result<()> {
    let rig = work::translated(flows);
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = line.and_then(|line| line.split_whitespace().next());
    println!("{}", resident.context("the kernel does not say how much memory this process has")?);
    drop(rig);
    Ok(())
}

fn resident(myself: &Path, flows: u32) -> Result<u64> {
    let mut command = Command::new(myself);
    command.arg("__flows").arg(flows.to_string()).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().context("cannot start a child that holds flows")?;
    ensure!(output.status.success(), "the child that holds {flows} flows failed");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("the child that holds {flows} flows said {text:?}"))
}

const LEAST: u32 = 1_000;
