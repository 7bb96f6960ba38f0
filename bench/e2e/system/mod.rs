//! What is compared: each system is one entry of [`ALL`], built anew for every reading.
//!
//! A new peer is a file beside this one and a line in the list. It says what it lacks on this machine, if anything,
//! and builds itself between new namespaces.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::Process;
use crate::room::Room;

pub(crate) mod bare_loop;
mod hosts;
mod iproute;
mod kernel;
mod kernel_nat;
mod kernel_vxlan;
mod openvswitch;
mod openvswitch_bridge;
mod openvswitch_vxlan;
pub(crate) mod seats;
mod tap;
mod tapswitch;
mod tapswitch_vxlan;
mod vde;

use openvswitch_bridge::Ports;

/// A way to join two namespaces.
pub(crate) struct System {
    /// As `--only` and the table name it.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// Names of the systems that its ratios refer to: the first in its own row of the table, each other in a row below.
    pub(crate) references: &'static [&'static str],
    /// How many rooms it can join at most; loads that need more pass it by.
    pub(crate) seats: usize,
    /// The loads of a run in which nobody chose: all for the main ones, for a variant those that tell it apart.
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
    fn seated(processes: Vec<Process>, rooms: Vec<Room>, rest: impl std::any::Any) -> Result<Self> {
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
        seats: 2,
        loads: EVERY,
        missing: |_| None,
        build: |surroundings, _| bare_loop::build(surroundings, bare_loop::queues()),
    },
    System {
        name: "loop-1q",
        about: "the same with one queue and one thread",
        references: LOOP,
        seats: 2,
        loads: ONE_THREAD,
        missing: |_| None,
        build: |surroundings, _| bare_loop::build(surroundings, 1),
    },
    System {
        name: "tapswitch",
        about: "this switch, ports of one bridge",
        references: LOOP,
        seats: 16,
        loads: EVERY,
        missing: tapswitch::missing,
        build: |surroundings, seats| tapswitch::build(surroundings, &tapswitch::BRIDGED, seats),
    },
    System {
        name: "tapswitch-1w",
        about: "the same with one worker",
        references: LOOP,
        seats: 2,
        loads: ONE_THREAD,
        missing: tapswitch::missing,
        build: |surroundings, seats| tapswitch::build(surroundings, &tapswitch::ONE_WORKER, seats),
    },
    System {
        name: "tapswitch-routed",
        about: "this switch, routing between two bridges",
        references: LOOP,
        seats: 2,
        loads: STREAMS,
        missing: tapswitch::missing,
        build: |surroundings, seats| tapswitch::build(surroundings, &tapswitch::ROUTED, seats),
    },
    System {
        name: "tapswitch-nat",
        about: "this switch, masquerading out of a routed port",
        references: &["loop", "tapswitch", "kernel-nat"],
        seats: 2,
        loads: EVERY,
        missing: tapswitch::missing,
        build: |surroundings, seats| tapswitch::build(surroundings, &tapswitch::MASQUERADED, seats),
    },
    System {
        name: "tapswitch-plain",
        about: "this switch, bridged with offload = false",
        references: LOOP,
        seats: 2,
        loads: STREAMS,
        missing: tapswitch::missing,
        build: |surroundings, seats| tapswitch::build(surroundings, &tapswitch::PLAIN, seats),
    },
    System {
        name: "kernel",
        about: "the kernel's bridge with veth pairs",
        references: LOOP,
        seats: 4,
        loads: EVERY,
        missing: iproute::missing,
        build: |_, seats| kernel::build(seats),
    },
    System {
        name: "kernel-nat",
        about: "the kernel's bridge and nftables masquerade in a router of its own",
        references: LOOP,
        seats: 2,
        loads: EVERY,
        missing: kernel_nat::missing,
        build: |_, _| kernel_nat::build(),
    },
    System {
        name: "ovs",
        about: "Open vSwitch's userspace datapath with veth pairs, as it comes",
        references: LOOP,
        seats: 16,
        loads: EVERY,
        missing: openvswitch_bridge::missing,
        build: |_, seats| openvswitch_bridge::build(Ports::Plain, seats),
    },
    System {
        name: "ovs-tso",
        about: "the same with userspace-tso-enable: super-frames",
        references: LOOP,
        seats: 16,
        loads: EVERY,
        missing: openvswitch_bridge::missing,
        build: |_, seats| openvswitch_bridge::build(Ports::SuperFrames, seats),
    },
    System {
        name: "ovs-afxdp",
        about: "the same with AF_XDP ports",
        references: LOOP,
        seats: 4,
        loads: EVERY,
        missing: openvswitch_bridge::missing_afxdp,
        build: |_, seats| openvswitch_bridge::build(Ports::Afxdp, seats),
    },
    System {
        name: "vde",
        about: "VDE2: vde_switch with a vde_plug2tap for each port",
        references: LOOP,
        seats: 16,
        loads: EVERY,
        missing: vde::missing,
        build: |_, seats| vde::build(seats),
    },
    System {
        name: "vxlan",
        about: "this switch on two hosts, bridged through a VXLAN tunnel between them",
        references: &["vxlan-kernel", "vxlan-ovs"],
        seats: 2,
        loads: STREAMS,
        missing: tapswitch_vxlan::missing,
        build: |surroundings, _| tapswitch_vxlan::build(surroundings),
    },
    System {
        name: "vxlan-kernel",
        about: "the kernel's bridge and VXLAN device on the same two hosts",
        references: &["vxlan-kernel"],
        seats: 2,
        loads: STREAMS,
        missing: iproute::missing,
        build: |_, _| kernel_vxlan::build(),
    },
    System {
        name: "vxlan-ovs",
        about: "Open vSwitch's userspace datapath on the same two hosts",
        references: &["vxlan-kernel"],
        seats: 2,
        loads: STREAMS,
        missing: openvswitch::missing,
        build: |_, _| openvswitch_vxlan::build(),
    },
];

/// What switches between TAP devices are measured by.
const LOOP: &[&str] = &["loop"];
/// The loads of a system that is compared in everything that it can do.
const EVERY: &[&str] = &[
    "tcp1", "tcp4", "flood", "paced", "mtu", "rate", "ping", "rr", "conns", "victim", "idle",
    "iperf3",
];
/// What one thread in place of several changes.
const ONE_THREAD: &[&str] = &["tcp1", "flood", "rate"];
/// What a longer way or a lack of offload changes.
const STREAMS: &[&str] = &["tcp1", "tcp4", "flood", "ping"];
