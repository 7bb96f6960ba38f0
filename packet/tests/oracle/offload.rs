//! Duties described by hostile headers stay inside their frames and off their addresses.

use packet::{DropReason, Ethernet, Frame, Ipv4, Offload, Pool, Span, segment, vnet};
use proptest::prelude::*;

use crate::sample::{Carried, samples};

/// A header as a hostile guest would write it: mostly plausible.
fn headers() -> impl Strategy<Value = [u8; vnet::HEADER_LEN]> {
    let likely = |values: &'static [u16]| prop_oneof![prop::sample::select(values), any::<u16>()];
    (
        0..4u8,
        prop::sample::select(&[0u8, 1, 3, 4, 5, 0x81, 0x84, 0xff]),
        likely(&[0, 1, 36, 536, 1448]),
        likely(&[14, 34, 38, 54]),
        likely(&[6, 16, 0, 65_535]),
    )
        .prop_map(|(flags, gso, size, start, offset)| {
            let mut header = [0; vnet::HEADER_LEN];
            header[..2].copy_from_slice(&[flags, gso]);
            header[4..6].copy_from_slice(&size.to_ne_bytes());
            header[6..8].copy_from_slice(&start.to_ne_bytes());
            header[8..10].copy_from_slice(&offset.to_ne_bytes());
            header
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_described_duty_reaches_beyond_its_frame_or_panics(
        header in headers(),
        sample in samples(&[Carried::Tcp, Carried::Udp], true, 300),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        mtu: u16,
    ) {
        let mut bytes = sample.bytes();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let Some(offload) = vnet::parse(&header, &bytes) else { return Ok(()) };
        let mut frame = Frame::copied_from(&bytes);
        frame.set_offload(offload);
        if let Some(span) = offload.span() {
            prop_assert!(span.field() + 2 <= bytes.len());
        }
        prop_assert!(segment::segment_ip_len(&frame) + 14 <= bytes.len().max(14));

        let mut resized = frame.clone();
        if segment::resized(&mut resized, mtu) {
            prop_assert!(segment::segment_ip_len(&resized) <= usize::from(mtu));
        } else {
            prop_assert_eq!(&resized, &frame);
        }
        let mut pool = Pool::new(1);
        let mut pieces = 0;
        let result = segment::segment(frame.clone(), &mut pool, &mut |piece| {
            pieces += 1;
            assert_eq!(piece.offload(), Offload::Complete);
            assert!(piece.len() <= bytes.len());
        });
        match result {
            Ok(()) => prop_assert!(pieces > 0),
            Err(dropped) => {
                prop_assert_eq!(pieces, 0);
                prop_assert_eq!(dropped.reason, DropReason::BadOffload);
                prop_assert_eq!(&dropped.frame, &frame);
            }
        }
        let Ok(ethernet) = Ethernet::parse(frame) else { return Ok(()) };
        if let Ok(packet) = Ipv4::parse(ethernet)
            && let Some(span) = packet.frame().offload().span()
        {
            prop_assert!(span.field() + 2 <= packet.frame().len());
            prop_assert_eq!(usize::from(span.start), packet.transport_offset());
        }
    }

    #[test]
    fn a_kernel_reads_back_what_was_written(
        sample in samples(&[Carried::Tcp, Carried::Udp], true, 300), size in 1..400u16, ecn: bool
    ) {
        let frame = sample.super_frame(size, ecn);
        prop_assert_eq!(vnet::parse(&vnet::emit(&frame), frame.bytes()), Some(frame.offload()));
        let frame = sample.partial();
        prop_assert_eq!(vnet::parse(&vnet::emit(&frame), frame.bytes()), Some(frame.offload()));
    }
}

#[test]
fn a_checksum_that_would_be_written_over_addresses_is_refused() {
    let refused = |bytes: &[u8], start, offset| {
        let mut frame = Frame::copied_from(bytes);
        frame.set_offload(Offload::Checksum(Span { start, offset }));
        Ethernet::parse(frame).err().map(|dropped| dropped.reason)
    };
    let mut bytes = [0; 60];
    bytes[12..14].copy_from_slice(&[0x08, 0x06]);
    // The sender address of an ARP packet that inspection would have passed.
    assert_eq!(refused(&bytes, 14, 14), Some(DropReason::BadOffload));
    assert_eq!(refused(&bytes, 34, 4), Some(DropReason::BadOffload));
    // Behind a tag that is taken out, byte 14 becomes byte 10: the source MAC.
    bytes[12..14].copy_from_slice(&[0x81, 0x00]);
    assert_eq!(refused(&bytes, 14, 0), Some(DropReason::BadOffload));
    assert_eq!(refused(&bytes, 37, 16), Some(DropReason::BadOffload));
    assert_eq!(refused(&bytes, 38, 16), None);
}
