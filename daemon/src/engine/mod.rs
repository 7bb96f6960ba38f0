//! The running lab: makes the machine and the switch match what somebody wants, one change at a time.
//!
//! # Theory of operation
//! [`Engine::apply`] is the one way to change a lab; every verb is an edit of the running [`LabSpec`] followed by it.
//! It works in three stages, so that a failure leaves the running lab as it was:
//!
//! 1. *prepare*: what the plan's steps ask of the kernel (namespaces, devices, addresses) is made beside what runs; on an
//!    error it is undone and nothing else has happened;
//! 2. *switch*: what they ask of the switch is changed under one taking of its lock, so no packet sees half a lab;
//! 3. *settle*: new cables are plugged in, old ones are unplugged and their namespaces removed if they were made here.
//!
//! A port whose device or namespace vanishes is unplugged and shown as lost; the next apply makes it anew.

use std::collections::BTreeMap;
use std::io;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};

use os::blocking;
use os::underlay::UnderlayError;
use packet::{Instant, PortId};
use switch::{ChangeError, Notice};
use tokio::sync::Mutex;

use crate::dataplane::Dataplane;
use crate::panics::caught;
use control::message::{Changes, HowToApply, LostPort};
use labfile::machine::Drift;
use labfile::plan::{Device, Plan, Step};
use labfile::printable;
use labfile::{self, Attach, ConfigError, Lab, LabSpec, Name, Port, left_behind};

mod cable;
mod devices;
mod flows;
mod listings;
mod machine;
mod names;
mod outside;
mod places;
mod prepare;
mod renumber;
mod tables;
pub(crate) mod tunnels;

pub use cable::CableError;
use cable::FarEnd;
pub use flows::FlowNames;
use labfile::changes;
use labfile::ids::Ids;
use offline::listing::{notices, rows};
use places::Places;
use prepare::Prepared;
use tunnels::Senders;

/// Why a lab cannot be made what was wanted. The running lab is as it was, unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// What is wanted is no valid lab.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What is wanted names something that does not exist in the running lab.
    #[error("{0}")]
    Unknown(String),
    /// What is wanted to be new is there already, or what should go is still needed.
    #[error("{0}")]
    Conflict(String),
    /// What is wanted has nothing in it, and does not say that it means that.
    #[error(
        "the running lab has {0}, and what is to replace it has nothing: to take everything away, write `empty = true` \
         into it, or say `apply --empty` (`?empty=true`)"
    )]
    Empties(String),
    /// A port's far end cannot be made.
    #[error("port {port}: {}", printable::line(&error.to_string()))]
    Port {
        /// The port.
        port: Name,
        /// What stands in the way.
        error: CableError,
    },
    /// A tunnel's sockets cannot be had, or a remote not be reached.
    #[error("tunnel {tunnel}: {error}")]
    Tunnel {
        /// The tunnel.
        tunnel: Name,
        /// What stands in the way.
        error: UnderlayError,
    },
    /// A tunnel's path carries packets that are too small.
    #[error(
        "tunnel {tunnel}: the path to its remotes carries packets of {path} bytes, so {inner} inside, and the least is \
         {LEAST_INNER}: raise the MTU of the devices on the way"
    )]
    Narrow {
        /// The tunnel.
        tunnel: Name,
        /// What the path carries.
        path: u16,
        /// What is left inside.
        inner: u16,
    },
    /// The switch refused.
    #[error("the switch refuses: {0}")]
    Switch(#[from] ChangeError),
    /// A device's queues cannot be watched. The port is lost; all else is as wanted.
    #[error("port {port} cannot be watched: {error}")]
    Attach {
        /// The port.
        port: Name,
        /// The kernel's answer.
        error: io::Error,
    },
    /// Changes have come to their end.
    #[error("the daemon is ending and makes no more changes: start it again, and repeat this then")]
    Ending,
}

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

/// How a change is made.
#[derive(Clone, Copy, Debug, Default)]
struct How {
    /// Only the plan.
    dry_run: bool,
    /// A port that cannot be made refuses all of it.
    strict: bool,
    /// Devices that somebody else has changed are mended, also those of ports that the change is not about.
    mends: bool,
}

impl How {
    /// As a verb's edit: what it is not about stays as it is.
    const fn of_verb(dry_run: bool) -> Self {
        Self { dry_run, strict: true, mends: false }
    }
}

/// What became of a port's far end.
#[derive(Debug)]
enum State {
    Up(FarEnd),
    Lost(Loss),
}

/// Why a port has no device.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Loss {
    /// As a sentence.
    why: String,
    /// It is taken up again as soon as the device that it names is there, or its master.
    returns: bool,
}

