//! What one send carries: pieces of equal size, joined from messages or cut out of them.
//!
//! # Theory of operation
//! A train's bytes are its messages' bytes one behind the other, and every piece but the last is
//! full; the kernel makes each piece a datagram. A message joins the train ahead of it when lane,
//! destination, TTL and TOS are the same, the train's last piece is full too, and the message
//! brings pieces of the same size or one shorter piece, which closes the train. So joining changes
//! neither the datagrams nor their order.

use std::io::IoSlice;
use std::net::SocketAddrV4;
use std::num::{NonZeroU8, NonZeroU16};
use std::ops::Range;

use super::batch::Message;
use super::lane;
use super::mmsg::Departure;

/// Pieces that go in one send.
#[derive(Clone, Debug)]
pub(super) struct Train {
    pub(super) lane: usize,
    header: Header,
    /// Of each piece but the last.
    size: usize,
    bytes: usize,
    /// Where its bytes are.
    slices: Range<usize>,
    /// The messages that it carries, or the one that it carries a part of.
    pub(super) messages: Range<usize>,
}

impl Train {
    /// Whether it takes `UDP_SEGMENT` to send it.
    pub(super) const fn is_segmented(&self) -> bool {
        self.bytes > self.size
    }

    /// The train as one message for the kernel, with `slices` as they were when it was laid out.
    pub(super) fn departure<'x>(&self, slices: &'x [IoSlice<'_>]) -> Departure<'x> {
        let segment = u16::try_from(self.size).ok().and_then(NonZeroU16::new);
        let Header { to, ttl, tos } = self.header;
        Departure {
            to,
            ttl: Some(ttl).filter(|ttl| *ttl != lane::TTL),
            tos: Some(tos).filter(|tos| *tos != lane::TOS),
            segment: segment.filter(|_| self.is_segmented()),
            parts: slices.get(self.slices.clone()).unwrap_or_default(),
        }
    }

    /// Replaces `pieces` and `cut` by a train and its slices for each of the pieces.
    pub(super) fn cut_up<'x>(
        &self,
        slices: &'x [IoSlice<'_>],
        messages: &[Message],
        pieces: &mut Vec<Train>,
        into: &mut Vec<IoSlice<'x>>,
    ) {
        pieces.clear();
        into.clear();
        let parts = slices.get(self.slices.clone()).unwrap_or_default().iter().map(|it| &**it);
        let length = |index: usize| messages.get(index).map_or(0, |message| message.bytes);
        let (mut message, mut at) = (self.messages.start, 0);
        let mut end = length(message);
        cut(parts, self.size, into, |slices, bytes| {
            while at >= end && message + 1 < self.messages.end {
                message += 1;
                end += length(message);
            }
            at += bytes;
            let (lane, header) = (self.lane, self.header);
            let messages = message..message + 1;
            pieces.push(Self { lane, header, size: bytes, bytes, slices, messages });
        });
    }

    fn admits(&self, message: &Message) -> bool {
        let all_full = self.size > 0 && self.bytes.is_multiple_of(self.size);
        let closes = message.bytes > 0 && message.bytes == message.size && message.size < self.size;
        all_full
            && (message.size == self.size || closes)
            && (self.lane, self.header) == (message.lane, message.header)
            && self.bytes + message.bytes <= longest(self.size, usize::MAX)
            && self.slices.len() + message.parts.len() <= MOST_SLICES
    }
}

/// Puts a message, the one at `index` of its batch, behind the trains: into the last if that admits
/// it, else as a train of its own, or as several when it is longer than the kernel takes. `slices`
/// grows by its parts.
pub(super) fn lay_out<'a>(
    message: &Message,
    index: usize,
    parts: &[&'a [u8]],
    slices: &mut Vec<IoSlice<'a>>,
    trains: &mut Vec<Train>,
) {
    let parts = parts.iter().copied();
    if let Some(last) = trains.last_mut().filter(|last| last.admits(message)) {
        slices.extend(parts.filter(|part| !part.is_empty()).map(IoSlice::new));
        last.bytes += message.bytes;
        last.slices.end = slices.len();
        last.messages.end = index + 1;
        return;
    }
    let Message { lane, header, size, .. } = *message;
    cut(parts, longest(size, message.bytes), slices, |slices, bytes| {
        let messages = index..index + 1;
        trains.push(Train { lane, header, size, bytes, slices, messages });
    });
}

/// Cuts `parts` into runs of `size` bytes, the last one shorter, and tells where the slices of each
/// are and how long it is. At least one run, maybe empty.
fn cut<'x>(
    parts: impl Iterator<Item = &'x [u8]>,
    size: usize,
    slices: &mut Vec<IoSlice<'x>>,
    mut run: impl FnMut(Range<usize>, usize),
) {
    let (mut start, mut bytes) = (slices.len(), 0);
    for mut part in parts {
        while bytes + part.len() > size {
            let Some((head, tail)) = part.split_at_checked(size - bytes) else { break };
            slices.extend(Some(head).filter(|head| !head.is_empty()).map(IoSlice::new));
            run(start..slices.len(), size);
            (start, bytes, part) = (slices.len(), 0, tail);
        }
        if !part.is_empty() {
            slices.push(IoSlice::new(part));
            bytes += part.len();
        }
    }
    run(start..slices.len(), bytes);
}

