//! Guarded ports: what a frame's sender calls itself, and whether it may.

use packet::arp::Arp;
use packet::{DropReason, Frame};
use switch::change::Guard;

use super::bridge::source;

/// Why a guard does not let a frame in, if it does not.
pub(super) fn refusal(guard: &Guard, frame: &Frame) -> Option<DropReason> {
    if source(frame) != guard.mac {
        return Some(DropReason::GuardMac);
    }
    let mut rest = &frame.bytes()[12..];
    while rest.len() >= 6 && matches!(rest[..2], [0x81, 0x00] | [0x88, 0xa8]) {
        rest = &rest[4..];
    }
    let may = match (&rest[..2], &rest[2..]) {
        ([0x08, 0x06], arp) => Arp::parse(arp).is_some_and(|arp| {
            let own = arp.is_probe() || guard.addresses.contains(&arp.sender);
            own && arp.sender_mac == guard.mac
        }),
        ([0x08, 0x00], packet) if packet.len() < 20 => false,
        ([0x08, 0x00], packet) => {
            let own = |address: &core::net::Ipv4Addr| address.octets() == packet[12..16];
            let header_len = usize::from(packet[0] % 16) * 4;
            if packet[0] / 16 != 4 || header_len < 20 || header_len > packet.len() {
                return Some(DropReason::GuardAddress);
            }
            let ports = packet.get(header_len..header_len + 4);
            let dhcp = packet[9] == 17 && ports == Some(&[0, 68, 0, 67]);
            guard.addresses.iter().any(own) || packet[12..16] == [0; 4] && dhcp
        }
        _ => true,
    };
    (!may).then_some(DropReason::GuardAddress)
}
