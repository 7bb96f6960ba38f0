//! What NAT tells of a packet: the answers come from the table and the rules that the packet itself
//! meets.

use core::net::Ipv4Addr;

use packet::{Instant, InterfaceId};

use crate::facts::{Endpoints, FlowMatch, SentPacket};
use crate::masquerade::RuleMatch;
use crate::nat::Nat;
use crate::tuple::Direction;
use crate::view::FlowView;

impl Nat {
    /// The living flow of a packet, if there is one.
    pub fn flow_of(&self, now: Instant, sent: &SentPacket) -> Option<FlowMatch> {
        let (id, direction) = self.table.find(&self.hashes, &sent.key?)?;
        let flow = self.table.get(id).filter(|flow| flow.is_living(now) && !self.has_ended(id))?;
        if self.is_reopened(id, sent.transport) {
            return None;
        }
        Some(FlowMatch { view: FlowView::of(now, flow), is_reply: direction == Direction::Reply })
    }

    /// The number, from 1, of the publish rule that listens where a packet was sent to; `owner` is
    /// the interface that bears its destination.
    pub fn publish_of(&self, sent: &SentPacket, owner: Option<InterfaceId>) -> Option<usize> {
        let Endpoints { protocol, destination, ports, .. } = sent.ends;
        let rule = self.listeners.rule(protocol, destination, ports?.1, owner)?;
        Some(self.rules.publish.iter().position(|written| written == rule)? + 1)
    }

    /// What each masquerade rule says of a packet, in order; the first that covers it decides.
    pub fn rule_matches(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        out: InterfaceId,
    ) -> Vec<RuleMatch> {
        let rules = self.rules.masquerade.iter();
        rules.map(|rule| rule.matches(source, destination, out)).collect()
    }
}
