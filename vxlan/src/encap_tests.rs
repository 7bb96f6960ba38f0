//! A train carries exactly what cutting in software would have emitted.

use packet::segment::{complete_checksum, segment};
use packet::{Offload, Pool, SegmentKind, Span};
use proptest::prelude::*;

use super::*;

/// What a frame is made of.
#[derive(Clone, Debug)]
struct Sample {
    ipv6: bool,
    udp: bool,
    ecn: bool,
    options: usize,
    /// Bytes that are neither lengths nor protocols: addresses, ports, numbers, windows.
    noise: [u8; 64],
    payload: Vec<u8>,
    padding: usize,
    tag: Option<u16>,
}

impl Sample {
    fn transport(&self) -> usize {
        if self.ipv6 { 54 } else { 34 }
    }

    fn span(&self) -> Span {
        Span { start: self.transport() as u16, offset: if self.udp { 6 } else { 16 } }
    }

    /// The frame that owes a checksum, or is to be cut.
    fn frame(&self, size: Option<NonZeroU16>) -> Frame {
        let header_len = if self.udp { 8 } else { 20 + 4 * self.options };
        let length = ((header_len + self.payload.len()) as u16).to_be_bytes();
        let mut bytes = self.noise.repeat(2);
        let transport = self.transport();
        bytes.truncate(transport + header_len);
        let protocol = if self.udp { 17 } else { 6 };
        if self.ipv6 {
            bytes[12..15].copy_from_slice(&[0x86, 0xdd, 0x60]);
            bytes[18..20].copy_from_slice(&length);
            bytes[20] = protocol;
        } else {
            bytes[12..15].copy_from_slice(&[8, 0, 0x45]);
            let total = (20 + header_len + self.payload.len()) as u16;
            bytes[16..18].copy_from_slice(&total.to_be_bytes());
            bytes[20..22].fill(0);
            bytes[23] = protocol;
        }
        if self.udp {
            bytes[transport + 4..transport + 6].copy_from_slice(&length);
        } else {
            bytes[transport + 12] = (header_len as u8 / 4) << 4;
        }
        bytes.extend(&self.payload);
        bytes.resize(bytes.len() + self.padding, 0xee);
        let mut frame = Frame::copied_from(&bytes);
        frame.set_tag(self.tag.map(Tag::from_bits));
        let (span, ecn) = (self.span(), self.ecn);
        let kind = match (self.udp, self.ipv6) {
            (true, _) => SegmentKind::Udp,
            (false, false) => SegmentKind::Tcp4 { ecn },
            (false, true) => SegmentKind::Tcp6 { ecn },
        };
        frame.set_offload(match size {
            Some(size) => Offload::Segment { kind, size, span },
            None => Offload::Checksum(span),
        });
        frame
    }
}

fn samples() -> impl Strategy<Value = Sample> {
    let fields = (
        any::<[bool; 3]>(),
        0..=10usize,
        any::<[[u8; 32]; 2]>(),
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..4000),
            (60_000..65_000usize, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
        ],
        0..3usize,
        any::<Option<u16>>(),
    );
    fields.prop_map(|([ipv6, udp, ecn], options, noise, payload, padding, tag)| {
        let mut whole = [0; 64];
        whole[..32].copy_from_slice(&noise[0]);
        whole[32..].copy_from_slice(&noise[1]);
        Sample { ipv6, udp, ecn, options, noise: whole, payload, padding, tag }
    })
}

fn vni() -> Vni {
    Vni::new(0x00ab_cdef).unwrap()
}

/// What a tunnel without any offload would send.
fn expected(frame: Frame) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    segment(frame, &mut Pool::new(2), &mut |mut piece| {
        assert!(piece.push_tag());
        datagrams.push([&header::emit(vni()), piece.bytes()].concat());
    })
    .unwrap();
    datagrams
}

