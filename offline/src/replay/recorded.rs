//! A record through the switch that it begins with: the same events and changes, at the same times,
//! in the same order.

use std::path::{Path, PathBuf};
use std::time::Duration;

use packet::{Instant, PortId};
use switch::{Change, Event};
use vxlan::header;

use super::account::Account;
use super::egress::{Egresses, Epoch};
use super::error::ReplayError;
use super::fate::{Accountant, Came, Occasion};
use super::shown::shown;
use super::stage::Stage;
use super::summary::{Carried, From, Summary, Verdict};
use super::write::Files;
use super::{Moment, Replay};
use crate::record::{self, Ending, Names, Record, RecordEntry};
use control::message::Show;
use labfile::ids::{Ids, UdpPort};
use labfile::{Lab, LabSpec};

/// What `tapswitch replay` was told beside the record.
#[derive(Clone, Debug, Default)]
pub struct RecordOptions {
    /// The record.
    pub file: PathBuf,
    /// When to end; with the record when left out.
    pub until: Option<Moment>,
    /// Where to write what leaves; nowhere when left out.
    pub write: Option<PathBuf>,
    /// Whether files that are there already are replaced.
    pub force: bool,
}

/// Whether a file is a record, as its first bytes tell.
pub fn is_record(path: &Path) -> bool {
    record::is_record(path)
}

/// Replays a record and says what became of everything, and what `show` would tell then; to `tell`,
/// also what became of each frame.
///
/// # Errors
/// See [`ReplayError`]. Files that were written by then stay.
pub fn run_record(
    options: &RecordOptions,
    tell: Option<&mut dyn FnMut(&Account)>,
) -> Result<(Summary, Show), ReplayError> {
    let (record, switch) = Record::open(&options.file)?;
    let head = &record.head;
    let (spec, lab) = head.names.lab()?;
    let files = match &options.write {
        Some(dir) => Some(Files::in_dir(dir, &lab, &[], options.force)?),
        None => None,
    };
    let epoch = Epoch { start: head.start, since_1970: head.since_1970 };
    let end = match &options.until {
        Some(moment) => Some(moment.after(epoch).ok_or(ReplayError::BeforeStart)?),
        None => None,
    };
    let stage = Stage::of_record(switch, head);
    let accountant = tell.map(|tell| Accountant::new(&lab, head.start, tell));
    let egresses = Egresses::new(&lab, &stage.ids, epoch, files);
    let replay = Replay { stage, egresses, accountant };
    let carried = Carried {
        input: "every port".to_owned(),
        file: options.file.display().to_string(),
        ..Carried::default()
    };
    Rerun { replay, record, epoch, spec, lab, carried, ending: None }.run(end)
}

/// A record under way.
struct Rerun<'a> {
    replay: Replay<'a>,
    record: Record,
    epoch: Epoch,
    spec: LabSpec,
    lab: Lab,
    carried: Carried,
    ending: Option<Ending>,
}

