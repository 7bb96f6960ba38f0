//! What a comparison found, as the command line prints it and as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::catalogue::CATALOGUE;
use super::duel::{Outcome, What};
use super::side::{Counts, Known};

/// The whole result.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Open vSwitch's version.
    pub open_vswitch: String,
    /// Scenarios compared.
    pub scenarios: u64,
    /// Steps taken by each side.
    pub steps: u64,
    /// Whether no difference was found but intended ones.
    pub equal: bool,
    /// The ports of the scenario that is told in full.
    pub ports: Vec<PortRow>,
    /// Its forwarding tables, side by side.
    pub stations: Vec<StationRow>,
    /// What the forwarding tables counted, over all scenarios.
    pub counts: Vec<CountRow>,
    /// The intended differences that were met.
    pub intended: Vec<IntendedRow>,
    /// The first other difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
    /// What was wrong with the capture, a sentence each.
    pub warnings: Vec<String>,
    /// Whether it could not be read to its end.
    #[serde(skip)]
    pub is_broken: bool,
}

/// Frames of one port.
#[derive(Clone, Debug, Serialize)]
pub struct PortRow {
    /// The port.
    pub port: String,
    /// How it is plugged in.
    pub mode: String,
    /// Frames that came in.
    pub came: u64,
    /// Frames that left on our side.
    pub ours: u64,
    /// Frames that left on theirs.
    pub theirs: u64,
}

/// One station, as each side has it.
#[derive(Clone, Debug, Serialize)]
pub struct StationRow {
    /// Its VLAN; 0 for none.
    pub vlan: u16,
    /// Its address.
    pub mac: String,
    /// Where ours has it.
    pub ours: Option<Place>,
    /// Where theirs has it.
    pub theirs: Option<Place>,
}

/// Where a station is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The port.
    pub port: String,
    /// Seconds since it was heard; none when it is static.
    pub age: Option<u64>,
}

/// One count of the forwarding tables.
#[derive(Clone, Debug, Serialize)]
pub struct CountRow {
    /// What is counted.
    pub name: &'static str,
    /// On our side.
    pub ours: u64,
    /// On theirs.
    pub theirs: u64,
}

/// One intended difference, and how often it was met.
#[derive(Clone, Debug, Serialize)]
pub struct IntendedRow {
    /// Its name in the catalogue.
    pub name: &'static str,
    /// How often.
    pub times: u64,
    /// What each side does.
    pub what: &'static str,
    /// Why.
    pub why: &'static str,
}

/// A difference that nobody intended, made as small as it goes.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The seed that drew it, for a random scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Steps until it showed, before they were taken away.
    pub found_at: usize,
    /// What differs: "egress", "stations" or "counts".
    pub what: &'static str,
    /// The steps left; the last is the one that is taken differently.
    pub steps: Vec<String>,
    /// What our side did, and why.
    pub ours: Vec<String>,
    /// What theirs did, and why (`ofproto/trace`).
    pub theirs: Vec<String>,
    /// The smallest scenario, as a file.
    pub scenario: String,
}

impl What {
    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Stations => "stations",
            Self::Counts => "counts",
        }
    }
}

impl Report {
    /// Adds one scenario's result to the sums; the last one added is told in full.
    pub(super) fn add(
        &mut self,
        outcome: &Outcome,
        steps: usize,
        modes: &BTreeMap<String, String>,
    ) {
        self.scenarios += 1;
        self.steps += steps as u64;
        self.ports = outcome
            .frames
            .iter()
            .map(|(port, traffic)| {
                let [ours, theirs] = traffic.left;
                let mode = modes.get(port.as_str()).cloned().unwrap_or_default();
                PortRow { port: port.to_string(), mode, came: traffic.came, ours, theirs }
            })
            .collect();
        self.stations = stations(&outcome.stations);
        self.add_counts(outcome.counts);
        for intended in CATALOGUE {
            let times = outcome.intended.get(intended.name).copied().unwrap_or(0);
            match self.intended.iter_mut().find(|row| row.name == intended.name) {
                Some(row) => row.times += times,
                None if times == 0 => {}
                None => self.intended.push(IntendedRow {
                    name: intended.name,
                    times,
                    what: intended.what,
                    why: intended.why,
                }),
            }
        }
    }

    fn add_counts(&mut self, [ours, theirs]: [Counts; 2]) {
        for ((name, ours), (_, theirs)) in ours.named().into_iter().zip(theirs.named()) {
            match self.counts.iter_mut().find(|row| row.name == name) {
                Some(row) => {
                    row.ours += ours;
                    row.theirs += theirs;
                }
                None => self.counts.push(CountRow { name, ours, theirs }),
            }
        }
    }
}

/// Both tables, by VLAN and address.
fn stations([ours, theirs]: &[Vec<Known>; 2]) -> Vec<StationRow> {
    let mut rows: BTreeMap<(u16, String), [Option<Place>; 2]> = BTreeMap::new();
    for (side, table) in [ours, theirs].into_iter().enumerate() {
        for known in table {
            let row = rows.entry((known.vlan, known.mac.to_string())).or_default();
            if let Some(place) = row.get_mut(side) {
                *place = Some(Place { port: known.port.to_string(), age: known.age });
            }
        }
    }
    let rows = rows.into_iter();
    rows.map(|((vlan, mac), [ours, theirs])| StationRow { vlan, mac, ours, theirs }).collect()
}
