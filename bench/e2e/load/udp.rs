//! Datagrams from the near room to the far one, as fast as they go or at a pace.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::socket::{setsockopt, sockopt};

use super::{Reading, Steady, Stop, TURN, Trial};
use crate::interrupt;
use crate::system::Running;

/// How fast datagrams are sent.
#[derive(Copy, Clone)]
pub(super) enum Pace {
    /// One after the other without a pause.
    Flood,
    /// So many a second, in a burst every millisecond.
    PerSecond(f64),
}

/// Datagrams a second that arrive, in thousands, of one flow with this payload.
pub(super) fn measure(
    running: &Running,
    pace: Pace,
    payload: &[u8],
    trial: Trial,
) -> Result<Reading> {
    let (from, to) = trial.ends(0);
    let far = running.far.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, to.port())))??;
    far.set_read_timeout(Some(TURN))?;
    setsockopt(&far, sockopt::RcvBufForce, &RECEIVE_BUFFER)?;
    let near = running.near.run(|| UdpSocket::bind(from))??;
    near.connect(to)?;
    let (sent, received) = (AtomicU64::new(0), AtomicU64::new(0));
    let (stop_sending, stop) = (Stop::default(), Stop::default());
    let steady = thread::scope(|scope| {
        let _end = (stop_sending.at_end(), stop.at_end());
        scope.spawn(|| send(&[&near], pace, payload, &sent, &stop_sending));
        scope.spawn(|| count(&far, &received, &stop));
        let steady = Steady::observe(running, trial.span, || received.load(Ordering::Relaxed))?;
        // What is still under way is not lost.
        stop_sending.ask();
        interrupt::pause(2 * TURN)?;
        anyhow::Ok(steady)
    })?;
    let arrived = received.into_inner() as f64 / sent.into_inner().max(1) as f64;
    Ok(Reading {
        value: steady.rate() / 1e3,
        cpu: steady.cpu_each().map(|seconds| seconds * 1e6),
        loss: (1.0 - arrived).max(0.0),
    })
}

/// Sends until it is asked to stop, from each socket in turn, and keeps count in `sent`.
pub(super) fn send(
    sockets: &[&UdpSocket],
    pace: Pace,
    payload: &[u8],
    sent: &AtomicU64,
    stop: &Stop,
) {
    let start = Instant::now();
    let mut count = 0;
    let mut turns = sockets.iter().cycle();
    while !stop.asked() {
        let due = match pace {
            Pace::Flood => count + BURST,
            Pace::PerSecond(rate) => (start.elapsed().as_secs_f64() * rate) as u64,
        };
        while count < due.min(count + BURST) {
            // A datagram refused for want of room was never under way.
            if turns.next().is_none_or(|socket| socket.send(payload).is_err()) {
                break;
            }
            count += 1;
        }
        sent.store(count, Ordering::Relaxed);
        if matches!(pace, Pace::PerSecond(_)) && count >= due {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Counts what arrives until it is asked to stop.
pub(super) fn count(socket: &UdpSocket, received: &AtomicU64, stop: &Stop) {
    let mut buffer = [0; 64];
    while !stop.asked() {
        if socket.recv(&mut buffer).is_ok() {
            received.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A pace that every system keeps up with.
pub(super) const EASY: Pace = Pace::PerSecond(20_000.0);
/// With UDP, IPv4, Ethernet and the FCS that a TAP leaves out: 64 bytes, Ethernet's smallest frame.
pub(super) const PAYLOAD: [u8; 18] = [0; 18];
/// Likewise, for a frame of 1400 bytes.
pub(super) const LARGE_PAYLOAD: [u8; 1354] = [0; 1354];
/// Datagrams between two looks at the clock and the flag.
const BURST: u64 = 64;
/// Room for some ten thousand small datagrams, so that the receiver is not what loses them.
pub(super) const RECEIVE_BUFFER: usize = 8 << 20;
