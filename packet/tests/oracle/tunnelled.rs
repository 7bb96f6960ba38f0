//! What a kernel's own tunnel leaves open: the checksum and the cut of the packet inside. Each
//! piece is compared with the packet that would have been built had its segment been put into the
//! tunnels alone.

use packet::ethernet::Ethernet;
use packet::rewrite::{self, End};
use packet::segment::{self, InnerOffload, inner_offload};
use packet::{DropReason, Frame, Ipv4, Offload, Pool, vnet};
use proptest::prelude::*;

use crate::naive;
use crate::sample::{Carried, Sample, mend_header, samples};
use crate::tower::{CARRIERS, Carrier, Tunnel, framed};

const BOTH: &[Carried] = &[Carried::Tcp, Carried::Udp];

fn tunnels() -> impl Strategy<Value = Vec<Tunnel>> {
    let tunnel = (prop::sample::select(&CARRIERS[..]), any::<[bool; 2]>(), any::<u16>());
    let tunnel =
        tunnel.prop_map(|(carrier, [ipv6, summed], id)| Tunnel { carrier, ipv6, summed, id });
    prop::collection::vec(tunnel, 1..=2)
}

fn around(tunnels: &[Tunnel], inner: &[u8], index: u16) -> Vec<u8> {
    tunnels.iter().fold(inner.to_vec(), |packet, tunnel| tunnel.around(&packet, index))
}

/// A frame whose inside owes what `inner` does, behind `tags`.
fn carrying(tunnels: &[Tunnel], inner: &Frame, tags: usize) -> Frame {
    let packet = around(tunnels, &inner.bytes()[14..], 0);
    let shift = 4 * tags + packet.len() - (inner.len() - 14);
    let mut frame = Frame::copied_from(&framed(&packet, tags));
    frame.set_offload(inner.offload().shifted(shift as i16));
    frame
}

/// Segment `index` of a sample, alone, as a whole frame.
fn alone(sample: &Sample, index: usize, size: usize, ecn: bool) -> Vec<u8> {
    let chunks: Vec<&[u8]> = sample.payload.chunks(size).collect();
    let is_last = index + 1 == chunks.len();
    let mut flags = if is_last { sample.flags } else { sample.flags & !0x09 };
    if ecn && index > 0 {
        flags &= !0x80;
    }
    let sequence = sample.sequence.wrapping_add((index * size) as u32);
    let segment = Sample { payload: chunks[index].to_vec(), sequence, flags, ..sample.clone() };
    let mut bytes = segment.bytes();
    if !sample.ipv6 {
        let first = sample.bytes();
        let id = u16::from_be_bytes([first[18], first[19]]).wrapping_add(index as u16);
        bytes[18..20].copy_from_slice(&id.to_be_bytes());
        mend_header(&mut bytes);
    }
    bytes
}

