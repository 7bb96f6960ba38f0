//! Fragments through NAT: in every order, in bounded memory, without starving whole packets (RFC
//! 4787 REQ-14).

use core::time::Duration;

use lab::wire::frame;
use lab::{Lab, Packet, Port};
use packet::DropReason;
use proptest::prelude::*;

use crate::common::{for_fragments, home, masqueraded};

const REMOTE: &str = "198.51.100.9:53";

fn question(lab: &mut Lab, len: usize, id: u16) -> Packet {
    let data = lab.rng().bytes(len);
    Packet::udp("192.168.0.2:5000", REMOTE, &data).id(id)
}

/// The datagram that fragments at the outside make up.
fn outside(lab: &mut Lab) -> Packet {
    let mut pieces = lab.packets("wan");
    pieces.sort_by_key(|piece| piece.offset);
    let payload = pieces.iter().flat_map(|piece| piece.payload.clone()).collect();
    Packet { payload, more_fragments: false, ..pieces[0].clone() }
}

/// NU14.
#[test]
fn fragments_are_translated_in_every_order() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let mut lab = masqueraded();
        let sent = question(&mut lab, 2400, 7);
        let pieces = sent.fragments(808);
        for at in order {
            lab.ip("red", &pieces[at]);
        }
        let expected = Packet::udp("203.0.113.1:5000", REMOTE, sent.data()).id(7).ttl(63);
        assert_eq!(outside(&mut lab), expected, "{order:?}");
        let answer = Packet::udp(REMOTE, "203.0.113.1:5000", sent.data()).id(8);
        let pieces = answer.fragments(808);
        for at in order {
            lab.ip("wan", &pieces[at]);
        }
        let got: usize = lab.packets("red").iter().map(|piece| piece.payload.len()).sum();
        assert_eq!(got, answer.payload.len());
        assert_eq!(lab.switch().totals().held, 0);
    }
}

/// RT8: teardrop, ping of death, and impossible lengths.
#[test]
fn fragments_that_overlap_or_reach_too_far_are_dropped_with_their_packet() {
    let mut lab = masqueraded();
    let sent = question(&mut lab, 2400, 7);
    let pieces = sent.fragments(808);
    lab.ip("red", &pieces[0]);
    lab.ip("red", &Packet { offset: 800, ..pieces[1].clone() });
    lab.ip("red", &pieces[1]);
    lab.ip("red", &pieces[2]);
    assert_eq!(lab.drops(), [("red", DropReason::BadFragment, 4)]);
    let far = Packet { offset: 65_528, more_fragments: false, ..pieces[1].clone() }.id(8);
    lab.ip("red", &far);
    let mut odd = pieces[0].clone().id(9);
    odd.payload.truncate(803);
    lab.ip("red", &odd);
    assert_eq!(lab.dropped("red", DropReason::BadFragment), 6);
    assert!(lab.packets("wan").is_empty());
    assert_eq!(lab.switch().totals().held, 0);
}

#[test]
fn a_repeated_fragment_does_no_harm() {
    let mut lab = masqueraded();
    let sent = question(&mut lab, 2000, 7);
    for piece in sent.fragments(808) {
        lab.ip("red", &piece);
        if piece.more_fragments {
            lab.ip("red", &piece);
        }
    }
    assert_eq!(outside(&mut lab).data(), sent.data());
    assert_eq!(lab.switch().totals().held, 0);
}

/// RT8.
#[test]
fn a_packet_whose_fragments_do_not_come_is_given_up_and_its_sender_told() {
    let mut lab = masqueraded();
    let sent = question(&mut lab, 2000, 7);
    let pieces = sent.fragments(808);
    lab.ip("red", &pieces[0]);
    lab.ip("red", &pieces[2]);
    let without_first = question(&mut lab, 2000, 8);
    lab.ip("red", &without_first.fragments(808)[1]);
    assert_eq!(lab.switch().totals().held, 3);
    lab.run_for(Duration::from_secs(121));
    assert_eq!(lab.drops(), [("red", DropReason::FragmentTimeout, 3)]);
    let told = lab.packet("red");
    assert_eq!((told.kind(), told.quote().identification), ((11, 1), 7));
}

