//! Bytes that may be a lab file: a lab or sentences, and what is made of a lab.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use nat::Rules;
use packet::Instant;
use switch::{Change, Outbox, Switch};

use crate::ids::Ids;
use crate::machine::{DeviceState, Drift, Machine};
use crate::plan::{Device, Plan, Step};
use crate::{Attach, Lab, LabSpec, Name, Port, parse_spec};

/// Labs of one input: a longer one says nothing new.
const MOST: usize = 4;

/// Lab files, one behind another with a zero byte between. Each that is accepted is written back
/// and read again, and the plan from the one before is carried out on a model of the machine, some
/// of whose devices somebody has damaged.
pub fn labfile(data: &[u8]) {
    let mut model = Model::default();
    let mut damage = digest(data);
    for text in data.split(|byte| *byte == 0).take(MOST) {
        let Some((spec, lab)) = judge(text) else { continue };
        write_back(&spec, &lab);
        model.become_lab(&lab);
        damage = model.damage(damage);
    }
}

/// A machine that runs a lab: devices as they were made, altered and damaged, and a switch.
#[derive(Debug, Default)]
pub(crate) struct Model {
    lab: Lab,
    devices: BTreeMap<Name, ModelDevice>,
    lost: BTreeSet<Name>,
    ids: Ids,
    switch: Option<Switch>,
    told: Told,
}

/// A device: what it was made for, and how it is.
#[derive(Clone, Debug)]
struct ModelDevice {
    port: Port,
    state: DeviceState,
}

impl ModelDevice {
    fn of(port: &Port) -> Self {
        Self { port: port.clone(), state: DeviceState::of(port) }
    }

    /// Sets what changes between two labs, and nothing else.
    fn alter(&mut self, from: &Port, to: &Port) {
        let (before, after) = (Self::of(from).state, Self::of(to).state);
        let state = &mut self.state;
        if before.mac != after.mac {
            state.mac = after.mac;
        }
        if before.mtu != after.mtu {
            state.mtu = after.mtu;
        }
        if before.super_frame != after.super_frame {
            state.super_frame = after.super_frame;
        }
        state.address.retain(|net| !before.address.contains(net) || after.address.contains(net));
        let new = after.address.iter().filter(|net| !before.address.contains(net));
        state.address.extend(new.copied().collect::<Vec<_>>());
        if (&before.gateway, &before.address) != (&after.gateway, &after.address) {
            assert!(state.up || after.gateway.is_none(), "a route over a device that is down");
            state.gateway = after.gateway;
        }
        self.port = to.clone();
    }

    fn mend(&mut self, drift: &Drift) {
        let state = &mut self.state;
        match drift {
            Drift::Name(_, name) => state.name = name.to_string(),
            Drift::Mac(_, mac) => state.mac = *mac,
            Drift::Mtu(_, mtu) => state.mtu = (*mtu).into(),
            Drift::SuperFrame(_, bytes) => state.super_frame = *bytes,
            Drift::Address(net) => state.address.push(*net),
            Drift::Down => state.up = true,
            Drift::NearDown => state.near_up = true,
            Drift::Gateway(_, gateway) => {
                assert!(state.up, "a route over a device that is down");
                assert!(state.address.iter().any(|net| net.contains(gateway)), "unreachable");
                state.gateway = Some(*gateway);
            }
            Drift::Master(_, master) => state.master = Some(master.to_string()),
        }
    }
}

impl Model {
    /// Carries out the plan to another lab, step by step, and is then what that lab says.
    pub(crate) fn become_lab(&mut self, wanted: &Lab) {
        let machine = Machine {
            devices: self
                .devices
                .iter()
                .map(|(name, it)| (name.clone(), it.state.clone()))
                .collect(),
            lost: self.lost.clone(),
        };
        let plan = Plan::on(&machine, &self.lab, wanted);
        let mut lab = self.lab.clone();
        for step in plan.steps() {
            assert!(!step.to_string().contains(char::is_control), "{step}");
            let without_keys = step.to_string().ends_with(": ");
            assert!(!without_keys, "a step that says nothing: {step}");
            self.carry_out(step);
            step.apply_to(&mut lab);
        }
        assert_eq!(lab, *wanted, "{plan}");
        let differs = machine.devices.iter().any(|(name, state)| {
            let port = self.lab.ports.get(name).filter(|port| !is_found(port));
            port.is_some_and(|port| !state.drift(port).is_empty())
        });
        let is_as_wanted = self.lab == *wanted && !differs && machine.lost.is_empty();
        assert_eq!(plan.is_empty(), is_as_wanted, "{plan}");
        let changes = plan.changes(&self.lab, wanted, &mut self.ids);
        let mut switch = self.switch.take().unwrap_or_else(|| Switch::new(0));
        apply(&mut switch, changes, &mut self.told);
        self.judge_devices(wanted, &plan);
        self.judge_switch(&switch, wanted, &plan);
        (self.switch, self.lab) = (Some(switch), lab);
    }

