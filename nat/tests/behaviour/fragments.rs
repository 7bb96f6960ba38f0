//! Fragments put together, in every order, and floods of those that cannot be.

use packet::{
    DropReason, EtherType, Ethernet, Frame, Instant, Ipv4, Mac, Pool, PortId, Protocol, checksum,
};
use proptest::prelude::*;
use tapswitch_nat::fragments::{Discarded, MAX_DATAGRAMS, MAX_DATAGRAMS_PER_SOURCE};
use tapswitch_nat::{Assembled, Reassembly};

use crate::common::*;

const PORT: PortId = PortId::new(3);

/// A fragment of `whole`'s payload.
fn piece(whole: &Ipv4, from: usize, to: usize, more: bool) -> Ipv4 {
    let payload = whole.payload()[from..to].to_vec();
    at(whole, from, &payload, more, &[])
}

/// A fragment with this payload at this offset; `options` are a multiple of 4 bytes.
fn at(like: &Ipv4, offset: usize, payload: &[u8], more: bool, options: &[u8]) -> Ipv4 {
    let header_len = 20 + options.len();
    let mut frame = Frame::copied_from(&[&[0; 34], options, payload].concat());
    Ethernet::emit(&mut frame, Mac([2; 6]), Mac([4; 6]), EtherType::IPV4);
    let bytes = &mut frame.bytes_mut()[14..];
    bytes[..20].copy_from_slice(&like.bytes()[..20]);
    bytes[0] = 0x40 | (header_len / 4) as u8;
    let total = (header_len + payload.len()) as u16;
    bytes[2..4].copy_from_slice(&total.to_be_bytes());
    let field = (offset / 8) as u16 | if more { 0x2000 } else { 0 };
    bytes[6..8].copy_from_slice(&field.to_be_bytes());
    bytes[10..12].fill(0);
    let sum = checksum::of(&bytes[..header_len]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    Ipv4::in_frame(frame).unwrap()
}

fn datagram(len: usize) -> Ipv4 {
    let payload: Vec<u8> = (0..len).map(|n| (n * 7 % 251) as u8).collect();
    raw(RED, REMOTE, Protocol::UDP, &payload)
}

fn whole(result: Result<Assembled, Discarded>) -> Option<(Ipv4, usize)> {
    match result.unwrap() {
        Assembled::Whole { packet, merged } => Some((packet, merged)),
        Assembled::Held => None,
    }
}

#[track_caller]
fn bad(result: Result<Assembled, Discarded>) -> (DropReason, usize) {
    let discarded = result.unwrap_err();
    (discarded.dropped.reason, discarded.others)
}

/// NU14.
#[test]
fn every_order_of_four_fragments_gives_the_datagram() {
    let sent = datagram(100);
    let cuts = [(0, 32), (32, 56), (56, 80), (80, 100)];
    let mut pool = Pool::new(4);
    for order in 0..24 {
        let mut left: Vec<_> = cuts.to_vec();
        let mut choice = order;
        let mut reassembly = Reassembly::new();
        for count in (1..=4).rev() {
            let (from, to) = left.remove(choice % count);
            choice /= count;
            let fragment = piece(&sent, from, to, to < 100);
            match whole(reassembly.accept(s(1), fragment, PORT, &mut pool)) {
                Some((packet, merged)) => {
                    assert_eq!((packet.bytes(), merged), (sent.bytes(), 4));
                    assert!(!packet.is_fragment());
                }
                None => assert!(count > 1),
            }
        }
        assert_eq!(reassembly.held(), 0);
        assert_eq!(reassembly.next_timeout(), None);
    }
}

#[test]
fn a_packet_that_is_no_fragment_goes_on_at_once() {
    let (packet, merged) =
        whole(Reassembly::new().accept(s(1), datagram(9), PORT, &mut Pool::new(1))).unwrap();
    assert_eq!((packet.total_len(), merged), (29, 1));
}

#[test]
fn options_of_the_first_fragment_are_kept_whenever_it_comes() {
    let sent = datagram(64);
    let body = sent.payload();
    let first = || at(&sent, 0, &body[..24], true, &[1, 1, 1, 0]);
    let last = || at(&sent, 24, &body[24..], false, &[]);
    for fragments in [[first(), last()], [last(), first()]] {
        let (mut reassembly, mut pool) = (Reassembly::new(), Pool::new(4));
        let mut got = None;
        for fragment in fragments {
            got = whole(reassembly.accept(s(1), fragment, PORT, &mut pool));
        }
        let (packet, _) = got.unwrap();
        assert_eq!(packet.options(), [1, 1, 1, 0]);
        assert_eq!(packet.payload(), body);
        assert_eq!(packet.frame().bytes()[..6], [2; 6]);
    }
}

#[test]
fn df_and_ce_of_any_fragment_are_the_wholes() {
    let mut like = datagram(48);
    like.frame_mut().bytes_mut()[15] = 0b10; // ECT(0).
    let (mut reassembly, mut pool) = (Reassembly::new(), Pool::new(4));
    let mut second = at(&like, 24, &like.payload()[24..], false, &[]);
    let bytes = &mut second.frame_mut().bytes_mut()[14..34];
    bytes[1] = 0b11;
    bytes[6] |= 0x40;
    assert!(whole(reassembly.accept(s(1), second, PORT, &mut pool)).is_none());
    let first = at(&like, 0, &like.payload()[..24], true, &[]);
    let (packet, _) = whole(reassembly.accept(s(1), first, PORT, &mut pool)).unwrap();
    assert!(packet.dont_fragment());
    assert_eq!(packet.traffic_class(), 0b11);
}

#[test]
fn a_repeated_fragment_does_no_harm() {
    let sent = datagram(40);
    let (mut reassembly, mut pool) = (Reassembly::new(), Pool::new(4));
    for _ in 0..3 {
        assert!(
            whole(reassembly.accept(s(1), piece(&sent, 0, 24, true), PORT, &mut pool)).is_none()
        );
    }
    assert_eq!(reassembly.held(), 3);
    let (packet, merged) =
        whole(reassembly.accept(s(1), piece(&sent, 24, 40, false), PORT, &mut pool)).unwrap();
    assert_eq!((packet.bytes(), merged), (sent.bytes(), 4));
}

/// RFC 5722; teardrop, bonk, and their kin.
#[test]
fn overlaps_spoil_the_datagram_and_what_comes_after() {
    let sent = datagram(80);
    let overlaps = [
        piece(&sent, 24, 48, true),
        piece(&sent, 32, 40, true),
        piece(&sent, 16, 80, false),
        piece(&sent, 0, 24, true),
        at(&sent, 32, &[0xff; 16], true, &[]),
    ];
    for overlap in overlaps {
        let (mut reassembly, mut pool) = (Reassembly::new(), Pool::new(4));
        assert!(
            whole(reassembly.accept(s(1), piece(&sent, 0, 16, true), PORT, &mut pool)).is_none()
        );
        assert!(
            whole(reassembly.accept(s(1), piece(&sent, 32, 48, true), PORT, &mut pool)).is_none()
        );
        let result = reassembly.accept(s(1), overlap, PORT, &mut pool);
        assert_eq!(bad(result), (DropReason::BadFragment, 2));
        let late = reassembly.accept(s(2), piece(&sent, 16, 32, true), PORT, &mut pool);
        assert_eq!(bad(late), (DropReason::BadFragment, 0));
        assert_eq!(reassembly.held(), 0);
        reassembly.expire(s(31), &mut pool, |_| panic!("they have been counted"));
        assert_eq!(reassembly.next_timeout(), None);
    }
}

/// RT8: the ping of death, and ends that contradict each other.
#[test]
fn impossible_lengths_spoil_the_datagram() {
    let like = datagram(64);
    let bytes = [0; 64];
    let ends: [&[(usize, usize, bool)]; 6] = [
        &[(65_528, 8, false)],
        &[(0, 0, true)],
        &[(0, 13, true)],
        &[(64, 8, false), (72, 8, true)],
        &[(64, 8, false), (32, 8, false)],
        &[(64, 8, true), (32, 8, false)],
    ];
    for pieces in ends {
        let (mut reassembly, mut pool) = (Reassembly::new(), Pool::new(4));
        let results = pieces.iter().map(|(offset, len, more)| {
            let fragment = at(&like, *offset, &bytes[..*len], *more, &[]);
            reassembly.accept(s(1), fragment, PORT, &mut pool)
        });
        let spoilt: Vec<_> = results.filter_map(Result::err).collect();
        assert_eq!(spoilt.len(), 1, "{pieces:?}");
        assert_eq!(spoilt[0].dropped.reason, DropReason::BadFragment);
    }
}

#[test]
fn the_largest_datagram_fits_and_one_with_longer_options_does_not() {
    for (options, fits) in [(&[][..], true), (&[1, 1, 1, 0][..], false)] {
        let like = datagram(8);
        let body: Vec<u8> = (0..65_515u32).map(|n| (n % 253) as u8).collect();
        let (mut reassembly, mut pool) = (Reassembly::new(), Pool::new(4));
        let mut result = Ok(Assembled::Held);
        for (n, chunk) in body.chunks(1480).enumerate().rev() {
            let offset = n * 1480;
            let more = offset + chunk.len() < body.len();
            let options = if n == 0 { options } else { &[] };
            result =
                reassembly.accept(s(1), at(&like, offset, chunk, more, options), PORT, &mut pool);
        }
        match fits {
            true => assert_eq!(whole(result).unwrap().0.payload(), body),
            false => assert_eq!(bad(result), (DropReason::BadFragment, 44)),
        }
    }
}

#[test]
fn what_does_not_come_in_30_seconds_is_given_up() {
    let sent = datagram(80);
    let (mut reassembly, mut pool) = (Reassembly::new(), Pool::new(4));
    let other = raw(BLUE, REMOTE, Protocol::UDP, &[0; 32]);
    let _ = reassembly.accept(s(1), piece(&sent, 48, 80, false), PORT, &mut pool);
    let _ = reassembly.accept(s(5), piece(&sent, 0, 16, true), PORT, &mut pool);
    let _ = reassembly.accept(s(6), piece(&other, 8, 32, false), PORT, &mut pool);
    assert_eq!(reassembly.next_timeout(), Some(s(31)));
    let mut gone = Vec::new();
    reassembly.expire(Instant::from_millis(30_999), &mut pool, |expired| gone.push(expired));
    assert!(gone.is_empty());
    reassembly.expire(s(31), &mut pool, |expired| gone.push(expired));
    let expired = gone.pop().unwrap();
    assert_eq!((expired.frames, expired.from), (2, PORT));
    assert_eq!(expired.first.unwrap().bytes(), piece(&sent, 0, 16, true).bytes());
    reassembly.expire(s(36), &mut pool, |expired| gone.push(expired));
    let expired = gone.pop().unwrap();
    assert!(expired.frames == 1 && expired.first.is_none());
    assert_eq!(reassembly.held(), 0);
}

/// NU14: a flood of beginnings uses up its share and no more.
#[test]
fn limits_refuse_new_datagrams_and_keep_the_waiting() {
    let (mut reassembly, mut pool) = (Reassembly::new(), Pool::new(4));
    let start = |host: usize, id: u16| {
        let source = std::net::Ipv4Addr::new(10, 0, 0, host as u8);
        let mut like = raw(source, REMOTE, Protocol::UDP, &[0; 16]);
        like.frame_mut().bytes_mut()[18..20].copy_from_slice(&id.to_be_bytes());
        piece(&like, 0, 8, true)
    };
    let hosts = MAX_DATAGRAMS / MAX_DATAGRAMS_PER_SOURCE;
    for host in 0..hosts {
        for id in 0..MAX_DATAGRAMS_PER_SOURCE as u16 {
            assert!(whole(reassembly.accept(s(1), start(host, id), PORT, &mut pool)).is_none());
        }
        let more = reassembly.accept(s(1), start(host, 99), PORT, &mut pool);
        assert_eq!(bad(more), (DropReason::FragmentLimit, 0));
    }
    let more = reassembly.accept(s(1), start(200, 0), PORT, &mut pool);
    assert_eq!(bad(more), (DropReason::FragmentLimit, 0));
    assert_eq!(reassembly.held(), MAX_DATAGRAMS);
    let mut frames = 0;
    reassembly.expire(s(31), &mut pool, |expired| frames += expired.frames);
    assert_eq!(frames, MAX_DATAGRAMS);
    assert!(whole(reassembly.accept(s(31), start(200, 0), PORT, &mut pool)).is_none());
}

proptest! {
    /// Every frame is held, consumed, sent on or dropped, whatever comes.
    #[test]
    fn fragments_are_conserved(
        pieces in prop::collection::vec((0usize..6, 0usize..5, any::<bool>(), 0u8..2, 0u64..9), 1..80)
    ) {
        let (mut reassembly, mut pool) = (Reassembly::new(), Pool::new(2));
        let body = [7; 64];
        let (mut taken, mut now) = (0usize, 0);
        let (mut ended, mut sent) = (0usize, 0usize);
        for (block, blocks, more, host, pause) in pieces {
            now += pause;
            reassembly.expire(s(now), &mut pool, |expired| ended += expired.frames);
            let source = std::net::Ipv4Addr::new(10, 0, 0, host);
            let like = raw(source, REMOTE, Protocol::UDP, &[0; 16]);
            let fragment = at(&like, block * 8, &body[..blocks * 8], more, &[]);
            taken += 1;
            match reassembly.accept(s(now), fragment, PORT, &mut pool) {
                Ok(Assembled::Held) => {}
                Ok(Assembled::Whole { merged, packet }) => {
                    prop_assert!(!packet.is_fragment());
                    ended += merged - 1;
                    sent += 1;
                }
                Err(discarded) => ended += discarded.others + 1,
            }
            prop_assert_eq!(taken, reassembly.held() + ended + sent);
        }
    }
}
