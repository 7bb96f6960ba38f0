//! The outer datagrams of a frame that leaves through a tunnel, as the kernel would send them:
//! IPv4, UDP, VXLAN.
//!
//! What the kernel would choose is chosen here: the own address where none is written is 0.0.0.0,
//! and the source port follows from the flow inside.

use std::net::Ipv4Addr;

use packet::ethernet::HEADER_LEN as ETHERNET;
use packet::fields::Fields;
use packet::ip::V4_HEADER;
use packet::{Frame, Protocol, checksum};
use vxlan::Vni;
use vxlan::encap::{SendLimits, Train};
use vxlan::entropy::flow_hash;
use vxlan::outer::{Dscp, Ttl, outer};

use labfile::Tunnel;

/// How a tunnel's datagrams look, and the room to make them in.
pub(super) struct Outer {
    vni: Vni,
    local: Ipv4Addr,
    port: u16,
    ttl: Ttl,
    dscp: Dscp,
    dont_fragment: bool,
    checksum: bool,
    train: Train,
}

impl Outer {
    pub(super) fn of(tunnel: &Tunnel) -> Self {
        Self {
            vni: tunnel.vni,
            local: tunnel.local.unwrap_or(Ipv4Addr::UNSPECIFIED),
            port: tunnel.port.get(),
            ttl: tunnel.ttl.of_outer(),
            dscp: tunnel.dscp.of_outer(),
            dont_fragment: tunnel.df,
            checksum: tunnel.checksum,
            train: Train::default(),
        }
    }

    /// Makes the datagrams for `remote` of a frame, with the tag beside it. `false` when it cannot
    /// be put into any.
    pub(super) fn datagrams(
        &mut self,
        frame: &Frame,
        remote: Ipv4Addr,
        each: &mut impl FnMut(&[u8]),
    ) -> bool {
        if self.train.cut(self.vni, frame).is_err() {
            return false;
        }
        let fields = outer(self.ttl, self.dscp, frame.bytes());
        let header = Fields {
            source: self.local,
            destination: remote,
            protocol: Protocol::UDP,
            ttl: fields.ttl.get(),
            traffic_class: fields.tos,
            identification: 0,
            dont_fragment: self.dont_fragment,
        };
        let source_port = FIRST_PORT + (flow_hash(frame.bytes()) % PORTS) as u16;
        let ports = [source_port.to_be_bytes(), self.port.to_be_bytes()].concat();
        for send in self.train.sends(frame, SendLimits::SINGLE) {
            for (headers, payload) in send.parts() {
                let Some(datagram) = udp(&ports, headers, payload) else { return false };
                let Some(packet) = packet(&header, datagram, self.checksum) else { return false };
                each(packet.bytes().get(ETHERNET..).unwrap_or_default());
            }
        }
        true
    }
}

/// A UDP datagram (RFC 768) without checksum.
fn udp(ports: &[u8], headers: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(UDP + headers.len() + payload.len()).ok()?;
    Some([ports, &length.to_be_bytes(), &[0, 0], headers, payload].concat())
}

/// An IPv4 packet behind room for an Ethernet header.
fn packet(header: &Fields, mut datagram: Vec<u8>, checksummed: bool) -> Option<Frame> {
    if checksummed {
        let length = u16::try_from(datagram.len()).ok()?;
        let (source, destination) = (header.source, header.destination);
        let pseudo = checksum::pseudo_header(source, destination, Protocol::UDP.0, length);
        // Zero would say that there is none (RFC 768).
        let sum = match !checksum::sum(&datagram, pseudo) {
            0 => u16::MAX,
            sum => sum,
        };
        datagram.get_mut(6..8)?.copy_from_slice(&sum.to_be_bytes());
    }
    let mut frame = Frame::copied_from(&[&[0; ETHERNET + V4_HEADER][..], &datagram].concat());
    header.emit(&mut frame).then_some(frame)
}

const UDP: usize = 8;
/// Source ports are of the dynamic range, as RFC 7348 section 5 has it.
const FIRST_PORT: u16 = 49_152;
const PORTS: u32 = 16_384;
