//! Frames cut, padded and tagged.

use super::*;
use crate::offload::Span;
use crate::vlan::VlanId;

fn tagged() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..12).collect();
    bytes.extend([0x81, 0x00, 0x60, 0x0a, 0x08, 0x00, 1, 2, 3]);
    bytes
}

#[test]
fn a_tag_popped_and_pushed_leaves_the_bytes_as_they_were() {
    let mut frame = Frame::copied_from(&tagged());
    frame.set_offload(Offload::Checksum(Span { start: 38, offset: 16 }));
    assert!(frame.pop_tag());
    assert_eq!(frame.tag(), Some(Tag::from_bits(0x600a)));
    assert_eq!(frame.tag().and_then(Tag::vlan), VlanId::new(10));
    assert_eq!(frame.bytes().get(12..14), Some(&[8u8, 0][..]));
    assert_eq!(frame.offload(), Offload::Checksum(Span { start: 34, offset: 16 }));
    assert!(frame.push_tag());
    assert_eq!(frame.bytes(), tagged());
    assert_eq!(frame.offload(), Offload::Checksum(Span { start: 38, offset: 16 }));
}

#[test]
fn a_tag_cut_off_by_the_end_is_refused() {
    for len in 14..18 {
        let mut frame = Frame::copied_from(&tagged()[..len]);
        assert!(!frame.pop_tag(), "{len}");
    }
}

#[test]
fn bytes_are_appended_while_the_buffer_lasts() {
    let mut frame = Frame::in_buffer(vec![0; HEADROOM + 5].into_boxed_slice());
    assert!(frame.append(&[1, 2, 3]));
    assert_eq!(frame.room(), 2);
    assert!(!frame.append(&[4, 5, 6]));
    assert!(frame.append(&[4, 5]));
    assert_eq!(frame.room(), 0);
    assert_eq!(frame.bytes(), [1, 2, 3, 4, 5]);
    frame.narrow(1..4);
    assert_eq!(frame.bytes(), [2, 3, 4]);
    frame.narrow(2..4);
    assert_eq!(frame.bytes(), [2, 3, 4]);
}

#[test]
fn what_a_receiver_writes_behind_its_header_is_the_frame() {
    let mut frame = Frame::in_buffer(vec![0; BUFFER_LEN].into_boxed_slice());
    let space = frame.receive_space(12);
    assert_eq!(space.len(), MAX_FRAME + 3 + 12);
    space[12..15].copy_from_slice(&[7, 8, 9]);
    frame.received(12, 15);
    assert_eq!(frame.bytes(), [7, 8, 9]);
    frame.received(12, 5);
    assert!(frame.is_empty());
    assert_eq!(frame.with_prefix(12).map(|bytes| bytes.len()), Some(12));
}

#[test]
fn frames_are_equal_by_bytes_tag_and_duties_and_show_them() {
    let frame = Frame::copied_from(&[0xab; 70]);
    let shown = format!("Frame(70 bytes, None, Complete, {})", "ab".repeat(64));
    assert_eq!(format!("{frame:?}"), shown);
    assert_eq!(frame, frame.compact());
    let mut other = frame.clone();
    other.set_tag(Some(Tag::new(VlanId::new(7).unwrap())));
    assert_ne!(frame, other);
    let mut other = frame.clone();
    other.set_offload(Offload::Checksum(Span { start: 34, offset: 16 }));
    assert_ne!(frame, other);
    assert_ne!(frame, Frame::copied_from(&[0xac; 70]));
}
