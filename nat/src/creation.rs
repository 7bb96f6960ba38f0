//! Making a flow: limits first, then its external port, then its place in the table.

use core::net::{Ipv4Addr, SocketAddrV4};

use packet::{DropReason, Instant, InterfaceId, PortId, Protocol};

use crate::accounts::Account;
use crate::eviction::evictable;
use crate::flow::{Flow, FlowOrigin};
use crate::groups::Class;
use crate::mapping::{Mappings, PortRequest};
use crate::mapping_id::MappingId;
use crate::masquerade::{Mapping, PortPolicy};
use crate::nat::Nat;
use crate::path::Path;
use crate::rules::Listeners;
use crate::sweep::WITH_A_FLOW;
use crate::table::Holdings;
use crate::tcp::Tcp;
use crate::tuple::{Direction, Tuple};

/// A flow that wants to be.
#[derive(Copy, Clone, Debug)]
pub(crate) struct NewFlow {
    /// Its first packet as it was sent.
    pub(crate) original: Tuple,
    /// Where that packet goes in truth.
    pub(crate) to: (Ipv4Addr, u16),
    pub(crate) source: Source,
    pub(crate) origin: FlowOrigin,
    /// Its state, if it is a TCP connection.
    pub(crate) tcp: Option<Tcp>,
    /// The mapping that it was sent to.
    pub(crate) mapping: Option<MappingId>,
    /// Between which interfaces it goes.
    pub(crate) path: Path,
    /// The port of the switch that its first packet came in by.
    pub(crate) port: Option<PortId>,
}

impl NewFlow {
    /// The address that the other side sees as its source.
    const fn external_source(&self) -> Ipv4Addr {
        match self.source {
            Source::Unchanged => self.original.source,
            Source::Translated { external, .. } => external,
        }
    }
}

/// What the other side sees as its source.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Source {
    /// The source itself.
    Unchanged,
    /// An address of ours, and a port chosen by this policy.
    Translated { external: Ipv4Addr, owner: Option<InterfaceId>, policy: PortPolicy },
}

/// Where ports are searched.
struct Ports<'a> {
    mappings: &'a mut Mappings,
    listeners: &'a Listeners,
}

/// What a new flow holds of the ports.
#[derive(Copy, Clone, Debug)]
enum PortHold {
    Nothing,
    /// A mapping, and the port group that its port is of.
    Mapping(MappingId, Option<u32>),
    Shared,
}

impl Nat {
    /// Keeps a flow whose first packet has `bytes`, and returns its reply tuple.
    ///
    /// # Errors
    /// [`DropReason::NatTableFull`], [`DropReason::NatHostLimit`], [`DropReason::NatNoPort`];
    /// nothing is begun then.
    pub(crate) fn create(
        &mut self,
        now: Instant,
        new: NewFlow,
        bytes: usize,
    ) -> Result<Tuple, DropReason> {
        let original = new.original;
        let account = Account::new(&original, new.port);
        // What is closed takes no room and no port.
        self.collect(now);
        self.sweep_places(WITH_A_FLOW);
        if new.mapping.is_some_and(|id| !self.leads(id, &new)) {
            return Err(DropReason::NatNoFlow);
        }
        // Held before anything else may end it.
        let external_source = new.external_source();
        if let Some(id) = new.mapping {
            self.mappings.hold(&self.hashes, id, external_source);
        }
        if new.tcp.is_some()
            && let Some((id, _)) = self.table.find(&self.hashes, &original)
        {
            // Nobody found it, so it is closed and opened anew.
            self.end(now, id);
        }
        let roomy = self.make_room(now, account);
        let (reply, held) = match roomy.and_then(|()| self.translation(now, &new, account)) {
            Ok(translation) => translation,
            Err(reason) => {
                if let Some(id) = new.mapping {
                    self.mappings.abandon(&self.hashes, id, external_source);
                }
                return Err(reason);
            }
        };
        let mut flow = Flow::new(original, reply, new.tcp, new.origin);
        let (source_mapping, port_group) = match held {
            PortHold::Nothing => (None, None),
            PortHold::Mapping(id, port_group) => (Some(id), port_group),
            PortHold::Shared => {
                flow.share_port();
                self.mappings.share(reply.protocol, reply.destination, reply.destination_port);
                (None, None)
            }
        };
        let NewFlow { mapping: destination_mapping, path, .. } = new;
        let groups = self.accounts.charge(&self.hashes, account, port_group);
        let holdings = Holdings { source_mapping, destination_mapping, groups, path };
        flow.count(Direction::Original, bytes);
        flow.set_deadline(now + self.lifetimes.of(&flow));
        let class = flow.class();
        let number = self.table.insert(now, &self.hashes, flow, holdings);
        self.accounts.requeue(groups, number, None, class);
        self.counts.created += 1;
        Ok(reply)
    }