    fn carry_out(&mut self, step: &Step) {
        match step.device() {
            Some(Device::Make(port)) => {
                self.lost.remove(&port.name);
                self.devices.insert(port.name.clone(), ModelDevice::of(port));
            }
            Some(Device::Alter { from, to }) => {
                // What is lost is made as it will be.
                let Some(device) = self.devices.get_mut(&to.name) else {
                    assert!(self.lost.contains(&to.name), "{step}");
                    return;
                };
                let place = |port: &Port| (port.attach.clone(), port.device.clone(), port.offload);
                assert_eq!(place(from), place(to), "{step} moves a device");
                assert_eq!(place(&device.port), place(from), "{step}");
                device.alter(from, to);
            }
            Some(Device::Mend { port, drift }) => {
                let device = self.devices.get_mut(&port.name).expect("a device");
                drift.iter().for_each(|drift| device.mend(drift));
            }
            Some(Device::Remove(port)) => {
                let was_lost = self.lost.remove(&port.name);
                assert!(self.devices.remove(&port.name).is_some() != was_lost, "{step}");
            }
            None => {}
        }
    }

    /// Every device is what its port says.
    fn judge_devices(&self, wanted: &Lab, plan: &Plan) {
        assert!(self.lost.is_empty(), "{plan}");
        assert!(self.devices.keys().eq(wanted.ports.keys()), "{plan}");
        for (device, port) in self.devices.values().zip(wanted.ports.values()) {
            let made_for = |port: &Port| (port.attach.clone(), port.device.clone(), port.offload);
            assert_eq!(made_for(&device.port), made_for(port), "{plan}");
            if !is_found(port) {
                assert_eq!(device.state.drift(port), [], "{plan}");
            }
        }
    }

    /// What somebody does to devices: about half of them, each in one or two ways.
    pub(crate) fn damage(&mut self, mut seed: u32) -> u32 {
        let mut draw = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 24
        };
        for name in self.lab.ports.keys() {
            for _ in 0..draw() % 3 {
                let Some(ModelDevice { state, .. }) = self.devices.get_mut(name) else { continue };
                match draw() % 10 {
                    0 => (state.up, state.gateway) = (false, None),
                    1 => state.mac = packet::Mac([2, 0, 0, 0, 0, draw() as u8]),
                    2 => state.mtu = 68 + draw(),
                    3 => state.super_frame = 1_500 + draw(),
                    4 => (state.address, state.gateway) = (Vec::new(), None),
                    5 => state.gateway = state.gateway.map(|_| [192, 0, 2, draw() as u8].into()),
                    6 => state.master = (draw() % 2 == 0).then(|| "br-other".to_owned()),
                    7 => state.name = format!("other{}", draw()),
                    8 => state.near_up = false,
                    _ => {
                        self.devices.remove(name);
                        self.lost.insert(name.clone());
                    }
                }
            }
        }
        seed
    }

    /// The switch is as one that never was anything else, as far as that can be seen.
    fn judge_switch(&self, switch: &Switch, wanted: &Lab, plan: &Plan) {
        let mut ids = self.ids.clone();
        let fresh = Plan::between(&Lab::default(), wanted);
        let mut new = Switch::new(0);
        let mut told = Told::default();
        apply(&mut new, fresh.changes(&Lab::default(), wanted, &mut ids), &mut told);
        assert_eq!(self.told, told, "{plan}");
        assert_eq!(ids, self.ids, "{plan} leaves numbers to nobody");
        assert_eq!(switch.routes(), new.routes(), "{plan}");
        for (name, bridge) in self.ids.bridges() {
            let stations = |switch: &Switch| switch.stations(Instant::ZERO, bridge);
            assert_eq!(stations(switch), stations(&new), "{name}: {plan}");
        }
    }
}

/// What a switch was told last of each of its parts.
#[derive(Debug, Default, PartialEq)]
struct Told(BTreeMap<String, String>);

