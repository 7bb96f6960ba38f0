//! iperf3 as a second opinion: one TCP stream, measured by somebody else's program.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Reading, Trial};
use crate::process::Process;
use crate::system::{FAR, Running};

/// Why it cannot run here.
pub(crate) fn missing() -> Option<String> {
    let version = Command::new("iperf3").arg("--version").output();
    version.is_err().then(|| "`iperf3` is missing: install the Debian package iperf3".into())
}

/// What its receiver counted, in Gb/s.
pub(super) fn measure(running: &Running, trial: Trial) -> Result<Reading> {
    let directory = tempfile::Builder::new().prefix("tapswitch-e2e-").tempdir()?;
    let report = directory.path().join("report.json");
    let (_, to) = trial.ends(0);
    let port = to.port().to_string();
    let mut server = Command::new("iperf3");
    server.args(["-s", "-p", &port, "--forceflush"]);
    let _server = running.far.run(|| Process::start("iperf3 -s", server, "Server listening"))??;
    let seconds = trial.span.as_secs().max(1).to_string();
    let mut client = Command::new("iperf3");
    client.args(["-J", "-O", "1", "-c", &FAR.to_string(), "-p", &port, "-t", &seconds]);
    client.stdout(Stdio::from(File::create(&report)?));
    let client = running.near.run(|| Process::spawn("iperf3 -c", client))??;
    client.finish(trial.span + LONGER)?;
    let document: Value = serde_json::from_str(&fs::read_to_string(&report)?)?;
    let bits = document.pointer("/end/sum_received/bits_per_second").and_then(Value::as_f64);
    let bits = bits.context("iperf3's report has no rate")?;
    Ok(Reading { value: bits / 1e9, cpu: None, loss: 0.0 })
}

/// Its first second, which does not count, and what it does before and after.
const LONGER: Duration = Duration::from_secs(8);
