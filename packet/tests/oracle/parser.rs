//! Our views say what etherparse says of every frame that both accept, and accept the same frames.

use core::net::Ipv4Addr;

use etherparse::{
    ArpPacketSlice, EtherType as TheirType, Ethernet2Slice, Icmpv4Slice, IpNumber, Ipv4Slice,
    SingleVlanSlice, TcpSlice, UdpSlice,
};
use packet::arp::{Arp, Operation};
use packet::{EtherType, Ethernet, Frame, Ipv4, Protocol, Transport};
use proptest::prelude::*;

use crate::naive;
use crate::sample::{Carried, mend_header, samples};

fn compare_frame(bytes: &[u8]) {
    let ours = Ethernet::parse(Frame::copied_from(bytes));
    let Ok(theirs) = Ethernet2Slice::from_slice_without_fcs(bytes) else {
        assert!(ours.is_err());
        return;
    };
    if theirs.ether_type() != TheirType::VLAN_TAGGED_FRAME {
        let ours = ours.unwrap();
        assert_eq!(ours.tag(), None);
        assert_eq!(ours.ethertype().0, theirs.ether_type().0);
        compare_addresses(&ours, &theirs);
        compare_payload(ours, theirs.payload_slice());
        return;
    }
    let Ok(tag) = SingleVlanSlice::from_slice(theirs.payload_slice()) else {
        assert!(ours.is_err());
        return;
    };
    let ours = ours.unwrap();
    let bits = ours.tag().unwrap();
    assert_eq!(bits.priority(), tag.priority_code_point().value());
    assert_eq!(bits.bits() & 0xfff, tag.vlan_identifier().value());
    assert_eq!(ours.ethertype().0, tag.ether_type().0);
    compare_addresses(&ours, &theirs);
    compare_payload(ours, tag.payload_slice());
}

fn compare_addresses(ours: &Ethernet, theirs: &Ethernet2Slice<'_>) {
    assert_eq!(ours.source().0, theirs.source());
    assert_eq!(ours.destination().0, theirs.destination());
}

fn compare_payload(ours: Ethernet, theirs: &[u8]) {
    assert_eq!(ours.payload(), theirs);
    match ours.ethertype() {
        EtherType::ARP => compare_arp(ours.payload()),
        EtherType::IPV4 => compare_ipv4(ours, theirs),
        _ => {}
    }
}

fn compare_arp(payload: &[u8]) {
    let Some(ours) = Arp::parse(payload) else {
        return;
    };
    let theirs = ArpPacketSlice::from_slice(payload).unwrap();
    assert_eq!((theirs.hw_addr_type().0, theirs.proto_addr_type().0), (1, 0x0800));
    let operation = if ours.operation == Operation::Request { 1 } else { 2 };
    assert_eq!(theirs.operation().0, operation);
    assert_eq!(theirs.sender_hw_addr(), ours.sender_mac.0);
    assert_eq!(theirs.sender_protocol_addr(), ours.sender.octets());
    assert_eq!(theirs.target_hw_addr(), ours.target_mac.0);
    assert_eq!(theirs.target_protocol_addr(), ours.target.octets());
}