fn cut(frame: Frame) -> Vec<Frame> {
    let mut pieces = Vec::new();
    segment::segment(frame, &mut Pool::new(4), &mut |piece| pieces.push(piece)).unwrap();
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// OF2.
    #[test]
    fn the_pieces_are_those_that_the_tunnels_would_have_made_of_each_segment(
        mut sample in samples(BOTH, true, 4000), tunnels in tunnels(), size in 4..2000u16, ecn: bool, tags in 0..=2usize
    ) {
        sample.payload.push(1);
        let frame = carrying(&tunnels, &sample.super_frame(size, ecn), tags);
        prop_assert_eq!(inner_offload(&frame), Some(InnerOffload::Segments));
        let largest = segment::segment_ip_len(&frame);
        let pieces = cut(frame);
        let size = usize::from(size);
        prop_assert_eq!(pieces.len(), sample.payload.len().div_ceil(size));
        for (index, piece) in pieces.iter().enumerate() {
            let inner = alone(&sample, index, size, ecn);
            let expected = around(&tunnels, &inner[14..], index as u16);
            prop_assert_eq!(piece.offload(), Offload::Complete);
            prop_assert_eq!(piece.bytes(), framed(&expected, tags), "piece {}", index);
        }
        prop_assert_eq!(pieces.iter().map(Frame::len).max(), Some(largest + 14));
    }

    /// OF2. The sender of a packet has counted the inner checksum as complete in those around it.
    #[test]
    fn a_checksum_inside_is_completed_and_fits_those_around_it(
        sample in samples(BOTH, true, 300), tunnels in tunnels(), tags in 0..=2usize
    ) {
        let whole = around(&tunnels, &sample.bytes()[14..], 0);
        let whole = framed(&whole, tags);
        let mut frame = Frame::copied_from(&whole);
        let inner = sample.partial();
        let shift = whole.len() - inner.len();
        frame.set_offload(inner.offload().shifted(shift as i16));
        let field = frame.offload().span().unwrap().field();
        let partial = &inner.bytes()[sample.span().field()..];
        frame.bytes_mut()[field..field + 2].copy_from_slice(&partial[..2]);
        prop_assert_eq!(inner_offload(&frame), Some(InnerOffload::Checksum));
        prop_assert_eq!(vnet::parse(&vnet::emit(&frame), frame.bytes()), Some(frame.offload()));
        segment::complete_checksum(&mut frame);
        prop_assert_eq!(frame.bytes(), whole);
    }

    #[test]
    fn a_change_of_the_tunnels_addresses_leaves_the_packet_inside_alone(
        mut sample in samples(BOTH, true, 3000), mut tunnels in tunnels(), cuts: bool, size in 100..2000u16,
        address: [u8; 4], port: Option<u16>
    ) {
        sample.payload.push(1);
        tunnels.last_mut().unwrap().ipv6 = false;
        let inner = if cuts { sample.super_frame(size, false) } else { sample.partial() };
        let mut frame = carrying(&tunnels, &inner, 0);
        if !cuts {
            // As in the test above: what is around it counts it as complete.
            let bytes = framed(&around(&tunnels, &sample.bytes()[14..], 0), 0);
            let field = frame.offload().span().unwrap().field();
            let partial = frame.bytes()[field..field + 2].to_vec();
            frame.bytes_mut().copy_from_slice(&bytes);
            frame.bytes_mut()[field..field + 2].copy_from_slice(&partial);
        }
        let before = cut(frame.clone());
        let mut packet = Ipv4::parse(Ethernet::parse(frame).unwrap()).unwrap();
        prop_assert_eq!(packet.frame().offload() == Offload::Complete, !cuts, "a checksum is completed");
        rewrite::endpoint(&mut packet, End::Source, address.into(), port);
        packet.decrement_ttl();
        let pieces = cut(packet.into_frame());
        prop_assert_eq!(pieces.len(), before.len());
        for (piece, before) in pieces.iter().zip(before) {
            let mut bytes = before.bytes().to_vec();
            bytes[22] -= 1;
            bytes[26..30].copy_from_slice(&address);
            let udp = bytes[23] == 17;
            if let Some(port) = port.filter(|_| udp) {
                bytes[34..36].copy_from_slice(&port.to_be_bytes());
            }
            mend_header(&mut bytes);
            if udp && bytes[40..42] != [0, 0] {
                bytes[40..42].fill(0);
                let pseudo = naive::pseudo(&bytes[26..34], 17, bytes.len() - 34);
                let sum = !naive::sum(&[&pseudo, &bytes[34..]].concat());
                let sum = if sum == 0 { 0xffff } else { sum };
                bytes[40..42].copy_from_slice(&sum.to_be_bytes());
            }
            prop_assert_eq!(piece.bytes(), bytes);
        }
    }

    /// What the outer checksum holds ahead of the cut is the kernel's affair: Linux leaves the pseudo-header's sum.
    #[test]
    fn an_outer_checksum_is_made_anew_whatever_it_was(
        mut sample in samples(BOTH, true, 3000), mut tunnels in tunnels(), size in 100..2000u16, noise in 1..=u16::MAX
    ) {
        sample.payload.push(1);
        let outer = tunnels.last_mut().unwrap();
        (outer.carrier, outer.ipv6, outer.summed) = (Carrier::Vxlan, false, true);
        let frame = carrying(&tunnels, &sample.super_frame(size, false), 0);
        let mut spoilt = frame.clone();
        spoilt.bytes_mut()[40..42].copy_from_slice(&noise.to_be_bytes());
        prop_assert_eq!(cut(spoilt), cut(frame));
    }

    /// OF3. A tunnel's headers that contradict each other, or a place where no header is.
    #[test]
    fn what_no_reading_of_the_headers_leads_to_is_refused_by_the_router(
        mut sample in samples(BOTH, true, 600), mut tunnels in tunnels(), cuts: bool, wrong in 1..200u16
    ) {
        sample.payload.push(1);
        tunnels.last_mut().unwrap().ipv6 = false;
        let inner = if cuts { sample.super_frame(100, false) } else { sample.partial() };
        let mut frame = carrying(&tunnels, &inner, 0);
        let own = frame.offload().span().unwrap().start;
        let offload = frame.offload().shifted(2 * wrong.cast_signed());
        frame.set_offload(offload);
        let field = offload.span().unwrap().field();
        prop_assume!(field + 2 <= frame.len());
        let reason = |frame| {
            let ethernet = Ethernet::parse(frame).unwrap();
            Ipv4::parse(ethernet).err().map(|dropped| dropped.reason)
        };
        prop_assert_eq!(reason(frame.clone()), Some(DropReason::BadOffload));
        // One level up: the tunnel's own header, in the inner one's name.
        let up = i16::try_from(own - 34).unwrap();
        if inner.offload().span().unwrap().offset == 16 && up > 0 {
            frame.set_offload(offload.shifted(-2 * wrong.cast_signed() - up));
            prop_assert_eq!(reason(frame), Some(DropReason::BadOffload));
        }
    }
}

