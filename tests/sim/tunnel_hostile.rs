//! A far end that lies: cut off, nested, strangely joined, and trains of datagrams that are not
//! what they seem.

use lab::tunnel::encapsulated;
use lab::wire::{arp_request, frame};
use lab::{Lab, Packet, Port, Tunnel};
use packet::coalesce::join_train;
use packet::{DropReason, Frame, Mac, Offload, Pool};
use proptest::prelude::*;

use crate::common::{
    EXPERIMENT, FAR, FARTHER, hello, sent_to, stranger, tunnelled, tunnelled_with,
};

/// A lab with a router, a host that takes super-frames, "red", and one that does not, "blue".
fn lab() -> Lab {
    let mut lab = Lab::new(7);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.station("red", Port::on("br0").offload());
    lab.station("blue", Port::on("br0"));
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR).to(FARTHER));
    for name in ["red", "blue"] {
        lab.send(name, &hello(Mac::BROADCAST, lab.mac(name)));
    }
    lab.clear();
    lab.datagrams();
    lab
}

/// What the underlay's socket makes of a train: joined, then one by one into the switch.
fn arrive(lab: &mut Lab, train: &[u8], size: usize) -> usize {
    let mut joined = Vec::new();
    let train = Frame::copied_from(train);
    join_train(train, size, 8, &mut Pool::new(4), &mut |frame| joined.push(frame));
    let count = joined.len();
    for datagram in joined {
        lab.from_remote_with("udp", FAR, 0, datagram);
    }
    count
}

/// A bulk transfer's segments to `to`, each a datagram of VNI 42, the last one short.
fn bulk(
    lab: &mut Lab,
    to: &str,
    count: usize,
    size: usize,
    tail: usize,
) -> (Vec<Vec<u8>>, Vec<u8>) {
    let data = lab.rng().bytes((count - 1) * size + tail);
    let segment = |(index, chunk): (usize, &[u8])| {
        let flags = if index + 1 == count { 0x18 } else { 0x10 };
        let sequence = 1000 + (index * size) as u32;
        let (from, own) = ("192.168.0.9:80", "192.168.0.2:1000");
        let packet = Packet::tcp_at(from, own, flags, sequence, 5, chunk).df().id(index as u16);
        encapsulated(42, &frame(lab.mac(to), stranger(1)).ip(&packet))
    };
    (data.chunks(size).enumerate().map(segment).collect(), data)
}

/// VX1, VX8: whatever is cut off is refused or is a shorter frame; nothing is invented.
#[test]
fn a_datagram_cut_off_anywhere_is_accounted_for() {
    let mut lab = lab();
    let router = lab.router_mac("br0");
    let ping = Packet::ping("192.168.0.9", "192.168.0.1", 1, 1);
    let request = arp_request(stranger(1), "192.168.0.9", "192.168.0.1");
    for whole in [
        encapsulated(42, &frame(router, stranger(1)).ip(&ping)),
        encapsulated(42, &frame(Mac::BROADCAST, stranger(1)).arp(&request)),
        encapsulated(42, &frame(lab.mac("blue"), stranger(1)).tag(10).ip(&ping)),
    ] {
        for len in 0..whole.len() {
            lab.from_remote(FAR, &whole[..len]);
        }
    }
    assert_eq!(lab.dropped("udp", DropReason::BadVxlan), 3 * 8);
    assert_eq!(lab.dropped("vx0", DropReason::Runt), 3 * 14);
    assert_eq!(lab.dropped("vx0", DropReason::TruncatedIpv4), 20);
    assert!(lab.dropped("vx0", DropReason::BadTotalLength) > 0);
    assert!(lab.dropped("vx0", DropReason::TaggedInTunnel) > 0);
    assert_eq!(lab.take("blue").len(), lab.take("red").len(), "ARP goes to both");
}

/// VX12: the VNI is all 24 bits.
#[test]
fn a_wrong_vni_is_refused_in_every_bit() {
    let mut lab = tunnelled();
    for bit in 0..24 {
        lab.from_remote(FAR, &encapsulated(42 ^ 1 << bit, &hello(Mac::BROADCAST, stranger(1))));
    }
    assert_eq!(lab.drops(), [("udp", DropReason::UnknownVni, 24)]);
    assert_eq!(lab.unknown_vteps().len(), 24);
    assert!(lab.heard().is_empty());
}

