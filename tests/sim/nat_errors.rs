//! ICMP errors through NAT, both ways, quote included (RFC 5508), and errors that the router itself
//! speaks.

use core::time::Duration;

use lab::{Lab, Packet};
use packet::DropReason;

use crate::common::masqueraded;

const INSIDE: &str = "192.168.0.2:5000";
const OUTSIDE: &str = "203.0.113.1:5000";
const REMOTE: &str = "198.51.100.9:53";

/// [`masqueraded`] with a datagram from red on its way to the remote, as sent and as seen outside.
fn asked() -> (Lab, Packet, Packet) {
    let mut lab = masqueraded();
    let sent = Packet::udp(INSIDE, REMOTE, b"a question of some length");
    lab.ip("red", &sent);
    let seen = lab.packet("wan");
    (lab, sent.ttl(63), seen)
}

/// NI4, NI9, NI10.
#[test]
fn an_error_from_outside_reaches_the_sender_quoting_what_it_sent() {
    let (mut lab, sent, seen) = asked();
    for (wire, rest) in
        [((3, 0), 0), ((3, 1), 0), ((3, 3), 0), ((3, 4), 1400), ((11, 0), 0), ((11, 1), 0)]
    {
        for quoted in [8, 33] {
            // A router on the way, not the remote itself.
            let error = Packet::error("192.0.2.77", "203.0.113.1", wire, rest, &seen, quoted);
            lab.ip("wan", &error);
            let expected = Packet::error("192.0.2.77", "192.168.0.2", wire, rest, &sent, quoted);
            assert_eq!(lab.packet("red"), expected.ttl(63), "{wire:?}");
        }
    }
    assert!(lab.drops().is_empty());
}

/// NI4.
#[test]
fn a_redirect_ends_at_the_translation() {
    let (mut lab, _, seen) = asked();
    let next = 0xcb00_71fd;
    for code in 0..4 {
        lab.ip("wan", &Packet::error("203.0.113.254", "203.0.113.1", (5, code), next, &seen, 8));
    }
    assert!(lab.packets("red").is_empty());
    assert_eq!(lab.drops(), [("wan", DropReason::NatBadError, 4)]);
}

/// NI4.
#[test]
fn an_error_about_a_ping_is_translated_by_identifier() {
    let mut lab = masqueraded();
    lab.ip("blue", &Packet::ping("192.168.0.3", "198.51.100.9", 7, 1));
    lab.clear();
    let sent = Packet::ping("192.168.0.2", "198.51.100.9", 7, 1);
    lab.ip("red", &sent);
    let seen = lab.packet("wan");
    assert_ne!(seen.from().port(), 7);
    lab.ip("wan", &Packet::error("192.0.2.77", "203.0.113.1", (11, 0), 0, &seen, 8));
    let expected = Packet::error("192.0.2.77", "192.168.0.2", (11, 0), 0, &sent.ttl(63), 8);
    assert_eq!(lab.packet("red"), expected.ttl(63));
}

/// NI5.
#[test]
fn an_error_from_inside_leaves_as_the_routers_quoting_what_the_outside_sent() {
    let (mut lab, _, _) = asked();
    let answer = Packet::udp(REMOTE, OUTSIDE, b"an answer that nobody waits for");
    lab.ip("wan", &answer);
    let came = lab.packet("red");
    for quoted in [8, came.payload.len()] {
        lab.ip("red", &Packet::error("192.168.0.2", "198.51.100.9", (3, 3), 0, &came, quoted));
        let expected = Packet::error(
            "203.0.113.1",
            "198.51.100.9",
            (3, 3),
            0,
            &answer.clone().ttl(63),
            quoted,
        );
        assert_eq!(lab.packet("wan"), expected.ttl(63));
    }
}

/// NI5.
#[test]
fn an_error_from_a_router_inside_does_not_show_its_address() {
    let (mut lab, _, _) = asked();
    lab.ip("wan", &Packet::udp(REMOTE, OUTSIDE, b"an answer"));
    let came = lab.packet("red");
    lab.ip("blue", &Packet::error("192.168.0.3", "198.51.100.9", (11, 0), 0, &came, 8));
    assert_eq!(lab.packet("wan").source.to_string(), "203.0.113.1");
}

/// NI3.
#[test]
fn errors_that_are_broken_or_about_nothing_are_dropped() {
    let (mut lab, _, seen) = asked();
    let error = |cause: &Packet| Packet::error("192.0.2.77", "203.0.113.1", (3, 1), 0, cause, 8);
    let mut broken = error(&seen);
    broken.payload[2] ^= 0x55;
    lab.ip("wan", &broken);
    let mut quote_broken = error(&seen);
    quote_broken.payload[8 + 10] ^= 0x55;
    lab.ip("wan", &quote_broken.summed());
    assert_eq!(lab.drops(), [("wan", DropReason::NatBadError, 2)]);
    lab.ip("wan", &error(&Packet::udp("203.0.113.1:5001", REMOTE, b"never sent")));
    lab.ip("wan", &error(&Packet::udp("203.0.113.1:5000", "198.51.100.9:54", b"never sent")));
    let mut cut = error(&seen);
    cut.payload.truncate(8 + 20 + 7);
    lab.ip("wan", &cut.summed());
    assert!(lab.packets("red").is_empty());
    assert_eq!(lab.switch().totals().dropped, 5);
}

