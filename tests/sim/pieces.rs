//! Packets too large for where they go: fragments, super-frames, and what must not be cut (RFC 791
//! section 3.2).

use lab::wire::frame;
use lab::{Lab, Packet, Port};
use packet::{DropReason, Offload};

use crate::common::{crossing, for_fragments, super_frame};

/// [`crossing`] with an MTU of 600 towards the right.
fn narrow() -> Lab {
    let mut lab = crossing();
    lab.router_mtu("right", 600);
    lab.clear();
    lab
}

fn large(lab: &mut Lab, len: usize) -> Packet {
    let data = lab.rng().bytes(len);
    Packet::udp("10.1.0.2:1000", "10.2.0.2:2000", &data).id(4711)
}

/// Puts fragments together as their receiver does.
fn joined(pieces: &[Packet]) -> Vec<u8> {
    let mut sorted = pieces.to_vec();
    sorted.sort_by_key(|piece| piece.offset);
    let mut whole = Vec::new();
    for piece in &sorted {
        assert_eq!(usize::from(piece.offset), whole.len(), "a gap or an overlap");
        whole.extend(&piece.payload);
    }
    assert!(!sorted.last().unwrap().more_fragments);
    assert!(sorted[..sorted.len() - 1].iter().all(|piece| piece.more_fragments));
    whole
}

/// RT8.
#[test]
fn a_packet_that_may_be_cut_leaves_in_order_and_is_whole_again() {
    let mut lab = narrow();
    let packet = large(&mut lab, 1400);
    lab.ip("left", &packet);
    let pieces = lab.packets("right");
    assert_eq!(pieces.len(), 3);
    assert!(pieces.iter().all(|piece| piece.identification == 4711 && piece.ttl == 63));
    assert!(pieces.iter().all(|piece| piece.bytes().len() <= 600));
    assert!(pieces.windows(2).all(|pair| pair[0].offset < pair[1].offset), "in order");
    assert_eq!(joined(&pieces), packet.payload);
    assert_eq!(lab.switch().totals().sent, 1, "one packet, whatever its pieces");
}

/// RT8.
#[test]
fn only_options_to_be_copied_are_in_later_fragments() {
    let mut lab = narrow();
    let copied = [148, 4, 0, 0];
    let once = [7, 7, 4, 0, 0, 0, 0];
    let packet = large(&mut lab, 1400).options(&[&once[..], &copied, &[0]].concat());
    lab.ip("left", &packet);
    let pieces = lab.packets("right");
    assert_eq!(pieces[0].options, packet.options);
    assert!(pieces[1..].iter().all(|piece| piece.options == copied));
    assert_eq!(joined(&pieces), packet.payload);
}

/// RT8.
#[test]
fn a_fragment_may_be_cut_again() {
    let mut lab = narrow();
    let packet = large(&mut lab, 2800);
    for piece in packet.fragments(1400) {
        lab.ip("left", &piece);
    }
    let pieces = lab.packets("right");
    assert!(pieces.len() >= 6);
    assert_eq!(joined(&pieces), packet.payload);
}

/// RT8.
#[test]
fn a_fragment_that_must_stay_whole_is_told() {
    let mut lab = narrow();
    let packet = large(&mut lab, 1400).df();
    lab.ip("left", &packet);
    let told = lab.packet("left");
    assert_eq!((told.kind(), told.next_hop_mtu()), ((3, 4), 600));
    assert!(lab.heard().is_empty());
}

#[test]
fn without_nat_fragments_pass_as_they_are_in_any_order() {
    let mut lab = crossing();
    let packet = large(&mut lab, 2000);
    let mut pieces = packet.fragments(800);
    pieces.reverse();
    for piece in &pieces {
        lab.ip("left", piece);
    }
    let expected: Vec<Packet> = pieces.into_iter().map(|piece| piece.ttl(63)).collect();
    assert_eq!(lab.packets("right"), expected);
}

