//! A daemon's life: what must hold before anything is made, the lab brought up, the API served, and all of it taken
//! away again, however it ends.
//!
//! # Theory of operation
//! Things are acquired in this order and given back in the reverse one: the signals (so that none kills halfway), the
//! control socket (so that two daemons never meet), the workers, the lab, the API. Bringing the lab up and taking it
//! down are never cancelled; both are bounded by the kernel's deadlines. A signal that comes in between is answered
//! when the step is done.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use os::privileges::PrivilegeError;
use os::{affinity, entropy, open_files, privileges};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::api;
use crate::config::{self, ConfigError, Lab, LabSpec};
use crate::dataplane::{Dataplane, Threads};
use crate::engine::{Engine, EngineError};
use crate::printable;

pub mod log;
mod monitor;
mod socket;
mod stop;
mod threads;

pub use socket::{ControlSocket, SocketError};
pub use stop::Stop;
pub use threads::ThreadOptions;

/// What `tapswitch run` was told.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The lab to begin with; an empty one when left out.
    pub lab: Option<PathBuf>,
    /// Where the control API is served.
    pub socket: PathBuf,
    /// How packet threads work, whatever the lab says.
    pub threads: ThreadOptions,
}

/// Why a daemon did not start, or ended of itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The lab file is wrong.
    #[error(transparent)]
    Lab(#[from] ConfigError),
    /// The lab file cannot be read.
    #[error("{path}: {error}", path = printable::path(path))]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// This process may not do it.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    /// The control socket cannot be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// Threads, timers or signals cannot be had.
    #[error("this process cannot be set up: {0}")]
    Process(io::Error),
    /// The lab cannot be made.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A processor that a packet thread is to stay on is not there.
    #[error(
        "processor {cpu} of `--cpus` is not there, or not for this process; it may use {present}"
    )]
    Processor {
        /// Its number.
        cpu: u16,
        /// Those that are there.
        present: String,
    },
    /// A packet thread ended.
    #[error("a packet thread ended: {0}")]
    Worker(io::Error),
    /// The control API ended.
    #[error("the control API ended: {0}")]
    Api(io::Error),
}

impl RunError {
    /// Whether what was typed is at fault, and not the machine.
    pub const fn is_wrong_usage(&self) -> bool {
        matches!(self, Self::Processor { .. })
    }

    /// Whether what was written is at fault, and not the machine.
    pub const fn is_bad_lab(&self) -> bool {
        matches!(self, Self::Lab(_) | Self::Read { .. })
    }
}

/// Runs the daemon until SIGINT or SIGTERM. Prints `ready` on standard output, alone on its line, when every port of
/// the lab is up and the API answers.
///
/// # Errors
/// See [`RunError`]; whatever was made is gone again.
pub fn run(options: &RunOptions) -> Result<(), RunError> {
    let file = options.lab.as_deref().map(LabFile::read).transpose()?;
    let (spec, lab) = match &file {
        Some(file) => file.parse()?,
        None => (LabSpec::default(), Lab::default()),
    };
    let threads = place(&options.threads, &lab, file.as_ref())?;
    privileges::check()?;
    open_files::raise_limit().map_err(RunError::Process)?;
    let ready = async |_: &Arc<Engine>| {
        say_ready();
        std::future::pending::<()>().await;
    };
    runtime()?.block_on(async {
        let stop = Stop::listen().map_err(RunError::Process)?;
        let socket = ControlSocket::claim(&options.socket)?;
        serve(socket, stop, threads, spec, ready).await
    })
}

/// The packet threads, once every processor that one is to stay on is known to be there.
fn place(options: &ThreadOptions, lab: &Lab, file: Option<&LabFile>) -> Result<Threads, RunError> {
    let threads = options.over(&lab.settings);
    if threads.cpus.is_empty() {
        return Ok(threads);
    }
    let present = affinity::allowed().map_err(RunError::Process)?;
    options.check(&present)?;
    if options.cpus.is_empty()
        && let Some(LabFile { name, text }) = file
    {
        config::locate_absent(text, name, lab, &present)?;
    }
    Ok(threads)
}

/// Reads and checks a lab file; the sentences of the error name it as `path` does.
///
/// # Errors
/// [`RunError::Read`] and [`RunError::Lab`].
pub fn read_lab(path: &Path) -> Result<(LabSpec, Lab), RunError> {
    Ok(LabFile::read(path)?.parse()?)
}

/// A lab file, read once: it may be a pipe.
struct LabFile {
    name: String,
    text: Vec<u8>,
}

impl LabFile {
    fn read(path: &Path) -> Result<Self, RunError> {
        let text = fs::read(path);
        let text = text.map_err(|error| RunError::Read { path: path.to_owned(), error })?;
        Ok(Self { name: path.display().to_string(), text })
    }

