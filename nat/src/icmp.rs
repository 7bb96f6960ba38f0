//! ICMP errors, which concern another packet's flow (RFC 5508 section 4).
//!
//! # Theory of operation
//! An error quotes a packet as it was where the error arose, on the far side of the translation.
//! Turned around, the quote is a packet that the flow table knows, going the error's way; the
//! opposite direction's tuple is the quoted packet as its sender knew it. So the error goes to that
//! tuple's source and quotes that tuple, whichever side it came from; an error is never counted,
//! refreshes nothing and ends nothing. Its own source changes too when it would show an inside
//! address: that of the translated end, or of any router inside.

use packet::ip::V4;
use packet::rewrite::{self, End};
use packet::{DropReason, Dropped, Instant, Ipv4, checksum, icmp};

use crate::flow_id::FlowId;
use crate::nat::Nat;
use crate::translated::{AfterDnat, AfterSnat, CtState, Departure};
use crate::tuple::{Direction, Tuple};

impl Nat {
    /// Gives an ICMP error its true addressee. One that concerns no flow stays as it is.
    pub(crate) fn inbound_error(
        &mut self,
        now: Instant,
        packet: Ipv4,
        owned: bool,
    ) -> Result<AfterDnat, Dropped> {
        let message = packet.payload();
        let quote = icmp::quote(message);
        let sound = quote.is_some_and(V4::checksum_holds) && checksum::holds(message);
        let quoted = quote.and_then(Tuple::of_start);
        let found = quoted.and_then(|quoted| Some((quoted, self.find(now, &quoted.inverse())?)));
        let Some((quoted, (flow, direction))) = found else {
            // Nobody here can use an error for the router that quotes nothing it could have sent.
            return match owned && !sound {
                true => Err(packet.refuse(DropReason::NatBadError)),
                false => Ok(AfterDnat::untouched(packet, owned)),
            };
        };
        let Some(known) = self.table.get(flow) else {
            return Ok(AfterDnat::untouched(packet, owned));
        };
        // An error goes to the quoted packet's source, or somebody made it up. A redirect names a
        // router that only hosts on its own segment can reach: none of them is behind a translation
        // (RFC 1122 section 3.2.2.2).
        let redirects = message.first() == Some(&REDIRECT);
        if !sound || redirects || packet.destination() != quoted.source {
            return Err(packet.refuse(DropReason::NatBadError));
        }
        let as_sent = known.tuple(direction.opposite());
        let state = CtState::Related { flow, direction };
        Ok(AfterDnat::translate_error(packet, state, quoted, as_sent, owned))
    }

    /// Gives an ICMP error about a flow's packet a source that its addressee may see.
    pub(crate) fn outbound_error(
        &mut self,
        destined: AfterDnat,
        (flow, direction): (FlowId, Direction),
        departure: Departure,
    ) -> Result<AfterSnat, Dropped> {
        let Some(known) = self.table.get(flow) else {
            return Err(destined.undo().refuse(DropReason::NatNoFlow));
        };
        let (source, destination) = (destined.packet().source(), destined.packet().destination());
        let remote = known.tuple(direction).source;
        let as_known = known.tuple(direction.opposite()).destination;
        let mut new = if source == remote { as_known } else { source };
        // Who was spoken to at its own address is known by it.
        let is_known = source == remote && direction == Direction::Reply;
        if new == source && !is_known && self.covers(source, destination, departure.interface) {
            match departure.external {
                Some(external) => new = external,
                None => return Err(destined.undo().refuse(DropReason::NatNoAddress)),
            }
        }
        let mut packet = destined.into_packet();
        if new != source {
            rewrite::endpoint(&mut packet, End::Source, new, None);
        }
        Ok(AfterSnat::new(packet))
    }
}

/// The type of ICMP that tells a host of a better first hop (RFC 792).
const REDIRECT: u8 = 5;
