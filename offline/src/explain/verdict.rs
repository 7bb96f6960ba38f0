//! What became of a frame, in one line.

use switch::Explanation;
use switch::trace::{Fate, Note, Part};

use super::names::Names;
use super::{name, number};
use crate::replay::label;
use control::explain::VerdictView;

pub(super) fn verdict(names: Names<'_>, explanation: &Explanation) -> VerdictView {
    let port = explanation.outcome.map_or_else(String::new, |(port, _)| names.port(port));
    let last = explanation.last;
    let mut view = VerdictView {
        passes: true,
        fate: "sent".to_owned(),
        reason: None,
        step: number(last),
        port,
        text: String::new(),
    };
    match explanation.fate() {
        Some(Ok(Fate::Sent)) => {
            view.text = format!("passes: it leaves on {}", ways(names, explanation))
        }
        Some(Ok(Fate::Held)) => {
            view.fate = "held".to_owned();
            view.text = format!("waits: {}", awaited(explanation));
        }
        Some(Ok(Fate::Consumed)) | None => {
            view.fate = "consumed".to_owned();
            view.text = "passes: it was for the switch itself".to_owned();
        }
        Some(Err(reason)) => {
            view.passes = false;
            view.fate = "dropped".to_owned();
            view.reason = Some(reason.name().to_owned());
            let meaning = reason.describe().trim();
            let (number, name) = (number(last), name(last));
            view.text = format!("dropped in step {number}, {name}: {reason}. {meaning}");
        }
    }
    view
}

/// The ways that all pieces of the frame take, each once.
fn ways(names: Names<'_>, explanation: &Explanation) -> String {
    let own = explanation.sent.iter().filter(|sent| sent.part == Part::Frame);
    let mut ways: Vec<String> = Vec::new();
    for copy in own.flat_map(|sent| &sent.copies) {
        let way = label(names.ids, copy.port, copy.remote);
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways.join(", ")
}

fn awaited(explanation: &Explanation) -> String {
    let hop = explanation.notes.iter().find_map(|(_, note)| match note {
        Note::Waits { address, is_own: false, .. } => Some(*address),
        _ => None,
    });
    hop.map_or_else(
        || "for the rest of its packet".to_owned(),
        |hop| format!("for the MAC address of {hop}, which has been asked for"),
    )
}
