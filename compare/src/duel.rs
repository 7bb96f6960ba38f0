//! A scenario through both switches, step by step, up to the first difference that nobody intended.

use std::collections::BTreeMap;

use packet::Mac;

use super::catalogue::{self, Settlement};
use super::error::CompareError;
use super::scenario::{Scenario, Step};
use super::side::{Counts, Forget, Known, Observed, Side};
use super::situation::Situation;
use labfile::Name;

/// How a scenario went.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Frames by port: what came in, what left on our side, what left on theirs.
    pub frames: BTreeMap<Name, Traffic>,
    /// The forwarding tables at the end, ours and theirs.
    pub stations: [Vec<Known>; 2],
    /// The counts at the end, ours and theirs, since the last time that both began anew.
    pub counts: [Counts; 2],
    /// How often each intended difference was met, by its name in the catalogue.
    pub intended: BTreeMap<&'static str, u64>,
    /// The first difference that is not in the catalogue; there the scenario ended.
    pub divergence: Option<Divergence>,
}

/// Frames of one port.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Came in.
    pub came: u64,
    /// Left: on our side, on theirs.
    pub left: [u64; 2],
}

/// Where the two part.
#[derive(Clone, Debug)]
pub struct Divergence {
    /// The position of the step; that behind the last when only counts differ.
    pub at: usize,
    /// What differs.
    pub what: What,
    /// The forwarding table ahead of the step, the same on both sides.
    pub before: Vec<Known>,
    /// What our side did.
    pub ours: Observed,
    /// What theirs did.
    pub theirs: Observed,
    /// The counts, when they are what differs.
    pub counts: [Counts; 2],
}

/// What differs.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The frames that left.
    Egress,
    /// The forwarding table.
    Stations,
    /// The forwarding table's counts.
    Counts,
}

/// Puts a scenario through both.
///
/// # Errors
/// A side broke off.
pub fn fight(
    scenario: &Scenario,
    ours: &mut dyn Side,
    theirs: &mut dyn Side,
) -> Result<Outcome, CompareError> {
    ours.begin(scenario)?;
    theirs.begin(scenario)?;
    let mut duel = Duel { ours, theirs, outcome: Outcome::default(), base: <_>::default() };
    for (name, _) in scenario.ports() {
        duel.outcome.frames.insert(name.clone(), Traffic::default());
    }
    for (at, step) in scenario.steps.iter().enumerate() {
        duel.step(scenario, at, step)?;
        if duel.outcome.divergence.is_some() {
            duel.outcome.counts = duel.counts()?;
            return Ok(duel.outcome);
        }
    }
    duel.end(scenario.steps.len())?;
    Ok(duel.outcome)
}

struct Duel<'a> {
    ours: &'a mut dyn Side,
    theirs: &'a mut dyn Side,
    outcome: Outcome,
    /// The counts when both last began anew.
    base: [Counts; 2],
}

impl Duel<'_> {
    fn step(&mut self, scenario: &Scenario, at: usize, step: &Step) -> Result<(), CompareError> {
        let (ours, theirs) = (self.ours.step(step)?, self.theirs.step(step)?);
        self.tally(step, [&ours, &theirs]);
        let what = match () {
            () if ours.egress != theirs.egress => What::Egress,
            () if ours.stations != theirs.stations => What::Stations,
            () => {
                self.outcome.stations = [ours.stations, theirs.stations];
                return Ok(());
            }
        };
        let [before, _] = &self.outcome.stations;
        let situation = Situation { scenario, step, before, ours: &ours, theirs: &theirs };
        if let Some((met, settlement)) = catalogue::find(&situation) {
            for intended in met {
                *self.outcome.intended.entry(intended.name).or_default() += 1;
            }
            return self.settle(settlement, &ours);
        }
        let (before, counts) = (before.clone(), [Counts::default(); 2]);
        self.outcome.stations = [ours.stations.clone(), theirs.stations.clone()];
        self.outcome.divergence = Some(Divergence { at, what, before, ours, theirs, counts });
        Ok(())
    }

    fn tally(&mut self, step: &Step, sides: [&Observed; 2]) {
        if let Step::Frame { port, .. } = step
            && let Some(traffic) = self.outcome.frames.get_mut(port)
        {
            traffic.came += 1;
        }
        for (side, observed) in sides.into_iter().enumerate() {
            for copy in &observed.egress {
                let traffic = self.outcome.frames.get_mut(&copy.port);
                if let Some(left) = traffic.and_then(|traffic| traffic.left.get_mut(side)) {
                    *left += 1;
                }
            }
        }
    }

    /// Makes both sides equal again after a difference that is intended.
    fn settle(&mut self, settlement: Settlement, ours: &Observed) -> Result<(), CompareError> {
        match settlement {
            Settlement::Nothing => self.outcome.stations = [&ours.stations; 2].map(Clone::clone),
            Settlement::OursExpire(gone) => {
                let stations: Vec<Known> =
                    ours.stations.iter().filter(|known| !gone.contains(known)).cloned().collect();
                let named: Vec<(u16, Mac)> = gone.iter().map(|k| (k.vlan, k.mac)).collect();
                self.ours.forget(&Forget::Some(named))?;
                // Ours would have counted them a second later.
                let [base, _] = &mut self.base;
                base.expired = base.expired.wrapping_sub(gone.len() as u64);
                self.outcome.stations = [stations.clone(), stations];
            }
            Settlement::Afresh => {
                self.ours.forget(&Forget::All)?;
                self.theirs.forget(&Forget::All)?;
                self.base = [self.ours.counts()?, self.theirs.counts()?];
                let fixed = ours.stations.iter().filter(|known| known.age.is_none());
                let fixed: Vec<Known> = fixed.cloned().collect();
                self.outcome.stations = [fixed.clone(), fixed];
            }
        }
        Ok(())
    }

    /// The counts since both last began anew.
    fn counts(&mut self) -> Result<[Counts; 2], CompareError> {
        let [ours, theirs] = self.base;
        Ok([self.ours.counts()?.since(ours), self.theirs.counts()?.since(theirs)])
    }

    /// Compares the counts, when every step was equal.
    fn end(&mut self, steps: usize) -> Result<(), CompareError> {
        let counts = self.counts()?;
        self.outcome.counts = counts;
        let [ours, theirs] = counts;
        if ours != theirs {
            let [ours, theirs] = self.outcome.stations.clone();
            let observed = |stations| Observed { stations, ..Observed::default() };
            self.outcome.divergence = Some(Divergence {
                at: steps,
                what: What::Counts,
                before: ours.clone(),
                ours: observed(ours),
                theirs: observed(theirs),
                counts,
            });
        }
        Ok(())
    }
}
