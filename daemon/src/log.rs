//! Where the daemon's log goes: standard error, one line an event. Logging never ends, blocks or
//! slows anything.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::Duration;

use tracing::field::Field;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format;
use tracing_subscriber::prelude::*;

use labfile::printable;

mod lines;

use lines::Lines;

/// The log cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is no filter.
    #[error(
        "the log filter {filter:?} is wrong ({reason}): write error, warn, info, debug or trace"
    )]
    Filter {
        /// What was asked for.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The thread that writes it, or the descriptor that it writes to, cannot be had.
    #[error("the log cannot be started: {0}")]
    Process(io::Error),
}

impl LogError {
    /// Whether what was typed is at fault, and not the machine.
    pub const fn is_wrong_usage(&self) -> bool {
        matches!(self, Self::Filter { .. })
    }
}

/// Starts the log. `filter` is what was asked for, a level, or levels by target; without it
/// `RUST_LOG` is asked, and without that `otherwise` holds.
///
/// # Errors
/// See [`LogError`].
pub fn start(filter: Option<&str>, otherwise: &str) -> Result<(), LogError> {
    let from_environment = std::env::var("RUST_LOG").ok();
    let filter = filter.or(from_environment.as_deref()).unwrap_or(otherwise);
    let wrong = |reason: &dyn std::error::Error| LogError::Filter {
        filter: filter.to_owned(),
        reason: reason.to_string(),
    };
    let targets: Targets = filter.parse().map_err(|error| wrong(&error))?;
    // A word alone would be a target of which everything is logged, and of all others nothing.
    for word in filter.split(',').filter(|word| !word.contains('=')) {
        word.trim().parse::<LevelFilter>().map_err(|error| wrong(&error))?;
    }
    let lines = lines().map_err(LogError::Process)?;
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(lines.clone())
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .fmt_fields(format::debug_fn(one_line));
    // Fails when somebody in this process has a log already, which is then used.
    let _ = tracing_subscriber::registry().with(layer).with(targets).try_init();
    Ok(())
}

/// Says something on standard error as the last thing of all. Behind the log's lines if there is a
/// log, and then within a bounded time; a sentence that nobody hears is no failure.
pub fn last_words(sentence: &str) {
    match LINES.get() {
        Some(lines) => {
            lines.hand_over(format!("{}\n", printable::lines(sentence)).into_bytes());
            lines.flush(LAST);
        }
        None => drop(writeln!(io::stderr(), "{}", printable::lines(sentence))),
    }
}

/// Gives the lines that still wait a bounded time.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush(LAST);
    }
}

/// Says that something went wrong which must be heard whatever the filter is; whether there is a
/// log to say it in.
pub(crate) fn alarm(sentence: &str) -> bool {
    let lines = LINES.get();
    if let Some(lines) = lines {
        lines.say(tracing::Level::ERROR, &printable::lines(sentence));
    }
    lines.is_some()
}

/// The one queue of this process. Standard error's own lock would be held while a line is written.
fn lines() -> io::Result<&'static Lines> {
    if let Some(lines) = LINES.get() {
        return Ok(lines);
    }
    let descriptor = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let lines = Lines::to(descriptor)?;
    Ok(LINES.get_or_init(|| lines))
}

/// A field of an event, which may repeat what somebody else wrote.
fn one_line(writer: &mut format::Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    let text = printable::line(&text);
    match field.name() {
        "message" => write!(writer, "{text}"),
        name => write!(writer, "{name}={text}"),
    }
}

static LINES: OnceLock<Lines> = OnceLock::new();

/// How long lines may take that wait when the process ends.
const LAST: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_is_a_sentence() {
        for filter in ["a=b=c", "wran", "warn,tapswitch_daemon"] {
            let error = start(Some(filter), "info").unwrap_err().to_string();
            assert!(error.starts_with(&format!("the log filter {filter:?} is wrong (")), "{error}");
        }
    }
}
