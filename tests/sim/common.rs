//! Labs that several tests begin with, and small words they share.

use core::num::NonZeroU16;

use lab::tunnel::encapsulated;
use lab::wire::{frame, pseudo};
use lab::{Lab, Packet, Port, Tunnel};
use packet::{Frame, Mac, Offload, SegmentKind, Span};
use switch::Explanation;
use switch::trace::{Note, Step};

/// An EtherType for local experiments (IEEE 802, clause 9.2.3): nobody looks inside.
pub(crate) const EXPERIMENT: u16 = 0x88b5;

/// Stations a, b and c on one bridge, no router.
pub(crate) fn segment(seed: u64) -> Lab {
    let mut lab = Lab::new(seed);
    lab.bridge("br0");
    for name in ["a", "b", "c"] {
        lab.station(name, Port::on("br0"));
    }
    lab
}

/// A station that is not at the end of any cable of its own.
pub(crate) const fn stranger(number: u8) -> Mac {
    Mac([2, 0xaa, 0, 0, 0, number])
}

/// A frame of an experiment, from one station to another.
pub(crate) fn hello(to: Mac, from: Mac) -> Vec<u8> {
    frame(to, from).payload(EXPERIMENT, b"hello, whoever is there")
}

/// Lets a port's station speak to another port's.
pub(crate) fn speak(lab: &mut Lab, from: &str, to: &str) {
    let bytes = hello(lab.mac(to), lab.mac(from));
    lab.send(from, &bytes);
}

/// Lets a port's station speak to everybody.
pub(crate) fn shout(lab: &mut Lab, from: &str) {
    let bytes = hello(Mac::BROADCAST, lab.mac(from));
    lab.send(from, &bytes);
}

/// The same TCP or UDP frame with its checksum left to the switch, as virtio leaves it.
pub(crate) fn left_to_the_switch(bytes: &[u8]) -> Frame {
    let packet = Packet::parse(&bytes[14..]).expect("a whole packet");
    let offset = if packet.protocol == 6 { 16 } else { 6 };
    let start = 34 + packet.options.len() as u16;
    let sum = pseudo(packet.source, packet.destination, packet.protocol, packet.payload.len());
    let mut frame = Frame::copied_from(bytes);
    let field = usize::from(start + offset);
    frame.bytes_mut()[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    frame.set_offload(Offload::Checksum(Span { start, offset }));
    frame
}

/// The same as a super-frame to be cut into segments of `size` payload bytes.
pub(crate) fn super_frame(bytes: &[u8], size: u16) -> Frame {
    let mut frame = left_to_the_switch(bytes);
    let span = frame.offload().span().expect("a partial checksum");
    let kind = if span.offset == 16 { SegmentKind::Tcp4 { ecn: false } } else { SegmentKind::Udp };
    let size = NonZeroU16::new(size).expect("not zero");
    frame.set_offload(Offload::Segment { kind, size, span });
    frame
}

/// The same UDP datagram as one in place of fragments of `size` bytes of IP payload.
pub(crate) fn for_fragments(bytes: &[u8], size: u16) -> Frame {
    let mut frame = left_to_the_switch(bytes);
    let span = frame.offload().span().expect("a partial checksum");
    let size = NonZeroU16::new(size).expect("not zero");
    frame.set_offload(Offload::Segment { kind: SegmentKind::Fragments, size, span });
    frame
}

/// A router between two routed ports, `left` (10.1.0.0/24) and `right` (10.2.0.0/24), with a peer
/// at .2 of each.
pub(crate) fn crossing() -> Lab {
    let mut lab = Lab::new(1);
    lab.peer("left", Port::routed("10.1.0.1/24"), "10.1.0.2");
    lab.peer("right", Port::routed("10.2.0.1/24"), "10.2.0.2");
    lab.clear();
    lab
}

/// A home: 192.168.0.1/24 on `br0` with peers red (.2) and blue (.3), and `wan`, a routed port
/// 203.0.113.1/24 whose peer (.254) is the way to everywhere.
pub(crate) fn home() -> Lab {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.peer("red", Port::on("br0"), "192.168.0.2");
    lab.peer("blue", Port::on("br0"), "192.168.0.3");
    lab.peer("wan", Port::routed("203.0.113.1/24"), "203.0.113.254");
    lab.route("0.0.0.0/0", "203.0.113.254");
    lab.clear();
    lab
}

/// [`home`], masqueraded.
pub(crate) fn masqueraded() -> Lab {
    let mut lab = home();
    lab.masquerade("192.168.0.0/24", "wan");
    lab
}

/// Far ends of [`tunnelled`].
pub(crate) const FAR: &str = "192.0.2.2";
pub(crate) const FARTHER: &str = "192.0.2.3";

/// Stations red and blue on `br0`, and over the underlay "udp" a tunnel "vx0" of VNI 42, shaped by
/// `shape`, to [`FAR`] and [`FARTHER`].
pub(crate) fn tunnelled_with(shape: impl Fn(Tunnel) -> Tunnel) -> Lab {
    let mut lab = Lab::new(7);
    lab.bridge("br0");
    lab.station("red", Port::on("br0"));
    lab.station("blue", Port::on("br0"));
    lab.underlay("udp");
    lab.tunnel("vx0", &shape(Tunnel::on("br0", 42).to(FAR).to(FARTHER)));
    lab
}

/// [`tunnelled_with`] nothing special.
pub(crate) fn tunnelled() -> Lab {
    tunnelled_with(|tunnel| tunnel)
}

/// Takes what left through tunnels, and gives the tunnel and far end of each datagram.
pub(crate) fn sent_to(lab: &mut Lab) -> Vec<(String, String)> {
    let datagrams = lab.datagrams().into_iter();
    datagrams.map(|datagram| (datagram.tunnel, datagram.remote.to_string())).collect()
}

/// Lets a far end's station say hello to another, on VNI 42.
pub(crate) fn far_hello(lab: &mut Lab, remote: &str, to: Mac, from: Mac) {
    lab.from_remote(remote, &encapsulated(42, &hello(to, from)));
}

/// The notes that an explanation has of one step.
pub(crate) fn notes(explanation: &Explanation, step: Step) -> Vec<&Note> {
    explanation.notes.iter().filter(|(at, _)| *at == step).map(|(_, note)| note).collect()
}
