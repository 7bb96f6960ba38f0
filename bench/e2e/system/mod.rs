//! What is compared: each system is one entry of [`ALL`], built anew for every reading.
//!
//! A new peer is a file beside this one and a line in the list. It says what it lacks on this
//! machine, if anything, and builds itself between new namespaces.

pub(crate) mod bare_loop;
mod hosts;
mod iproute;
mod kernel;
mod kernel_nat;
mod kernel_vxlan;
mod openvswitch;
mod openvswitch_bridge;
mod openvswitch_vxlan;
mod running;
pub(crate) mod seats;
mod tap;
mod tapswitch;
mod tapswitch_vxlan;
mod vde;

use openvswitch_bridge::Ports;

pub(crate) use running::{FAR, NEAR, Running, Surroundings, System, WIDE};

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
        name: "tapswitch-poll",
        about: "the same with poll = \"200us\"",
        references: LOOP,
        seats: 2,
        loads: &["flood", "ping"],
        missing: tapswitch::missing,
        build: |surroundings, _| tapswitch::build(surroundings, &tapswitch::POLLING, 2),
    },
    System {
        name: "tapswitch-500",
        about: "this switch with 500 ports of one bridge, of which two have something to do",
        references: &["loop", "tapswitch"],
        seats: 2,
        loads: &["tcp1", "flood"],
        missing: tapswitch::missing,
        build: |surroundings, _| tapswitch::build_crowd(surroundings, 500),
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
