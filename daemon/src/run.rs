//! A daemon's life: what must hold before anything is made, the lab brought up, the API served, and
//! all of it taken away again, however it ends.
//!
//! # Theory of operation
//! Things are acquired in this order and given back in the reverse one: the signals (so that none
//! kills halfway), the control socket (so that two daemons never meet), the workers, the lab, the
//! API. Whatever ends a daemon, a signal, a part that fails or a panic anywhere, the end is the
//! same: the engine makes no more changes, refuses those that wait, and gives one up that is under
//! way; the lab is taken down; requests in flight get a moment for their answers. Nothing is
//! cancelled halfway, and nothing waits for a client, for a reader of the log or for a queue.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

pub use os::privileges::PrivilegeError;
use os::{affinity, entropy, netns, open_files};
pub use os::{privileges, rootless};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use control::message::{Changes, HowToApply};

use crate::api;
use crate::dataplane::{Dataplane, Threads};
use crate::engine::{Engine, EngineError};
use crate::log;
use crate::panics::{self, Panicked, Panics, caught};
use labfile::printable;
use labfile::{self, ConfigError, Lab, LabSpec};

mod file;
mod monitor;
mod ready;
mod socket;
mod stop;
mod threads;

use file::LabFile;
use ready::{readiness, say_ready};
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
    /// End where one port of the lab cannot be brought up.
    pub strict: bool,
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
    /// A part of this process panicked.
    #[error(transparent)]
    Panicked(#[from] Panicked),
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

/// Runs the daemon until SIGINT or SIGTERM. Prints `ready` on standard output, alone on its line,
/// when every port of the lab is up and the API answers, or `ready, 14 of 15 ports: two is lost:
/// ...` where one is not. SIGHUP applies the lab file anew, unless it tells of a terminal that was
/// closed.
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
    warn_of_hidden_names();
    let again = Arc::new(Notify::new());
    let how = HowToApply { strict: options.strict, ..HowToApply::default() };
    let while_up = async |engine: &Arc<Engine>| {
        say_ready(readiness(engine).await);
        file::follow(engine, options.lab.as_deref(), how, &again).await;
    };
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let stop = Stop::listen().map_err(RunError::Process)?.reloading(Arc::clone(&again));
        let socket = ControlSocket::claim(&options.socket)?;
        serve(socket, stop, threads, (spec, how), while_up).await
    });
    // What still blocks a thread has nothing to do with the lab.
    runtime.shutdown_background();
    log::flush();
    outcome
}

/// Says what does not work under `ip netns exec`, which gives a program mounts of its own.
fn warn_of_hidden_names() {
    if !netns::are_names_hidden() {
        return;
    }
    let name = netns::name_of_current();
    let name = name.as_deref().unwrap_or("NAME");
    tracing::warn!(
        "this daemon has mounts of its own, as under `ip netns exec`: the namespaces that it makes are seen by nobody \
         else, and `ip netns exec` into one fails with \"Invalid argument\"; start it with `nsenter \
         --net=/run/netns/{name} tapswitch run ...`, which enters the network namespace alone"
    );
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
        labfile::locate_absent(text, name, lab, &present)?;
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

/// The runtime of the control plane. Packets never pass it.
///
/// # Errors
/// [`RunError::Process`].
pub fn runtime() -> Result<tokio::runtime::Runtime, RunError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).thread_name("control").enable_all();
    builder.build().map_err(RunError::Process)
}

