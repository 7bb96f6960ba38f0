//! After an edit of addresses and ports every checksum is what it would be had the packet been sent
//! that way.

use core::net::Ipv4Addr;

use packet::rewrite::{self, End};
use packet::{DropReason, Frame, icmp, segment};
use proptest::prelude::*;

use crate::naive;
use crate::sample::{Carried, Sample, ipv4, mend_header, samples};

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Source), Just(End::Destination)]
}

/// The packet as it would have been built with the new endpoint; ICMP's one identifier is its first
/// port.
fn rebuilt(sample: &Sample, end: End, address: [u8; 4], port: Option<u16>) -> Sample {
    let mut sample = sample.clone();
    let at = if end == End::Source { 0 } else { 1 };
    sample.addresses[at] = address;
    let at = if sample.carried == Carried::Echo { 0 } else { at };
    if let Some(port) = port {
        sample.ports[at] = port;
    }
    sample
}

fn rewritten(frame: Frame, end: End, address: [u8; 4], port: Option<u16>) -> Frame {
    let mut packet = ipv4(frame);
    rewrite::endpoint(&mut packet, end, Ipv4Addr::from(address), port);
    packet.into_frame()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_rewritten_packet_is_the_packet_built_that_way(
        sample in samples(&[Carried::Tcp, Carried::Udp, Carried::Echo], false, 100),
        end in ends(), address: [u8; 4], port: Option<u16>,
    ) {
        let frame = rewritten(Frame::copied_from(&sample.bytes()), end, address, port);
        prop_assert!(naive::is_intact(frame.bytes()));
        let rebuilt = rebuilt(&sample, end, address, port).bytes();
        prop_assert_eq!(frame.bytes(), &rebuilt[..]);
    }

    /// RT12.
    #[test]
    fn forwarding_at_once_is_a_hop_less_and_both_ends_rewritten(
        sample in samples(&[Carried::Tcp, Carried::Udp], false, 100),
        partial: bool, sum: bool, source: ([u8; 4], u16), destination: ([u8; 4], u16),
    ) {
        let mut frame = if partial { sample.partial() } else { Frame::copied_from(&sample.bytes()) };
        if !partial && !sum && sample.carried == Carried::Udp {
            frame.bytes_mut()[40..42].fill(0);
        }
        let mut at_once = ipv4(frame.clone());
        let mut step_by_step = ipv4(frame);
        prop_assume!(at_once.ttl() > 1);
        let [from, to] = [source, destination].map(|(address, port)| (Ipv4Addr::from(address), port));
        rewrite::forward(&mut at_once, from, to);
        step_by_step.decrement_ttl();
        rewrite::endpoint(&mut step_by_step, End::Destination, to.0, Some(to.1));
        rewrite::endpoint(&mut step_by_step, End::Source, from.0, Some(from.1));
        prop_assert_eq!(at_once.into_frame(), step_by_step.into_frame());
    }

    #[test]
    fn a_partial_checksum_survives_a_rewrite(
        sample in samples(&[Carried::Tcp, Carried::Udp], false, 100),
        end in ends(), address: [u8; 4], port: Option<u16>,
    ) {
        let frame = rewritten(sample.partial(), end, address, port);
        prop_assert_eq!(frame.offload(), sample.partial().offload());
        let mut completed = frame;
        segment::complete_checksum(&mut completed);
        prop_assert!(naive::is_intact(completed.bytes()));
        let mut first = sample.partial();
        segment::complete_checksum(&mut first);
        let first = rewritten(first, end, address, port);
        prop_assert_eq!(completed, first);
    }

    #[test]
    fn a_rewritten_super_frame_is_cut_into_the_rewritten_segments(
        sample in samples(&[Carried::Tcp, Carried::Udp], false, 400),
        end in ends(), address: [u8; 4], port: Option<u16>, size in 40..200u16,
    ) {
        let pieces = |frame| {
            let mut pieces = Vec::new();
            segment::segment(frame, &mut packet::Pool::new(1), &mut |piece| pieces.push(piece)).unwrap();
            pieces
        };
        let cut_late = pieces(rewritten(sample.super_frame(size, false), end, address, port));
        let cut_early = pieces(sample.super_frame(size, false));
        let cut_early: Vec<_> = cut_early.into_iter().map(|piece| rewritten(piece, end, address, port)).collect();
        prop_assert_eq!(cut_late, cut_early);
    }

    #[test]
    fn an_absent_udp_checksum_stays_absent(
        sample in samples(&[Carried::Udp], false, 100), end in ends(), address: [u8; 4], port: Option<u16>,
    ) {
        let mut bytes = sample.bytes();
        bytes[40..42].fill(0);
        let frame = rewritten(Frame::copied_from(&bytes), end, address, port);
        prop_assert_eq!(&frame.bytes()[40..42], &[0, 0]);
        prop_assert!(naive::is_intact(frame.bytes()));
    }

    #[test]
    fn there_and_back_leaves_a_packet_as_it_was(
        sample in samples(&[Carried::Tcp, Carried::Udp, Carried::Echo], false, 100),
        end in ends(), address: [u8; 4], port: u16,
    ) {
        let at = if end == End::Source { 0 } else { 1 };
        let old_port = sample.ports[if sample.carried == Carried::Echo { 0 } else { at }];
        let frame = rewritten(Frame::copied_from(&sample.bytes()), end, address, Some(port));
        let frame = rewritten(frame, end, sample.addresses[at], Some(old_port));
        let bytes = sample.bytes();
        prop_assert_eq!(frame.bytes(), &bytes[..]);
    }

    #[test]
    fn a_quoted_packet_is_the_quote_of_the_packet_built_that_way(
        sample in samples(&[Carried::Tcp, Carried::Udp, Carried::Echo], false, 100),
        end in ends(), address: [u8; 4], port: Option<u16>, len in 0..150usize,
    ) {
        // Half a checksum stays as it is: nobody can verify it.
        prop_assume!(sample.carried != Carried::Tcp || len != 9);
        let message = |sample: &Sample| {
            let quote = sample.bytes()[14..].to_vec();
            let mut message = vec![11, 0, 0, 0, 0, 0, 0, 0];
            message.extend(&quote[..quote.len().min(28 + len)]);
            icmp::recompute(&mut message);
            message
        };
        let mut got = message(&sample);
        rewrite::quoted(&mut got[8..], end, Ipv4Addr::from(address), port);
        icmp::recompute(&mut got);
        prop_assert_eq!(naive::sum(&got), 0xffff);
        prop_assert_eq!(got, message(&rebuilt(&sample, end, address, port)));
    }

    #[test]
    fn a_hostile_quote_is_edited_without_panic(
        mut quote in prop::collection::vec(any::<u8>(), 0..80), end in ends(), address: [u8; 4], port: Option<u16>
    ) {
        let before = quote.len();
        rewrite::quoted(&mut quote, end, Ipv4Addr::from(address), port);
        prop_assert_eq!(quote.len(), before);
    }

    #[test]
    fn later_fragments_and_cut_headers_change_in_their_ip_header_alone(
        sample in samples(&[Carried::Tcp, Carried::Udp], false, 60),
        end in ends(), address: [u8; 4], port: u16, later: bool, kept in 0..6usize,
    ) {
        let mut bytes = sample.bytes();
        if later {
            bytes[20..22].copy_from_slice(&[0, 3]);
        } else {
            bytes.truncate(34 + kept);
            let total = (20 + kept) as u16;
            bytes[16..18].copy_from_slice(&total.to_be_bytes());
        }
        mend_header(&mut bytes);
        let frame = rewritten(Frame::copied_from(&bytes), end, address, Some(port));
        prop_assert_eq!(&frame.bytes()[34..], &bytes[34..]);
        prop_assert_eq!(naive::sum(&frame.bytes()[14..34]), 0xffff);
        let at = if end == End::Source { 26 } else { 30 };
        prop_assert_eq!(&frame.bytes()[at..at + 4], &address);
    }

    #[test]
    fn a_hop_less_and_a_hop_count_set_keep_the_header_checksum_right(
        sample in samples(&[Carried::Udp], false, 20), hops: u8
    ) {
        let mut packet = ipv4(Frame::copied_from(&sample.bytes()));
        packet.decrement_ttl();
        prop_assert_eq!(packet.ttl(), 63);
        prop_assert_eq!(naive::sum(&packet.bytes()[..20]), 0xffff);
        packet.set_ttl(hops);
        prop_assert_eq!(packet.ttl(), hops);
        prop_assert_eq!(naive::sum(&packet.bytes()[..20]), 0xffff);
    }
}

