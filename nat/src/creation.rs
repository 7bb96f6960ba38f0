//! The birth of a flow: limits first, then its external port, then its place in the table.

use core::net::{Ipv4Addr, SocketAddrV4};

use packet::{DropReason, Instant, InterfaceId, PortId, Protocol};

use crate::eviction::{Payer, gives_way};
use crate::flow::{Flow, Origin};
use crate::groups::Class;
use crate::mapping::{MappingId, Mappings, Request};
use crate::masquerade::{Manner, Mapping};
use crate::nat::Nat;
use crate::revalidation::Path;
use crate::rules::Listeners;
use crate::table::Holdings;
use crate::tcp::Tcp;
use crate::tuple::{Direction, Tuple};

/// A flow that wants to be.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Opening {
    /// Its first packet as it was sent.
    pub(crate) original: Tuple,
    /// Where that packet goes in truth.
    pub(crate) to: (Ipv4Addr, u16),
    pub(crate) source: Source,
    pub(crate) origin: Origin,
    /// Its state, if it is a TCP connection.
    pub(crate) tcp: Option<Tcp>,
    /// The mapping that it was sent to.
    pub(crate) mapping: Option<MappingId>,
    /// Between which interfaces it goes.
    pub(crate) path: Path,
    /// The port of the switch that its first packet came in by.
    pub(crate) port: Option<PortId>,
}

impl Opening {
    /// The address that the other side sees as its source.
    const fn seen_as(&self) -> Ipv4Addr {
        match self.source {
            Source::Kept => self.original.source,
            Source::Translated { external, .. } => external,
        }
    }
}

/// What the other side sees as its source.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Source {
    /// The source itself.
    Kept,
    /// An address of ours, and a port chosen in this manner.
    Translated { external: Ipv4Addr, owner: Option<InterfaceId>, manner: Manner },
}

/// Where ports are searched.
struct Ports<'a> {
    mappings: &'a mut Mappings,
    listeners: &'a Listeners,
}

/// What a new flow holds of the ports.
#[derive(Copy, Clone, Debug)]
enum Held {
    Nothing,
    /// A mapping, and the lane that its port is of.
    Mapping(MappingId, Option<u32>),
    Shared,
}