/// Brings the lab up, serves the API, and runs `while_up`; takes everything away when that ends,
/// when a signal comes, when a part of the daemon fails or when anything in this process panics.
///
/// # Errors
/// See [`RunError`]; whatever was made is gone again.
pub async fn serve(
    socket: ControlSocket,
    stop: Stop,
    threads: Threads,
    lab: (LabSpec, HowToApply),
    while_up: impl AsyncFnOnce(&Arc<Engine>),
) -> Result<(), RunError> {
    let mut ends = Ends { stop, panics: panics::watch() };
    let (sender, reports) = mpsc::unbounded_channel();
    let plane = Dataplane::start(&threads, entropy::seed(), sender).map_err(RunError::Process)?;
    let engine = Arc::new(Engine::new(plane));
    let (server, ended) = begin(&engine, lab, &socket, &mut ends).await;
    let Some(mut server) = server else {
        engine.shut_down().await;
        return ended.unwrap_or(Ok(()));
    };
    let mut looking = tokio::spawn(monitor::watch(Arc::clone(&engine), reports));
    let outcome = match ended {
        Some(ended) => ended,
        None => tokio::select! {
            biased;
            ended = ends.next() => ended,
            failed = &mut looking => Err(RunError::Worker(failed.unwrap_or_else(io::Error::other))),
            error = server.ended() => Err(RunError::Api(error)),
            done = caught(while_up(&engine)) => done.map_err(RunError::from),
        },
    };
    engine.end();
    server.finish();
    engine.shut_down().await;
    looking.abort();
    server.stop().await;
    outcome
}

/// Brings the lab up and serves the API; what ended the daemon meanwhile, or kept the API from
/// being served.
async fn begin(
    engine: &Arc<Engine>,
    lab: (LabSpec, HowToApply),
    socket: &ControlSocket,
    ends: &mut Ends,
) -> (Option<Server>, Option<Result<(), RunError>>) {
    let mut up = pin!(caught(bring_up(engine, lab, socket)));
    let (up, ended) = tokio::select! {
        biased;
        ended = ends.next() => {
            engine.end();
            (up.await, Some(ended))
        }
        up = &mut up => (up, None),
    };
    match up.map_err(RunError::from).flatten() {
        Ok(server) => (Some(server), ended),
        Err(error) => (None, ended.or(Some(Err(error)))),
    }
}

/// What ends a daemon that is whole, or was.
struct Ends {
    stop: Stop,
    panics: Panics,
}

impl Ends {
    async fn next(&mut self) -> Result<(), RunError> {
        tokio::select! {
            biased;
            panicked = self.panics.next() => Err(panicked.into()),
            () = self.stop.requested() => Ok(()),
        }
    }
}

async fn bring_up(
    engine: &Arc<Engine>,
    (spec, how): (LabSpec, HowToApply),
    socket: &ControlSocket,
) -> Result<Server, RunError> {
    let Changes { changes, .. } = engine.apply(spec, how).await?;
    tracing::info!(
        "{} packet threads, {} steps to the lab",
        engine.plane().queues(),
        changes.len()
    );
    Server::start(socket, engine)
}

/// The API at work on a task of its own.
struct Server {
    task: JoinHandle<()>,
    finish: Option<oneshot::Sender<()>>,
}

impl Server {
    fn start(socket: &ControlSocket, engine: &Arc<Engine>) -> Result<Self, RunError> {
        let listener = socket.listener().map_err(RunError::Api)?;
        let (finish, finished) = oneshot::channel::<()>();
        let server = api::serve(listener, api::router(Arc::clone(engine)), async {
            // An error is a sender that is gone: the daemon is ending too.
            let _ = finished.await;
        });
        Ok(Self { task: tokio::spawn(server), finish: Some(finish) })
    }

    /// Waits for an end that nobody asked for.
    async fn ended(&mut self) -> io::Error {
        match (&mut self.task).await {
            Ok(()) => io::Error::other("it has stopped"),
            Err(failed) => io::Error::other(failed),
        }
    }

    /// Takes no more requests.
    fn finish(&mut self) {
        if let Some(finish) = self.finish.take() {
            // Fails when the server has ended already.
            let _ = finish.send(());
        }
    }

    /// Lets requests in flight finish, for a while.
    async fn stop(mut self) {
        if !self.task.is_finished() && timeout(LAST_REQUESTS, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

/// How long requests in flight may take once the lab is down. None of them waits for anything any
/// more but its client.
const LAST_REQUESTS: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use client::{Client, ClientError};

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
            strict: false,
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
        serve(socket, stop, Threads::default(), Default::default(), while_up).await.unwrap();
        assert!(answered);
        assert!(matches!(client.version().await, Err(ClientError::NoDaemon(_))));
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 0);
    }
}
