//! `growth`: how cost grows with stations, flows and ports, so that a step that is more than linear
//! is seen.
//!
//! Every figure is a cost for one thing (a frame, a flow, a port) beside how many things there are:
//! where cost is linear the figure stays, and where it is not the figure rises from decade to
//! decade. Namespaces and the daemon go with the values that own them, also after an error, a panic
//! or Ctrl-C.
//!
//! The code map: `curve` (figures and their growth), `frames`, `flows` and `changes` (the pure
//! switch), `ports` and `daemon` (the real one, as root), `report` (table and JSON), `chart` (SVG).

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};

mod changes;
mod chart;
mod curve;
mod daemon;
mod flows;
mod frames;
#[path = "../e2e/interrupt.rs"]
mod interrupt;
mod ports;
mod report;

use curve::Panel;

/// Measure how cost grows: a frame's with stations and flows, a flow's memory, a change's with its
/// routes, interfaces and flows, a port's set-up, memory and end.
#[derive(Parser)]
#[command(
    name = "growth",
    args_conflicts_with_subcommands = true,
    after_help = "Exit status: 0 all measured, whatever was found; 1 an error; 2 a wrong command line; \
                  130 interrupted."
)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    options: Options,
}

#[derive(clap::Args)]
struct Options {
    /// Fewer and smaller steps, shorter turns: under a minute
    #[arg(long)]
    quick: bool,
    /// Only these parts
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(PARTS))]
    only: Vec<String>,
    /// Write growth.json and growth.svg to this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The `tapswitch` binary, for ports [default: beside this program]
    #[arg(long, value_name = "PATH")]
    tapswitch: Option<PathBuf>,
}

/// Roles that this program plays as its own child.
#[derive(Subcommand)]
enum Part {
    /// Holds this many flows and says how much memory that takes.
    #[command(name = "__flows", hide = true)]
    Flows { flows: u32 },
}

const PARTS: [&str; 5] = ["changes", "fdb", "flows", "memory", "ports"];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.part {
        Some(Part::Flows { flows }) => flows::child(flows),
        None => run(&arguments.options),
    };
    interrupt::exit_code("growth", result)
}

fn run(options: &Options) -> Result<()> {
    let wanted = |part: &str| options.only.is_empty() || options.only.iter().any(|it| it == part);
    let myself = env::current_exe().context("cannot tell where this program is")?;
    let ports = match wanted("ports") {
        true => {
            let path = options.tapswitch.clone();
            let path = path.unwrap_or_else(|| myself.with_file_name("tapswitch"));
            Some(ports::Site::new(path)?)
        }
        false => None,
    };
    if let Some(directory) = &options.out {
        let made = fs::create_dir_all(directory);
        made.with_context(|| format!("cannot make {}", directory.display()))?;
    }
    interrupt::listen()?;
    let mut panels = vec![frames::panel(options.quick, wanted("fdb"), wanted("flows"))?];
    if wanted("memory") {
        panels.push(flows::panel(options.quick, &myself)?);
    }
    if wanted("changes") {
        panels.push(changes::panel(options.quick)?);
    }
    if let Some(site) = ports {
        panels.extend(ports::panels(&site, options.quick)?);
    }
    panels.retain(|panel| !panel.curves.is_empty());
    conclude(options, &panels)
}

fn conclude(options: &Options, panels: &[Panel]) -> Result<()> {
    print!("{}", report::text(panels));
    let Some(directory) = &options.out else { return Ok(()) };
    for (name, text) in [("growth.json", report::json(panels)), ("growth.svg", chart::svg(panels))]
    {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
