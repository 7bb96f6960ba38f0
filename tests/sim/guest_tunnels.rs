//! Tunnels that guests run themselves (a VXLAN, GRE or IPIP device of their kernel): what their
//! kernel leaves open is a checksum or a cut of the packet *inside*, and arrives done wherever it
//! goes.

use core::num::NonZeroU16;

use lab::wire::inside::is_right;
use lab::wire::{ACK, Seen, frame, pseudo};
use lab::{Lab, Packet, Port, Tunnel};
use packet::{DropReason, Frame, Mac, Offload, SegmentKind, Span};

const INNER: (&str, &str) = ("10.77.0.1:40000", "10.77.0.2:5001");

/// What carries the inner packet.
#[derive(Copy, Clone, Debug, PartialEq)]
enum Carrier {
    Vxlan,
    SummedVxlan,
    Gre,
    Ipip,
}

const CARRIERS: [Carrier; 4] = [Carrier::Vxlan, Carrier::SummedVxlan, Carrier::Gre, Carrier::Ipip];

impl Carrier {
    /// The packet that carries `inner`, and how far inside that starts.
    fn around(self, from: &str, to: &str, inner: &[u8]) -> (Packet, usize) {
        let ends = (from, to);
        match self {
            Self::Vxlan | Self::SummedVxlan => {
                let head = [8, 0, 0, 0, 0, 0, 7, 0];
                let stations = [&[2, 0, 0, 0, 7, 2, 2, 0, 0, 0, 7, 1, 8, 0][..], inner].concat();
                let (from, to) = (format!("{from}:50000"), format!("{to}:4789"));
                let packet = Packet::udp(&*from, &*to, &[&head, &stations[..]].concat());
                (if self == Self::Vxlan { packet.unsummed() } else { packet }, 20 + 8 + 8 + 14)
            }
            Self::Gre => (Packet::new(47, ends.0, ends.1, [&[0, 0, 8, 0], inner].concat()), 20 + 4),
            Self::Ipip => (Packet::new(4, ends.0, ends.1, inner.to_vec()), 20),
        }
    }
}

/// A packet of a guest's tunnel on its way to `gateway`, with a segment of `data` inside: as it is
/// right, and as the guest's kernel hands it over, to be cut into segments of `size` where that is
/// said.
fn handed_over(
    carrier: Carrier,
    (from, to): (&str, &str),
    (gateway, own): (Mac, Mac),
    data: &[u8],
    size: Option<u16>,
    shape: impl Fn(Packet) -> Packet,
) -> (Packet, Frame) {
    let inner = Packet::tcp(INNER.0, INNER.1, ACK, data);
    let (whole, inside) = carrier.around(from, to, &inner.bytes());
    let whole = shape(whole);
    let mut handed = Frame::copied_from(&frame(gateway, own).ip(&whole));
    let span = Span { start: (14 + inside + 20) as u16, offset: 16 };
    let partial = pseudo(inner.source, inner.destination, 6, inner.payload.len()).to_be_bytes();
    handed.bytes_mut()[span.field()..span.field() + 2].copy_from_slice(&partial);
    handed.set_offload(match size.and_then(NonZeroU16::new) {
        None => Offload::Checksum(span),
        Some(size) => Offload::Segment { kind: SegmentKind::Tcp4 { ecn: false }, size, span },
    });
    if size.is_some() && carrier == Carrier::SummedVxlan {
        // Linux leaves the pseudo-header's sum in the outer one as well.
        let outer = pseudo(whole.source, whole.destination, 17, whole.payload.len());
        handed.bytes_mut()[40..42].copy_from_slice(&outer.to_be_bytes());
    }
    (whole, handed)
}

/// The data of segments that came, of which nothing is owed and every checksum is right.
fn data_of(seen: &[Seen], carrier: Carrier) -> Vec<u8> {
    let inside = 14 + carrier.around("10.0.0.1", "10.0.0.2", &[]).1 + 20;
    let mut data = Vec::new();
    for seen in seen {
        assert_eq!(seen.offload, Offload::Complete, "{carrier:?}");
        assert_eq!(is_right(&seen.bytes, inside), Some(true), "{carrier:?}");
        data.extend(&seen.bytes[inside + 20..]);
    }
    data
}

