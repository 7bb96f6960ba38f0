//! Frames too large for a tunnel (VX6): never in fragments, and an IPv4 sender that must know is
//! told (RFC 1191).

use lab::wire::frame;
use lab::{Lab, Packet, Port, Tunnel};
use packet::{DropReason, Mac};
use switch::Change;

use crate::common::{
    EXPERIMENT, FAR, far_hello, sent_to, stranger, super_frame, tunnelled, tunnelled_with,
};

const SENDER: &str = "192.168.0.2:1000";
const BEYOND: &str = "192.168.0.9:2000";

/// Station 1 is behind [`FAR`], the tunnel takes 1450 bytes.
fn lab() -> Lab {
    known(tunnelled())
}

fn known(mut lab: Lab) -> Lab {
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    lab.clear();
    lab.datagrams();
    lab
}

/// An UDP packet of `len` bytes of IP.
fn packet(len: usize) -> Packet {
    Packet::udp(SENDER, BEYOND, &vec![0x5a; len - 28]).id(7)
}

fn send(lab: &mut Lab, packet: &Packet) -> Vec<u8> {
    let bytes = frame(stranger(1), lab.mac("red")).ip(packet);
    lab.send("red", &bytes);
    bytes
}

/// VX6.
#[test]
fn a_frame_as_large_as_the_tunnel_takes_passes_whole() {
    let mut lab = lab();
    for packet in [packet(1450), packet(1450).df()] {
        let bytes = send(&mut lab, &packet);
        let datagrams = lab.datagrams();
        assert_eq!((datagrams.len(), &datagrams[0].inside().bytes), (1, &bytes));
    }
    assert!(lab.drops().is_empty());
}

/// VX6.
#[test]
fn the_sender_of_what_is_too_large_is_told_in_the_name_of_whom_it_was_for() {
    let mut lab = lab();
    let sent = packet(1451).df();
    send(&mut lab, &sent);
    assert_eq!(sent_to(&mut lab), [], "not even in fragments");
    assert_eq!(lab.drops(), [("red", DropReason::ExceedsTunnelMtu, 1)]);
    let seen = lab.take("red").remove(0);
    assert_eq!((seen.destination(), seen.source()), (lab.mac("red"), stranger(1)));
    let told = seen.packet().unwrap();
    assert_eq!((told.kind(), told.next_hop_mtu()), ((3, 4), 1450));
    assert_eq!((told.source, told.destination), (sent.destination, sent.source));
    assert!(told.checksum_holds(seen.offload));
    let quote = told.quote();
    assert_eq!((quote.from(), quote.to(), quote.identification), (sent.from(), sent.to(), 7));
    assert_eq!(lab.switch().totals().spoken, 1);
    assert_eq!(lab.location("br0", 0, stranger(1)), Some("vx0"), "nobody moved");
}

/// VX6.
#[test]
fn the_router_tells_the_sender_where_it_has_an_address() {
    let mut lab = tunnelled();
    lab.router("br0", "192.168.0.1/24");
    let mut lab = known(lab);
    send(&mut lab, &packet(1451).df());
    let seen = lab.take("red").remove(0);
    assert_eq!((seen.destination(), seen.source()), (lab.mac("red"), lab.router_mac("br0")));
    let told = seen.packet().unwrap();
    assert_eq!((told.kind(), told.next_hop_mtu()), ((3, 4), 1450));
    assert_eq!(told.source.to_string(), "192.168.0.1");
}

/// VX6: what the router says of it fits the segment, however narrow.
#[test]
fn who_is_told_on_a_narrow_segment_gets_a_shorter_quote() {
    for (mtu, quoted) in [(68, 40), (300, 272), (1500, 548)] {
        let mut lab = tunnelled();
        lab.router("br0", "192.168.0.1/24");
        lab.router_mtu("br0", mtu);
        let mut lab = known(lab);
        send(&mut lab, &packet(1451).df());
        let told = lab.take("red").remove(0).packet().unwrap();
        assert_eq!((told.kind(), told.next_hop_mtu()), ((3, 4), 1450));
        assert_eq!(told.bytes().len(), 28 + quoted);
    }
}

/// VX6.
#[test]
fn nobody_is_told_of_what_may_be_fragmented_or_must_not_be_answered() {
    let mut lab = lab();
    let about = Packet::udp(BEYOND, SENDER, &[0; 1500]);
    let query = Packet::ping("192.168.0.2", "192.168.0.9", 1, 1);
    let mut error = Packet::error("192.168.0.2", "192.168.0.9", (3, 3), 0, &about, 1400).df();
    error.payload.resize(1480, 0);
    let mut later = packet(1451).df();
    later.offset = 1480;
    let group = Packet { destination: [224, 0, 0, 1].into(), ..packet(1451).df() };
    let nobody = Packet { source: [0, 0, 0, 0].into(), ..packet(1451).df() };
    let silent =
        [packet(1451), packet(1500), error.summed(), later, group.summed(), nobody.summed()];
    for packet in &silent {
        send(&mut lab, packet);
        assert_eq!(lab.heard(), [""; 0], "{packet:?}");
    }
    for ethertype in [0x86dd, EXPERIMENT, 0x0806] {
        let bytes = frame(stranger(1), lab.mac("red")).payload(ethertype, &[0x60; 1451]);
        lab.send("red", &bytes);
        assert_eq!(lab.heard(), [""; 0], "{ethertype:x}");
    }
    assert_eq!(lab.drops(), [("red", DropReason::ExceedsTunnelMtu, 9)]);
    assert_eq!(sent_to(&mut lab), []);
    let mut query = query.df();
    query.payload.resize(1480, 0);
    send(&mut lab, &query.summed());
    assert_eq!(lab.packet("red").kind(), (3, 4), "a ping is a question, not an error");
}

