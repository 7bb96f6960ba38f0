//! What is measured: each load is one entry of [`ALL`], run from the near room of a system to the far one.
//!
//! Sockets are opened inside the rooms and used by ordinary threads of this process. Every load lasts a while before
//! it counts, counts over a steady window, and ends by a deadline whatever happens.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::interrupt;
use crate::system::{FAR, Running};

mod ping;
mod tcp;
mod udp;

pub(crate) use ping::settle;

/// A kind of traffic and what is read off it.
pub(crate) struct Load {
    /// As `--work`, the table and the JSON name it.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// What [`Reading::value`] counts.
    pub(crate) unit: &'static str,
    /// Runs it.
    pub(crate) measure: fn(&Running, Trial) -> Result<Reading>,
}

/// One run of a load.
///
/// The kernel spreads flows over a device's queues by a hash of their addresses and ports, and how evenly it does
/// decides much. So the ports are chosen here: every system of a round gets the same ones (all systems use the same
/// addresses, too), and every round others.
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
    /// CPU time of the system's processes, in seconds a GB (10^9 bytes) for streams and in microseconds a packet for
    /// datagrams; a round trip is two packets. `None` where the kernel moves the frames.
    pub(crate) cpu: Option<f64>,
    /// The part of the datagrams that did not arrive; zero for streams.
    pub(crate) loss: f64,
}

/// Every load.
pub(crate) const ALL: &[Load] = &[
    Load {
        name: "tcp1",
        about: "one TCP stream, 128 KiB a write",
        unit: "Gb/s",
        measure: |running, trial| tcp::measure(running, 1, trial),
    },
    Load {
        name: "tcp4",
        about: "four TCP streams",
        unit: "Gb/s",
        measure: |running, trial| tcp::measure(running, 4, trial),
    },
    Load {
        name: "flood",
        about: "64-byte UDP frames as fast as one thread sends; those that arrive count",
        unit: "kpps",
        measure: |running, trial| udp::measure(running, udp::Pace::Flood, trial),
    },
    Load {
        name: "paced",
        about: "20,000 64-byte UDP frames a second: CPU and loss under an easy load",
        unit: "kpps",
        measure: |running, trial| udp::measure(running, udp::Pace::PerSecond(20_000), trial),
    },
    Load {
        name: "ping",
        about: "a 64-byte UDP frame there and back, one at a time, for a second: the median",
        unit: "us",
        measure: ping::measure,
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
