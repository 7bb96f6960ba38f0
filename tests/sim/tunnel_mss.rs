//! The MSS of connections through a tunnel that asks for it is what fits, whoever opens them and
//! however.

use lab::tunnel::encapsulated;
use lab::wire::{ACK, SYN, SYN_ACK, frame};
use lab::{Lab, Packet, Port, Tunnel};
use packet::Mac;

use crate::common::{FAR, FARTHER, far_hello, hello, stranger, tunnelled_with};

/// A segment that announces an MSS, behind a no-operation option or not.
fn announcing(flags: u8, mss: u16, odd: bool) -> Packet {
    let [high, low] = mss.to_be_bytes();
    let options = if odd {
        [1, 2, 4, high, low, 1, 1, 0].to_vec()
    } else {
        [2, 4, high, low, 1, 1, 1, 0].to_vec()
    };
    let mut packet = Packet::tcp("192.168.0.2:1000", "192.168.0.9:80", flags, &options);
    packet.payload[12] = 0x70;
    packet.summed()
}

/// The MSS that a segment announces, and whether its checksum holds.
fn announced(packet: &Packet) -> (u16, bool) {
    let at = if packet.payload[20] == 1 { 23 } else { 22 };
    let mss = u16::from_be_bytes([packet.payload[at], packet.payload[at + 1]]);
    (mss, packet.checksum_holds(packet::Offload::Complete))
}

fn lab(shape: impl Fn(Tunnel) -> Tunnel) -> Lab {
    let mut lab = tunnelled_with(|tunnel| shape(tunnel).mtu(1450));
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    lab.send("red", &hello(Mac::BROADCAST, lab.mac("red")));
    lab.clear();
    lab.datagrams();
    lab
}

/// What comes of a packet on its way out, and of the same on its way in.
fn both_ways(lab: &mut Lab, packet: &Packet) -> [Packet; 2] {
    lab.send("red", &frame(stranger(1), lab.mac("red")).ip(packet));
    let out = lab.datagrams().remove(0).inside().packet().unwrap();
    lab.from_remote(FAR, &encapsulated(42, &frame(lab.mac("red"), stranger(1)).ip(packet)));
    [out, lab.packet("red")]
}

#[test]
fn an_mss_is_lowered_to_what_fits_both_ways() {
    let mut lab = lab(Tunnel::clamping_mss);
    for (flags, odd) in [(SYN, false), (SYN, true), (SYN_ACK, false), (SYN_ACK, true)] {
        for (mss, expected) in [(1460, 1410), (1411, 1410), (1410, 1410), (536, 536)] {
            for packet in both_ways(&mut lab, &announcing(flags, mss, odd)) {
                assert_eq!(announced(&packet), (expected, true), "{packet:?}");
            }
        }
    }
}

#[test]
fn an_mss_is_left_alone_without_being_asked_and_after_the_beginning() {
    let asked = announcing(ACK, 1460, false);
    assert_eq!(both_ways(&mut lab(Tunnel::clamping_mss), &asked), [asked.clone(), asked]);
    let syn = announcing(SYN, 1460, false);
    assert_eq!(both_ways(&mut lab(|tunnel| tunnel), &syn), [syn.clone(), syn]);
}

/// VX6: nobody knows yet where the server is.
#[test]
fn a_flooded_mss_is_lowered_for_each_tunnel_that_asks_and_for_nobody_else() {
    let mut lab = Lab::new(7);
    lab.predict();
    lab.bridge("br0");
    lab.station("red", Port::on("br0"));
    lab.station("blue", Port::on("br0"));
    lab.underlay("udp");
    let tunnel = |vni, mtu| Tunnel::on("br0", vni).to(FAR).to(FARTHER).mtu(mtu);
    lab.tunnel("narrow", &tunnel(42, 1450).clamping_mss());
    lab.tunnel("narrower", &tunnel(43, 1400).clamping_mss());
    lab.tunnel("silent", &tunnel(44, 1400));
    for odd in [false, true] {
        let syn = announcing(SYN, 1460, odd);
        for to in [stranger(1), Mac::BROADCAST] {
            lab.send("red", &frame(to, lab.mac("red")).ip(&syn));
            assert_eq!(announced(&lab.packet("blue")), (1460, true));
            let mut out: Vec<_> = lab
                .datagrams()
                .into_iter()
                .map(|datagram| (announced(&datagram.inside().packet().unwrap()), datagram.tunnel))
                .collect();
            out.sort();
            let expected = [(1360, "narrower"), (1410, "narrow"), (1460, "silent")];
            let expected = expected.map(|(mss, name)| vec![((mss, true), name.to_owned()); 2]);
            assert_eq!(out, expected.concat());
        }
    }
    // Where there is nobody but the tunnel.
    let mut lab = lab_of_one();
    lab.send("red", &frame(stranger(1), lab.mac("red")).ip(&announcing(SYN, 1460, false)));
    let out = lab.datagrams().remove(0).inside().packet().unwrap();
    assert_eq!(announced(&out), (1410, true));
    assert!(lab.drops().is_empty());
}

fn lab_of_one() -> Lab {
    let mut lab = Lab::new(7);
    lab.predict();
    lab.bridge("br0");
    lab.station("red", Port::on("br0"));
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR).mtu(1450).clamping_mss());
    lab
}

#[test]
fn an_mss_over_ipv6_is_20_bytes_less() {
    let mut lab = lab(Tunnel::clamping_mss);
    let (red, far) = ([0xfd; 16], [0xfc; 16]);
    let mut tcp = announcing(SYN, 1460, false).payload;
    tcp[16..18].fill(0);
    let pseudo = [&red[..], &far, &[0, 0, 0, tcp.len() as u8, 0, 0, 0, 6]].concat();
    let sum = !lab::wire::sum(&[&pseudo[..], &tcp].concat());
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    let head = [0x60, 0, 0, 0, 0, tcp.len() as u8, 6, 64];
    let packet = [&head[..], &red, &far, &tcp].concat();
    lab.send("red", &frame(stranger(1), lab.mac("red")).payload(0x86dd, &packet));
    let out = lab.datagrams().remove(0).inside();
    let tcp = &out.payload()[40..];
    assert_eq!(u16::from_be_bytes([tcp[22], tcp[23]]), 1450 - 60);
    assert_eq!(lab::wire::sum(&[&pseudo[..], tcp].concat()), 0xffff, "the checksum holds");
}

#[test]
fn a_routed_connection_through_a_tunnel_fits_it_too() {
    let mut lab = tunnelled_with(Tunnel::clamping_mss);
    lab.router("br0", "10.9.0.1/24");
    lab.peer("left", Port::routed("192.168.0.1/24"), "192.168.0.2");
    let far = stranger(1);
    let announcement = lab::wire::announcement(far, "10.9.0.9");
    lab.from_remote(FAR, &encapsulated(42, &frame(Mac::BROADCAST, far).arp(&announcement)));
    let pin =
        switch::Change::PinNeighbor(lab.interface_id("br0"), "10.9.0.9".parse().unwrap(), far);
    lab.change(pin);
    lab.clear();
    lab.datagrams();
    let mut syn = announcing(SYN, 1460, false);
    syn.destination = "10.9.0.9".parse().unwrap();
    lab.ip("left", &syn.summed());
    let out = lab.datagrams().remove(0).inside().packet().unwrap();
    assert_eq!((announced(&out), out.ttl), ((1410, true), 63));
}
