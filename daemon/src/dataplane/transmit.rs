//! Writes what the switch wants sent, settling what a device cannot take: tags, checksums, super-frames.
//!
//! What is owed to a packet inside a tunnel no device takes. A super-frame's header can only speak of the outermost
//! packet, and a checksum is completed because a kernel that passes such a frame on, through NAT or to a card that
//! reads headers by itself, may take it for the tunnel's own.

use packet::segment::{Inside, Pieces, complete_checksum, owed_inside};
use packet::{Frame, Offload, Pool};
use switch::{Egress, Outbox};

use super::joining::{self, Held, Joining, TAG};
use super::table::{Cable, Entry, Table};
use super::tunnel::Departures;

/// What sending needs besides the frames; kept from batch to batch.
#[derive(Debug)]
pub(super) struct Sending {
    /// The buffer that pieces of super-frames are made in, one at a time.
    pieces: Pool,
    joining: Joining,
    departures: Departures,
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            pieces: Pool::new(1),
            joining: Joining::default(),
            departures: Departures::default(),
        }
    }
}

impl Sending {
    /// Sends every frame of `out` on the queues of worker `number` and takes the buffers back.
    pub(super) fn flush(&mut self, out: &mut Outbox, table: &Table, number: usize) {
        let Self { pieces, joining, departures } = self;
        let joined = |mut frame: Frame, held: Held, pool: &mut Pool| {
            if let Some(Entry::Cable(cable)) = table.get(held.egress.port) {
                match put(&mut frame, held.egress, cable, number) {
                    true => cable.counters.sent_many(held.frames, held.bytes, 0),
                    false => cable.counters.sent_many(held.frames, 0, held.frames),
                }
            }
            pool.give(frame);
        };
        joining.begin(out.len());
        out.hand_over(|mut frame, copies, pool| {
            let inside = owed_inside(&frame);
            if inside == Some(Inside::Checksum) {
                complete_checksum(&mut frame);
            }
            if let [egress] = copies
                && may_join(&frame, *egress, table, number)
            {
                return joining.add(frame, *egress, pool, joined);
            }
            // What is held came first.
            joining.yield_to(&frame, copies, pool, joined);
            let through_tunnel = copies.iter().any(|copy| copy.remote.is_some());
            for (at, egress) in copies.iter().enumerate() {
                if let Some(Entry::Cable(cable)) = table.get(egress.port) {
                    let last = !through_tunnel && at + 1 == copies.len();
                    let takes = inside != Some(Inside::Segments)
                        && cable.written_by(number).is_some_and(|queue| queue.offloads());
                    match takes {
                        true => write(&mut frame, *egress, cable, number),
                        false => settle(&mut frame, *egress, last, cable, number, pieces),
                    }
                }
            }
            match through_tunnel {
                true => departures.add(frame, copies, table),
                false => pool.give(frame),
            }
        });
        joining.flush(&mut out.pool, joined);
        if !departures.is_empty() {
            departures.leave(&mut out.pool);
        }
    }
}

/// Whether more may be joined to a frame that goes to this one place: it is no super-frame yet, and the device takes them.
fn may_join(frame: &Frame, egress: Egress, table: &Table, number: usize) -> bool {
    let Some(Entry::Cable(cable)) = table.get(egress.port) else { return false };
    let Some(queue) = cable.written_by(number) else { return false };
    !matches!(frame.offload(), Offload::Segment { .. })
        && queue.offloads()
        && (queue.takes_datagrams() || joining::is_tcp(frame))
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
