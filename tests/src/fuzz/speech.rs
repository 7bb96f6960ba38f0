//! Any frame that a station may send: right ones mostly, and answers to what it heard.

use packet::arp::{Arp, Operation};
use packet::{Frame, Mac, Offload, SegmentKind, Span};

use super::bytes::Bytes;
use super::town::Town;
use crate::wire::{Address, Builder, Packet, Socket, frame, pseudo};

const ADDRESSES: [&str; 16] = [
    "192.168.0.1",
    "192.168.0.2",
    "192.168.0.3",
    "192.168.0.4",
    "192.168.10.1",
    "192.168.10.3",
    "192.168.1.1",
    "192.168.1.3",
    "10.0.0.1",
    "10.0.1.2",
    "10.0.2.2",
    "198.51.100.9",
    "198.51.100.70",
    "192.168.0.255",
    "192.168.0.77",
    "127.0.0.1",
];
const PORTS: [u16; 6] = [4000, 53, 80, 4001, 1000, 40_000];

impl Town {
    /// The next frame from a station at a port, or from beyond a tunnel.
    pub(super) fn speech(&mut self, bytes: &mut Bytes<'_>, own: Mac) -> Frame {
        let from = match bytes.below(8) {
            6 => stranger(bytes),
            7 => self.mac(bytes),
            _ => own,
        };
        let to = self.mac(bytes);
        let mut begun = frame(to, from);
        if bytes.one_in(4) {
            begun = begun.tag_bits(bytes.pick(&[10, 0, 20, 0xa00a, 0xe000, 4095, 30]));
        }
        match bytes.below(8) {
            0 => Frame::copied_from(&begun.payload(0x88b5, b"hello, whoever is there")),
            1 | 2 => Frame::copied_from(&begun.arp(&arp(bytes, from))),
            _ => {
                let packet = packet(bytes);
                self.finished(bytes, begun, &packet)
            }
        }
    }

    /// A right packet from a port's own station through the router that stands beside it, to
    /// somebody who is there.
    pub(super) fn purpose(&mut self, bytes: &mut Bytes<'_>, port: &str) -> Frame {
        let (own, at) = (self.lab.mac(port), &port[1..]);
        let segments = [("br0", "192.168.0"), ("br0.10", "192.168.10"), ("br1", "192.168.1")];
        let (interface, from) = if self.interfaces.contains(&port) {
            (port, format!("10.0.{at}.2"))
        } else {
            let (interface, net) = segments[bytes.below(3)];
            (interface, format!("{net}.{}", 2 + at.parse::<u8>().expect("a digit")))
        };
        let known = self.interfaces.contains(&interface);
        let to = self.interface_settings(if known { interface } else { "br0" }).mac;
        let begun = frame(to, own);
        let begun = if interface == "br0.10" && bytes.one_in(2) { begun.tag(10) } else { begun };
        let source = format!("{from}:{}", bytes.pick(&PORTS));
        let target = match bytes.below(8) {
            0 => "198.51.100.9".to_owned(),
            1 => "198.51.100.70".to_owned(),
            2 => bytes.pick(&ADDRESSES).to_owned(),
            at @ 3..=5 => format!("10.0.{}.2", at - 3),
            at => format!("192.168.{}.{}", at - 6, 2 + bytes.below(4)),
        };
        let target = format!("{target}:{}", bytes.pick(&PORTS));
        let (source, target) = (source.as_str().socket(), target.as_str().socket());
        let data = vec![7; bytes.pick(&[1, 100, 100, 1400, 3000])];
        let packet = match bytes.below(4) {
            0 => Packet::tcp(source, target, bytes.pick(&[2, 0x10, 0x11]), &data),
            1 => Packet::ping(*source.ip(), *target.ip(), source.port(), 1),
            _ => Packet::udp(source, target, &data),
        };
        self.finished(bytes, begun, &packet)
    }

    /// An answer to the last packet that came to a port, if one did.
    pub(super) fn answer(&mut self, bytes: &mut Bytes<'_>, port: &str) -> Option<Frame> {
        let heard = self.lab.take(port).pop()?;
        let packet = heard.packet()?;
        let begun = frame(heard.source(), heard.destination());
        let begun = heard.tag().map_or(begun.clone(), |bits| begun.tag_bits(bits));
        let answer = match packet.protocol {
            _ if packet.is_fragment() => return None,
            17 if packet.payload.len() >= 8 => Packet::udp(packet.to(), packet.from(), b"!"),
            6 if packet.payload.len() >= 20 => {
                let flags = bytes.pick(&[0x12, 0x10, 0x11, 0x04]);
                Packet::tcp(packet.to(), packet.from(), flags, b"")
            }
            1 if packet.kind().0 == 8 => {
                Packet::pong(packet.destination, packet.source, packet.from().port(), 1)
            }
            _ => return None,
        };
        let error = (packet.destination, packet.source);
        Some(if bytes.one_in(6) {
            let error = Packet::error(error.0, error.1, (3, 3), 0, &packet, 8);
            self.finished(bytes, begun, &error)
        } else {
            self.finished(bytes, begun, &answer)
        })
    }

