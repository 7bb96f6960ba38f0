//! Where the daemon's log goes: standard error, one line an event.

use std::fmt;
use std::io::{self, IsTerminal};

use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format;

use crate::printable;

/// The filter is no filter.
#[derive(Debug, thiserror::Error)]
#[error("the log filter {filter:?} is wrong ({reason}): write error, warn, info, debug or trace")]
pub struct LogError {
    filter: String,
    reason: String,
}

/// Starts the log. `filter` is what was asked for, a level or tracing's directives; without it `RUST_LOG` is asked,
/// and without that `otherwise` holds.
///
/// # Errors
/// A filter that cannot be read.
pub fn start(filter: Option<&str>, otherwise: &str) -> Result<(), LogError> {
    let from_environment = std::env::var(EnvFilter::DEFAULT_ENV).ok();
    let filter = filter.or(from_environment.as_deref()).unwrap_or(otherwise);
    let wrong = |reason: &dyn std::error::Error| LogError {
        filter: filter.to_owned(),
        reason: reason.to_string(),
    };
    let directives = EnvFilter::try_new(filter).map_err(|error| wrong(&error))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(directives)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .fmt_fields(format::debug_fn(one_line));
    // Fails when somebody in this process has a log already, which is then used.
    let _ = subscriber.try_init();
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_is_a_sentence() {
        let error = start(Some("a=b=c"), "info").unwrap_err().to_string();
        assert!(error.starts_with("the log filter \"a=b=c\" is wrong ("), "{error}");
    }
}
