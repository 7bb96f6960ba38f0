//! `[switch]`: limits and timers.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Findings, value};
use crate::config::lab::settings::{Settings, Timeouts};
use crate::config::place::Place;
use crate::config::spec::{LabSpec, TimeoutsSpec};

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
    if let Some(written) = &written.timeouts {
        timeouts(written, &place.key("timeouts"), &mut settings.timeouts, findings);
    }
    settings
}

fn timeouts(
    written: &TimeoutsSpec,
    place: &Place,
    timeouts: &mut Timeouts,
    findings: &mut Findings,
) {
    let times: [(&str, Option<i64>, &mut Duration); 6] = [
        ("udp", written.udp, &mut timeouts.udp),
        ("tcp_established", written.tcp_established, &mut timeouts.tcp_established),
        ("tcp_transitory", written.tcp_transitory, &mut timeouts.tcp_transitory),
        ("icmp", written.icmp, &mut timeouts.icmp),
        ("neighbor_reachable", written.neighbor_reachable, &mut timeouts.neighbor_reachable),
        ("neighbor_stale", written.neighbor_stale, &mut timeouts.neighbor_stale),
    ];
    for (key, value, time) in times {
        if let Some(value) = value
            && let Some(value) = findings.keep(place.key(key), value::seconds(key, value, TIMEOUT))
        {
            *time = value;
        }
    }
}

/// 16 million flows are about 4 GiB of table.
const FLOWS: RangeInclusive<i64> = 64..=16_777_216;
const NEIGHBORS: RangeInclusive<i64> = 16..=1_048_576;
/// Not 0: without errors a sender learns neither of a smaller MTU nor of a closed port.
const ICMP_ERRORS: RangeInclusive<i64> = 1..=1_000_000;
/// To a week; short ones are for experiments.
const TIMEOUT: RangeInclusive<i64> = 1..=604_800;
