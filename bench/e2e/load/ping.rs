//! One small datagram at a time, there and back: how long a frame takes when nothing else is under
//! way.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::udp::PAYLOAD;
use super::{PATIENCE, Reading, Stop, TURN, Trial};
use crate::interrupt;
use crate::system::{FAR, Running};

/// The median round trip, in microseconds.
pub(super) fn measure(running: &Running, trial: Trial) -> Result<Reading> {
    let span = trial.span.min(LONG_ENOUGH);
    with_echo(running, trial.ends(0), |near| {
        let mut trips = Vec::with_capacity(ROUND_TRIPS);
        let mut lost = 0_u32;
        let before = running.cpu()?;
        let start = Instant::now();
        for number in 0..ROUND_TRIPS as u64 {
            interrupt::check()?;
            if start.elapsed() > span {
                break;
            }
            match round_trip(near, number) {
                Some(time) => trips.push(time),
                None => lost += 1,
            }
        }
        let cpu = running.cpu()?.zip(before).map(|(after, before)| after.saturating_sub(before));
        ensure!(!trips.is_empty(), "nothing came back");
        let count = trips.len() as f64;
        trips.sort_unstable();
        let median = trips.get(trips.len() / 2).copied().unwrap_or_default();
        Ok(Reading {
            value: median.as_secs_f64() * 1e6,
            cpu: cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / (2.0 * count)),
            loss: f64::from(lost) / (f64::from(lost) + count),
        })
    })
}

/// Waits until a datagram gets there and back: the system is up, and both ends know each other.
pub(crate) fn settle(running: &Running) -> Result<()> {
    let to = SocketAddrV4::new(FAR, SETTLING_PORT);
    with_echo(running, (SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), to), |near| {
        let deadline = Instant::now() + PATIENCE;
        for number in 0.. {
            interrupt::check()?;
            if round_trip(near, number).is_some() {
                break;
            }
            ensure!(Instant::now() < deadline, "no datagram got there and back in time");
        }
        Ok(())
    })
}

/// Lends a socket of the near room that is connected to one in the far room which sends everything
/// back.
fn with_echo<T>(
    running: &Running,
    (from, to): (SocketAddrV4, SocketAddrV4),
    task: impl FnOnce(&UdpSocket) -> Result<T>,
) -> Result<T> {
    let far = running.far.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, to.port())))??;
    far.set_read_timeout(Some(TURN))?;
    let near = running.near.run(|| UdpSocket::bind(from))??;
    near.set_read_timeout(Some(TURN))?;
    near.connect(to).with_context(|| format!("no way to {to}"))?;
    let stop = Stop::default();
    thread::scope(|scope| {
        let _end = stop.at_end();
        scope.spawn(|| echo(&far, &stop));
        task(&near)
    })
}

fn echo(socket: &UdpSocket, stop: &Stop) {
    let mut buffer = PAYLOAD;
    while !stop.asked() {
        if let Ok((count, peer)) = socket.recv_from(&mut buffer) {
            // One that cannot be sent back counts as lost where it is waited for.
            let _ = socket.send_to(buffer.get(..count).unwrap_or_default(), peer);
        }
    }
}

/// `None` when nothing comes back in time. Answers to earlier datagrams are passed over.
fn round_trip(socket: &UdpSocket, number: u64) -> Option<Duration> {
    let mut payload = PAYLOAD;
    *payload.first_chunk_mut()? = number.to_be_bytes();
    let start = Instant::now();
    socket.send(&payload).ok()?;
    let mut answer = PAYLOAD;
    while start.elapsed() < TURN {
        let count = socket.recv(&mut answer).ok()?;
        if count == payload.len() && answer == payload {
            return Some(start.elapsed());
        }
    }
    None
}

/// Some ten thousand round trips.
const LONG_ENOUGH: Duration = Duration::from_secs(1);
/// No trial's.
const SETTLING_PORT: u16 = 9;
/// At most; a second of round trips is fewer.
const ROUND_TRIPS: usize = 200_000;
