//! What leaves, as far ends get it: with its tag in its bytes, checksums complete, in tunnels behind outer headers.
//! Counted by port; written when somebody wants files.

use std::collections::BTreeMap;

use packet::segment::segment;
use packet::{Frame, Instant, Pool, PortId};
use switch::{Egress, Outbox};

use super::error::ReplayError;
use super::outer::Outer;
use super::write::Files;
use crate::config::Lab;
use crate::dataplane::PortCounts;
use crate::engine::ids::Ids;

/// All far ends.
pub(super) struct Egresses {
    tunnels: BTreeMap<PortId, Outer>,
    files: Option<Files>,
    /// For pieces of frames, one at a time.
    pieces: Pool,
}

impl Egresses {
    pub(super) fn new(lab: &Lab, ids: &Ids, files: Option<Files>) -> Self {
        let tunnels = lab
            .tunnels
            .iter()
            .filter_map(|(name, tunnel)| Some((ids.known_port(name.as_str())?, Outer::of(tunnel))));
        Self { tunnels: tunnels.collect(), files, pieces: Pool::new(1) }
    }

    /// Hands out all that waits in `out`, after `see` has seen it.
    pub(super) fn hand_out(
        &mut self,
        now: Instant,
        ids: &Ids,
        out: &mut Outbox,
        carried: &mut BTreeMap<PortId, PortCounts>,
        see: &mut impl FnMut(&Frame, &[Egress]),
    ) -> Result<(), ReplayError> {
        let mut outcome = Ok(());
        out.drain(|frame, copies| {
            see(frame, copies);
            for copy in copies {
                let counts = carried.entry(copy.port).or_default();
                let sent = self.leave(now, ids, frame, *copy, counts);
                if outcome.is_ok() {
                    outcome = sent;
                }
            }
        });
        outcome
    }

    /// Writes the files to their ends and says which there are.
    pub(super) fn finish(self) -> Result<Vec<String>, ReplayError> {
        self.files.map_or_else(|| Ok(Vec::new()), Files::finish)
    }

    fn leave(
        &mut self,
        now: Instant,
        ids: &Ids,
        frame: &mut Frame,
        copy: Egress,
        counts: &mut PortCounts,
    ) -> Result<(), ReplayError> {
        let Self { tunnels, files, pieces } = self;
        let mut outcome = Ok(());
        let is_whole = match (copy.remote, tunnels.get_mut(&copy.port)) {
            (Some(remote), Some(outer)) => {
                frame.set_tag(copy.tag);
                let cut = outer.datagrams(frame, remote, &mut |datagram| {
                    if let (Some(files), Ok(())) = (files.as_mut(), &outcome) {
                        outcome = files.write_outer(now, ids, copy.port, remote, datagram);
                    }
                });
                frame.set_tag(None);
                if cut {
                    // Counted as frames, as a daemon counts them.
                    count(counts, frame.len());
                }
                cut
            }
            (Some(_), None) | (None, _) => {
                let pieces_of = segment(frame.compact(), pieces, &mut |mut piece| {
                    piece.set_tag(copy.tag);
                    if !piece.push_tag() {
                        counts.failed_frames += 1;
                        return;
                    }
                    count(counts, piece.len());
                    if let (Some(files), Ok(())) = (files.as_mut(), &outcome) {
                        outcome = files.write_frame(now, ids, copy.port, piece.bytes());
                    }
                });
                pieces_of.is_ok()
            }
        };
        if !is_whole {
            counts.failed_frames += 1;
        }
        outcome
    }
}

fn count(counts: &mut PortCounts, bytes: usize) {
    counts.sent_frames += 1;
    counts.sent_bytes += bytes as u64;
}
