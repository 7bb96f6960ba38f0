//! `tapswitch compare ovs`: the same ports and the same frames through our switch and through Open
//! vSwitch.
//!
//! Both clocks are virtual, so a scenario always goes the same way. The first difference that is
//! not in the catalogue of intended ones is made as small as it goes and told from both sides. No
//! device, no namespace and no privilege is needed; a system-wide Open vSwitch is not touched.
//!
//! In reading order: [`scenario`] with `file`, `capture` and [`generate`] (where scenarios come
//! from), [`side`] with [`ours`] and [`ovs`] (the two switches), [`duel`] (step by step),
//! [`catalogue`] with `situation` (what is meant to differ), [`shrink`], `explain`, [`report`].
#![forbid(unsafe_code)]

mod capture;
pub mod catalogue;
pub mod duel;
mod error;
mod explain;
mod file;
pub mod generate;
pub mod ours;
pub mod ovs;
mod random;
pub mod report;
pub mod scenario;
mod shrink;
pub mod side;
mod situation;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use error::CompareError;
pub use shrink::shrink;

use self::capture::Captured;
use self::duel::{Outcome, fight};
use self::ours::Ours;
use self::ovs::Ovs;
use self::report::{Difference, Report};
use self::scenario::Scenario;
use self::side::Side;
use labfile::Name;

/// Which scenarios are compared.
#[derive(Clone, Debug)]
pub enum Source {
    /// Drawn at random.
    Random {
        /// The first seed.
        seed: u64,
        /// How many seeds, one after the other.
        seeds: u64,
        /// Frames of each.
        frames: usize,
    },
    /// A scenario file.
    Scenario(PathBuf),
    /// A capture that comes in on one port.
    Capture {
        /// The capture.
        pcap: PathBuf,
        /// The port.
        port: String,
        /// A scenario or lab file with the ports; three ports of all VLANs (a, b, c) when left
        /// out.
        ports: Option<PathBuf>,
    },
}

/// Compares until everything was compared or a difference is found. `progress` hears how many
/// scenarios are done.
///
/// # Errors
/// The comparison could not be made; a difference is no error.
pub fn run(source: &Source, progress: &mut dyn FnMut(u64)) -> Result<Report, CompareError> {
    match source {
        Source::Random { seed, seeds, frames } => {
            let mut comparison = Comparison::start()?;
            for seed in *seed..seed.saturating_add(*seeds) {
                let scenario = generate::scenario(seed, *frames).map_err(|error| {
                    CompareError::Scenario { file: format!("seed {seed}"), error }
                })?;
                comparison.compare(&scenario, Some(seed))?;
                progress(comparison.report.scenarios);
                if !comparison.report.equal {
                    break;
                }
            }
            Ok(comparison.report)
        }
        Source::Scenario(path) => {
            let scenario = file::read(path)?;
            let mut comparison = Comparison::start()?;
            comparison.compare(&scenario, None)?;
            Ok(comparison.report)
        }
        Source::Capture { pcap, port, ports } => {
            let setup = setup(port, ports.as_ref())?;
            let Captured { steps, warnings, is_broken } = capture::steps(pcap, &setup.1)?;
            let mut comparison = Comparison::start()?;
            comparison.compare(&setup.0.with_steps(steps), None)?;
            Ok(Report { warnings, is_broken, ..comparison.report })
        }
    }
}

/// What a capture comes into, and the port.
fn setup(port: &str, ports: Option<&PathBuf>) -> Result<(Scenario, Name), CompareError> {
    let setup = match ports {
        Some(path) => file::read(path)?,
        None => file::parse(THREE_PORTS, "the default ports")?,
    };
    let name: Option<Name> = port.parse().ok().filter(|name| setup.membership(name).is_some());
    let name = name.ok_or_else(|| {
        let known: Vec<&str> = setup.ports().map(|(name, _)| name.as_str()).collect();
        CompareError::Port { port: port.to_owned(), known: known.join(", ") }
    })?;
    Ok((setup, name))
}

/// Both sides, and what was found until now.
struct Comparison {
    ours: Ours,
    ovs: Ovs,
    report: Report,
}

impl Comparison {
    fn start() -> Result<Self, CompareError> {
        let ovs = Ovs::start()?;
        let open_vswitch = ovs.version().to_owned();
        let report = Report { open_vswitch, equal: true, ..Report::default() };
        Ok(Self { ours: Ours::default(), ovs, report })
    }

    fn compare(&mut self, scenario: &Scenario, seed: Option<u64>) -> Result<(), CompareError> {
        let outcome = fight(scenario, &mut self.ours, &mut self.ovs);
        let outcome = outcome.map_err(|error| self.ovs.reason(error))?;
        let modes: BTreeMap<String, String> = scenario
            .ports()
            .map(|(name, member)| (name.to_string(), member.vlan_mode.to_string()))
            .collect();
        self.report.add(&outcome, scenario.steps.len(), &modes);
        if outcome.divergence.is_some() {
            self.report.equal = false;
            let difference = tell(scenario, &outcome, &mut self.ours, &mut self.ovs);
            let difference = difference.map_err(|error| self.ovs.reason(error))?;
            self.report.difference = difference.map(|told| Difference { seed, ..told });
        }
        Ok(())
    }
}

/// Makes a difference small, and tells it; none when it does not show again.
fn tell(
    scenario: &Scenario,
    outcome: &Outcome,
    ours: &mut Ours,
    ovs: &mut Ovs,
) -> Result<Option<Difference>, CompareError> {
    let Some(found_at) = outcome.divergence.as_ref().map(|found| found.at + 1) else {
        return Ok(None);
    };
    let smallest = smallest(scenario, found_at, ours, ovs)?;
    let Some(divergence) = fight(&smallest, ours, ovs)?.divergence else { return Ok(None) };
    Ok(Some(Difference {
        seed: None,
        found_at,
        what: divergence.what.name(),
        steps: smallest.steps.iter().map(ToString::to_string).collect(),
        ours: explain::ours(&smallest, &divergence),
        theirs: explain::theirs(&smallest, &divergence, ovs)?,
        scenario: file::write(&smallest),
    }))
}

/// The smallest scenario that both sides still take differently; `upto` steps were taken until they
/// did.
///
/// # Errors
/// A side broke off.
pub fn smallest(
    scenario: &Scenario,
    upto: usize,
    ours: &mut dyn Side,
    theirs: &mut dyn Side,
) -> Result<Scenario, CompareError> {
    shrink(scenario, upto, |candidate| Ok(fight(candidate, ours, theirs)?.divergence.is_some()))
}

const THREE_PORTS: &str = "\
[bridge.br0]
[port.a]
bridge = \"br0\"
[port.b]
bridge = \"br0\"
[port.c]
bridge = \"br0\"
";
