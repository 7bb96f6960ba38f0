//! Our switch beside a real Open vSwitch: random scenarios, the examples, and a planted fault that
//! must be found.
//!
//! Where Open vSwitch is not installed (Debian package openvswitch-switch) a test says so and
//! passes, except where the environment says `CI=true`: there it fails. No root is needed. The long
//! run is `tapswitch compare ovs --seeds 200`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use packet::{DropReason, Mac};
use tapswitch_compare::duel::fight;
use tapswitch_compare::ours::Ours;
use tapswitch_compare::ovs::Ovs;
use tapswitch_compare::scenario::{Scenario, Step};
use tapswitch_compare::side::{Copy, Counts, Forget, Known, Observed, Side};
use tapswitch_compare::{CompareError, Source, generate, run, smallest};

/// An Open vSwitch, or nothing and a line that says so.
fn open_vswitch() -> Option<Ovs> {
    match Ovs::start() {
        Ok(ovs) => Some(ovs),
        Err(error @ CompareError::Missing(_)) => {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{error}");
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn assert_equal(source: &Source) {
    let report = run(source, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.equal, "{:#?}", report.difference);
}

#[test]
fn random_scenarios_go_the_same_way_in_both() {
    if open_vswitch().is_some() {
        assert_equal(&Source::Random { seed: 1000, seeds: 20, frames: 200 });
    }
}

#[test]
fn the_examples_go_the_same_way_in_both() {
    if open_vswitch().is_none() {
        return;
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/compare");
    let files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        assert_equal(&Source::Scenario(file));
    }
}

#[test]
fn a_switch_that_sends_back_what_it_should_drop_is_found_in_one_step() {
    let Some(mut ovs) = open_vswitch() else { return };
    let found = find(&mut SendsBack::default(), &mut ovs);
    assert!(found.steps.len() <= 2, "{:?}", found.steps);
}

#[test]
fn a_switch_that_never_lets_a_station_move_is_found_in_few_steps() {
    let Some(mut ovs) = open_vswitch() else { return };
    let found = find(&mut NeverMoves::default(), &mut ovs);
    assert!((2..=5).contains(&found.steps.len()), "{:?}", found.steps);
}

/// The smallest scenario, of the first seed that shows a difference.
fn find(faulty: &mut dyn Side, ovs: &mut Ovs) -> Scenario {
    for seed in 1.. {
        let scenario = generate::scenario(seed, 300).unwrap();
        let outcome = fight(&scenario, faulty, ovs).unwrap();
        if let Some(divergence) = outcome.divergence {
            let found = smallest(&scenario, divergence.at + 1, faulty, ovs).unwrap();
            let again = fight(&found, faulty, ovs).unwrap();
            assert!(again.divergence.is_some(), "the smallest scenario still differs");
            let healthy = fight(&found, &mut Ours::default(), ovs).unwrap();
            assert!(healthy.divergence.is_none(), "it is the planted fault that was found");
            return found;
        }
    }
    unreachable!("seeds do not end")
}

/// Our switch with a planted fault: what was to be dropped as reflected goes back where it came
/// from.
#[derive(Default)]
struct SendsBack(Ours);

impl Side for SendsBack {
    fn begin(&mut self, scenario: &Scenario) -> Result<(), CompareError> {
        self.0.begin(scenario)
    }

    fn step(&mut self, step: &Step) -> Result<Observed, CompareError> {
        let mut observed = self.0.step(step)?;
        if observed.dropped == Some(DropReason::Reflected)
            && let Step::Frame { port, bytes } = step
        {
            let (port, bytes) = (port.clone(), bytes.clone());
            observed.egress.push(Copy { port, bytes });
        }
        Ok(observed)
    }

    fn counts(&mut self) -> Result<Counts, CompareError> {
        self.0.counts()
    }

    fn forget(&mut self, which: &Forget) -> Result<(), CompareError> {
        self.0.forget(which)
    }
}

/// Our switch with a planted fault in its learning: a station that is known elsewhere teaches
/// nothing.
#[derive(Default)]
struct NeverMoves {
    ours: Ours,
    known: Vec<Known>,
}

/// Whom the switch hears in place of a station that has moved.
const STRANGER: Mac = Mac([2, 0xee, 0, 0, 0, 0]);

impl NeverMoves {
    /// The frame as the faulty switch hears it, and whom it is really from.
    fn heard(&self, step: &Step) -> Option<(Step, Mac)> {
        let Step::Frame { port, bytes } = step else { return None };
        let source = Mac(*bytes.get(6..12)?.first_chunk::<6>()?);
        let mut places = self.known.iter().filter(|known| known.mac == source);
        places.find(|known| known.port != *port)?;
        let mut bytes = bytes.clone();
        bytes[6..12].copy_from_slice(&STRANGER.0);
        Some((Step::Frame { port: port.clone(), bytes }, source))
    }
}

impl Side for NeverMoves {
    fn begin(&mut self, scenario: &Scenario) -> Result<(), CompareError> {
        self.known.clear();
        self.ours.begin(scenario)
    }

    fn step(&mut self, step: &Step) -> Result<Observed, CompareError> {
        let mut observed = match self.heard(step) {
            None => self.ours.step(step)?,
            Some((changed, source)) => {
                let mut observed = self.ours.step(&changed)?;
                for copy in &mut observed.egress {
                    copy.bytes[6..12].copy_from_slice(&source.0);
                }
                observed
            }
        };
        let strangers = observed.stations.iter().filter(|known| known.mac == STRANGER);
        let strangers = strangers.map(|known| (known.vlan, known.mac)).collect();
        self.ours.forget(&Forget::Some(strangers))?;
        observed.stations.retain(|known| known.mac != STRANGER);
        self.known.clone_from(&observed.stations);
        Ok(observed)
    }

    fn counts(&mut self) -> Result<Counts, CompareError> {
        self.ours.counts()
    }

    fn forget(&mut self, which: &Forget) -> Result<(), CompareError> {
        self.known.clear();
        self.ours.forget(which)
    }
}
