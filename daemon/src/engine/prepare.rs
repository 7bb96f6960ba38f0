//! The first stage of a change: everything that the kernel may refuse is made beside what runs, or
//! undone.

use std::collections::BTreeMap;
use std::slice;

use super::cable::{CableError, FarEnd};
use super::{Engine, EngineError, Loss, Running, State};
use crate::dataplane::{self, Queue};
use labfile::machine::Drift;
use labfile::plan::{Device, Plan};
use labfile::{Lab, Name, Port};

/// A far end that is made and not plugged in yet.
pub(super) struct Prepared {
    pub(super) name: Name,
    pub(super) end: FarEnd,
    pub(super) queues: Vec<Queue>,
}

/// What was done until now, to be undone when the rest cannot be.
#[derive(Default)]
struct Undo {
    prepared: Vec<Prepared>,
    /// Ports as they were, and as their devices are now.
    altered: Vec<(Port, Port)>,
    /// What of ports' devices somebody else had changed.
    mended: Vec<(Name, Drift)>,
    unplugged: Vec<Name>,
    /// Ports whose device could not be made, and why they were lost before if they were.
    lost: Vec<(Name, Option<Loss>)>,
}

fn failed(port: &Name, error: CableError) -> EngineError {
    EngineError::Port { port: port.clone(), error }
}

impl Engine {
    /// Carries out what the steps of a plan ask of devices that are made, altered or mended.
    pub(super) async fn prepare(
        &self,
        running: &mut Running,
        lab: &Lab,
        plan: &Plan,
        strict: bool,
    ) -> Result<Vec<Prepared>, EngineError> {
        let mut undo = Undo::default();
        let outcome = self.prepare_all(running, lab, plan, strict, &mut undo).await;
        let Undo { prepared, altered, mended, unplugged, lost } = undo;
        if let Err(error) = outcome {
            self.discard(running, prepared).await;
            for (name, before) in lost {
                match before {
                    Some(loss) => drop(running.ends.insert(name, State::Lost(loss))),
                    None => drop(running.ends.remove(&name)),
                }
            }
            let new = lab.ports.keys().filter(|name| !running.lab.ports.contains_key(*name));
            running.places.leave(&new.cloned().collect()).await;
            for (from, to) in altered.into_iter().rev() {
                if let Some(State::Up(end)) = running.ends.get_mut(&to.name)
                    && let Err(error) = end.alter(&to, &from).await
                {
                    tracing::warn!("port {} cannot be put back as it was: {error}", to.name);
                }
            }
            for (name, drift) in mended.into_iter().rev() {
                if let Some(State::Up(end)) = running.ends.get_mut(&name)
                    && let Err(error) = end.put_back(&drift).await
                {
                    tracing::warn!("port {name} cannot be put back as it was found: {error}");
                }
            }
            for name in unplugged {
                if !self.plug_again(running, name.clone()).await {
                    tracing::error!("port {name} cannot be put back as it was");
                }
            }
            return Err(error);
        }
        Ok(prepared)
    }

