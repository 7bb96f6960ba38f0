//! VLANs on the wire: what each kind of port takes, and how a frame looks when it leaves (IEEE
//! 802.1Q clause 8).

use lab::wire::{arp_request, frame};
use lab::{Lab, Packet, Port};
use packet::{DropReason, Mac};
use switch::vlan::PriorityTags;

use crate::common::{EXPERIMENT, stranger, super_frame};

/// Sends a broadcast with these tag bits from a port; says which ports got it, with which tag bits.
fn seen(lab: &mut Lab, from: &str, tag: Option<u16>) -> Vec<(&'static str, Option<u16>)> {
    lab.clear();
    let plain = frame(Mac::BROADCAST, lab.mac(from));
    let tagged = tag.map_or(plain.clone(), |bits| plain.tag_bits(bits));
    lab.send(from, &tagged.payload(EXPERIMENT, b"which VLAN is this?"));
    let mut seen = Vec::new();
    for port in PORTS {
        seen.extend(lab.take(port).iter().map(|frame| (port, frame.tag())));
    }
    seen
}

const PORTS: [&str; 6] = ["ten", "ten2", "twenty", "trunk", "all", "native"];

/// Two access ports of VLAN 10, one of 20, a trunk of both, a trunk of all, a trunk of 20 and 10
/// with 10 native.
fn switchboard() -> Lab {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.station("ten", Port::on("br0").access(10));
    lab.station("ten2", Port::on("br0").access(10));
    lab.station("twenty", Port::on("br0").access(20));
    lab.station("trunk", Port::on("br0").trunk(&[10, 20]));
    lab.station("all", Port::on("br0"));
    lab.station("native", Port::on("br0").native_untagged(10, &[10, 20]));
    lab
}

/// BR10, BR13.
#[test]
fn an_access_port_speaks_to_its_vlan_and_trunks_hear_it_tagged() {
    let mut lab = switchboard();
    let expected = [("ten2", None), ("trunk", Some(10)), ("all", Some(10)), ("native", None)];
    assert_eq!(seen(&mut lab, "ten", None), expected);
    let expected = [("trunk", Some(20)), ("all", Some(20)), ("native", Some(20))];
    assert_eq!(seen(&mut lab, "twenty", None), expected);
}

/// BR10.
#[test]
fn an_access_port_refuses_tags_but_takes_priority_tags() {
    let mut lab = switchboard();
    assert!(seen(&mut lab, "ten", Some(10)).is_empty());
    assert!(seen(&mut lab, "ten", Some(20)).is_empty());
    assert_eq!(lab.drops(), [("ten", DropReason::TaggedOnAccess, 2)]);
    let priority = 5 << 13;
    let tag = Some(priority | 10);
    let expected = [("ten2", None), ("trunk", tag), ("all", tag), ("native", None)];
    assert_eq!(
        seen(&mut lab, "ten", Some(priority)),
        expected,
        "the priority is kept where there is a tag"
    );
}

/// BR10.
#[test]
fn priority_tags_leave_where_they_are_asked_for() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.station("ten", Port::on("br0").access(10));
    lab.station("ten2", Port::on("br0").access(10).priority_tags(PriorityTags::IfNonzero));
    lab.station("twenty", Port::on("br0").access(10).priority_tags(PriorityTags::Always));
    for port in ["trunk", "all", "native"] {
        lab.station(port, Port::on("br0").access(30));
    }
    assert_eq!(seen(&mut lab, "ten", None), [("ten2", None), ("twenty", None)]);
    let kept = [("ten2", None), ("twenty", Some(0))];
    assert_eq!(seen(&mut lab, "ten", Some(0)), kept, "a header is kept, and never invented");
    let priority = 6 << 13;
    let expected = [("ten2", Some(priority)), ("twenty", Some(priority))];
    assert_eq!(seen(&mut lab, "ten", Some(priority)), expected);
}