/// A home whose guests have offloads: `br0` with red and blue, `wan` towards everywhere.
fn home(masqueraded: bool, wan: impl Fn(Port) -> Port) -> Lab {
    let mut lab = Lab::new(1);
    lab.predict();
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.peer("red", Port::on("br0").offload(), "192.168.0.2");
    lab.peer("wan", wan(Port::routed("203.0.113.1/24")), "203.0.113.254");
    lab.route("0.0.0.0/0", "203.0.113.254");
    if masqueraded {
        lab.masquerade("192.168.0.0/24", "wan");
    }
    lab.clear();
    lab
}

const REMOTE: &str = "198.51.100.9";

fn guest(lab: &Lab) -> (Mac, Mac) {
    (lab.router_mac("br0"), lab.mac("red"))
}

/// OF2.
#[test]
fn a_checksum_inside_arrives_complete_through_router_and_nat() {
    for carrier in CARRIERS {
        for masqueraded in [false, true] {
            for wide in [false, true] {
                let mut lab = home(masqueraded, |port| if wide { port.offload() } else { port });
                let (right, handed) = handed_over(
                    carrier,
                    ("192.168.0.2", REMOTE),
                    guest(&lab),
                    b"some data",
                    None,
                    |packet| packet,
                );
                lab.send_frame("red", handed);
                let seen = lab.take("wan");
                assert_eq!(data_of(&seen, carrier), b"some data");
                let got = seen[0].packet().unwrap();
                let source = if masqueraded { "203.0.113.1" } else { "192.168.0.2" };
                assert_eq!(got.source.to_string(), source);
                assert!(got.checksum_holds(Offload::Complete), "{carrier:?}");
                let unsummed =
                    |packet: &Packet| packet.protocol == 17 && packet.payload[6..8] == [0; 2];
                assert_eq!(unsummed(&got), unsummed(&right), "none stays none");
            }
        }
    }
}

/// OF2.
#[test]
fn a_super_frame_inside_is_cut_right_behind_router_and_nat() {
    for carrier in CARRIERS {
        for masqueraded in [false, true] {
            for wide in [false, true] {
                let mut lab = home(masqueraded, |port| if wide { port.offload() } else { port });
                let data = lab.rng().bytes(20_000);
                let ends = ("192.168.0.2", REMOTE);
                let df = |packet: Packet| packet.df();
                let (_, handed) = handed_over(carrier, ends, guest(&lab), &data, Some(1350), df);
                lab.send_frame("red", handed);
                let seen = lab.take("wan");
                assert_eq!(seen.len(), 15);
                assert!(seen.iter().all(|seen| seen.bytes.len() <= 1514));
                assert_eq!(data_of(&seen, carrier), data);
                let ids: Vec<u16> =
                    seen.iter().map(|seen| seen.packet().unwrap().identification).collect();
                assert_eq!(ids, (0..15).collect::<Vec<u16>>(), "each has its own");
            }
        }
    }
}

/// OF2.
#[test]
fn what_comes_back_through_nat_is_right_as_well() {
    for carrier in [Carrier::SummedVxlan, Carrier::Vxlan] {
        let mut lab = home(true, Port::offload);
        let first = Packet::udp("192.168.0.2:4789", "198.51.100.9:50000", b"hello");
        lab.ip("red", &first);
        lab.clear();
        let data = lab.rng().bytes(9000);
        let ends = (REMOTE, "203.0.113.1");
        let way = (lab.router_mac("wan"), lab.mac("wan"));
        for size in [Some(1350), None] {
            let data = if size.is_some() { &data[..] } else { &data[..1000] };
            let (_, handed) = handed_over(carrier, ends, way, data, size, |packet| packet);
            lab.send_frame("wan", handed);
            let seen = lab.take("red");
            assert_eq!(data_of(&seen, carrier), data);
            assert_eq!(seen[0].packet().unwrap().to().to_string(), "192.168.0.2:4789");
        }
    }
}

/// A segment of three ports of each kind, and a tunnel.
fn crowd() -> Lab {
    let mut lab = Lab::new(3);
    lab.predict();
    lab.bridge("br0");
    lab.station("red", Port::on("br0").offload());
    lab.station("wide", Port::on("br0").offload());
    lab.station("plain", Port::on("br0"));
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to("192.0.2.2"));
    lab
}

