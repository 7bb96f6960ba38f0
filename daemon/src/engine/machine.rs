//! The machine as it is: the devices of every namespace that ports stand in, and what of them is
//! not as the lab says.
//!
//! # Theory of operation
//! Each namespace is read once and then again whenever its kernel has announced a change:
//! announcements wait in a socket until somebody asks, so what was changed before a listing or a
//! plan is in it. The engine asks ahead of each of them, and once a second; then a device that is
//! gone makes its port lost, a Linux bridge that came back under the name of a `master` gets its
//! port again, and what else differs is told once and mended by the next apply.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use os::links::{Link, LinkError, Links, Watch};
use os::netns::Netns;
use packet::Ipv4Net;

use super::cable::{CableError, FarEnd};
use super::places::Places;
use super::{Engine, Running, State, places};
use labfile::machine::{DeviceState, Drift, Machine, differs};
use labfile::{Attach, Device, Lab, Name, Port};

/// The devices of one namespace, as they were when it was last read.
#[derive(Debug)]
pub(super) struct DeviceTable {
    links: Arc<Links>,
    watch: Watch,
    /// Whether default routes are read too. In the daemon's own namespace they are nobody's
    /// business.
    has_routes: bool,
    is_stale: bool,
    devices: BTreeMap<u32, Link>,
    addresses: BTreeMap<u32, Vec<Ipv4Net>>,
    default_route: Option<(Ipv4Addr, u32)>,
    /// Devices that somebody moved away, by the index that they had, until ports were looked at.
    moved: BTreeSet<u32>,
    /// Whether it was told that it cannot be read.
    is_told: bool,
}

impl DeviceTable {
    /// Begins to watch a namespace, and reads it.
    pub(super) async fn open(netns: &Netns, has_routes: bool) -> Result<Self, CableError> {
        let watch = Watch::open(netns, has_routes)?;
        let mut table = Self {
            links: Arc::new(places::open(netns).await?),
            watch,
            has_routes,
            is_stale: true,
            devices: BTreeMap::new(),
            addresses: BTreeMap::new(),
            default_route: None,
            moved: BTreeSet::new(),
            is_told: false,
        };
        table.refresh().await?;
        Ok(table)
    }

    /// Netlink in it.
    pub(super) const fn links(&self) -> &Arc<Links> {
        &self.links
    }

    /// Whether it is enough for a port whose default route may count.
    pub(super) const fn shows(&self, has_routes: bool) -> bool {
        self.has_routes || !has_routes
    }

    /// Every device.
    pub(super) fn devices(&self) -> impl Iterator<Item = &Link> {
        self.devices.values()
    }

    /// The device with this name.
    pub(super) fn named(&self, name: &str) -> Option<&Link> {
        self.devices().find(|link| link.name == name)
    }

    /// The Linux bridge with this name.
    pub(super) fn bridge(&self, name: &str) -> Option<&Link> {
        self.named(name).filter(|link| link.kind.as_deref() == Some("bridge"))
    }

    /// The gateway and the device of the default route.
    pub(super) const fn default_route(&self) -> Option<(Ipv4Addr, u32)> {
        self.default_route
    }

    /// The moves were looked at.
    pub(super) fn forget_moved(&mut self) {
        self.moved.clear();
    }

    /// What became of a device that is not here any more.
    fn gone(&self, device: &Device, index: u32) -> Presence {
        Presence::Gone(match self.moved.contains(&index) {
            true => format!("device {device} was moved to another namespace"),
            false => format!("device {device} was deleted"),
        })
    }

    /// What was read may be wrong by now.
    pub(super) const fn distrust(&mut self) {
        self.is_stale = true;
    }

    /// Looks again if anything has changed. Where that fails, what was seen last stands until the
    /// next look.
    pub(super) async fn look(&mut self) {
        match self.refresh().await {
            Ok(()) => self.is_told = false,
            Err(error) if !self.is_told => {
                self.is_told = true;
                tracing::warn!("devices may be others than what is shown: {error}");
            }
            Err(_) => {}
        }
    }

    /// Reads everything again if anything has changed.
    async fn refresh(&mut self) -> Result<(), LinkError> {
        let news = self.watch.news();
        self.moved.extend(news.moved);
        if !news.is_changed && !self.is_stale {
            return Ok(());
        }
        self.is_stale = true;
        let devices = self.links.list().await?;
        // Whoever moved a device between the two looks has been announced by now.
        let since = self.watch.news();
        self.moved.extend(since.moved);
        self.devices = devices.into_iter().map(|link| (link.index, link)).collect();
        self.addresses.clear();
        for (index, net) in self.links.all_addresses().await? {
            self.addresses.entry(index).or_default().push(net);
        }
        if self.has_routes {
            self.default_route = self.links.default_route().await?;
        }
        self.is_stale = since.is_changed;
        Ok(())
    }
}

/// What became of a port's device.
enum Presence {
    Here(DeviceState),
    /// It, or the near end of its pair, is not; why, as a sentence.
    Gone(String),
}

