//! A comparison for people: two switches side by side, and a difference from both sides.

use compare::catalogue::CATALOGUE;
use compare::report::{Difference, Place, Report};

use super::Column::{Number, Text};
use super::{SCREEN, broken, table};

/// The whole result.
pub(crate) fn report(report: &Report) -> String {
    let mut parts = vec![heading(report)];
    parts.push(ports(report));
    if !report.stations.is_empty() {
        parts.push(stations(report));
    }
    parts.push(counts(report));
    if !report.intended.is_empty() {
        parts.push(intended(report));
    }
    parts.push(match &report.difference {
        Some(difference) => told(difference),
        None if report.equal => "equal".to_owned(),
        None => "different, but not when played again".to_owned(),
    });
    parts.join("\n\n")
}

/// The intended differences with their reasons.
pub(crate) fn catalogue() -> String {
    let entries = CATALOGUE.iter().map(|known| {
        let what = wrapped(known.what, "  ");
        let why = wrapped(&format!("because {}", known.why), "  ");
        format!("{}\n{what}\n{why}", known.name)
    });
    entries.collect::<Vec<_>>().join("\n\n")
}

fn heading(report: &Report) -> String {
    let scenarios = match report.scenarios {
        1 => "1 scenario".to_owned(),
        many => format!("{many} scenarios"),
    };
    let steps = report.steps;
    format!("tapswitch beside Open vSwitch {}: {scenarios}, {steps} steps", report.open_vswitch)
}

fn ports(report: &Report) -> String {
    let columns = [
        Text("port"),
        Text("vlans"),
        Number("came in"),
        Number("left, ours"),
        Number("theirs"),
        Text(""),
    ];
    let rows = report.ports.iter().map(|row| {
        let (came, ours, theirs) = (row.came, row.ours, row.theirs);
        let mode = cut(&row.mode, 30);
        let numbers = [came.to_string(), ours.to_string(), theirs.to_string()];
        let [came, left, right] = numbers;
        let mark = match (ours == theirs, report.equal) {
            (false, true) => "by intention".to_owned(),
            (same, _) => mark(same),
        };
        vec![row.port.clone(), mode, came, left, right, mark]
    });
    let last = if report.scenarios > 1 { " (of the last scenario)" } else { "" };
    format!("Frames{last}\n{}", table(&columns, rows.collect()))
}

fn stations(report: &Report) -> String {
    let columns = [Text("vlan"), Text("station"), Text("ours"), Text("theirs"), Text("")];
    // Those that differ first, then as many others as a screen takes.
    let mut rows: Vec<_> = report.stations.iter().collect();
    rows.sort_by_key(|row| row.ours == row.theirs);
    let differ = rows.iter().filter(|row| row.ours != row.theirs).count();
    let shown = differ.max(SHOWN).min(rows.len());
    let hidden = rows.len() - shown;
    let cells = rows.into_iter().take(shown).map(|row| {
        let same = mark(row.ours == row.theirs);
        let vlan = row.vlan.to_string();
        vec![vlan, row.mac.clone(), place(row.ours.as_ref()), place(row.theirs.as_ref()), same]
    });
    let mut text = format!("Stations\n{}", table(&columns, cells.collect()));
    if hidden > 0 {
        text.push_str(&format!("\n... and {hidden} more, the same on both sides"));
    }
    text
}

fn counts(report: &Report) -> String {
    let columns = [Text("counts"), Number("ours"), Number("theirs"), Text("")];
    let rows = report.counts.iter().map(|row| {
        let same = mark(row.ours == row.theirs);
        vec![row.name.to_owned(), row.ours.to_string(), row.theirs.to_string(), same]
    });
    table(&columns, rows.collect())
}

fn intended(report: &Report) -> String {
    let columns = [Text("intended"), Number("times"), Text("what")];
    let room = SCREEN - 28;
    let rows = report
        .intended
        .iter()
        .map(|row| vec![row.name.to_owned(), row.times.to_string(), cut(row.what, room)]);
    format!("{}\n(reasons: tapswitch compare ovs --catalogue)", table(&columns, rows.collect()))
}

fn told(difference: &Difference) -> String {
    let seed = difference.seed.map(|seed| format!(" of seed {seed}")).unwrap_or_default();
    let mut lines = vec![format!(
        "DIFFERENT ({}) at step {}{seed}; the shortest sequence that still differs:",
        difference.what, difference.found_at
    )];
    let steps = (1..).zip(&difference.steps);
    lines.extend(steps.map(|(number, step)| wrapped(&format!("{number}. {step}"), "  ")));
    for (side, words) in [("ours", &difference.ours), ("Open vSwitch", &difference.theirs)] {
        lines.push(format!("\n{side}:"));
        lines.extend(words.iter().map(|line| wrapped(line, "  ")));
    }
    lines.push("\nas a scenario file:".to_owned());
    lines.push(difference.scenario.trim_end().to_owned());
    lines.join("\n")
}

fn place(place: Option<&Place>) -> String {
    match place {
        Some(Place { port, age: Some(age) }) => format!("{port} ({age} s)"),
        Some(Place { port, age: None }) => format!("{port} (static)"),
        None => "-".to_owned(),
    }
}

fn mark(same: bool) -> String {
    if same { String::new() } else { "<- differs".to_owned() }
}

/// A text with its end cut off where it is longer than `room` characters.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(3)).collect();
    format!("{kept}...")
}

/// A text in lines that fit a screen, each behind `indent` and whatever the text begins with.
fn wrapped(text: &str, indent: &str) -> String {
    let blank: String = text.chars().take_while(|c| *c == ' ').collect();
    let indent = format!("{indent}{blank}");
    let room = SCREEN.saturating_sub(indent.len());
    let lines = broken(text, room, room.saturating_sub(2)).into_iter().enumerate();
    let lines = lines.map(|(at, line)| if at == 0 { line } else { format!("  {line}") });
    let lines = lines.map(|line| format!("{indent}{line}").trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// Stations listed when all are the same.
const SHOWN: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_at_blanks_and_commas() {
        let flow = format!("Flow: {}", ["dl_src=02:00:00:00:00:01"; 5].join(","));
        let text = wrapped(&flow, "  ");
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.len() <= 80), "{text}");
        assert_eq!(text.replace(['\n', ' '], ""), flow.replace(' ', ""));
        assert_eq!(wrapped("    -> dropping", "  "), "      -> dropping");
    }

    #[test]
    fn the_catalogue_fits_the_screen() {
        assert!(catalogue().lines().all(|line| line.chars().count() <= 80));
    }
}
