//! What is measured: each load is one entry of [`ALL`], run from the near room of a system to the
//! far one.
//!
//! Sockets are opened inside the rooms and used by ordinary threads of this process. Every load
//! lasts a while before it counts, counts over a steady window, and ends by a deadline whatever
//! happens.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::interrupt;
use crate::system::{FAR, Running};

mod connections;
mod exchange;
mod idle;
pub(crate) mod iperf;
mod ping;
mod rate;
mod tcp;
mod udp;
mod victim;

pub(crate) use ping::settle;

/// A kind of traffic and what is read off it.
pub(crate) struct Load {
    /// As `--work`, the table and the JSON name it.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// What [`Reading::value`] counts.
    pub(crate) unit: &'static str,
    /// What [`Reading::cpu`] counts.
    pub(crate) cpu: &'static str,
    /// Whether less is better.
    pub(crate) is_better_low: bool,
    /// Whether the first round is enough: what it reads hardly varies.
    pub(crate) is_once: bool,
    /// Rooms that it needs.
    pub(crate) seats: usize,
    /// Runs it.
    pub(crate) measure: fn(&Running, Trial) -> Result<Reading>,
}

/// One run of a load.
///
/// The kernel spreads flows over a device's queues by a hash of their addresses and ports, and how
/// evenly it does decides much. So the ports are chosen here: every system of a round gets the same
/// ones (all systems use the same addresses, too), and every round others.
#[derive(Copy, Clone)]
pub(crate) struct Trial {
    /// How long to count.
    pub(crate) span: Duration,
    first_port: u16,
}

impl Trial {
    /// The trial of the `load`th load in a round.
    pub(crate) fn new(round: u32, load: usize, span: Duration) -> Self {
        let number = u64::from(round) * ALL.len() as u64 + load as u64;
        let first_port = FIRST_PORT + (number % TRIALS) as u16 * PORTS_EACH;
        Self { span, first_port }
    }

    /// Where the `flow`th flow comes from and goes to.
    fn ends(self, flow: u16) -> (SocketAddrV4, SocketAddrV4) {
        let port = self.first_port + flow % PORTS_EACH;
        (SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port), SocketAddrV4::new(FAR, port))
    }
}

/// What one run of a load showed.
pub(crate) struct Reading {
    /// In the load's unit.
    pub(crate) value: f64,
    /// CPU time of the system's processes, in the load's unit for it: a GB is 10^9 bytes, and a
    /// round trip is two packets. `None` where the kernel moves the frames, and where other
    /// traffic than what is counted went through.
    pub(crate) cpu: Option<f64>,
    /// The part of the datagrams, or of the connections, that did not make it; zero for streams.
    pub(crate) loss: f64,
}

