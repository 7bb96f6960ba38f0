//! Step 5 of a packet's life: whom is it really for?

use core::net::Ipv4Addr;

use packet::{DropReason, Dropped, Instant, InterfaceId, Ipv4, Transport};

use crate::flow::FlowOrigin;
use crate::lookup::Lookup;
use crate::mapping::{PortMapping, PortOwner};
use crate::mapping_id::MappingId;
use crate::nat::Nat;
use crate::tcp::{State, Tcp};
use crate::translated::{AfterDnat, Arrival, CtState};
use crate::tuple::{Direction, Tuple};

impl Nat {
    /// Gives a packet its true destination: that of its flow, of the publish rule that hears it, or
    /// of the mapping that its destination port belongs to. Nothing is kept: a new flow waits for
    /// [`Nat::outbound`].
    ///
    /// # Errors
    /// The frame is as its sender knew it. [`DropReason::NatFiltered`]: the port belongs to a
    /// mapping or flow that does not expect this sender. [`DropReason::NatNoFlow`]: a published
    /// port, but the segment cannot begin a connection. [`DropReason::NatBadError`]: an ICMP error
    /// for one of our flows or addresses whose checksum or quote is wrong.
    pub fn inbound(
        &mut self,
        now: Instant,
        packet: Ipv4,
        arrival: Arrival,
    ) -> Result<AfterDnat, Dropped> {
        match self.lookup(now, &packet) {
            Some(lookup) => self.inbound_with(now, packet, &lookup, arrival),
            None => Ok(AfterDnat::untouched(packet, arrival.owner.is_some())),
        }
    }

    /// [`Nat::inbound`] for a packet that [`Nat::lookup`] has just looked up.
    ///
    /// # Errors
    /// As [`Nat::inbound`].
    pub fn inbound_with(
        &mut self,
        now: Instant,
        packet: Ipv4,
        lookup: &Lookup,
        arrival: Arrival,
    ) -> Result<AfterDnat, Dropped> {
        self.set_latest(now);
        let destined = self.dnat(now, packet, lookup, arrival);
        if let Err(dropped) = &destined {
            self.count_refused(dropped.reason);
        }
        destined
    }

    #[inline]
    fn dnat(
        &mut self,
        now: Instant,
        packet: Ipv4,
        lookup: &Lookup,
        arrival: Arrival,
    ) -> Result<AfterDnat, Dropped> {
        let Lookup { transport, tuple, flow } = *lookup;
        let owned = arrival.owner.is_some();
        let Some(tuple) = tuple else {
            if matches!(transport, Transport::Error { .. }) && !packet.is_fragment() {
                return self.inbound_error(now, packet, owned);
            }
            return Ok(AfterDnat::untouched(packet, owned));
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
            let state = CtState::Established { flow, direction, transport };
            return Ok(AfterDnat::redirect(packet, state, tuple, to, owned));
        }
        // Mappings live as long as their flows: end those whose time has come before asking for
        // one.
        self.collect(now);
        match self.redirection(transport, &tuple, arrival) {
            Ok(Some(redirection)) => Ok(redirection.of(packet, tuple, owned)),
            Ok(None) => Ok(AfterDnat::untouched(packet, owned)),
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
                origin: FlowOrigin::Publish,
                mapping: None,
            }));
        }
        // A query to our address is for us: only replies can be meant for a mapping's identifier.
        let is_request = matches!(transport, Transport::Query { reply: false, .. });
        let Some(owner) = arrival.owner.filter(|_| !is_request) else {
            return Ok(None);
        };
        match self.mappings.owner_of(tuple.protocol, address, port) {
            PortOwner::Nobody => Ok(None),
            PortOwner::Flows => Err(DropReason::NatFiltered),
            PortOwner::Mapping(id, entry) => {
                // The mapping's flows may all be of those that a change has ended.
                if self.is_sweeping() || !self.admits(transport, tuple, id, &entry, arrival, owner)
                {
                    return Err(DropReason::NatFiltered);
                }
                Ok(Some(Redirection {
                    to: (entry.inside, entry.inside_port),
                    origin: FlowOrigin::Admitted,
                    mapping: Some(id),
                }))
            }
        }
    }

    /// Whether a packet of no flow may begin one with the mapping that it was sent to. Hosts inside
    /// are not filtered: two of them that know only each other's external ports reach one another
    /// (RFC 4787 REQ-9).
    fn admits(
        &self,
        transport: Transport,
        tuple: &Tuple,
        id: MappingId,
        entry: &PortMapping,
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
    origin: FlowOrigin,
    mapping: Option<MappingId>,
}

impl Redirection {
    fn of(self, packet: Ipv4, sent: Tuple, owned: bool) -> AfterDnat {
        let state = CtState::Dnat { original: sent, origin: self.origin, mapping: self.mapping };
        let to = Tuple { destination: self.to.0, destination_port: self.to.1, ..sent };
        AfterDnat::redirect(packet, state, sent, to, owned)
    }
}
