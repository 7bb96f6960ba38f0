//! What both switches are to the comparison: something that takes steps and lets itself be looked
//! at.

use packet::{DropReason, Mac};
use serde::Serialize;

use super::error::CompareError;
use super::scenario::{Scenario, Step};
use labfile::Name;

/// A switch under comparison.
pub trait Side {
    /// Becomes what a scenario sets up, with empty tables.
    ///
    /// # Errors
    /// It cannot; the comparison ends.
    fn begin(&mut self, scenario: &Scenario) -> Result<(), CompareError>;

    /// Takes a step and tells what came of it.
    ///
    /// # Errors
    /// It cannot; the comparison ends.
    fn step(&mut self, step: &Step) -> Result<Observed, CompareError>;

    /// Counts since the beginning.
    ///
    /// # Errors
    /// They cannot be read.
    fn counts(&mut self) -> Result<Counts, CompareError>;

    /// Forgets stations that were learned, those named or all, and has every static entry of the
    /// scenario again.
    ///
    /// # Errors
    /// It cannot; the comparison ends.
    fn forget(&mut self, which: &Forget) -> Result<(), CompareError>;
}

/// Which stations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forget {
    /// These.
    Some(Vec<(u16, Mac)>),
    /// All that were learned.
    All,
}

/// What a step did, in an order that does not depend on the switch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// What left, by port and bytes.
    pub egress: Vec<Copy>,
    /// The forwarding table afterwards, by VLAN and address.
    pub stations: Vec<Known>,
    /// Why the frame ended, where the switch says so (ours does).
    pub dropped: Option<DropReason>,
}

/// One frame that left on one port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Copy {
    /// The port.
    pub port: Name,
    /// All its bytes, without FCS.
    pub bytes: Vec<u8>,
}

/// One line of a forwarding table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// The VLAN; 0 for none. Open vSwitch has 4095 too.
    pub vlan: u16,
    /// The station.
    pub mac: Mac,
    /// Behind which port.
    pub port: Name,
    /// Whole seconds since it was heard; none when it is static.
    pub age: Option<u64>,
}

/// What a forwarding table counts.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Stations learned.
    pub learned: u64,
    /// Stations forgotten for silence.
    pub expired: u64,
    /// Stations forgotten for room.
    pub evicted: u64,
    /// Stations that changed port.
    pub moved: u64,
}

impl Counts {
    /// What was counted since `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            learned: self.learned.wrapping_sub(earlier.learned),
            expired: self.expired.wrapping_sub(earlier.expired),
            evicted: self.evicted.wrapping_sub(earlier.evicted),
            moved: self.moved.wrapping_sub(earlier.moved),
        }
    }

    /// The counts by name.
    pub const fn named(self) -> [(&'static str, u64); 4] {
        [
            ("learned", self.learned),
            ("expired", self.expired),
            ("evicted", self.evicted),
            ("moved", self.moved),
        ]
    }
}
