//! Joining consecutive segments of one flow into a super-frame: the inverse of [`crate::segment`],
//! as Linux's GRO.
//!
//! A kernel takes one super-frame of 64 KiB in a fraction of the time of its 44 segments. What
//! comes out is what a kernel itself would have handed over through virtio: [`Offload::Segment`],
//! and the pseudo-header's sum in the checksum field. It never reorders, never holds a frame back
//! of its own accord, and never lends a segment a right checksum: each is verified before it is
//! joined.
//!
//! # Theory of operation
//! The rule over all others: [`crate::segment`] of what was joined gives back the very bytes that
//! came in. So a frame continues those before it when
//! - it is plain Ethernet II without tags or padding, IPv4 without options or IPv6 without
//!   extension headers, whole;
//! - every header byte is equal but for the fields that a cut writes: IP length, IPv4
//!   identification and checksum, TCP sequence, checksum, PSH and FIN, UDP length and checksum;
//! - its IPv4 identification is the one before plus one. Linux also joins the constant ones that it
//!   sends with DF from unconnected sockets; a cut, ours and any kernel's alike, would count them
//!   up, so here they stay apart;
//! - TCP: it carries on where the last byte ended, with ACK set and no flag besides PSH and FIN,
//!   which end the run;
//! - UDP: it has a checksum, and there are at most [`MAX_DATAGRAMS`] of them;
//! - it has the first's payload size, or less and is the last; it is not empty;
//! - every checksum, its own and the first's, is right and in the form that we write (no 0xFFFF for
//!   0x0000, but UDP's);
//! - the whole stays within 65,535 bytes of IP and [`MAX_PIECES`](crate::segment::MAX_PIECES).
//!
//! Anything else ends the *run* (see `run.rs`) and begins the next. The two doors differ in where
//! the bytes are: a *train* is one buffer that a socket filled with datagrams (UDP_GRO), joined in
//! place; a *chain* is frames in buffers of their own, whose payloads are appended to the first.

mod fragments;
mod run;

pub use fragments::Fragments;
pub use run::MAX_DATAGRAMS;
use run::Run;

use crate::frame::Frame;
use crate::offload::Offload;
use crate::pool::Pool;
use crate::segment::joined;

/// Joins what a train of datagrams carries: `train`'s bytes are datagrams of `size` bytes, the last
/// of them perhaps shorter, each `prefix` bytes of outer header and then an Ethernet frame.
///
/// Emits frames in order, each with its `prefix` bytes in front: runs with identical prefixes as
/// one super-frame, whose span counts from the prefix's first byte ([`Frame::strip`] shifts it),
/// and what stays alone byte for byte. The last keeps the train's buffer, those before it are
/// copied into buffers from `pool`. A train that is one datagram, has a size of 0, or is not
/// [`Offload::Complete`] is emitted as it is.
pub fn join_train(
    mut train: Frame,
    size: usize,
    prefix: usize,
    pool: &mut Pool,
    emit: &mut impl FnMut(Frame),
) {
    if size == 0 || size >= train.len() || train.offload() != Offload::Complete {
        emit(train);
        return;
    }
    let mut open = Open::at(&train, 0, size, prefix);
    let mut at = size;
    while at < train.len() {
        let len = size.min(train.len() - at);
        if !open.join(&mut train, at, len) {
            emit(open.copied(&mut train, pool));
            open = Open::at(&train, at, len, prefix);
        }
        at += len;
    }
    open.close(&mut train);
    train.narrow(open.start..open.end);
    emit(train);
}

/// Puts the TCP super-frame `next` behind the super-frame `whole` that it continues, both behind
/// `prefix` bytes of the same outer header: a sender whose socket takes 44 segments a call sends 46
/// in two. `false`, and nothing happens, when it does not continue it, or there is no room.
#[must_use]
pub fn splice(whole: &mut Frame, next: &Frame, prefix: usize) -> bool {
    let (Offload::Segment { kind, size, span }, other) = (whole.offload(), next.offload()) else {
        return false;
    };
    let bytes = whole.bytes().split_at_checked(prefix).zip(next.bytes().split_at_checked(prefix));
    let Some(((outer, head), (next_outer, rest))) = bytes else { return false };
    if other != (Offload::Segment { kind, size, span }) || outer != next_outer {
        return false;
    }
    let Some(mut run) = Run::of_whole(head, size) else { return false };
    if !run.join_whole(head, rest) || !whole.append(rest.get(run.headers()..).unwrap_or(&[])) {
        return false;
    }
    let joined = whole.bytes_mut().get_mut(prefix..);
    joined.and_then(|joined| run.close(joined)).is_some()
}

