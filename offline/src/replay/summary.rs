//! What became of everything: the counts, and the tables as the live listings show them.

use packet::Instant;
use serde::Serialize;

use super::egress::Epoch;
use super::stage::Stage;
use crate::listing::rows;
use control::view::{DropView, FlowEntry, NeighborEntry, StationView, StatsView, UnknownVtepView};

/// The end of a replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// When it began: nanoseconds since 1970, of the first frame.
    pub start: u64,
    /// Nanoseconds from its beginning to its end.
    pub span: u64,
    /// How much of each capture was replayed, in the order they were given.
    pub inputs: Vec<Carried>,
    /// What each port has carried, and what became of all frames.
    pub stats: StatsView,
    /// Every drop count that is not zero.
    pub drops: Vec<DropView>,
    /// The stations of every bridge, at the end.
    pub fdb: Vec<StationView>,
    /// The neighbours, at the end.
    pub neighbors: Vec<NeighborEntry>,
    /// The flows, at the end.
    pub conntrack: Vec<FlowEntry>,
    /// Who sent datagrams that no tunnel wanted.
    pub unknown_vteps: Vec<UnknownVtepView>,
    /// Of a record: whether the switch became what it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Verdict>,
    /// Files that were written.
    pub files: Vec<String>,
    /// What was wrong with the captures, a sentence each.
    pub warnings: Vec<String>,
    /// Whether a file could not be read to its end.
    #[serde(skip)]
    pub is_cut_off: bool,
}

/// How a replay of a record came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Why the record ended; nothing when it broke off, or the replay ended ahead of it.
    pub ended: Option<String>,
    /// Whether every count and table is what it was in the daemon then.
    pub equal: Option<bool>,
    /// What is not, a line each.
    pub differences: Vec<String>,
}

/// What was replayed.
pub(super) struct From {
    pub(super) start: Instant,
    pub(super) epoch: Epoch,
    pub(super) inputs: Vec<Carried>,
    pub(super) record: Option<Verdict>,
    pub(super) warnings: Vec<String>,
    pub(super) is_cut_off: bool,
}

/// How much of a capture was replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Where its frames came in.
    pub input: String,
    /// The file.
    pub file: String,
    /// Frames.
    pub frames: u64,
    /// Their bytes, as far as they were captured.
    pub bytes: u64,
    /// Frames of which a part was not captured.
    pub truncated: u64,
}

impl Summary {
    /// What there is to say of a stage when `from` is over.
    pub(super) fn of(stage: &Stage, from: From, files: Vec<String>) -> Self {
        let Stage { switch, ids, now, .. } = stage;
        let From { start, epoch, inputs, record, warnings, is_cut_off } = from;
        let drops = switch.drops();
        let (unknown_vteps, more) = switch.unknown_vteps();
        let fdb = ids.bridges().flat_map(|(name, bridge)| {
            let stations = switch.stations(*now, bridge).into_iter();
            stations.map(|station| rows::station(ids, name, station))
        });
        let neighbors = switch.neighbors().into_iter();
        Self {
            start: epoch.of(start).as_nanos(),
            span: u64::try_from(now.since(start).as_nanos()).unwrap_or(u64::MAX),
            inputs,
            stats: rows::stats(ids, switch.totals(), &drops, stage.carried()),
            drops: drops.iter().map(|drop| rows::drop(ids, *drop)).collect(),
            fdb: fdb.collect(),
            neighbors: neighbors.map(|neighbor| rows::neighbor(ids, neighbor)).collect(),
            conntrack: switch.flows(*now).into_iter().map(rows::flow).collect(),
            unknown_vteps: rows::unknown_vteps(ids, unknown_vteps, more),
            files,
            record,
            warnings,
            is_cut_off,
        }
    }
}
