//! What this switch is to reach, and whether a run shows it.
//!
//! Targets against peers are ratios, so a busy machine moves both sides; those of memory, idle CPU
//! and loss are plain numbers. A target against several peers is against the best of those that
//! were measured.

use super::figures::{self, Figure, cpu, loss, value};
use super::machine::processors;
use crate::campaign::Outcome;

/// One of them.
pub(super) struct Target {
    /// In words, for the table's first column.
    pub(super) what: &'static str,
    pub(super) system: &'static str,
    pub(super) load: &'static str,
    pub(super) figure: Figure,
    /// What the figure is divided by; where empty it stands for itself.
    pub(super) against: &'static [&'static str],
    pub(super) wanted: Wanted,
    /// Fewer processors than this cannot show it.
    pub(super) processors: usize,
}

/// The bound.
#[derive(Copy, Clone)]
pub(super) enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

/// What a run says about a target.
pub(super) enum Found {
    /// The figure, and the peers that it was not compared with.
    Figure { got: f64, met: bool, without: Vec<&'static str> },
    /// Why this machine cannot show it.
    BeyondMachine(String),
    /// What of this run it would have needed.
    NotMeasured(String),
}

/// Every target, with what this run says about it.
pub(super) fn judge(outcome: &Outcome) -> impl Iterator<Item = (&'static Target, Found)> {
    ALL.iter().map(|target| (target, target.judge(outcome)))
}

impl Target {
    fn judge(&self, outcome: &Outcome) -> Found {
        if processors() < self.processors {
            return Found::BeyondMachine(format!("needs {} processors", self.processors));
        }
        let Some(tested) = figures::find(outcome, self.system) else {
            return Found::NotMeasured(format!("{} was not measured", self.system));
        };
        if self.against.is_empty() {
            let got = figures::of(tested, self.load, self.figure);
            return got.map_or_else(|| self.unmeasured(), |got| self.found(got, Vec::new()));
        }
        let (mut ratios, mut without) = (Vec::new(), Vec::new());
        for peer in self.against {
            match figures::ratio(outcome, tested, peer, self.load, self.figure) {
                Some(ratio) => ratios.push(ratio),
                None => without.push(*peer),
            }
        }
        let hardest = match self.wanted {
            Wanted::AtLeast(_) => ratios.into_iter().min_by(f64::total_cmp),
            Wanted::AtMost(_) => ratios.into_iter().max_by(f64::total_cmp),
        };
        hardest.map_or_else(|| self.unmeasured(), |got| self.found(got, without))
    }

    fn found(&self, got: f64, without: Vec<&'static str>) -> Found {
        let met = match self.wanted {
            Wanted::AtLeast(wanted) => got >= wanted,
            Wanted::AtMost(wanted) => got <= wanted,
        };
        Found::Figure { got, met, without }
    }