/// A VXLAN datagram inside a frame inside a tunnel is payload like any other.
#[test]
fn nested_vxlan_is_carried_and_not_opened() {
    let mut lab = tunnelled();
    let inner = encapsulated(42, &hello(Mac::BROADCAST, stranger(5)));
    let packet = Packet::udp("192.0.2.3:4789", "192.0.2.1:4789", &inner);
    let bytes = frame(lab.mac("red"), stranger(1)).ip(&packet);
    lab.from_remote(FAR, &encapsulated(42, &encapsulated(42, &bytes)));
    assert_eq!(lab.location("br0", 0, stranger(5)), None);
    lab.clear();
    lab.from_remote(FAR, &encapsulated(42, &bytes));
    assert_eq!(lab.take("red")[0].bytes, bytes);
    assert_eq!(lab.location("br0", 0, stranger(5)), None, "what is inside teaches nothing");
    lab.clear();
    lab.send("red", &frame(stranger(1), lab.mac("red")).ip(&packet));
    let out = lab.datagrams().remove(0);
    assert_eq!(out.inside().packet().unwrap(), packet);
}

/// VX11: with itself as inner source and destination a frame goes nowhere.
#[test]
fn a_frame_from_a_station_to_itself_goes_nowhere() {
    let mut lab = lab();
    lab.from_remote(FAR, &encapsulated(42, &hello(stranger(1), stranger(1))));
    assert_eq!(lab.heard(), [""; 0]);
    assert_eq!(lab.drops(), [("vx0", DropReason::Reflected, 1)]);
    assert_eq!(sent_to(&mut lab), []);
}

/// A far end may speak in a local station's name, as any port may: the last word counts, and the
/// station's next one brings it back.
#[test]
fn a_stolen_station_comes_back_when_it_speaks() {
    let mut lab = lab();
    lab.from_remote(FAR, &encapsulated(42, &hello(Mac::BROADCAST, lab.mac("red"))));
    assert_eq!(lab.location("br0", 0, lab.mac("red")), Some("vx0"));
    lab.send("red", &hello(Mac::BROADCAST, lab.mac("red")));
    assert_eq!(lab.location("br0", 0, lab.mac("red")), Some("red"));
}

/// 64 KiB in one go: one super-frame where that is taken.
#[test]
fn a_train_with_a_short_tail_arrives_as_one_super_frame() {
    let mut lab = lab();
    let (datagrams, data) = bulk(&mut lab, "red", 46, 1400, 7);
    assert_eq!(arrive(&mut lab, &datagrams.concat(), datagrams[0].len()), 1);
    let seen = lab.take("red");
    assert_eq!(seen.len(), 1);
    let packet = seen[0].packet().unwrap();
    assert!(matches!(seen[0].offload, Offload::Segment { size, .. } if size.get() == 1400));
    assert!(packet.checksum_holds(seen[0].offload), "the pseudo-header's sum");
    assert!(packet.data() == data && packet.flags() == 0x18);
    let totals = lab.switch().totals();
    assert_eq!(lab.switch().received_through(lab.port_id("vx0")).unwrap().0, 1);
    assert_eq!(totals.dropped, 0);
}

/// And where it is not, the very segments that were sent.
#[test]
fn a_train_arrives_at_a_plain_port_as_the_segments_that_were_sent() {
    let mut lab = lab();
    let (datagrams, _) = bulk(&mut lab, "blue", 46, 1400, 7);
    arrive(&mut lab, &datagrams.concat(), datagrams[0].len());
    let seen: Vec<_> = lab.take("blue").into_iter().map(|seen| seen.bytes).collect();
    let sent: Vec<_> = datagrams.iter().map(|datagram| datagram[8..].to_vec()).collect();
    assert!(seen == sent, "{} of {}", seen.len(), sent.len());
}

/// Datagrams of two segments, with other flags, or with wrong checksums are not joined to their
/// neighbours.
#[test]
fn what_does_not_belong_together_stays_apart() {
    let mut lab = lab();
    let (mut datagrams, _) = bulk(&mut lab, "blue", 6, 1000, 1000);
    let size = datagrams[0].len();
    datagrams[1][4..7].copy_from_slice(&[0, 0, 43]);
    datagrams[3][1] = 0xff;
    datagrams[5][size - 1] ^= 1;
    lab.distrust();
    let joined = arrive(&mut lab, &datagrams.concat(), size);
    assert_eq!(joined, 6, "each other than its neighbour");
    assert_eq!(lab.drops(), [("udp", DropReason::UnknownVni, 1)]);
    let seen: Vec<_> = lab.take("blue").into_iter().map(|seen| seen.bytes).collect();
    let sent: Vec<_> = [0, 2, 3, 4, 5].map(|at: usize| datagrams[at][8..].to_vec()).into();
    assert_eq!(seen, sent);
}

