//! The highest rate of small datagrams that gets through almost whole: a bounded search by halves.
//!
//! A pace passes when under [`LOSS`] of its datagrams are lost. One scheduling hiccup can lose
//! more, so a pace that only just fails has a second try. The flows are several, so that several
//! workers have something to do, and so are the senders where there are processors for them.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::socket::{setsockopt, sockopt};

use super::udp::{self, PAYLOAD, Pace, RECEIVE_BUFFER};
use super::{PORTS_EACH, Reading, Stop, TURN, Trial};
use crate::interrupt;
use crate::system::Running;

/// Datagrams a second that arrive, in thousands; zero where even the slowest pace loses too many.
pub(super) fn measure(running: &Running, trial: Trial) -> Result<Reading> {
    let lanes = open(running, trial)?;
    let span = (trial.span / 2).clamp(SHORTEST, LONGEST);
    let (mut passes, mut fails) = RANGE;
    let mut best = Reading { value: 0.0, cpu: None, loss: 1.0 };
    for _ in 0..PROBES {
        let pace = f64::sqrt(passes * fails);
        let mut probe = send(running, &lanes, pace, span)?;
        if (LOSS..WORTH_A_SECOND_TRY).contains(&probe.loss) {
            probe = send(running, &lanes, pace, span)?;
        }
        if probe.loss >= LOSS {
            fails = pace;
            continue;
        }
        // A pace beyond what the senders reach is passed by what they do reach.
        let reached = probe.value > 0.9 * pace / 1e3;
        if probe.value > best.value {
            best = probe;
        }
        (passes, fails) = if reached { (pace, fails) } else { (passes, pace) };
    }
    Ok(best)
}

/// A sender with its flows, and the socket that they all go to.
struct Lane {
    near: Vec<UdpSocket>,
    far: UdpSocket,
}

fn open(running: &Running, trial: Trial) -> Result<Vec<Lane>> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let count = (processors / 2).clamp(1, usize::from(PORTS_EACH / FLOWS)) as u16;
    (0..count).map(|lane| open_one(running, trial, lane * FLOWS)).collect()
}

fn open_one(running: &Running, trial: Trial, first: u16) -> Result<Lane> {
    let (_, to) = trial.ends(first);
    let far = running.far.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, to.port())))??;
    far.set_read_timeout(Some(TURN))?;
    setsockopt(&far, sockopt::RcvBufForce, &RECEIVE_BUFFER)?;
    let mut near = Vec::new();
    for flow in first..first + FLOWS {
        let socket = running.near.run(|| UdpSocket::bind(trial.ends(flow).0))??;
        socket.connect(to)?;
        near.push(socket);
    }
    Ok(Lane { near, far })
}

/// Sends at one pace for a while; what arrived of it, also late.
fn send(running: &Running, lanes: &[Lane], pace: f64, span: Duration) -> Result<Reading> {
    let each = Pace::PerSecond(pace / lanes.len() as f64);
    let sent: Vec<AtomicU64> = lanes.iter().map(|_| AtomicU64::new(0)).collect();
    let received = AtomicU64::new(0);
    let (stop_sending, stop) = (Stop::default(), Stop::default());
    let before = running.cpu()?;
    let elapsed = thread::scope(|scope| {
        let _end = (stop_sending.at_end(), stop.at_end());
        for (lane, sent) in lanes.iter().zip(&sent) {
            let near: Vec<&UdpSocket> = lane.near.iter().collect();
            let stop_sending = &stop_sending;
            scope.spawn(move || udp::send(&near, each, &PAYLOAD, sent, stop_sending));
            scope.spawn(|| udp::count(&lane.far, &received, &stop));
        }
        let start = Instant::now();
        interrupt::pause(span)?;
        stop_sending.ask();
        let elapsed = start.elapsed();
        // What is still under way is not lost.
        interrupt::pause(TURN)?;
        anyhow::Ok(elapsed)
    })?;
    let cpu = running.cpu()?.zip(before).map(|(after, before)| after.saturating_sub(before));
    let sent: u64 = sent.iter().map(|sent| sent.load(Ordering::Relaxed)).sum();
    let (sent, received) = (sent.max(1) as f64, received.into_inner() as f64);
    Ok(Reading {
        value: received / elapsed.as_secs_f64() / 1e3,
        cpu: cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / received.max(1.0)),
        loss: (1.0 - received / sent).max(0.0),
    })
}

/// The part that may be lost.
const LOSS: f64 = 0.001;
/// A loss from here on is no hiccup.
const WORTH_A_SECOND_TRY: f64 = 0.01;
/// Datagrams a second between which the rate is looked for.
const RANGE: (f64, f64) = (5_000.0, 1_280_000.0);
/// Eight halvings of the range's eight doublings find the rate within some three hundredths.
const PROBES: u32 = 8;
/// Flows of one sender.
const FLOWS: u16 = 4;
/// A probe's shortest span: some thousand datagrams at the slowest pace, enough to see 0.1 % in.
const SHORTEST: Duration = Duration::from_millis(300);
/// And its longest, so that the search is bounded.
const LONGEST: Duration = Duration::from_secs(1);
