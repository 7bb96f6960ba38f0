//! What a port costs the daemon and the kernel: time to come up and to go down, and memory.
//!
//! Ports are made as labs have them, each in a new namespace that the daemon makes and names, or
//! all in the daemon's own namespace (`host = true`). Nobody talks on them, except that the far
//! kernels announce their IPv6 addresses.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use os::netns;

use crate::curve::{Curve, Panel, Target};
use crate::daemon::{Daemon, field};
use crate::interrupt;

/// Where the binary is, and the names of namespaces that are this run's. Dropping it removes those
/// that are left.
#[derive(Debug)]
pub(crate) struct Site {
    tapswitch: PathBuf,
}

impl Site {
    /// Checks that the binary is there and that this process may run it; sweeps what killed runs
    /// left.
    pub(crate) fn new(tapswitch: PathBuf) -> Result<Self> {
        let remedy = "build it with `cargo build --release`, or say where it is with --tapswitch";
        ensure!(tapswitch.is_file(), "{} is missing: {remedy}", tapswitch.display());
        os::privileges::check()?;
        let is_orphan = |owner: &str| !Path::new("/proc").join(owner).exists();
        sweep(|rest| rest.split('-').next().is_some_and(is_orphan))?;
        Ok(Self { tapswitch })
    }

    fn lab(kind: Kind, ports: u32) -> String {
        let mut lab = String::from("[bridge.br0]\n");
        for number in 0..ports {
            let place = match kind {
                Kind::Netns => format!("netns = \"{PREFIX}{}-{number}\"", process::id()),
                Kind::Host => format!("host = true\ndevice = \"p{number}\""),
            };
            // 10.99.0.1/16 and on; hosts end in 1 to 250.
            let (high, low) = (number / 250, number % 250 + 1);
            // Writing to a String cannot fail.
            let _ = write!(
                lab,
                "\n[port.p{number}]\nbridge = \"br0\"\n{place}\naddress = \"10.99.{high}.{low}/16\"\n"
            );
        }
        lab
    }

    fn measure(&self, kind: Kind, ports: u32) -> Result<Reading> {
        let before = settled_kernel_memory()?;
        let daemon = Daemon::start(&self.tapswitch, &Self::lab(kind, ports))?;
        let (up, memory) = (daemon.came_up_in, daemon.memory()?);
        let kernel = kernel_memory()?.saturating_sub(before);
        let down = daemon.end()?;
        Ok(Reading { up, down, memory, kernel })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let own = process::id().to_string();
        if let Err(error) = sweep(|rest| rest.split('-').next() == Some(own.as_str())) {
            eprintln!("growth: {error:#}");
        }
    }
}

#[derive(Copy, Clone)]
enum Kind {
    Netns,
    Host,
}

struct Reading {
    up: Duration,
    down: Duration,
    /// Of the daemon, in KiB.
    memory: u64,
    /// Of the kernel besides, in KiB.
    kernel: u64,
}

/// Times and memory a port, by ports. The daemon's memory is what it has beyond an empty lab's.
pub(crate) fn panels(site: &Site, quick: bool) -> Result<Vec<Panel>> {
    let mut times = panel("ms a port");
    let mut memory = panel("KiB a port");
    let kinds = [
        (Kind::Netns, ["netns up", "netns down", "netns daemon", "netns kernel"]),
        (Kind::Host, ["host up", "host down", "host daemon", "host kernel"]),
    ];
    for (kind, names) in kinds {
        let mut curves = names.map(Curve::new);
        let empty = site.measure(kind, 0)?.memory;
        for &ports in if quick { &STEPS[..QUICK] } else { &STEPS[..] } {
            interrupt::check()?;
            let reading = site.measure(kind, ports)?;
            report(&names, ports, &reading);
            let each = f64::from(ports);
            let millis = |time: Duration| time.as_secs_f64() * 1e3;
            let (up, down) = (millis(reading.up), millis(reading.down));
            let grown = reading.memory.saturating_sub(empty) as f64;
            let [ups, downs, daemons, kernels] = &mut curves;
            for (curve, cost) in [(ups, up), (downs, down), (kernels, reading.kernel as f64)] {
                curve.push(ports, cost / each);
            }
            if ports >= LEAST_IN_MEMORY {
                daemons.push(ports, grown / each);
            }
            if ports == MOST {
                let s = |millis: f64| millis / 1e3;
                let ours = if matches!(kind, Kind::Netns) { "netns" } else { "host" };
                times.targets.push(target(ours, "up, s", s(up), 20.0));
                memory.targets.push(target(ours, "MB", reading.memory as f64 / 1e3, 200.0));
            }
        }
        let [up, down, daemon, kernel] = curves;
        times.curves.extend([up, down]);
        memory.curves.extend([daemon, kernel]);
    }
    Ok(vec![times, memory])
}

fn target(kind: &str, what: &str, found: f64, most: f64) -> Target {
    Target { what: format!("{MOST} ports, {kind}, {what}"), found, most }
}

fn panel(unit: &'static str) -> Panel {
    Panel { unit, things: "ports", curves: Vec::new(), targets: Vec::new() }
}

fn report(names: &[&str; 4], ports: u32, reading: &Reading) {
    let [up, down, ..] = names;
    let (seconds_up, seconds_down) = (reading.up.as_secs_f64(), reading.down.as_secs_f64());
    let (daemon, kernel) = (reading.memory / 1024, reading.kernel / 1024);
    eprintln!(
        "{ports} ports: {up} {seconds_up:.2} s, {down} {seconds_down:.2} s, \
         daemon {daemon} MiB, kernel {kernel} MiB"
    );
}

/// The kernel's memory for its own objects, in KiB: slabs that it cannot give back, and what it
/// keeps for each processor. Of the whole machine, so others' changes are in it.
fn kernel_memory() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let fields = ["SUnreclaim:", "Percpu:"].map(|name| field(&text, name).unwrap_or(0));
    Ok(fields.iter().sum())
}

/// The same once it falls no more: the kernel takes namespaces apart after their last user has
/// gone.
fn settled_kernel_memory() -> Result<u64> {
    let deadline = Instant::now() + SETTLED_WITHIN;
    let mut last = kernel_memory()?;
    loop {
        interrupt::pause(PAUSE)?;
        let now = kernel_memory()?;
        if now + NOISE >= last || Instant::now() > deadline {
            return Ok(now);
        }
        last = now;
    }
}

/// Removes the namespaces of runs whose part of the name behind [`PREFIX`] says so.
fn sweep(is_ours: impl Fn(&str) -> bool) -> Result<()> {
    for name in netns::list()? {
        if name.strip_prefix(PREFIX).is_some_and(&is_ours) {
            netns::remove(&name)?;
        }
    }
    Ok(())
}

const PREFIX: &str = "tapswitch-growth-";
const MOST: u32 = 1_000;
const STEPS: [u32; 5] = [1, 10, 100, 300, MOST];
/// Below, a port takes less than what a daemon's memory varies by.
const LEAST_IN_MEMORY: u32 = 10;
const QUICK: usize = 3;
const SETTLED_WITHIN: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(300);
/// What other programs change meanwhile, in KiB.
const NOISE: u64 = 512;
