//! Writes what the switch wants sent, settling what a device cannot take: tags, checksums,
//! super-frames.
//!
//! What is owed to a packet inside a tunnel no device takes. A super-frame's header can only speak
//! of the outermost packet, and a checksum is completed because a kernel that passes such a frame
//! on, through NAT or to a card that reads headers by itself, may take it for the tunnel's own.

use packet::segment::{InnerOffload, Pieces, complete_checksum, inner_offload};
use packet::{Frame, Offload, Pool, PortId, SegmentKind};
use switch::{Egress, Outbox};

use super::flood::{Flood, SHARE, Waiting};
use super::joining::{self, Held, Joining, TAG};
use super::table::{Cable, PortIo, Queue, Table};
use super::tunnel::Departures;

/// What sending needs besides the frames; kept from batch to batch.
#[derive(Debug)]
pub(super) struct Sending {
    /// The buffer that pieces of super-frames are made in, one at a time.
    pieces: Pool,
    joining: Joining,
    departures: Departures,
    flood: Flood,
    /// Copies of flooded frames that may still be written in this turn.
    share: usize,
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            pieces: Pool::new(1),
            joining: Joining::default(),
            departures: Departures::default(),
            flood: Flood::default(),
            share: SHARE,
        }
    }
}

impl Sending {
    /// For frames that have no later turn to wait for.
    pub(super) fn without_limit() -> Self {
        Self { share: usize::MAX, ..Self::default() }
    }

    /// Begins a turn, with a share for flooded frames of its own.
    pub(super) const fn begin(&mut self) {
        self.share = SHARE;
    }

    /// Whether flooded frames wait for the next turn.
    pub(super) fn is_waiting(&self) -> bool {
        !self.flood.is_empty()
    }

    /// Forgets what waits for ports of `old` that are not those of `new`.
    pub(super) fn take_up(&mut self, old: &Table, new: &Table) {
        self.flood.retain(|port| match (old.get(port), new.get(port)) {
            (Some(old), Some(new)) => old.is(new),
            _ => false,
        });
    }

    /// Sends every frame of `out` on the queues of worker `number` and takes the buffers back; what
    /// is flooded beyond the turn's share waits for a later one. `origins` says which of the
    /// frames came in where, of those that are flooded.
    pub(super) fn flush(
        &mut self,
        out: &mut Outbox,
        origins: &[(usize, PortId)],
        table: &Table,
        number: usize,
    ) {
        let Self { pieces, joining, departures, flood, share } = self;
        let mut at = 0;
        let joined = |mut frame: Frame, held: Held, pool: &mut Pool| {
            if let Some(PortIo::Cable(cable)) = table.get(held.egress.port) {
                match put(&mut frame, held.egress, cable, number) {
                    true => cable.counters.sent_many(held.frames, held.bytes, 0),
                    false => cable.counters.sent_many(held.frames, 0, held.frames),
                }
            }
            pool.give(frame);
        };
        joining.begin(out.len());
        out.hand_over(|mut frame, copies, pool| {
            at += 1;
            if inner_offload(&frame) == Some(InnerOffload::Checksum) {
                complete_checksum(&mut frame);
            }
            if let [egress] = copies
                && may_join(&frame, *egress, table, number)
            {
                return joining.add(frame, *egress, pool, joined);
            }
            // What is held came first.
            joining.yield_to(&frame, copies, pool, joined);
            if copies.len() > 1 {
                if copies.len() > *share || !flood.is_empty() {
                    let from = origins.iter().find(|(of, _)| *of + 1 == at).map(|(_, port)| *port);
                    if !flood.wait(from, &frame, copies) {
                        refuse(copies, table);
                    }
                    return pool.give(frame);
                }
                *share -= copies.len();
            }
            write_all(&mut frame, copies, !is_for_tunnel(copies), (table, number), pieces);
            match is_for_tunnel(copies) {
                true => departures.add(frame, copies, table, pool),
                false => pool.give(frame),
            }
        });
        joining.flush(&mut out.pool, joined);
        while *share > 0
            && let Some((from, mut waiting)) = flood.next()
        {
            let Waiting { frame, copies, written } = &mut waiting;
            let rest = copies.get(*written..).unwrap_or_default();
            let now = rest.get(..*share).unwrap_or(rest);
            let is_last = now.len() == rest.len();
            *share -= now.len();
            *written += now.len();
            write_all(frame, now, is_last && !is_for_tunnel(copies), (table, number), pieces);
            if !is_last {
                flood.put_back(from, waiting);
            } else if is_for_tunnel(copies) {
                departures.add(core::mem::take(frame), copies, table, &mut out.pool);
            }
        }
        if !departures.is_empty() {
            departures.leave(&mut out.pool);
        }
    }
}

