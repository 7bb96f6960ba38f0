//! Tables of flows: the lines of `conntrack -L`, `/proc/net/nf_conntrack` and `tapswitch conntrack
//! list` as values.

use super::decode::Names;
use super::wires::MARK_PORT;

/// A flow with its seconds to live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    /// All but the time: protocol, state, both ways.
    pub(crate) text: String,
    pub(crate) seconds: u64,
}

/// The flows of a listing that some address or port was translated for, in order of their text. The
/// kernel follows every connection, our switch those that it translates.
pub(crate) fn translated(listing: &str, names: &mut Names) -> Vec<Flow> {
    let mut flows: Vec<Flow> = listing.lines().filter_map(|line| flow(line, names)).collect();
    flows.sort_by(|one, other| one.text.cmp(&other.text));
    flows
}

fn flow(line: &str, names: &mut Names) -> Option<Flow> {
    let line = line.trim_start();
    let line =
        line.strip_prefix("ipv4").map_or(line, |rest| rest.trim_start().trim_start_matches('2'));
    let mut words = line.split_whitespace();
    let (protocol, _, seconds) = (words.next()?, words.next()?, words.next()?);
    let seconds = seconds.parse().ok()?;
    let rest: Vec<&str> = words.collect();
    let flags = rest.iter().copied().filter(|word| !word.contains('='));
    let flags: Vec<&str> = flags.collect();
    let values = |key: &str| -> Vec<&str> {
        rest.iter().filter_map(|word| word.strip_prefix(key)?.strip_prefix('=')).collect()
    };
    let mut way = |at: usize| -> Option<[String; 2]> {
        let value = |key: &str| values(key).get(at).copied();
        let (source, destination) = (value("src")?.parse().ok()?, value("dst")?.parse().ok()?);
        let number = |key: &str| value(key).and_then(|number| number.parse::<u16>().ok());
        Some(match (number("sport"), number("dport"), number("id")) {
            (Some(from), Some(to), _) => [
                format!("{source}:{}", names.port(source, from)),
                format!("{destination}:{}", names.port(destination, to)),
            ],
            (_, _, Some(identifier)) => {
                let name = names.identifier([source, destination], identifier);
                [source, destination].map(|address| format!("{address}:{name}"))
            }
            _ => [source, destination].map(|address| address.to_string()),
        })
    };
    let ([from, to], [back_from, back_to]) = (way(0)?, way(1)?);
    let is_translated = (&from, &to) != (&back_to, &back_from);
    let is_mark = values("sport").first() == Some(&MARK_PORT.to_string().as_str());
    (is_translated && !is_mark).then(|| Flow {
        text: format!("{protocol} {} {from} > {to}, back {back_from} > {back_to}", flags.join(" ")),
        seconds,
    })
}