/// VX2: a strict tunnel refuses a whole train by its first header, since all are the same.
#[test]
fn a_strict_tunnel_refuses_a_train_with_reserved_bits() {
    let mut lab = tunnelled_with(Tunnel::strict);
    let (mut datagrams, _) = bulk(&mut lab, "red", 4, 1000, 10);
    datagrams.iter_mut().for_each(|datagram| datagram[7] = 1);
    arrive(&mut lab, &datagrams.concat(), datagrams[0].len());
    assert_eq!(lab.drops(), [("vx0", DropReason::VxlanReservedBits, 1)]);
    assert!(lab.heard().is_empty());
}

/// VX7: each tagged segment of a train is refused as one would be.
#[test]
fn a_train_of_tagged_frames_does_not_enter_an_access_tunnel() {
    let mut lab = lab();
    let packet = Packet::tcp("192.168.0.9:80", "192.168.0.2:1000", 0x10, &[1; 100]);
    let tagged = encapsulated(42, &frame(lab.mac("blue"), stranger(1)).tag(10).ip(&packet));
    arrive(&mut lab, &tagged.repeat(3), tagged.len());
    assert_eq!(lab.dropped("vx0", DropReason::TaggedInTunnel), 3);
    assert!(lab.heard().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A train of any bytes and any size, and of right segments with some bytes changed: all is accounted for.
    #[test]
    fn a_hostile_train_is_accounted_for(
        noise in prop::collection::vec(any::<u8>(), 0..3000),
        size in 0..600usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        count in 2..12usize,
        tail in 0..=400usize,
        shape: bool,
    ) {
        let mut lab = lab();
        lab.distrust();
        let before = lab.switch().totals().received;
        let mut events = arrive(&mut lab, &noise, size);
        let (datagrams, _) = bulk(&mut lab, if shape { "red" } else { "blue" }, count, 400, tail.max(1));
        let mut train = datagrams.concat();
        for (at, value) in &changes {
            let at = at.index(train.len());
            train[at] = *value;
        }
        events += arrive(&mut lab, &train, datagrams[0].len());
        let totals = lab.switch().totals();
        prop_assert_eq!(totals.received - before, events as u64);
        prop_assert!(totals.balance());
    }

    /// Right segments arrive as what was sent, however many, however long, and whoever takes them.
    #[test]
    fn a_right_train_loses_nothing(count in 2..40usize, size in 1..1400usize, tail in 1..1400usize, offload: bool) {
        let mut lab = lab();
        let to = if offload { "red" } else { "blue" };
        let (datagrams, data) = bulk(&mut lab, to, count, size, tail.min(size));
        arrive(&mut lab, &datagrams.concat(), datagrams[0].len());
        let got: Vec<u8> = lab.packets(to).iter().flat_map(|packet| packet.data().to_vec()).collect();
        prop_assert!(got == data);
    }

    /// VX8: any bytes behind a right header.
    #[test]
    fn any_bytes_inside_a_tunnel_are_accounted_for(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 1..40)
    ) {
        let mut lab = lab();
        lab.distrust();
        let before = lab.switch().totals().received;
        for bytes in &frames {
            lab.from_remote(FAR, &encapsulated(42, bytes));
        }
        prop_assert_eq!(lab.switch().totals().received - before, frames.len() as u64);
    }
}

/// What is not IP, and is beyond what one datagram may hold, is nobody's trouble but its own.
#[test]
fn the_largest_frame_is_carried_in_one_datagram_or_not_at_all() {
    let mut lab = Lab::new(7);
    lab.bridge("br0");
    lab.station("red", Port::on("br0").mtu(65_535));
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR).mtu(65_535));
    for (len, carried) in [(65_507 - 8, 1), (65_507 - 7, 0)] {
        let bytes = frame(stranger(1), lab.mac("red")).payload(EXPERIMENT, &vec![1; len - 14]);
        lab.send("red", &bytes);
        assert_eq!(lab.datagrams().len(), carried, "{len}");
    }
}
