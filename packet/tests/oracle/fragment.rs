//! Fragments put together naively are the packet that was cut.

use etherparse::Ipv4HeaderSlice;
use packet::fragment::{MIN_MTU, fragment};
use packet::vlan::Tag;
use packet::{DropReason, Frame, Ipv4, Offload, Pool};
use proptest::prelude::*;

use crate::naive;
use crate::sample::{Carried, Sample, ipv4, mend_header, samples};

/// An IPv4 packet with these options (padded to whole words) and this payload, its DF bit clear.
fn packet_with(options: &[u8], payload: &[u8]) -> Ipv4 {
    let header_len = 20 + options.len().next_multiple_of(4);
    let mut bytes = vec![0; 14 + header_len];
    bytes[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
    bytes[14] = 0x40 | (header_len / 4) as u8;
    bytes[16..18].copy_from_slice(&((header_len + payload.len()) as u16).to_be_bytes());
    bytes[18..20].copy_from_slice(&[0xab, 0xcd]);
    bytes[22..24].copy_from_slice(&[64, 253]); // Protocol 253: for experiments (RFC 3692).
    bytes[26..34].copy_from_slice(&[192, 0, 2, 1, 198, 51, 100, 1]);
    bytes[34..34 + options.len()].copy_from_slice(options);
    mend_header(&mut bytes);
    bytes.extend(payload);
    ipv4(Frame::copied_from(&bytes))
}

fn cut(packet: Ipv4, mtu: u16) -> Vec<Frame> {
    let mut fragments = Vec::new();
    fragment(packet, mtu, &mut Pool::new(4), &mut |piece| fragments.push(piece)).unwrap();
    fragments
}

fn refused(packet: Ipv4, mtu: u16) -> Option<DropReason> {
    let mut pool = Pool::new(1);
    let result = fragment(packet, mtu, &mut pool, &mut |_| panic!("a fragment was emitted"));
    result.err().map(|dropped| dropped.reason)
}

/// Well-formed options: (type, data), up to `limit` bytes.
fn options(limit: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let option = prop_oneof![
        Just(vec![1u8]),
        (2..=255u8, prop::collection::vec(any::<u8>(), 0..12))
            .prop_map(|(kind, data)| { [&[kind, data.len() as u8 + 2][..], &data].concat() }),
    ];
    prop::collection::vec(option, 0..5).prop_map(move |mut options| {
        while options.concat().len() > limit {
            options.pop();
        }
        options
    })
}

/// What holds of every list of fragments of one packet, whatever its options.
fn check(original: &Ipv4, fragments: &[Frame], mtu: u16) {
    // Beyond 65,535 for a fragment that was no packet's, and that fitted.
    let mut offset = u32::from(original.ip().fragment_offset());
    for (index, frame) in fragments.iter().enumerate() {
        let last = index + 1 == fragments.len();
        assert!(frame.len() <= usize::from(mtu) + 14);
        assert_eq!(frame.offload(), Offload::Complete);
        assert_eq!(frame.tag(), original.frame().tag());
        assert_eq!(&frame.bytes()[..14], &original.frame().bytes()[..14]);
        let header = Ipv4HeaderSlice::from_slice(&frame.bytes()[14..]).unwrap();
        assert_eq!(naive::sum(header.slice()), 0xffff);
        assert_eq!(header.identification(), original.ip().identification());
        assert_eq!(header.ttl(), original.ttl());
        let reserved = |bytes: &[u8]| bytes[6] & 0x80;
        assert_eq!(reserved(header.slice()), reserved(original.bytes()));
        assert_eq!(header.protocol().0, original.protocol().0);
        assert_eq!(usize::from(header.total_len()), frame.len() - 14);
        assert_eq!(header.more_fragments(), !last || original.ip().more_fragments());
        assert_eq!(
            u32::from(header.fragments_offset().byte_offset()),
            offset,
            "fragments come in order"
        );
        offset += u32::from(header.payload_len().unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn fragments_put_together_are_the_packet(
        options in options(40), payload in prop::collection::vec(any::<u8>(), 0..5000),
        mtu in MIN_MTU..2000, tag: Option<u16>, order: u64,
    ) {
        let packet = || {
            let mut packet = packet_with(&options.concat(), &payload);
            packet.frame_mut().set_tag(tag.map(Tag::from_bits));
            packet
        };
        let mut fragments = cut(packet(), mtu);
        let original = packet();
        check(&original, &fragments, mtu);

        prop_assert_eq!(&fragments[0].bytes()[34..original.transport_offset()], original.ip().options());
        let copied: Vec<u8> = options.iter().filter(|option| option[0] & 0x80 != 0).flatten().copied().collect();
        for later in &fragments[1..] {
            let header = Ipv4HeaderSlice::from_slice(&later.bytes()[14..]).unwrap();
            let (options, padding) = header.options().split_at(copied.len());
            prop_assert_eq!(options, &copied[..]);
            prop_assert!(padding.len() < 4 && padding.iter().all(|byte| *byte == 0));
        }
        let by = order as usize % fragments.len();
        fragments.rotate_left(by);
        prop_assert_eq!(naive::reassemble(&fragments), payload);
    }

    #[test]
    fn no_fragment_could_have_been_left_out(
        payload in prop::collection::vec(any::<u8>(), 0..5000), mtu in MIN_MTU..2000
    ) {
        let count = cut(packet_with(&[], &payload), mtu).len();
        let (room, last) = (usize::from(mtu - 20) & !7, usize::from(mtu - 20));
        let least = 1 + payload.len().saturating_sub(last).div_ceil(room);
        prop_assert_eq!(count, least);
    }

    #[test]
    fn fragments_of_fragments_put_together_are_the_packet(
        payload in prop::collection::vec(any::<u8>(), 0..5000), first in MIN_MTU..2000, second in MIN_MTU..2000
    ) {
        let mut all = Vec::new();
        for frame in cut(packet_with(&[], &payload), first) {
            let again = cut(ipv4(frame.clone()), second);
            check(&ipv4(frame), &again, second);
            all.extend(again);
        }
        prop_assert_eq!(naive::reassemble(&all), payload);
    }

    #[test]
    fn a_partial_checksum_is_completed_before_the_cut(
        sample in samples(&[Carried::Tcp, Carried::Udp], false, 3000), mtu in MIN_MTU..1500
    ) {
        let mut partial = sample.partial();
        partial.bytes_mut()[20] = 0;
        mend_header(partial.bytes_mut());
        let fragments = cut(ipv4(partial), mtu);
        prop_assert_eq!(naive::reassemble(&fragments), &sample.bytes()[34..]);
    }

    #[test]
    fn hostile_headers_are_cut_or_refused_without_panic(
        options in prop::collection::vec(any::<u8>(), 0..=40), payload in prop::collection::vec(any::<u8>(), 0..3000),
        flags: u16, mtu: u16,
    ) {
        let mut packet = packet_with(&options, &payload);
        packet.frame_mut().bytes_mut()[20..22].copy_from_slice(&flags.to_be_bytes());
        mend_header(packet.frame_mut().bytes_mut());
        let (original, mut fragments) = (ipv4(packet.frame().clone()), Vec::new());
        match fragment(packet, mtu % 700, &mut Pool::new(1), &mut |piece| fragments.push(piece)) {
            Ok(()) => check(&original, &fragments, mtu % 700),
            Err(dropped) => {
                prop_assert!(fragments.is_empty());
                prop_assert_eq!(&dropped.frame, original.frame());
            }
        }
    }
}

#[test]
fn a_packet_that_fits_is_not_cut_whatever_the_mtu() {
    let fragments = cut(packet_with(&[], &[1; 20]), 40);
    assert_eq!(fragments.len(), 1);
    assert_eq!(&fragments[0], packet_with(&[], &[1; 20]).frame());
}

#[test]
fn an_option_of_impossible_length_ends_the_options_to_copy() {
    for (options, copied) in [
        (&[0x88, 2, 0x89, 1, 0x88, 2][..], &[0x88, 2, 0, 0][..]),
        (&[0x89, 0, 0x88, 2], &[]),
        (&[0x88, 2, 0x89, 3], &[0x88, 2, 0, 0]),
        (&[1, 1, 1, 0x88], &[]),
        (&[0, 0x88, 2, 0], &[]),
    ] {
        let fragments = cut(packet_with(options, &[7; 200]), 100);
        let later = ipv4(fragments[1].clone());
        assert_eq!(later.ip().options(), copied, "{options:x?}");
    }
}

#[test]
fn the_buffer_of_a_packet_that_was_cut_comes_back() {
    let mut pool = Pool::new(8);
    let mut frame = pool.take();
    let packet = packet_with(&[], &[7; 200]);
    let bytes = packet.frame().bytes();
    frame.receive_space(0)[..bytes.len()].copy_from_slice(bytes);
    frame.received(0, bytes.len());
    let mut fragments = 0;
    fragment(ipv4(frame), 100, &mut pool, &mut |_| fragments += 1).unwrap();
    assert_eq!((fragments, pool.len()), (3, 1));
}

#[test]
fn an_mtu_below_what_every_link_carries_is_refused() {
    for mtu in 0..MIN_MTU {
        let reason = refused(packet_with(&[], &[1; 100]), mtu);
        assert_eq!(reason, Some(DropReason::FragmentationNeeded), "{mtu}");
    }
}

#[test]
fn a_packet_to_be_left_whole_is_left_whole() {
    let mut packet = packet_with(&[], &[1; 100]);
    packet.frame_mut().bytes_mut()[20] = 0x40;
    mend_header(packet.frame_mut().bytes_mut());
    assert_eq!(refused(packet, 100), Some(DropReason::FragmentationNeeded));
}

#[test]
fn a_fragment_beyond_the_largest_packet_is_refused() {
    let mut packet = packet_with(&[], &[1; 800]);
    packet.frame_mut().bytes_mut()[20..22].copy_from_slice(&[0x1f, 0xff]);
    mend_header(packet.frame_mut().bytes_mut());
    assert_eq!(refused(packet, 500), Some(DropReason::BadFragment));
}

#[test]
fn a_fragment_that_others_cannot_follow_is_refused() {
    let mut packet = packet_with(&[], &[1; 801]);
    packet.frame_mut().bytes_mut()[20] = 0x20;
    mend_header(packet.frame_mut().bytes_mut());
    assert_eq!(refused(packet, 500), Some(DropReason::BadFragment));
}

#[test]
fn a_super_frame_is_to_be_segmented_first() {
    let sample = Sample {
        carried: Carried::Udp,
        ipv6: false,
        addresses: [[192, 0, 2, 1], [198, 51, 100, 1]],
        ports: [1, 2],
        sequence: 0,
        flags: 0,
        option_words: 0,
        payload: vec![9; 3000],
    };
    let packet = ipv4(sample.super_frame(1000, false));
    assert_eq!(refused(packet, 1500), Some(DropReason::BadOffload));
}

#[test]
fn the_largest_packet_is_cut_for_the_smallest_mtu() {
    let payload: Vec<u8> = (0..65_515u32).map(|at| (at / 7) as u8).collect();
    let fragments = cut(packet_with(&[], &payload), MIN_MTU);
    assert_eq!(fragments.len(), 1365);
    assert_eq!(naive::reassemble(&fragments), payload);
}

#[test]
fn more_fragments_than_the_limit_are_refused() {
    // 40 bytes of options that every fragment carries leave room for 8 bytes in each.
    let mut options = [0x42; 40];
    options[..2].copy_from_slice(&[0x9e, 40]);
    let reason = refused(packet_with(&options, &[1; 60_000]), MIN_MTU);
    assert_eq!(reason, Some(DropReason::FragmentationNeeded));
}
