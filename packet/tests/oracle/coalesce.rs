//! Joining is the inverse of cutting, and never makes a wrong checksum right.

use packet::coalesce::{self, Joiner, MAX_DATAGRAMS, join_train};
use packet::segment::{MAX_PIECES, segment};
use packet::vlan::Tag;
use packet::{Frame, Offload, Pool};
use proptest::prelude::*;

use crate::naive;
use crate::sample::{Carried, Sample, mend_header, samples};

const BOTH: &[Carried] = &[Carried::Tcp, Carried::Udp];
const PREFIX: [u8; 8] = [8, 0, 0, 0, 0, 0, 42, 0];

fn cut(frame: Frame) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    segment(frame, &mut Pool::new(4), &mut |piece| pieces.push(piece.bytes().to_vec())).unwrap();
    pieces
}

/// What a socket hands over: the pieces one behind the other, each behind its prefix.
fn train(prefix: &[u8], pieces: &[Vec<u8>]) -> Frame {
    let bytes: Vec<u8> = pieces.iter().flat_map(|piece| [prefix, piece].concat()).collect();
    Frame::copied_from(&bytes)
}

fn joined(train: Frame, size: usize, prefix: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    join_train(train, size, prefix, &mut Pool::new(4), &mut |frame| frames.push(frame));
    frames
}

fn chained(frames: impl IntoIterator<Item = Frame>) -> Vec<Frame> {
    let (mut joiner, mut pool) = (Joiner::default(), Pool::new(4));
    let mut finished: Vec<Frame> =
        frames.into_iter().filter_map(|frame| joiner.push(frame, &mut pool)).collect();
    finished.extend(joiner.flush());
    assert_eq!(joiner.flush(), None);
    finished
}

/// A copy with room for what is to be joined to it.
fn roomy(bytes: &[u8]) -> Frame {
    let mut frame = Pool::new(0).take();
    assert!(frame.append(bytes));
    frame
}

/// The sample without CWR, which only a lone segment may have.
fn without_cwr(mut sample: Sample) -> Sample {
    sample.flags &= 0x7f;
    sample
}

fn plain(carried: Carried, payload: usize) -> Sample {
    Sample {
        carried,
        ipv6: false,
        addresses: [[192, 0, 2, 1], [198, 51, 100, 1]],
        ports: [40_000, 80],
        sequence: u32::MAX - 10,
        flags: 0x09,
        option_words: 3,
        payload: (0..payload).map(|at| (at * 7) as u8).collect(),
    }
}

