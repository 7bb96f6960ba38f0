//! The only editor of addresses and ports.
//!
//! Every change mends the IPv4 header checksum and the transport's, incrementally (RFC 1624
//! equation 3). A partial checksum (see [`crate::Offload`]) holds the *uncomplemented* sum of the
//! pseudo-header: an address change edits it, a port change must not, because ports are outside the
//! pseudo-header and will be summed later. That of a packet in a tunnel stays as it is, for the
//! tunnel's addresses are none of its own. The two other fields that a box in the middle may change
//! are its submodules': the ECN mark and TCP's MSS option. A UDP checksum of zero means none and
//! stays zero; one that comes out as zero is sent as 0xFFFF (RFC 768).

mod ecn;
mod mss;

pub use ecn::{Ecn, ecn, set_ecn};
pub use mss::{announced_mss, clamp_mss};

use core::net::Ipv4Addr;

use crate::checksum;
use crate::ip::{Protocol, V4};
use crate::ipv4::Ipv4;

/// Which end of a packet to edit.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// Source address and source port.
    Source,
    /// Destination address and destination port.
    Destination,
}

/// Changes one end's address, and its port (or ICMP query identifier, at either end) where `port`
/// says so.
///
/// Later fragments have no port; the call then edits the address alone. A packet whose transport
/// header is too short for its checksum field keeps that header as it is.
pub fn endpoint(packet: &mut Ipv4, end: End, address: Ipv4Addr, port: Option<u16>) {
    let old = match end {
        End::Source => packet.source(),
        End::Destination => packet.destination(),
    };
    let partial = packet.is_partial();
    let protocol = packet.protocol();
    let has_transport = packet.ip().fragment_offset() == 0
        && checksum_position(protocol).is_some_and(|at| packet.payload().len() >= at + 2);
    ip_address(packet.header_mut(), end, address);
    if has_transport {
        let change = ChecksumEdit { protocol, end, old, new: address, port, partial };
        change.apply(packet.payload_mut());
    }
}

/// Changes both ends of a TCP or UDP packet that is no fragment and takes a hop away: what
/// [`Ipv4::decrement_ttl`] and [`endpoint`] for either end do, with one update of each checksum. A
/// packet of another protocol stays as it is.
#[inline]
pub fn forward(packet: &mut Ipv4, source: (Ipv4Addr, u16), destination: (Ipv4Addr, u16)) {
    let partial = packet.is_partial();
    let is_udp = packet.protocol() == Protocol::UDP;
    let checksum_at = match packet.protocol() {
        Protocol::TCP => 16,
        Protocol::UDP => 6,
        _ => return,
    };
    let (header, transport) = packet.parts_mut();
    let (Some([ttl, protocol, c0, c1, addresses @ ..]), Some(ports)) = (
        header.get_mut(8..).and_then(|bytes| bytes.first_chunk_mut::<12>()),
        transport.first_chunk_mut::<4>(),
    ) else {
        return;
    };
    let new = u64::from(source.0.to_bits()) << 32 | u64::from(destination.0.to_bits());
    let change = words(!u64::from_be_bytes(*addresses)) + words(new);
    *addresses = new.to_be_bytes();
    let hops = ttl.saturating_sub(1);
    let hop = u32::from(!u16::from_be_bytes([*ttl, *protocol]))
        + u32::from(u16::from_be_bytes([hops, *protocol]));
    let sum = !checksum::fold(u32::from(!u16::from_be_bytes([*c0, *c1])) + change + hop);
    (*ttl, [*c0, *c1]) = (hops, sum.to_be_bytes());
    let new = u32::from(source.1) << 16 | u32::from(destination.1);
    let with_ports = change + words(u64::from(!u32::from_be_bytes(*ports))) + words(u64::from(new));
    *ports = new.to_be_bytes();
    edit_word(transport, checksum_at, |sum| match partial {
        true => checksum::fold(u32::from(sum) + change),
        false if is_udp && sum == 0 => 0,
        false => match !checksum::fold(u32::from(!sum) + with_ports) {
            0 if is_udp => 0xffff,
            sum => sum,
        },
    });
}