impl Loss {
    /// What became of a device that was there.
    fn of_device(why: String, port: Option<&Port>) -> Self {
        let is_found = |port: &Port| matches!(port.attach, Attach::Interface(_));
        Self { why, returns: port.is_some_and(is_found) }
    }

    /// Why it cannot be made.
    fn of_making(error: &CableError, port: &Port) -> Self {
        let loss = Self::of_device(error.to_string(), Some(port));
        Self { returns: loss.returns || matches!(error, CableError::NoMaster { .. }), ..loss }
    }
}

impl Engine {
    /// An engine around a dataplane, running the empty lab.
    pub fn new(plane: Dataplane) -> Self {
        Self { plane, running: Mutex::new(Running::default()), ending: AtomicBool::new(false) }
    }

    /// From now on changes are refused, those that wait for their turn too, and one that is under way is given up
    /// where that undoes it as a whole.
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

    /// Makes the running lab what `wanted` says, and returns the plan that did it; with `dry_run`, only the plan. A port
    /// whose device cannot be made is lost, unless all or nothing is asked for. A lab that is not empty is emptied only
    /// by one that says so.
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

    /// Ends a record, takes everything away that was made, and leaves what was found as it was. Where a part of the
    /// daemon has panicked and the order no longer holds, everything goes without it.
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

    /// Looks after what became of the machine: see [`machine`].
    pub async fn look_around(&self) {
        let mut running = self.running.lock().await;
        self.look_at_machine(&mut running).await;
        self.look_for_returned(&mut running).await;
    }

    /// Takes up again the devices that somebody else deleted and made anew: nobody needs to ask for that.
    async fn look_for_returned(&self, running: &mut Running) {
        let waiting = running.ends.iter().filter_map(|(name, state)| {
            let State::Lost(loss) = state else { return None };
            let (Attach::Interface(device) | Attach::Host { master: Some(device) }) =
                &running.lab.ports.get(name)?.attach
            else {
                return None;
            };
            let is_back = running.places.own()?.named(device.as_str()).is_some();
            (loss.returns && is_back).then(|| (name.clone(), loss.clone()))
        });
        for (name, loss) in waiting.collect::<Vec<_>>() {
            if self.plug_again(running, name.clone()).await {
                tracing::info!("port {name} is back: its device is there again");
                self.take_its_address(running, &name).await;
            } else {
                // That it is not there yet says less than why it went.
                running.ends.insert(name, State::Lost(loss));
            }
        }
    }

    /// A device that came back with another MAC address, and takes frames for that one alone, is spoken for under it.
    async fn take_its_address(&self, running: &mut Running, name: &Name) {
        let (wanted, mut lab) = (running.spec.clone(), running.lab.clone());
        let judged = outside::judge(running, &wanted, &mut lab).await;
        let outcome = match judged {
            Ok(()) if lab == running.lab => return,
            Ok(()) => self.converge(running, wanted, How::default()).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::warn!("port {name} does not know its device's new MAC address: {error}");
        }
    }

    /// Looks whether a port's device is gone, as a worker says: it may speak of one that was replaced since.
    pub async fn device_gone(&self, port: PortId) {
        let mut running = self.running.lock().await;
        let Running { ids, ends, places, .. } = &mut *running;
        let name = ids.port_name(port);
        if let Some(State::Up(end)) = name.and_then(|name| ends.get(name)) {
            places.distrust(&end.netns);
            self.look_at_machine(&mut running).await;
        }
    }

    async fn lose(&self, running: &mut Running, name: &Name, why: String) {
        let loss = Loss::of_device(why, running.lab.ports.get(name));
        let remedy = match loss.returns {
            true => "it is taken up again when it is back",
            false => "apply the lab again to make it anew",
        };
        tracing::warn!("port {name} is lost: {}; {remedy}", loss.why);
        self.unplug(running, slice::from_ref(name)).await;
        running.ends.insert(name.clone(), State::Lost(loss));
    }

