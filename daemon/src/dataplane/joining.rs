//! Joining what leaves: segments or datagrams of one flow that follow one another go into a TAP as
//! one super-frame.
//!
//! # Theory of operation
//! A write costs a microsecond and more whatever its size, and the far kernel takes a super-frame
//! apart only where nobody wants it whole. So a frame is held as long as the next one continues it
//! ([`Joiner`] says what that means, and verifies checksums). A frame that does not, and the end of
//! the batch, send it on its way: nothing waits for another batch.
//!
//! As long as a batch is small, everything leaves in the order in which the switch sent it. In a
//! crowd, a batch of [`CROWD`] frames or more, flows come interleaved, and each has a lane of its
//! own in which the next one is that flow's next: frames of different flows may then pass one
//! another within the batch, as they do between the queues of a card and in Linux's GRO. Those of
//! one flow keep their order always; nothing passes a fragment.

use packet::coalesce::Joiner;
use packet::{Frame, Ip, Pool, Protocol};
use switch::Egress;
use vxlan::entropy::flow_hash;

/// Flows that are held at a time.
const LANES: usize = 8;
/// Frames of a batch that are a crowd. Who sends few frames at a time, and looks at each, sees
/// their order.
pub(super) const CROWD: usize = 16;

/// What waits for the next frame.
#[derive(Debug, Default)]
pub(super) struct Joining {
    /// The first alone is used where all order is kept.
    lanes: [Run; LANES],
    /// Whose lane each is: the hash of a flow and its port.
    owners: [u32; LANES],
    /// Lanes that hold a frame, a bit for each.
    busy: u32,
    is_crowd: bool,
}

/// Frames that continue one another.
#[derive(Debug, Default)]
struct Run {
    joiner: Joiner,
    held: Option<Held>,
}

/// What the held frame consists of.
#[derive(Copy, Clone, Debug)]
pub(super) struct Held {
    pub(super) egress: Egress,
    /// Frames that the switch sent.
    pub(super) frames: u64,
    /// Their bytes, tags included.
    pub(super) bytes: u64,
}

impl Joining {
    /// Begins a batch of so many frames.
    pub(super) fn begin(&mut self, frames: usize) {
        self.is_crowd = frames >= CROWD;
    }

    /// Takes a frame that goes to one place, and gives `write` what is finished by that.
    pub(super) fn add(
        &mut self,
        frame: Frame,
        egress: Egress,
        pool: &mut Pool,
        write: impl Fn(Frame, Held, &mut Pool),
    ) {
        let bytes = frame.len() as u64 + if egress.tag.is_some() { TAG } else { 0 };
        let next = Held { egress, frames: 1, bytes };
        if self.is_crowd && is_fragment(&frame) {
            // It has no ports to tell its flow by, which may be that of anything held, or to come.
            self.flush(pool, &write);
            return write(frame, next, pool);
        }
        let number = self.lane(&frame, egress);
        self.busy |= 1 << number;
        let lane = &mut self.lanes[number];
        if lane.held.is_some_and(|held| held.egress != egress) {
            lane.flush(pool, &write);
        }
        let finished = lane.joiner.push(frame, pool);
        match (finished, &mut lane.held) {
            (Some(frame), Some(held)) => write(frame, core::mem::replace(held, next), pool),
            (None, Some(held)) => {
                held.frames += 1;
                held.bytes += bytes;
            }
            (_, held @ None) => *held = Some(next),
        }
    }

    /// Gives `write` what has to leave ahead of a frame that is about to be sent by other means.
    pub(super) fn yield_to(
        &mut self,
        frame: &Frame,
        copies: &[Egress],
        pool: &mut Pool,
        write: impl Fn(Frame, Held, &mut Pool),
    ) {
        match copies {
            [egress] if self.is_crowd && self.busy != 0 => {
                let number = self.lane(frame, *egress);
                self.busy &= !(1 << number);
                self.lanes[number].flush(pool, write);
            }
            _ => self.flush(pool, write),
        }
    }

