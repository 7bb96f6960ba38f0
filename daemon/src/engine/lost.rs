//! Ports that have lost their device, and those that get it back without being asked for.

use std::slice;

use packet::PortId;

use super::cable::CableError;
use super::{Engine, How, Running, State, outside};
use labfile::{Attach, Name, Port};

/// Why a port has no device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    /// As a sentence.
    pub(super) why: String,
    /// It is taken up again as soon as the device that it names is there, or its master.
    pub(super) returns: bool,
}

impl Loss {
    /// What became of a device that was there.
    pub(super) fn of_device(why: String, port: Option<&Port>) -> Self {
        let is_found = |port: &Port| matches!(port.attach, Attach::Interface(_));
        Self { why, returns: port.is_some_and(is_found) }
    }

    /// Why it cannot be made.
    pub(super) fn of_making(error: &CableError, port: &Port) -> Self {
        let loss = Self::of_device(error.to_string(), Some(port));
        Self { returns: loss.returns || matches!(error, CableError::NoMaster { .. }), ..loss }
    }
}

impl Engine {
    /// Looks after what became of the machine: see [`machine`].
    pub async fn look_around(&self) {
        let mut running = self.running.lock().await;
        self.look_at_machine(&mut running).await;
        self.look_for_returned(&mut running).await;
    }

    /// Takes up again the devices that somebody else deleted and made anew: nobody needs to ask for
    /// that.
    async fn look_for_returned(&self, running: &mut Running) {
        let waiting = running.ends.iter().filter_map(|(name, state)| {
            let State::Lost(loss) = state else { return None };
            let own = running.places.own_table()?;
            let found = match &running.lab.ports.get(name)?.attach {
                Attach::Interface(device) => own.named(device.as_str()),
                Attach::Host { master: Some(master) } => own.bridge(master.as_str()),
                Attach::Netns(_) | Attach::Veth(_) | Attach::Host { master: None } => None,
            };
            (loss.returns && found.is_some()).then(|| (name.clone(), loss.clone()))
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

    /// A device that came back with another MAC address, and takes frames for that one alone, is
    /// spoken for under it.
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

    /// Looks whether a port's device is gone, as a worker says: it may speak of one that was
    /// replaced since.
    pub async fn device_gone(&self, port: PortId) {
        let mut running = self.running.lock().await;
        let Running { ids, ends, places, .. } = &mut *running;
        let name = ids.port_name(port);
        if let Some(State::Up(end)) = name.and_then(|name| ends.get(name)) {
            places.distrust(&end.netns);
            self.look_at_machine(&mut running).await;
        }
    }

    pub(super) async fn lose(&self, running: &mut Running, name: &Name, why: String) {
        let loss = Loss::of_device(why, running.lab.ports.get(name));
        let remedy = match loss.returns {
            true => "it is taken up again when it is back",
            false => "apply the lab again to make it anew",
        };
        tracing::warn!("port {name} is lost: {}; {remedy}", loss.why);
        self.unplug(running, slice::from_ref(name)).await;
        running.ends.insert(name.clone(), State::Lost(loss));
    }
}