/// Every load.
pub(crate) const ALL: &[Load] = &[
    Load {
        name: "tcp1",
        about: "one TCP stream, 128 KiB a write",
        unit: "Gb/s",
        cpu: "s/GB",
        is_better_low: false,
        is_once: false,
        seats: 2,
        measure: |running, trial| tcp::measure(running, 1, trial),
    },
    Load {
        name: "tcp4",
        about: "four TCP streams",
        unit: "Gb/s",
        cpu: "s/GB",
        is_better_low: false,
        is_once: false,
        seats: 2,
        measure: |running, trial| tcp::measure(running, 4, trial),
    },
    Load {
        name: "flood",
        about: "64-byte UDP frames as fast as one thread sends; those that arrive count",
        unit: "kpps",
        cpu: "us/packet",
        is_better_low: false,
        is_once: false,
        seats: 2,
        measure: |running, trial| udp::measure(running, udp::Pace::Flood, &udp::PAYLOAD, trial),
    },
    Load {
        name: "rate",
        about: "64-byte UDP frames of several flows: highest rate with under 0.1 % lost",
        unit: "kpps",
        cpu: "us/packet",
        is_better_low: false,
        is_once: false,
        seats: 2,
        measure: rate::measure,
    },
    Load {
        name: "paced",
        about: "20,000 64-byte UDP frames a second: CPU and loss under an easy load",
        unit: "kpps",
        cpu: "us/packet",
        is_better_low: false,
        is_once: false,
        seats: 2,
        measure: |running, trial| udp::measure(running, udp::EASY, &udp::PAYLOAD, trial),
    },
    Load {
        name: "mtu",
        about: "20,000 1400-byte UDP frames a second: CPU and loss for large ones",
        unit: "kpps",
        cpu: "us/packet",
        is_better_low: false,
        is_once: false,
        seats: 2,
        measure: |running, trial| udp::measure(running, udp::EASY, &udp::LARGE_PAYLOAD, trial),
    },
    Load {
        name: "ping",
        about: "a 64-byte UDP frame there and back, one at a time, for a second: the median",
        unit: "us",
        cpu: "us/packet",
        is_better_low: true,
        is_once: false,
        seats: 2,
        measure: ping::measure,
    },
    Load {
        name: "rr",
        about: "a byte there and a byte back on one TCP connection, one at a time",
        unit: "k/s",
        cpu: "us/packet",
        is_better_low: false,
        is_once: false,
        seats: 2,
        measure: exchange::measure,
    },
    Load {
        name: "conns",
        about: "new TCP connections, accepted, greeted with a byte and reset, four at a time",
        unit: "k/s",
        cpu: "us/connection",
        is_better_low: false,
        is_once: false,
        seats: 2,
        measure: connections::measure,
    },
    Load {
        name: "victim",
        about: "ping while another pair of ports is flooded",
        unit: "us",
        cpu: "",
        is_better_low: true,
        is_once: false,
        seats: 4,
        measure: victim::measure,
    },
    Load {
        name: "idle",
        about: "16 ports and nothing to do: peak memory, and CPU in % of one processor",
        unit: "MB",
        cpu: "%",
        is_better_low: true,
        is_once: true,
        seats: 16,
        measure: idle::measure,
    },
    Load {
        name: "iperf3",
        about: "one TCP stream by iperf3, a second opinion on tcp1 (with --iperf3)",
        unit: "Gb/s",
        cpu: "",
        is_better_low: false,
        is_once: false,
        seats: 2,
        measure: iperf::measure,
    },
];

/// A count over a steady window.
struct Steady {
    amount: u64,
    elapsed: Duration,
    cpu: Option<Duration>,
}

impl Steady {
    /// Lets a load that is running warm up, then counts what it moves during `span`.
    fn observe(running: &Running, span: Duration, count: impl Fn() -> u64) -> Result<Self> {
        interrupt::pause(WARM_UP)?;
        let (start, cpu_before, before) = (Instant::now(), running.cpu()?, count());
        interrupt::pause(span)?;
        let (amount, elapsed, cpu_after) = (count() - before, start.elapsed(), running.cpu()?);
        ensure!(amount > 0, "nothing arrived");
        let cpu = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        Ok(Self { amount, elapsed, cpu })
    }

    /// How much a second.
    fn rate(&self) -> f64 {
        self.amount as f64 / self.elapsed.as_secs_f64()
    }

    /// CPU seconds for one of what was counted.
    fn cpu_each(&self) -> Option<f64> {
        self.cpu.map(|cpu| cpu.as_secs_f64() / self.amount as f64)
    }
}

/// Tells threads to end. Ends them, too, when whoever started them fails.
#[derive(Default)]
struct Stop(AtomicBool);

impl Stop {
    fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Asks when the guard is dropped.
    fn at_end(&self) -> AtEnd<'_> {
        AtEnd(self)
    }
}

struct AtEnd<'a>(&'a Stop);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.ask();
    }
}

/// Below the ports that Linux chooses by itself, from 32768 on.
const FIRST_PORT: u16 = 10_000;
/// Flows of one trial, at most.
const PORTS_EACH: u16 = 8;
/// Trials until ports are used again, by which time their namespaces are long gone.
const TRIALS: u64 = 2_500;
/// Until TCP's window has grown and every table has learned.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long a socket call may block before its thread looks whether it should end.
const TURN: Duration = Duration::from_millis(100);
/// How long anything may take that takes milliseconds when it works.
const PATIENCE: Duration = Duration::from_secs(3);
