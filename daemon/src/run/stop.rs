//! The signals that a daemon lives by, as something to wait for: which end it, and which has it
//! read its file again.
//!
//! # Theory of operation
//! SIGINT and SIGTERM end it. SIGHUP has two senders: the kernel, when the terminal that the daemon
//! was started from is closed, and people, who want the lab file applied again. They are told apart
//! by the terminal: if it is gone, the daemon ends. Started by nohup(1), which ignores SIGHUP, it
//! goes on ignoring it. A write beyond `ulimit -f` fails instead of killing.

use std::io;
use std::sync::Arc;

use os::signals::{self, Terminal};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// The signals, none of which kills the process any more from the moment this is made.
#[derive(Debug)]
pub struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
    terminal: Option<Terminal>,
    /// Who is told to read the file again; without one, SIGHUP ends.
    again: Option<Arc<Notify>>,
    /// Only taken, so that it does not kill.
    _file_size: Signal,
}

impl Stop {
    /// Takes the signals over; within a runtime. SIGHUP ends, too.
    ///
    /// # Errors
    /// A system call's.
    pub fn listen() -> io::Result<Self> {
        let hangup = match signals::hangup_is_ignored() {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
            terminal: Terminal::controlling(),
            again: None,
            _file_size: signal(SignalKind::from_raw(signals::FILE_SIZE))?,
        })
    }

    /// Tells `again` of every SIGHUP that does not come from a terminal's end.
    pub(super) fn reloading(self, again: Arc<Notify>) -> Self {
        Self { again: Some(again), ..self }
    }

    /// Waits until the daemon should end, or should have since the last wait.
    pub async fn requested(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return tracing::info!("interrupted"),
                _ = self.terminate.recv() => return tracing::info!("told to end"),
                () = received(&mut self.hangup) => {}
            }
            match &self.again {
                _ if self.terminal.as_ref().is_some_and(Terminal::is_gone) => {
                    return tracing::info!("the terminal was closed");
                }
                None => return tracing::info!("told to end by SIGHUP"),
                Some(again) => again.notify_one(),
            }
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
