//! Tunnels: what a datagram looks like, which are taken, and who gets what (RFC 7348; VX in the
//! checklist).

use lab::tunnel::encapsulated;
use lab::wire::{arp_request, frame};
use lab::{Datagram, Lab, Packet, Port, Tunnel};
use packet::{DropReason, Mac};

use crate::common::{
    EXPERIMENT, FAR, FARTHER, far_hello, hello, sent_to, shout, stranger, super_frame, tunnelled,
    tunnelled_with,
};

/// The datagrams of a golden file: hexadecimal bytes, comments behind `#`, an empty line between
/// two.
fn golden(text: &str) -> Vec<Vec<u8>> {
    let bytes = |block: &str| {
        let lines = block.lines().map(|line| line.split('#').next().unwrap_or(""));
        let digits: Vec<u8> = lines.flat_map(str::bytes).filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|pair| byte(pair).unwrap()).collect()
    };
    text.split("\n\n").map(bytes).collect()
}

fn payloads(datagrams: Vec<Datagram>) -> Vec<Vec<u8>> {
    datagrams.into_iter().map(|datagram| datagram.payload).collect()
}

/// VX1, VX2: flags 08, 24 zero bits, the VNI, 8 zero bits, the frame.
#[test]
fn a_datagram_is_the_header_of_rfc_7348_and_the_frame() {
    let mut lab = tunnelled();
    let request = arp_request(lab.mac("red"), "192.168.0.2", "192.168.0.3");
    let bytes = frame(Mac::BROADCAST, lab.mac("red")).arp(&request);
    lab.send("red", &bytes);
    let expected = golden(include_str!("golden/arp_request.hex")).remove(0);
    assert_eq!(payloads(lab.datagrams()), [expected.clone(), expected], "one for each far end");
}

/// VX1, VX7.
#[test]
fn a_trunk_s_datagram_has_the_tag_inside() {
    let mut lab = Lab::new(7);
    lab.bridge("br0");
    lab.station("red", Port::on("br0"));
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 0x00ab_cdef).to(FAR).trunk());
    let packet = Packet::udp("10.0.10.2:1000", "10.0.10.9:2000", b"hi").id(7);
    let bytes = frame(stranger(1), lab.mac("red")).tag_bits(0x600a).ip(&packet);
    lab.send("red", &bytes);
    assert_eq!(payloads(lab.datagrams()), golden(include_str!("golden/trunk_udp.hex")));
}

/// VX1: what a host left to the switch is done in every piece.
#[test]
fn a_super_frame_s_datagrams_are_whole_segments() {
    let mut lab = Lab::new(7);
    lab.bridge("br0");
    lab.station("red", Port::on("br0").offload());
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR));
    let packet = Packet::tcp("10.0.0.2:1000", "10.0.0.9:2000", 0x18, b"tapswitch!!").df();
    let bytes = frame(stranger(1), lab.mac("red")).ip(&packet);
    lab.send_frame("red", super_frame(&bytes, 8));
    assert_eq!(payloads(lab.datagrams()), golden(include_str!("golden/tcp_segments.hex")));
}

/// VX1: the bytes of a golden file are understood, too.
#[test]
fn a_golden_datagram_arrives_as_its_frame() {
    let mut lab = tunnelled();
    let datagram = golden(include_str!("golden/arp_request.hex")).remove(0);
    lab.from_remote(FAR, &datagram);
    assert_eq!(lab.take("blue")[0].bytes, datagram[8..]);
    assert_eq!(lab.vtep("br0", 0, lab.mac("red")).map(|far| far.to_string()), Some(FAR.into()));
}

/// VX1.
#[test]
fn a_datagram_without_the_i_flag_is_dropped_at_the_underlay() {
    let mut lab = tunnelled();
    let right = encapsulated(42, &hello(lab.mac("red"), stranger(1)));
    for flags in [0x00, 0x01, 0xf7, 0x80] {
        let mut wrong = right.clone();
        wrong[0] = flags;
        lab.from_remote(FAR, &wrong);
    }
    assert_eq!(lab.drops(), [("udp", DropReason::BadVxlan, 4)]);
    assert_eq!(lab.location("br0", 0, stranger(1)), None, "nothing is learned from it");
    assert!(lab.heard().is_empty());
}

