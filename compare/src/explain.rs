//! A difference in words: what our side did with the step, and what theirs says of it.

use super::duel::{Divergence, What};
use super::error::CompareError;
use super::ovs::Ovs;
use super::scenario::{Outline, Scenario, Step, addresses};
use super::side::{Known, Observed, Side};

/// What our side did, and why.
pub(super) fn ours(scenario: &Scenario, divergence: &Divergence) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(Step::Frame { bytes, .. }) = scenario.steps.get(divergence.at)
        && let Some((to, from)) = addresses(bytes)
    {
        for (role, mac) in [("source", from), ("destination", to)] {
            let known = divergence.before.iter().filter(|known| known.mac == mac);
            let places: Vec<String> = known.map(place).collect();
            let places = match places.as_slice() {
                [] => "not known".to_owned(),
                some => format!("known {}", some.join(", ")),
            };
            lines.push(format!("{role} {mac}: {places}"));
        }
    }
    if let Some(reason) = divergence.ours.dropped {
        let sentence = reason.describe().trim();
        lines.push(format!("dropped as {reason}: {sentence}"));
    }
    lines.extend(effects(divergence, &divergence.ours, 0));
    lines
}

/// What theirs did, and what `ofproto/trace` says of it: the sequence is played again up to the
/// step.
pub(super) fn theirs(
    scenario: &Scenario,
    divergence: &Divergence,
    ovs: &mut Ovs,
) -> Result<Vec<String>, CompareError> {
    let mut lines = effects(divergence, &divergence.theirs, 1);
    if let Some(Step::Frame { port, bytes }) = scenario.steps.get(divergence.at)
        && addresses(bytes).is_some()
    {
        ovs.begin(scenario)?;
        for step in scenario.steps.iter().take(divergence.at) {
            ovs.step(step)?;
        }
        lines.extend(ovs.trace(port, bytes)?);
    }
    Ok(lines)
}

fn effects(divergence: &Divergence, observed: &Observed, side: usize) -> Vec<String> {
    let counts = divergence.counts.get(side).copied().unwrap_or_default();
    if divergence.what == What::Counts {
        return counts.named().iter().map(|(name, count)| format!("{name}: {count}")).collect();
    }
    let mut lines = Vec::new();
    for copy in &observed.egress {
        lines.push(format!("left on {}: {}", copy.port, Outline(&copy.bytes)));
    }
    if observed.egress.is_empty() {
        lines.push("nothing left".to_owned());
    }
    let gone = divergence.before.iter().filter(|known| !is_in(known, &observed.stations));
    lines.extend(gone.map(|known| format!("forgot {} {}", known.mac, place(known))));
    let new = observed.stations.iter().filter(|known| !is_in(known, &divergence.before));
    lines.extend(new.map(|known| format!("noted {} {}", known.mac, place(known))));
    lines
}

/// Whether a table has a station at the same place, heard whenever.
fn is_in(known: &Known, table: &[Known]) -> bool {
    let mut same = table.iter().filter(|other| (other.vlan, other.mac) == (known.vlan, known.mac));
    same.any(|other| other.port == known.port)
}

/// `behind a in VLAN 10 (3 s)`
fn place(known: &Known) -> String {
    let vlan = match known.vlan {
        0 => "without VLAN".to_owned(),
        vlan => format!("in VLAN {vlan}"),
    };
    let age = known.age.map_or_else(|| "static".to_owned(), |age| format!("{age} s"));
    format!("behind {} {vlan} ({age})", known.port)
}
