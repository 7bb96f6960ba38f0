//! What leaves, as far ends get it: with its tag in its bytes, checksums complete, in tunnels
//! behind outer headers. Counted by port; written when somebody wants files.

use std::collections::{BTreeMap, BTreeSet};

use packet::segment::segment;
use packet::{Frame, Instant, Pool, PortId};
use switch::{Egress, Outbox};

use super::error::ReplayError;
use super::outer::Outer;
use super::write::Files;
use crate::listing::counts::PortCounts;
use labfile::ids::Ids;
use labfile::{Attach, Lab, Port};

/// All far ends.
pub(super) struct Egresses {
    tunnels: BTreeMap<PortId, Outer>,
    /// Ports whose devices take super-frames, which count as one frame there.
    offloading: BTreeSet<PortId>,
    /// From the switch's clock to 1970.
    epoch: Epoch,
    files: Option<Files>,
    /// For pieces of frames, one at a time.
    pieces: Pool,
}

impl Egresses {
    pub(super) fn new(lab: &Lab, ids: &Ids, epoch: Epoch, files: Option<Files>) -> Self {
        let (tunnels, offloading) = Default::default();
        let pieces = Pool::new(1);
        let mut egresses = Self { tunnels, offloading, epoch, files, pieces };
        egresses.know(lab, ids);
        egresses
    }

    /// Learns what the ports are, where they have become others.
    pub(super) fn know(&mut self, lab: &Lab, ids: &Ids) {
        let tunnels = lab
            .tunnels
            .iter()
            .filter_map(|(name, tunnel)| Some((ids.known_port(name.as_str())?, Outer::of(tunnel))));
        self.tunnels = tunnels.collect();
        let offloading = lab.ports.iter().filter(|(_, port)| takes_super_frames(port));
        self.offloading =
            offloading.filter_map(|(name, _)| ids.known_port(name.as_str())).collect();
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
        let now = self.epoch.of(now);
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
        let Self { tunnels, offloading, files, pieces, .. } = self;
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
                let is_one = offloading.contains(&copy.port);
                let tag = if copy.tag.is_some() { TAG } else { 0 };
                if is_one {
                    count(counts, frame.len() + tag);
                }
                let pieces_of = segment(frame.compact(), pieces, &mut |mut piece| {
                    piece.set_tag(copy.tag);
                    if !piece.push_tag() {
                        counts.failed_frames += u64::from(!is_one);
                        return;
                    }
                    if !is_one {
                        count(counts, piece.len());
                    }
                    if let (Some(files), Ok(())) = (files.as_mut(), &outcome) {
                        outcome = files.write_frame(now, ids, copy.port, piece.bytes());
                    }
                });
                is_one || pieces_of.is_ok()
            }
        };
        if !is_whole {
            counts.failed_frames += 1;
        }
        outcome
    }
}

/// Whether a port's device in a daemon takes super-frames as they are.
fn takes_super_frames(port: &Port) -> bool {
    port.offload || matches!(port.attach, Attach::Interface(_) | Attach::Veth(_))
}

/// A switch's clock against the calendar.
#[derive(Copy, Clone, Default)]
pub(super) struct Epoch {
    /// A moment by the switch's clock.
    pub(super) start: Instant,
    /// The same in nanoseconds since 1970.
    pub(super) since_1970: u64,
}

impl Epoch {
    /// Nanoseconds since 1970 as an instant.
    pub(super) fn of(self, now: Instant) -> Instant {
        let past = now.as_nanos().saturating_sub(self.start.as_nanos());
        Instant::from_nanos(self.since_1970.saturating_add(past))
    }
}

/// Bytes of an 802.1Q tag.
const TAG: usize = 4;

fn count(counts: &mut PortCounts, bytes: usize) {
    counts.sent_frames += 1;
    counts.sent_bytes += bytes as u64;
}