fn compare_ipv4(ours: Ethernet, theirs: &[u8]) {
    let is_authenticated = theirs.get(9) == Some(&IpNumber::AUTHENTICATION_HEADER.0);
    let ours = Ipv4::parse(ours);
    let theirs = match Ipv4Slice::from_slice(theirs) {
        Ok(theirs) if naive::sum(theirs.header().slice()) == 0xffff => theirs,
        // etherparse looks into authentication headers, which are payload to us.
        _ => return assert!(ours.is_err() || is_authenticated),
    };
    let ours = ours.unwrap();
    let header = theirs.header();
    assert_eq!(ours.source(), Ipv4Addr::from(header.source()));
    assert_eq!(ours.destination(), Ipv4Addr::from(header.destination()));
    assert_eq!(ours.protocol().0, header.protocol().0);
    assert_eq!(ours.ttl(), header.ttl());
    assert_eq!(ours.ip().traffic_class(), header.dcp().value() << 2 | header.ecn().value());
    assert_eq!(ours.ip().identification(), header.identification());
    assert_eq!(ours.ip().dont_fragment(), header.dont_fragment());
    assert_eq!(ours.ip().more_fragments(), header.more_fragments());
    assert_eq!(ours.ip().fragment_offset(), header.fragments_offset().byte_offset());
    assert_eq!(ours.is_fragment(), header.is_fragmenting_payload());
    assert_eq!(ours.header_len(), header.slice().len());
    assert_eq!(ours.total_len(), usize::from(header.total_len()));
    assert_eq!(ours.ip().options(), header.options());
    if !is_authenticated {
        assert_eq!(ours.payload(), theirs.payload().payload);
    }
    if !ours.is_fragment() {
        compare_transport(ours.transport(), ours.protocol(), ours.payload());
    }
}

fn compare_transport(ours: Transport, protocol: Protocol, payload: &[u8]) {
    match protocol {
        Protocol::TCP => match (ours, TcpSlice::from_slice(payload)) {
            (Transport::Malformed, Err(_)) => {}
            (Transport::Tcp { source, destination, flags }, Ok(theirs)) => {
                assert_eq!(source, theirs.source_port());
                assert_eq!(destination, theirs.destination_port());
                let theirs = [theirs.fin(), theirs.syn(), theirs.rst(), theirs.psh(), theirs.ack()];
                for (bit, theirs) in theirs.into_iter().enumerate() {
                    assert_eq!(flags.has(1 << bit), theirs, "flag {bit}");
                }
            }
            (ours, theirs) => panic!("{ours:?} but {theirs:?}"),
        },
        Protocol::UDP => match (ours, UdpSlice::from_slice(payload)) {
            (Transport::Udp { source, destination }, Ok(theirs)) => {
                assert_eq!(source, theirs.source_port());
                assert_eq!(destination, theirs.destination_port());
            }
            // etherparse refuses wrong lengths as well.
            (ours, theirs) => assert!(theirs.is_err(), "{ours:?} but {theirs:?}"),
        },
        Protocol::ICMP => {
            let Ok(theirs) = Icmpv4Slice::from_slice(payload) else {
                return;
            };
            let [high, low, ..] = theirs.bytes5to8();
            let (kind, code) = (theirs.type_u8(), theirs.code_u8());
            let (identifier, reply) =
                (u16::from_be_bytes([high, low]), matches!(kind, 0 | 14 | 16 | 18));
            let expected = match kind {
                0 | 8 | 13..=18 => Transport::Query { identifier, reply, kind },
                3 | 4 | 5 | 11 | 12 => Transport::Error { kind, code },
                _ => Transport::OtherIcmp { kind },
            };
            assert_eq!(ours, expected);
        }
        other => assert_eq!(ours, Transport::Other(other)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_are_read_as_etherparse_reads_them(
        mut bytes in prop::collection::vec(any::<u8>(), 0..120),
        ethertype in prop::option::of(prop::sample::select(&[0x0800u16, 0x0806, 0x8100, 0x88a8, 0x86dd])),
        version in any::<bool>(),
    ) {
        if let (Some(ethertype), Some(place)) = (ethertype, bytes.get_mut(12..14)) {
            place.copy_from_slice(&ethertype.to_be_bytes());
        }
        if let (true, Some(first)) = (version, bytes.get_mut(14)) {
            *first = 0x45;
            mend_header(&mut bytes);
        }
        compare_frame(&bytes);
    }

    #[test]
    fn damaged_packets_are_read_as_etherparse_reads_them(
        sample in samples(&[Carried::Tcp, Carried::Udp, Carried::Echo], false, 60),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        at_headers in any::<bool>(),
        cut in prop::option::of(any::<prop::sample::Index>()),
        padding in 0..20usize,
        mend: bool,
        tag in prop::option::of(any::<[u8; 2]>()),
    ) {
        let mut bytes = sample.bytes();
        for (at, value) in damage {
            let within = if at_headers { 54.min(bytes.len()) - 12 } else { bytes.len() - 12 };
            bytes[12 + at.index(within)] = value;
        }
        bytes.resize(bytes.len() + padding, 0xee);
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if mend {
            mend_header(&mut bytes);
        }
        if let (Some([high, low]), true) = (tag, bytes.len() >= 12) {
            bytes.splice(12..12, [0x81, 0x00, high, low]);
        }
        compare_frame(&bytes);
    }

    #[test]
    fn an_arp_packet_is_read_as_etherparse_reads_it(
        mut bytes: [u8; 46], operation in 0..4u8, len in 20..46usize
    ) {
        bytes[..8].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, operation]);
        compare_arp(&bytes[..len]);
        let accepted = Arp::parse(&bytes[..len]).is_some();
        prop_assert_eq!(accepted, len >= 28 && matches!(operation, 1 | 2));
    }
}