/// OF2.
#[test]
fn every_kind_of_port_gets_it_done_whether_flooded_or_forwarded() {
    for carrier in CARRIERS {
        for (size, len) in [(None, 900), (Some(1200), 20_000)] {
            let mut lab = crowd();
            let data = lab.rng().bytes(len);
            let (own, ends) = (lab.mac("red"), ("192.168.0.2", "192.168.0.3"));
            let to = |to| handed_over(carrier, ends, (to, own), &data, size, |packet| packet).1;
            lab.send_frame("red", to(Mac([2, 9, 9, 9, 9, 9])));
            for port in ["wide", "plain"] {
                assert_eq!(data_of(&lab.take(port), carrier), data, "{port}");
            }
            assert_eq!(data_of(&tunnelled(&mut lab), carrier), data);
            for port in ["wide", "plain"] {
                crate::common::speak(&mut lab, port, "red");
                lab.clear();
                let mac = lab.mac(port);
                lab.send_frame("red", to(mac));
                assert_eq!(data_of(&lab.take(port), carrier), data, "{port}");
            }
        }
    }
}

/// The frames in the datagrams that left.
fn tunnelled(lab: &mut Lab) -> Vec<Seen> {
    let at = packet::Instant::ZERO;
    let datagrams = lab.datagrams().into_iter();
    let frames = datagrams.map(|datagram| Seen {
        at,
        bytes: datagram.payload[8..].to_vec(),
        offload: Offload::Complete,
    });
    frames.collect()
}

/// OF2.
#[test]
fn too_large_a_tunnel_packet_is_cut_first_and_then_fragmented() {
    for carrier in CARRIERS {
        let mut lab = home(false, |port| port.mtu(800));
        let data = lab.rng().bytes(5000);
        for size in [Some(1000), None] {
            let data = if size.is_some() { &data[..] } else { &data[..1000] };
            let ends = ("192.168.0.2", REMOTE);
            let (right, handed) =
                handed_over(carrier, ends, guest(&lab), data, size, |packet| packet.id(7));
            lab.send_frame("red", handed);
            let pieces = lab.packets("wan");
            assert_eq!(pieces.len(), 2 * data.len() / 1000);
            let mut whole = Vec::new();
            for pair in pieces.chunks(2) {
                assert!(pair[0].more_fragments && !pair[1].more_fragments);
                assert_eq!(pair[0].identification, pair[1].identification);
                let payload = [&pair[0].payload[..], &pair[1].payload].concat();
                let packet = Packet { payload, more_fragments: false, ..pair[0].clone() };
                let bytes = frame(Mac::ZERO, Mac::ZERO).ip(&packet);
                whole.push(Seen { at: packet::Instant::ZERO, bytes, offload: Offload::Complete });
            }
            assert_eq!(data_of(&whole, carrier), data, "{right:?}");
        }
    }
}

/// RT4: an error quotes the packet as it would have stood on a wire.
#[test]
fn an_error_quotes_the_completed_packet() {
    for (to, ttl, kind) in [("192.168.0.1", 64, (3, 3)), (REMOTE, 1, (11, 0))] {
        let mut lab = home(false, |port| port);
        let shape = |packet: Packet| packet.ttl(ttl);
        let ends = ("192.168.0.2", to);
        let (right, handed) =
            handed_over(Carrier::SummedVxlan, ends, guest(&lab), b"data", None, shape);
        lab.send_frame("red", handed);
        let error = lab.packet("red");
        assert_eq!(error.kind(), kind);
        assert_eq!(error.quote(), right);
    }
}

#[test]
fn a_tunnel_packet_that_must_not_be_cut_is_told_back() {
    let mut lab = home(false, |port| port.mtu(800));
    let ends = ("192.168.0.2", REMOTE);
    let (_, handed) =
        handed_over(Carrier::Gre, ends, guest(&lab), &[1; 5000], Some(1000), Packet::df);
    lab.send_frame("red", handed);
    let error = lab.packet("red");
    assert_eq!((error.kind(), error.next_hop_mtu()), ((3, 4), 800));
}

/// OF3.
#[test]
fn a_span_that_is_no_inner_header_is_refused() {
    for carrier in CARRIERS {
        for size in [None, Some(300)] {
            let mut lab = home(true, |port| port);
            let ends = ("192.168.0.2", REMOTE);
            let (_, handed) =
                handed_over(carrier, ends, guest(&lab), &[1; 2000], size, |packet| packet);
            for by in [2, 20, -20] {
                let mut wrong = handed.clone();
                wrong.set_offload(handed.offload().shifted(by));
                lab.send_frame("red", wrong);
            }
            assert_eq!(lab.dropped("red", DropReason::BadOffload), 3, "{carrier:?}");
            assert!(lab.take("wan").is_empty());
        }
    }
}
