//! The judgement on a case: each difference is in the catalogue, and each entry of the catalogue
//! has shown itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::cases::GROUPS;
use super::catalogue::{CATALOGUE, Intended};
use super::decode::Row;
use super::flows::Flow;
use super::play::{Difference, Place, Told, both, differences};
use super::script::Case;
use super::side::{Plant, Side, arena};

/// Plays a group of cases through both routers; panics with every difference that is not in the
/// catalogue, and with every entry of the catalogue that should have shown itself and did not.
pub(crate) fn compare(title: &str) {
    let (_, setting, cases) = GROUPS.iter().find(|group| group.0 == title).unwrap();
    let Some(world) = arena() else { return };
    let [ours, kernel] = Side::both(&world, *setting, Plant::Nothing);
    let faults = faults(&ours, &kernel, &cases());
    assert!(faults.is_empty(), "{} faults\n\n{}", faults.len(), faults.join("\n"));
}

/// What is wrong with each case, as text.
pub(crate) fn faults(ours: &Side<'_>, kernel: &Side<'_>, cases: &[Case]) -> Vec<String> {
    let [ours, kernel] = both(ours, kernel, cases);
    let played = cases.iter().zip(ours.iter().zip(&kernel));
    played.flat_map(|(case, (ours, kernel))| judge(case, &differences(ours, kernel))).collect()
}

/// What is wrong with a case, given all that differs in it.
pub(crate) fn judge(case: &Case, differences: &[Difference]) -> Vec<String> {
    let expected = |entry: &&Intended| entry.cases.contains(&case.name);
    let mut shown = BTreeSet::new();
    let mut faults = Vec::new();
    for difference in differences {
        let mut entries = CATALOGUE.iter().filter(expected);
        match entries.find(|entry| (entry.recognise)(difference)) {
            Some(entry) => drop(shown.insert(entry.name)),
            None => faults.push(tell(case, difference)),
        }
    }
    for entry in CATALOGUE.iter().filter(expected).filter(|entry| !shown.contains(entry.name)) {
        faults.push(format!(
            "{}: both sides do the same, and the catalogue says in \"{}\" that they differ\n",
            case.name, entry.name
        ));
    }
    faults
}

/// A difference in words: the case, what was sent, and both sides beside each other.
fn tell(case: &Case, difference: &Difference) -> String {
    let mut text = match difference.place {
        Place::Wire(number, wire) => {
            let mut text = format!("{}: what leaves on {} differs\n", case.name, wire.name());
            for (at, step) in case.steps.iter().enumerate().take(number + 1) {
                let _ = writeln!(text, "  {} on {}: {}", at + 1, step.wire.name(), step.tell());
            }
            text
        }
        Place::Flows => format!("{}: the flows at the end differ\n", case.name),
    };
    let [ours, kernel] = &difference.packets;
    for at in 0..ours.len().max(kernel.len()) {
        beside(&mut text, &packet(ours.get(at)), &packet(kernel.get(at)));
    }
    let [ours, kernel] = &difference.flows;
    for at in 0..ours.len().max(kernel.len()) {
        beside(&mut text, &flow(ours.get(at)), &flow(kernel.get(at)));
    }
    text
}

fn packet(told: Option<&Told>) -> Vec<Row> {
    told.map_or_else(|| vec![("packet".to_owned(), "none".to_owned())], |told| told.rows.clone())
}

fn flow(flow: Option<&Flow>) -> Vec<Row> {
    match flow {
        Some(flow) => vec![
            ("flow".to_owned(), flow.text.clone()),
            ("seconds".to_owned(), flow.seconds.to_string()),
        ],
        None => vec![("flow".to_owned(), "none".to_owned())],
    }
}

/// Rows of both sides as a table: once where they are equal, marked where they are not.
fn beside(text: &mut String, ours: &[Row], kernel: &[Row]) {
    let fields = ours.iter().chain(kernel).map(|(field, _)| field.as_str());
    let mut told = BTreeSet::new();
    let _ = writeln!(text, "    {:<20} {:<44} kernel", "", "ours");
    for field in fields.filter(|field| told.insert(*field)) {
        let value = |rows: &[Row]| {
            let row = rows.iter().find(|(other, _)| other == field);
            row.map_or_else(|| "-".to_owned(), |(_, value)| value.clone())
        };
        let (ours, kernel) = (value(ours), value(kernel));
        let _ = match ours == kernel {
            true => writeln!(text, "    {field:<20} {ours}"),
            false => writeln!(text, "  ! {field:<20} {ours:<44} {kernel}"),
        };
    }
}
