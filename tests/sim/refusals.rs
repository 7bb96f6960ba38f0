//! What the router does not forward, whom it tells, and whom it never tells (RFC 1812 sections 4.3,
//! 5.2.2, 5.3.7).

use core::time::Duration;

use lab::wire::{SYN, frame, sum};
use lab::{Lab, Packet, Port};
use packet::{DropReason, Mac};
use switch::Change;

use crate::common::crossing;

fn across() -> Packet {
    Packet::udp("10.1.0.2:1000", "10.2.0.2:2000", b"to the other side")
}

/// Sends `across` with the IPv4 header changed, its checksum mended unless `broken`; asserts that
/// it is dropped.
fn changed(lab: &mut Lab, reason: DropReason, mend: bool, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = frame(lab.router_mac("left"), lab.mac("left")).ip(&across());
    change(&mut bytes);
    if mend && bytes.len() >= 34 {
        bytes[24..26].fill(0);
        let sum = !sum(&bytes[14..34]);
        bytes[24..26].copy_from_slice(&sum.to_be_bytes());
    }
    let before = lab.dropped("left", reason);
    lab.send("left", &bytes);
    assert_eq!(lab.dropped("left", reason), before + 1, "{reason}: {:?}", lab.drops());
    assert!(lab.heard().is_empty(), "{reason} is silent");
}

/// RT1.
#[test]
fn broken_headers_are_dropped_each_under_its_reason() {
    let mut lab = crossing();
    let lab = &mut lab;
    changed(lab, DropReason::TruncatedIpv4, false, |bytes| bytes.truncate(33));
    changed(lab, DropReason::TruncatedIpv4, false, |bytes| bytes.truncate(14));
    changed(lab, DropReason::BadVersion, true, |bytes| bytes[14] = 0x65);
    changed(lab, DropReason::BadHeaderLength, true, |bytes| bytes[14] = 0x44);
    changed(lab, DropReason::BadHeaderLength, true, |bytes| {
        bytes[14] = 0x4f;
        bytes.truncate(40);
    });
    changed(lab, DropReason::BadTotalLength, true, |bytes| bytes[17] += 1);
    changed(lab, DropReason::BadTotalLength, true, |bytes| bytes[16..18].copy_from_slice(&[0, 19]));
    changed(lab, DropReason::BadHeaderChecksum, false, |bytes| bytes[24] ^= 1);
    changed(lab, DropReason::BadHeaderChecksum, false, |bytes| bytes[22] = 63);
}

/// RT2.
#[test]
fn a_packet_whose_hops_ran_out_is_told_by_the_near_address() {
    let mut lab = crossing();
    for ttl in [0, 1] {
        let packet = across().ttl(ttl);
        lab.ip("left", &packet);
        let told = lab.packet("left");
        assert_eq!(told.kind(), (11, 0));
        assert_eq!(
            (told.source.to_string(), told.destination.to_string()),
            ("10.1.0.1".into(), "10.1.0.2".into())
        );
        assert_eq!(told.quote(), packet, "quoted as it was sent");
        assert_eq!(told.traffic_class, 0xc0);
    }
    assert_eq!(lab.drops(), [("left", DropReason::TtlExpired, 2)]);
    assert!(lab.packets("right").is_empty());
}

/// RT3.
#[test]
fn a_packet_without_a_way_is_told() {
    let mut lab = crossing();
    let packet = Packet::udp("10.1.0.2:1000", "198.51.100.7:53", b"?");
    lab.ip("left", &packet);
    let told = lab.packet("left");
    assert_eq!((told.kind(), told.quote()), ((3, 0), packet));
    assert_eq!(lab.drops(), [("left", DropReason::NoRoute, 1)]);
}

/// RT3.
#[test]
fn a_packet_that_must_stay_whole_and_does_not_fit_is_told_the_mtu() {
    let mut lab = crossing();
    lab.router_mtu("right", 1400);
    lab.clear();
    let packet = Packet::udp("10.1.0.2:1000", "10.2.0.2:2000", &[7; 1373]).df();
    lab.ip("left", &packet);
    let told = lab.packet("left");
    assert_eq!((told.kind(), told.next_hop_mtu()), ((3, 4), 1400));
    assert_eq!(lab.drops(), [("left", DropReason::FragmentationNeeded, 1)]);
    let fits = Packet::udp("10.1.0.2:1000", "10.2.0.2:2000", &[7; 1372]).df();
    lab.ip("left", &fits);
    assert_eq!(lab.packet("right"), fits.ttl(63));
}