/// VX2.
#[test]
fn reserved_bits_are_ignored_unless_the_tunnel_is_strict() {
    for strict in [false, true] {
        let mut lab = tunnelled_with(|tunnel| if strict { tunnel.strict() } else { tunnel });
        lab.from_remote(FAR, &encapsulated(42, &hello(lab.mac("red"), stranger(9))));
        lab.clear();
        let right = encapsulated(42, &hello(lab.mac("red"), stranger(1)));
        for byte in [0, 1, 2, 3, 7] {
            for bit in (0..8).filter(|bit| (byte, *bit) != (0, 3)) {
                let mut datagram = right.clone();
                datagram[byte] |= 1 << bit;
                lab.from_remote(FAR, &datagram);
            }
        }
        let dropped = lab.dropped("vx0", DropReason::VxlanReservedBits);
        let arrived = lab.heard().len();
        assert_eq!((dropped, arrived), if strict { (39, 0) } else { (0, 78) }, "{strict}");
        assert_eq!(lab.location("br0", 0, stranger(1)).is_none(), strict);
    }
}

/// VX3: one process may have tunnels over several UDP ports, the same VNI and far end on each.
#[test]
fn underlays_are_apart_even_with_the_same_remote_and_vni() {
    let mut lab = tunnelled();
    lab.underlay("udp2");
    lab.bridge("br1");
    lab.station("green", Port::on("br1"));
    lab.tunnel("vx1", &Tunnel::on("br1", 42).to(FAR).over("udp2"));
    let shouted = encapsulated(42, &hello(Mac::BROADCAST, stranger(1)));
    lab.from_remote_with("udp2", FAR, 0, packet::Frame::copied_from(&shouted));
    assert_eq!(lab.heard(), ["green"]);
    lab.from_remote_with("udp", FAR, 0, packet::Frame::copied_from(&shouted));
    assert_eq!(lab.heard(), ["red", "blue"]);
    lab.from_remote_with("udp2", FARTHER, 0, packet::Frame::copied_from(&shouted));
    assert_eq!(lab.drops(), [("udp2", DropReason::UnknownVtep, 1)]);
}

/// VX3.
#[test]
fn an_underlay_that_is_down_takes_nothing() {
    let mut lab = tunnelled();
    lab.down("udp");
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    assert_eq!(lab.drops(), [("udp", DropReason::PortDown, 1)]);
    let bytes = hello(Mac::BROADCAST, stranger(2));
    lab.up("udp");
    lab.down("vx0");
    lab.from_remote(FAR, &encapsulated(42, &bytes));
    let drops = [("udp", DropReason::PortDown, 1), ("vx0", DropReason::PortDown, 1)];
    assert_eq!(lab.drops(), drops);
    assert!(lab.heard().is_empty());
}

/// VX7.
#[test]
fn a_tagged_frame_inside_is_discarded_unless_the_tunnel_is_a_trunk() {
    let tagged = |bits| {
        let bytes = frame(Mac::BROADCAST, stranger(1)).tag_bits(bits).payload(EXPERIMENT, b"hello");
        encapsulated(42, &bytes)
    };
    for bits in [0x000a, 0x0000, 0xe000] {
        let mut lab = tunnelled();
        lab.from_remote(FAR, &tagged(bits));
        assert_eq!(lab.drops(), [("vx0", DropReason::TaggedInTunnel, 1)], "{bits:x}");
        assert!(lab.heard().is_empty() && lab.learned("br0").is_empty());
    }
    let mut lab = tunnelled_with(Tunnel::trunk);
    lab.from_remote(FAR, &tagged(0x600a));
    assert_eq!(lab.take("red")[0].bytes, tagged(0x600a)[8..], "priority and VLAN are kept");
    assert_eq!(lab.location("br0", 10, stranger(1)), Some("vx0"));
    lab.from_remote(FAR, &tagged(4095));
    assert_eq!(lab.drops(), [("vx0", DropReason::BadVlan, 1)]);
}

