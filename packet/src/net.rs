//! What kind of IPv4 address an address is, where routers must care (RFC 6890).
//!
//! Blocks that RFC 6890 calls forwardable are addresses like any other: those of RFC 1918, 100.64/10, 198.18/15. So are
//! here the documentation's blocks (192.0.2/24, 198.51.100/24, 203.0.113/24), which labs are full of, and 192.0.0/24, whose
//! parts differ: DS-Lite and 464XLAT are tried with its first eight addresses.

use core::net::Ipv4Addr;

/// Whether no host may bear it as the source of a packet to the router, whatever the subnet: 0/8, 127/8, multicast and
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

/// Whether it means something on its own link only, 169.254/16: the router may bear it and be spoken to by it, and
/// forwards nothing from it or to it (RFC 3927 section 2.7).
#[inline]
pub const fn is_link_local(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [169, 254, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RT9: the table of RFC 6890 section 2.2.2, as far as it says what is not forwarded.
    #[test]
    fn special_blocks_are_judged_from_their_first_address_to_their_last() {
        let refused = |address: Ipv4Addr| {
            let source = is_martian_source(address) || is_link_local(address);
            let destination = is_martian_destination(address) || is_link_local(address);
            (source, destination)
        };
        for (first, last, expected) in [
            ([0, 0, 0, 0], [0, 255, 255, 255], (true, true)),
            ([1, 0, 0, 0], [126, 255, 255, 255], (false, false)),
            ([127, 0, 0, 0], [127, 255, 255, 255], (true, true)),
            ([128, 0, 0, 0], [169, 253, 255, 255], (false, false)),
            ([169, 254, 0, 0], [169, 254, 255, 255], (true, true)),
            ([169, 255, 0, 0], [223, 255, 255, 255], (false, false)),
            ([224, 0, 0, 0], [239, 255, 255, 255], (true, false)),
            ([240, 0, 0, 0], [255, 255, 255, 255], (true, true)),
        ] {
            for address in [first, last].map(Ipv4Addr::from) {
                assert_eq!(refused(address), expected, "{address}");
            }
        }
    }
}
