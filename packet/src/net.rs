//! What kind of IPv4 address an address is, where routers must care.

use core::net::Ipv4Addr;

/// Whether no host may bear it as the source of a forwarded packet, whatever the subnet: 0/8, 127/8, multicast and
/// class E including broadcast (RFC 1812 section 5.3.7, RFC 6890).
#[inline]
pub const fn is_martian_source(address: Ipv4Addr) -> bool {
    matches!(address.octets()[0], 0 | 127 | 224..=255)
}

/// Whether a router never forwards towards it: 0/8, 127/8, class E; multicast and limited broadcast are judged
/// apart by the caller because they may be for the router itself.
#[inline]
pub const fn is_martian_destination(address: Ipv4Addr) -> bool {
    matches!(address.octets()[0], 0 | 127 | 240..=255)
}
