//! Joining what came: the fragments of a UDP datagram that follow one another pass the switch as
//! one frame.
//!
//! In a crowd only, as what leaves is joined (`joining`): who sends a few fragments, and looks at
//! each, sees each. The order stays, and what does not make a whole goes on as it came.

use packet::coalesce::Fragments;
use packet::{Frame, Ip, Pool, PortId};
use switch::Event;

/// What fragments are joined in; empty between batches.
#[derive(Debug, Default)]
pub(super) struct Arriving {
    fragments: Fragments,
    came: Vec<Event>,
}

impl Arriving {
    /// Joins what it can of the frames of `port`, which stand in `batch` from `first` on.
    pub(super) fn join(
        &mut self,
        port: PortId,
        batch: &mut Vec<Event>,
        first: usize,
        pool: &mut Pool,
    ) {
        let Self { fragments, came } = self;
        let event = |frame| Event::Frame { port, frame };
        came.extend(batch.drain(first..));
        for came in came.drain(..) {
            let pushed = match came {
                Event::Frame { frame, .. } => fragments.push(frame).map_err(event),
                other => Err(other),
            };
            match pushed {
                Ok(false) => {}
                Ok(true) => batch.extend(fragments.join(pool).map(event)),
                Err(Event::Frame { frame, .. }) if !fragments.is_empty() => {
                    batch.extend(fragments.drain().map(event));
                    batch.extend(fragments.push(frame).err().map(event));
                }
                Err(other) => batch.extend(fragments.drain().map(event).chain([other])),
            }
        }
        batch.extend(fragments.drain().map(event));
    }
}

/// Whether more fragments of its datagram follow a frame.
pub(super) fn is_followed(frame: &Frame) -> bool {
    matches!(Ip::in_frame(frame.bytes()), Some((_, Ip::V4(ip))) if ip.more_fragments())
}

#[cfg(test)]
mod tests {
    use packet::fragment::fragment;
    use packet::segment::{complete_checksum, segment};
    use packet::{Ipv4, Offload, Span};

    use super::*;

    /// The fragments of a datagram of 3,000 bytes of IP that says a number.
    fn fragments(number: u8, pool: &mut Pool) -> Vec<Frame> {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        bytes.extend([0x45, 0, 0x0b, 0xb8, 0, number, 0, 0, 64, 17, 0, 0]);
        bytes.extend([10, 0, 0, 1, 10, 0, 1, 1]);
        let sum = packet::checksum::of(&bytes[14..]);
        bytes[24..26].copy_from_slice(&sum.to_be_bytes());
        let length = (3000u16 - 20).to_be_bytes();
        bytes.extend([0x30, 1, 0, 53, length[0], length[1]]);
        let pseudo = packet::checksum::sum(&bytes[26..34], 17);
        bytes.extend(packet::checksum::sum(&length, pseudo).to_be_bytes());
        bytes.resize(14 + 3000, number);
        let mut frame = Frame::copied_from(&bytes);
        frame.set_offload(Offload::Checksum(Span { start: 34, offset: 6 }));
        complete_checksum(&mut frame);
        let (packet, mut parts) = (Ipv4::in_frame(frame).unwrap(), Vec::new());
        fragment(packet, 1500, pool, &mut |part| parts.push(part)).unwrap();
        assert_eq!(parts.len(), 3);
        parts
    }

    /// Lengths of what goes on, which stands for the very frames that came.
    fn joined(came: &[Frame], malformed: Option<usize>) -> Vec<usize> {
        let (port, mut pool) = (PortId::new(3), Pool::new(8));
        let mut batch: Vec<Event> =
            came.iter().map(|frame| Event::Frame { port, frame: copy(frame, &mut pool) }).collect();
        let other = PortId::new(4);
        batch.insert(0, Event::Malformed { port: other });
        if let Some(at) = malformed {
            batch.insert(1 + at, Event::Malformed { port });
        }
        Arriving::default().join(port, &mut batch, 1, &mut pool);
        assert!(matches!(batch[0], Event::Malformed { port } if port == other));
        let (mut lengths, mut sent) = (Vec::new(), Vec::new());
        for event in batch.drain(1..) {
            let Event::Frame { frame, .. } = event else {
                lengths.push(0);
                continue;
            };
            lengths.push(frame.len());
            segment(frame, &mut pool, &mut |piece| sent.push(piece)).unwrap();
        }
        assert!(sent == came, "other frames, or in another order");
        lengths
    }

    fn copy(frame: &Frame, pool: &mut Pool) -> Frame {
        let mut copy = pool.take();
        assert!(copy.append(frame.bytes()));
        copy
    }

    #[test]
    fn fragments_that_follow_one_another_go_on_as_one() {
        let pool = &mut Pool::new(8);
        let parts: Vec<Frame> = (0..3).flat_map(|number| fragments(number, pool)).collect();
        assert_eq!(joined(&parts, None), [3014; 3]);
        assert!(is_followed(&parts[1]) && !is_followed(&parts[2]));
        // One is missing, one comes twice, the last datagram is not whole.
        let (torn, mut again) = ([&parts[..1], &parts[2..8]].concat(), parts.clone());
        again.insert(4, parts[3].clone());
        assert_eq!(joined(&torn, None), [1514, 54, 3014, 1514, 1514]);
        assert_eq!(joined(&again, None), [3014, 1514, 3014, 3014]);
        assert_eq!(joined(&parts, Some(4)), [3014, 1514, 0, 1514, 54, 3014]);
    }
}