    fn unmeasured(&self) -> Found {
        let sides = [&[self.system], self.against].concat();
        Found::NotMeasured(format!("needs `{}` of {}", self.load, sides.join(", ")))
    }
}

/// All of them, as README.md explains.
const ALL: &[Target] = &[
    Target {
        what: "1 stream, of the bare loop",
        system: "tapswitch",
        load: "tcp1",
        figure: value,
        against: &["loop"],
        wanted: Wanted::AtLeast(0.97),
        processors: 1,
    },
    Target {
        what: "1 stream, of OVS with TSO",
        system: "tapswitch",
        load: "tcp1",
        figure: value,
        against: &["ovs-tso"],
        wanted: Wanted::AtLeast(1.0),
        processors: 1,
    },
    Target {
        what: "1 stream, of OVS",
        system: "tapswitch",
        load: "tcp1",
        figure: value,
        against: &["ovs"],
        wanted: Wanted::AtLeast(6.0),
        processors: 1,
    },
    Target {
        what: "1 stream, of VDE2",
        system: "tapswitch",
        load: "tcp1",
        figure: value,
        against: &["vde"],
        wanted: Wanted::AtLeast(6.0),
        processors: 1,
    },
    Target {
        what: "4 streams, of the bare loop",
        system: "tapswitch",
        load: "tcp4",
        figure: value,
        against: &["loop"],
        wanted: Wanted::AtLeast(0.95),
        processors: 1,
    },
    Target {
        what: "4 streams, of OVS with TSO",
        system: "tapswitch",
        load: "tcp4",
        figure: value,
        against: &["ovs-tso"],
        wanted: Wanted::AtLeast(1.3),
        processors: 1,
    },
    Target {
        what: "1 stream masqueraded, of bridged",
        system: "tapswitch-nat",
        load: "tcp1",
        figure: value,
        against: &["tapswitch"],
        wanted: Wanted::AtLeast(0.95),
        processors: 1,
    },
    Target {
        what: "1 stream masqueraded, of the kernel",
        system: "tapswitch-nat",
        load: "tcp1",
        figure: value,
        against: &["kernel-nat"],
        wanted: Wanted::AtLeast(0.6),
        processors: 1,
    },
    Target {
        what: "CPU a flooded frame, of the bare loop",
        system: "tapswitch",
        load: "flood",
        figure: cpu,
        against: &["loop"],
        wanted: Wanted::AtMost(1.10),
        processors: 1,
    },
    Target {
        what: "CPU a flooded frame, of OVS's best",
        system: "tapswitch",
        load: "flood",
        figure: cpu,
        against: OVS,
        wanted: Wanted::AtMost(0.6),
        processors: 1,
    },
    Target {
        what: "CPU a masqueraded one, of the loop",
        system: "tapswitch-nat",
        load: "flood",
        figure: cpu,
        against: &["loop"],
        wanted: Wanted::AtMost(1.20),
        processors: 1,
    },
    Target {
        what: "64 B rate, of the best userspace peer",
        system: "tapswitch",
        load: "rate",
        figure: value,
        against: USERSPACE,
        wanted: Wanted::AtLeast(1.0),
        processors: 1,
    },
    Target {
        what: "64 B rate, of one worker's",
        system: "tapswitch",
        load: "rate",
        figure: value,
        against: &["tapswitch-1w"],
        wanted: Wanted::AtLeast(1.6),
        processors: 6,
    },
    Target {
        what: "1 stream with 500 ports, of 2 ports'",
        system: "tapswitch-500",
        load: "tcp1",
        figure: value,
        against: &["tapswitch"],
        wanted: Wanted::AtLeast(0.9),
        processors: 1,
    },
    Target {
        what: "flood with 500 ports, of 2 ports'",
        system: "tapswitch-500",
        load: "flood",
        figure: value,
        against: &["tapswitch"],
        wanted: Wanted::AtLeast(0.9),
        processors: 1,
    },
    Target {
        what: "ping, of the bare loop",
        system: "tapswitch",
        load: "ping",
        figure: value,
        against: &["loop"],
        wanted: Wanted::AtMost(1.05),
        processors: 1,
    },
    Target {
        what: "ping with polling, of the bare loop",
        system: "tapswitch-poll",
        load: "ping",
        figure: value,
        against: &["loop"],
        wanted: Wanted::AtMost(0.8),
        processors: 1,
    },
    Target {
        what: "new connections by NAT, of the kernel",
        system: "tapswitch-nat",
        load: "conns",
        figure: value,
        against: &["kernel-nat"],
        wanted: Wanted::AtLeast(0.5),
        processors: 1,
    },
    Target {
        what: "idle with 16 ports, MB",
        system: "tapswitch",
        load: "idle",
        figure: value,
        against: &[],
        wanted: Wanted::AtMost(40.0),
        processors: 1,
    },
    Target {
        what: "idle with 16 ports, % of a CPU",
        system: "tapswitch",
        load: "idle",
        figure: cpu,
        against: &[],
        wanted: Wanted::AtMost(0.5),
        processors: 1,
    },
    Target {
        what: "ping lost beside a flood, part",
        system: "tapswitch",
        load: "victim",
        figure: loss,
        against: &[],
        wanted: Wanted::AtMost(0.01),
        processors: 1,
    },
    Target {
        what: "ping beside a flood, of the best peer",
        system: "tapswitch",
        load: "victim",
        figure: value,
        against: USERSPACE,
        wanted: Wanted::AtMost(1.0),
        processors: 1,
    },
    Target {
        what: "VXLAN, 1 stream, of the kernel",
        system: "vxlan",
        load: "tcp1",
        figure: value,
        against: &["vxlan-kernel"],
        wanted: Wanted::AtLeast(0.5),
        processors: 1,
    },
    Target {
        what: "VXLAN, 1 stream, of OVS",
        system: "vxlan",
        load: "tcp1",
        figure: value,
        against: &["vxlan-ovs"],
        wanted: Wanted::AtLeast(10.0),
        processors: 1,
    },
];

/// Open vSwitch in all its ways.
const OVS: &[&str] = &["ovs", "ovs-tso", "ovs-afxdp"];
/// Every other switch that moves frames in a process of its own.
const USERSPACE: &[&str] = &["ovs", "ovs-tso", "ovs-afxdp", "vde"];