#[test]
fn each_wrong_field_of_an_ipv4_header_has_its_own_reason() {
    use packet::DropReason::{
        BadHeaderChecksum, BadHeaderLength, BadTotalLength, BadVersion, TruncatedIpv4,
    };
    let mut good = vec![0; 14 + 24 + 8 + 6];
    good[12..18].copy_from_slice(&[0x08, 0x00, 0x46, 0, 0, 32]);
    good[34..38].copy_from_slice(&[1, 1, 1, 0]);
    mend_header(&mut good);
    let parse = |bytes: &[u8]| Ipv4::in_frame(Frame::copied_from(bytes));
    let packet = parse(&good).unwrap();
    assert_eq!(packet.ip().options(), [1, 1, 1, 0]);
    assert_eq!(packet.frame().len(), 14 + 32, "padding is cut off");

    for (at, value, mend, reason) in [
        (14, 0x66, true, BadVersion),
        (14, 0x44, false, BadHeaderLength),
        (14, 0x4f, false, BadHeaderLength),
        (17, 23, true, BadTotalLength),
        (17, 39, true, BadTotalLength),
        (22, 1, false, BadHeaderChecksum),
        (34, 7, false, BadHeaderChecksum),
    ] {
        let mut bytes = good.clone();
        bytes[at] = value;
        if mend {
            mend_header(&mut bytes);
        }
        let dropped = parse(&bytes).unwrap_err();
        assert_eq!(dropped.reason, reason, "byte {at} = {value:#x}");
    }
    assert_eq!(parse(&good[..33]).unwrap_err().reason, TruncatedIpv4);
    assert_eq!(parse(&good[..37]).unwrap_err().reason, BadHeaderLength);
}

#[test]
fn a_header_the_switch_writes_is_one_it_reads() {
    let mut frame = packet::Pool::new(1).take();
    assert!(frame.reset(14 + 20 + 5));
    let header = packet::fields::Fields {
        source: Ipv4Addr::new(192, 0, 2, 1),
        destination: Ipv4Addr::new(198, 51, 100, 1),
        protocol: Protocol::UDP,
        ttl: 7,
        traffic_class: 0xc0,
        identification: 0x1234,
        dont_fragment: true,
    };
    assert!(header.emit(&mut frame));
    let packet = Ipv4::in_frame(frame).unwrap();
    assert_eq!(packet.source(), header.source);
    assert_eq!(packet.destination(), header.destination);
    assert_eq!(packet.protocol(), header.protocol);
    assert_eq!(packet.ttl(), header.ttl);
    assert_eq!(packet.ip().traffic_class(), header.traffic_class);
    assert_eq!(packet.ip().identification(), header.identification);
    assert!(packet.ip().dont_fragment() && !packet.is_fragment());
    assert_eq!(packet.total_len(), 25);
    let mut short = Frame::copied_from(&[0; 33]);
    assert!(!header.emit(&mut short));
}
