//! All that works without a machine. In reading order: [`listing`] (a switch's values as a listing
//! shows them), [`capture`] (capture files), [`record`] (how a record lies in its file, and its
//! reader), [`replay`] (captures and records through the switch), [`explain`] (what would become of
//! a frame, and why).

// Their macros panic when nobody reads: say it by `output` or the log.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]
#![forbid(unsafe_code)]

pub mod capture;
pub mod explain;
#[cfg(any(test, fuzzing))]
#[allow(clippy::expect_used)]
pub mod fuzz;
pub mod listing;
pub mod record;
pub mod replay;
