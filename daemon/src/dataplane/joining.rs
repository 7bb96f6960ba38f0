//! Joining what leaves: consecutive segments or datagrams of one flow go into a TAP as one super-frame.
//!
//! # Theory of operation
//! A write costs a microsecond and more whatever its size, and the far kernel takes a super-frame apart only where nobody
//! wants it whole. So a frame is held as long as the next one of the batch goes to the same place and continues it
//! ([`Joiner`] says what that means, and verifies checksums). Any other frame, and the end of the batch, send it on its
//! way: nothing waits for another batch, and everything leaves in the order in which the switch sent it.

use packet::coalesce::Joiner;
use packet::ethernet::network_header;
use packet::{EtherType, Frame, Pool, Protocol};
use switch::Egress;

/// What waits for the next frame.
#[derive(Debug, Default)]
pub(super) struct Joining {
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
    /// Takes a frame that goes to one place, and gives `write` what is finished by that.
    pub(super) fn add(
        &mut self,
        frame: Frame,
        egress: Egress,
        pool: &mut Pool,
        write: impl Fn(Frame, Held, &mut Pool),
    ) {
        if self.held.is_some_and(|held| held.egress != egress) {
            self.flush(pool, &write);
        }
        let bytes = frame.len() as u64 + if egress.tag.is_some() { TAG } else { 0 };
        let finished = self.joiner.push(frame, pool);
        let next = Held { egress, frames: 1, bytes };
        match (finished, &mut self.held) {
            (Some(frame), Some(held)) => write(frame, core::mem::replace(held, next), pool),
            (None, Some(held)) => {
                held.frames += 1;
                held.bytes += bytes;
            }
            (_, held @ None) => *held = Some(next),
        }
    }

    /// Gives `write` what is held.
    pub(super) fn flush(&mut self, pool: &mut Pool, write: impl Fn(Frame, Held, &mut Pool)) {
        if let (Some(frame), Some(held)) = (self.joiner.flush(), self.held.take()) {
            write(frame, held, pool);
        }
    }
}

/// Bytes of a tag.
pub(super) const TAG: u64 = 4;

/// Whether TCP follows an IP header at once.
pub(super) fn is_tcp(frame: &Frame) -> bool {
    let bytes = frame.bytes();
    let protocol = match network_header(bytes) {
        Some((at, EtherType::IPV4)) => bytes.get(at + 9),
        Some((at, EtherType::IPV6)) => bytes.get(at + 6),
        _ => None,
    };
    protocol == Some(&Protocol::TCP.0)
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

    proptest! {
        /// Whatever is joined, every frame arrives byte for byte, in the order in which it was sent, within its batch.
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
                let got: RefCell<Vec<(Frame, Held)>> = RefCell::default();
                let write = |frame: Frame, held, _: &mut Pool| got.borrow_mut().push((frame, held));
                for (flow, port, len, right, kind) in batch {
                    let egress = Egress { port: PortId::new(port), remote: None, tag: None };
                    let number = &mut numbers[usize::from(flow)];
                    *number = number.wrapping_add(1);
                    let frame = datagram(flow, *number, len, right);
                    expected.push((egress.port, frame.bytes().to_vec()));
                    if kind == 0 {
                        // One that may not be joined, as a super-frame.
                        joining.flush(&mut pool, write);
                        let held = Held { egress, frames: 1, bytes: frame.len() as u64 };
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
}
