//! The running lab: makes the machine and the switch match what somebody wants, one change at a
//! time.
//!
//! # Theory of operation
//! A lab is changed by [`Engine::apply`], which is given a whole one, and by [`Engine::edit`], which
//! is given what a verb alters in the running [`LabSpec`]. Both converge in three stages. A failure
//! in the first leaves the running lab as it was:
//!
//! 1. *prepare*: what the plan's steps ask of the kernel (namespaces, devices, addresses) is made
//!    or altered, and the switch is asked whether it takes what is asked of it; on an error it is
//!    undone;
//! 2. *switch*: cables that go are unplugged, their namespaces removed if they were made here, and
//!    the switch is changed under one taking of its lock, so no packet sees half a lab;
//! 3. *settle*: new cables are plugged in. What cannot be watched by a worker here is lost, or an
//!    error of a lab that has changed.
//!
//! A port whose device or namespace vanishes is unplugged and shown as lost. An existing device, and
//! one below a Linux bridge, is taken up again when it is back; any other is made anew by the next
//! apply.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use os::blocking;
use packet::Instant;
use switch::Notice;
use tokio::sync::Mutex;

use crate::dataplane::Dataplane;
use crate::panics::caught;
use control::message::{Changes, HowToApply, LostPort};
use labfile::ids::Ids;
use labfile::{Lab, LabSpec, Name};
use offline::listing::notices;

mod cable;
mod converge;
mod error;
mod flows;
mod listings;
mod lost;
mod machine;
mod names;
mod outside;
mod places;
mod prepare;
mod renumber;
mod tables;
pub(crate) mod tunnels;
mod warnings;

pub use cable::CableError;
use cable::FarEnd;
use converge::How;
pub use error::EngineError;
use error::LEAST_INNER;
pub use flows::FlowNames;
use lost::Loss;
use places::Places;
use tunnels::Senders;

/// The running lab. Cheap to share; changes wait for each other.
#[derive(Debug)]
pub struct Engine {
    plane: Dataplane,
    running: Mutex<Running>,
    ending: AtomicBool,
}

#[derive(Debug, Default)]
struct Running {
    spec: LabSpec,
    lab: Lab,
    ids: Ids,
    ends: BTreeMap<Name, State>,
    places: Places,
    senders: Senders,
    /// When each tunnel was made.
    tunnels_made: BTreeMap<Name, Instant>,
    /// What was told last of ports whose devices differ.
    told_drift: BTreeMap<Name, String>,
}

impl Running {
    /// The ports that are lost, and why.
    fn lost(&self) -> Vec<LostPort> {
        let lost = self.ends.iter().filter_map(|(name, state)| match state {
            State::Lost(loss) => Some(LostPort { port: name.to_string(), why: loss.why.clone() }),
            State::Up(_) => None,
        });
        lost.collect()
    }
}

/// What became of a port's far end.
#[derive(Debug)]
enum State {
    Up(FarEnd),
    Lost(Loss),
}

impl Engine {
    /// An engine around a dataplane, running the empty lab.
    pub fn new(plane: Dataplane) -> Self {
        Self { plane, running: Mutex::new(Running::default()), ending: AtomicBool::new(false) }
    }

    /// From now on changes are refused, those that wait for their turn too, and one that is under
    /// way is given up where that undoes it as a whole.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    fn goes_on(&self) -> Result<(), EngineError> {
        if self.ending.load(Ordering::Acquire) { Err(EngineError::Ending) } else { Ok(()) }
    }

    /// A notice of the running switch as a sentence.
    pub async fn say(&self, notice: Notice) -> String {
        notices::say(&self.running.lock().await.ids, notice)
    }

    /// The packet path.
    pub const fn plane(&self) -> &Dataplane {
        &self.plane
    }

    /// What the running lab was written as.
    pub async fn spec(&self) -> LabSpec {
        self.running.lock().await.spec.clone().explicit()
    }

    /// Makes the running lab what `wanted` says, and returns the plan that did it; with `dry_run`,
    /// only the plan. A port whose device cannot be made is lost, unless all or nothing is
    /// asked for. A lab that is not empty is emptied only by one that says so.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub async fn apply(&self, wanted: LabSpec, how: HowToApply) -> Result<Changes, EngineError> {
        let mut running = self.running.lock().await;
        self.goes_on()?;
        if wanted.is_bare() && !wanted.says_empty() && !running.spec.is_bare() {
            return Err(EngineError::Empties(running.lab.summary()));
        }
        let HowToApply { dry_run, strict, empty: _ } = how;
        let changes =
            self.converge(&mut running, wanted, How { dry_run, strict, mends: true }).await?;
        let lost = if how.dry_run { Vec::new() } else { running.lost() };
        Ok(Changes { changes, lost })
    }

    /// The ports of the running lab that are lost, and how many it has in all.
    pub async fn lost(&self) -> (Vec<LostPort>, usize) {
        let running = self.running.lock().await;
        (running.lost(), running.lab.ports.len())
    }

    /// Edits what the running lab was written as, and applies the result.
    ///
    /// # Errors
    /// What `edit` says, or as [`Engine::apply`].
    pub async fn edit(
        &self,
        dry_run: bool,
        edit: impl FnOnce(&mut LabSpec) -> Result<(), EngineError>,
    ) -> Result<Vec<String>, EngineError> {
        let mut running = self.running.lock().await;
        self.goes_on()?;
        let mut wanted = running.spec.clone();
        edit(&mut wanted)?;
        self.converge(&mut running, wanted, How::of_verb(dry_run)).await
    }

    /// Ends a record, takes everything away that was made, and leaves what was found as it was.
    /// Where a part of the daemon has panicked and the order no longer holds, everything goes
    /// without it.
    pub async fn shut_down(&self) {
        self.end();
        let mut running = self.running.lock().await;
        let in_order = async {
            // There need not be one.
            let _ = blocking(|| self.plane.stop_record("the daemon ended"));
            self.converge(&mut running, LabSpec::default(), How::default()).await
        };
        match caught(in_order).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!("the lab cannot be taken down in order: {error}"),
            Err(panicked) => tracing::error!("the lab cannot be taken down in order: {panicked}"),
        }
        // Nothing is left unless that went wrong, or a change has panicked before.
        self.plane.close_all();
        for (_, state) in core::mem::take(&mut running.ends) {
            if let State::Up(end) = state {
                end.remove().await;
            }
        }
        running.places.clear().await;
    }
}