/// The most bytes of one send in pieces of `size`, when `bytes` are to go. One piece is left whole,
/// however long: the kernel says when it is too long.
const fn longest(size: usize, bytes: usize) -> usize {
    if size == 0 || size == bytes {
        return bytes;
    }
    let pieces = MOST_BYTES / size;
    let pieces = if pieces > MOST_PIECES { MOST_PIECES } else { pieces };
    if pieces < 2 { size } else { pieces * size }
}

/// What the datagrams of one train share.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) to: SocketAddrV4,
    pub(super) ttl: NonZeroU8,
    pub(super) tos: u8,
}

/// `UDP_MAX_SEGMENTS` of older kernels; newer ones take 128.
const MOST_PIECES: usize = 64;
/// What fits into an IPv4 packet behind its header and UDP's.
const MOST_BYTES: usize = 65_535 - 20 - 8;
/// `UIO_MAXIOV`.
const MOST_SLICES: usize = 1024;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]
mod tests {
    use super::*;
    use crate::underlay::batch::{Batch, Outbound};
    use std::net::Ipv4Addr;

    const PEER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 4789);

    fn message(lane: usize, segment: u16, bytes: &[u8]) -> Outbound<Vec<&[u8]>> {
        let ttl = NonZeroU8::new(9).unwrap();
        let parts = bytes.chunks(3).collect();
        Outbound { lane, to: PEER, ttl, tos: 0, segment: NonZeroU16::new(segment), parts }
    }

    /// SourceSocket, piece size and bytes of each train.
    type Laid = (usize, usize, Vec<u8>);

    fn plan(messages: Vec<Outbound<Vec<&[u8]>>>) -> Vec<Laid> {
        let mut batch = Batch::default();
        assert!(batch.collect(&mut messages.into_iter(), 4));
        batch.plan();
        let laid = |train: &Train| {
            let parts = batch.slices.get(train.slices.clone()).unwrap();
            let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
            assert_eq!(bytes.len(), train.bytes);
            (train.lane, train.size, bytes)
        };
        batch.trains.iter().map(laid).collect()
    }

    #[test]
    fn equal_neighbours_of_a_lane_are_joined_and_a_shorter_one_closes_the_train() {
        let laid = plan(vec![
            message(1, 0, b"aaaa"),
            message(0, 0, b"xxxx"),
            message(5, 0, b"bbbb"),
            message(1, 0, b"cc"),
            message(1, 0, b"dd"),
            message(1, 0, b"eee"),
        ]);
        let wanted = [
            (0, 4, b"xxxx".to_vec()),
            (1, 4, b"aaaabbbbcc".to_vec()),
            (1, 2, b"dd".to_vec()),
            (1, 3, b"eee".to_vec()),
        ];
        assert_eq!(laid, wanted);
    }

    #[test]
    fn trains_of_one_size_are_joined_too() {
        let messages =
            vec![message(0, 4, b"aaaabbbb"), message(0, 4, b"ccccd"), message(0, 0, b"eeee")];
        let wanted = [(0, 4, b"aaaabbbbccccd".to_vec()), (0, 4, b"eeee".to_vec())];
        assert_eq!(plan(messages), wanted);
    }

    #[test]
    fn other_headers_and_empty_datagrams_stay_apart() {
        let mut other = message(0, 0, b"bbbb");
        other.tos = 3;
        let messages = vec![message(0, 0, b"aaaa"), other, message(0, 0, b""), message(0, 0, b"")];
        let sizes: Vec<usize> = plan(messages).iter().map(|laid| laid.1).collect();
        assert_eq!(sizes, [4, 4, 0, 0]);
    }

    #[test]
    fn no_train_is_longer_than_the_kernel_takes_and_no_byte_is_lost() {
        for (segment, len) in [(100, 20_000), (1472, 70_000), (40_000, 100_001), (65_000, 130_000)]
        {
            let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let laid = plan(vec![message(0, segment, &bytes)]);
            let all: Vec<u8> = laid.iter().flat_map(|laid| laid.2.clone()).collect();
            assert!(all == bytes);
            for (index, (_, size, train)) in laid.iter().enumerate() {
                assert_eq!(*size, usize::from(segment));
                assert!(train.len() <= MOST_BYTES && train.len().div_ceil(*size) <= MOST_PIECES);
                assert!(train.len().is_multiple_of(*size) || index + 1 == laid.len());
            }
        }
        let lengths = |size: usize, count: usize| {
            let bytes = vec![7; size];
            let laid = plan((0..count).map(|_| message(0, 0, &bytes)).collect());
            laid.iter().map(|laid| laid.2.len()).collect::<Vec<_>>()
        };
        assert_eq!(lengths(10, 130), [640, 640, 20]);
        // 34 slices each, of which the kernel takes 1024 at once.
        assert_eq!(lengths(100, 31), [3000, 100]);
    }

    #[test]
    fn a_train_cut_up_knows_whose_piece_is_whose() {
        let mut batch = Batch::default();
        let messages = [message(0, 4, b"aaaabbbb"), message(0, 0, b"cccc"), message(0, 0, b"d")];
        batch.collect(&mut messages.into_iter(), 1);
        batch.plan();
        let (mut pieces, mut slices) = (Vec::new(), Vec::new());
        let train = batch.trains.first().unwrap();
        train.cut_up(&batch.slices, &batch.messages, &mut pieces, &mut slices);
        let owners: Vec<usize> = pieces.iter().map(|piece| piece.messages.start).collect();
        assert_eq!(owners, [0, 0, 1, 2]);
        assert!(pieces.iter().all(|piece| !piece.is_segmented()));
    }
}
