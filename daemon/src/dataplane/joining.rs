//! Joining what leaves: consecutive segments or datagrams of one flow go into a TAP as one super-frame.
//!
//! # Theory of operation
//! A write costs a microsecond and more whatever its size, and the far kernel takes a super-frame apart only where nobody
//! wants it whole. So frames of a batch that go to the same port are held in one of a few lanes, chosen by their flow, as
//! long as each continues the one before it ([`Joiner`] says what that means, and verifies checksums). A lane is emptied
//! when a frame comes that does not, and all are at the end of the batch: nothing waits for another batch. Frames of a
//! flow keep their order; those of different flows may pass one another within a batch, as between a card's queues.

use packet::coalesce::Joiner;
use packet::ethernet::network_header;
use packet::{EtherType, Frame, Pool, Protocol};
use switch::Egress;
use vxlan::entropy::flow_hash;

/// Lanes: more flows than that in one batch share them, and are joined less.
const LANES: usize = 8;

/// What waits for the end of a batch.
#[derive(Debug, Default)]
pub(super) struct Joining {
    lanes: [Lane; LANES],
    /// Whether any lane may hold a frame.
    busy: bool,
}

#[derive(Debug, Default)]
struct Lane {
    egress: Option<Egress>,
    joiner: Joiner,
}

impl Joining {
    /// Takes a frame that goes to one place, and gives `write` what is finished by that.
    pub(super) fn add(
        &mut self,
        frame: Frame,
        egress: Egress,
        pool: &mut Pool,
        write: impl FnOnce(Frame, Egress, &mut Pool),
    ) {
        self.busy = true;
        let Some(lane) = self.lanes.get_mut(lane(&frame, egress)) else {
            return write(frame, egress, pool);
        };
        let before = lane.egress.replace(egress);
        let finished = match before {
            Some(before) if before != egress => {
                let finished = lane.joiner.flush();
                // The lane is empty now, so this holds the frame.
                let nothing = lane.joiner.push(frame, pool);
                debug_assert!(nothing.is_none());
                finished.map(|frame| (frame, before))
            }
            _ => lane.joiner.push(frame, pool).map(|frame| (frame, egress)),
        };
        if let Some((frame, egress)) = finished {
            write(frame, egress, pool);
        }
    }

    /// Gives `write` what is held and may be of the same flow as a frame that is about to be sent by other means.
    pub(super) fn yield_to(
        &mut self,
        frame: &Frame,
        egress: Egress,
        pool: &mut Pool,
        write: impl FnMut(Frame, Egress, &mut Pool),
    ) {
        if self.busy
            && let Some(lane) = self.lanes.get_mut(lane(frame, egress))
        {
            lane.flush(pool, write);
        }
    }

    /// Gives `write` everything that is held.
    pub(super) fn flush(
        &mut self,
        pool: &mut Pool,
        mut write: impl FnMut(Frame, Egress, &mut Pool),
    ) {
        if !core::mem::take(&mut self.busy) {
            return;
        }
        for lane in &mut self.lanes {
            lane.flush(pool, &mut write);
        }
    }
}

impl Lane {
    fn flush(&mut self, pool: &mut Pool, mut write: impl FnMut(Frame, Egress, &mut Pool)) {
        if let (Some(frame), Some(egress)) = (self.joiner.flush(), self.egress.take()) {
            write(frame, egress, pool);
        }
    }
}

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

/// The lane of a frame's flow towards a port.
fn lane(frame: &Frame, egress: Egress) -> usize {
    (flow_hash(frame.bytes()) as usize).wrapping_add(egress.port.index()) % LANES
}

#[cfg(test)]
mod tests {
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
        /// What is joined or not, every port gets the frames of each flow byte for byte, in their order, within their
        /// batch.
        #[test]
        fn each_flow_arrives_as_it_was_sent(
            batches in prop::collection::vec(prop::collection::vec(
                (0u8..12, 0u32..3, prop_oneof![Just(20usize), Just(20), 2usize..40], prop::bool::weighted(0.95), 0u8..10),
                0..60,
            ), 1..4)
        ) {
            let (mut joining, mut pool) = (Joining::default(), Pool::new(64));
            let mut numbers = [0u16; 12];
            for batch in batches {
                let mut expected: Vec<(PortId, u8, Vec<u8>)> = Vec::new();
                let mut got: Vec<(Frame, Egress)> = Vec::new();
                for (flow, port, len, right, kind) in batch {
                    let egress = Egress { port: PortId::new(port), remote: None, tag: None };
                    let number = &mut numbers[usize::from(flow)];
                    *number = number.wrapping_add(1);
                    let frame = datagram(flow, *number, len, right);
                    expected.push((egress.port, flow, frame.bytes().to_vec()));
                    match kind {
                        // One that may not be joined, as a super-frame.
                        0 => {
                            joining.yield_to(&frame, egress, &mut pool, |frame, egress, _| got.push((frame, egress)));
                            got.push((frame, egress));
                        }
                        _ => joining.add(frame, egress, &mut pool, |frame, egress, _| got.push((frame, egress))),
                    }
                }
                joining.flush(&mut pool, |frame, egress, _| got.push((frame, egress)));
                prop_assert!(got.len() <= expected.len());
                let mut arrived: Vec<(PortId, u8, Vec<u8>)> = Vec::new();
                for (frame, egress) in got {
                    prop_assert!(frame.offload() != Offload::Complete || frame.len() <= 14 + 28 + 40);
                    segment(frame, &mut pool, &mut |piece| {
                        arrived.push((egress.port, piece.bytes()[29], piece.bytes().to_vec()));
                    }).unwrap();
                }
                // Flows may pass one another; within a flow and a port nothing may.
                expected.sort_by_key(|(port, flow, _)| (*port, *flow));
                arrived.sort_by_key(|(port, flow, _)| (*port, *flow));
                prop_assert_eq!(arrived, expected);
            }
        }
    }

    #[test]
    fn a_burst_of_a_flow_leaves_as_one_frame() {
        let (mut joining, mut pool) = (Joining::default(), Pool::new(64));
        let egress = Egress { port: PortId::new(1), remote: None, tag: None };
        for number in 0..32 {
            joining.add(datagram(1, number, 18, true), egress, &mut pool, |_, _, _| {
                panic!("too soon")
            });
        }
        let mut left = Vec::new();
        joining.flush(&mut pool, |frame, _, _| left.push(frame));
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].len(), 14 + 28 + 32 * 18);
        assert!(matches!(left[0].offload(), Offload::Segment { .. }));
        joining.flush(&mut pool, |_, _, _| panic!("nothing is held"));
    }
}
