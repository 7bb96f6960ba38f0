//! Super-frames and partial checksums through NAT: translated in one piece, with the right
//! pseudo-header sum.

use lab::wire::{ACK, SYN, frame};
use lab::{Lab, Packet, Port};
use packet::Offload;

use crate::common::{for_fragments, left_to_the_switch, super_frame};

/// A masqueraded home whose ends take super-frames.
fn wide() -> Lab {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.peer("red", Port::on("br0").offload(), "192.168.0.2");
    lab.peer("blue", Port::on("br0").offload(), "192.168.0.3");
    lab.peer("wan", Port::routed("203.0.113.1/24").offload(), "203.0.113.254");
    lab.route("0.0.0.0/0", "203.0.113.254");
    lab.masquerade("192.168.0.0/24", "wan");
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    lab.clear();
    lab
}

fn bytes(lab: &Lab, port: &str, packet: &Packet) -> Vec<u8> {
    let router = lab.router_mac(if port == "wan" { "wan" } else { "br0" });
    frame(router, lab.mac(port)).ip(packet)
}

/// The transport header but for its checksum, and the data.
fn content(packet: &Packet) -> Vec<u8> {
    let at = if packet.protocol == 6 { 16 } else { 6 };
    let mut payload = packet.payload.clone();
    payload[at..at + 2].fill(0);
    payload
}

#[test]
fn a_super_frame_is_masqueraded_in_one_piece_and_back() {
    let mut lab = wide();
    let data = lab.rng().bytes(60_000);
    let (inside, outside, server) = ("192.168.0.2:40000", "203.0.113.1:40000", "198.51.100.9:80");
    lab.ip("red", &Packet::tcp(inside, server, SYN, b""));
    lab.clear();
    for (from, to, sent, expected) in [
        ("red", "wan", (inside, server), (outside, server)),
        ("wan", "red", (server, outside), (server, inside)),
    ] {
        let whole =
            super_frame(&bytes(&lab, from, &Packet::tcp(sent.0, sent.1, ACK, &data).df()), 1448);
        lab.send_frame(from, whole.clone());
        let seen = lab.take(to).into_iter().find(|seen| seen.packet().is_some()).unwrap();
        assert_eq!(seen.offload, whole.offload(), "in one piece, as it came");
        let got = seen.packet().unwrap();
        assert!(got.checksum_holds(seen.offload), "the new pseudo-header's sum");
        assert_eq!(content(&got), content(&Packet::tcp(expected.0, expected.1, ACK, &data)));
    }
}

#[test]
fn a_partial_checksum_survives_a_change_of_address_and_port() {
    let mut lab = wide();
    let taken = Packet::udp("192.168.0.3:5000", "198.51.100.9:53", b"taken");
    let sent = Packet::udp("192.168.0.2:5000", "198.51.100.9:53", b"a port that changes");
    for (from, packet) in [("blue", taken), ("red", sent.clone())] {
        lab.send_frame(from, left_to_the_switch(&bytes(&lab, from, &packet)));
    }
    let seen = lab.take("wan").pop().unwrap();
    let got = seen.packet().unwrap();
    assert_ne!(got.from().port(), 5000);
    assert!(matches!(seen.offload, Offload::Checksum(_)));
    assert!(got.checksum_holds(seen.offload));
    assert_eq!(got.data(), sent.data());
}

#[test]
fn a_super_frame_enters_a_published_port_in_one_piece() {
    let mut lab = wide();
    let data = lab.rng().bytes(30_000);
    let client = "198.51.100.9:40000";
    lab.ip("wan", &Packet::tcp(client, "203.0.113.1:8080", SYN, b""));
    lab.clear();
    let sent = Packet::tcp(client, "203.0.113.1:8080", ACK, &data);
    lab.send_frame("wan", super_frame(&bytes(&lab, "wan", &sent), 1448));
    let seen = lab.take("red").remove(0);
    let got = seen.packet().unwrap();
    assert!(matches!(seen.offload, Offload::Segment { .. }));
    assert!(got.checksum_holds(seen.offload));
    assert_eq!(content(&got), content(&Packet::tcp(client, "192.168.0.2:80", ACK, &data)));
}

#[test]
fn a_super_frame_turns_back_through_a_hairpin_in_one_piece() {
    let mut lab = wide();
    let data = lab.rng().bytes(30_000);
    let own = "192.168.0.3:40000";
    lab.ip("blue", &Packet::tcp(own, "203.0.113.1:8080", SYN, b""));
    lab.clear();
    let sent = Packet::tcp(own, "203.0.113.1:8080", ACK, &data);
    lab.send_frame("blue", super_frame(&bytes(&lab, "blue", &sent), 1448));
    let seen = lab.take("red").remove(0);
    let got = seen.packet().unwrap();
    assert!(matches!(seen.offload, Offload::Segment { .. }));
    assert!(got.checksum_holds(seen.offload));
    assert_eq!(
        content(&got),
        content(&Packet::tcp("203.0.113.1:40000", "192.168.0.2:80", ACK, &data))
    );
}