/// The sum of four 16-bit words, not folded.
const fn words(of: u64) -> u32 {
    let halves = (of >> 16 & 0xffff_0000_ffff) + (of & 0xffff_0000_ffff);
    (halves >> 32) as u32 + halves as u32
}

/// Edits the packet that an ICMP error quotes: `quoted` starts at its IPv4 header and may end
/// anywhere behind it. The quoted header checksum and, where it is present, the quoted transport
/// checksum are mended. The ICMP checksum around it is the caller's: [`crate::icmp::recompute`].
pub fn quoted(quoted: &mut [u8], end: End, address: Ipv4Addr, port: Option<u16>) {
    let Some(ip) = V4::of(quoted) else { return };
    let (protocol, is_first) = (ip.protocol(), ip.fragment_offset() == 0);
    let old = match end {
        End::Source => ip.source(),
        End::Destination => ip.destination(),
    };
    let header_len = ip.header_len();
    let Some((header, payload)) = quoted.split_at_mut_checked(header_len) else {
        return;
    };
    ip_address(header, end, address);
    if is_first {
        ChecksumEdit { protocol, end, old, new: address, port, partial: false }.apply(payload);
    }
}

/// Where a transport header of `protocol` has its checksum; `None` when it is not one that is
/// edited.
const fn checksum_position(protocol: Protocol) -> Option<usize> {
    match protocol {
        Protocol::TCP => Some(16),
        Protocol::UDP => Some(6),
        Protocol::ICMP => Some(2),
        _ => None,
    }
}

const fn address_position(end: End) -> usize {
    match end {
        End::Source => 12,
        End::Destination => 16,
    }
}

fn address_at(header: &[u8], end: End) -> Option<Ipv4Addr> {
    let bytes = header.get(address_position(end)..)?.first_chunk::<4>()?;
    Some(Ipv4Addr::from(*bytes))
}

fn ip_address(header: &mut [u8], end: End, new: Ipv4Addr) {
    let Some(old) = address_at(header, end) else {
        return;
    };
    let at = address_position(end);
    if let Some(place) = header.get_mut(at..at + 4) {
        place.copy_from_slice(&new.octets());
    }
    edit_word(header, 10, |sum| checksum::update_address(sum, old, new));
}

fn edit_word(bytes: &mut [u8], at: usize, edit: impl FnOnce(u16) -> u16) -> Option<u16> {
    let place: &mut [u8; 2] = bytes.get_mut(at..)?.first_chunk_mut()?;
    let old = u16::from_be_bytes(*place);
    *place = edit(old).to_be_bytes();
    Some(old)
}

struct ChecksumEdit {
    protocol: Protocol,
    end: End,
    old: Ipv4Addr,
    new: Ipv4Addr,
    port: Option<u16>,
    partial: bool,
}

impl ChecksumEdit {
    fn apply(&self, transport: &mut [u8]) {
        let Some(checksum_at) = checksum_position(self.protocol) else {
            return;
        };
        let port_at = match (self.protocol, self.end) {
            (Protocol::ICMP, _) => 4,
            (_, End::Source) => 0,
            (_, End::Destination) => 2,
        };
        let old_port = self.port.and_then(|port| edit_word(transport, port_at, |_| port));
        edit_word(transport, checksum_at, |sum| self.mend(sum, old_port));
    }

    fn mend(&self, sum: u16, old_port: Option<u16>) -> u16 {
        let is_udp = self.protocol == Protocol::UDP;
        if self.partial {
            // Held uncomplemented, so that the update works on its complement.
            return !checksum::update_address(!sum, self.old, self.new);
        }
        if is_udp && sum == 0 {
            return 0;
        }
        // ICMP's checksum has no pseudo-header: addresses do not matter to it.
        let mut sum = match self.protocol {
            Protocol::ICMP => sum,
            _ => checksum::update_address(sum, self.old, self.new),
        };
        if let (Some(old), Some(new)) = (old_port, self.port) {
            sum = checksum::update(sum, old, new);
        }
        if is_udp && sum == 0 { 0xffff } else { sum }
    }
}
