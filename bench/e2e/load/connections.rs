//! New TCP connections, one after the other on each of a few threads.
//!
//! A connection counts once the far end has accepted it and its first byte is back. Then the near
//! end resets it, so that no end waits in TIME_WAIT, and a NAT sees it end. Each thread has a far
//! port of its own and goes through the near ports in order: an address and port pair comes again
//! only after [`PORTS`] others of its thread.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use socket2::{Domain, Socket, Type};

use super::{Reading, Steady, Stop, TURN, Trial};
use crate::system::Running;

/// Connections a second, in thousands.
pub(super) fn measure(running: &Running, trial: Trial) -> Result<Reading> {
    let mut doors = Vec::new();
    for lane in 0..LANES {
        let (_, to) = trial.ends(lane);
        doors.push((lane, to, running.far.run(|| listen(to.port()))??));
    }
    let (made, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let stop = Stop::default();
    let steady = thread::scope(|scope| {
        let _end = stop.at_end();
        for (lane, to, door) in &doors {
            scope.spawn(|| welcome(door, &stop));
            let (near, made, failed, stop) = (&running.near, &made, &failed, &stop);
            // The thread stays inside: it makes a socket for each connection.
            scope.spawn(move || {
                near.run(|| {
                    let ports = near_ports(*lane).take_while(|_| !stop.asked());
                    for port in ports {
                        let count = if connect(port, *to).is_ok() { made } else { failed };
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                })
            });
        }
        Steady::observe(running, trial.span, || made.load(Ordering::Relaxed))
    })?;
    let (made, failed) = (made.into_inner() as f64, failed.into_inner() as f64);
    Ok(Reading {
        value: steady.rate() / 1e3,
        cpu: steady.cpu_each().map(|seconds| seconds * 1e6),
        loss: failed / (made + failed),
    })
}

/// The near ports of one thread, for ever round; threads start far from one another.
fn near_ports(lane: u16) -> impl Iterator<Item = u16> {
    let first = PORTS.start + lane * ((PORTS.end - PORTS.start) / LANES);
    (first..PORTS.end).chain(PORTS.start..first).cycle()
}

fn listen(port: u16) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    socket.set_read_timeout(Some(TURN))?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Accepts and greets. The last one is kept until the next has come, by which time its other end
/// has reset it.
fn welcome(door: &Socket, stop: &Stop) {
    let mut last = None;
    while !stop.asked() {
        match door.accept() {
            Ok((mut guest, _)) => {
                // One that has gone already is counted as failed at the other end.
                let _ = guest.write_all(&[0]);
                last.replace(guest);
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return,
        }
    }
}

/// One connection from its first packet to its last.
fn connect(port: u16, to: SocketAddrV4) -> std::io::Result<()> {
    let mut socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_write_timeout(Some(GIVE_UP))?;
    socket.set_read_timeout(Some(GIVE_UP))?;
    socket.connect(&to.into())?;
    socket.read_exact(&mut [0])
}

/// Connections under way at a time.
const LANES: u16 = 4;
/// Near ports that connections come from; no other load is about to use them.
const PORTS: std::ops::Range<u16> = 30_000..60_000;
/// More than there are threads.
const BACKLOG: i32 = 64;
/// Long past a lost packet's first repetition, a second.
const GIVE_UP: Duration = Duration::from_secs(2);