/// NI3.
#[test]
fn the_quoted_transport_checksum_is_not_looked_at_and_stays_as_wrong_as_it_was() {
    let (mut lab, sent, mut seen) = asked();
    seen.payload[6] ^= 0x55;
    let quoted = seen.payload.len();
    lab.ip("wan", &Packet::error("192.0.2.77", "203.0.113.1", (3, 1), 0, &seen, quoted));
    let got = lab.packet("red");
    assert_eq!(got.quote().from(), sent.from());
    assert!(got.checksum_holds(packet::Offload::Complete));
}

/// NI3.
#[test]
fn a_quote_with_options_is_understood() {
    let mut lab = masqueraded();
    let sent = Packet::udp(INSIDE, REMOTE, b"with options").options(&[7, 7, 4, 0, 0, 0, 0]);
    lab.ip("red", &sent);
    let seen = lab.packet("wan");
    lab.ip("wan", &Packet::error("192.0.2.77", "203.0.113.1", (3, 1), 0, &seen, 8));
    let got = lab.packet("red").quote();
    assert_eq!((got.from(), got.options), (sent.from(), sent.options));
}

/// NI6, NU7, NU12, NT6.
#[test]
fn an_error_neither_ends_nor_prolongs_a_flow() {
    let (mut lab, _, seen) = asked();
    lab.run_for(Duration::from_secs(100));
    let left = lab.flows()[0].expires_in;
    lab.ip("wan", &Packet::error("192.0.2.77", "203.0.113.1", (3, 1), 0, &seen, 8));
    assert_eq!(lab.flows().len(), 1);
    assert_eq!(lab.flows()[0].expires_in, left);
}

/// NI7.
#[test]
fn an_error_about_a_hairpinned_packet_finds_its_sender() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:53/udp", "192.168.0.2:53");
    let sent = Packet::udp("192.168.0.3:5000", "203.0.113.1:53", b"is anybody there?");
    lab.ip("blue", &sent);
    let came = lab.packet("red");
    lab.ip("red", &Packet::error("192.168.0.2", "203.0.113.1", (3, 3), 0, &came, 8));
    let told = lab.packet("blue");
    assert_eq!((told.kind(), told.source.to_string()), ((3, 3), "203.0.113.1".into()));
    assert_eq!((told.quote().from(), told.quote().to()), (sent.from(), sent.to()));
}

/// RT3, AR6.
#[test]
fn a_next_hop_that_is_silent_is_told_to_the_inside_sender() {
    let mut lab = masqueraded();
    let sent = Packet::udp("192.168.0.2:5000", "203.0.113.77:53", b"?");
    lab.ip("red", &sent);
    lab.run_for(Duration::from_secs(5));
    let told = lab.packet("red");
    assert_eq!(told.kind(), (3, 1));
    assert_eq!(told.source.to_string(), "192.168.0.1", "the router as the inside knows it");
    assert_eq!((told.quote().from(), told.quote().to()), (sent.from(), sent.to()));
    assert_eq!(lab.drops(), [("red", DropReason::NoNeighbor, 1)]);
    lab.ip("red", &sent);
    lab.run_for(Duration::from_secs(5));
    assert_eq!(lab.packet("red").quote().from(), sent.from(), "and again");
}

/// RT2, RT3.
#[test]
fn the_routers_own_errors_about_outbound_packets_quote_the_inside() {
    let mut lab = masqueraded();
    let sent = Packet::udp(INSIDE, REMOTE, b"?").ttl(1);
    lab.ip("red", &sent);
    assert_eq!(lab.packet("red").quote(), sent);
    lab.router_mtu("wan", 576);
    let sent = Packet::udp(INSIDE, REMOTE, &[0; 1000]).df();
    lab.ip("red", &sent);
    let told = lab.packet("red");
    assert_eq!((told.kind(), told.next_hop_mtu()), ((3, 4), 576));
    assert_eq!(told.quote().from(), sent.from());
    assert!(lab.flows().is_empty(), "a packet that did not survive began nothing");
}

/// NU13.
#[test]
fn a_masqueraded_packet_that_may_be_cut_leaves_in_fragments() {
    let mut lab = masqueraded();
    lab.router_mtu("wan", 576);
    lab.clear();
    lab.ip("red", &Packet::udp(INSIDE, REMOTE, &[9; 1400]).id(3));
    let pieces = lab.packets("wan");
    assert_eq!(pieces.len(), 3);
    assert!(pieces.iter().all(|piece| piece.source.to_string() == "203.0.113.1"));
}