/// Two routed ports whose ends take super-frames.
fn wide() -> Lab {
    let mut lab = Lab::new(1);
    lab.peer("left", Port::routed("10.1.0.1/24").offload(), "10.1.0.2");
    lab.peer("right", Port::routed("10.2.0.1/24").offload(), "10.2.0.2");
    lab.peer("plain", Port::routed("10.3.0.1/24"), "10.3.0.2");
    lab.clear();
    lab
}

fn stream(lab: &mut Lab, to: &str, len: usize) -> (Packet, Vec<u8>) {
    let data = lab.rng().bytes(len);
    let packet = Packet::tcp("10.1.0.2:1000", to, 0x18, &data).df().id(100);
    let bytes = frame(lab.router_mac("left"), lab.mac("left")).ip(&packet);
    (packet, bytes)
}

#[test]
fn a_super_frame_is_routed_in_one_piece() {
    let mut lab = wide();
    let (packet, bytes) = stream(&mut lab, "10.2.0.2:80", 60_000);
    let whole = super_frame(&bytes, 1460);
    lab.send_frame("left", whole.clone());
    let seen = lab.take("right").remove(0);
    assert_eq!(seen.offload, whole.offload());
    let got = seen.packet().unwrap();
    assert_eq!((got.ttl, got.data()), (63, packet.data()));
    assert!(got.checksum_holds(seen.offload), "the pseudo-header's sum is as it was");
}

#[test]
fn a_super_frame_is_cut_for_an_end_that_takes_none() {
    let mut lab = wide();
    let (packet, bytes) = stream(&mut lab, "10.3.0.2:80", 10_000);
    lab.send_frame("left", super_frame(&bytes, 1460));
    let seen = lab.take("plain");
    assert_eq!(seen.len(), 7);
    assert!(seen.iter().all(|seen| seen.offload == Offload::Complete));
    let pieces: Vec<Packet> = seen.iter().map(|seen| seen.packet().unwrap()).collect();
    assert!(pieces.iter().all(|piece| piece.checksum_holds(Offload::Complete)));
    let data: Vec<u8> = pieces.iter().flat_map(|piece| piece.data().to_vec()).collect();
    assert_eq!(data, packet.data());
}

/// RT3: the size that counts is that of one segment.
#[test]
fn a_super_frame_is_judged_by_its_segments() {
    let mut lab = wide();
    lab.router_mtu("right", 1400);
    lab.clear();
    let (_, bytes) = stream(&mut lab, "10.2.0.2:80", 20_000);
    lab.send_frame("left", super_frame(&bytes, 1460));
    let told = lab.packet("left");
    assert_eq!((told.kind(), told.next_hop_mtu()), ((3, 4), 1400));
    lab.send_frame("left", super_frame(&bytes, 1360));
    assert_eq!(lab.take("right").len(), 1);
}

#[test]
fn a_super_frame_that_may_be_cut_gets_smaller_segments() {
    let mut lab = wide();
    lab.router_mtu("right", 1000);
    lab.clear();
    let (mut packet, _) = stream(&mut lab, "10.2.0.2:80", 20_000);
    packet.dont_fragment = false;
    let bytes = frame(lab.router_mac("left"), lab.mac("left")).ip(&packet);
    lab.send_frame("left", super_frame(&bytes, 1460));
    let seen = lab.take("right");
    assert_eq!(seen.len(), 1);
    let Offload::Segment { size, .. } = seen[0].offload else { panic!("{:?}", seen[0].offload) };
    assert_eq!(size.get(), 960);
}

#[test]
fn datagrams_of_a_super_frame_keep_their_boundaries_when_they_are_cut() {
    let mut lab = wide();
    lab.router_mtu("right", 1000);
    lab.clear();
    let data = lab.rng().bytes(3 * 1400);
    let packet = Packet::udp("10.1.0.2:1000", "10.2.0.2:2000", &data).id(9);
    let bytes = frame(lab.router_mac("left"), lab.mac("left")).ip(&packet);
    lab.send_frame("left", super_frame(&bytes, 1400));
    let pieces = lab.packets("right");
    assert_eq!(pieces.len(), 6, "three datagrams in two fragments each");
    let mut came = Vec::new();
    for datagram in pieces.chunks(2) {
        let payload = joined(datagram);
        let whole = Packet { payload, more_fragments: false, ..datagram[0].clone() };
        assert!(whole.checksum_holds(Offload::Complete));
        came.extend(whole.data().to_vec());
    }
    assert_eq!(came, data);
}

