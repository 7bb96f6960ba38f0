//! A replay for people: a line for each frame, then what came of all.

use offline::replay::{Account, Carried, Cause, Fate, Part, Sent, Summary, Verdict};

use super::{Column, counters, table, tables};
use Column::{Number, Text};

/// What became of one frame, or of one moment: a line, and one more for each thing beside it.
/// `width` is that of the longest input's name.
pub(crate) fn account(account: &Account, width: usize, in_words: bool) -> String {
    let width = width.max("timer".len());
    let seconds = account.at / 1_000_000_000;
    let time = format!("{seconds}.{:06}", account.at % 1_000_000_000 / 1000);
    let mut lines = Vec::new();
    let (own, others): (Vec<&Sent>, Vec<&Sent>) =
        account.sent.iter().partition(|sent| sent.part == Part::Frame);
    let name = match &account.cause {
        Cause::Start => "start",
        Cause::Timer => "timer",
        Cause::Frame(arrival) => &arrival.input,
        Cause::Change(_) => "change",
    };
    let mut line = format!("{time:>12}  {name:width$}");
    if let Cause::Change(words) = &account.cause {
        line += &format!("           {words}");
    }
    if let Cause::Frame(arrival) = &account.cause {
        line += &format!("  {:>5} B  ", arrival.bytes);
        line += &match &account.fate {
            Some(Fate::Sent) => format!("-> {}", ways(&own)),
            Some(Fate::Held) => "held".to_owned(),
            Some(Fate::Consumed) => "consumed".to_owned(),
            Some(Fate::Dropped { reason, meaning }) => format!("dropped: {reason} ({meaning})"),
            None => String::new(),
        };
        if arrival.truncated {
            line += " (cut by the capture)";
        }
        lines.push(line);
        if in_words {
            lines.push(format!("{:indent$}{}", "", arrival.words, indent = 14 + width + 11));
        }
    } else {
        lines.push(line);
    }
    let beside = |text: String| format!("{:indent$}{text}", "", indent = 14 + width + 2);
    for sent in others {
        let verb = if sent.part == Part::Spoken { "says" } else { "sends what waited" };
        let words = if in_words { format!(": {}", sent.words) } else { String::new() };
        lines.push(beside(format!("{:>5} B  {verb} -> {}{words}", sent.bytes, sent.to.join(", "))));
    }
    for drop in &account.drops {
        let times = if drop.frames > 1 { format!("{} times ", drop.frames) } else { String::new() };
        let also =
            format!("also dropped {times}at {}: {} ({})", drop.port, drop.reason, drop.meaning);
        lines.push(beside(format!("         {also}")));
    }
    lines.extend(account.notices.iter().map(|notice| beside(format!("         {notice}"))));
    lines.join("\n")
}

/// The ways that all pieces of a frame took, each once.
fn ways(sent: &[&Sent]) -> String {
    let mut ways: Vec<&str> = Vec::new();
    for way in sent.iter().flat_map(|sent| &sent.to) {
        if !ways.contains(&way.as_str()) {
            ways.push(way);
        }
    }
    let pieces = if sent.len() > 1 { format!(" in {} pieces", sent.len()) } else { String::new() };
    ways.join(", ") + &pieces
}

/// What came of all: counts, drops, and the tables that are not empty.
pub(crate) fn summary(summary: &Summary) -> String {
    let mut parts = vec![inputs(&summary.inputs), counters::stats(&summary.stats)];
    parts.push(equation(summary));
    if !summary.drops.is_empty() {
        parts.push(counters::drops(&summary.drops));
    }
    let titled = |title: &str, text: String| format!("{title}:\n{text}");
    if !summary.fdb.is_empty() {
        parts.push(titled("fdb", tables::stations(&summary.fdb)));
    }
    if !summary.neighbors.is_empty() {
        parts.push(titled("neigh", tables::neighbors(&summary.neighbors)));
    }
    if !summary.conntrack.is_empty() {
        parts.push(titled("conntrack", tables::flows(&summary.conntrack)));
    }
    if !summary.unknown_vteps.is_empty() {
        parts.push(titled("unknown VTEPs", tables::unknown_vteps(&summary.unknown_vteps)));
    }
    if let Some(Verdict { ended: Some(why), equal, differences }) = &summary.record {
        let verdict = match equal {
            Some(true) => "equal to the live run: every count and every table",
            _ => "not equal to the live run:",
        };
        parts.push(
            format!("the record ended: {why}\n{verdict}\n{}", differences.join("\n"))
                .trim()
                .to_owned(),
        );
    }
    if !summary.files.is_empty() {
        parts.push(titled("written", summary.files.join("\n")));
    }
    parts.join("\n\n")
}

fn inputs(inputs: &[Carried]) -> String {
    let columns =
        [Text("input"), Text("file"), Number("frames"), Number("bytes"), Number("truncated")];
    let row = |carried: &Carried| {
        vec![
            carried.input.clone(),
            carried.file.clone(),
            carried.frames.to_string(),
            carried.bytes.to_string(),
            carried.truncated.to_string(),
        ]
    };
    table(&columns, inputs.iter().map(row).collect())
}

/// That every frame is accounted for, in figures.
fn equation(summary: &Summary) -> String {
    let total = |name: &str| summary.stats.totals.get(name).copied().unwrap_or_default();
    let [received, sent, held, consumed, dropped] =
        ["received", "sent", "held", "consumed", "dropped"].map(total);
    let sign = if received == sent + held + consumed + dropped { "=" } else { "is not" };
    format!(
        "{received} received {sign} {sent} sent + {held} held + {consumed} consumed + {dropped} dropped, in {}.{:06} s",
        summary.span / 1_000_000_000,
        summary.span % 1_000_000_000 / 1000
    )
}

#[cfg(test)]
mod tests {
    use offline::replay::Arrival;

    use super::*;

    fn arrival(fate: Fate, sent: Vec<Sent>) -> Account {
        Account {
            at: 1_000_123_999,
            cause: Cause::Frame(Arrival {
                input: "red".into(),
                bytes: 98,
                truncated: false,
                words: "ICMP 10.0.0.1 > 10.0.0.2 echo request id 1".into(),
            }),
            fate: Some(fate),
            sent,
            drops: Vec::new(),
            notices: Vec::new(),
        }
    }

    fn sent(part: Part, to: &[&str]) -> Sent {
        let to = to.iter().map(|way| (*way).to_owned()).collect();
        Sent { part, bytes: 60, to, words: "ARP who-has 10.0.0.2 tell 10.0.0.1".into() }
    }

    #[test]
    fn a_frame_and_its_fate_are_one_line() {
        let flooded = arrival(Fate::Sent, vec![sent(Part::Frame, &["blue", "wan"])]);
        assert_eq!(account(&flooded, 3, false), "    1.000123  red       98 B  -> blue, wan");
        let reason = Fate::Dropped { reason: "no-route".into(), meaning: "No route.".into() };
        assert_eq!(
            account(&arrival(reason, Vec::new()), 3, false),
            "    1.000123  red       98 B  dropped: no-route (No route.)"
        );
    }

    #[test]
    fn what_the_switch_says_stands_below() {
        let asks = arrival(Fate::Held, vec![sent(Part::Spoken, &["wan"])]);
        assert_eq!(
            account(&asks, 3, true),
            "    1.000123  red       98 B  held\n\
             \x20                             ICMP 10.0.0.1 > 10.0.0.2 echo request id 1\n\
             \x20                       60 B  says -> wan: ARP who-has 10.0.0.2 tell 10.0.0.1"
        );
    }
}