    /// Whether a mapping still leads from where the flow was sent to where it goes.
    fn leads(&self, id: MappingId, new: &NewFlow) -> bool {
        self.mappings.get(id).is_some_and(|entry| {
            let sent = (new.original.destination, new.original.destination_port);
            entry.protocol == new.original.protocol
                && (entry.external, entry.external_port) == sent
                && (entry.inside, entry.inside_port) == new.to
        })
    }

    /// The flow's reply tuple, which no other flow has, and what the flow is to hold for it.
    fn translation(
        &mut self,
        now: Instant,
        new: &NewFlow,
        account: Account,
    ) -> Result<(Tuple, PortHold), DropReason> {
        let original = new.original;
        let forwarded = Tuple { destination: new.to.0, destination_port: new.to.1, ..original };
        let answer = forwarded.inverse();
        let Source::Translated { external, owner, policy } = new.source else {
            return self.kept_source(now, &original, answer);
        };
        let reply = Tuple { destination: external, ..answer };
        if !has_ports(original.protocol) {
            return self
                .unless_taken(now, &original, reply)
                .map(|reply| (reply, PortHold::Nothing));
        }
        if let Some(reply) = self.published_port(&original, reply, owner) {
            return Ok((reply, PortHold::Nothing));
        }
        let request = PortRequest {
            protocol: original.protocol,
            inside: original.source,
            inside_port: original.source_port,
            external,
            owner,
            policy,
            start: self.draw(),
        };
        match policy.mapping {
            Mapping::EndpointIndependent => {
                self.lent_port(now, &original, reply, &request, account)
            }
            Mapping::AddressAndPortDependent => self.shared_port(now, &original, reply, &request),
        }
    }

    /// The source itself, under another port where answers to its own would be another flow's: it
    /// speaks from one port to two listeners of one service.
    fn kept_source(
        &mut self,
        now: Instant,
        original: &Tuple,
        answer: Tuple,
    ) -> Result<(Tuple, PortHold), DropReason> {
        if self.is_unique(original, &answer) {
            return Ok((answer, PortHold::Nothing));
        }
        if !matches!(original.protocol, Protocol::TCP | Protocol::UDP) {
            return Err(DropReason::NatNoPort);
        }
        let wish = original.source_port;
        let allowed = PortPolicy::default().allowed_ports(original.protocol, wish);
        let start = self.draw();
        let port = self.find_unique(now, original, answer, |_, fits| {
            allowed.tries(wish, start).find(|port| fits(*port))
        });
        port.map(|reply| (reply, PortHold::Nothing))
    }

    /// A published endpoint is a mapping: what its owner says leaves from the port that leads to
    /// it.
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
        request: &PortRequest,
        account: Account,
    ) -> Result<(Tuple, PortHold), DropReason> {
        let port_group = self
            .mappings
            .port_group(request, |port_group| self.accounts.is_port_group_used(port_group));
        let (id, port) = self.acquire(now, request, account, port_group)?;
        let remote = original.destination;
        self.mappings.hold(&self.hashes, id, remote);
        let lent = with_port(reply, port);
        if self.is_unique(original, &lent) {
            return Ok((lent, PortHold::Mapping(id, port_group)));
        }
        self.mappings.abandon(&self.hashes, id, remote);
        // The endpoint has another flow with this remote, by another of its names: told apart by a
        // port of its own.
        self.shared_port(now, original, reply, request)
    }

    /// The endpoint's mapping. Where no port is left, others make room.
    fn acquire(
        &mut self,
        now: Instant,
        request: &PortRequest,
        account: Account,
        port_group: Option<u32>,
    ) -> Result<(MappingId, u16), DropReason> {
        let mut evicted = 0;
        loop {
            match self.mappings.acquire(now, &self.hashes, &self.listeners, request) {
                Err(_) if evicted < Self::MOST_EVICTED => {
                    evicted += 1;
                    let made =
                        port_group.and_then(|port_group| self.free_port(now, account, port_group));
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
        request: &PortRequest,
    ) -> Result<(Tuple, PortHold), DropReason> {
        let port = self.find_unique(now, original, reply, |ports, fits| {
            ports.mappings.find_shareable(ports.listeners, request, fits)
        });
        port.map(|reply| (reply, PortHold::Shared))
    }

    /// `reply` with a port from `search` with which it is unique. Where there is none, a flow with
    /// this remote makes room.
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
                let class = taken.and_then(|flow| evictable(now, lifetimes, flow));
                reply != *original
                    && (taken.is_none() || class.is_some_and(|class| Some(class) <= least))
            };
            let mut ports = Ports { mappings: &mut self.mappings, listeners: &self.listeners };
            let Some(port) = search(&mut ports, &mut fits) else { continue };
            let reply = with_port(reply, port);
            if let Some((id, _)) = self.table.find(&self.hashes, &reply) {
                self.end(now, id);
                self.counts.evicted += 1;
            }
            return Ok(reply);
        }
        Err(DropReason::NatNoPort)
    }

    /// Whether neither packets of another flow nor the flow's own on their way in look like
    /// `reply`.
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
