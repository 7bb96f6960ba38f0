//! Step 5 of a packet's life: whom is it really for?

use core::net::Ipv4Addr;

use packet::{DropReason, Dropped, Instant, InterfaceId, Ipv4, Transport};

use crate::flow::Origin;
use crate::lookup::Seen;
use crate::mapping::{Behind, Entry, MappingId};
use crate::nat::Nat;
use crate::tcp::{State, Tcp};
use crate::translated::{Arrival, Destined, Plan};
use crate::tuple::{Direction, Tuple};

impl Nat {
    /// Gives a packet its true destination: that of its flow, of the publish rule that hears it, or of the mapping
    /// that its destination port belongs to. Nothing is kept: a new flow waits for [`Nat::outbound`].
    ///
    /// # Errors
    /// The frame is as its sender knew it. [`DropReason::NatFiltered`]: the port belongs to a mapping or flow that does
    /// not expect this sender. [`DropReason::NatNoFlow`]: a published port, but the segment cannot begin a connection.
    /// [`DropReason::NatBadError`]: an ICMP error for one of our flows or addresses whose checksum or quote is wrong.
    pub fn inbound(
        &mut self,
        now: Instant,
        packet: Ipv4,
        arrival: Arrival,
    ) -> Result<Destined, Dropped> {
        match self.see(now, &packet) {
            Some(seen) => self.inbound_seen(now, packet, &seen, arrival),
            None => Ok(Destined::untouched(packet, arrival.owner.is_some())),
        }
    }

    /// [`Nat::inbound`] for a packet that [`Nat::see`] has just looked up.
    ///
    /// # Errors
    /// As [`Nat::inbound`].
    pub fn inbound_seen(
        &mut self,
        now: Instant,
        packet: Ipv4,
        seen: &Seen,
        arrival: Arrival,
    ) -> Result<Destined, Dropped> {
        self.tell(now);
        let destined = self.judge(now, packet, seen, arrival);
        if let Err(dropped) = &destined {
            self.count_refused(dropped.reason);
        }
        destined
    }

    #[inline]
    fn judge(
        &mut self,
        now: Instant,
        packet: Ipv4,
        seen: &Seen,
        arrival: Arrival,
    ) -> Result<Destined, Dropped> {
        let Seen { transport, tuple, flow } = *seen;
        let owned = arrival.owner.is_some();
        let Some(tuple) = tuple else {
            if matches!(transport, Transport::Error { .. }) && !packet.is_fragment() {
                return self.inbound_error(now, packet, owned);
            }
            return Ok(Destined::untouched(packet, owned));
        };
        if let Some((flow, direction)) = flow
            && let Some(known) = self.table.get(flow)
        {
            let to = known.tuple(direction.opposite()).inverse();
            // Queries have one identifier: on the way out it is the source's to change.
            let to = match (transport, direction) {
                (Transport::Query { .. }, Direction::Original) => {
                    Tuple { destination_port: tuple.destination_port, ..to }
                }
                _ => to,
            };
            let plan = Plan::Known { flow, direction, transport };
            return Ok(Destined::redirect(packet, plan, tuple, to, owned));
        }
        // Mappings live as long as their flows: end those whose time has come before asking for one.
        self.collect(now);
        match self.redirection(transport, &tuple, arrival) {
            Ok(Some(redirection)) => Ok(redirection.of(packet, tuple, owned)),
            Ok(None) => Ok(Destined::untouched(packet, owned)),
            Err(reason) => Err(packet.refuse(reason)),
        }
    }

    /// Where a packet of no flow goes instead, if it is redirected.
    fn redirection(
        &self,
        transport: Transport,
        tuple: &Tuple,
        arrival: Arrival,
    ) -> Result<Option<Redirection>, DropReason> {
        let (address, port) = (tuple.destination, tuple.destination_port);
        let published = self.listeners.find(tuple.protocol, address, port, arrival.owner);
        if let Some(to) = published {
            if !begins(transport) {
                return Err(DropReason::NatNoFlow);
            }
            return Ok(Some(Redirection {
                to: (*to.ip(), to.port()),
                origin: Origin::Publish,
                mapping: None,
            }));
        }
        // A query to our address is for us: only replies can be meant for a mapping's identifier.
        let is_request = matches!(transport, Transport::Query { reply: false, .. });
        let Some(owner) = arrival.owner.filter(|_| !is_request) else {
            return Ok(None);
        };
        match self.mappings.behind(tuple.protocol, address, port) {
            Behind::Nobody => Ok(None),
            Behind::Flows => Err(DropReason::NatFiltered),
            Behind::Mapping(id, entry) => {
                if !self.lets_in(transport, tuple, id, &entry, arrival, owner) {
                    return Err(DropReason::NatFiltered);
                }
                Ok(Some(Redirection {
                    to: (entry.inside, entry.inside_port),
                    origin: Origin::Admitted,
                    mapping: Some(id),
                }))
            }
        }
    }

    /// Whether a packet of no flow may begin one with the mapping that it was sent to. Hosts inside are not filtered:
    /// two of them that know only each other's external ports reach one another (RFC 4787 REQ-9).
    fn lets_in(
        &self,
        transport: Transport,
        tuple: &Tuple,
        id: MappingId,
        entry: &Entry,
        arrival: Arrival,
        owner: InterfaceId,
    ) -> bool {
        let begins = match transport {
            Transport::Tcp { flags, .. } => {
                Tcp::begin(flags).is_some_and(|tcp| tcp.state() == State::SynSent)
            }
            Transport::Udp { .. } => true,
            _ => false,
        };
        let inside = self.rules.inside_rule(tuple.source, arrival.interface, owner);
        begins && (inside.is_some() || self.mappings.admits(&self.hashes, id, entry, tuple.source))
    }
}

/// Whether a packet can be a flow's first.
pub(crate) fn begins(transport: Transport) -> bool {
    match transport {
        Transport::Tcp { flags, .. } => Tcp::begin(flags).is_some(),
        Transport::Udp { .. } | Transport::Other(_) => true,
        Transport::Query { reply, .. } => !reply,
        Transport::Error { .. }
        | Transport::OtherIcmp { .. }
        | Transport::LaterFragment
        | Transport::Malformed => false,
    }
}

struct Redirection {
    to: (Ipv4Addr, u16),
    origin: Origin,
    mapping: Option<MappingId>,
}

impl Redirection {
    fn of(self, packet: Ipv4, sent: Tuple, owned: bool) -> Destined {
        let plan = Plan::Redirected { original: sent, origin: self.origin, mapping: self.mapping };
        let to = Tuple { destination: self.to.0, destination_port: self.to.1, ..sent };
        Destined::redirect(packet, plan, sent, to, owned)
    }
}
