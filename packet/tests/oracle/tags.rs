//! Tags beside the bytes and in them.

use packet::vlan::Tag;
use packet::{Frame, Offload, Span};
use proptest::prelude::*;

const TPIDS: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];

fn frame_with(tags: &[(usize, u16)], rest: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..12).collect();
    for (tpid, bits) in tags {
        bytes.extend(TPIDS[*tpid]);
        bytes.extend(bits.to_be_bytes());
    }
    bytes.extend([0x08, 0x00]);
    bytes.extend(rest);
    bytes
}

proptest! {
    #[test]
    fn popping_and_pushing_a_tag_are_inverse_for_every_stack(
        tags in prop::collection::vec((0..2usize, any::<u16>()), 0..4),
        rest in prop::collection::vec(any::<u8>(), 0..80),
        start in 20..200u16,
    ) {
        let bytes = frame_with(&tags, &rest);
        let mut frame = Frame::copied_from(&bytes);
        let offload = Offload::Checksum(Span { start, offset: 16 });
        frame.set_offload(offload);
        let original = frame.clone();
        prop_assert!(frame.pop_tag());
        let outer = tags.first().filter(|(tpid, _)| *tpid == 0);
        prop_assert_eq!(frame.tag(), outer.map(|(_, bits)| Tag::from_bits(*bits)));
        let inner = if outer.is_some() { &tags[1..] } else { &tags[..] };
        let expected = frame_with(inner, &rest);
        prop_assert_eq!(frame.bytes(), &expected[..]);

        // A second call leaves the inner tag where it is.
        let popped = frame.clone();
        prop_assert!(frame.pop_tag());
        prop_assert_eq!(&frame, &popped);
        prop_assert!(frame.push_tag());
        prop_assert_eq!(&frame, &original);
    }

    #[test]
    fn pushing_and_popping_tags_are_inverse_while_there_is_headroom(
        bits in prop::collection::vec(any::<u16>(), 1..=16), rest in prop::collection::vec(any::<u8>(), 0..80)
    ) {
        let bytes = frame_with(&[], &rest);
        let mut frame = Frame::copied_from(&bytes);
        for bits in &bits {
            frame.set_tag(Some(Tag::from_bits(*bits)));
            prop_assert!(frame.push_tag());
        }
        let stack: Vec<_> = bits.iter().rev().map(|bits| (0, *bits)).collect();
        let expected = frame_with(&stack, &rest);
        prop_assert_eq!(frame.bytes(), &expected[..]);
        for bits in bits.iter().rev() {
            frame.set_tag(None);
            prop_assert!(frame.pop_tag());
            prop_assert_eq!(frame.tag(), Some(Tag::from_bits(*bits)));
        }
        prop_assert_eq!(frame.bytes(), &bytes[..]);
    }
}

#[test]
fn a_seventeenth_tag_is_refused_for_lack_of_headroom() {
    let mut frame = Frame::copied_from(&frame_with(&[], &[1, 2, 3]));
    for _ in 0..16 {
        frame.set_tag(Some(Tag::from_bits(1)));
        assert!(frame.push_tag());
    }
    let before = frame.clone();
    frame.set_tag(Some(Tag::from_bits(1)));
    assert!(!frame.push_tag());
    assert_eq!(frame.bytes(), before.bytes());
}