/// NU14.
#[test]
fn a_flood_of_fragments_does_not_starve_whole_packets() {
    let mut lab = masqueraded();
    for number in 0..3000u16 {
        let sent = question(&mut lab, 1200, number);
        let host = (number % 250) as u8 + 4;
        let piece = Packet { source: [192, 168, 0, host].into(), ..sent.fragments(808)[0].clone() };
        lab.ip("red", &piece);
    }
    let held = lab.switch().totals().held;
    assert!((1000..2500).contains(&held), "bounded: {held}");
    assert_eq!(lab.dropped("red", DropReason::FragmentLimit), 3000 - held);
    let whole = question(&mut lab, 100, 0);
    lab.ip("red", &whole);
    assert_eq!(lab.packets("wan").len(), 1);
    lab.run_for(Duration::from_secs(121));
    assert_eq!(lab.switch().totals().held, 0);
}

/// NU14: what is lost of earlier datagrams costs those datagrams only.
#[test]
fn at_one_percent_loss_every_datagram_that_came_whole_leaves() {
    let mut lab = masqueraded();
    let mut whole = 0;
    for number in 0..3000u16 {
        let sent = question(&mut lab, 4000, number);
        let lost = [0; 3].map(|_| lab.rng().below(100) == 0);
        whole += usize::from(lost == [false; 3]);
        for (piece, lost) in sent.fragments(1480).iter().zip(lost) {
            if !lost {
                lab.ip("red", piece);
            }
        }
        // A hundred a second.
        lab.run_for(Duration::from_millis(10));
    }
    let left = lab.packets("wan").iter().filter(|piece| piece.offset == 0).count();
    assert_eq!(left, whole);
    assert_eq!(lab.dropped("red", DropReason::FragmentLimit), 0);
}

/// RFC 4963.
#[test]
fn pieces_of_datagrams_that_share_an_identification_are_not_mixed() {
    // Those in between come one by one, or each datagram's as one.
    for in_place in [false, true] {
        let mut lab = masqueraded();
        let old = question(&mut lab, 1600, 7);
        lab.ip("red", &old.fragments(808)[0]);
        for number in 100..132u16 {
            let sent = question(&mut lab, 1600, number);
            let pieces = sent.fragments(808);
            if in_place {
                let bytes = frame(lab.router_mac("br0"), lab.mac("red")).ip(&sent);
                lab.send_frame("red", for_fragments(&bytes, 808));
            } else {
                pieces.iter().take(2).for_each(|piece| lab.ip("red", piece));
            }
        }
        lab.clear();
        let new = question(&mut lab, 1600, 7);
        for piece in new.fragments(808).iter().rev() {
            lab.ip("red", piece);
        }
        assert!(outside(&mut lab).data() == new.data());
        assert_eq!(lab.drops(), [("red", DropReason::FragmentStale, 1)]);
    }
}

/// NU14: one source does not take all places.
#[test]
fn one_source_of_half_packets_leaves_room_for_others() {
    let mut lab = masqueraded();
    for number in 0..500u16 {
        let sent = question(&mut lab, 1200, number);
        lab.ip("red", &sent.fragments(808)[0]);
    }
    let data = lab.rng().bytes(2000);
    for piece in Packet::udp("192.168.0.3:5000", REMOTE, &data).id(1).fragments(808) {
        lab.ip("blue", &piece);
    }
    assert_eq!(outside(&mut lab).data(), data);
}