/// RT4.
#[test]
fn an_error_quotes_as_much_as_fits_in_576_bytes() {
    let mut lab = crossing();
    let small = Packet::udp("10.1.0.2:1000", "198.51.100.7:53", &[1; 100]);
    lab.ip("left", &small);
    assert_eq!(lab.packet("left").quote(), small);
    let large = Packet::udp("10.1.0.2:1000", "198.51.100.7:53", &[1; 1400]);
    lab.ip("left", &large);
    let told = lab.packet("left");
    assert_eq!(told.bytes().len(), 576);
    assert_eq!(told.quote().payload, large.payload[..576 - 20 - 8 - 20]);
}

/// RT4.
#[test]
fn an_error_has_the_type_of_service_of_its_cause() {
    let mut lab = crossing();
    for (cause, told) in [(0x00, 0xc0), (0x28, 0xc8), (0x1c, 0xdc), (0xe0, 0xc0), (0x03, 0xc0)] {
        lab.ip("left", &across().ttl(1).class(cause));
        assert_eq!(lab.packet("left").traffic_class, told, "{cause:#x}");
    }
}

/// RT3.
#[test]
fn a_protocol_that_the_router_does_not_speak_is_told() {
    let mut lab = crossing();
    let packet = Packet::new(200, "10.1.0.2", "10.1.0.1", vec![1; 20]);
    lab.ip("left", &packet);
    let told = lab.packet("left");
    assert_eq!((told.kind(), told.quote()), ((3, 2), packet));
    assert_eq!(lab.drops(), [("left", DropReason::Unsolicited, 1)]);
}

/// RT1, RT11.
#[test]
fn the_router_answers_nothing_whose_checksum_is_wrong() {
    let mut lab = crossing();
    let (from, to) = ("10.1.0.2:1000", "10.1.0.1:7");
    for (packet, field) in [
        (Packet::ping("10.1.0.2", "10.1.0.1", 1, 1), 2),
        (Packet::udp(from, to, b"anybody?"), 6),
        (Packet::tcp(from, to, SYN, b""), 16),
    ] {
        let mut wrong = packet.clone();
        wrong.payload[field] ^= 1;
        lab.ip("left", &wrong);
        assert!(lab.heard().is_empty(), "{wrong:?}");
        lab.ip("left", &packet);
        assert_eq!(lab.packets("left").len(), 1, "{packet:?}");
    }
    let mut beyond = Packet::udp(from, to, b"anybody?");
    beyond.payload[5] += 1;
    lab.ip("left", &beyond.summed());
    assert!(lab.heard().is_empty());
    assert_eq!(lab.dropped("left", DropReason::BadChecksum), 4);
    lab.ip("left", &Packet::udp(from, to, b"anybody?").unsummed());
    assert_eq!(lab.packet("left").kind(), (3, 3), "none is not a wrong one");
}

/// RT5.
#[test]
fn nobody_is_told_about_an_error() {
    let mut lab = crossing();
    for wire in [(3, 1), (11, 0), (5, 1), (12, 0), (4, 0)] {
        let error = Packet::error("10.1.0.2", "198.51.100.7", wire, 0, &across(), 8);
        lab.ip("left", &error);
        lab.ip("left", &error.ttl(1));
    }
    for (kind, code) in [(9, 0), (10, 0), (40, 0)] {
        lab.ip("left", &Packet::icmp("10.1.0.2", "198.51.100.7", (kind, code), [0; 4], &[]));
    }
    assert!(lab.heard().is_empty());
    assert_eq!(lab.dropped("left", DropReason::NoRoute), 13);
}

/// RT5.
#[test]
fn a_ping_that_cannot_go_on_is_told() {
    let mut lab = crossing();
    lab.ip("left", &Packet::ping("10.1.0.2", "198.51.100.7", 1, 1));
    assert_eq!(lab.packet("left").kind(), (3, 0));
}

