//! Bytes that may be a lab file: a lab or sentences, and what is made of a lab.

use std::fs;
use std::path::Path;

use packet::Instant;
use switch::{Outbox, Switch};

use crate::changes;
use crate::ids::Ids;
use crate::plan::Plan;
use crate::{Lab, LabSpec, parse_spec};

/// Labs of one input: a longer one says nothing new.
const MOST: usize = 4;

/// Lab files, one behind another with a zero byte between. Each that is accepted is written back and read again, the
/// plan from the one before leads to it, and a switch takes it.
pub fn labfile(data: &[u8]) {
    let (mut running, mut ids, mut switch) = (Lab::default(), Ids::default(), Switch::new(0));
    let mut out = Outbox::new(0);
    for text in data.split(|byte| *byte == 0).take(MOST) {
        let Some((spec, lab)) = judge(text) else { continue };
        write_back(&spec, &lab);
        follow(&running, &lab);
        for change in changes::between(&running, &lab, &mut ids) {
            let outcome = switch.apply(Instant::ZERO, change.clone(), &mut out);
            assert_eq!(outcome, Ok(()), "the switch refuses a lab that was checked: {change:?}");
            out.drain(|_, _| {});
        }
        running = lab;
    }
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

/// The plan's steps, each a line for people, make of one lab the other.
fn follow(from: &Lab, to: &Lab) {
    let plan = Plan::between(from, to);
    let mut lab = from.clone();
    for step in plan.steps() {
        assert!(!step.to_string().contains(char::is_control), "{step}");
        step.apply_to(&mut lab);
    }
    assert_eq!(lab, *to, "{plan}");
    assert_eq!(plan.is_empty(), from == to, "{plan}");
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
