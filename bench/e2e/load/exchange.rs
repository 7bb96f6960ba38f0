//! Requests and responses of one byte on one TCP connection: what a chatty protocol gets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result};

use super::tcp::{connect, is_passing};
use super::{Reading, Steady, Stop, TURN, Trial};
use crate::system::Running;

/// Responses a second, in thousands.
pub(super) fn measure(running: &Running, trial: Trial) -> Result<Reading> {
    let pairs = connect(running, 1, trial)?;
    let (near, far) = pairs.first().context("there is no connection")?;
    near.set_read_timeout(Some(TURN))?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let answered = AtomicU64::new(0);
    let stop = Stop::default();
    let steady = thread::scope(|scope| {
        let _end = stop.at_end();
        scope.spawn(|| while pass_on(far, &stop) {});
        scope.spawn(|| {
            let mut request = near;
            while request.write_all(&BYTE).is_ok() && receive(near, &stop) {
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        Steady::observe(running, trial.span, || answered.load(Ordering::Relaxed))
    })?;
    Ok(Reading {
        value: steady.rate() / 1e3,
        cpu: steady.cpu_each().map(|seconds| seconds * 1e6 / 2.0),
        loss: 0.0,
    })
}

/// Answers one request. `false` at the end.
fn pass_on(mut socket: &TcpStream, stop: &Stop) -> bool {
    receive(socket, stop) && socket.write_all(&BYTE).is_ok()
}

/// Waits for a byte. `false` when none will come any more.
fn receive(mut socket: &TcpStream, stop: &Stop) -> bool {
    let mut byte = BYTE;
    while !stop.asked() {
        match socket.read(&mut byte) {
            Err(error) if is_passing(&error) => {}
            result => return result.is_ok_and(|count| count > 0),
        }
    }
    false
}

const BYTE: [u8; 1] = [0];