    fn parse(&self) -> Result<(LabSpec, Lab), ConfigError> {
        config::parse_spec(&self.text, &self.name)
    }
}

/// The runtime of the control plane. Packets never pass it.
///
/// # Errors
/// [`RunError::Process`].
pub fn runtime() -> Result<tokio::runtime::Runtime, RunError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).thread_name("control").enable_all();
    builder.build().map_err(RunError::Process)
}

/// Brings the lab up, serves the API, and runs `while_up`; takes everything away when that ends, when a signal comes
/// or when a part of the daemon fails.
///
/// # Errors
/// See [`RunError`]; whatever was made is gone again.
pub async fn serve(
    socket: ControlSocket,
    mut stop: Stop,
    threads: Threads,
    spec: LabSpec,
    while_up: impl AsyncFnOnce(&Arc<Engine>),
) -> Result<(), RunError> {
    let (sender, reports) = mpsc::unbounded_channel();
    let plane = Dataplane::start(&threads, entropy::seed(), sender).map_err(RunError::Process)?;
    let engine = Arc::new(Engine::new(plane));
    let outcome = bring_up(&engine, spec, &socket).await;
    let mut server = match outcome {
        Ok(server) => server,
        Err(error) => {
            engine.shut_down().await;
            return Err(error);
        }
    };
    let outcome = tokio::select! {
        biased;
        () = stop.requested() => Ok(()),
        error = monitor::watch(&engine, reports) => Err(RunError::Worker(error)),
        error = server.ended() => Err(RunError::Api(error)),
        () = while_up(&engine) => Ok(()),
    };
    server.stop().await;
    engine.shut_down().await;
    outcome
}

async fn bring_up(
    engine: &Arc<Engine>,
    spec: LabSpec,
    socket: &ControlSocket,
) -> Result<Server, RunError> {
    let changes = engine.apply(spec, false).await?;
    tracing::info!(
        "{} packet threads, {} steps to the lab",
        engine.plane().queues(),
        changes.len()
    );
    Server::start(socket, engine)
}

/// The API at work on a task of its own.
struct Server {
    task: JoinHandle<io::Result<()>>,
    finish: oneshot::Sender<()>,
}

impl Server {
    fn start(socket: &ControlSocket, engine: &Arc<Engine>) -> Result<Self, RunError> {
        let listener = socket.listener().map_err(RunError::Api)?;
        let (finish, finished) = oneshot::channel::<()>();
        let server = axum::serve(listener, api::router(Arc::clone(engine)));
        let server = server.with_graceful_shutdown(async {
            // An error is a sender that is gone: the daemon is ending too.
            let _ = finished.await;
        });
        Ok(Self { task: tokio::spawn(server.into_future()), finish })
    }

    /// Waits for an end that nobody asked for.
    async fn ended(&mut self) -> io::Error {
        match (&mut self.task).await {
            Ok(Ok(())) => io::Error::other("it has stopped"),
            Ok(Err(error)) => error,
            Err(failed) => io::Error::other(failed),
        }
    }

    /// Lets requests in flight finish, for a while.
    async fn stop(mut self) {
        // Fails when the server has ended already.
        let _ = self.finish.send(());
        if !self.task.is_finished() && timeout(LAST_REQUESTS, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

fn say_ready() {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "ready").and_then(|()| out.flush()) {
        tracing::warn!("nobody hears that the lab is ready: {error}");
    }
}

/// How long requests in flight may take when the daemon ends.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Client, ClientError};

    #[test]
    fn a_wrong_file_is_told_before_anything_is_made() {
        let room = tempfile::tempdir().unwrap();
        let lab = room.path().join("lab.toml");
        fs::write(&lab, "[brigde.a]\n").unwrap();
        let socket = room.path().join("control.sock");
        let options = RunOptions {
            lab: Some(lab),
            socket: socket.clone(),
            threads: ThreadOptions::default(),
        };
        let error = run(&options).unwrap_err();
        assert!(error.is_bad_lab());
        assert!(error.to_string().contains("lab.toml:1:2: unknown key"), "{error}");
        assert!(!socket.exists());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_daemon_answers_while_it_is_up_and_leaves_nothing_behind() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("made/control.sock");
        let socket = ControlSocket::claim(&path).unwrap();
        let stop = Stop::listen().unwrap();
        let client = Client::new(&path);
        let mut answered = false;
        let while_up = async |_: &Arc<Engine>| answered = client.version().await.is_ok();
        serve(socket, stop, Threads::default(), LabSpec::default(), while_up).await.unwrap();
        assert!(answered);
        assert!(matches!(client.version().await, Err(ClientError::NoDaemon(_))));
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 0);
    }
}
