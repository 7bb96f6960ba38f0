//! The `tapswitch` command: reads what was typed, asks the daemon (or is it), and prints what comes
//! back.

// Their macros panic when nobody reads: say it by `output` or the log.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

mod args;
mod commands;
mod context;
mod dispatch;
mod failure;
mod output;
mod render;

use args::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    match dispatch::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