    /// Gives `write` everything that is held.
    pub(super) fn flush(&mut self, pool: &mut Pool, write: impl Fn(Frame, Held, &mut Pool)) {
        while self.busy != 0 {
            let number = self.busy.trailing_zeros() as usize;
            self.busy &= self.busy - 1;
            self.lanes[number].flush(pool, &write);
        }
    }

    /// Where a frame is held on its way to a port: in its flow's lane, a free one, or one that it
    /// shares.
    fn lane(&mut self, frame: &Frame, egress: Egress) -> usize {
        if !self.is_crowd {
            return 0;
        }
        let owner = flow_hash(frame.bytes()).wrapping_add(egress.port.index() as u32);
        let own = (0u32..)
            .zip(&self.owners)
            .find(|(number, other)| **other == owner && self.busy & 1 << number != 0);
        let number = match own {
            Some((number, _)) => number as usize,
            None => match self.busy.trailing_ones() as usize {
                LANES.. => owner as usize % LANES,
                free => free,
            },
        };
        self.owners[number] = owner;
        number
    }
}

impl Run {
    fn flush(&mut self, pool: &mut Pool, write: impl Fn(Frame, Held, &mut Pool)) {
        if let (Some(frame), Some(held)) = (self.joiner.flush(), self.held.take()) {
            write(frame, held, pool);
        }
    }
}

/// Bytes of a tag.
pub(super) const TAG: u64 = 4;

/// Whether TCP follows an IP header at once.
pub(super) fn is_tcp(frame: &Frame) -> bool {
    Ip::in_frame(frame.bytes()).is_some_and(|(_, ip)| ip.protocol() == Protocol::TCP)
}

