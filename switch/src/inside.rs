//! What is inside and what is outside, as masquerade rules have it, for packets that no rule
//! translates.
//!
//! A rule's source says whose packets are translated, and that is more than who is inside:
//! 0.0.0.0/0 holds the router's own address on the uplink and every stranger's. So nothing here
//! asks only whether a rule covers an address.

use core::net::Ipv4Addr;

use nat::facts::DnatReason;
use nat::{AfterDnat, Rules};
use packet::InterfaceId;

use crate::routes::Routes;

/// Whether a packet shows the inside when it leaves through `out` with this source as it is. An
/// address of the router's own does so only where it is that of an inside interface, and out of
/// reach.
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

/// Whether a packet of no flow would show a source outside that no rule covers and that nobody
/// inside bears, made up by who sent it. It is real where its `reverse_path` leads to where it
/// came in, or else to an interface inside.
#[inline]
pub(crate) fn is_foreign(
    rules: &Rules,
    packet: &AfterDnat,
    (arrival, reverse_path): (InterfaceId, Option<InterfaceId>),
    out: InterfaceId,
) -> bool {
    let is_real = |back| back == arrival || back != out && !rules.is_outside(back);
    if reverse_path.is_some_and(is_real) || !rules.is_outside(out) {
        return false;
    }
    let begins = !matches!(packet.dnat_reason(), DnatReason::Flow | DnatReason::Error);
    let packet = packet.packet();
    begins && rules.masquerade(packet.source(), packet.destination(), out).is_none()
}