/// BR11.
#[test]
fn a_trunk_carries_its_list_and_nothing_else() {
    let mut lab = switchboard();
    let expected = [("twenty", None), ("all", Some(20)), ("native", Some(20))];
    assert_eq!(seen(&mut lab, "trunk", Some(20)), expected);
    assert!(seen(&mut lab, "trunk", Some(30)).is_empty());
    assert!(seen(&mut lab, "trunk", None).is_empty());
    assert_eq!(lab.drops(), [("trunk", DropReason::NotInVlan, 2)]);
}

/// BR11.
#[test]
fn a_port_of_all_vlans_keeps_frames_without_a_vlan_apart() {
    let mut lab = switchboard();
    lab.station("other", Port::on("br0"));
    assert!(seen(&mut lab, "all", None).is_empty());
    let arrived = lab.take("other");
    assert_eq!(arrived.len(), 1, "VLAN 0 goes to the other port of all VLANs only");
    assert_eq!(arrived[0].tag(), None);
    assert!(seen(&mut lab, "all", Some(4094)).is_empty());
    assert_eq!(lab.take("other")[0].vlan(), Some(4094));
}

/// BR11.
#[test]
fn the_native_vlan_leaves_untagged_or_tagged_as_the_mode_says() {
    let mut lab = switchboard();
    let expected = [("ten", None), ("ten2", None), ("trunk", Some(10)), ("all", Some(10))];
    assert_eq!(seen(&mut lab, "native", None), expected);
    assert_eq!(seen(&mut lab, "native", Some(10)), expected, "its own tag means the same");
    let expected = [("twenty", None), ("trunk", Some(20)), ("all", Some(20))];
    assert_eq!(seen(&mut lab, "native", Some(20)), expected);
    assert!(seen(&mut lab, "native", Some(30)).is_empty());

    lab.port("native", &Port::on("br0").native_tagged(10, &[20]));
    let expected = [("ten2", None), ("trunk", Some(10)), ("all", Some(10)), ("native", Some(10))];
    assert_eq!(seen(&mut lab, "ten", None), expected);
    let expected = [("ten", None), ("ten2", None), ("trunk", Some(10)), ("all", Some(10))];
    assert_eq!(seen(&mut lab, "native", None), expected);
}

/// BR12.
#[test]
fn vlan_4095_and_cut_off_tags_are_dropped() {
    let mut lab = switchboard();
    assert!(seen(&mut lab, "all", Some(4095)).is_empty());
    assert!(seen(&mut lab, "all", Some(0xffff)).is_empty());
    assert_eq!(lab.drops(), [("all", DropReason::BadVlan, 2)]);
    let whole = frame(Mac::BROADCAST, stranger(1)).tag(10).payload(EXPERIMENT, &[]);
    for len in 14..18 {
        lab.send("trunk", &whole[..len]);
    }
    assert_eq!(lab.dropped("trunk", DropReason::PartialTag), 4);
    lab.send("trunk", &whole);
    assert_eq!(
        lab.take("ten").len(),
        1,
        "nothing behind the tag's EtherType is a frame all the same"
    );
}

/// BR12.
#[test]
fn an_inner_tag_is_bridged_unharmed() {
    let mut lab = switchboard();
    lab.clear();
    let source = lab.mac("trunk");
    let stacked = frame(Mac::BROADCAST, source).tag(20).tag(77).payload(EXPERIMENT, b"inner");
    lab.send("trunk", &stacked);
    let inner = frame(Mac::BROADCAST, source).tag(77).payload(EXPERIMENT, b"inner");
    assert_eq!(lab.take("twenty")[0].bytes, inner);
    assert_eq!(lab.take("all")[0].bytes, stacked);
}