impl Places {
    fn presence(&self, port: &Port, end: &FarEnd) -> Option<Presence> {
        let table = self.table(&end.netns)?;
        let Some(link) = table.devices.get(&end.index) else {
            return Some(table.gone(&port.device, end.index));
        };
        let near = match end.near {
            Some((_, index)) => {
                let own = self.own_table()?;
                match own.devices.get(&index) {
                    Some(near) => Some(near),
                    None => return Some(own.gone(&port.near_device()?, index)),
                }
            }
            None => None,
        };
        let mtu = match near {
            Some(near) if link.mtu == u32::from(port.mtu) => near.mtu,
            _ => link.mtu,
        };
        let master = link.master.and_then(|index| table.devices.get(&index));
        let gateway = table.default_route.filter(|(_, index)| *index == end.index);
        Some(Presence::Here(DeviceState {
            name: link.name.clone(),
            up: link.up,
            near_up: near.is_none_or(|near| near.up),
            mac: link.mac,
            mtu,
            super_frame: link.super_frame,
            address: table.addresses.get(&end.index).cloned().unwrap_or_default(),
            gateway: gateway.map(|(gateway, _)| gateway),
            master: master.map(|master| master.name.clone()),
        }))
    }
}

impl Running {
    /// A port's device as it is, if it has one.
    pub(super) fn device(&self, name: &Name) -> Option<DeviceState> {
        let (State::Up(end), port) = (self.ends.get(name)?, self.lab.ports.get(name)?) else {
            return None;
        };
        match self.places.presence(port, end)? {
            Presence::Here(state) => Some(self.with_shared_gateway(port, end, state)),
            Presence::Gone(_) => None,
        }
    }

    /// Where two ports of a namespace have a gateway, its one default route serves both.
    fn with_shared_gateway(
        &self,
        port: &Port,
        end: &FarEnd,
        mut state: DeviceState,
    ) -> DeviceState {
        let default = self.places.table(&end.netns).and_then(DeviceTable::default_route);
        if let Some((gateway, index)) = default
            && port.gateway.is_some()
            && state.gateway.is_none()
        {
            let is_anothers = self.ends.iter().any(|(name, other)| match other {
                State::Up(other) if other.index == index && other.netns == end.netns => {
                    self.lab.ports.get(name).is_some_and(|port| port.gateway == Some(gateway))
                }
                State::Up(_) | State::Lost(_) => false,
            });
            if is_anothers {
                state.gateway = port.gateway;
            }
        }
        state
    }

    /// What of a port's device is not as the lab says.
    pub(super) fn drift(&self, name: &Name) -> Vec<Drift> {
        let drift = self.device(name).and_then(|state| {
            let port = self.lab.ports.get(name)?;
            Some(state.drift(port))
        });
        drift.unwrap_or_default()
    }

    /// The devices that a plan to `wanted` has to mend: all, or those of ports that it changes
    /// anyway.
    pub(super) fn machine(&self, wanted: &Lab, all: bool) -> Machine {
        let is_meant = |name: &&Name| all || self.lab.ports.get(*name) != wanted.ports.get(*name);
        let up = self.lab.ports.keys().filter(is_meant);
        let lost = self.ends.iter().filter(|(_, state)| matches!(state, State::Lost(_)));
        Machine {
            devices: up.filter_map(|name| Some((name.clone(), self.device(name)?))).collect(),
            lost: lost.map(|(name, _)| name.clone()).collect(),
        }
    }
}

impl Engine {
    /// Reads again what has changed of the machine, and draws the conclusions: see the file's head.
    pub(super) async fn look_at_machine(&self, running: &mut Running) {
        running.places.refresh().await;
        let mut gone = Vec::new();
        for (name, state) in &running.ends {
            let (State::Up(end), Some(port)) = (state, running.lab.ports.get(name)) else {
                continue;
            };
            if !end.netns.still_exists() {
                gone.push((name.clone(), format!("{} vanished", end.netns)));
                continue;
            }
            match running.places.presence(port, end) {
                Some(Presence::Gone(why)) => gone.push((name.clone(), why)),
                Some(Presence::Here(_)) | None => {}
            }
        }
        running.places.forget_moved();
        for (name, why) in gone {
            self.lose(running, &name, why).await;
        }
        join_masters(running).await;
        running.tell_drift();
    }
}

/// Enslaves ports again whose `master` was made anew.
async fn join_masters(running: &mut Running) {
    let Running { ends, lab, places, .. } = running;
    let Some(own) = places.own_table() else { return };
    let mut joined = false;
    for (name, state) in ends.iter_mut() {
        let (State::Up(end), Some(port)) = (state, lab.ports.get(name)) else { continue };
        let Attach::Host { master: Some(master) } = &port.attach else { continue };
        let is_free = own.devices.get(&end.index).is_some_and(|link| link.master.is_none());
        let is_another = |bridge: &Link| Some(bridge.index) != end.master;
        if !is_free || !own.bridge(master.as_str()).is_some_and(is_another) {
            continue;
        }
        joined = true;
        match end.enslave(master.as_str()).await {
            Ok(()) => tracing::info!("port {name} is a port of {master} again, which is back"),
            Err(error) => tracing::warn!("port {name} cannot join {master} again: {error}"),
        }
    }
    if joined {
        places.refresh().await;
    }
}

impl Running {
    /// Says what differs on the machine by now, once.
    fn tell_drift(&mut self) {
        let names = self.lab.ports.keys();
        let drift: BTreeMap<Name, String> = names
            .map(|name| (name, self.drift(name)))
            .filter(|(_, drift)| !drift.is_empty())
            .map(|(name, drift)| (name.clone(), differs(&drift)))
            .collect();
        for (name, sentence) in &drift {
            if self.told_drift.get(name) != Some(sentence) {
                tracing::warn!("port {name} {sentence}; apply the lab again to mend it");
            }
        }
        for name in self.told_drift.keys() {
            if !drift.contains_key(name) && matches!(self.ends.get(name), Some(State::Up(_))) {
                tracing::info!("port {name} is as the lab says again");
            }
        }
        self.told_drift = drift;
    }
}