/// RT5.
#[test]
fn only_first_fragments_are_told_about() {
    let mut lab = crossing();
    let whole = Packet::udp("10.1.0.2:1000", "198.51.100.7:53", &[1; 100]);
    for piece in whole.fragments(48) {
        lab.ip("left", &piece);
    }
    assert_eq!(lab.packets("left").len(), 1);
    assert_eq!(lab.drops(), [("left", DropReason::NoRoute, 3)]);
}

/// RT5.
#[test]
fn nobody_is_told_about_broadcast_or_multicast() {
    let mut lab = crossing();
    let in_broadcast = frame(Mac::BROADCAST, lab.mac("left")).ip(&across().ttl(1));
    lab.send("left", &in_broadcast);
    let in_multicast = frame(Mac([1, 0, 0x5e, 1, 2, 3]), lab.mac("left")).ip(&across().ttl(1));
    lab.send("left", &in_multicast);
    assert_eq!(lab.dropped("left", DropReason::BroadcastFrame), 2);
    lab.ip("left", &Packet::udp("10.1.0.2:1", "224.0.0.5:2", b"").ttl(1));
    lab.ip("left", &Packet::udp("10.1.0.2:1", "239.1.2.3:2", b"").ttl(8));
    assert_eq!(lab.dropped("left", DropReason::Multicast), 2);
    lab.ip("left", &Packet::udp("10.1.0.2:1", "255.255.255.255:2", b""));
    assert_eq!(lab.dropped("left", DropReason::BroadcastFrame), 3);
    assert!(lab.heard().is_empty());
}

/// RT9.
#[test]
fn directed_broadcasts_are_not_forwarded() {
    let mut lab = crossing();
    for to in ["10.2.0.255", "10.2.0.0", "10.1.0.255", "10.1.0.0"] {
        lab.ip("left", &Packet::ping("10.1.0.2", to, 1, 1));
    }
    assert_eq!(lab.drops(), [("left", DropReason::DirectedBroadcast, 4)]);
    assert!(lab.heard().is_empty());
}

/// RT5, RT9.
#[test]
fn martians_are_dropped_and_never_told() {
    let mut lab = crossing();
    for from in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"] {
        lab.ip("left", &Packet::udp(&*format!("{from}:1"), "198.51.100.7:2", b"").ttl(1));
    }
    for to in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "240.0.0.1", "255.255.255.254"] {
        lab.ip("left", &Packet::ping("10.1.0.2", to, 1, 1));
    }
    assert_eq!(lab.dropped("left", DropReason::MartianSource), 6);
    assert_eq!(lab.dropped("left", DropReason::MartianDestination), 5);
    assert!(lab.heard().is_empty());
}

/// RT9: RFC 3927 section 2.7, whatever routes say.
#[test]
fn link_local_packets_stay_on_their_link() {
    let mut lab = crossing();
    lab.route("0.0.0.0/0", "10.2.0.2");
    lab.route("169.254.0.0/16", "10.2.0.2");
    lab.ip("left", &Packet::udp("169.254.7.7:1", "10.2.0.2:2", b"").ttl(1));
    lab.ip("left", &Packet::udp("10.1.0.2:1", "169.254.7.7:2", b"").ttl(1));
    let expected =
        [("left", DropReason::MartianSource, 1), ("left", DropReason::MartianDestination, 1)];
    assert!(lab.drops().iter().all(|drop| expected.contains(drop)) && lab.drops().len() == 2);
    assert!(lab.heard().is_empty());
    // An answer to a link-local address that nobody has on a link of ours goes to no gateway.
    lab.ip("left", &Packet::ping("169.254.7.7", "10.1.0.1", 1, 1));
    assert!(lab.heard().is_empty());
}

