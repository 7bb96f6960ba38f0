//! Cutting loses nothing, and every piece is a packet of its own.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use packet::segment::{self, MAX_PIECES, Pieces};
use packet::vlan::Tag;
use packet::{DropReason, Frame, Offload, Pool};
use proptest::prelude::*;

use crate::naive;
use crate::sample::{Carried, Sample, mend_header, samples};

const BOTH: &[Carried] = &[Carried::Tcp, Carried::Udp];

fn cut(frame: Frame) -> Vec<Frame> {
    let mut pieces = Vec::new();
    segment::segment(frame, &mut Pool::new(4), &mut |piece| pieces.push(piece)).unwrap();
    pieces
}

fn refused(frame: Frame) -> Option<DropReason> {
    let result = segment::segment(frame, &mut Pool::new(1), &mut |_| panic!("a piece was emitted"));
    result.err().map(|dropped| dropped.reason)
}

fn plain(carried: Carried, payload: usize) -> Sample {
    Sample {
        carried,
        ipv6: false,
        addresses: [[192, 0, 2, 1], [198, 51, 100, 1]],
        ports: [40_000, 80],
        sequence: u32::MAX - 10,
        flags: 0x89,
        option_words: 3,
        payload: (0..payload).map(|at| at as u8).collect(),
    }
}

