//! `mechanisms`: ways to move frames between two TAP devices, measured against the one that the
//! switch uses.
//!
//! Each way is a loop that does nothing else, under the loads, the rounds and the report of `e2e`,
//! whose files this program shares; what is its own is the list of ways ([`system`]), the loops
//! (`system/carry/`), and the look-ups under two threads, which need no device ([`tables`]). What
//! came of it is in README.md, "Mechanisms tried".

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[path = "../e2e/campaign.rs"]
mod campaign;
#[path = "../e2e/interrupt.rs"]
mod interrupt;
#[path = "../e2e/load/mod.rs"]
mod load;
#[path = "../e2e/process.rs"]
mod process;
#[path = "../e2e/report/mod.rs"]
mod report;
#[path = "../e2e/room.rs"]
#[allow(dead_code, reason = "`e2e` asks rooms for more")]
mod room;
mod system;
mod tables;

use system::{bare_loop, carry};

/// Compare ways to move frames between two TAP devices, each with the plain loop of read and write
/// (needs root).
#[derive(Parser)]
#[command(
    name = "mechanisms",
    args_conflicts_with_subcommands = true,
    after_help = "Exit status: 0 all measured, 1 an error or a way that failed, \
                  2 a wrong command line, 130 interrupted."
)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    campaign: campaign::Options,
}

#[derive(Subcommand)]
enum Part {
    /// Look-ups of a forwarding table by two threads: one lock for a batch, a lock a frame, sharded
    /// tables
    Tables {
        /// Rounds; the table shows medians over them
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
        rounds: u32,
        /// Write every reading to this file, too
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// The bare loop between two TAP devices.
    #[command(name = "__loop", hide = true)]
    Loop(bare_loop::Options),
    /// Another loop between two TAP devices.
    #[command(name = "__carry", hide = true)]
    Carry(carry::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.part {
        Some(Part::Loop(options)) => bare_loop::child(options),
        Some(Part::Carry(options)) => carry::child(options),
        Some(Part::Tables { rounds, json }) => tables::compare(*rounds, json.as_deref()),
        None => campaign::compare(&arguments.campaign),
    };
    interrupt::exit_code("mechanisms", result)
}