/// Between subnets that no rule is about, each fragment goes on by itself, whatever else its sender
/// does.
#[test]
fn fragments_that_nobody_translates_pass_as_they_are() {
    let mut lab = masqueraded();
    lab.peer("far", Port::routed("10.2.0.1/24"), "10.2.0.2");
    lab.publish("203.0.113.1:53/udp", "192.168.0.2:53");
    let whole = question(&mut lab, 100, 1);
    lab.ip("red", &whole);
    lab.ip("wan", &Packet::udp("198.51.100.77:9", "203.0.113.1:53", b"?"));
    lab.clear();
    for (port, from, to, there) in [
        ("red", "192.168.0.2:5000", "10.2.0.2:53", "far"),
        ("far", "10.2.0.2:53", "192.168.0.2:5000", "red"),
        ("far", "10.2.0.2:53", "198.51.100.9:53", "wan"),
    ] {
        let data = lab.rng().bytes(2000);
        let pieces = Packet::udp(from, to, &data).id(5).fragments(808);
        for at in [2, 0] {
            lab.ip(port, &pieces[at]);
            assert_eq!(lab.packets(there), [pieces[at].clone().ttl(63)], "{from} to {to}");
        }
    }
    assert_eq!((lab.switch().totals().held, lab.drops()), (0, vec![]));
}

/// A server's answers are its published port's, though no rule covers their source.
#[test]
fn fragments_of_a_published_servers_answer_are_translated_in_every_order() {
    let mut lab = home();
    lab.publish("203.0.113.1:53/udp", "192.168.0.2:53");
    let client = "198.51.100.77:9";
    lab.ip("wan", &Packet::udp(client, "203.0.113.1:53", b"?"));
    lab.clear();
    let data = lab.rng().bytes(2000);
    let pieces = Packet::udp("192.168.0.2:53", client, &data).id(5).fragments(808);
    for at in [2, 0, 1] {
        assert!(lab.packets("wan").is_empty(), "nothing leaks ahead of the rest");
        lab.ip("red", &pieces[at]);
    }
    let answer = outside(&mut lab);
    assert_eq!(
        (answer.from().to_string(), answer.data()),
        ("203.0.113.1:53".to_owned(), &data[..])
    );
}

/// What a rule covers never leaves untranslated, whichever part of it comes and whatever becomes of
/// the rest.
#[test]
fn a_part_of_a_covered_packet_never_leaves() {
    for at in 0..3 {
        let mut lab = masqueraded();
        let sent = question(&mut lab, 2000, 7);
        lab.ip("red", &sent.fragments(808)[at]);
        lab.run_for(Duration::from_secs(31));
        assert!(lab.packets("wan").is_empty(), "{at}");
        assert_eq!(lab.dropped("red", DropReason::FragmentTimeout), 1);
    }
}

/// NI1.
#[test]
fn a_fragmented_ping_is_translated() {
    let mut lab = masqueraded();
    let body = lab.rng().bytes(4000);
    let ping = |from: &str| Packet::icmp(from, "198.51.100.9", (8, 0), [0, 9, 0, 1], &body).id(3);
    for piece in ping("192.168.0.2").fragments(1480).into_iter().rev() {
        lab.ip("red", &piece);
    }
    assert_eq!(outside(&mut lab), ping("203.0.113.1").ttl(63));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// NU14.
    #[test]
    fn any_cut_in_any_order_arrives_whole(
        seed: u64, len in 100usize..8000, size in 1usize..180, shuffle in any::<prop::sample::Index>()
    ) {
        let mut lab = masqueraded();
        lab.rng().clone_from(&lab::rng::Rng::new(seed));
        let sent = question(&mut lab, len, 7);
        let mut pieces = sent.fragments(size * 8);
        let turn = shuffle.index(pieces.len());
        pieces.rotate_left(turn);
        if seed % 2 == 0 {
            pieces.reverse();
        }
        pieces.iter().for_each(|piece| lab.ip("red", piece));
        let got = outside(&mut lab);
        prop_assert_eq!(got.data(), sent.data());
        prop_assert_eq!(got.from().to_string(), "203.0.113.1:5000");
        prop_assert_eq!(lab.switch().totals().held, 0);
    }
}
