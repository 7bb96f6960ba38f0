//! Standard output: text or JSON, and a quiet end when its reader has gone.

use std::io::{self, ErrorKind, Write};

use anyhow::{Result, bail};
use control::message::Changes;
use daemon::log;
use labfile::printable;
use serde::Serialize;

/// Writes a text with one newline at its end; nothing for an empty one. `tapswitch show | head` is
/// no failure.
pub(crate) fn text(text: &str) -> Result<()> {
    let text = printable::lines(text.trim_end());
    if text.is_empty() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => bail!("standard output cannot be written: {error}"),
        Ok(()) => Ok(()),
    }
}

/// Writes a value as JSON for programs.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    text(&printable::json(&serde_json::to_string_pretty(value)?))
}

/// Says something beside the output, on standard error. That nobody hears it is no failure.
pub(crate) fn aside(line: &str) {
    log::last_words(line);
}

/// What a change did, a line a step.
pub(crate) fn changes(changes: &Changes) -> String {
    match changes.changes.as_slice() {
        [] => "no changes".to_owned(),
        lines => lines.iter().map(|line| printable::line(line)).collect::<Vec<_>>().join("\n"),
    }
}
