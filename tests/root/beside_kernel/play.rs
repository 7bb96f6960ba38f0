//! Cases through both sides, and what differs.

use std::thread;

use nix::sched::sched_getaffinity;
use nix::unistd::Pid;

use super::decode::{Names, Row, rows};
use super::flows::Flow;
use super::script::Case;
use super::side::Side;
use super::wires::{Arrived, Wire};

/// What one side made of a case.
pub(crate) struct Played {
    /// By step and wire.
    steps: Vec<[Vec<Told>; 4]>,
    flows: Vec<Flow>,
}

/// A frame that arrived, as rows for comparing.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) arrived: Arrived,
    pub(crate) rows: Vec<Row>,
}

/// Where the two sides part.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) place: Place,
    /// What arrived there from ours and from the kernel.
    pub(crate) packets: [Vec<Told>; 2],
    /// The tables, where they differ.
    pub(crate) flows: [Vec<Flow>; 2],
}

/// Where in a case.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// What arrived on a wire behind a step, counted from 0.
    Wire(usize, Wire),
    /// The flows at the end.
    Flows,
}

/// Plays cases through both sides at once.
pub(crate) fn both(ours: &Side<'_>, kernel: &Side<'_>, cases: &[Case]) -> [Vec<Played>; 2] {
    let all = |side: &Side<'_>| {
        stay_on_one_processor();
        cases.iter().map(|case| play(side, case)).collect()
    };
    thread::scope(|scope| {
        let ours = scope.spawn(|| all(ours));
        let kernel = scope.spawn(|| all(kernel));
        [ours, kernel].map(|played| match played.join() {
            Ok(played) => played,
            Err(cause) => std::panic::resume_unwind(cause),
        })
    })
}

/// A kernel takes what two processors send in any order.
fn stay_on_one_processor() {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let mut all = 0..nix::sched::CpuSet::count();
    let first = all.find(|cpu| allowed.is_set(*cpu).unwrap_or(false)).unwrap();
    os::affinity::pin(first).unwrap();
}

fn play(side: &Side<'_>, case: &Case) -> Played {
    let mut names = Names::new(case.ports());
    let mut last: [Option<_>; 4] = Default::default();
    let mut steps = Vec::new();
    for (number, step) in case.steps.iter().enumerate() {
        let frames = step.frames(number, last[step.wire as usize].as_ref());
        let arrivals = side.wires.exchange(step.wire, &frames, step.patience);
        for (arrived, last) in arrivals.iter().zip(&mut last) {
            let packet = arrived.iter().rev().find_map(|arrived| arrived.packet().ok());
            *last = packet.or(last.take());
        }
        steps.push(arrivals.map(|arrived| {
            let told = |arrived: Arrived| Told { rows: rows(&arrived, &mut names), arrived };
            arrived.into_iter().map(told).collect()
        }));
    }
    Played { steps, flows: side.take_flows(&mut names) }
}

/// Everything that differs in one case.
pub(crate) fn differences(ours: &Played, kernel: &Played) -> Vec<Difference> {
    let mut found = Vec::new();
    for (number, (ours, kernel)) in ours.steps.iter().zip(&kernel.steps).enumerate() {
        for wire in Wire::ALL {
            let (ours, kernel) = (&ours[wire as usize], &kernel[wire as usize]);
            let rows = |told: &Told| told.rows.clone();
            if !ours.iter().map(rows).eq(kernel.iter().map(rows)) {
                found.push(Difference {
                    place: Place::Wire(number, wire),
                    packets: [ours.clone(), kernel.clone()],
                    flows: Default::default(),
                });
            }
        }
    }
    let pairs = || ours.flows.iter().zip(&kernel.flows);
    let equal = ours.flows.len() == kernel.flows.len()
        && pairs().all(|(ours, kernel)| {
            ours.text == kernel.text && ours.seconds.abs_diff(kernel.seconds) <= SLOWNESS
        });
    if !equal {
        found.push(Difference {
            place: Place::Flows,
            packets: Default::default(),
            flows: [ours.flows.clone(), kernel.flows.clone()],
        });
    }
    found
}

/// Seconds by which the two sides may have been apart in time, on a busy machine.
const SLOWNESS: u64 = 4;