/// Writes an untagged frame's IPv4 header checksum and its transport's.
fn mend(bytes: &mut [u8]) {
    mend_header(bytes);
    let (protocol, at) = (bytes[23], if bytes[23] == 6 { 50 } else { 40 });
    bytes[at..at + 2].fill(0);
    let pseudo = naive::pseudo(&bytes[26..34], protocol, bytes.len() - 34);
    let sum = !naive::sum(&[&pseudo, &bytes[34..]].concat());
    bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Holds what came of a train or a chain to what went in: the same pieces in the same order, those
/// of a super-frame all intact.
fn check(emitted: Vec<Frame>, pieces: &[Vec<u8>], prefix: usize) {
    let mut out = Vec::new();
    for mut frame in emitted {
        if frame.offload() == Offload::Complete {
            out.push(frame.bytes().to_vec());
            continue;
        }
        let ahead = frame.bytes()[..prefix].to_vec();
        assert!(frame.strip(prefix));
        let parts = cut(frame);
        assert!(parts.len() > 1);
        for part in parts {
            assert!(naive::is_intact(&part));
            out.push([&ahead[..], &part].concat());
        }
    }
    assert_eq!(out, pieces);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_super_frame_that_was_cut_is_joined_to_itself(
        sample in samples(BOTH, true, 6000), size in 100..2000u16, prefix in prop::collection::vec(any::<u8>(), 0..20)
    ) {
        let sample = without_cwr(sample);
        let whole = sample.super_frame(size, false);
        let pieces = cut(whole.clone());
        prop_assume!(pieces.len() > 1);
        let size = prefix.len() + pieces[0].len();
        let mut frames = joined(train(&prefix, &pieces), size, prefix.len());
        prop_assert_eq!(frames.len(), 1);
        prop_assert_eq!(&frames[0].bytes()[..prefix.len()], &prefix[..]);
        prop_assert!(frames[0].strip(prefix.len()));
        prop_assert_eq!(&frames[0], &whole);
        let frames = chained(pieces.iter().map(|piece| roomy(piece)));
        prop_assert_eq!(frames, vec![whole]);
    }

    #[test]
    fn what_is_joined_is_cut_into_what_came_in(
        samples in prop::collection::vec(samples(BOTH, true, 900), 1..5), size in 30..200u16,
        broken in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index, u8)>(), 0..3),
        prefix in 0..12usize,
    ) {
        let mut pieces: Vec<Vec<u8>> =
            samples.into_iter().flat_map(|sample| cut(sample.super_frame(size, true))).collect();
        let mut wrong = Vec::new();
        for (piece, at, flip) in broken {
            let index = piece.index(pieces.len());
            let piece = &mut pieces[index];
            let at = at.index(piece.len());
            piece[at] ^= flip;
            wrong.push(piece.clone());
        }
        check(chained(pieces.iter().map(|piece| roomy(piece))), &pieces, 0);
        // A train is of one size: that of its first piece.
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| [&PREFIX[..], piece].concat()).collect();
        let size = PREFIX.len() + pieces[0].len();
        let chunks: Vec<Vec<u8>> = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        check(joined(Frame::copied_from(&bytes), size, PREFIX.len()), &chunks, PREFIX.len());
        // Whatever the prefix is said to be.
        check(joined(Frame::copied_from(&bytes), size, prefix), &chunks, prefix);
    }

    #[test]
    fn a_piece_with_any_byte_changed_comes_out_alone_as_it_was(
        sample in samples(BOTH, true, 2000), piece: prop::sample::Index, at: prop::sample::Index, flip in 1..=255u8
    ) {
        let mut pieces = cut(without_cwr(sample).super_frame(300, false));
        prop_assume!(pieces.len() > 1);
        let size = pieces[0].len();
        let index = piece.index(pieces.len());
        let at = at.index(pieces[index].len());
        pieces[index][at] ^= flip;
        for frames in [joined(train(&[], &pieces), size, 0), chained(pieces.iter().map(|piece| roomy(piece)))] {
            let alone = |frame: &Frame| frame.offload() == Offload::Complete && frame.bytes() == pieces[index];
            prop_assert!(frames.iter().any(alone));
            check(frames, &pieces, 0);
        }
    }

    #[test]
    fn no_size_and_no_prefix_make_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..3000), size in 0..4000usize, prefix in 0..70_000usize
    ) {
        let frames = joined(Frame::copied_from(&bytes), size, prefix);
        let all: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes().to_vec()).collect();
        prop_assert_eq!(all, bytes);
    }

    #[test]
    fn partial_and_complete_frames_are_joined_alike(
        sample in samples(BOTH, true, 2000), partial: u8, spoilt: bool, tag: Option<u16>
    ) {
        let sample = without_cwr(sample);
        let pieces = cut(sample.super_frame(400, false));
        let mut frames = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let mut frame = roomy(piece);
            frame.set_tag(tag.map(Tag::from_bits));
            if partial >> (index % 8) & 1 != 0 {
                let (transport, field) = (sample.transport(), sample.span().field());
                let (addresses, protocol) = if sample.ipv6 { (22..54, piece[20]) } else { (26..34, piece[23]) };
                let pseudo = naive::pseudo(&piece[addresses], protocol, piece.len() - transport);
                let sum = naive::sum(&pseudo) ^ u16::from(spoilt);
                frame.bytes_mut()[field..field + 2].copy_from_slice(&sum.to_be_bytes());
                frame.set_offload(Offload::Checksum(sample.span()));
            }
            frames.push(frame);
        }
        let expected: Vec<Vec<u8>> = frames.iter().cloned().flat_map(cut).collect();
        let finished = chained(frames);
        if !spoilt {
            prop_assert_eq!(finished.len(), 1);
        }
        prop_assert!(finished.iter().all(|frame| frame.tag() == tag.map(Tag::from_bits)));
        let got: Vec<Vec<u8>> = finished.into_iter().flat_map(cut).collect();
        prop_assert_eq!(got, expected);
    }
}

