//! Is this a lab? From what was written to what it means, or every fault that was found.
//!
//! # Theory of operation
//!
//! Parts are checked from the ground up, because later ones refer to earlier ones: settings,
//! bridges, ports, tunnels, then the segments as a whole (subnets, addresses, devices, peers), then
//! static entries, routes, masquerade and publish. A part with a fault is left out of the lab, and
//! whoever refers to it stays silent: one mistake earns one sentence. What depends on all subnets
//! together (is this address reachable?) is asked only while no fault has been found.

mod attach;
mod bridge;
mod connected;
mod masquerade;
mod names;
mod port;
mod publish;
mod route;
mod segment;
mod settings;
mod shared;
mod statics;
mod tunnel;
mod underlay;
mod value;

use std::collections::BTreeMap;

use super::lab::Lab;
use super::place::Place;
use super::problem::{Fault, Problem, SOUGHT};
use super::recency::Recency;
use super::spec::LabSpec;

use connected::Connected;

/// The lab that `spec` means.
pub(super) fn lab(spec: &LabSpec, recency: Recency) -> Result<Lab, Vec<Problem>> {
    let mut findings = Findings { problems: Vec::new(), recency };
    emptiness(spec, &mut findings);
    sizes(spec, &mut findings);
    if !findings.is_empty() {
        return Err(findings.problems);
    }
    let mut lab = Lab { settings: settings::check(spec, &mut findings), ..Lab::default() };
    bridge::check(spec, &mut lab, &mut findings);
    port::check(spec, &mut lab, &mut findings);
    tunnel::check(spec, &mut lab, &mut findings);
    lab.derive_mtus(&BTreeMap::new());
    interfaces(&lab, &mut findings);
    if findings.is_full() {
        return Err(findings.problems);
    }
    shared::check(&lab, &mut findings);
    underlay::check(&lab, &mut findings);
    statics::check(spec, &mut lab, &mut findings);
    let connected = Connected::of(&lab);
    route::check(spec, &connected, &mut lab, &mut findings);
    masquerade::check(spec, &mut lab, &mut findings);
    publish::check(spec, &connected, &mut lab, &mut findings);
    if findings.is_empty() { Ok(lab) } else { Err(findings.problems) }
}

/// The faults found so far.
struct Findings {
    problems: Vec<Problem>,
    /// Whom to blame where two are in each other's way.
    recency: Recency,
}

impl Findings {
    fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether to stop looking: nobody reads more.
    fn is_full(&self) -> bool {
        self.problems.len() >= SOUGHT
    }

    fn refuse(&mut self, place: Place, wrong: impl Into<String>, remedy: impl Into<String>) {
        self.add(place, Fault::new(wrong, remedy));
    }

    fn add(&mut self, place: Place, fault: Fault) {
        if !self.is_full() {
            self.problems.push(Problem::new(place, fault));
        }
    }

    /// The value, or nothing and one fault more.
    fn keep<T>(&mut self, place: Place, found: Result<T, Fault>) -> Option<T> {
        found.map_err(|fault| self.add(place, fault)).ok()
    }

    /// An optional value: `Some(None)` when it is left out, `None` when it is wrong.
    fn keep_option<T>(
        &mut self,
        place: Place,
        found: Option<Result<T, Fault>>,
    ) -> Option<Option<T>> {
        match found {
            None => Some(None),
            Some(found) => self.keep(place, found).map(Some),
        }
    }

    /// Every value, or nothing when one of them is wrong.
    fn keep_all<T>(
        &mut self,
        place: &Place,
        found: impl IntoIterator<Item = Result<T, Fault>>,
    ) -> Option<Vec<T>> {
        let mut kept = Vec::new();
        let mut all = true;
        for (index, value) in found.into_iter().enumerate() {
            match self.keep(place.nth(index), value) {
                Some(value) => kept.push(value),
                None => all = false,
            }
        }
        all.then_some(kept)
    }
}

fn emptiness(spec: &LabSpec, findings: &mut Findings) {
    if spec.says_empty() && !spec.is_bare() {
        findings.refuse(
            Place::root().key("empty"),
            "`empty` is true, and the lab is not empty",
            "delete this key, or everything else",
        );
    }
}

fn sizes(spec: &LabSpec, findings: &mut Findings) {
    let counts = [
        ("bridge", spec.bridge.len(), MAX_BRIDGES),
        ("port", spec.port.len(), MAX_PORTS),
        ("tunnel", spec.tunnel.len(), MAX_TUNNELS),
        ("route", spec.route.len(), MAX_ROUTES),
        ("masquerade", spec.masquerade.len(), MAX_MASQUERADES),
        ("publish", spec.publish.len(), MAX_PUBLISHES),
    ];
    for (key, count, limit) in counts {
        if count > limit {
            findings.refuse(
                Place::root().key(key),
                format!("the lab has {count} of `{key}` and the limit is {limit}"),
                "split the lab over several switches",
            );
        }
    }
}

/// Bridges with thousands of VLANs each would pass the other limits.
fn interfaces(lab: &Lab, findings: &mut Findings) {
    let count = lab.interfaces().len();
    if count > MAX_INTERFACES {
        findings.refuse(
            Place::root().key("bridge"),
            format!(
                "the switch has addresses on {count} segments and the limit is {MAX_INTERFACES}"
            ),
            "split the lab over several switches",
        );
    }
}

/// Far above any lab on one host; together under 100 MiB of switch and plan.
const MAX_BRIDGES: usize = 1_024;
const MAX_PORTS: usize = 4_096;
const MAX_TUNNELS: usize = 1_024;
const MAX_INTERFACES: usize = 8_192;
const MAX_ROUTES: usize = 65_536;
const MAX_PUBLISHES: usize = 16_384;
/// A packet of a new flow tries them in order, and a plan compares two lists in the square of their
/// length.
const MAX_MASQUERADES: usize = 1_024;
