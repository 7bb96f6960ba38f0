//! Checksums and reassembly, written for being obviously right.

use etherparse::{NetSlice, SlicedPacket};
use packet::Frame;

/// The one's complement sum of 16-bit words, one at a time.
pub(crate) fn sum(bytes: &[u8]) -> u16 {
    let mut total = 0u32;
    for pair in bytes.chunks(2) {
        total += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        if total > 0xffff {
            total -= 0xffff;
        }
    }
    total as u16
}

/// The pseudo-header that TCP and UDP sum: source, destination, protocol, length. IPv6's has wider
/// fields, whose upper halves are zero.
pub(crate) fn pseudo(addresses: &[u8], protocol: u8, length: usize) -> Vec<u8> {
    let length = u16::try_from(length).unwrap().to_be_bytes();
    [addresses, &[0, protocol], &length].concat()
}

/// Whether a receiver would take every checksum of an untagged, unfragmented IP frame of TCP, UDP
/// or ICMP. UDP over IPv4 with checksum zero is taken, over IPv6 it is not.
pub(crate) fn is_intact(frame: &[u8]) -> bool {
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let (addresses, protocol, transport, header_holds) = match sliced.net.as_ref().unwrap() {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().slice();
            let holds = sum(header) == 0xffff;
            (&header[12..20], ip.header().protocol().0, ip.payload().payload, holds)
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header().slice();
            (&header[8..40], ip.payload().ip_number.0, ip.payload().payload, true)
        }
        NetSlice::Arp(_) => panic!("ARP has no checksum"),
    };
    let covered = match protocol {
        1 => transport.to_vec(),
        17 if transport[6..8] == [0, 0] && addresses.len() == 8 => return header_holds,
        17 if transport[6..8] == [0, 0] => return false,
        _ => [pseudo(addresses, protocol, transport.len()), transport.to_vec()].concat(),
    };
    header_holds && sum(&covered) == 0xffff
}

/// The IPv4 payload that fragments stand for, put together from their own words; the fragments may
/// come in any order.
pub(crate) fn reassemble(fragments: &[Frame]) -> Vec<u8> {
    let mut whole = Vec::new();
    let mut known = Vec::new();
    let mut total = None;
    for frame in fragments {
        let ip = &frame.bytes()[14..];
        let header_len = usize::from(ip[0] & 15) * 4;
        let payload = &ip[header_len..usize::from(u16::from_be_bytes([ip[2], ip[3]]))];
        let offset = usize::from(u16::from_be_bytes([ip[6], ip[7]]) & 0x1fff) * 8;
        let end = offset + payload.len();
        if whole.len() < end {
            whole.resize(end, 0);
            known.resize(end, false);
        }
        whole[offset..end].copy_from_slice(payload);
        for place in &mut known[offset..end] {
            assert!(!*place, "fragments overlap");
            *place = true;
        }
        if ip[6] & 0x20 == 0 {
            assert_eq!(total.replace(end), None, "two last fragments");
        }
    }
    assert_eq!(total, Some(whole.len()), "the last fragment ends the packet");
    assert!(known.iter().all(|known| *known), "a hole");
    whole
}