    async fn converge(
        &self,
        running: &mut Running,
        wanted: LabSpec,
        how: How,
    ) -> Result<Vec<String>, EngineError> {
        let mut lab = labfile::changed(&running.spec, &wanted)?;
        self.look_at_machine(running).await;
        self.measure(running, &mut lab).await?;
        outside::judge(running, &wanted, &mut lab).await?;
        let plan = Plan::on(&running.machine(&lab, how.mends), &running.lab, &lab);
        let mut more = left_behind(&running.lab, &lab);
        if running.lab != Lab::default() {
            more.extend(rows::at_restart(&running.lab.settings, &lab.settings));
        }
        let lines = |is_made: &dyn Fn(&Step) -> bool| {
            let steps = plan.steps().iter().filter(|step| is_made(step)).map(ToString::to_string);
            steps.chain(more).collect::<Vec<String>>()
        };
        if how.dry_run {
            return Ok(lines(&|_| true));
        }
        let opened = self.open_sockets(running, &lab)?;
        let prepared = match self.prepare(running, &lab, &plan, how.strict).await {
            Ok(prepared) => prepared,
            Err(error) => {
                self.close_again(running, opened);
                return Err(error);
            }
        };
        // A port that stays lost was not made again.
        let lines = lines(&|step| match step {
            Step::RestorePort(port) => prepared.iter().any(|made| made.name == port.name),
            _ => true,
        });
        let mut ids = running.ids.clone();
        let changes = plan.changes(&running.lab, &lab, &mut ids);
        let changes = match self.plane.prepare(changes) {
            Ok(changes) => changes,
            Err(refusal) => {
                // The lab was checked, so this is a fault of ours.
                self.discard(running, prepared).await;
                self.close_again(running, opened);
                return Err(refusal.into());
            }
        };
        let news = news(running, &plan, &prepared);
        let gone = plan.steps().iter().filter_map(|step| match step.device()? {
            Device::Remove(port) => Some(port.name.clone()),
            Device::Make(_) | Device::Alter { .. } | Device::Mend { .. } => None,
        });
        let gone: Vec<Name> = gone.collect();
        self.unplug(running, &gone).await;
        self.close_unused(running, &lab, &plan);
        running.places.leave(&gone.into_iter().collect()).await;
        if let Err(refusal) = self.plane.commit(changes) {
            // Of what depends on packets a plan asks nothing, so this is a fault of ours.
            self.discard(running, prepared).await;
            self.close_again(running, opened);
            return Err(refusal.into());
        }
        running.ids = ids;
        running.note_tunnels(&plan);
        running.lab = lab;
        // It says what it was for: parts that are added later do not contradict it.
        running.spec = LabSpec { empty: None, ..wanted };
        self.plane.record_names(|| names::of(running));
        let mut outcome = self.use_sockets(running, opened).map(|()| lines);
        let mut devices = Vec::with_capacity(prepared.len());
        for Prepared { name, end, queues } in prepared {
            devices.push((running.ids.port(&name), queues));
            running.ends.insert(name, State::Up(end));
        }
        for (port, error) in self.plane.attach(devices) {
            let Some(name) = running.ids.port_name(port).cloned() else { continue };
            let why = format!("it cannot be watched: {error}");
            let lost = State::Lost(Loss::of_device(why, running.lab.ports.get(&name)));
            tracing::warn!("port {name} is lost: it cannot be watched: {error}");
            if let Some(State::Up(end)) = running.ends.insert(name.clone(), lost) {
                end.remove().await;
            }
            if how.strict {
                outcome = Err(EngineError::Attach { port: name, error });
            }
        }
        self.plane.apply(changes::announcements(&running.lab, &news, &running.ids))?;
        outcome
    }

    /// Closes the devices of ports. The ports stay in their namespaces until they leave the lab.
    async fn unplug(&self, running: &mut Running, names: &[Name]) {
        let known = names.iter().filter_map(|name| running.ids.known_port(name.as_str()));
        // Waits for the workers to let go: some microseconds, or a batch's time.
        self.plane.detach(&known.collect::<Vec<_>>());
        for name in names {
            if let Some(State::Up(end)) = running.ends.remove(name) {
                end.remove().await;
            }
        }
    }
}

/// The ports whose far end is another station than before, for somebody who may remember: none when a daemon starts.
fn news(running: &Running, plan: &Plan, prepared: &[Prepared]) -> Vec<Name> {
    if running.lab == Lab::default() {
        return Vec::new();
    }
    let made = prepared.iter().map(|made| made.name.clone());
    let altered = plan.steps().iter().filter_map(|step| match step.device()? {
        Device::Alter { from, to } if (from.mac, &from.address) != (to.mac, &to.address) => {
            Some(to.name.clone())
        }
        Device::Mend { port, drift } if drift.iter().any(is_news) => Some(port.name.clone()),
        _ => None,
    });
    let mut news: Vec<Name> = made.chain(altered).collect();
    news.sort_unstable();
    news.dedup();
    news
}

/// Whether others may know the device under what it was before.
const fn is_news(drift: &Drift) -> bool {
    matches!(drift, Drift::Mac(..) | Drift::Address(_))
}

/// What a tunnel must carry inside: every host takes packets of 576 bytes (RFC 791 section 3.1).
const LEAST_INNER: u16 = 576;