impl Told {
    fn hear(&mut self, change: &Change) {
        let (part, value) = match change {
            Change::SetBridge(id, settings) => (format!("{id:?}"), Some(format!("{settings:?}"))),
            Change::DeleteBridge(id) => (format!("{id:?}"), None),
            Change::SetPort(id, settings) => (format!("{id:?}"), Some(format!("{settings:?}"))),
            Change::DeletePort(id) => (format!("{id:?}"), None),
            Change::SetInterface(id, settings) => {
                (format!("{id:?}"), Some(format!("{settings:?}")))
            }
            Change::DeleteInterface(id) => (format!("{id:?}"), None),
            Change::SetRoute(route) => (route.to.to_string(), Some(format!("{route:?}"))),
            Change::DeleteRoute(to) => (to.to_string(), None),
            Change::SetRules(rules) if *rules == Rules::default() => {
                self.0.remove("SetRules");
                return;
            }
            // What becomes of it is seen in the switch.
            Change::PinStation(..) | Change::DeleteStation(..) => return,
            rest => {
                let text = format!("{rest:?}");
                let part = text.split([' ', '(']).next().unwrap_or_default();
                (part.to_owned(), Some(text.clone()))
            }
        };
        match value {
            Some(value) => drop(self.0.insert(part, value)),
            None => assert!(self.0.remove(&part).is_some(), "{change:?} of what is not there"),
        }
    }
}

fn apply(switch: &mut Switch, changes: Vec<Change>, told: &mut Told) {
    let mut out = Outbox::new(0);
    for change in changes {
        told.hear(&change);
        let outcome = switch.apply(Instant::ZERO, change.clone(), &mut out);
        assert_eq!(outcome, Ok(()), "the switch refuses a lab that was checked: {change:?}");
        out.drain(|_, _| {});
    }
}

/// Whether a port's device was there before it, and is as its owner wants it.
fn is_found(port: &Port) -> bool {
    matches!(port.attach, Attach::Interface(_))
}

/// Any number that depends on every byte.
fn digest(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |sum: u32, byte| sum.rotate_left(5) ^ u32::from(*byte).wrapping_mul(0x9e37))
}

/// Every problem has a position inside the file, a subject without control characters, and a
/// remedy.
pub fn judge(text: &[u8]) -> Option<(LabSpec, Lab)> {
    let error = match parse_spec(text, "lab.toml") {
        Ok(accepted) => return Some(accepted),
        Err(error) => error,
    };
    assert!(!error.problems().is_empty());
    let lines = text.split(|byte| *byte == b'\n').count();
    for problem in error.problems() {
        let position = problem.position.expect("a file has positions");
        assert!((1..=lines).contains(&position.line), "{error}");
        assert!(position.column >= 1);
        assert!(!problem.wrong.is_empty() && !problem.remedy.is_empty());
        assert!(!problem.to_string().contains(char::is_control), "{problem:?}");
    }
    None
}

/// As TOML and as JSON, it is the same lab again.
fn write_back(spec: &LabSpec, lab: &Lab) {
    let text = spec.to_toml().expect("what was read can be written");
    let (again, lab_again) =
        parse_spec(text.as_bytes(), "lab.toml").unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!((spec, lab), (&again, &lab_again), "{text}");
    let json = serde_json::to_string(spec).expect("what was read can be written");
    let again: LabSpec = serde_json::from_str(&json).expect("what was written can be read");
    assert_eq!(*spec, again, "{json}");
    assert_eq!(Lab::try_from(&again).as_ref(), Ok(lab), "{json}");
}

/// The first inputs: the examples, the file with every key, and pairs of labs to go from one to the
/// other.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read =
        |path: &str| fs::read(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let names = ["docker-bridge", "docker-bridge-225", "isolated", "single-namespace", "vlans"];
    let mut files: Vec<(String, Vec<u8>)> =
        names.map(|name| (name.to_owned(), read(&format!("../examples/{name}.toml")))).into();
    for name in ["host1", "host2", "stretched1", "underlay", "routed-underlay"] {
        files.push((name.to_owned(), read(&format!("../examples/two-hosts/{name}.toml"))));
    }
    files.push(("every_key".to_owned(), read("src/tests/every_key.toml")));
    let pair = |from: usize, to: usize| [&files[from].1[..], &files[to].1].join(&0);
    let pairs = [("renumbered", pair(0, 1)), ("tagged", pair(3, 4)), ("moved", pair(5, 6))];
    files.extend(pairs.map(|(name, bytes)| (name.to_owned(), bytes)));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_of_lab_files_holds() {
        lab::fuzz::replay("labfile", labfile);
    }
}
