//! What a kernel's VXLAN device on the same machine leaves to a network card that never comes (see
//! `packet::partial`), finished behind the tunnel.

use lab::tunnel::encapsulated;
use lab::wire::{ACK, SYN, frame};
use lab::{Lab, Packet, Port, Tunnel};
use packet::Offload;

use crate::common::{left_to_the_switch, stranger};

const FAR: &str = "192.0.2.2";

/// A bridge with a port that takes super-frames and one that does not, and a tunnel.
fn lab() -> Lab {
    let mut lab = Lab::new(3);
    lab.bridge("br0");
    lab.station("wide", Port::on("br0").offload());
    lab.station("plain", Port::on("br0"));
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR));
    lab.clear();
    lab
}

/// The frame of a packet to a port, with its checksum left open, as it stands in a datagram.
fn left_open(lab: &Lab, to: &str, packet: &Packet) -> Vec<u8> {
    let bytes = frame(lab.mac(to), stranger(9)).ip(packet);
    encapsulated(42, left_to_the_switch(&bytes).bytes())
}

#[test]
fn a_checksum_that_was_left_open_is_right_in_the_end() {
    let mut lab = lab();
    for packet in [
        Packet::tcp("10.1.0.9:80", "10.1.0.1:4000", SYN, b""),
        Packet::udp("10.1.0.9:53", "10.1.0.1:4000", b"hello"),
    ] {
        for to in ["wide", "plain"] {
            let datagram = left_open(&lab, to, &packet);
            lab.from_remote(FAR, &datagram);
            let seen = lab.take(to).pop().unwrap();
            let got = seen.packet().unwrap();
            assert!(got.checksum_holds(seen.offload), "{to}: {got:?}");
            assert_eq!(got.data(), packet.data());
        }
    }
}

#[test]
fn a_super_frame_out_of_a_tunnel_stays_whole_with_segments_that_fit_the_tunnel() {
    let mut lab = lab();
    let data = lab.rng().bytes(60_000);
    let packet = Packet::tcp("10.1.0.9:80", "10.1.0.1:4000", ACK, &data).df();
    let datagram = left_open(&lab, "wide", &packet);
    lab.from_remote(FAR, &datagram);
    let seen = lab.take("wide").pop().unwrap();
    let Offload::Segment { size, .. } = seen.offload else { panic!("{:?}", seen.offload) };
    assert_eq!(usize::from(size.get()) + 40, 1450);
    let got = seen.packet().unwrap();
    assert!(got.checksum_holds(seen.offload));
    assert_eq!(got.data(), data);
}
