//! Fragments put together, in every order, and floods of those that cannot be.

use packet::{
    DropReason, Dropped, EtherType, Ethernet, Frame, Instant, Ipv4, Mac, Pool, PortId, Protocol,
    checksum,
};
use tapswitch_nat::fragments::{Ended, MAX_DISTANCE, MEMORY, MEMORY_PER_SOURCE};
use tapswitch_nat::{Assembled, Reassembly};

use crate::common::*;

const PORT: PortId = PortId::new(3);

/// A fragment of `whole`'s payload.
fn piece(whole: &Ipv4, from: usize, to: usize, more: bool) -> Ipv4 {
    let payload = whole.payload()[from..to].to_vec();
    at(whole, from, &payload, more, &[])
}

/// A fragment with this payload at this offset; `options` are a multiple of 4 bytes.
pub(crate) fn at(like: &Ipv4, offset: usize, payload: &[u8], more: bool, options: &[u8]) -> Ipv4 {
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

/// A reassembly, its buffers, and what ended in it.
struct Box {
    reassembly: Reassembly,
    pool: Pool,
    ended: Vec<Ended>,
}

impl Box {
    fn new() -> Self {
        Self { reassembly: Reassembly::new(hasher()), pool: Pool::new(4), ended: Vec::new() }
    }

    fn accept_on(&mut self, now: u64, packet: Ipv4, port: PortId) -> Result<Assembled, Dropped> {
        let Self { reassembly, pool, ended } = self;
        reassembly.accept(s(now), packet, port, pool, |end| ended.push(end))
    }

    fn accept(&mut self, now: u64, packet: Ipv4) -> Result<Assembled, Dropped> {
        self.accept_on(now, packet, PORT)
    }

    /// Takes a fragment that is held.
    #[track_caller]
    fn hold(&mut self, now: u64, packet: Ipv4) {
        assert!(matches!(self.accept(now, packet), Ok(Assembled::Held)));
    }

    /// Takes the last fragment of a packet.
    #[track_caller]
    fn whole(&mut self, now: u64, packet: Ipv4) -> (Ipv4, usize) {
        match self.accept(now, packet) {
            Ok(Assembled::Whole { packet, merged }) => (packet, merged),
            other => panic!("not whole: {other:?}"),
        }
    }

    /// Takes a fragment that is refused.
    #[track_caller]
    fn bad(&mut self, now: u64, packet: Ipv4) -> DropReason {
        self.accept(now, packet).unwrap_err().reason
    }

    fn timeout(&mut self, now: Instant) {
        let Self { reassembly, pool, ended } = self;
        reassembly.timeout(now, pool, |end| ended.push(end));
    }

    /// What ended since this was asked last: of what, and how many frames.
    fn ended(&mut self) -> Vec<(DropReason, usize)> {
        assert_eq!(self.reassembly.audit(), Ok(()));
        self.ended.drain(..).map(|ended| (ended.reason, ended.frames)).collect()
    }
}

/// NU14.
#[test]
fn every_order_of_four_fragments_gives_the_datagram() {
    let sent = datagram(100);
    let cuts = [(0, 32), (32, 56), (56, 80), (80, 100)];
    for order in 0..24 {
        let mut left: Vec<_> = cuts.to_vec();
        let mut choice = order;
        let mut here = Box::new();
        for count in (1..=4).rev() {
            let (from, to) = left.remove(choice % count);
            choice /= count;
            let fragment = piece(&sent, from, to, to < 100);
            if count > 1 {
                here.hold(1, fragment);
                continue;
            }
            let (packet, merged) = here.whole(1, fragment);
            assert_eq!((packet.bytes(), merged), (sent.bytes(), 4));
            assert!(!packet.is_fragment());
        }
        assert_eq!((here.reassembly.held(), here.reassembly.memory()), (0, 0));
        assert_eq!(here.reassembly.next_timeout(), None);
    }
}

#[test]
fn a_packet_that_is_no_fragment_goes_on_at_once() {
    let (packet, merged) = Box::new().whole(1, datagram(9));
    assert_eq!((packet.total_len(), merged), (29, 1));
}

#[test]
fn options_of_the_first_fragment_are_kept_whenever_it_comes() {
    let sent = datagram(64);
    let body = sent.payload();
    let first = || at(&sent, 0, &body[..24], true, &[1, 1, 1, 0]);
    let last = || at(&sent, 24, &body[24..], false, &[]);
    for [one, other] in [[first(), last()], [last(), first()]] {
        let mut here = Box::new();
        here.hold(1, one);
        let (packet, _) = here.whole(1, other);
        assert_eq!(packet.ip().options(), [1, 1, 1, 0]);
        assert_eq!(packet.payload(), body);
        assert_eq!(packet.frame().bytes()[..6], [2; 6]);
    }
}

#[test]
fn df_and_ce_of_any_fragment_are_the_wholes() {
    let mut like = datagram(48);
    like.frame_mut().bytes_mut()[15] = 0b10; // ECT(0).
    let mut here = Box::new();
    let mut second = at(&like, 24, &like.payload()[24..], false, &[]);
    let bytes = &mut second.frame_mut().bytes_mut()[14..34];
    bytes[1] = 0b11;
    bytes[6] |= 0x40;
    here.hold(1, second);
    let (packet, _) = here.whole(1, at(&like, 0, &like.payload()[..24], true, &[]));
    assert!(packet.ip().dont_fragment());
    assert_eq!(packet.ip().traffic_class(), 0b11);
    // RFC 3168 section 5.3: no mark for a transport that has not asked for marks.
    like.frame_mut().bytes_mut()[15] = 0;
    let mut second = at(&like, 24, &like.payload()[24..], false, &[]);
    second.frame_mut().bytes_mut()[15] = 0b11;
    here.hold(2, second);
    let (packet, _) = here.whole(2, at(&like, 0, &like.payload()[..24], true, &[]));
    assert_eq!(packet.ip().traffic_class(), 0);
}

#[test]
fn a_repeated_fragment_does_no_harm() {
    let sent = datagram(40);
    let mut here = Box::new();
    for _ in 0..3 {
        here.hold(1, piece(&sent, 0, 24, true));
    }
    assert_eq!(here.reassembly.held(), 3);
    let (packet, merged) = here.whole(1, piece(&sent, 24, 40, false));
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
        let mut here = Box::new();
        here.hold(1, piece(&sent, 0, 16, true));
        here.hold(1, piece(&sent, 32, 48, true));
        assert_eq!(here.bad(1, overlap), DropReason::BadFragment);
        assert_eq!(here.ended(), [(DropReason::BadFragment, 2)]);
        assert_eq!(here.bad(2, piece(&sent, 16, 32, true)), DropReason::BadFragment);
        assert_eq!(here.reassembly.held(), 0);
        here.timeout(s(31));
        assert!(here.ended().is_empty(), "they have been counted");
        assert_eq!(here.reassembly.next_timeout(), None);
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
        let mut here = Box::new();
        let results = pieces.iter().map(|(offset, len, more)| {
            here.accept(1, at(&like, *offset, &bytes[..*len], *more, &[]))
        });
        let spoilt: Vec<_> = results.filter_map(Result::err).collect();
        assert_eq!(spoilt.len(), 1, "{pieces:?}");
        assert_eq!(spoilt[0].reason, DropReason::BadFragment);
    }
}

