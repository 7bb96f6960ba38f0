//! Counters: what ports carried, and what ended in the switch.

use std::collections::BTreeMap;

use control::view::{DropView, PortStats, StatsView, WorkerStats};

use super::{Column, table};
use Column::{Number, Text};

/// `stats`: the ports, then the switch as a whole.
pub(crate) fn stats(stats: &StatsView) -> String {
    let columns = [
        Text("port"),
        Number("received"),
        Number("bytes"),
        Number("sent"),
        Number("bytes"),
        Number("dropped"),
    ];
    let row = |port: &PortStats| {
        vec![
            port.port.clone(),
            port.received_frames.to_string(),
            port.received_bytes.to_string(),
            port.sent_frames.to_string(),
            port.sent_bytes.to_string(),
            port.dropped_frames.to_string(),
        ]
    };
    let ports = table(&columns, stats.ports.iter().map(row).collect());
    let known = TOTALS.iter().filter_map(|name| stats.totals.get_key_value(*name));
    let others = stats.totals.iter().filter(|(name, _)| !TOTALS.contains(&name.as_str()));
    let total = |(name, count): (&String, &u64)| vec![name.replace('_', " "), count.to_string()];
    let totals = [Text("the switch"), Number("frames")];
    let totals = table(&totals, known.chain(others).map(total).collect());
    format!("{ports}\n\n{totals}{}", workers(&stats.workers))
}

/// The packet threads, when one stays on a processor or has polled.
fn workers(workers: &[WorkerStats]) -> String {
    if workers.iter().all(|worker| worker.cpu.is_none() && worker.polls == 0) {
        return String::new();
    }
    let columns = [
        Text("worker"),
        Text("cpu"),
        Number("polls"),
        Number("with frames"),
        Number("polled (ms)"),
    ];
    let row = |worker: &WorkerStats| {
        vec![
            worker.worker.to_string(),
            worker.cpu.map_or_else(|| "any".into(), |cpu| cpu.to_string()),
            worker.polls.to_string(),
            worker.polls_with_frames.to_string(),
            (worker.polled_us / 1_000).to_string(),
        ]
    };
    format!("\n\n{}", table(&columns, workers.iter().map(row).collect()))
}

/// `drops`: the counts, then what their reasons mean.
pub(crate) fn drops(drops: &[DropView]) -> String {
    let columns = [Text("port"), Text("reason"), Number("frames")];
    let row =
        |drop: &DropView| vec![drop.port.clone(), drop.reason.clone(), drop.frames.to_string()];
    let mut text = table(&columns, drops.iter().map(row).collect());
    let meanings: BTreeMap<&str, &str> =
        drops.iter().map(|drop| (drop.reason.as_str(), drop.meaning.as_str())).collect();
    if !meanings.is_empty() {
        text.push('\n');
    }
    for (reason, meaning) in meanings {
        text += &format!("\n{reason}: {meaning}");
    }
    text
}

/// The totals in the order of their equation: received = sent + held + consumed + dropped.
const TOTALS: [&str; 5] = ["received", "sent", "held", "consumed", "dropped"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_explain_each_reason_once() {
        let drop = |port: &str, frames| DropView {
            port: port.into(),
            reason: "no-route".into(),
            meaning: "No route leads there.".into(),
            frames,
        };
        assert_eq!(
            drops(&[drop("blue", 1), drop("red", 20)]),
            "port  reason    frames\nblue  no-route       1\nred   no-route      20\n\n\
             no-route: No route leads there."
        );
        assert_eq!(drops(&[]), "port  reason  frames");
    }

    #[test]
    fn workers_are_shown_when_there_is_something_to_say() {
        let worker = |number, cpu, polls| WorkerStats {
            worker: number,
            cpu,
            polls,
            polls_with_frames: polls / 2,
            polled_us: 1_999,
        };
        assert_eq!(workers(&[worker(0, None, 0), worker(1, None, 0)]), "");
        assert_eq!(
            workers(&[worker(0, Some(3), 10), worker(1, None, 0)]),
            "\n\nworker  cpu  polls  with frames  polled (ms)\n\
             0       3       10            5            1\n\
             1       any      0            0            1"
        );
    }

    #[test]
    fn totals_stand_in_the_order_of_their_equation() {
        let names = ["dropped", "spoken", "consumed", "received", "held", "sent", "arp_conflicts"];
        let totals = names.iter().map(|name| ((*name).to_owned(), 1)).collect();
        let text = stats(&StatsView { ports: Vec::new(), totals, workers: Vec::new() });
        let words: Vec<&str> =
            text.lines().skip(3).map(|line| line.trim_end_matches([' ', '1'])).collect();
        assert_eq!(
            words,
            ["received", "sent", "held", "consumed", "dropped", "arp conflicts", "spoken"]
        );
    }
}
