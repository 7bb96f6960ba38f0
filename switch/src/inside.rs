//! What is inside and what is outside, as masquerade rules have it, for packets of the router's own.
//!
//! A rule's source says whose packets are translated, and that is more than who is inside: 0.0.0.0/0 holds the router's
//! own address on the uplink and every stranger's. So nothing here asks only whether a rule covers an address.

use core::net::Ipv4Addr;

use nat::Rules;
use packet::InterfaceId;

use crate::routes::Routes;

/// Whether a packet shows the inside when it leaves through `out` with this source as it is. An address of the router's
/// own does so only where it is that of an inside interface, and out of reach.
pub(crate) fn shows(
    rules: &Rules,
    routes: &Routes,
    (source, destination): (Ipv4Addr, Ipv4Addr),
    out: InterfaceId,
) -> bool {
    let Some(rule) = rules.masquerade(source, destination, out) else { return false };
    routes
        .owner(source)
        .is_none_or(|own| own != out && !rules.is_outside(own) && !rule.inside_reachable)
}
