//! `tapswitch demo`: a lab of two hosts, a gateway and an outside host that proves itself by
//! traffic; and, as [`two_hosts()`], one of two daemons with a tunnel between them.
//!
//! The first is the whole daemon in this process with a control socket of its own, so every other
//! verb can look around while it stays up. The proofs are made of sockets that are opened inside
//! the namespaces; no other program is needed. Whatever happens, what was made is gone at the end.
#![forbid(unsafe_code)]

use std::io;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Instant;

use os::links::LinkError;
use os::netns::NetnsError;
use os::{netns, privileges};
use switch::change::FlowFilter;

use client::ClientError;
use control::message::HowToApply;
use control::view::{FlowEntry, NeighborEntry, StationView, TunnelView};
use daemon::engine::{Engine, FlowNames};
use daemon::run::{ControlSocket, RunError, Stop, ThreadOptions, runtime, serve};
use labfile::{self, Lab, LabSpec, Netns};

mod probe;
mod scene;
mod steps;
mod story;
mod two_hosts;

use scene::Scene;
use steps::Score;
use story::say;
pub use two_hosts::run as two_hosts;

/// What `tapswitch demo` was told.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Leave when every step is done; otherwise stay until Ctrl-C.
    pub once: bool,
    /// Where the control API is served meanwhile.
    pub socket: PathBuf,
    /// Packet threads; as many as a daemon would have when left out.
    pub workers: Option<NonZeroU16>,
    /// What the daemons log that are processes of their own: a level, or tracing's directives.
    pub log: Option<String>,
    /// How listings look: the command line's business.
    pub tables: Tables,
    /// The namespaces are this process's own: whoever looks around must enter them.
    pub is_rootless: bool,
}

/// How listings are written for people.
#[derive(Copy, Clone, Debug)]
pub struct Tables {
    /// The forwarding tables.
    pub stations: fn(&[StationView]) -> String,
    /// The neighbours.
    pub neighbors: fn(&[NeighborEntry]) -> String,
    /// The flows.
    pub flows: fn(&[FlowEntry]) -> String,
    /// The tunnels.
    pub tunnels: fn(&[TunnelView]) -> String,
}

/// Why the demo is no success. Everything is removed all the same.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// It could not be built.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A namespace that it needs is somebody's.
    #[error(
        "there is a namespace {0:?} already: is another demo running? If not, remove it with `ip netns del {0}`"
    )]
    Taken(String),
    /// The names of namespaces cannot be listed.
    #[error("the namespaces of this machine cannot be listed: {0}")]
    Names(io::Error),
    /// The place for the daemons' files cannot be made.
    #[error("cannot make {path}: {error}; remove it if no other demo is running", path = path.display())]
    Room {
        /// Where.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
    /// A namespace that was just made cannot be entered, or one cannot be made.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// A device that stands around the lab cannot be made.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A system call on the way.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// The kernel's answer.
        error: io::Error,
    },
    /// A daemon has ended, which nobody asked for. It has said why on standard error.
    #[error("the daemon of {who} has ended: {status}")]
    Died {
        /// Whose.
        who: &'static str,
        /// How.
        status: ExitStatus,
    },
    /// A daemon does not come up.
    #[error("the daemon of {who} is not ready after {seconds} seconds")]
    Late {
        /// Whose.
        who: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A daemon refuses what it is asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Steps failed.
    #[error("{failed} of {steps} steps failed")]
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        steps: usize,
    },
    /// Ctrl-C came before the last step.
    #[error("interrupted before every step was done")]
    Interrupted,
}

/// Builds the lab, proves it, shows it, and takes it away.
///
/// # Errors
/// See [`DemoError`]; none only if every step succeeded.
pub fn run(options: &DemoOptions) -> Result<(), DemoError> {
    let text = labfile::demo();
    let (spec, lab) = labfile::parse_spec(text.as_bytes(), "demo.toml").map_err(RunError::from)?;
    privileges::check().map_err(RunError::from)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(build_and_tell(options, spec, &lab));
    // A probe that Ctrl-C has overtaken may still wait for its deadline.
    runtime.shutdown_background();
    outcome
}

async fn build_and_tell(options: &DemoOptions, spec: LabSpec, lab: &Lab) -> Result<(), DemoError> {
    let stop = Stop::listen().map_err(RunError::Process)?;
    let socket = ControlSocket::claim(&options.socket).map_err(RunError::from)?;
    names_are_free(&names(lab))?;
    story::introduction(labfile::demo());
    let started = Instant::now();
    let mut outcome = Err(DemoError::Interrupted);
    let while_up = async |engine: &Arc<Engine>| {
        say(&format!("The lab is up after {}.", story::time(started.elapsed())));
        outcome = prove().await;
        show(engine, options.tables).await;
        if !options.once {
            let commands = [
                "tapswitch show",
                "tapswitch conntrack list",
                "ip netns exec tapswitch-red ping 203.0.113.254",
            ];
            story::farewell(&options.socket, options.is_rootless, &commands);
            std::future::pending::<()>().await;
        }
    };
    let threads = ThreadOptions { workers: options.workers, ..ThreadOptions::default() };
    let threads = threads.over(&lab.settings);
    // A proof wants all of it.
    let how = HowToApply { strict: true, ..HowToApply::default() };
    serve(socket, stop, threads, (spec, how), while_up).await?;
    say("\nThe lab is gone, and its namespaces with it.");
    outcome
}

/// Makes every step.
async fn prove() -> Result<(), DemoError> {
    let scene = Arc::new(Scene::enter()?);
    let mut score = Score::default();
    score.prove(&scene, &scene::STEPS).await;
    score.verdict()
}

/// What the switch has learned from all that.
async fn show(engine: &Engine, tables: Tables) {
    story::listing("fdb list", &(tables.stations)(&engine.stations(None).await));
    story::listing("neigh list", &(tables.neighbors)(&engine.neighbors().await));
    // Nothing is named that could be missing.
    let flows = engine.flows(FlowFilter::default(), &FlowNames::default()).await;
    let flows = flows.unwrap_or_default();
    story::listing("conntrack list", &(tables.flows)(&flows));
}

/// The namespaces that a lab makes or enters by name.
fn names(lab: &Lab) -> Vec<&str> {
    let named = lab.ports.values().filter_map(|port| match port.attach.netns() {
        Some(Netns::Name(name)) => Some(name.as_str()),
        Some(Netns::Path(_) | Netns::Pid(_)) | None => None,
    });
    named.collect()
}

fn names_are_free(names: &[&str]) -> Result<(), DemoError> {
    let taken = netns::list().map_err(DemoError::Names)?;
    match names.iter().find(|name| taken.iter().any(|taken| taken == *name)) {
        Some(name) => Err(DemoError::Taken((*name).to_owned())),
        None => Ok(()),
    }
}
