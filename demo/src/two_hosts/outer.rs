//! What a ping of the containers looks like between the hosts: a datagram around a frame, told as
//! tcpdump tells it.

use std::io::Read;
use std::net::Ipv4Addr;
use std::time::Instant;

use packet::ip::{self, V4};
use packet::{IcmpHeader, Ip, UdpHeader};
use socket2::{Domain, Protocol, Socket, Type};
use vxlan::Vni;
use vxlan::header::{self, Reserved};

use crate::probe::{self, DEADLINE, Party, ProbeError, late, refused};

/// Pings from a container, and tells the first echo request as it arrives at the other host.
pub(super) fn outer_packet(
    from: &Party,
    target: Ipv4Addr,
    ttl: u8,
    host: &Party,
) -> Result<Vec<String>, ProbeError> {
    // A copy of every datagram that is for the host, with its IPv4 header.
    let made = host.netns.run(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)));
    let mut socket = made.and_then(|made| made).map_err(refused("a raw socket cannot be made"))?;
    probe::ping(from, target, ttl)?;
    let deadline = Instant::now() + DEADLINE;
    let mut buffer = vec![0; LARGEST];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ProbeError::Silent(target));
        }
        socket.set_read_timeout(Some(left)).map_err(refused("a deadline cannot be set"))?;
        let length = socket.read(&mut buffer).map_err(|error| late("a copy", target, error))?;
        let seen = buffer.get(..length).and_then(Tunnelled::parse);
        if let Some(seen) = seen.filter(|seen| seen.target == target) {
            return Ok(seen.lines());
        }
    }
}

/// An echo request in a frame in a datagram.
#[derive(Debug, PartialEq, Eq)]
struct Tunnelled {
    outer: (Ipv4Addr, u16, Ipv4Addr, u16),
    length: usize,
    vni: Vni,
    source: Ipv4Addr,
    target: Ipv4Addr,
    identifier: u16,
    sequence: u16,
    /// Of the ICMP message, its header included.
    message: usize,
}

impl Tunnelled {
    /// Reads an IPv4 packet as a raw socket gives it; `None` for anything else than an echo request
    /// inside.
    fn parse(packet: &[u8]) -> Option<Self> {
        let outer = V4::of(packet).filter(|ip| ip.protocol() == ip::Protocol::UDP)?;
        let udp = UdpHeader::of(outer.payload())?;
        let datagram = outer.payload().get(UdpHeader::LEN..)?;
        let (vni, frame) = header::parse(datagram, Reserved::Ignored)?;
        let (_, Ip::V4(inner)) = Ip::in_frame(frame)? else { return None };
        let icmp = IcmpHeader::of(inner.payload())?;
        if inner.protocol() != ip::Protocol::ICMP || (icmp.kind(), icmp.code()) != ECHO_REQUEST {
            return None;
        }
        let (from, to) = (outer.source(), outer.destination());
        Some(Self {
            outer: (from, udp.source_port(), to, udp.destination_port()),
            length: packet.len(),
            vni,
            source: inner.source(),
            target: inner.destination(),
            identifier: icmp.identifier(),
            sequence: icmp.sequence(),
            message: inner.payload().len(),
        })
    }

    fn lines(&self) -> Vec<String> {
        let (from, source_port, to, port) = self.outer;
        vec![
            format!(
                "IP {from}.{source_port} > {to}.{port}: VXLAN, flags [I] (0x08), vni {}",
                self.vni
            ),
            format!(
                "IP {} > {}: ICMP echo request, id {}, seq {}, length {}",
                self.source, self.target, self.identifier, self.sequence, self.message
            ),
            format!("{} bytes in all, of which 50 are the tunnel's", self.length),
        ]
    }
}

/// Type and code of ICMP (RFC 792).
const ECHO_REQUEST: (u8, u8) = (8, 0);
/// The largest IPv4 packet.
const LARGEST: usize = 65_535;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(protocol: ip::Protocol, source: [u8; 4], target: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol.0, 0, 0];
        packet.extend(source);
        packet.extend(target);
        packet.extend(payload);
        packet
    }

    fn tunnelled() -> Vec<u8> {
        let echo =
            packet(ip::Protocol::ICMP, [10, 1, 0, 2], [10, 2, 0, 2], &[8, 0, 0, 0, 0, 7, 0, 1]);
        let mut datagram = vec![0xc0, 0x01, 0x12, 0xb5, 0, 0, 0, 0];
        datagram.extend(header::emit(Vni::new(42).unwrap()));
        datagram.extend([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
        datagram.extend(echo);
        packet(ip::Protocol::UDP, [192, 168, 10, 163], [192, 168, 10, 164], &datagram)
    }

    #[test]
    fn an_echo_request_in_a_tunnel_is_told_as_tcpdump_tells_it() {
        let seen = Tunnelled::parse(&tunnelled()).unwrap();
        assert_eq!(
            seen.lines(),
            [
                "IP 192.168.10.163.49153 > 192.168.10.164.4789: VXLAN, flags [I] (0x08), vni 42",
                "IP 10.1.0.2 > 10.2.0.2: ICMP echo request, id 7, seq 1, length 8",
                "78 bytes in all, of which 50 are the tunnel's",
            ]
        );
    }

    #[test]
    fn a_packet_cut_off_anywhere_is_none() {
        let whole = tunnelled();
        for end in 0..whole.len() {
            assert_eq!(Tunnelled::parse(&whole[..end]), None, "{end}");
        }
    }
}