/// VX6.
#[test]
fn telling_is_rate_limited() {
    let mut lab = lab();
    lab.change(Change::SetErrorRate { rate: 1, burst: 2 });
    for _ in 0..5 {
        send(&mut lab, &packet(1451).df());
    }
    assert_eq!(lab.packets("red").len(), 2);
    assert_eq!(lab.switch().totals().errors_suppressed, 3);
}

/// VX6: a copy for a tunnel that is too narrow ends alone; who may be behind it is not known, so
/// its sender is told.
#[test]
fn a_flooded_frame_that_is_too_large_goes_elsewhere_and_its_sender_is_told() {
    let mut lab = Lab::new(7);
    lab.predict();
    lab.bridge("br0");
    lab.station("red", Port::on("br0"));
    lab.station("blue", Port::on("br0"));
    lab.underlay("udp");
    for (name, vni, mtu) in [("vx0", 42, 1450), ("vx1", 43, 1500), ("vx2", 44, 1430)] {
        lab.tunnel(name, &Tunnel::on("br0", vni).to(FAR).mtu(mtu));
    }
    send(&mut lab, &packet(1451).df());
    assert_eq!(sent_to(&mut lab), [("vx1".into(), FAR.into())]);
    let refused = DropReason::ExceedsTunnelMtu;
    assert_eq!(lab.drops(), [("vx0", refused, 1), ("vx2", refused, 1)]);
    assert_eq!(lab.switch().totals().copies_dropped, 2);
    assert_eq!(lab.take("blue").len(), 1);
    let told = lab.packet("red");
    assert_eq!((told.kind(), told.next_hop_mtu()), ((3, 4), 1430), "once, and what fits all");
    // What may be fragmented, and what is for everybody, is not told.
    send(&mut lab, &packet(1451));
    let all = frame(Mac::BROADCAST, lab.mac("red")).ip(&packet(1451).df());
    lab.send("red", &all);
    assert_eq!(lab.heard(), ["blue", "blue"]);
}

/// VX6.
#[test]
fn a_flooded_frame_that_fits_no_tunnel_and_has_nowhere_else_to_go_is_told_back() {
    let mut lab = Lab::new(7);
    lab.predict();
    lab.bridge("br0");
    lab.station("red", Port::on("br0"));
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR).mtu(1450));
    send(&mut lab, &packet(1451).df());
    assert_eq!(lab.dropped("red", DropReason::NoEgress), 1);
    assert_eq!(lab.packet("red").next_hop_mtu(), 1450);
}

/// VX6.
#[test]
fn a_super_frame_is_as_large_as_its_segments() {
    for (size, passes) in [(1410, true), (1411, false)] {
        let mut lab = lab();
        let data = lab.rng().bytes(60_000);
        let packet = Packet::tcp(SENDER, BEYOND, 0x10, &data).df();
        let bytes = frame(stranger(1), lab.mac("red")).ip(&packet);
        lab.send_frame("red", super_frame(&bytes, size));
        let datagrams = lab.datagrams();
        assert_eq!(datagrams.len(), if passes { 43 } else { 0 });
        let mut got = Vec::new();
        for datagram in datagrams {
            let piece = datagram.inside().packet().unwrap();
            assert!(piece.bytes().len() <= 1450 && piece.checksum_holds(packet::Offload::Complete));
            got.extend_from_slice(piece.data());
        }
        let told = lab.packets("red");
        if passes {
            assert!(got == data && told.is_empty());
        } else {
            assert_eq!((told[0].kind(), told[0].next_hop_mtu()), ((3, 4), 1450));
            assert_eq!(told[0].quote().from(), packet.from());
        }
    }
}

/// VX6, VX7: a trunk's tag does not count against its MTU, and the answer has it.
#[test]
fn the_sender_in_a_vlan_is_told_in_that_vlan() {
    let mut lab = tunnelled_with(Tunnel::trunk);
    let hello = frame(Mac::BROADCAST, stranger(1)).tag(10).payload(EXPERIMENT, b"hello");
    lab.from_remote(FAR, &lab::tunnel::encapsulated(42, &hello));
    lab.clear();
    let begun = frame(stranger(1), lab.mac("red")).tag(10);
    lab.send("red", &begun.clone().ip(&packet(1450).df()));
    assert_eq!(lab.datagrams().len(), 1);
    lab.send("red", &begun.ip(&packet(1451).df()));
    let seen = lab.take("red").remove(0);
    assert_eq!((seen.vlan(), seen.packet().unwrap().kind()), (Some(10), (3, 4)));
    assert_eq!(lab.datagrams(), []);
}

/// VX6: an isolated port's sender is told as well; it hears of nobody but of itself.
#[test]
fn a_host_that_is_told_sends_what_fits() {
    let mut lab = Lab::new(7);
    lab.bridge("br0");
    lab.station("red", Port::on("br0").isolated());
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR).mtu(600));
    let mut lab = known(lab);
    send(&mut lab, &packet(1000).df());
    let told = lab.packet("red").next_hop_mtu();
    send(&mut lab, &packet(usize::from(told)).df());
    assert_eq!(lab.datagrams().len(), 1);
}
