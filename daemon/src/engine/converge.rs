//! One change of the running lab, from its plan to the last port plugged in: the three stages of
//! the engine's theory of operation.

use super::prepare::Prepared;
use super::{Engine, EngineError, Loss, Running, State, names, outside};
use labfile::machine::Drift;
use labfile::plan::{Device, Plan, Step};
use labfile::{self, Lab, LabSpec, Name, changes, left_behind};
use offline::listing::rows;

/// How a change is made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct How {
    /// Only the plan.
    pub(super) dry_run: bool,
    /// A port that cannot be made refuses all of it.
    pub(super) strict: bool,
    /// Devices that somebody else has changed are mended, also those of ports that the change is
    /// not about.
    pub(super) mends: bool,
}

impl How {
    /// As a verb's edit: what it is not about stays as it is.
    pub(super) const fn of_verb(dry_run: bool) -> Self {
        Self { dry_run, strict: true, mends: false }
    }
}

impl Engine {
    /// Makes machine and switch what `wanted` says; what was done for that, a line each.
    pub(super) async fn converge(
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
        let gone = removed(&plan);
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
        let used = self.use_sockets(running, opened);
        let plugged = self.plug_in(running, prepared, how.strict).await;
        self.plane.apply(changes::announcements(&running.lab, &news, &running.ids))?;
        plugged.and(used).map(|()| lines)
    }

    /// Gives devices that were made to the workers. One that cannot be watched is lost, and an error
    /// where that is asked for.
    async fn plug_in(
        &self,
        running: &mut Running,
        prepared: Vec<Prepared>,
        strict: bool,
    ) -> Result<(), EngineError> {
        let mut outcome = Ok(());
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
            if strict {
                outcome = Err(EngineError::Attach { port: name, error });
            }
        }
        outcome
    }

    /// Closes the devices of ports. The ports stay in their namespaces until they leave the lab.
    pub(super) async fn unplug(&self, running: &mut Running, names: &[Name]) {
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

/// The ports whose devices a plan removes.
fn removed(plan: &Plan) -> Vec<Name> {
    let gone = plan.steps().iter().filter_map(|step| match step.device()? {
        Device::Remove(port) => Some(port.name.clone()),
        Device::Make(_) | Device::Alter { .. } | Device::Mend { .. } => None,
    });
    gone.collect()
}

/// The ports whose far end is another station than before, for somebody who may remember: none when
/// a daemon starts.
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