/// The run at the front of what is left of a train: its bytes are `start..end`, headers and then
/// payloads.
struct Open {
    start: usize,
    end: usize,
    prefix: usize,
    /// The prefix as [`Offload::shifted`] and [`Frame::strip`] take it.
    shift: i16,
    /// `None` when nothing can be joined to the datagram at `start`.
    run: Option<Run>,
}

impl Open {
    fn at(train: &Frame, start: usize, len: usize, prefix: usize) -> Self {
        let end = start + len;
        let first = train.bytes().get(start..end).and_then(|bytes| bytes.get(prefix..));
        let run = first.and_then(|first| Run::open(first, Offload::Complete));
        let (shift, run) = i16::try_from(prefix).map_or((0, None), |shift| (shift, run));
        Self { start, end, prefix, shift, run }
    }

    /// Joins the `len` bytes at `at` of the train, when they continue the run.
    fn join(&mut self, train: &mut Frame, at: usize, len: usize) -> bool {
        let Some(run) = &mut self.run else {
            return false;
        };
        let bytes = train.bytes_mut();
        let Some((ahead, behind)) = bytes.split_at_checked(at) else {
            return false;
        };
        let head = ahead.get(self.start..).and_then(|head| head.split_at_checked(self.prefix));
        let next = behind.get(..len).and_then(|next| next.split_at_checked(self.prefix));
        let (Some((head_prefix, head)), Some((next_prefix, next))) = (head, next) else {
            return false;
        };
        if head_prefix != next_prefix || !run.join(head, next, Offload::Complete) {
            return false;
        }
        // Nothing before the payload's own first byte is needed any more, and `end` is at or before
        // it.
        let payload = at + self.prefix + run.headers()..at + len;
        let count = payload.len();
        bytes.copy_within(payload, self.end);
        self.end += count;
        true
    }

    /// Writes the headers of what was joined, and says what it owes.
    fn close(&self, train: &mut Frame) {
        let bytes = train.bytes_mut().get_mut(self.start..self.end);
        let joined = bytes.and_then(|bytes| bytes.get_mut(self.prefix..));
        if let (Some(run), Some(joined)) = (&self.run, joined)
            && let Some(offload) = run.close(joined)
        {
            train.set_offload(offload.shifted(self.shift));
        }
    }

    /// The run, closed, in a buffer of its own.
    fn copied(&self, train: &mut Frame, pool: &mut Pool) -> Frame {
        self.close(train);
        let mut frame =
            joined(pool, [train.bytes().get(self.start..self.end).unwrap_or(&[])], train.tag());
        frame.set_offload(train.offload());
        train.set_offload(Offload::Complete);
        frame
    }
}

/// Joins frames that come one by one. Holds at most one frame, and that only between
/// [`Joiner::push`] and [`Joiner::flush`]: whoever has no next frame at hand flushes.
#[derive(Debug, Default)]
pub struct Joiner {
    pending: Option<Frame>,
    /// `None` when nothing can be joined to the pending frame.
    run: Option<Run>,
}

impl Joiner {
    /// Takes the next frame: joins it to the pending one, its buffer going to `pool`, or returns
    /// the pending one and holds the new one in its place.
    ///
    /// Frames with unequal tags beside them stay apart, as do frames for which the first's buffer
    /// has no room. A frame with a partial checksum is joined without reading its payload.
    pub fn push(&mut self, frame: Frame, pool: &mut Pool) -> Option<Frame> {
        if self.join(&frame) {
            pool.give(frame);
            return None;
        }
        let run = Run::open(frame.bytes(), frame.offload());
        let finished = self.flush();
        self.pending = Some(frame);
        self.run = run;
        finished
    }

    /// The pending frame, finished. `None` when there is none.
    pub fn flush(&mut self) -> Option<Frame> {
        let mut frame = self.pending.take()?;
        if let Some(run) = self.run.take()
            && let Some(offload) = run.close(frame.bytes_mut())
        {
            frame.set_offload(offload);
        }
        Some(frame)
    }

    fn join(&mut self, next: &Frame) -> bool {
        let (Some(run), Some(pending)) = (&mut self.run, &mut self.pending) else {
            return false;
        };
        let payload = next.bytes().get(run.headers()..).unwrap_or(&[]);
        if pending.tag() != next.tag() || pending.room() < payload.len() {
            return false;
        }
        run.join(pending.bytes(), next.bytes(), next.offload()) && pending.append(payload)
    }
}
