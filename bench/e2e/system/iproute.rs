//! `ip`, with which peers are built as everybody builds them.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Surroundings;

/// Whether it is there.
pub(super) fn missing(_: &Surroundings) -> Option<String> {
    let version = Command::new("ip").arg("-V").output();
    version.is_err().then(|| "`ip` is missing: install the Debian package iproute2".into())
}

/// Runs `ip` with these arguments.
pub(super) fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("cannot run ip")?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`ip {}` failed: {}", arguments.join(" "), words.trim());
    Ok(())
}