#[test]
fn a_fragment_owes_nothing_to_what_it_carries() {
    let tunnel = Tunnel { carrier: Carrier::Vxlan, ipv6: false, summed: false, id: 1 };
    let sample = sample();
    for inner in [sample.partial(), sample.super_frame(100, false)] {
        let mut frame = carrying(&[tunnel], &inner, 0);
        frame.bytes_mut()[20] = 0x20;
        mend_header(frame.bytes_mut());
        assert_eq!(inner_offload(&frame), None);
        let dropped = Ipv4::parse(Ethernet::parse(frame).unwrap()).unwrap_err();
        assert_eq!(dropped.reason, DropReason::BadOffload);
    }
}

/// Each segment would need a number of its own, which only the tunnel's sender knows.
#[test]
fn numbered_gre_is_not_cut() {
    let tunnel = Tunnel { carrier: Carrier::GreKeyed, ipv6: false, summed: false, id: 1 };
    let sample = sample();
    for (flags, result) in [(0x20, Some(InnerOffload::Segments)), (0x10, None)] {
        let mut frame = carrying(&[tunnel], &sample.super_frame(100, false), 0);
        frame.bytes_mut()[34] = flags;
        assert_eq!(inner_offload(&frame), result);
    }
    let mut frame = carrying(&[tunnel], &sample.partial(), 0);
    frame.bytes_mut()[34] = 0x10;
    assert_eq!(inner_offload(&frame), Some(InnerOffload::Checksum));
}

/// OF3.
#[test]
fn a_checksum_that_lies_beyond_the_tunnel_packet_is_not_completed() {
    let tunnel = Tunnel { carrier: Carrier::Ip, ipv6: false, summed: false, id: 1 };
    let whole = carrying(&[tunnel], &sample().partial(), 0);
    assert_eq!(inner_offload(&whole), Some(InnerOffload::Checksum));
    // Headers alone, then with as many bytes behind them as the checksum needs.
    let span = whole.offload().span().unwrap();
    let start = usize::from(span.start);
    for (ip, total) in [(14, start - 14), (34, start - 34)] {
        let mut frame = whole.clone();
        frame.bytes_mut()[ip + 2..ip + 4].copy_from_slice(&(total as u16).to_be_bytes());
        assert_eq!(inner_offload(&frame), None, "packets that end elsewhere");
    }
    let mut empty = whole.clone();
    for (ip, total) in [(14, start - 14), (34, start - 34)] {
        empty.bytes_mut()[ip + 2..ip + 4].copy_from_slice(&(total as u16).to_be_bytes());
    }
    assert_eq!(inner_offload(&empty), None, "the checksum is padding");
    let mut cut = whole;
    cut.truncate(cut.len() - 1);
    assert_eq!(inner_offload(&cut), None, "the frame ends within the packets");
}

#[test]
fn a_super_frame_in_a_tunnel_is_not_resized() {
    let tunnel = Tunnel { carrier: Carrier::Vxlan, ipv6: false, summed: false, id: 1 };
    let mut frame = carrying(&[tunnel], &sample().super_frame(300, false), 0);
    let before = frame.clone();
    assert!(!segment::resized(&mut frame, 200));
    assert_eq!(frame, before);
}

fn sample() -> Sample {
    Sample {
        carried: Carried::Tcp,
        ipv6: false,
        addresses: [[192, 0, 2, 1], [198, 51, 100, 1]],
        ports: [40_000, 80],
        sequence: 7,
        flags: 8,
        option_words: 3,
        payload: (0..600).map(|at| at as u8).collect(),
    }
}