#[test]
fn a_batch_of_64_kib_with_a_short_tail_keeps_its_buffer() {
    let mut pool = Pool::new(64);
    let sample = plain(Carried::Tcp, 44 * 1400 + 3);
    let pieces = cut(sample.super_frame(1400, false));
    assert_eq!(pieces.len(), 45);
    let bytes = train(&PREFIX, &pieces);
    let mut frames = Vec::new();
    join_train(roomy(bytes.bytes()), pieces[0].len() + 8, 8, &mut pool, &mut |frame| {
        frames.push(frame);
    });
    let [frame] = &mut frames[..] else { panic!("{} frames", frames.len()) };
    assert!(frame.strip(8));
    assert_eq!(*frame, sample.super_frame(1400, false));
    assert_eq!(frame.capacity(), pool.take().capacity());
}

#[test]
fn one_datagram_and_no_size_are_emitted_as_they_are() {
    let piece = plain(Carried::Udp, 100).bytes();
    for size in [0, piece.len(), piece.len() + 1] {
        let frame = Frame::copied_from(&piece);
        assert_eq!(joined(frame.clone(), size, 0), vec![frame]);
    }
}

#[test]
fn segments_whose_headers_differ_by_more_than_a_cut_stay_apart() {
    let spoilt: [(&str, usize, u8); 16] = [
        ("destination", 5, 1),
        ("source", 11, 4),
        ("type of service", 15, 1),
        ("identification", 19, 1),
        ("dont fragment", 20, 0x40),
        ("more fragments", 20, 0x20),
        ("ttl", 22, 1),
        ("address", 33, 1),
        ("port", 37, 1),
        ("sequence", 41, 1),
        ("acknowledgement", 45, 1),
        ("window", 49, 1),
        ("urgent", 53, 1),
        ("option", 55, 1),
        ("ece", 47, 0x40),
        ("rst", 47, 0x04),
    ];
    for (what, at, flip) in spoilt {
        let mut pieces = cut(plain(Carried::Tcp, 300).super_frame(100, false));
        pieces[1][at] ^= flip;
        mend(&mut pieces[1]);
        assert_eq!(joined(train(&[], &pieces), pieces[0].len(), 0).len(), 3, "{what}");
    }
    let pieces = cut(plain(Carried::Tcp, 300).super_frame(100, false));
    assert_eq!(joined(train(&[], &pieces), pieces[0].len(), 0).len(), 1);
}

#[test]
fn flags_that_belong_to_one_segment_keep_it_alone_in_front() {
    for flags in [0x02, 0x04, 0x20, 0x80, 0x40] {
        let mut pieces = cut(plain(Carried::Tcp, 200).super_frame(100, false));
        for piece in &mut pieces {
            piece[47] |= flags;
            mend(piece);
        }
        assert_eq!(joined(train(&[], &pieces), pieces[0].len(), 0).len(), 2, "{flags:#x}");
    }
}

#[test]
fn push_and_fin_end_a_run() {
    for flag in [0x08, 0x01] {
        let mut pieces = cut(plain(Carried::Tcp, 400).super_frame(100, false));
        pieces[1][47] |= flag;
        mend(&mut pieces[1]);
        let frames = joined(train(&[], &pieces), pieces[0].len(), 0);
        assert_eq!(frames.len(), 2);
        check(frames, &pieces, 0);
    }
}

#[test]
fn datagrams_without_checksum_or_payload_or_in_too_great_number_stay_apart() {
    let mut pieces = cut(plain(Carried::Udp, 200).super_frame(100, false));
    pieces[1][40..42].fill(0);
    assert_eq!(joined(train(&[], &pieces), pieces[0].len(), 0).len(), 2);
    let empty = plain(Carried::Udp, 0).bytes();
    assert_eq!(chained([roomy(&empty), roomy(&empty)]).len(), 2);
    let pieces = cut(plain(Carried::Udp, 100 * MAX_DATAGRAMS + 1).super_frame(100, false));
    let frames = joined(train(&[], &pieces), pieces[0].len(), 0);
    assert_eq!(frames.len(), 2);
    check(frames, &pieces, 0);
}

