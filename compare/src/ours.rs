//! Our side: the switch as `tapswitch run` would set it up, on a clock that only the scenario
//! turns.

use std::collections::BTreeSet;
use std::time::Duration;

use packet::{BridgeId, DropReason, Frame, Instant, PortId, VlanId};
use switch::view::{Location, StationOrigin};
use switch::{Change, Event, Outbox, Switch};

use super::error::CompareError;
use super::scenario::{Scenario, Step};
use super::side::{Copy, Counts, Forget, Known, Observed, Side};
use labfile::ids::Ids;
use labfile::plan::Plan;
use labfile::{Lab, Name};

/// The switch, its clock, and the lab it is now.
#[derive(Debug)]
pub struct Ours {
    switch: Switch,
    ids: Ids,
    lab: Lab,
    scenario: Option<Scenario>,
    plugged: BTreeSet<Name>,
    now: Instant,
    out: Outbox,
}

impl Default for Ours {
    fn default() -> Self {
        Self {
            switch: Switch::new(0),
            ids: Ids::default(),
            lab: Lab::default(),
            scenario: None,
            plugged: BTreeSet::new(),
            now: BEGINNING,
            out: Outbox::new(8),
        }
    }
}

impl Ours {
    /// Makes the switch the lab with the ports that are plugged in.
    fn match_lab(&mut self) -> Result<(), CompareError> {
        let Some(scenario) = &self.scenario else { return Ok(()) };
        let new = scenario.lab_with(|port| self.plugged.contains(port));
        let plan = Plan::between(&self.lab, &new);
        for change in plan.changes(&self.lab, &new, &mut self.ids) {
            self.apply(change)?;
        }
        self.lab = new;
        for name in &self.plugged {
            let up = Event::PortUp(self.ids.port(name));
            self.switch.step(self.now, up, &mut self.out);
        }
        Ok(())
    }

    fn apply(&mut self, change: Change) -> Result<(), CompareError> {
        let outcome = self.switch.apply(self.now, change, &mut self.out);
        outcome.map_err(CompareError::Change)
    }

    fn wait(&mut self, seconds: u32) {
        self.now += Duration::from_secs(seconds.into());
        while self.switch.next_timeout().is_some_and(|due| due <= self.now) {
            self.switch.step(self.now, Event::Timeout, &mut self.out);
        }
    }

    /// Gives the switch a frame; says why it ended, if it did.
    fn receive(&mut self, port: &Name, bytes: &[u8]) -> Option<DropReason> {
        let port = self.ids.port(port);
        let before = self.drops(port);
        let frame = Frame::copied_from(bytes);
        self.switch.step(self.now, Event::Frame { port, frame }, &mut self.out);
        let after = self.drops(port).into_iter();
        after.into_iter().find(|drop| !before.contains(drop)).map(|(reason, _)| reason)
    }

    fn drops(&self, of: PortId) -> Vec<(DropReason, u64)> {
        let drops = self.switch.drops().into_iter().filter(|(port, ..)| *port == of);
        drops.map(|(_, reason, count)| (reason, count)).collect()
    }

    fn egress(&mut self) -> Vec<Copy> {
        let (ids, mut egress) = (&self.ids, Vec::new());
        self.out.drain(|frame, copies| {
            for copy in copies {
                let mut frame = frame.clone();
                frame.set_tag(copy.tag);
                let fits = frame.push_tag();
                if let (true, Some(port)) = (fits, ids.port_name(copy.port)) {
                    egress.push(Copy { port: port.clone(), bytes: frame.bytes().to_vec() });
                }
            }
        });
        egress.sort_unstable();
        egress
    }

    fn stations(&self) -> Vec<Known> {
        let stations = self.switch.stations(self.now, self.bridge()).into_iter();
        let known = stations.filter_map(|station| {
            let Location::Port(port) = station.location else { return None };
            let learned = station.origin == StationOrigin::Learned;
            Some(Known {
                vlan: station.vlan.number(),
                mac: station.mac,
                port: self.ids.port_name(port)?.clone(),
                age: learned.then_some(station.age.as_secs()),
            })
        });
        known.collect()
    }

    fn bridge(&self) -> BridgeId {
        let name = self.scenario.as_ref().map(|scenario| scenario.bridge().name.as_str());
        let known = name.and_then(|name| self.ids.known_bridge(name));
        known.unwrap_or(BridgeId::new(0))
    }
}

impl Side for Ours {
    fn begin(&mut self, scenario: &Scenario) -> Result<(), CompareError> {
        *self = Self {
            scenario: Some(scenario.clone()),
            plugged: scenario.ports().map(|(name, _)| name.clone()).collect(),
            ..Self::default()
        };
        self.match_lab()
    }

    fn step(&mut self, step: &Step) -> Result<Observed, CompareError> {
        let mut dropped = None;
        match step {
            Step::Frame { port, bytes } if self.plugged.contains(port) => {
                dropped = self.receive(port, bytes);
            }
            Step::Frame { .. } => {}
            Step::Wait(seconds) => self.wait(*seconds),
            Step::Unplug(port) => {
                if self.plugged.remove(port) {
                    self.match_lab()?;
                }
            }
            Step::Plug(port) => {
                let known = self.scenario.as_ref().and_then(|s| s.membership(port)).is_some();
                if known && self.plugged.insert(port.clone()) {
                    self.match_lab()?;
                }
            }
            Step::Flush => self.forget(&Forget::All)?,
        }
        Ok(Observed { egress: self.egress(), stations: self.stations(), dropped })
    }

    fn counts(&mut self) -> Result<Counts, CompareError> {
        let counts = self.switch.fdb_counts(self.bridge()).map(|(_, _, counts)| counts);
        let counts = counts.unwrap_or_default();
        Ok(Counts {
            learned: counts.learned,
            expired: counts.expired,
            evicted: counts.evicted,
            moved: counts.moved,
        })
    }

    fn forget(&mut self, which: &Forget) -> Result<(), CompareError> {
        let bridge = self.bridge();
        match which {
            Forget::All => self.apply(Change::FlushStations(Some(bridge), None)),
            Forget::Some(stations) => stations.iter().try_for_each(|(vlan, mac)| {
                let vlan = VlanId::new(*vlan).unwrap_or_default();
                self.apply(Change::DeleteStation(bridge, vlan, *mac))
            }),
        }
    }
}

/// Any but zero, so that subtractions have room.
const BEGINNING: Instant = Instant::from_secs(1000);