#[test]
fn a_partial_checksum_over_a_fragment_is_refused_because_no_rewrite_could_keep_it() {
    let mut sample = plain_sample();
    sample.payload = vec![7; 64];
    let mut frame = sample.partial();
    frame.bytes_mut()[20] = 0x20;
    mend_header(frame.bytes_mut());
    let dropped = packet::Ipv4::in_frame(frame).unwrap_err();
    assert_eq!(dropped.reason, DropReason::BadOffload);
}

#[test]
fn a_udp_checksum_that_comes_out_as_zero_is_sent_as_all_ones() {
    let mut sample = plain_sample();
    sample.carried = Carried::Udp;
    let bytes = sample.bytes();
    // A word that grows by the checksum makes the sum all ones, and its complement zero.
    let checksum = u32::from(u16::from_be_bytes([bytes[40], bytes[41]]));
    let port = packet::checksum::fold(u32::from(sample.ports[0]) + checksum);
    let frame = rewritten(Frame::copied_from(&bytes), End::Source, sample.addresses[0], Some(port));
    assert_eq!(&frame.bytes()[40..42], &[0xff, 0xff]);
    assert!(naive::is_intact(frame.bytes()));
    sample.ports[0] = port;
    let mut completed = sample.partial();
    segment::complete_checksum(&mut completed);
    assert_eq!(completed, frame);
    assert_eq!(completed.bytes(), sample.bytes());
}

fn plain_sample() -> Sample {
    Sample {
        carried: Carried::Tcp,
        ipv6: false,
        addresses: [[192, 0, 2, 1], [198, 51, 100, 1]],
        ports: [40_000, 80],
        sequence: 1,
        flags: 0,
        option_words: 0,
        payload: Vec::new(),
    }
}
