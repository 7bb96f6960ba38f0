//! A virtio header and the frame behind it, as a device hands them over; what each encoding makes
//! of the other.

use packet::segment::segment;
use packet::{Frame, Offload, Pool, SegmentKind, vnet};
use switch::Event;

use super::{finish, village};
use crate::checks::seen;
use crate::wire::inside;

/// Headers and frames for one port of the village: ten bytes, two of length, the frame; and so
/// on.
///
/// Of every header that is believed: writing it and reading that gives the same duty; so does a tag
/// put in and taken out again; and cutting a super-frame yields pieces that owe nothing, none too
/// large, none lost.
pub fn virtio(mut data: &[u8]) {
    let mut lab = village();
    let port = lab.port_id("blue");
    for _ in 0..super::MOST {
        let Some((header, rest)) = data.split_first_chunk::<{ vnet::HEADER_LEN }>() else { break };
        let Some((len, rest)) = rest.split_first_chunk::<2>() else { break };
        let len = usize::from(u16::from_be_bytes(*len)) & 0x1fff;
        let (bytes, rest) = rest.split_at(len.min(rest.len()));
        data = rest;
        match vnet::parse(header, bytes) {
            None => lab.step(Event::Malformed { port }),
            Some(duty) => {
                let mut frame = Frame::copied_from(bytes);
                frame.set_offload(duty);
                judge(&frame);
                lab.step(Event::Frame { port, frame });
            }
        }
        lab.settle();
    }
    finish(lab);
}

/// What must hold of a frame whose header was believed.
fn judge(frame: &Frame) {
    let duty = frame.offload();
    if let Some(span) = duty.span() {
        assert!(span.start >= 14 && span.field() + 2 <= frame.len(), "{duty:?} beyond its frame");
    }
    assert_eq!(vnet::parse(&vnet::emit(frame), frame.bytes()), Some(duty), "written and read");
    let mut tagged = frame.clone();
    if tagged.pop_tag() && tagged.tag().is_some() && tagged.offload() != duty {
        assert!(tagged.push_tag(), "a tag that was there fits");
        assert_eq!((tagged.offload(), tagged.bytes()), (duty, frame.bytes()), "out and in again");
    }
    let mut pieces = Vec::new();
    match segment(frame.clone(), &mut Pool::new(0), &mut |piece| pieces.push(piece)) {
        Ok(()) => judge_pieces(frame, &pieces),
        Err(dropped) => assert_eq!(dropped.frame, *frame, "a refused frame has changed"),
    }
}

fn judge_pieces(frame: &Frame, pieces: &[Frame]) {
    assert!(pieces.iter().all(|piece| piece.offload() == Offload::Complete), "a piece owes");
    let Offload::Segment { kind, size, span } = frame.offload() else {
        return assert_eq!(pieces.len(), 1, "a frame that owes a checksum is cut");
    };
    let start = usize::from(span.start);
    let header = match kind {
        SegmentKind::Udp => start + 8,
        _ => start + usize::from(frame.bytes()[start + 12] >> 4) * 4,
    };
    let data = |frame: &Frame| frame.bytes()[header..].to_vec();
    let (last, others) = pieces.split_last().expect("a piece");
    assert!(data(last).len() <= usize::from(size.get()), "the last piece is too large");
    assert!(others.iter().all(|piece| data(piece).len() == usize::from(size.get())));
    let joined: Vec<u8> = pieces.iter().flat_map(data).collect();
    let whole = data(frame);
    assert!(whole.starts_with(&joined), "data is lost or out of order");
    if let Some(owed) = inside::owed_inside(frame) {
        // Only a right partial sum becomes right ones.
        let is_right = |frame: &Frame| inside::is_right(frame.bytes(), start) == Some(true);
        let sums_up = owed.sums_up(frame.bytes());
        assert!(!sums_up || pieces.iter().all(is_right), "a piece in a tunnel has a wrong sum");
        return;
    }
    let sums = pieces.iter().filter_map(|piece| Some((piece, seen(piece).packet()?)));
    let is_transport = |protocol| matches!(protocol, 6 | 17);
    for (piece, packet) in sums.filter(|(_, packet)| is_transport(packet.protocol)) {
        let at = 34 + packet.options.len();
        if at == start && piece.bytes()[..12] == frame.bytes()[..12] && owes_its_own(frame) {
            assert!(
                packet.checksum_holds(Offload::Complete),
                "a piece with a wrong sum: {packet:?}"
            );
        }
    }
}

/// Whether the frame's partial checksum was the sum of its pseudo-header, so that right ones can be
/// asked.
fn owes_its_own(frame: &Frame) -> bool {
    let packet = seen(frame).packet();
    packet.is_some_and(|packet| {
        let kind = match frame.offload() {
            Offload::Segment { kind: SegmentKind::Udp, .. } => 17,
            _ => 6,
        };
        packet.protocol == kind && packet.checksum_holds(frame.offload())
    })
}