/// BR11, BR12.
#[test]
fn a_service_tag_is_no_vlan_of_ours_and_passes_as_payload() {
    let mut lab = switchboard();
    lab.clear();
    let source = lab.mac("ten");
    let service =
        frame(Mac::BROADCAST, source).service_tag(500).tag(20).payload(EXPERIMENT, b"q in q");
    lab.send("ten", &service);
    assert_eq!(lab.take("ten2")[0].bytes, service);
    let tagged = frame(Mac::BROADCAST, source).tag(10).service_tag(500).tag(20);
    assert_eq!(lab.take("trunk")[0].bytes, tagged.payload(EXPERIMENT, b"q in q"));
    assert!(lab.take("twenty").is_empty());
}

/// BR18.
#[test]
fn a_full_size_frame_fits_its_mtu_whatever_tags_are_inside() {
    let stacks: [&[u16]; 7] = [
        &[0x8100],
        &[0x88a8],
        &[0x88a8, 0x8100],
        &[0x9100, 0x8100],
        &[0x9200, 0x9300],
        &[0x8100, 0x8100, 0x8100],
        &[0x88a8, 0x88a8, 0x88a8, 0x8100, 0x9100],
    ];
    for stack in stacks {
        let mut lab = switchboard();
        lab.clear();
        let inner = stack.iter().flat_map(|tpid| [tpid.to_be_bytes(), [0, 7]].concat());
        let inner: Vec<u8> = inner.collect();
        for (len, arrives) in [(1500, 1), (1501, 0)] {
            let begun = frame(Mac::BROADCAST, lab.mac("all")).tag(10).bytes();
            let ethertype = EXPERIMENT.to_be_bytes();
            let whole = [&begun[..], &inner, &ethertype, &vec![0; len]].concat();
            lab.send("all", &whole);
            assert_eq!(lab.take("ten").len(), arrives, "{stack:x?} {len}");
        }
    }
}

#[test]
fn the_router_is_in_the_vlans_it_has_an_address_in() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0.10", "10.0.10.1/24");
    lab.router("br0.20", "10.0.20.1/24");
    lab.host("ten", Port::on("br0").access(10), "10.0.10.2/24");
    lab.host("twenty", Port::on("br0").access(20), "10.0.20.2/24");
    lab.host("thirty", Port::on("br0").access(30), "10.0.10.3/24");
    assert!(lab.ping("ten", "10.0.10.1").is_some());
    assert!(lab.ping("ten", "10.0.20.1").is_some(), "any address of the router answers");
    assert!(lab.ping("ten", "10.0.20.2").is_some(), "routed between the VLANs");
    assert!(lab.ping("twenty", "10.0.10.2").is_some());
    assert!(lab.ping("thirty", "10.0.10.1").is_none(), "another VLAN is another segment");
}

#[test]
fn a_router_on_a_stick_answers_each_vlan_in_its_tag() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0.10", "10.0.10.1/24");
    lab.router("br0.20", "10.0.20.1/24");
    lab.station("trunk", Port::on("br0").trunk(&[10, 20]));
    let announced: Vec<_> = lab.take("trunk").iter().map(|seen| seen.vlan()).collect();
    assert_eq!(announced, [Some(10), Some(20)], "each address is announced in its VLAN");
    let (mac, priority) = (lab.mac("trunk"), 3 << 13);
    let asked = arp_request(mac, "10.0.20.2", "10.0.20.1");
    let bytes = frame(Mac::BROADCAST, mac).tag_bits(priority | 20).arp(&asked);
    lab.send("trunk", &bytes);
    let answer = &lab.take("trunk")[0];
    assert_eq!(answer.vlan(), Some(20));
    let ping = Packet::ping("10.0.20.2", "10.0.10.7", 1, 1);
    let bytes = frame(lab.router_mac("br0.20"), mac).tag(20).ip(&ping);
    lab.send("trunk", &bytes);
    let asked = &lab.take("trunk")[0];
    assert_eq!(
        (asked.vlan(), asked.arp().map(|arp| arp.target)),
        (Some(10), "10.0.10.7".parse().ok())
    );
}

