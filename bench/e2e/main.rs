//! `e2e`: this switch beside its peers, one command, as root.
//!
//! Each system joins two network namespaces; the same load goes from one to the other through each
//! of them in turn, round after round, so that what else the machine does strikes all of them
//! alike. Only the ratios within one run mean anything. Nothing is left behind: namespaces, devices
//! and processes go with the values that own them, also after an error, a panic or Ctrl-C.
//!
//! The code map, in reading order: `campaign` (the rounds), `system` (what is compared, one file
//! each), `load` (what is measured, one file each), `report` (tables,
//! targets, JSON, chart); below them `room` (a namespace), `process` (a child with
//! its CPU time), `interrupt` (Ctrl-C).

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod campaign;
mod interrupt;
mod load;
mod process;
mod report;
mod room;
mod system;

use system::bare_loop;

/// Compare this switch with its peers on this machine: throughput, packet rate, latency, CPU.
#[derive(Parser)]
#[command(
    name = "e2e",
    args_conflicts_with_subcommands = true,
    after_help = "Exit status: 0 all measured, 1 an error or a system that failed, \
                  2 a wrong command line, 130 interrupted."
)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    campaign: campaign::Options,
}

/// Roles that this program plays as its own child.
#[derive(Subcommand)]
enum Part {
    /// The bare loop between two TAP devices.
    #[command(name = "__loop", hide = true)]
    Loop(bare_loop::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.part {
        Some(Part::Loop(options)) => bare_loop::child(options),
        None => campaign::compare(&arguments.campaign),
    };
    interrupt::exit_code("e2e", result)
}