    async fn prepare_all(
        &self,
        running: &mut Running,
        lab: &Lab,
        plan: &Plan,
        strict: bool,
        undo: &mut Undo,
    ) -> Result<(), EngineError> {
        let mut made: BTreeMap<&Name, &Port> = BTreeMap::new();
        for step in plan.steps() {
            match step.device() {
                Some(Device::Make(port)) => drop(made.insert(&port.name, port)),
                Some(Device::Alter { from, to }) => {
                    self.goes_on()?;
                    let Some(State::Up(end)) = running.ends.get_mut(&to.name) else { continue };
                    undo.altered.push((from.clone(), to.clone()));
                    end.alter(from, to).await.map_err(|error| failed(&to.name, error))?;
                }
                Some(Device::Mend { port, drift }) => {
                    self.goes_on()?;
                    let Some(State::Up(end)) = running.ends.get_mut(&port.name) else { continue };
                    for drift in drift {
                        end.mend(drift).await.map_err(|error| failed(&port.name, error))?;
                        undo.mended.push((port.name.clone(), drift.clone()));
                    }
                }
                Some(Device::Remove(_)) | None => {}
            }
        }
        for (name, port) in made {
            self.goes_on()?;
            // The old device may have the name that the new one needs.
            if matches!(running.ends.get(name), Some(State::Up(_))) {
                self.unplug(running, slice::from_ref(name)).await;
                undo.unplugged.push(name.clone());
            }
            let made = self.make(running, port, self.queues(lab)).await;
            // A port that was lost and that nobody changed may stay lost: other changes do not wait
            // for it.
            if let (Err(error), Some(State::Lost(loss))) = (&made, running.ends.get_mut(name))
                && running.lab.ports.get(name) == Some(port)
            {
                let now = Loss::of_making(error, port);
                if *loss != now {
                    tracing::warn!("port {name} stays lost: {error}");
                    *loss = now;
                }
                continue;
            }
            match made {
                Ok((end, queues)) => {
                    undo.prepared.push(Prepared { name: name.clone(), end, queues });
                }
                Err(error) if strict || error.is_of_the_machine() => {
                    return Err(failed(name, error));
                }
                Err(error) => {
                    tracing::warn!("port {name} is lost: {error}");
                    let lost = State::Lost(Loss::of_making(&error, port));
                    let before = match running.ends.insert(name.clone(), lost) {
                        Some(State::Lost(loss)) => Some(loss),
                        Some(State::Up(_)) | None => None,
                    };
                    undo.lost.push((name.clone(), before));
                }
            }
        }
        Ok(())
    }

    /// Makes a port again as the running lab has it; whether that went well.
    pub(super) async fn plug_again(&self, running: &mut Running, name: Name) -> bool {
        let Some(port) = running.lab.ports.get(&name).cloned() else { return false };
        let queues = self.queues(&running.lab);
        let state = match self.make(running, &port, queues).await {
            Ok((end, queues)) => {
                let refused = self.plane.attach(vec![(running.ids.port(&name), queues)]);
                match refused.into_iter().next() {
                    None => State::Up(end),
                    Some((_, error)) => {
                        end.remove().await;
                        let why = format!("it cannot be watched: {error}");
                        State::Lost(Loss::of_device(why, Some(&port)))
                    }
                }
            }
            Err(error) => State::Lost(Loss::of_making(&error, &port)),
        };
        let is_up = matches!(state, State::Up(_));
        running.ends.insert(name, state);
        is_up
    }

    /// How many queues a TAP that is made for this lab gets: one a worker, so that the flows of one
    /// port can use every core. Where there are many ports, ports are spread over the workers,
    /// and the kernel's price for several queues (see [`os::tap::Options`]) would be gigabytes.
    fn queues(&self, lab: &Lab) -> usize {
        if lab.ports.len() > MANY_PORTS { 1 } else { self.plane.queues() }
    }

    /// Makes the far end of a port, in a namespace that is made where there is none.
    async fn make(
        &self,
        running: &mut Running,
        port: &Port,
        queues: usize,
    ) -> Result<(FarEnd, Vec<Queue>), CableError> {
        let site = running.places.enter(port).await?;
        FarEnd::make(port, site, queues).await
    }

    /// Takes far ends away that were made for a change that failed: devices go with their queues,
    /// and ports that the running lab does not have leave their namespaces.
    pub(super) async fn discard(&self, running: &mut Running, prepared: Vec<Prepared>) {
        let names = prepared.iter().map(|prepared| prepared.name.clone());
        let new = names.filter(|name| !running.lab.ports.contains_key(name)).collect();
        let (ends, queues): (Vec<_>, Vec<_>) =
            prepared.into_iter().map(|prepared| (prepared.end, prepared.queues)).unzip();
        dataplane::close(queues);
        for end in ends {
            end.remove().await;
        }
        running.places.leave(&new).await;
    }
}

/// Ports beyond which a new one gets a single queue: up to here the kernel's memory for queues is
/// at most 400 MB.
const MANY_PORTS: usize = 64;