#[test]
fn the_largest_datagram_fits_and_one_with_longer_options_does_not() {
    for (options, fits) in [(&[][..], true), (&[1, 1, 1, 0][..], false)] {
        let like = datagram(8);
        let body: Vec<u8> = (0..65_515u32).map(|n| (n % 253) as u8).collect();
        let mut here = Box::new();
        for (n, chunk) in body.chunks(1480).enumerate().rev() {
            let offset = n * 1480;
            let more = offset + chunk.len() < body.len();
            let options = if n == 0 { options } else { &[] };
            let fragment = at(&like, offset, chunk, more, options);
            match (n, fits) {
                (1.., _) => here.hold(1, fragment),
                (0, true) => assert_eq!(here.whole(1, fragment).0.payload(), body),
                (0, false) => assert_eq!(here.bad(1, fragment), DropReason::BadFragment),
            }
        }
        let spoilt = if fits { vec![] } else { vec![(DropReason::BadFragment, 44)] };
        assert_eq!(here.ended(), spoilt);
    }
}

#[test]
fn what_does_not_come_in_30_seconds_is_given_up() {
    let sent = datagram(80);
    let mut here = Box::new();
    let other = raw(BLUE, REMOTE, Protocol::UDP, &[0; 32]);
    here.hold(1, piece(&sent, 48, 80, false));
    here.hold(5, piece(&sent, 0, 16, true));
    here.hold(6, piece(&other, 8, 32, false));
    assert_eq!(here.reassembly.next_timeout(), Some(s(31)));
    here.timeout(Instant::from_millis(30_999));
    assert!(here.ended.is_empty());
    here.timeout(s(31));
    let expired = here.ended.pop().unwrap();
    assert_eq!((expired.frames, expired.from), (2, PORT));
    assert_eq!(expired.reason, DropReason::FragmentTimeout);
    assert_eq!(expired.first.unwrap().bytes(), piece(&sent, 0, 16, true).bytes());
    here.timeout(s(36));
    let expired = here.ended.pop().unwrap();
    assert!(expired.frames == 1 && expired.first.is_none());
    assert_eq!(here.reassembly.held(), 0);
}