/// Whether it is a part of an IP datagram.
fn is_fragment(frame: &Frame) -> bool {
    Ip::in_frame(frame.bytes()).is_some_and(|(_, ip)| ip.is_fragment())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use packet::segment::segment;
    use packet::{Offload, PortId};
    use proptest::prelude::*;

    use super::*;

    /// A datagram of a flow: which, and the number it says, in `len` bytes of payload.
    fn datagram(flow: u8, number: u16, len: usize, right: bool) -> Frame {
        let mut udp = vec![0x30, flow, 0, 53];
        udp.extend(((8 + len) as u16).to_be_bytes());
        udp.extend([0, 0]);
        udp.extend(number.to_be_bytes());
        udp.resize(8 + len, flow);
        let mut ip = vec![0x45, 0];
        ip.extend(((20 + udp.len()) as u16).to_be_bytes());
        ip.extend(number.to_be_bytes());
        ip.extend([0x40, 0, 64, 17, 0, 0, 10, 0, 0, flow, 10, 0, 1, 1]);
        let sum = packet::checksum::of(&ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        let (from, to) = ([10, 0, 0, flow].into(), [10, 0, 1, 1].into());
        let pseudo = packet::checksum::pseudo_header(from, to, 17, udp.len() as u16);
        let sum = !packet::checksum::sum(&udp, pseudo) ^ u16::from(!right);
        udp[6..8].copy_from_slice(&sum.to_be_bytes());
        let mut frame = Pool::new(1).take();
        let bytes = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0], &ip[..], &udp[..]].concat();
        assert!(frame.reset(bytes.len()));
        frame.bytes_mut().copy_from_slice(&bytes);
        frame
    }

    /// The same frame as a first fragment.
    fn fragment(mut frame: Frame) -> Frame {
        let ip = &mut frame.bytes_mut()[14..34];
        ip[6] = 0x20;
        ip[10..12].fill(0);
        let sum = packet::checksum::of(ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        frame
    }

    proptest! {
        /// Whatever is joined, every frame arrives byte for byte within its batch: in the order in which it was sent, or
        /// in a crowd in the order of its flow's.
        #[test]
        fn everything_arrives_as_it_was_sent(
            batches in prop::collection::vec(prop::collection::vec(
                (0u8..12, 0u32..3, prop_oneof![Just(20usize), Just(20), 2usize..40], prop::bool::weighted(0.95), 0u8..10),
                0..60,
            ), 1..4)
        ) {
            let (mut joining, mut pool) = (Joining::default(), Pool::new(64));
            let mut numbers = [0u16; 12];
            for batch in batches {
                let mut expected: Vec<(PortId, Vec<u8>)> = Vec::new();
                joining.begin(batch.len());
                let got: RefCell<Vec<(Frame, Held)>> = RefCell::default();
                let write = |frame: Frame, held, _: &mut Pool| got.borrow_mut().push((frame, held));
                let is_crowd = batch.len() >= CROWD;
                for (flow, port, len, right, kind) in batch {
                    let egress = Egress { port: PortId::new(port), remote: None, tag: None };
                    let number = &mut numbers[usize::from(flow)];
                    *number = number.wrapping_add(1);
                    let mut frame = datagram(flow, *number, len, right);
                    if kind == 1 {
                        frame = fragment(frame);
                    }
                    expected.push((egress.port, frame.bytes().to_vec()));
                    if kind == 0 {
                        // One that may not be joined, as a super-frame.
                        joining.yield_to(&frame, &[egress], &mut pool, write);
                        let bytes = frame.len() as u64;
                        let held = Held { egress, frames: 1, bytes };
                        write(frame, held, &mut pool);
                    } else {
                        joining.add(frame, egress, &mut pool, write);
                    }
                }
                joining.flush(&mut pool, write);
                let mut arrived: Vec<(PortId, Vec<u8>)> = Vec::new();
                for (frame, held) in got.into_inner() {
                    let before = arrived.len();
                    segment(frame, &mut pool, &mut |piece| {
                        arrived.push((held.egress.port, piece.bytes().to_vec()));
                    })
                    .unwrap();
                    let new = &arrived[before..];
                    prop_assert_eq!(new.len() as u64, held.frames);
                    prop_assert_eq!(new.iter().map(|(_, b)| b.len() as u64).sum::<u64>(), held.bytes);
                }
                if is_crowd {
                    // A datagram says its flow in its source address.
                    let flow = |(port, bytes): &(PortId, Vec<u8>)| (*port, bytes[29]);
                    expected.sort_by_key(flow);
                    arrived.sort_by_key(flow);
                }
                prop_assert_eq!(arrived, expected);
            }
        }
    }

    #[test]
    fn a_burst_of_a_flow_leaves_as_one_frame() {
        let (mut joining, mut pool) = (Joining::default(), Pool::new(64));
        let egress = Egress { port: PortId::new(1), remote: None, tag: None };
        for number in 0..32 {
            let frame = datagram(1, number, 18, true);
            joining.add(frame, egress, &mut pool, |_, _, _| panic!("too soon"));
        }
        let left = RefCell::new(Vec::new());
        joining.flush(&mut pool, |frame, held, _| left.borrow_mut().push((frame, held)));
        let left = left.into_inner();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].0.len(), 14 + 28 + 32 * 18);
        assert!(matches!(left[0].0.offload(), Offload::Segment { .. }));
        assert_eq!((left[0].1.frames, left[0].1.bytes), (32, 32 * 60));
        joining.flush(&mut pool, |_, _, _| panic!("nothing is held"));
    }

    /// What comes of datagrams of four flows in turn.
    fn in_turn(frames: u16) -> Vec<(Frame, Held)> {
        let (mut joining, mut pool) = (Joining::default(), Pool::new(64));
        let left = RefCell::new(Vec::new());
        let write = |frame: Frame, held, _: &mut Pool| left.borrow_mut().push((frame, held));
        joining.begin(usize::from(frames));
        for number in 0..frames {
            let egress = Egress { port: PortId::new(1), remote: None, tag: None };
            let frame = datagram((number % 4) as u8, number / 4, 18, true);
            joining.add(frame, egress, &mut pool, write);
        }
        joining.flush(&mut pool, write);
        left.into_inner()
    }

    #[test]
    fn interleaved_flows_are_joined_in_a_crowd_and_keep_their_order_otherwise() {
        let few = in_turn(CROWD as u16 - 1);
        let flows: Vec<u8> = few.iter().map(|(frame, _)| frame.bytes()[29]).collect();
        assert_eq!(flows, (0..CROWD as u8 - 1).map(|number| number % 4).collect::<Vec<u8>>());
        let many = in_turn(32);
        assert_eq!(many.len(), 4);
        assert!(many.iter().all(|(_, held)| held.frames == 8));
    }
}
