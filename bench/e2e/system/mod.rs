//! What is compared: each system is one entry of [`ALL`], built anew for every round.
//!
//! A new peer is a file beside this one and a line in the list. It says what it lacks on this machine, if anything,
//! and builds itself between two new namespaces.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::process::Process;
use crate::room::Room;

pub(crate) mod bare_loop;
mod hosts;
mod iproute;
mod kernel;
mod kernel_vxlan;
mod openvswitch_vxlan;
mod tap;
mod tapswitch;
mod tapswitch_vxlan;

/// A way to join two namespaces.
pub(crate) struct System {
    /// As `--only` and the table name it.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// Names of the systems that its ratios refer to: the first in its own row of the table, each other in a row below.
    pub(crate) references: &'static [&'static str],
    /// Why it cannot run here, and what to do about it.
    pub(crate) missing: fn(&Surroundings) -> Option<String>,
    /// Builds it.
    pub(crate) build: fn(&Surroundings) -> Result<Running>,
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
    /// Whatever else must live as long.
    pub(crate) _rest: Box<dyn std::any::Any>,
}

impl Running {
    /// CPU time of all its processes so far. `None` where the kernel moves the frames.
    pub(crate) fn cpu(&self) -> Result<Option<Duration>> {
        let total = self.processes.iter().map(Process::cpu).sum::<Result<Duration>>()?;
        Ok((!self.processes.is_empty()).then_some(total))
    }

    /// The most memory that its processes ever held, in KiB, each for itself. `None` as for [`Running::cpu`].
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

/// Every system.
pub(crate) const ALL: &[System] = &[
    System {
        name: "loop",
        about: "bare TAP-to-TAP loop, a queue and a thread for each core: the limit",
        references: LOOP,
        missing: |_| None,
        build: |surroundings| bare_loop::build(surroundings, bare_loop::queues()),
    },
    System {
        name: "loop-1q",
        about: "the same with one queue and one thread",
        references: LOOP,
        missing: |_| None,
        build: |surroundings| bare_loop::build(surroundings, 1),
    },
    System {
        name: "tapswitch",
        about: "this switch, two ports of one bridge",
        references: LOOP,
        missing: tapswitch::missing,
        build: |surroundings| tapswitch::build(surroundings, &tapswitch::BRIDGED),
    },
    System {
        name: "tapswitch-1w",
        about: "the same with one worker",
        references: LOOP,
        missing: tapswitch::missing,
        build: |surroundings| tapswitch::build(surroundings, &tapswitch::ONE_WORKER),
    },
    System {
        name: "tapswitch-routed",
        about: "this switch, routing between two bridges",
        references: LOOP,
        missing: tapswitch::missing,
        build: |surroundings| tapswitch::build(surroundings, &tapswitch::ROUTED),
    },
    System {
        name: "tapswitch-nat",
        about: "this switch, masquerading out of a routed port",
        references: LOOP,
        missing: tapswitch::missing,
        build: |surroundings| tapswitch::build(surroundings, &tapswitch::MASQUERADED),
    },
    System {
        name: "tapswitch-plain",
        about: "this switch, bridged with offload = false",
        references: LOOP,
        missing: tapswitch::missing,
        build: |surroundings| tapswitch::build(surroundings, &tapswitch::PLAIN),
    },
    System {
        name: "kernel",
        about: "the kernel's bridge with two veth pairs",
        references: LOOP,
        missing: iproute::missing,
        build: |_| kernel::build(),
    },
    System {
        name: "vxlan",
        about: "this switch on two hosts, bridged through a VXLAN tunnel between them",
        references: &["vxlan-kernel", "vxlan-ovs"],
        missing: tapswitch_vxlan::missing,
        build: tapswitch_vxlan::build,
    },
    System {
        name: "vxlan-kernel",
        about: "the kernel's bridge and VXLAN device on the same two hosts",
        references: &["vxlan-kernel"],
        missing: iproute::missing,
        build: |_| kernel_vxlan::build(),
    },
    System {
        name: "vxlan-ovs",
        about: "Open vSwitch's userspace datapath on the same two hosts",
        references: &["vxlan-kernel"],
        missing: openvswitch_vxlan::missing,
        build: |_| openvswitch_vxlan::build(),
    },
];

/// What switches between TAP devices are measured by.
const LOOP: &[&str] = &["loop"];