/// The same under another identification.
pub(crate) fn numbered(like: &Ipv4, id: u16) -> Ipv4 {
    let mut frame = like.frame().clone();
    let header = &mut frame.bytes_mut()[14..34];
    header[4..6].copy_from_slice(&id.to_be_bytes());
    header[10..12].fill(0);
    let sum = checksum::of(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    Ipv4::in_frame(frame).unwrap()
}

/// NU14: what was lost of earlier datagrams costs those datagrams only.
#[test]
fn lost_fragments_never_keep_out_a_whole_datagram_of_the_same_source() {
    let mut here = Box::new();
    let sent = datagram(4000);
    for id in 0..5000 {
        here.hold(1, numbered(&piece(&sent, 0, 1480, true), id));
        if id % 100 == 0 {
            let whole = numbered(&sent, id + 10_000);
            here.hold(1, piece(&whole, 0, 1480, true));
            here.hold(1, piece(&whole, 1480, 2960, true));
            assert_eq!(here.whole(1, piece(&whole, 2960, 4000, false)).1, 3);
        }
    }
    let ended = here.ended();
    assert!(ended.iter().all(|ended| *ended == (DropReason::FragmentLimit, 1)));
    assert_eq!(here.reassembly.held(), 5000 - ended.len());
    assert!(here.reassembly.memory() > MEMORY_PER_SOURCE / 10 * 9, "nothing gave way in vain");
}

/// NU14: neither a source nor a port takes the room of others.
#[test]
fn who_holds_the_most_makes_room() {
    let mut here = Box::new();
    let (one, other) = (PortId::new(1), PortId::new(2));
    let waits = piece(&datagram(4000), 0, 1480, true);
    assert!(here.accept_on(1, waits, other).is_ok());
    // A guest makes up a source for each.
    for number in 0..8000u32 {
        let source = std::net::Ipv4Addr::from(0x0a00_0000 + number);
        let like = raw(source, REMOTE, Protocol::UDP, &[0; 1480]);
        assert!(here.accept_on(1, piece(&like, 0, 1480, true), one).is_ok());
    }
    assert!(here.reassembly.memory() > MEMORY / 10 * 9);
    assert!(here.ended.iter().all(|ended| ended.from == one));
    assert!(here.accept_on(2, piece(&datagram(4000), 1480, 2960, true), other).is_ok());
    let last = here.accept_on(2, piece(&datagram(4000), 2960, 4000, false), other);
    assert!(matches!(last, Ok(Assembled::Whole { merged: 3, .. })));
}

/// RFC 4963: an identification that comes again does not meet the pieces of an older datagram.
#[test]
fn pieces_far_apart_are_not_of_one_datagram() {
    for (between, reason) in
        [(MAX_DISTANCE - 1, None), (MAX_DISTANCE, Some(DropReason::FragmentStale))]
    {
        let mut here = Box::new();
        let sent = datagram(48);
        here.hold(1, piece(&sent, 0, 24, true));
        for id in 1..=between as u16 {
            here.hold(1, numbered(&piece(&sent, 0, 24, true), id));
            let of_others = raw(BLUE, REMOTE, Protocol::UDP, &[0; 16]);
            here.hold(1, numbered(&piece(&of_others, 0, 8, true), id));
        }
        let last = here.accept(1, piece(&sent, 24, 48, false));
        assert_eq!(matches!(last, Ok(Assembled::Held)), reason.is_some());
        let expected: Vec<_> = reason.map(|reason| (reason, 1)).into_iter().collect();
        assert_eq!(here.ended(), expected);
    }
}

/// A spoilt datagram takes room as well, and gives way as well.
#[test]
fn a_flood_of_impossible_fragments_is_bounded() {
    let mut here = Box::new();
    let sent = datagram(16);
    for id in 0..4000 {
        let odd = at(&sent, 0, &[0; 13], true, &[]);
        assert_eq!(here.bad(1, numbered(&odd, id)), DropReason::BadFragment);
    }
    assert!(here.ended().is_empty() && here.reassembly.held() == 0);
}