/// A datagram of 8,000 bytes of IP payload in place of its fragments, from the left.
fn in_place_of_fragments(lab: &mut Lab, to: &str, df: bool) -> Packet {
    let data = lab.rng().bytes(7992);
    let mut packet = Packet::udp("10.1.0.2:1000", to, &data).id(77);
    packet.dont_fragment = df;
    let bytes = frame(lab.router_mac("left"), lab.mac("left")).ip(&packet);
    lab.send_frame("left", for_fragments(&bytes, 1480));
    packet
}

#[test]
fn a_datagram_in_place_of_its_fragments_is_routed_in_one_piece() {
    let mut lab = wide();
    let packet = in_place_of_fragments(&mut lab, "10.2.0.2:2000", false);
    let seen = lab.take("right");
    assert_eq!(seen.len(), 1);
    assert!(matches!(seen[0].offload, Offload::Segment { size, .. } if size.get() == 1480));
    let got = seen[0].packet().unwrap();
    assert_eq!((got.ttl, got.data()), (63, packet.data()));
    assert!(got.checksum_holds(seen[0].offload), "the pseudo-header's sum is as it was");
}

#[test]
fn it_is_cut_into_the_same_fragments_for_an_end_that_takes_none() {
    let mut lab = wide();
    for df in [false, true] {
        let packet = in_place_of_fragments(&mut lab, "10.3.0.2:2000", df).ttl(63);
        assert_eq!(lab.packets("plain"), packet.fragments(1480));
    }
}

#[test]
fn it_is_cut_smaller_for_a_narrow_segment_or_its_sender_told() {
    let mut lab = wide();
    lab.router_mtu("right", 1000);
    lab.clear();
    let packet = in_place_of_fragments(&mut lab, "10.2.0.2:2000", false);
    let pieces = lab.packets("right");
    assert!(pieces.iter().all(|piece| piece.bytes().len() <= 1000 && piece.ttl == 63));
    assert_eq!(joined(&pieces), packet.payload);
    in_place_of_fragments(&mut lab, "10.2.0.2:2000", true);
    let told = lab.packet("left");
    assert_eq!((told.kind(), told.next_hop_mtu()), ((3, 4), 1000));
    assert!(lab.heard().is_empty());
}

#[test]
fn a_partial_checksum_crosses_as_it_is() {
    let mut lab = wide();
    let (packet, bytes) = stream(&mut lab, "10.2.0.2:80", 100);
    lab.send_frame("left", crate::common::left_to_the_switch(&bytes));
    let seen = lab.take("right").remove(0);
    assert!(matches!(seen.offload, Offload::Checksum(_)));
    assert!(seen.packet().unwrap().checksum_holds(seen.offload));
    assert_eq!(seen.packet().unwrap().data(), packet.data());
}

#[test]
fn an_offload_that_contradicts_the_packet_is_dropped() {
    let mut lab = wide();
    let (_, bytes) = stream(&mut lab, "10.2.0.2:80", 3000);
    let mut wrong = super_frame(&bytes, 1460);
    let Offload::Segment { size, mut span, .. } = wrong.offload() else { unreachable!() };
    wrong.set_offload(Offload::Segment { kind: packet::SegmentKind::Udp, size, span });
    lab.send_frame("left", wrong.clone());
    span.start += 4;
    wrong.set_offload(Offload::Checksum(span));
    lab.send_frame("left", wrong);
    assert_eq!(lab.drops(), [("left", DropReason::BadOffload, 2)]);
}
