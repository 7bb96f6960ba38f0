//! `tapswitch compare`

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use compare::catalogue::CATALOGUE;
use compare::{self, Source};
use serde_json::json;

use crate::failure::{Differs, Usage};
use crate::output;
use crate::render::compare as render;

#[derive(Debug, Subcommand)]
pub(crate) enum Compare {
    /// Put the same ports and frames through this switch and through a real Open vSwitch
    ///
    /// Starts a private ovs-vswitchd (Debian package openvswitch-switch) with its dummy datapath
    /// and a clock that stands until it is turned; needs neither root nor a running Open
    /// vSwitch, and touches none. The first difference that is not in the catalogue is made as
    /// small as it goes and told from both sides.
    #[command(after_help = AFTER)]
    Ovs(Ovs),
}

#[derive(Debug, Args)]
pub(crate) struct Ovs {
    /// A scenario: a lab file's tables for one bridge and its ports, and [[step]]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "seeds", "frames"])]
    scenario: Option<PathBuf>,
    /// A capture (pcap, pcapng, also in gzip) whose frames come in on one port; the ports are
    /// those of --scenario, or a, b and c
    #[arg(long, value_name = "FILE", requires = "port", conflicts_with_all = ["seed", "seeds", "frames"])]
    pcap: Option<PathBuf>,
    /// The port that the capture comes in on
    #[arg(long = "in", id = "port", value_name = "PORT", requires = "pcap")]
    port: Option<String>,
    /// Draw the scenario from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Draw this many scenarios, from numbers in a row
    #[arg(long, value_name = "N", default_value_t = 1)]
    seeds: u64,
    /// Frames of a drawn scenario
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    frames: u32,
    /// Print the intended differences with their reasons, and compare nothing
    #[arg(long)]
    catalogue: bool,
}

impl Compare {
    pub(crate) fn run(self, json: bool) -> Result<()> {
        let Self::Ovs(ovs) = self;
        if ovs.catalogue {
            return catalogue(json);
        }
        let source = ovs.source();
        let mut progress = Progress { of: ovs.seeds, shown: false };
        let report = compare::run(&source, &mut |done| progress.show(done));
        progress.clear();
        let report = report?;
        if json {
            output::json(&report)?
        } else {
            output::text(&render::report(&report))?
        }
        if report.is_broken {
            bail!(Usage(report.warnings.join("\ntapswitch: ")));
        }
        // JSON has them among its members.
        let warnings = report.warnings.iter().filter(|_| !json);
        warnings.for_each(|warning| output::aside(&format!("tapswitch: {warning}")));
        if report.equal { Ok(()) } else { Err(Differs.into()) }
    }
}

impl Ovs {
    fn source(&self) -> Source {
        match (&self.pcap, &self.port, &self.scenario) {
            (Some(pcap), Some(port), ports) => {
                Source::Capture { pcap: pcap.clone(), port: port.clone(), ports: ports.clone() }
            }
            (_, _, Some(scenario)) => Source::Scenario(scenario.clone()),
            _ => {
                Source::Random { seed: self.seed, seeds: self.seeds, frames: self.frames as usize }
            }
        }
    }
}

fn catalogue(json: bool) -> Result<()> {
    if !json {
        return output::text(&render::catalogue());
    }
    let entries: Vec<_> = CATALOGUE
        .iter()
        .map(|known| json!({ "name": known.name, "what": known.what, "why": known.why }))
        .collect();
    output::json(&entries)
}

/// How far a long comparison is, on a terminal only.
struct Progress {
    of: u64,
    shown: bool,
}

impl Progress {
    fn show(&mut self, done: u64) {
        let mut terminal = io::stderr();
        if self.of > 1 && terminal.is_terminal() {
            self.shown = true;
            // Nothing depends on whether it is seen.
            let _ = write!(terminal, "\r{done} of {} scenarios", self.of);
        }
    }

    fn clear(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

const AFTER: &str = "\
Examples:
  tapswitch compare ovs                                  500 random frames
  tapswitch compare ovs --seeds 200                      200 scenarios of them
  tapswitch compare ovs --scenario examples/compare/moves.toml
  tapswitch compare ovs --pcap trace.pcap --in a
  tapswitch compare ovs --catalogue                      what is meant to differ, and why

Exit codes:
  0  equal, but for intended differences
  1  different
  2  the comparison could not be made, or only of a part of the capture";