/// Holds `piece` number `index` of `count` to what `sample` says of it.
fn check_piece(sample: &Sample, piece: &Frame, index: usize, count: usize, size: usize, ecn: bool) {
    assert_eq!(piece.offload(), Offload::Complete);
    assert!(naive::is_intact(piece.bytes()), "piece {index}");
    let whole = sample.bytes();
    let sliced = SlicedPacket::from_ethernet(piece.bytes()).unwrap();
    match sliced.net.unwrap() {
        NetSlice::Ipv4(ip) => {
            assert_eq!(usize::from(ip.header().total_len()), piece.len() - 14);
            assert_eq!(
                ip.header().to_header().calc_header_checksum(),
                ip.header().header_checksum()
            );
            let first = u16::from_be_bytes([whole[18], whole[19]]);
            assert_eq!(ip.header().identification(), first.wrapping_add(index as u16));
        }
        NetSlice::Ipv6(ip) => {
            assert_eq!(usize::from(ip.header().payload_length()), piece.len() - 54);
        }
        NetSlice::Arp(_) => panic!("ARP"),
    }
    match sliced.transport.unwrap() {
        TransportSlice::Tcp(tcp) => {
            let position = (index * size) as u32;
            assert_eq!(tcp.sequence_number(), sample.sequence.wrapping_add(position));
            let last = index + 1 == count;
            assert_eq!(tcp.fin(), last && sample.flags & 1 != 0);
            assert_eq!(tcp.psh(), last && sample.flags & 8 != 0);
            assert_eq!(tcp.cwr(), sample.flags & 0x80 != 0 && (index == 0 || !ecn));
            assert!(tcp.ack());
            assert_eq!(tcp.options().len(), 4 * sample.option_words);
        }
        TransportSlice::Udp(udp) => {
            assert_eq!(usize::from(udp.length()), piece.len() - sample.transport());
            assert_ne!(udp.checksum(), 0);
        }
        _ => panic!("neither TCP nor UDP"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// OF1.
    #[test]
    fn the_pieces_of_a_super_frame_are_whole_packets_that_carry_its_payload(
        sample in samples(BOTH, true, 4000), size in 4..2000u16, ecn: bool, tag: Option<u16>
    ) {
        let mut frame = sample.super_frame(size, ecn);
        frame.set_tag(tag.map(Tag::from_bits));
        let largest = segment::segment_ip_len(&frame);
        let pieces = cut(frame);
        let size = usize::from(size);
        prop_assert_eq!(pieces.len(), sample.payload.len().div_ceil(size).max(1));
        let mut payload = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            check_piece(&sample, piece, index, pieces.len(), size, ecn);
            prop_assert_eq!(piece.tag(), tag.map(Tag::from_bits));
            let part = &piece.bytes()[sample.headers()..];
            prop_assert!(part.len() == size || index + 1 == pieces.len());
            payload.extend_from_slice(part);
        }
        prop_assert_eq!(&payload, &sample.payload);
        prop_assert_eq!(pieces.iter().map(Frame::len).max(), Some(largest + 14));
    }

    /// OF1.
    #[test]
    fn a_completed_checksum_is_the_one_its_sender_would_have_written(sample in samples(BOTH, true, 300)) {
        let mut frame = sample.partial();
        segment::complete_checksum(&mut frame);
        let expected = Frame::copied_from(&sample.bytes());
        prop_assert_eq!(&frame, &expected);
        // Nothing is left to do: a second call changes nothing, and neither does cutting.
        segment::complete_checksum(&mut frame);
        prop_assert_eq!(&frame, &expected);
        prop_assert_eq!(cut(frame), vec![expected.clone()]);
        prop_assert_eq!(cut(sample.partial()), vec![expected.clone()]);
        prop_assert_eq!(cut(sample.super_frame(300, true)), vec![expected]);
    }

    #[test]
    fn a_resized_super_frame_fits_the_mtu_and_carries_the_same(
        sample in samples(BOTH, true, 3000), size in 1000..2000u16, mtu in 60..1500u16
    ) {
        let mut frame = sample.super_frame(size, false);
        let before = frame.clone();
        if segment::resized(&mut frame, mtu) {
            prop_assert!(segment::segment_ip_len(&frame) <= usize::from(mtu));
            let pieces = cut(frame);
            prop_assert!(pieces.iter().all(|piece| piece.len() <= usize::from(mtu) + 14));
            let payload: Vec<u8> = pieces.iter().flat_map(|p| p.bytes()[sample.headers()..].to_vec()).collect();
            prop_assert_eq!(payload, sample.payload);
        } else {
            prop_assert_eq!(&frame, &before);
            // Room for less than one byte, or for so few that the pieces would be too many.
            let room = usize::from(mtu).saturating_sub(sample.headers() - 14);
            let too_many = room == 0 || sample.payload.len().div_ceil(room) > MAX_PIECES;
            prop_assert!(sample.carried == Carried::Udp || too_many);
        }
    }

    #[test]
    fn tags_left_in_the_bytes_do_not_hide_the_headers(
        sample in samples(BOTH, true, 600), tags in prop::collection::vec(any::<(bool, u16)>(), 0..=3)
    ) {
        let mut frame = sample.super_frame(100, false);
        let count = tags.len();
        let mut bytes = frame.bytes().to_vec();
        for (service, bits) in tags {
            let tpid: [u8; 2] = if service { [0x88, 0xa8] } else { [0x81, 0x00] };
            bytes.splice(12..12, [tpid, bits.to_be_bytes()].concat());
        }
        let offload = frame.offload().shifted(4 * count as i16);
        frame = Frame::copied_from(&bytes);
        frame.set_offload(offload);
        if count > 2 {
            prop_assert_eq!(refused(frame), Some(DropReason::BadOffload));
            return Ok(());
        }
        let untagged = cut(sample.super_frame(100, false));
        let pieces = cut(frame);
        prop_assert_eq!(pieces.len(), untagged.len());
        for (piece, untagged) in pieces.iter().zip(untagged) {
            prop_assert_eq!(&piece.bytes()[..12 + 4 * count], &bytes[..12 + 4 * count]);
            prop_assert_eq!(&piece.bytes()[12 + 4 * count..], &untagged.bytes()[12..]);
        }
    }
}

#[test]
fn ipv6_extension_headers_stay_ahead_of_each_piece() {
    let mut sample = plain(Carried::Tcp, 1000);
    sample.ipv6 = true;
    let partial = sample.super_frame(300, false);
    let mut bytes = partial.bytes().to_vec();
    bytes.splice(54..54, [6, 0, 1, 4, 0, 0, 0, 0]); // Destination options: padding.
    bytes[20] = 60;
    let length = u16::from_be_bytes([bytes[18], bytes[19]]) + 8;
    bytes[18..20].copy_from_slice(&length.to_be_bytes());
    let mut frame = Frame::copied_from(&bytes);
    frame.set_offload(partial.offload().shifted(8));
    let pieces = cut(frame);
    assert_eq!(pieces.len(), 4);
    for piece in &pieces {
        assert!(naive::is_intact(piece.bytes()));
        assert_eq!(&piece.bytes()[54..62], &[6, 0, 1, 4, 0, 0, 0, 0]);
    }
}

#[test]
fn the_largest_super_frame_is_cut_and_its_buffer_comes_back() {
    let mut pool = Pool::new(64);
    let sample = plain(Carried::Udp, 65_535 - 28);
    let bytes = sample.super_frame(1472, false);
    let mut frame = pool.take();
    frame.receive_space(0)[..bytes.len()].copy_from_slice(bytes.bytes());
    frame.received(0, bytes.len());
    frame.set_offload(bytes.offload());
    let mut pieces = Pieces::of(frame).unwrap();
    let mut count = 0;
    while let Some(piece) = pieces.next(&mut pool) {
        assert!(naive::is_intact(piece.bytes()));
        count += 1;
        pool.give(piece);
    }
    assert_eq!(count, 45);
    assert_eq!(pool.len(), 2, "one buffer for all pieces, and the original's");
    assert!(pieces.next(&mut pool).is_none());
}

#[test]
fn ethernet_padding_is_not_cut_into_a_segment() {
    let sample = plain(Carried::Tcp, 15);
    let mut frame = sample.super_frame(10, false);
    let (bytes, offload) = ([frame.bytes(), &[0xee; 40]].concat(), frame.offload());
    frame = Frame::copied_from(&bytes);
    frame.set_offload(offload);
    let pieces = cut(frame);
    let payload: Vec<u8> =
        pieces.iter().flat_map(|piece| piece.bytes()[sample.headers()..].to_vec()).collect();
    assert_eq!(payload, sample.payload);
    assert_eq!(pieces.len(), 2);
    assert!(pieces.iter().all(|piece| naive::is_intact(piece.bytes())));
}

#[test]
fn more_pieces_than_the_limit_are_refused() {
    let sample = plain(Carried::Tcp, MAX_PIECES);
    assert_eq!(cut(sample.super_frame(1, false)).len(), MAX_PIECES);
    let sample = plain(Carried::Tcp, MAX_PIECES + 1);
    assert_eq!(refused(sample.super_frame(1, false)), Some(DropReason::BadOffload));
    let mut frame = sample.super_frame(65_535, false);
    let before = frame.clone();
    assert!(!segment::resized(&mut frame, 53), "52 bytes of headers leave room for 1");
    assert_eq!(frame, before);
}

#[test]
fn headers_that_contradict_each_other_are_refused() {
    let sample = plain(Carried::Tcp, 500);
    let spoilt: [(&str, usize, u8); 10] = [
        ("ethertype", 12, 0x86),
        ("version", 14, 0x55),
        ("header length", 14, 0x46),
        ("total length beyond the frame", 16, 0xff),
        ("total length inside the headers", 16, 0x00),
        ("more fragments", 20, 0x20),
        ("fragment offset", 21, 0x01),
        ("protocol", 23, 17),
        ("tcp header length under 20", 46, 0x40),
        ("ipv6 in name only", 13, 0xdd),
    ];
    for (what, at, value) in spoilt {
        let mut frame = sample.super_frame(100, false);
        frame.bytes_mut()[at] = value;
        if at == 16 && value == 0 {
            frame.bytes_mut()[17] = 51;
        }
        mend_header(frame.bytes_mut());
        assert_eq!(refused(frame), Some(DropReason::BadOffload), "{what}");
    }
    // A duty of another kind than the headers.
    let mut frame = sample.super_frame(100, false);
    frame.set_offload(plain(Carried::Udp, 500).super_frame(100, false).offload());
    assert_eq!(refused(frame), Some(DropReason::BadOffload));
    // A checksum field at the place of the other protocol's.
    let mut frame = sample.super_frame(100, false);
    let Offload::Segment { kind, size, span } = frame.offload() else {
        panic!("not a super-frame")
    };
    let span = packet::Span { offset: 6, ..span };
    frame.set_offload(Offload::Segment { kind, size, span });
    assert_eq!(refused(frame), Some(DropReason::BadOffload));
    // IPv6 that says something else follows at once, or that is shorter than its header.
    let mut sample = plain(Carried::Tcp, 500);
    sample.ipv6 = true;
    for (at, value) in [(20, 17), (14, 0x40), (18, 0xff), (18, 0)] {
        let mut frame = sample.super_frame(100, false);
        frame.bytes_mut()[at] = value;
        if at == 18 && value == 0 {
            frame.bytes_mut()[19] = 31;
        }
        assert_eq!(refused(frame), Some(DropReason::BadOffload), "byte {at}");
    }
}

#[test]
fn a_checksum_beyond_the_end_leaves_the_bytes_alone() {
    let mut frame = plain(Carried::Tcp, 0).partial();
    let before = frame.bytes()[..50].to_vec();
    frame.truncate(50);
    segment::complete_checksum(&mut frame);
    assert_eq!(frame.bytes(), before);
    frame.set_offload(Offload::Checksum(packet::Span { start: 5000, offset: 16 }));
    segment::complete_checksum(&mut frame);
    assert_eq!(frame.bytes(), before);
}