impl Rerun<'_> {
    fn run(mut self, end: Option<Instant>) -> Result<(Summary, Show), ReplayError> {
        let mut is_over = false;
        while let Some(entry) = self.record.next_entry()? {
            let at = match &entry {
                RecordEntry::Event(at, _) | RecordEntry::Changes(at, _) => Some(*at),
                RecordEntry::End(ending) => Some(ending.at),
                RecordEntry::Names(_) => None,
            };
            is_over = end.is_some_and(|end| at.is_some_and(|at| at > end));
            if is_over {
                break;
            }
            self.enter(entry)?;
        }
        match (end, &self.ending) {
            // What came after the end of a record, nobody knows.
            (Some(end), Some(ending)) if end > ending.at && !is_over => {
                let span = ending.at.since(self.epoch.start);
                return Err(ReplayError::AfterEnd { span });
            }
            (Some(end), _) => self.replay.stage.rest_until(end),
            (None, _) => {}
        }
        self.conclude(is_over)
    }

    fn enter(&mut self, entry: RecordEntry) -> Result<(), ReplayError> {
        match entry {
            RecordEntry::Event(at, event) => {
                let is_told = self.replay.accountant.is_some();
                let step = if is_told { self.step_of(&event) } else { Occasion::Timer };
                if let Event::Frame { frame, .. } | Event::Datagram { datagram: frame, .. } = &event
                {
                    self.carried.frames += 1;
                    self.carried.bytes += frame.len() as u64;
                }
                let difference = self.replay.stage.enter(at, event);
                self.replay.settle(step, &difference)
            }
            RecordEntry::Changes(at, changes) => {
                let step = Occasion::Change(words_of(&changes));
                let difference = self.replay.stage.change(at, changes);
                self.replay.settle(step, &difference)
            }
            RecordEntry::Names(names) => self.rename(*names),
            RecordEntry::End(ending) => {
                self.replay.stage.rest_until(ending.at);
                self.ending = Some(*ending);
                Ok(())
            }
        }
    }

    fn rename(&mut self, names: Names) -> Result<(), ReplayError> {
        (self.spec, self.lab) = names.lab()?;
        let Replay { stage, egresses, accountant } = &mut self.replay;
        stage.ids = names.ids;
        egresses.know(&self.lab, &stage.ids);
        if let Some(accountant) = accountant {
            accountant.know(&self.lab);
        }
        Ok(())
    }

    fn step_of<'e>(&self, event: &Event) -> Occasion<'e> {
        let ids = &self.replay.stage.ids;
        let label = |port| ids.port_label(port).unwrap_or_else(|| format!("{port}"));
        let came = |label: String, bytes: &[u8]| {
            let (label, bytes) = (label.into(), bytes.to_vec().into());
            Occasion::Frame(Came { label, bytes, is_truncated: false })
        };
        match event {
            Event::Frame { port, frame } => came(label(*port), frame.bytes()),
            Event::Datagram { port, remote, datagram, .. } => {
                let inside = datagram.bytes().get(header::LEN..).unwrap_or_default();
                let tunnel = tunnel_of(&self.lab, ids, *port, datagram.bytes());
                came(format!("{}@{remote}", tunnel.unwrap_or_else(|| label(*port))), inside)
            }
            Event::Malformed { port } => came(label(*port), &[]),
            Event::PortUp(port) => Occasion::Change(format!("{} is up", label(*port))),
            Event::PortDown(port) => Occasion::Change(format!("{} is down", label(*port))),
            Event::Timeout => Occasion::Timer,
        }
    }

    fn conclude(self, is_over: bool) -> Result<(Summary, Show), ReplayError> {
        let Self { replay, record, epoch, spec, lab, carried, ending } = self;
        let Replay { stage, egresses, .. } = replay;
        let files = egresses.finish()?;
        let mut warnings = Vec::new();
        if record.is_cut_off {
            let span = stage.now.since(epoch.start);
            warnings.push(format!(
                "{} breaks off behind {} entries, {:.3} seconds after its beginning: what follows is lost, and it \
                 cannot be seen whether the switch became what it was",
                carried.file,
                record.entries,
                span.as_secs_f64()
            ));
        }
        let verdict = match ending.filter(|_| !is_over) {
            Some(ending) => judge(&stage, ending),
            None => Verdict { ended: None, equal: None, differences: Vec::new() },
        };
        let show = shown(&spec, &lab, &stage);
        let from = From {
            start: epoch.start,
            epoch,
            inputs: vec![carried],
            record: Some(verdict),
            warnings,
            is_cut_off: record.is_cut_off,
        };
        Ok((Summary::of(&stage, from, files), show))
    }
}

/// Whether the switch on the stage is what the daemon's was at the end.
fn judge(stage: &Stage, ending: Ending) -> Verdict {
    let Ending { why, totals, drops, state, .. } = ending;
    let mut differences = Vec::new();
    let now = stage.switch.totals();
    if now != totals {
        differences.push(format!("totals: {now:?} here, and {totals:?} in the daemon"));
    }
    let here = stage.switch.drops();
    for (there, other, side) in [(&here, &drops, "here"), (&drops, &here, "in the daemon")] {
        for (port, reason, count) in there.iter().filter(|drop| !other.contains(drop)) {
            let port = stage.ids.port_label(*port).unwrap_or_else(|| port.to_string());
            differences.push(format!("drops: {count} at {port} for {} {side}", reason.name()));
        }
    }
    if differences.is_empty() && record::checksum_of(&stage.switch).ok() != Some(state) {
        differences.push("the counts are equal, and something in the tables is not".to_owned());
    }
    Verdict { ended: Some(why), equal: Some(differences.is_empty()), differences }
}

/// The name of the tunnel that a datagram is for.
fn tunnel_of(lab: &Lab, ids: &Ids, underlay: PortId, datagram: &[u8]) -> Option<String> {
    let (vni, _) = header::parse(datagram, header::Reserved::Ignored)?;
    let mut tunnels = lab.tunnels.values();
    let found = tunnels.find(|tunnel| {
        tunnel.vni == vni && ids.known_udp_port(UdpPort::of(tunnel)) == Some(underlay)
    });
    found.map(|tunnel| tunnel.name.to_string())
}

/// A change set in words: `set port, 3 times set route`.
fn words_of(changes: &[Change]) -> String {
    let words: Vec<String> = changes.iter().map(word_of).collect();
    let runs = words.chunk_by(|one, next| one == next).filter_map(|run| match run {
        [] => None,
        [one] => Some(one.clone()),
        [one, ..] => Some(format!("{} times {one}", run.len())),
    });
    runs.collect::<Vec<_>>().join(", ")
}

/// `SetPort(...)` as `set port`.
fn word_of(change: &Change) -> String {
    let told = format!("{change:?}");
    let name = told.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

impl Moment {
    /// The moment by the switch's clock; none when it is ahead of the beginning.
    fn after(&self, epoch: Epoch) -> Option<Instant> {
        match self {
            Self::After(span) => Some(epoch.start + *span),
            Self::At(since_1970) => {
                let past = since_1970.checked_sub(epoch.since_1970)?;
                Some(epoch.start + Duration::from_nanos(past))
            }
        }
    }
}
