//! Bytes that may be a lab file: a lab or sentences, and what is made of a lab.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nat::Rules;
use packet::Instant;
use switch::{Change, Outbox, Switch};

use crate::ids::Ids;
use crate::plan::{Device, Plan, Step};
use crate::{Lab, LabSpec, Name, Port, parse_spec};

/// Labs of one input: a longer one says nothing new.
const MOST: usize = 4;

/// Lab files, one behind another with a zero byte between. Each that is accepted is written back and read again, and the
/// plan from the one before is carried out on a model of the machine.
pub fn labfile(data: &[u8]) {
    let mut machine = Machine::default();
    for text in data.split(|byte| *byte == 0).take(MOST) {
        let Some((spec, lab)) = judge(text) else { continue };
        write_back(&spec, &lab);
        machine.become_lab(&lab);
    }
}

/// A machine that runs a lab: devices as they were made and altered, and a switch.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    lab: Lab,
    devices: BTreeMap<Name, Port>,
    ids: Ids,
    switch: Option<Switch>,
    told: Told,
}

impl Machine {
    /// Carries out the plan to another lab, step by step, and is then what that lab says.
    pub(crate) fn become_lab(&mut self, wanted: &Lab) {
        let plan = Plan::between(&self.lab, wanted);
        let mut lab = self.lab.clone();
        for step in plan.steps() {
            assert!(!step.to_string().contains(char::is_control), "{step}");
            let without_keys = step.to_string().ends_with(": ");
            assert!(!without_keys, "a step that says nothing: {step}");
            self.carry_out(step);
            step.apply_to(&mut lab);
        }
        assert_eq!(lab, *wanted, "{plan}");
        assert_eq!(plan.is_empty(), self.lab == *wanted, "{plan}");
        let changes = plan.changes(&self.lab, wanted, &mut self.ids);
        let mut switch = self.switch.take().unwrap_or_else(|| Switch::new(0));
        apply(&mut switch, changes, &mut self.told);
        let devices: Vec<_> = self.devices.values().map(device).collect();
        assert_eq!(devices, wanted.ports.values().map(device).collect::<Vec<_>>(), "{plan}");
        self.judge_switch(&switch, wanted, &plan);
        (self.switch, self.lab) = (Some(switch), lab);
    }

    fn carry_out(&mut self, step: &Step) {
        match step.device() {
            Some(Device::Make(port)) => drop(self.devices.insert(port.name.clone(), port.clone())),
            Some(Device::Alter { from, to }) => {
                let old = self.devices.insert(to.name.clone(), to.clone()).expect("a device");
                assert_eq!(device(&old), device(from), "{step}");
                let place = |port: &Port| (port.attach.clone(), port.device.clone(), port.offload);
                assert_eq!(place(from), place(to), "{step} moves a device");
            }
            Some(Device::Remove(port)) => drop(self.devices.remove(&port.name).expect("a device")),
            None => {}
        }
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

/// All that a device is.
fn device(port: &Port) -> impl PartialEq + core::fmt::Debug + use<> {
    let Port { name, attach, device, offload, mac, mtu, super_frame, address, gateway, .. } =
        port.clone();
    (name, attach, device, offload, mac, mtu, super_frame, address, gateway)
}

/// Every problem has a position inside the file, a subject without control characters, and a remedy.
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

/// The first inputs: the examples, the file with every key, and pairs of labs to go from one to the other.
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