/// VX7.
#[test]
fn a_tunnel_of_one_vlan_carries_it_without_its_tag() {
    let mut lab = tunnelled_with(|tunnel| tunnel.vlan(10));
    let far = stranger(1);
    lab.from_remote(FAR, &encapsulated(42, &hello(Mac::BROADCAST, far)));
    let seen = lab.take("red").remove(0);
    assert_eq!(seen.vlan(), Some(10));
    assert_eq!(lab.location("br0", 10, far), Some("vx0"));
    lab.clear();
    let bytes = frame(far, lab.mac("red")).tag(10).payload(EXPERIMENT, b"back");
    lab.send("red", &bytes);
    let back = lab.datagrams().remove(0).inside();
    assert_eq!(back.bytes, frame(far, lab.mac("red")).payload(EXPERIMENT, b"back"));
    let bytes = frame(Mac::BROADCAST, lab.mac("red")).tag(20).payload(EXPERIMENT, b"other");
    lab.send("red", &bytes);
    shout(&mut lab, "red");
    assert_eq!(sent_to(&mut lab), [], "other VLANs do not enter it");
}

/// VX8: there is no FCS inside, and 14 bytes are a frame.
#[test]
fn a_runt_inside_is_dropped_under_its_tunnel() {
    for mode in [|tunnel: Tunnel| tunnel, Tunnel::trunk] {
        let mut lab = tunnelled_with(mode);
        let whole = hello(Mac::BROADCAST, stranger(1));
        for len in 0..14 {
            lab.from_remote(FAR, &encapsulated(42, &whole[..len]));
        }
        assert_eq!(lab.drops(), [("vx0", DropReason::Runt, 14)]);
        lab.from_remote(FAR, &encapsulated(42, &whole[..14]));
        assert_eq!(lab.take("red")[0].bytes, whole[..14]);
    }
}

/// VX10.
#[test]
fn what_is_for_everybody_goes_to_every_remote_and_port_exactly_once() {
    let mut lab = tunnelled();
    lab.tunnel("vx1", &Tunnel::on("br0", 43).to("192.0.2.8").to(FAR));
    let all = [("vx0", FAR), ("vx0", FARTHER), ("vx1", "192.0.2.8"), ("vx1", FAR)]
        .map(|(tunnel, far)| (tunnel.to_owned(), far.to_owned()));
    lab.datagrams();
    for to in
        [Mac::BROADCAST, Mac([1, 0, 0x5e, 0, 0, 1]), Mac([0x33, 0x33, 0, 0, 0, 1]), stranger(9)]
    {
        let bytes = hello(to, lab.mac("red"));
        lab.send("red", &bytes);
        assert_eq!(sent_to(&mut lab), all, "to {to}");
        assert_eq!(lab.heard(), ["blue"]);
    }
    assert_eq!(lab.switch().totals().sent, 4, "one frame, whatever the copies");
}

/// VX12.
#[test]
fn unknown_vteps_are_dropped_and_counted_by_vni_and_address() {
    let mut lab = tunnelled();
    let bytes = hello(Mac::BROADCAST, stranger(1));
    for (vni, remote) in [(43, FAR), (43, FAR), (42, "192.0.2.77"), (0, "192.0.2.77")] {
        lab.from_remote(remote, &encapsulated(vni, &bytes));
    }
    let drops = [("udp", DropReason::UnknownVni, 3), ("udp", DropReason::UnknownVtep, 1)];
    assert_eq!(lab.drops(), drops);
    let from = |text: &str| text.parse().unwrap();
    let counted = [(0, from("192.0.2.77"), 1), (42, from("192.0.2.77"), 1), (43, from(FAR), 2)];
    assert_eq!(lab.unknown_vteps(), counted);
    assert!(lab.heard().is_empty() && lab.learned("br0").is_empty());
}

/// VX12: even a frame of no bytes is refused by its header alone, and nobody fills our memory.
#[test]
fn the_count_of_unknown_vteps_is_bounded() {
    let mut lab = tunnelled();
    let some = vxlan::tunnels::MAX_UNKNOWN_VTEPS as u32;
    for number in 0..some + 500 {
        let remote = core::net::Ipv4Addr::from(0x0a00_0000 + number);
        lab.from_remote(remote, &encapsulated(42, &[]));
    }
    let (counted, more) = lab.switch().unknown_vteps();
    assert_eq!((counted.len() as u32, more), (some, 500));
    assert_eq!(lab.drops(), [("udp", DropReason::UnknownVtep, u64::from(some) + 500)]);
}
