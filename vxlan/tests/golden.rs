//! Datagrams byte by byte, as the RFCs have them: the files in `golden/` were spelled out without
//! this crate.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// The name that every other crate knows it by.
extern crate tapswitch_vxlan as vxlan;

use core::num::NonZeroU16;

use packet::{Frame, Offload, SegmentKind, Span, Tag};
use vxlan::encap::{SendLimits, Train};
use vxlan::header::{self, Reserved};
use vxlan::{Vni, encap};

const ARP: &str = include_str!("golden/arp_datagram.hex");
const TAGGED_ARP: &str = include_str!("golden/tagged_arp_datagram.hex");
const SUPER_FRAME: &str = include_str!("golden/tcp_super_frame.hex");
const DATAGRAMS: &str = include_str!("golden/tcp_datagrams.hex");

/// The bytes of a file, without what follows a `#` on a line.
fn bytes(text: &str) -> Vec<u8> {
    let digits = text.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace());
    digits.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn vni() -> Vni {
    Vni::new(42).unwrap()
}

fn datagrams(frame: &Frame) -> Vec<Vec<u8>> {
    let mut train = Train::default();
    train.cut(vni(), frame).unwrap();
    let batches: Vec<encap::Batch<'_>> = train.sends(frame, SendLimits::BATCH).collect();
    batches
        .iter()
        .flat_map(|batch| batch.parts())
        .map(|(headers, payload)| [headers, payload].concat())
        .collect()
}

/// VX1, VX2.
#[test]
fn a_small_frame_is_put_behind_a_header_with_the_i_flag_and_no_reserved_bits() {
    let expected = bytes(ARP);
    let frame = Frame::copied_from(&expected[8..]);
    assert_eq!(datagrams(&frame), [&expected[..]]);
    for reserved in [Reserved::Ignored, Reserved::Refused] {
        assert_eq!(header::parse(&expected, reserved), Some((vni(), frame.bytes())));
    }
}

/// VX1, VX2, VX7.
#[test]
fn the_tag_beside_a_frame_stands_in_the_datagram() {
    let mut frame = Frame::copied_from(&bytes(ARP)[8..]);
    frame.set_tag(Some(Tag::from_bits(0x600a)));
    assert_eq!(datagrams(&frame), [bytes(TAGGED_ARP)]);
}

/// VX1, VX2.
#[test]
fn a_super_frame_becomes_datagrams_that_carry_its_segments() {
    let mut frame = Frame::copied_from(&bytes(SUPER_FRAME));
    let (kind, size) = (SegmentKind::Tcp4 { ecn: false }, NonZeroU16::new(10).unwrap());
    let span = Span { start: 34, offset: 16 };
    frame.set_offload(Offload::Segment { kind, size, span });
    let expected: Vec<Vec<u8>> =
        DATAGRAMS.split("# Datagram").skip(1).map(|text| bytes(&format!("#{text}"))).collect();
    assert_eq!(expected.len(), 3);
    assert_eq!(datagrams(&frame), expected);
}