fn is_for_tunnel(copies: &[Egress]) -> bool {
    copies.iter().any(|copy| copy.remote.is_some())
}

/// Writes those copies that are for devices; the last of them may have the frame itself where
/// nobody needs it after that.
fn write_all(
    frame: &mut Frame,
    copies: &[Egress],
    takes_frame: bool,
    (table, number): (&Table, usize),
    pieces: &mut Pool,
) {
    let is_cut = inner_offload(frame) == Some(InnerOffload::Segments);
    for (at, egress) in copies.iter().enumerate() {
        if let Some(PortIo::Cable(cable)) = table.get(egress.port) {
            let last = takes_frame && at + 1 == copies.len();
            let takes = cable.written_by(number).is_some_and(|queue| takes(queue, frame));
            match takes && !is_cut {
                true => write(frame, *egress, cable, number),
                false => settle(frame, *egress, last, cable, number, pieces),
            }
        }
    }
}

/// Counts copies that found no room.
fn refuse(copies: &[Egress], table: &Table) {
    let entries = copies.iter().filter_map(|copy| table.get(copy.port));
    entries.for_each(|entry| entry.counters().crowded());
}

/// Whether more may be joined to a frame that goes to this one place: it is no super-frame yet, and
/// the device takes them.
fn may_join(frame: &Frame, egress: Egress, table: &Table, number: usize) -> bool {
    let Some(PortIo::Cable(cable)) = table.get(egress.port) else { return false };
    let Some(queue) = cable.written_by(number) else { return false };
    !matches!(frame.offload(), Offload::Segment { .. })
        && queue.offloads()
        && (queue.takes_datagrams() || joining::is_tcp(frame))
}

/// Whether a device that is told what a frame owes takes it so.
fn takes(queue: &Queue, frame: &Frame) -> bool {
    match frame.offload() {
        Offload::Segment { kind: SegmentKind::Fragments, .. } => queue.takes_datagrams(),
        Offload::Complete | Offload::Checksum(_) | Offload::Segment { .. } => queue.offloads(),
    }
}

/// Sends what the device does not take as it is.
fn settle(
    frame: &mut Frame,
    egress: Egress,
    last: bool,
    cable: &Cable,
    number: usize,
    pool: &mut Pool,
) {
    match frame.offload() {
        Offload::Complete => write(frame, egress, cable, number),
        Offload::Checksum(_) => {
            complete_checksum(frame);
            write(frame, egress, cable, number);
        }
        Offload::Segment { .. } => {
            // The last copy may have the frame itself; others need theirs.
            let whole = if last { core::mem::take(frame) } else { frame.compact() };
            let Ok(mut pieces) = Pieces::of(whole) else { return cable.counters.failed() };
            while let Some(mut piece) = pieces.next(pool) {
                write(&mut piece, egress, cable, number);
                pool.give(piece);
            }
        }
    }
}

fn write(frame: &mut Frame, egress: Egress, cable: &Cable, number: usize) {
    let len = frame.len() as u64 + if egress.tag.is_some() { TAG } else { 0 };
    match put(frame, egress, cable, number) {
        true => cable.counters.sent(len),
        false => cable.counters.failed(),
    }
}

/// Puts the tag in and writes; whether the device took it.
fn put(frame: &mut Frame, egress: Egress, cable: &Cable, number: usize) -> bool {
    let Some(queue) = cable.written_by(number) else { return false };
    frame.set_tag(egress.tag);
    let taken = frame.push_tag() && queue.write(frame).is_ok();
    if egress.tag.is_some() {
        // For the next copy.
        let is_out = frame.pop_tag();
        debug_assert!(is_out, "what was put in can be taken out");
    }
    frame.set_tag(None);
    taken
}