/// Two tunnel ends of service VLAN 100 and a trunk between providers, on one bridge.
fn provider(ad: bool) -> Lab {
    let mut lab = Lab::new(1);
    lab.predict();
    lab.bridge("br0");
    lab.station("one", Port::on("br0").dot1q_tunnel(100, ad));
    lab.station("two", Port::on("br0").dot1q_tunnel(100, ad).customers(&[0, 7]));
    lab.station("other", Port::on("br0").dot1q_tunnel(200, ad));
    lab.station("trunk", Port::on("br0").trunk(&[100, 200]).offload());
    lab.station("access", Port::on("br0").access(100));
    lab
}

/// BR11.
#[test]
fn a_tunnels_end_pushes_the_service_tag_and_pops_it() {
    for ad in [true, false] {
        let mut lab = provider(ad);
        let (own, far) = (lab.mac("one"), lab.mac("trunk"));
        let all = || frame(Mac::BROADCAST, own);
        let service = |begun: lab::wire::Builder, bits: u16| match ad {
            true => begun.service_tag(bits),
            false => begun.tag_bits(bits),
        };
        // A customer's frame: without a tag, and with one, whose priority is its own.
        let plain = all().payload(EXPERIMENT, b"plain");
        let tagged = all().tag_bits(0xa007).payload(EXPERIMENT, b"tagged");
        for (sent, on_trunk) in [
            (&plain, service(all(), 100).payload(EXPERIMENT, b"plain")),
            (&tagged, service(all(), 100).tag_bits(0xa007).payload(EXPERIMENT, b"tagged")),
        ] {
            lab.send("one", sent);
            assert_eq!(lab.take("trunk")[0].bytes, on_trunk);
            assert_eq!(&lab.take("two")[0].bytes, sent);
            assert_eq!(&lab.take("access")[0].bytes, sent, "the inner tag is exposed");
            assert!(lab.take("other").is_empty());
        }
        // And back, to who was learned.
        let begun = service(frame(own, far), 0x6064);
        lab.send("trunk", &begun.tag(9).payload(EXPERIMENT, b"back"));
        let inside = frame(own, far).tag(9).payload(EXPERIMENT, b"back");
        assert_eq!(lab.take("one")[0].bytes, inside);
        assert_eq!(lab.heard(), [""; 0]);
        // Only the customers' VLANs that pass, both ways.
        lab.send("one", &all().tag(8).payload(EXPERIMENT, b"no"));
        assert_eq!(lab.heard(), ["trunk", "access"]);
        lab.send("two", &frame(Mac::BROADCAST, lab.mac("two")).tag(8).payload(EXPERIMENT, b"no"));
        assert_eq!(lab.dropped("two", DropReason::NotInVlan), 1);
    }
}

/// BR11, OF1: what is left to do to a customer's frame moves with its tag.
#[test]
fn a_customers_super_frame_crosses_a_tunnel_whole() {
    for ad in [true, false] {
        let mut lab = provider(ad);
        let data = lab.rng().bytes(20_000);
        let packet = Packet::tcp("10.0.0.1:1000", "10.0.0.2:80", 0x10, &data);
        let whole = super_frame(&frame(Mac::BROADCAST, lab.mac("one")).ip(&packet), 1400);
        let mut handed = whole.clone();
        handed.set_tag(Some(packet::Tag::from_bits(7)));
        assert!(handed.push_tag());
        lab.send_frame("one", handed.clone());
        let seen = lab.take("trunk").remove(0);
        assert_eq!(seen.offload, handed.offload().shifted(4));
        let pieces = lab.take("two");
        assert_eq!(pieces.len(), 15);
        assert!(pieces.iter().all(|seen| {
            seen.vlan() == Some(7)
                && seen.packet().unwrap().checksum_holds(packet::Offload::Complete)
        }));
    }
}