#[test]
fn a_super_frame_of_datagrams_is_masqueraded_in_one_piece() {
    let mut lab = wide();
    let data = lab.rng().bytes(12_000);
    let sent = Packet::udp("192.168.0.2:5000", "198.51.100.9:443", &data).df();
    lab.send_frame("red", super_frame(&bytes(&lab, "red", &sent), 1200));
    let seen = lab.take("wan").into_iter().find(|seen| seen.packet().is_some()).unwrap();
    let got = seen.packet().unwrap();
    assert!(matches!(seen.offload, Offload::Segment { .. }));
    assert!(got.checksum_holds(seen.offload));
    assert_eq!(content(&got), content(&Packet::udp("203.0.113.1:5000", "198.51.100.9:443", &data)));
}

#[test]
fn a_datagram_in_place_of_its_fragments_is_masqueraded_and_cut_into_as_many() {
    let mut lab = wide();
    lab.peer("plain", Port::routed("203.0.114.1/24"), "203.0.114.2");
    lab.masquerade("192.168.0.0/24", "plain");
    lab.clear();
    let data = lab.rng().bytes(8000);
    for (to, port, own) in
        [("198.51.100.9:443", "wan", "203.0.113.1"), ("203.0.114.2:443", "plain", "203.0.114.1")]
    {
        let sent = Packet::udp("192.168.0.2:5000", to, &data).id(5);
        // The second finds the flow and its way known.
        for _ in 0..2 {
            lab.send_frame("red", for_fragments(&bytes(&lab, "red", &sent), 1480));
            let seen = lab.take(port).into_iter().filter(|seen| seen.packet().is_some());
            let seen: Vec<_> = seen.collect();
            let expected = Packet::udp(format!("{own}:5000").as_str(), to, &data).id(5).ttl(63);
            if port == "wan" {
                let got = seen[0].packet().unwrap();
                assert!(seen.len() == 1 && got.checksum_holds(seen[0].offload));
                assert_eq!(content(&got), content(&expected));
            } else {
                let got: Vec<Packet> = seen.iter().map(|seen| seen.packet().unwrap()).collect();
                assert_eq!(got, expected.fragments(1480));
            }
        }
    }
}

#[test]
fn segments_cut_behind_nat_have_right_checksums() {
    let mut lab = wide();
    lab.peer("plain", Port::routed("203.0.114.1/24"), "203.0.114.2");
    lab.masquerade("192.168.0.0/24", "plain");
    lab.clear();
    let data = lab.rng().bytes(20_000);
    let sent = Packet::tcp("192.168.0.2:40000", "203.0.114.2:80", ACK, &data);
    lab.send_frame("red", super_frame(&bytes(&lab, "red", &sent), 1448));
    let pieces = lab.packets("plain");
    assert_eq!(pieces.len(), 14);
    assert!(pieces.iter().all(|piece| piece.checksum_holds(Offload::Complete)));
    let came: Vec<u8> = pieces.iter().flat_map(|piece| piece.data().to_vec()).collect();
    assert_eq!(came, data);
}

/// NI10: what waits for a neighbour keeps its duty.
#[test]
fn a_super_frame_that_waits_for_its_neighbour_leaves_as_it_came() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.peer("red", Port::on("br0").offload(), "192.168.0.2");
    lab.station("wan", Port::routed("203.0.113.1/24").offload());
    lab.masquerade("192.168.0.0/24", "wan");
    lab.clear();
    let data = lab.rng().bytes(30_000);
    let sent = Packet::tcp("192.168.0.2:40000", "203.0.113.9:80", ACK, &data);
    let whole = super_frame(&bytes(&lab, "red", &sent), 1448);
    lab.send_frame("red", whole.clone());
    assert_eq!(lab.switch().totals().held, 1);
    let (wan, own) = (lab.mac("wan"), lab.router_mac("wan"));
    let answer = lab::wire::arp_reply(wan, "203.0.113.9", own, "203.0.113.1");
    lab.send("wan", &frame(own, wan).arp(&answer));
    let seen = lab.take("wan").pop().unwrap();
    assert_eq!(seen.offload, whole.offload());
    assert_eq!(seen.packet().unwrap().from().to_string(), "203.0.113.1:40000");
}
