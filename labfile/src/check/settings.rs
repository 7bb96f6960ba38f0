//! `[switch]`: limits and timers.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Findings, value};
use crate::lab::settings::{Settings, Timeouts, Timers};
use crate::lab::threads::{NotAPoll, Poll};
use crate::place::Place;
use crate::problem::{Fault, quoted};
use crate::spec::{LabSpec, TimeoutsSpec};

/// The settings as far as they are legal, the defaults elsewhere.
pub(super) fn check(spec: &LabSpec, findings: &mut Findings) -> Settings {
    let mut settings = Settings::default();
    let Some(written) = &spec.switch else {
        return settings;
    };
    let place = Place::root().key("switch");
    if let Some(workers) = written.workers {
        let number = value::number::<u16>("workers", workers, 1..=64);
        settings.workers = findings.keep(place.key("workers"), number).and_then(NonZeroU16::new);
    }
    settings.cpus = cpus(&written.cpus, &place.key("cpus"), findings);
    if let Some(text) = &written.poll {
        settings.poll = findings.keep(place.key("poll"), poll(text)).unwrap_or_default();
    }
    let limits = [
        ("flows", written.flows, FLOWS, &mut settings.flows),
        ("neighbors", written.neighbors, NEIGHBORS, &mut settings.neighbors),
        ("icmp_errors", written.icmp_errors, ICMP_ERRORS, &mut settings.icmp_errors),
    ];
    for (key, value, range, limit) in limits {
        if let Some(value) = value
            && let Some(value) = findings.keep(place.key(key), value::number(key, value, range))
        {
            *limit = value;
        }
    }
    let most = i64::from(settings.flows);
    settings.flows_per_host = settings.flows_per_host.min(settings.flows);
    if let Some(value) = written.flows_per_host {
        let number = value::number("flows_per_host", value, 1..=most);
        if let Some(value) = findings.keep(place.key("flows_per_host"), number) {
            settings.flows_per_host = value;
        }
    }
    if let Some(text) = &written.timers {
        let timers = findings.keep(place.key("timers"), timers(text));
        settings.timeouts.flows = timers.unwrap_or_default().lifetimes();
    }
    if let Some(written) = &written.timeouts {
        timeouts(written, &place.key("timeouts"), &mut settings.timeouts, findings);
    }
    settings
}

/// Whether this machine has them is asked when the threads are started.
fn cpus(written: &[i64], place: &Place, findings: &mut Findings) -> Vec<u16> {
    if written.len() > MOST_CPUS {
        let wrong = format!("`cpus` has {} entries and the limit is {MOST_CPUS}", written.len());
        findings.refuse(place.clone(), wrong, "there are no more workers to place; write fewer");
        return Vec::new();
    }
    let numbers = written.iter().enumerate().filter_map(|(index, cpu)| {
        findings.keep(place.nth(index), value::number("cpus", *cpu, 0..=LAST_CPU))
    });
    numbers.collect()
}

fn poll(text: &str) -> Result<Poll, Fault> {
    let wrong =
        |remedy: NotAPoll| Fault::new(format!("`poll` is {}", quoted(text)), remedy.to_string());
    text.parse().map_err(wrong)
}

fn timers(text: &str) -> Result<Timers, Fault> {
    let known = Timers::ALL.into_iter().find(|timers| timers.to_string() == text);
    known.ok_or_else(|| {
        let wrong = format!("`timers` is {}", quoted(text));
        Fault::new(wrong, "write \"rfc\", \"linux\" or \"ovs\"")
    })
}

/// Each key with the times that it sets; those of one state come behind those of a kind, and so
/// win.
fn timeouts(
    written: &TimeoutsSpec,
    place: &Place,
    timeouts: &mut Timeouts,
    findings: &mut Findings,
) {
    let flows = &mut timeouts.flows;
    let mut set = |key: &str, value: Option<i64>, times: &mut [&mut Duration]| {
        if let Some(value) = value
            && let Some(value) = findings.keep(place.key(key), value::seconds(key, value, TIMEOUT))
        {
            times.iter_mut().for_each(|time| **time = value);
        }
    };
    set("udp", written.udp, &mut [&mut flows.udp_unreplied, &mut flows.udp_stream]);
    set("udp_unreplied", written.udp_unreplied, &mut [&mut flows.udp_unreplied]);
    set("udp_stream", written.udp_stream, &mut [&mut flows.udp_stream]);
    set("tcp_established", written.tcp_established, &mut [&mut flows.tcp_established]);
    let transitory: &mut [&mut Duration] = &mut [
        &mut flows.tcp_opening,
        &mut flows.tcp_closing,
        &mut flows.tcp_time_wait,
        &mut flows.tcp_close,
    ];
    set("tcp_transitory", written.tcp_transitory, transitory);
    set("tcp_opening", written.tcp_opening, &mut [&mut flows.tcp_opening]);
    set("tcp_closing", written.tcp_closing, &mut [&mut flows.tcp_closing]);
    set("tcp_time_wait", written.tcp_time_wait, &mut [&mut flows.tcp_time_wait]);
    set("tcp_close", written.tcp_close, &mut [&mut flows.tcp_close]);
    set("icmp", written.icmp, &mut [&mut flows.icmp_unreplied, &mut flows.icmp_replied]);
    set("icmp_unreplied", written.icmp_unreplied, &mut [&mut flows.icmp_unreplied]);
    set("icmp_replied", written.icmp_replied, &mut [&mut flows.icmp_replied]);
    set("other", written.other, &mut [&mut flows.other]);
    set("neighbor_reachable", written.neighbor_reachable, &mut [&mut timeouts.neighbor_reachable]);
    set("neighbor_stale", written.neighbor_stale, &mut [&mut timeouts.neighbor_stale]);
}

/// One a worker.
const MOST_CPUS: usize = 64;
/// The kernel's usual set of processors has 1,024.
const LAST_CPU: i64 = 1_023;
/// 16 million flows are about 4 GiB of table.
const FLOWS: RangeInclusive<i64> = 64..=16_777_216;
const NEIGHBORS: RangeInclusive<i64> = 16..=1_048_576;
/// Not 0: without errors a sender learns neither of a smaller MTU nor of a closed port.
const ICMP_ERRORS: RangeInclusive<i64> = 1..=1_000_000;
/// To a week; short ones are for experiments.
const TIMEOUT: RangeInclusive<i64> = 1..=604_800;