#[test]
fn padding_tags_prefixes_and_small_buffers_keep_frames_apart() {
    let pieces = cut(plain(Carried::Udp, 20).super_frame(10, false));
    let padded = pieces.iter().map(|piece| roomy(&[&piece[..], &[0; 8]].concat()));
    assert_eq!(chained(padded).len(), 2);
    let mut tagged: Vec<Frame> = pieces.iter().map(|piece| roomy(piece)).collect();
    tagged[0].set_tag(Some(Tag::from_bits(1)));
    assert_eq!(chained(tagged).len(), 2);
    for (room, expected) in [(10, 1), (9, 2), (0, 2)] {
        let mut first = Frame::copied_from(&[&pieces[0][..], &[0; 10][..room]].concat());
        first.truncate(pieces[0].len());
        assert_eq!(chained([first, roomy(&pieces[1])]).len(), expected, "room for {room}");
    }
    let mut bytes = train(&PREFIX, &pieces).bytes().to_vec();
    bytes[6] = 43;
    assert_eq!(joined(Frame::copied_from(&bytes), pieces[0].len() + 8, 8).len(), 2);
}

#[test]
fn a_run_stays_within_an_ip_packet() {
    for (payload, expected) in [(65_535 - 52, 1), (65_535 - 51, 2)] {
        let (first, size) = (plain(Carried::Tcp, payload), payload / 2 + 1);
        let mut second = first.clone();
        second.sequence = first.sequence.wrapping_add(size as u32);
        let mut first = Sample { flags: 0, ..first };
        second.payload = first.payload.split_off(size);
        let (first, mut second) = (first.bytes(), second.bytes());
        let identification = u16::from_be_bytes([second[18], second[19]]).wrapping_add(1);
        second[18..20].copy_from_slice(&identification.to_be_bytes());
        mend(&mut second);
        assert_eq!(chained([roomy(&first), roomy(&second)]).len(), expected, "{payload}");
    }
}

#[test]
fn a_splice_is_of_no_more_pieces_than_a_frame_may_be_cut_into() {
    for (pieces, fits) in [(MAX_PIECES, true), (MAX_PIECES + 1, false), (MAX_PIECES + 9, false)] {
        let mut first = Sample { ipv6: true, flags: 0, ..plain(Carried::Tcp, 20 * pieces) };
        let mut next = first.clone();
        next.payload = first.payload.split_off(20 * 1000);
        next.sequence = first.sequence.wrapping_add(20 * 1000);
        let (first, next) = (first.super_frame(20, false), next.super_frame(20, false));
        let mut whole = roomy(first.bytes());
        whole.set_offload(first.offload());
        assert_eq!(coalesce::splice(&mut whole, &next, 0), fits, "{pieces}");
        let grown = if fits { 20 * (pieces - 1000) } else { 0 };
        assert_eq!(whole.len(), first.len() + grown);
    }
}

proptest! {
    /// A sender's socket takes so many segments a call: what comes in two trains goes on as one.
    #[test]
    fn what_was_cut_into_two_trains_is_spliced_into_one(
        payload in 2usize..9000, size in 100usize..2000, at in any::<prop::sample::Index>()
    ) {
        let sample = without_cwr(plain(Carried::Tcp, payload));
        let pieces = cut(sample.super_frame(size as u16, false));
        prop_assume!(pieces.len() >= 4);
        let at = 2 + at.index(pieces.len() - 3);
        let step = pieces[0].len() + PREFIX.len();
        let one = |pieces: &[Vec<u8>]| {
            let bytes = train(&PREFIX, pieces);
            joined(roomy(bytes.bytes()), step, PREFIX.len()).remove(0)
        };
        let (mut head, tail) = (one(&pieces[..at]), one(&pieces[at..]));
        let whole = one(&pieces);
        let expected = tail.offload() == whole.offload();
        prop_assert_eq!(coalesce::splice(&mut head, &tail, PREFIX.len()), expected);
        if expected {
            prop_assert_eq!(&head, &whole);
            let mut again = tail.clone();
            prop_assert!(!coalesce::splice(&mut again, &tail, PREFIX.len()), "it does not continue itself");
            prop_assert!(!coalesce::splice(&mut head, &tail, PREFIX.len()), "nothing follows the last");
        }
    }
}
