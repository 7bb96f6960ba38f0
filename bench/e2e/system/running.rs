//! A system as it is listed and as it runs, whatever it is made of.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::Process;
use crate::room::Room;

/// A way to join two namespaces.
pub(crate) struct System {
    /// As `--only` and the table name it.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// Names of the systems that its ratios refer to: the first in its own row of the table, each
    /// other in a row below.
    pub(crate) references: &'static [&'static str],
    /// How many rooms it can join at most; loads that need more pass it by.
    pub(crate) seats: usize,
    /// The loads of a run in which nobody chose: all for the main ones, for a variant those that
    /// tell it apart.
    pub(crate) loads: &'static [&'static str],
    /// Why it cannot run here, and what to do about it.
    pub(crate) missing: fn(&Surroundings) -> Option<String>,
    /// Builds it with so many rooms, two to [`System::seats`].
    pub(crate) build: fn(&Surroundings, usize) -> Result<Running>,
}

/// What systems need to know to build themselves.
pub(crate) struct Surroundings {
    /// Where the `tapswitch` binary is, or should be.
    pub(crate) tapswitch: PathBuf,
    /// This program, to run parts of it as children.
    pub(crate) myself: PathBuf,
}

/// A system that is up. Dropping it takes everything down, the processes ahead of the namespaces.
pub(crate) struct Running {
    /// The processes that move the frames; none where the kernel does.
    pub(crate) processes: Vec<Process>,
    /// Where the load comes from, at [`NEAR`].
    pub(crate) near: Room,
    /// Where it goes to, at [`FAR`].
    pub(crate) far: Room,
    /// Bystanders at further seats, at [`seats::address`] from 2 on.
    pub(crate) others: Vec<Room>,
    /// Whatever else must live as long.
    pub(crate) _rest: Box<dyn std::any::Any>,
}

impl Running {
    /// A system between rooms of which the first is the near one, the second the far one.
    pub(super) fn seated(
        processes: Vec<Process>,
        rooms: Vec<Room>,
        rest: impl std::any::Any,
    ) -> Result<Self> {
        let mut rooms = rooms.into_iter();
        let near = rooms.next().context("a system joins two rooms")?;
        let far = rooms.next().context("a system joins two rooms")?;
        Ok(Self { processes, near, far, others: rooms.collect(), _rest: Box::new(rest) })
    }

    /// CPU time of all its processes so far. `None` where the kernel moves the frames.
    pub(crate) fn cpu(&self) -> Result<Option<Duration>> {
        let total = self.processes.iter().map(Process::cpu).sum::<Result<Duration>>()?;
        Ok((!self.processes.is_empty()).then_some(total))
    }

    /// The most memory that its processes ever held, in KiB, each for itself. `None` as for
    /// [`Running::cpu`].
    pub(crate) fn peak_memory(&self) -> Result<Option<u64>> {
        let total = self.processes.iter().map(Process::peak_memory).sum::<Result<u64>>()?;
        Ok((!self.processes.is_empty()).then_some(total))
    }
}

/// The near room's address in every system, so that flows hash alike in all of them.
pub(crate) const NEAR: Ipv4Addr = Ipv4Addr::new(192, 168, 76, 2);
/// The far room's. Routed, each is in a /24 of its own; bridged, both are in one [`WIDE`].
pub(crate) const FAR: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 2);
/// Length of the prefix that holds both.
pub(crate) const WIDE: u8 = 23;