/// RT9: what is not for the link only may speak to the router from there.
#[test]
fn a_router_with_a_link_local_address_answers_its_link() {
    let mut lab = crossing();
    lab.peer("bare", Port::routed("169.254.0.1/16"), "169.254.7.7");
    lab.clear();
    lab.ip("bare", &Packet::ping("169.254.7.7", "169.254.0.1", 1, 1));
    assert_eq!(lab.packet("bare"), Packet::pong("169.254.0.1", "169.254.7.7", 1, 1));
    lab.ip("bare", &Packet::udp("169.254.7.7:1", "10.2.0.2:2", b""));
    lab.ip("left", &Packet::udp("10.1.0.2:1", "169.254.7.7:2", b""));
    assert_eq!(lab.dropped("bare", DropReason::MartianSource), 1);
    assert_eq!(lab.dropped("left", DropReason::MartianDestination), 1);
}

/// RT9: blocks that the Internet does not route, and labs do.
#[test]
fn addresses_of_documentation_and_private_use_are_routed() {
    let mut lab = crossing();
    lab.route("0.0.0.0/0", "10.2.0.2");
    for address in [
        "192.0.2.7",
        "198.51.100.7",
        "203.0.113.7",
        "192.0.0.1",
        "192.88.99.1",
        "100.64.0.1",
        "198.18.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "1.0.0.1",
        "126.255.255.254",
        "169.253.0.1",
        "223.255.255.254",
    ] {
        let packet = Packet::udp("10.1.0.2:1", &*format!("{address}:2"), b"to");
        lab.ip("left", &packet);
        assert_eq!(lab.packet("right"), packet.ttl(63), "to {address}");
        let packet = Packet::udp(&*format!("{address}:1"), "10.2.0.2:2", b"from");
        lab.ip("left", &packet);
        assert_eq!(lab.packet("right"), packet.ttl(63), "from {address}");
    }
}

/// RT9.
#[test]
fn a_packet_from_one_of_our_own_addresses_is_a_martian() {
    let mut lab = crossing();
    lab.ip("left", &Packet::udp("10.1.0.1:1", "10.2.0.2:2", b"spoofed"));
    lab.ip("left", &Packet::udp("10.2.0.1:1", "10.2.0.2:2", b"spoofed"));
    assert_eq!(lab.dropped("left", DropReason::MartianSource), 2, "{:?}", lab.drops());
    assert!(lab.packets("right").is_empty());
}

/// RT10.
#[test]
fn source_routes_are_dropped_and_other_options_pass() {
    let mut lab = crossing();
    let route = |kind| [kind, 7, 4, 10, 2, 0, 9];
    lab.ip("left", &across().options(&route(131)));
    lab.ip("left", &across().options(&route(137)));
    lab.ip("left", &across().options(&[1, 1, 131, 3, 4]));
    assert_eq!(lab.drops(), [("left", DropReason::SourceRoute, 3)]);
    assert!(lab.heard().is_empty());
    for passing in [&[7, 7, 4, 0, 0, 0, 0][..], &[68, 4, 5, 0], &[148, 4, 0, 0], &[0, 131, 7, 4]] {
        let packet = across().options(passing);
        lab.ip("left", &packet);
        assert_eq!(lab.packet("right"), packet.ttl(63), "{passing:?}");
    }
}

/// RT6.
#[test]
fn errors_are_rate_limited_and_the_limiter_is_seen() {
    let mut lab = crossing();
    lab.change(Change::SetErrorRate { rate: 2, burst: 5 });
    lab.run_for(Duration::from_secs(10));
    for _ in 0..20 {
        lab.ip("left", &across().ttl(1));
    }
    assert_eq!(lab.packets("left").len(), 5);
    assert_eq!(lab.switch().totals().errors_suppressed, 15);
    lab.run_for(Duration::from_secs(1));
    for _ in 0..20 {
        lab.ip("left", &across().ttl(1));
    }
    assert_eq!(lab.packets("left").len(), 2);
    lab.change(Change::SetErrorRate { rate: 0, burst: 0 });
    lab.ip("left", &across().ttl(1));
    assert!(lab.heard().is_empty());
    assert_eq!(lab.dropped("left", DropReason::TtlExpired), 41);
}

#[test]
fn pings_are_answered_however_few_errors_are_allowed() {
    let mut lab = crossing();
    lab.change(Change::SetErrorRate { rate: 0, burst: 0 });
    lab.ip("left", &Packet::ping("10.1.0.2", "10.1.0.1", 1, 1));
    assert_eq!(lab.packet("left").kind(), (0, 0));
}
