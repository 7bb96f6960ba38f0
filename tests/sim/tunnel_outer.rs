//! What the outer headers say, and what they tell the packet inside (VX4, VX13).

use lab::tunnel::encapsulated;
use lab::wire::frame;
use lab::{Lab, Packet};
use packet::{DropReason, Frame, Mac, Offload};
use std::collections::{BTreeMap, BTreeSet};
use vxlan::entropy::flow_hash;
use vxlan::outer::{Dscp, Ttl, outer};

use crate::common::{EXPERIMENT, FAR, far_hello, stranger, super_frame, tunnelled};

fn lab() -> Lab {
    let mut lab = tunnelled();
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    lab.clear();
    lab.datagrams();
    lab
}

/// VX4: the source port is chosen by this number, so it must not change within a flow.
#[test]
fn all_datagrams_of_a_flow_have_one_hash() {
    let mut lab = lab();
    let begun = frame(stranger(1), lab.mac("red"));
    let (from, to) = ("192.168.0.2:1000", "192.168.0.9:80");
    for len in [0, 1, 100, 1400] {
        let data = lab.rng().bytes(len);
        let packet = Packet::tcp_at(from, to, 0x10, len as u32 * 77, 5, &data);
        lab.send("red", &begun.clone().ip(&packet.id(len as u16).ttl(9)));
    }
    let data = lab.rng().bytes(20_000);
    let whole = begun.ip(&Packet::tcp(from, to, 0x18, &data));
    lab.send_frame("red", super_frame(&whole, 1400));
    let datagrams = lab.datagrams();
    assert_eq!(datagrams.len(), 4 + 15);
    let hashes: BTreeSet<u32> =
        datagrams.iter().map(|datagram| flow_hash(&datagram.inside().bytes)).collect();
    assert_eq!(hashes, [flow_hash(&whole)].into(), "the super-frame's own, too");
}

/// VX4.
#[test]
fn flows_spread_over_the_source_ports() {
    let mut lab = lab();
    let mut taken: BTreeMap<u32, u32> = BTreeMap::new();
    for port in 0..1024 {
        let packet = Packet::udp(&*format!("192.168.0.2:{}", 1000 + port), "192.168.0.9:53", b"?");
        let bytes = frame(stranger(1), lab.mac("red")).ip(&packet);
        lab.send("red", &bytes);
        let datagram = lab.datagrams().remove(0);
        *taken.entry(flow_hash(&datagram.inside().bytes) % 8).or_default() += 1;
    }
    assert_eq!(taken.len(), 8);
    assert!(taken.values().all(|count| (90..170).contains(count)), "{taken:?}");
}

/// VX13: RFC 6040 section 4.2, figure 4.
#[test]
fn congestion_on_the_way_is_told_to_the_packet_inside() {
    const NOT_ECT: u8 = 0;
    const ECT1: u8 = 1;
    const ECT0: u8 = 2;
    const CE: u8 = 3;
    let figure = [
        (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
        (ECT0, [Some(ECT0), Some(ECT0), Some(ECT1), Some(CE)]),
        (ECT1, [Some(ECT1), Some(ECT1), Some(ECT1), Some(CE)]),
        (CE, [Some(CE); 4]),
    ];
    let mut lab = lab();
    let mut lost = 0;
    for (inner, row) in figure {
        for (mark, expected) in [NOT_ECT, ECT0, ECT1, CE].into_iter().zip(row) {
            let packet = Packet::udp("192.168.0.9:53", "192.168.0.2:1000", b"answer");
            let sent = packet.class(0x28 | inner);
            let bytes = frame(lab.mac("red"), stranger(1)).ip(&sent);
            let datagram = Frame::copied_from(&encapsulated(42, &bytes));
            lab.from_remote_with("udp", FAR, 0xb8 | mark, datagram);
            lost += u64::from(expected.is_none());
            let arrived = lab.packets("red").pop();
            lab.clear();
            let expected = expected.map(|mark| sent.clone().class(0x28 | mark));
            assert_eq!(arrived, expected, "{mark} around {inner}: the DSCP stays the inner one");
        }
    }
    assert_eq!(lab.drops(), [("vx0", DropReason::CongestedNotEcn, lost)]);
    assert_eq!(lost, 1);
}

/// VX13: a drop by congestion is no reason to forget the tunnel's good name.
#[test]
fn what_has_no_mark_passes_a_congested_way() {
    let mut lab = lab();
    let bytes = frame(Mac::BROADCAST, stranger(1)).payload(EXPERIMENT, b"no IP");
    let datagram = Frame::copied_from(&encapsulated(42, &bytes));
    lab.from_remote_with("udp", FAR, 3, datagram);
    assert_eq!(lab.take("red")[0].bytes, bytes);
}

/// VX13: a frame that is refused for congestion teaches nothing.
#[test]
fn who_is_refused_for_congestion_is_not_learned() {
    let mut lab = lab();
    let packet = Packet::udp("192.168.0.9:53", "192.168.0.2:1000", b"answer");
    let bytes = frame(Mac::BROADCAST, stranger(2)).ip(&packet);
    lab.from_remote_with("udp", FAR, 3, Frame::copied_from(&encapsulated(42, &bytes)));
    assert_eq!(lab.location("br0", 0, stranger(2)), None);
}

/// VX13: whoever sends the datagrams reads the outer header off the frame that left.
#[test]
fn the_outer_header_can_be_read_off_what_left() {
    let mut lab = lab();
    let packet = Packet::udp("192.168.0.2:1000", "192.168.0.9:53", b"?").class(0xb9).ttl(17);
    lab.send("red", &frame(stranger(1), lab.mac("red")).ip(&packet));
    let bytes = lab.datagrams().remove(0).inside().bytes;
    let inherited = outer(Ttl::Inherit, Dscp::Inherit, &bytes);
    assert_eq!((inherited.ttl.get(), inherited.tos), (17, 0xb9));
    let fixed = outer(Ttl::default(), Dscp::Fixed(10), &bytes);
    assert_eq!((fixed.ttl.get(), fixed.tos), (64, 10 << 2 | 1), "ECN always travels");
}

/// VX13: of all segments that were joined, the mark is set in each that leaves.
#[test]
fn a_joined_train_is_marked_in_every_piece() {
    let mut lab = lab();
    lab.send("red", &frame(Mac::BROADCAST, lab.mac("red")).payload(EXPERIMENT, b"here"));
    let data = lab.rng().bytes(5000);
    let packet = Packet::tcp("192.168.0.9:80", "192.168.0.2:1000", 0x10, &data).class(2);
    let whole = super_frame(&frame(lab.mac("red"), stranger(1)).ip(&packet), 1000);
    let mut outer = Frame::copied_from(&encapsulated(42, whole.bytes()));
    outer.set_offload(whole.offload().shifted(8));
    lab.from_remote_with("udp", FAR, 3, outer);
    let pieces = lab.packets("red");
    assert_eq!(pieces.len(), 5);
    assert!(pieces.iter().all(|piece| piece.traffic_class == 3));
    assert!(pieces.iter().all(|piece| piece.checksum_holds(Offload::Complete)));
}
