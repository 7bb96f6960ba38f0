//! Which flows a filter means, by its words: one question after the other.

use switch::change::FlowFilter;

use super::{Flow, ICMP, UDP};

const TCP: u8 = 6;

/// Whether the filter means the flow. Of its rule and its port nothing is told here.
pub(super) fn means(filter: &FlowFilter, flow: &Flow) -> bool {
    let (original, reply) = (&flow.original, &flow.reply);
    if let Some(protocol) = filter.protocol
        && protocol.0 != original.protocol
    {
        return false;
    }
    for (net, address) in
        [(filter.source, original.from.ip()), (filter.destination, original.to.ip())]
    {
        if net.is_some_and(|net| !net.contains(address)) {
            return false;
        }
    }
    for (wanted, port) in
        [(filter.source_port, original.from.port()), (filter.destination_port, original.to.port())]
    {
        let has_ports = original.protocol == TCP || original.protocol == UDP;
        if wanted.is_some_and(|wanted| !has_ports || wanted != port) {
            return false;
        }
    }
    let source_to = (original.from != reply.to).then_some(reply.to.ip());
    let other_port = original.protocol != ICMP && original.to.port() != reply.from.port();
    let is_redirected = original.to.ip() != reply.from.ip() || other_port;
    let destination_to = is_redirected.then_some(reply.from.ip());
    if filter.src_nat.is_some_and(|net| !source_to.is_some_and(|to| net.contains(to))) {
        return false;
    }
    if filter.dst_nat.is_some_and(|net| !destination_to.is_some_and(|to| net.contains(to))) {
        return false;
    }
    let either = || source_to.into_iter().chain(destination_to);
    filter.any_nat.is_none_or(|net| either().any(|to| net.contains(to)))
}