impl Nat {
    /// Keeps a flow whose first packet has `bytes`, and returns its reply tuple.
    ///
    /// # Errors
    /// [`DropReason::NatTableFull`], [`DropReason::NatHostLimit`], [`DropReason::NatNoPort`]; nothing is begun then.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        opening: Opening,
        bytes: usize,
    ) -> Result<Tuple, DropReason> {
        let original = opening.original;
        let payer = Payer::new(&original, opening.port);
        // What has ended takes no room and no port.
        self.collect(now);
        if opening.mapping.is_some_and(|id| !self.leads(id, &opening)) {
            return Err(DropReason::NatNoFlow);
        }
        // Held before anything else may end it.
        let seen_as = opening.seen_as();
        if let Some(id) = opening.mapping {
            self.mappings.hold(&self.hashes, id, seen_as);
        }
        if opening.tcp.is_some()
            && let Some((id, _)) = self.table.find(&self.hashes, &original)
        {
            // Nobody found it, so it has ended and is opened anew.
            self.end(now, id);
        }
        let roomy = self.make_room(now, payer);
        let (reply, held) = match roomy.and_then(|()| self.translation(now, &opening, payer)) {
            Ok(translation) => translation,
            Err(reason) => {
                if let Some(id) = opening.mapping {
                    self.mappings.abandon(&self.hashes, id, seen_as);
                }
                return Err(reason);
            }
        };
        let mut flow = Flow::new(original, reply, opening.tcp, opening.origin);
        let (source_mapping, lane) = match held {
            Held::Nothing => (None, None),
            Held::Mapping(id, lane) => (Some(id), lane),
            Held::Shared => {
                flow.share_port();
                self.mappings.share(reply.protocol, reply.destination, reply.destination_port);
                (None, None)
            }
        };
        let Opening { mapping: destination_mapping, path, .. } = opening;
        let seat = self.room.seat(&self.hashes, payer, lane);
        let holdings = Holdings { source_mapping, destination_mapping, seat, path };
        flow.count(Direction::Original, bytes);
        flow.set_deadline(now + self.lifetimes.of(&flow));
        let class = flow.class();
        let number = self.table.insert(now, &self.hashes, flow, holdings);
        self.room.rank(seat, number, None, class);
        self.counts.created += 1;
        Ok(reply)
    }

    /// Whether a mapping still leads from where the flow was sent to where it goes.
    fn leads(&self, id: MappingId, opening: &Opening) -> bool {
        self.mappings.get(id).is_some_and(|entry| {
            let sent = (opening.original.destination, opening.original.destination_port);
            entry.protocol == opening.original.protocol
                && (entry.external, entry.external_port) == sent
                && (entry.inside, entry.inside_port) == opening.to
        })
    }

    /// The flow's reply tuple, which no other flow has, and what the flow is to hold for it.
    fn translation(
        &mut self,
        now: Instant,
        opening: &Opening,
        payer: Payer,
    ) -> Result<(Tuple, Held), DropReason> {
        let original = opening.original;
        let forwarded =
            Tuple { destination: opening.to.0, destination_port: opening.to.1, ..original };
        let answer = forwarded.inverse();
        let Source::Translated { external, owner, manner } = opening.source else {
            return self.kept_source(now, &original, answer);
        };
        let reply = Tuple { destination: external, ..answer };
        if !has_ports(original.protocol) {
            return self.unless_taken(now, &original, reply).map(|reply| (reply, Held::Nothing));
        }
        if let Some(reply) = self.published_port(&original, reply, owner) {
            return Ok((reply, Held::Nothing));
        }
        let request = Request {
            protocol: original.protocol,
            inside: original.source,
            inside_port: original.source_port,
            external,
            owner,
            manner,
            start: self.draw(),
        };
        match manner.mapping {
            Mapping::EndpointIndependent => self.lent_port(now, &original, reply, &request, payer),
            Mapping::AddressAndPortDependent => self.shared_port(now, &original, reply, &request),
        }
    }

    /// The source itself, under another port where answers to its own would be another flow's: it speaks from one port
    /// to two listeners of one service.
    fn kept_source(
        &mut self,
        now: Instant,
        original: &Tuple,
        answer: Tuple,
    ) -> Result<(Tuple, Held), DropReason> {
        if self.is_unique(original, &answer) {
            return Ok((answer, Held::Nothing));
        }
        if !matches!(original.protocol, Protocol::TCP | Protocol::UDP) {
            return Err(DropReason::NatNoPort);
        }
        let wish = original.source_port;
        let choice = Manner::default().choice(original.protocol, wish);
        let start = self.draw();
        let port = self.find_unique(now, original, answer, |_, fits| {
            choice.tries(wish, start).find(|port| fits(*port))
        });
        port.map(|reply| (reply, Held::Nothing))
    }

    /// A published endpoint is a mapping: what its owner says leaves from the port that leads to it.
    fn published_port(
        &self,
        original: &Tuple,
        reply: Tuple,
        owner: Option<InterfaceId>,
    ) -> Option<Tuple> {
        let service = SocketAddrV4::new(original.source, original.source_port);
        let ports = self.listeners.ports_of(original.protocol, service, reply.destination, owner);
        let mut replies = ports.map(|port| with_port(reply, port));
        replies.find(|reply| self.is_unique(original, reply))
    }

    fn lent_port(
        &mut self,
        now: Instant,
        original: &Tuple,
        reply: Tuple,
        request: &Request,
        payer: Payer,
    ) -> Result<(Tuple, Held), DropReason> {
        let lane = self.mappings.lane(request, |lane| self.room.is_lane_used(lane));
        let (id, port) = self.acquire(now, request, payer, lane)?;
        let remote = original.destination;
        self.mappings.hold(&self.hashes, id, remote);
        let lent = with_port(reply, port);
        if self.is_unique(original, &lent) {
            return Ok((lent, Held::Mapping(id, lane)));
        }
        self.mappings.abandon(&self.hashes, id, remote);
        // The endpoint has another flow with this remote, by another of its names: told apart by a port of its own.
        self.shared_port(now, original, reply, request)
    }

    /// The endpoint's mapping. Where no port is left, others make room.
    fn acquire(
        &mut self,
        now: Instant,
        request: &Request,
        payer: Payer,
        lane: Option<u32>,
    ) -> Result<(MappingId, u16), DropReason> {
        let mut displaced = 0;
        loop {
            match self.mappings.acquire(now, &self.hashes, &self.listeners, request) {
                Err(_) if displaced < Self::MOST_DISPLACED => {
                    displaced += 1;
                    let made = lane.and_then(|lane| self.free_port(now, payer, lane));
                    made.ok_or(DropReason::NatNoPort)?;
                }
                outcome => return outcome,
            }
        }
    }

    fn shared_port(
        &mut self,
        now: Instant,
        original: &Tuple,
        reply: Tuple,
        request: &Request,
    ) -> Result<(Tuple, Held), DropReason> {
        let port = self.find_unique(now, original, reply, |ports, fits| {
            ports.mappings.find_shareable(ports.listeners, request, fits)
        });
        port.map(|reply| (reply, Held::Shared))
    }

    /// `reply` with a port from `search` with which it is unique. Where there is none, a flow with this remote makes room.
    fn find_unique(
        &mut self,
        now: Instant,
        original: &Tuple,
        reply: Tuple,
        mut search: impl FnMut(&mut Ports<'_>, &mut dyn FnMut(u16) -> bool) -> Option<u16>,
    ) -> Result<Tuple, DropReason> {
        let least = core::iter::once(None).chain(Class::ALL.map(Some));
        for least in least {
            let (table, hashes, lifetimes) = (&self.table, &self.hashes, &self.lifetimes);
            let mut fits = |port: u16| {
                let reply = with_port(reply, port);
                let taken = table.find(hashes, &reply).and_then(|(id, _)| table.get(id));
                let class = taken.and_then(|flow| gives_way(now, lifetimes, flow));
                reply != *original
                    && (taken.is_none() || class.is_some_and(|class| Some(class) <= least))
            };
            let mut ports = Ports { mappings: &mut self.mappings, listeners: &self.listeners };
            let Some(port) = search(&mut ports, &mut fits) else { continue };
            let reply = with_port(reply, port);
            if let Some((id, _)) = self.table.find(&self.hashes, &reply) {
                self.end(now, id);
                self.counts.displaced += 1;
            }
            return Ok(reply);
        }
        Err(DropReason::NatNoPort)
    }

    /// Whether neither packets of another flow nor the flow's own on their way in look like `reply`.
    fn is_unique(&self, original: &Tuple, reply: &Tuple) -> bool {
        reply != original && self.table.find(&self.hashes, reply).is_none()
    }

    /// `reply`, unless packets of another flow, or the flow's own on their way in, look like that.
    fn unless_taken(
        &mut self,
        now: Instant,
        original: &Tuple,
        reply: Tuple,
    ) -> Result<Tuple, DropReason> {
        if reply == *original || self.find(now, &reply).is_some() {
            return Err(DropReason::NatNoPort);
        }
        Ok(reply)
    }
}

const fn has_ports(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::TCP | Protocol::UDP | Protocol::ICMP)
}

/// The answer to a packet whose source port, or identifier, became `port`.
fn with_port(reply: Tuple, port: u16) -> Tuple {
    Tuple {
        source_port: match reply.protocol {
            Protocol::ICMP => port,
            _ => reply.source_port,
        },
        destination_port: port,
        ..reply
    }
}
