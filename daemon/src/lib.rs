//! Joins the switch to the machine: the lab file, the plan that makes a running switch match it,
//! and what executes it.
//!
//! In reading order: [`config`] (what a user writes), [`plan`] (from one lab to another, in lines
//! for people), [`dataplane`] (threads that move frames), [`engine`] (the running lab), [`api`] and
//! [`client`] (the two ends of the control socket), [`run`] (a daemon's life), [`demo`] (a lab that
//! proves itself), [`record`] (all that enters a running switch, in a file), [`capture`] (capture
//! files), [`replay`] (captures and records through the switch, without a machine), [`explain`]
//! (what would become of a frame, and why), [`compare`] (the switch beside Open vSwitch),
//! [`printable`] (text from outside, as it is shown).

// Their macros panic when nobody reads: say it by `output` or the log.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]
#![forbid(unsafe_code)]

pub mod api;
pub mod dataplane;
pub mod engine;
#[cfg(any(test, fuzzing))]
#[allow(clippy::expect_used)]
pub mod fuzz;
pub mod log;
mod panics;
pub mod record;
pub mod run;
