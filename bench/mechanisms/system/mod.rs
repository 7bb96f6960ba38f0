//! What is compared: each way to move frames is one entry of [`ALL`], as `e2e` lists systems.

#[path = "../../e2e/system/bare_loop.rs"]
pub(crate) mod bare_loop;
pub(crate) mod carry;
#[path = "../../e2e/system/running.rs"]
mod running;
#[path = "../../e2e/system/seats.rs"]
#[allow(dead_code, reason = "`e2e` seats more than two")]
pub(crate) mod seats;
#[path = "../../e2e/system/tap.rs"]
mod tap;
#[path = "../../e2e/system/tapswitch.rs"]
#[allow(dead_code, reason = "`e2e` measures further shapes")]
mod tapswitch;

pub(crate) use running::{FAR, NEAR, Running, Surroundings, System, WIDE};

/// Every way, and the switch with and without polling.
pub(crate) const ALL: &[System] = &[
    System {
        name: "loop",
        about: "epoll, then read into a buffer with headroom and write until empty",
        references: LOOP,
        seats: 2,
        loads: LOADS,
        missing: |_| None,
        build: |surroundings, _| bare_loop::build(surroundings, 1),
    },
    way(
        "vectored",
        "the same by readv and writev, the virtio header in a buffer of its own",
        |it, _| bare_loop::join(it, "__carry", "vectored"),
    ),
    way("napi", "`loop` on devices with IFF_NAPI", |it, _| bare_loop::join(it, "__carry", "napi")),
    way("napi-frags", "IFF_NAPI and IFF_NAPI_FRAGS, pages by writev", |it, _| {
        bare_loop::join(it, "__carry", "napi-frags")
    }),
    way("uring", "io_uring, single reads and writes submitted in batches", |it, _| {
        bare_loop::join(it, "__carry", "uring")
    }),
    way("uring-multi", "io_uring, read-multishot into provided buffers", |it, _| {
        bare_loop::join(it, "__carry", "uring-multi")
    }),
    way("busy-read", "no epoll: both queues are read over and over", |it, _| {
        bare_loop::join(it, "__carry", "busy-read")
    }),
    way("busy-epoll", "`loop` that never sleeps in epoll", |it, _| {
        bare_loop::join(it, "__carry", "busy-epoll")
    }),
    way("two-threads", "`loop`, a queue and a thread for each core", |it, _| {
        bare_loop::build(it, bare_loop::queues())
    }),
    way("two-pinned", "the same, each thread on a core of its own", |it, _| {
        bare_loop::join(it, "__carry", "pinned")
    }),
    System {
        name: "tapswitch",
        about: "this switch, two ports of one bridge",
        references: LOOP,
        seats: 2,
        loads: LOADS,
        missing: tapswitch::missing,
        build: |surroundings, _| tapswitch::build(surroundings, &tapswitch::BRIDGED, 2),
    },
    System {
        name: "tapswitch-poll",
        about: "the same with poll = \"200us\"",
        references: LOOP,
        seats: 2,
        loads: LOADS,
        missing: tapswitch::missing,
        build: |surroundings, _| tapswitch::build(surroundings, &tapswitch::POLLING, 2),
    },
];

const fn way(
    name: &'static str,
    about: &'static str,
    build: fn(&Surroundings, usize) -> anyhow::Result<Running>,
) -> System {
    System { name, about, references: LOOP, seats: 2, loads: LOADS, missing: |_| None, build }
}

/// What all are put to.
const LOADS: &[&str] = &["tcp1", "flood", "ping"];
/// What all are measured by.
const LOOP: &[&str] = &["loop"];
