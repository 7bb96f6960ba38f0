//! A daemon of one host: this program once more, as a child process in the host's namespace.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use os::child::Child;
use os::netns::Netns;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStdout, Command};
use tokio::time::{interval, timeout};

use crate::story::{self, say};
use crate::{DemoError, DemoOptions};
use client::Client;

/// A running daemon. Killed when dropped; [`Daemon::end`] is the way for it to take its lab away
/// first.
#[derive(Debug)]
pub(super) struct Daemon {
    who: &'static str,
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    client: Client,
    started: Instant,
}

impl Daemon {
    /// Starts `tapswitch run LAB --socket SOCKET` in a namespace.
    pub(super) fn start(
        who: &'static str,
        netns: &Netns,
        (lab, socket): (&Path, &Path),
        options: &DemoOptions,
    ) -> Result<Self, DemoError> {
        let failed = |error| {
            let what = format!("the daemon of {who} cannot be started");
            DemoError::System { what, error }
        };
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("run").arg(lab).arg("--socket").arg(socket);
        command.args(["--log", options.log.as_deref().unwrap_or("warn")]);
        if let Some(workers) = options.workers {
            command.args(["--workers", &workers.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let started = Instant::now();
        let mut child = Child::start(netns, command).map_err(failed)?;
        let out = child.stdout().map(BufReader::new);
        Ok(Self { who, child, out, client: Client::new(socket), started })
    }

    /// Waits until its lab is up, and says so.
    pub(super) async fn ready(&mut self) -> Result<(), DemoError> {
        let mut line = String::new();
        let said = async {
            match &mut self.out {
                Some(out) => out.read_line(&mut line).await.unwrap_or_default(),
                None => 0,
            }
        };
        let late = DemoError::Late { who: self.who, seconds: READY.as_secs() };
        match timeout(READY, said).await {
            Err(_) => Err(late),
            // It says nothing more, because it ends.
            Ok(0) => match timeout(READY, self.child.ended()).await {
                Ok(Ok(status)) => Err(DemoError::Died { who: self.who, status }),
                Ok(Err(_)) | Err(_) => Err(late),
            },
            Ok(_) => {
                say(&format!("{} ({})", line.trim_end(), story::time(self.started.elapsed())));
                Ok(())
            }
        }
    }

    /// Its control socket's other end.
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Asks it to take its lab away and to end.
    pub(super) async fn end(self) {
        let who = self.who;
        match self.child.end(END).await {
            Ok(status) if status.success() => {}
            Ok(status) => tracing::warn!("the daemon of {who} has ended: {status}"),
            Err(error) => tracing::warn!("the daemon of {who} cannot be ended: {error}"),
        }
    }
}

/// Waits until one of them ends, which nobody asked for.
pub(super) async fn first_to_die(daemons: &mut [Daemon]) -> DemoError {
    let mut round = interval(ROUND);
    loop {
        round.tick().await;
        for daemon in &mut *daemons {
            if let Ok(Some(status)) = daemon.child.status() {
                return DemoError::Died { who: daemon.who, status };
            }
        }
    }
}

/// Two seconds are promised; a busy machine gets more.
const READY: Duration = Duration::from_secs(20);
/// How long a daemon may take to end: the kernel's own deadline for one netlink request, and as
/// much again.
const END: Duration = Duration::from_secs(20);
/// How soon a daemon's end is noticed.
const ROUND: Duration = Duration::from_millis(100);
