//! TCP streams from the near room to the far one, each with a thread to send and a thread to
//! receive.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use socket2::{Domain, Socket, Type};

use super::{PATIENCE, Reading, Steady, Stop, TURN, Trial};
use crate::interrupt;
use crate::system::Running;

/// Bytes a second that `streams` streams together bring to their receivers, in Gb/s.
pub(super) fn measure(running: &Running, streams: u16, trial: Trial) -> Result<Reading> {
    let pairs = connect(running, streams, trial)?;
    let received = AtomicU64::new(0);
    let stop = Stop::default();
    let steady = thread::scope(|scope| {
        let _end = stop.at_end();
        for (sender, receiver) in &pairs {
            scope.spawn(|| send(sender, &stop));
            scope.spawn(|| receive(receiver, &received, &stop));
        }
        Steady::observe(running, trial.span, || received.load(Ordering::Relaxed))
    })?;
    Ok(Reading {
        value: steady.rate() * 8.0 / 1e9,
        cpu: steady.cpu_each().map(|seconds| seconds * 1e9),
        loss: 0.0,
    })
}

/// Pairs of connected sockets: near, far.
pub(super) fn connect(
    running: &Running,
    streams: u16,
    trial: Trial,
) -> Result<Vec<(TcpStream, TcpStream)>> {
    let mut pairs = Vec::with_capacity(usize::from(streams));
    for stream in 0..streams {
        let (from, to) = trial.ends(stream);
        let listener =
            running.far.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, to.port())))??;
        let near = running.near.run(|| connect_one(from, to))?;
        let near = near.with_context(|| format!("cannot connect to {to}"))?;
        let far = accept(&listener)?;
        near.set_write_timeout(Some(TURN))?;
        far.set_read_timeout(Some(TURN))?;
        pairs.push((near, far));
    }
    Ok(pairs)
}

fn connect_one(from: SocketAddrV4, to: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&from.into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    Ok(socket.into())
}

fn accept(listener: &TcpListener) -> Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                interrupt::pause(Duration::from_millis(1))?;
            }
            Err(error) => bail!("the connection did not arrive: {error}"),
        }
    }
}

fn send(mut socket: &TcpStream, stop: &Stop) {
    let bytes = vec![0; WRITE];
    while !stop.asked() {
        if socket.write(&bytes).is_err_and(|error| !is_passing(&error)) {
            return;
        }
    }
}

fn receive(mut socket: &TcpStream, received: &AtomicU64, stop: &Stop) {
    let mut buffer = vec![0; 2 * WRITE];
    while !stop.asked() {
        match socket.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                received.fetch_add(count as u64, Ordering::Relaxed);
            }
            Err(error) if is_passing(&error) => {}
            Err(_) => return,
        }
    }
}

/// Whether the call only took longer than a turn. A stream that really fails ends, and its bytes
/// are missed.
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Bytes a write.
const WRITE: usize = 128 * 1024;
