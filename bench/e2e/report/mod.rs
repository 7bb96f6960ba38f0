//! The outcome: for people tables of medians ([`tables`]), what it says about the targets
//! ([`targets`]) and a chart ([`chart`]), for programs JSON with every reading ([`json`]).

use std::fmt::Write as _;

use crate::campaign::Outcome;

pub(crate) mod chart;
mod figures;
pub(crate) mod json;
mod machine;
mod tables;
mod targets;

use machine::{congestion_control, kernel, processors};
use targets::{Found, Wanted};

/// Everything that people want to read, in 80 columns.
pub(crate) fn summary(outcome: &Outcome) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = render(outcome, &mut text);
    text
}

fn render(outcome: &Outcome, out: &mut String) -> std::fmt::Result {
    tables::write(outcome, out)?;
    writeln!(
        out,
        "\nrounds: {}, of {} s, {} processors, Linux {}, TCP {}. ratio: to `loop`,\n\
         of VXLAN to `vxlan-kernel`, median of the rounds' ratios. CPU: of the system's own\n\
         processes, s per GB of one stream and us per 64-byte frame that arrived.",
        outcome.rounds,
        outcome.secs,
        processors(),
        kernel(),
        congestion_control(),
    )?;
    write_targets(outcome, out)?;
    for (why, names) in &outcome.left_out {
        writeln!(out, "left out: {}\n          {why}", names.join(", "))?;
    }
    for line in &outcome.failed {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// A row for each target that this run or this machine says something about, and how many it does
/// not reach.
fn write_targets(outcome: &Outcome, out: &mut String) -> std::fmt::Result {
    let judged: Vec<_> = targets::judge(outcome).collect();
    let is_open = |found: &Found| matches!(found, Found::NotMeasured(_));
    let open = judged.iter().filter(|(_, found)| is_open(found)).count();
    if !judged.iter().any(|(_, found)| matches!(found, Found::Figure { .. })) {
        return Ok(());
    }
    writeln!(out, "\n{:<38}{:>8}{:>8}", "target", "wanted", "got")?;
    for (target, found) in judged {
        let wanted = match target.wanted {
            Wanted::AtLeast(number) => format!(">= {number:.2}"),
            Wanted::AtMost(number) => format!("<= {number:.2}"),
        };
        match found {
            Found::Figure { got, met, without } => {
                let verdict = if met { "met" } else { "missed" };
                write!(out, "{:<37}{wanted:>9}{got:>8.2}  {verdict}", target.what)?;
                let without = without.join(", ");
                let note = if without.is_empty() { "" } else { ", without " };
                writeln!(out, "{note}{without}")?;
            }
            Found::BeyondMachine(why) => {
                writeln!(out, "{:<37}{wanted:>9}{:>8}  {why}", target.what, "-")?;
            }
            Found::NotMeasured(_) => {}
        }
    }
    if open > 0 {
        writeln!(out, "{open} targets need more systems or loads than this run had")?;
    }
    writeln!(out)
}