    /// The frame around a packet: whole, a piece of it, with its checksum left to the switch, or
    /// with a fault.
    fn finished(&mut self, bytes: &mut Bytes<'_>, begun: Builder, packet: &Packet) -> Frame {
        let whole = begun.clone().ip(packet);
        match bytes.below(12) {
            9 if packet.payload.len() > 16 => {
                let pieces = packet.fragments(8 * (1 + bytes.below(100)));
                let piece = bytes.below(pieces.len());
                Frame::copied_from(&begun.ip(&pieces[piece]))
            }
            10 => left(bytes, &whole, packet),
            11 => {
                // From a packet with a fault no right one can be asked.
                self.lab.distrust();
                let mut whole = whole;
                let at = bytes.below(whole.len().min(64));
                whole[at] ^= 1 << bytes.below(8);
                Frame::copied_from(&whole)
            }
            _ => Frame::copied_from(&whole),
        }
    }

    /// Some station's address, or a group's.
    fn mac(&self, bytes: &mut Bytes<'_>) -> Mac {
        match bytes.below(16) {
            at @ 0..=5 => self.interface_settings(self.interfaces[at % self.interfaces.len()]).mac,
            at @ 6..=9 => self.lab.mac(self.ports[at % self.ports.len()]),
            10 | 11 => stranger(bytes),
            12 | 13 => Mac::BROADCAST,
            14 => Mac([1, 0x80, 0xc2, 0, 0, bytes.pick(&[0, 14, 16])]),
            _ => bytes.pick(&[Mac::ZERO, Mac([1, 0, 0x5e, 0, 0, 1])]),
        }
    }
}

/// A station that is at no cable's end.
pub(super) fn stranger(bytes: &mut Bytes<'_>) -> Mac {
    Mac([2, 0xaa, 0, 0, 0, bytes.byte() % 6])
}

fn arp(bytes: &mut Bytes<'_>, from: Mac) -> Arp {
    let operation = bytes.pick(&[Operation::Request, Operation::Reply]);
    let sender = if bytes.one_in(8) { "0.0.0.0" } else { bytes.pick(&ADDRESSES) };
    let sender_mac = if bytes.one_in(8) { stranger(bytes) } else { from };
    let target = if bytes.one_in(8) { sender } else { bytes.pick(&ADDRESSES) };
    let (sender, target) = (sender.address(), target.address());
    Arp { operation, sender_mac, sender, target_mac: Mac::ZERO, target }
}

fn packet(bytes: &mut Bytes<'_>) -> Packet {
    let (from, to) = (bytes.pick(&ADDRESSES), bytes.pick(&ADDRESSES));
    let source = format!("{from}:{}", bytes.pick(&PORTS));
    let target = format!("{to}:{}", bytes.pick(&PORTS));
    let (source, target) = (source.as_str().socket(), target.as_str().socket());
    let data = vec![bytes.byte(); bytes.pick(&[1, 0, 30, 100, 1000, 1472, 3000])];
    let packet = match bytes.below(8) {
        0..=2 => Packet::udp(source, target, &data),
        3 | 4 => Packet::tcp(source, target, bytes.pick(&[2, 0x10, 0x12, 0x18, 0x11, 4, 0]), &data),
        5 => Packet::ping(from, to, bytes.pick(&PORTS), 1),
        6 => {
            let about = Packet::udp(target, source, &data);
            let wire = bytes.pick(&[(3, 3), (3, 4), (11, 0), (5, 1)]);
            Packet::error(from, to, wire, 576, &about, bytes.below(60))
        }
        _ => Packet::new(bytes.pick(&[47, 132, 1, 17, 6]), from, to, data),
    };
    let packet = packet.ttl(bytes.pick(&[64, 64, 64, 2, 1, 0])).id(bytes.below(4) as u16);
    let packet = if bytes.one_in(3) { packet.df() } else { packet };
    if bytes.one_in(16) { packet.options(&[bytes.pick(&[1, 7, 131, 0]), 4, 0, 0]) } else { packet }
}

/// A TCP or UDP frame whose checksum is left to the switch, or that is to be cut into segments.
fn left(bytes: &mut Bytes<'_>, whole: &[u8], packet: &Packet) -> Frame {
    let mut frame = Frame::copied_from(whole);
    let header = whole.len() - packet.payload.len();
    let (offset, kind) = match packet.protocol {
        // A device hands over no segments without a whole header.
        6 if packet.payload.len() >= 20 && packet.payload[12] >> 4 == 5 => {
            (16, SegmentKind::Tcp4 { ecn: false })
        }
        17 if packet.payload.len() >= 8 => (6, SegmentKind::Udp),
        _ => return frame,
    };
    let len = packet.payload.len();
    let sum = pseudo(packet.source, packet.destination, packet.protocol, len);
    let field = header + offset;
    frame.bytes_mut()[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    let span = Span { start: header as u16, offset: offset as u16 };
    let size = core::num::NonZeroU16::new(500).expect("not zero");
    frame.set_offload(match bytes.one_in(2) && len > 600 {
        true => Offload::Segment { kind, size, span },
        false => Offload::Checksum(span),
    });
    frame
}
