//! `tapswitch demo`: a lab of two hosts, a gateway and an outside host that proves itself by traffic.
//!
//! It is the whole daemon in this process with a control socket of its own, so every other verb can look around while
//! it stays up. The proofs are made of sockets that are opened inside the namespaces; no other program is needed.
//! Whatever happens, what was made is gone at the end.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use os::{netns, privileges};

use crate::config::{self, Attach, Lab, LabSpec, Netns};
use crate::engine::Engine;
use crate::engine::views::{FlowEntry, NeighborEntry, StationView};
use crate::run::{ControlSocket, RunError, Stop, runtime, serve};

mod probe;
mod scene;
mod story;

use scene::Scene;
use story::say;

/// What `tapswitch demo` was told.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Leave when every step is done; otherwise stay until Ctrl-C.
    pub once: bool,
    /// Where the control API is served meanwhile.
    pub socket: PathBuf,
    /// Packet threads; as many as a daemon would have when left out.
    pub workers: Option<NonZeroU16>,
    /// How listings look: the command line's business.
    pub tables: Tables,
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
    Names(std::io::Error),
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
    let text = config::demo();
    let (spec, lab) = config::parse_spec(text.as_bytes(), "demo.toml").map_err(RunError::from)?;
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
    names_are_free(lab)?;
    story::introduction(config::demo());
    let started = Instant::now();
    let mut outcome = Err(DemoError::Interrupted);
    let while_up = async |engine: &Arc<Engine>| {
        say(&format!("The lab is up after {}.", story::time(started.elapsed())));
        outcome = prove().await;
        show(engine, options.tables).await;
        if !options.once {
            story::farewell(&options.socket);
            std::future::pending::<()>().await;
        }
    };
    serve(socket, stop, options.workers, spec, while_up).await?;
    say("\nThe lab is gone, and its namespaces with it.");
    outcome
}

/// Makes every step, also after one that failed.
async fn prove() -> Result<(), DemoError> {
    let scene = Arc::new(Scene::enter().map_err(|error| {
        say(&format!("\nFAILED: {error}"));
        DemoError::Failed { failed: scene::STEPS.len(), steps: scene::STEPS.len() }
    })?);
    let mut failed = 0;
    for (number, step) in (1..).zip(&scene::STEPS) {
        story::heading(number, step.title);
        for command in step.commands {
            say(&format!("$ {command}"));
        }
        let started = Instant::now();
        let scene = Arc::clone(&scene);
        let proof = tokio::task::spawn_blocking(move || (step.proof)(&scene)).await;
        let took = story::time(started.elapsed());
        match proof {
            Ok(Ok(lines)) => {
                lines.iter().for_each(|line| say(line));
                say(&format!("ok ({took})"));
            }
            Ok(Err(error)) => {
                failed += 1;
                say(&format!("FAILED after {took}: {error}"));
            }
            Err(panicked) => {
                failed += 1;
                say(&format!("FAILED after {took}: {panicked}"));
            }
        }
    }
    if failed == 0 { Ok(()) } else { Err(DemoError::Failed { failed, steps: scene::STEPS.len() }) }
}

/// What the switch has learned from all that.
async fn show(engine: &Engine, tables: Tables) {
    story::listing("fdb list", &(tables.stations)(&engine.stations(None).await));
    story::listing("neigh list", &(tables.neighbors)(&engine.neighbors().await));
    story::listing("conntrack list", &(tables.flows)(&engine.flows().await));
}

fn names_are_free(lab: &Lab) -> Result<(), DemoError> {
    let taken = netns::list().map_err(DemoError::Names)?;
    for port in lab.ports.values() {
        if let Attach::Netns(Netns::Name(name)) = &port.attach
            && taken.contains(name)
        {
            return Err(DemoError::Taken(name.clone()));
        }
    }
    Ok(())
}
