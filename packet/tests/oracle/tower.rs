//! Packets in tunnels of every kind, built from the inside out with every checksum summed in full.

use crate::naive;
use crate::sample::{DESTINATION, SOURCE};

/// What carries a packet inside another.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Vxlan,
    VxlanGpe,
    Geneve,
    Gue,
    Fou,
    MplsInUdp,
    Ip,
    Gre,
    GreKeyed,
    GreTap,
    MplsInGre,
    Erspan,
}

pub(crate) const CARRIERS: [Carrier; 12] = [
    Carrier::Vxlan,
    Carrier::VxlanGpe,
    Carrier::Geneve,
    Carrier::Gue,
    Carrier::Fou,
    Carrier::MplsInUdp,
    Carrier::Ip,
    Carrier::Gre,
    Carrier::GreKeyed,
    Carrier::GreTap,
    Carrier::MplsInGre,
    Carrier::Erspan,
];

/// One tunnel around a packet.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Tunnel {
    pub(crate) carrier: Carrier,
    pub(crate) ipv6: bool,
    /// Whether its own header has a checksum, where it may.
    pub(crate) summed: bool,
    /// The first packet's identification, where it has one.
    pub(crate) id: u16,
}

impl Tunnel {
    /// The IP packet that carries `packet`, as number `index` of its sender's.
    pub(crate) fn around(self, packet: &[u8], index: u16) -> Vec<u8> {
        let is_v6 = packet[0] >> 4 == 6;
        let ethertype = if is_v6 { [0x86, 0xdd] } else { [8, 0] };
        let ethernet = [&DESTINATION[..], &SOURCE, &ethertype, packet].concat();
        let label = [&[0, 0, 0x41, 64], packet].concat();
        match self.carrier {
            Carrier::Vxlan => {
                self.udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet[..]].concat(), index)
            }
            Carrier::VxlanGpe => {
                let next = if is_v6 { 2 } else { 1 };
                self.udp(4790, &[&[12, 0, 0, next, 0, 0, 7, 0], packet].concat(), index)
            }
            Carrier::Geneve => {
                let head = [2, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 1, 9, 9, 9, 9];
                self.udp(6081, &[&head, &ethernet[..]].concat(), index)
            }
            Carrier::Gue => {
                self.udp(6080, &[&[1, ip_in_ip(is_v6), 0, 0, 4, 4, 4, 4], packet].concat(), index)
            }
            Carrier::Fou => self.udp(5555, packet, index),
            Carrier::MplsInUdp => self.udp(6635, &label, index),
            Carrier::Ip => self.ip(ip_in_ip(is_v6), packet, index),
            Carrier::Gre => self.gre(0, ethertype, packet, index),
            Carrier::GreKeyed => self.gre(0x20, ethertype, packet, index),
            Carrier::GreTap => self.gre(0, [0x65, 0x58], &ethernet, index),
            Carrier::MplsInGre => self.gre(0, [0x88, 0x47], &label, index),
            Carrier::Erspan => self.gre(0, [0x88, 0xbe], &ethernet, index),
        }
    }

    fn udp(self, port: u16, body: &[u8], index: u16) -> Vec<u8> {
        let length = u16::try_from(8 + body.len()).unwrap();
        let head = [50_000, port, length, 0].map(u16::to_be_bytes).concat();
        let mut segment = [&head, body].concat();
        if self.summed {
            let pseudo = naive::pseudo(&self.addresses(), 17, segment.len());
            let sum = match !naive::sum(&[&pseudo, &segment[..]].concat()) {
                0 => 0xffff,
                sum => sum,
            };
            segment[6..8].copy_from_slice(&sum.to_be_bytes());
        }
        self.ip(17, &segment, index)
    }

    fn gre(self, flags: u8, ethertype: [u8; 2], body: &[u8], index: u16) -> Vec<u8> {
        let mut bytes = vec![flags, 0, ethertype[0], ethertype[1]];
        if self.summed {
            bytes[0] |= 0x80;
            bytes.extend([0; 4]);
        }
        if flags & 0x20 != 0 {
            bytes.extend([0, 0, 0, 9]);
        }
        bytes.extend(body);
        if self.summed {
            let sum = !naive::sum(&bytes);
            bytes[4..6].copy_from_slice(&sum.to_be_bytes());
        }
        self.ip(47, &bytes, index)
    }

    fn ip(self, protocol: u8, body: &[u8], index: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.ipv6 {
            bytes.extend([0x60, 0, 0, 0]);
            bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
            bytes.extend([protocol, 64]);
            bytes.extend(self.addresses());
        } else {
            bytes.extend([0x45, 0]);
            bytes.extend(u16::try_from(20 + body.len()).unwrap().to_be_bytes());
            bytes.extend(self.id.wrapping_add(index).to_be_bytes());
            bytes.extend([0, 0, 64, protocol, 0, 0]);
            bytes.extend(self.addresses());
            let sum = !naive::sum(&bytes);
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        bytes.extend(body);
        bytes
    }

    fn addresses(self) -> Vec<u8> {
        let count = if self.ipv6 { 32 } else { 8 };
        (0..count).map(|at| at * 5 + 33).collect()
    }
}

/// The frame that carries an IP packet behind so many tags.
pub(crate) fn framed(packet: &[u8], tags: usize) -> Vec<u8> {
    let ethertype = if packet[0] >> 4 == 6 { [0x86, 0xdd] } else { [8, 0] };
    let tags = [0x81, 0x00, 0x20, 0x07].repeat(tags);
    [&DESTINATION[..], &SOURCE, &tags, &ethertype, packet].concat()
}

const fn ip_in_ip(is_v6: bool) -> u8 {
    if is_v6 { 41 } else { 4 }
}