fn sent(train: &Train, frame: &Frame, limits: SendLimits) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    for batch in train.sends(frame, limits) {
        let parts: Vec<Vec<u8>> =
            batch.parts().map(|(headers, payload)| [headers, payload].concat()).collect();
        assert_eq!(batch.datagrams(), parts.len());
        assert!((1..=limits.datagrams.max(1)).contains(&parts.len()));
        let len: usize = parts.iter().map(Vec::len).sum();
        assert_eq!(batch.len(), len);
        assert!(len <= limits.bytes || parts.len() == 1);
        match batch.segment_size() {
            None => assert_eq!(parts.len(), 1),
            Some(size) => {
                let size = usize::from(size.get());
                let (last, others) = parts.split_last().unwrap();
                assert!(!others.is_empty() && others.iter().all(|part| part.len() == size));
                assert!(last.len() <= size);
            }
        }
        datagrams.extend(parts);
    }
    datagrams
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// VX1, VX2, VX7.
    #[test]
    fn the_datagrams_of_a_super_frame_carry_what_cutting_it_emits(
        sample in samples(), size in 40..9000u16, datagrams in 0..70usize, bytes in 0..70_000usize
    ) {
        let frame = sample.frame(NonZeroU16::new(size));
        let before = frame.clone();
        let mut train = Train::default();
        prop_assert_eq!(train.cut(vni(), &frame), Ok(()));
        let expected = expected(frame.clone());
        prop_assert_eq!(&sent(&train, &frame, SendLimits::BATCH), &expected);
        prop_assert_eq!(&sent(&train, &frame, SendLimits::SINGLE), &expected);
        prop_assert_eq!(&sent(&train, &frame, SendLimits { datagrams, bytes }), &expected);
        prop_assert_eq!(frame, before);
    }

    /// VX1, VX2, VX7.
    #[test]
    fn a_frame_that_owes_a_checksum_or_nothing_is_one_datagram(mut sample in samples(), complete: bool) {
        sample.payload.truncate(9000);
        let mut frame = sample.frame(None);
        if complete {
            complete_checksum(&mut frame);
        }
        let mut train = Train::default();
        prop_assert_eq!(train.cut(vni(), &frame), Ok(()));
        prop_assert_eq!(sent(&train, &frame, SendLimits::BATCH), expected(frame));
    }

    #[test]
    fn no_frame_and_no_span_make_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200), start in 0..220u16, offset in 0..220u16,
        size in 1..100u16, kind in 0..5, tag: Option<u16>
    ) {
        let mut frame = Frame::copied_from(&bytes);
        frame.set_tag(tag.map(Tag::from_bits));
        let (span, size) = (Span { start, offset }, NonZeroU16::new(size).unwrap());
        frame.set_offload(match kind {
            0 => Offload::Complete,
            1 => Offload::Checksum(span),
            2 => Offload::Segment { kind: SegmentKind::Tcp4 { ecn: true }, size, span },
            3 => Offload::Segment { kind: SegmentKind::Tcp6 { ecn: true }, size, span },
            _ => Offload::Segment { kind: SegmentKind::Udp, size, span },
        });
        let mut train = Train::default();
        if train.cut(vni(), &frame).is_ok() && bytes.len() >= 14 {
            prop_assert_eq!(sent(&train, &frame, SendLimits::BATCH), expected(frame));
        }
    }
}

fn plain(payload: usize) -> Sample {
    let (ipv6, udp, ecn, options, padding, tag) = (false, false, false, 3, 0, None);
    Sample { ipv6, udp, ecn, options, noise: [0x5a; 64], payload: vec![1; payload], padding, tag }
}

#[test]
fn a_train_is_used_again_without_growing() {
    let large = plain(64_000).frame(NonZeroU16::new(1400));
    let small = plain(100).frame(None);
    let mut train = Train::default();
    train.cut(vni(), &large).unwrap();
    let grown = train.headers.capacity();
    for frame in [&small, &large, &small] {
        train.cut(vni(), frame).unwrap();
        assert_eq!(sent(&train, frame, SendLimits::BATCH), expected(frame.clone()));
        assert_eq!(train.headers.capacity(), grown);
    }
    train.clear();
    assert_eq!(train.sends(&small, SendLimits::BATCH).count(), 0);
}

#[test]
fn what_no_datagram_can_carry_is_refused_and_leaves_the_train_empty() {
    let mut train = Train::default();
    let mut short = Frame::copied_from(&[0; 10]);
    short.set_tag(Some(Tag::from_bits(1)));
    let mut broken = plain(100).frame(NonZeroU16::new(10));
    broken.bytes_mut()[14] = 0x65;
    for (frame, reason) in [
        (Frame::copied_from(&[0; 65_500]), DropReason::ExceedsTunnelMtu),
        (short, DropReason::Runt),
        (broken, DropReason::BadOffload),
    ] {
        assert_eq!(train.cut(vni(), &frame), Err(reason));
        assert_eq!(train.sends(&frame, SendLimits::BATCH).count(), 0);
    }
    assert_eq!(train.cut(vni(), &Frame::copied_from(&[0; 65_499])), Ok(()));
}

#[test]
fn headers_beyond_the_arena_are_refused() {
    // An IPv6 packet whose guest says that its TCP header is far behind.
    let mut sample = plain(4000);
    sample.ipv6 = true;
    let mut frame = sample.frame(NonZeroU16::new(10));
    let (kind, size) = (SegmentKind::Tcp6 { ecn: false }, NonZeroU16::new(10).unwrap());
    let start = 1000;
    frame.bytes_mut()[usize::from(start) + 12] = 0x50;
    frame.set_offload(Offload::Segment { kind, size, span: Span { start, offset: 16 } });
    assert_eq!(Train::default().cut(vni(), &frame), Err(DropReason::BadOffload));
}
