//! What the router hears, answers and asks in ARP (RFC 826, RFC 5227).

use core::net::Ipv4Addr;
use core::time::Duration;

use packet::arp::{Arp, Operation};
use packet::{Ethernet, Instant, InterfaceId, Mac, PortId};

use crate::interface::{Interface, Link, Origin};
use crate::neighbors::{Account, Key, Merged, Neighbors};
use crate::outbox::{Notice, Outbox};
use crate::port::Role;
use crate::station::Location;
use crate::stats::Fate;
use crate::switch::Switch;
use crate::trace::{Heard, Note};

mod delivery;
mod suppress;

/// At most one defence of an address in this time (RFC 5227 section 2.4 c, DEFEND_INTERVAL).
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// A port is told of at most this often when the router's own MAC address comes in there.
const BETWEEN_TELLINGS: Duration = Duration::from_secs(60);

/// What came of an ARP packet.
#[derive(Debug, Default)]
struct ArpOutcome {
    /// What to answer, and to whom.
    answer: Option<(Arp, Mac)>,
    /// The sender, and what became of it in the neighbour table.
    merged: Option<(Key, Merged)>,
    /// A station that claims this address of ours; told once per [`DEFEND_INTERVAL`].
    conflict: Option<Ipv4Addr>,
    /// Whether the sender field contradicts the frame's source, or is no station's.
    suspicious: bool,
    /// Whether a station claims an address of ours.
    claimed: bool,
}

impl ArpOutcome {
    const fn view(&self) -> Heard {
        match self {
            Self { suspicious: true, .. } => Heard::Suspicious,
            Self { claimed: true, .. } => Heard::Conflict,
            Self { merged: Some((_, Merged::Claimed { .. })), .. } => Heard::Doubted,
            Self { answer: Some(_), .. } => Heard::Answered,
            Self { answer: None, .. } => Heard::Taken,
        }
    }
}

/// Takes in an ARP packet that came from `source` on an interface.
fn process(
    now: Instant,
    arp: &Arp,
    source: Mac,
    origin: Origin,
    interface: &mut Interface,
    neighbors: &mut Neighbors,
) -> ArpOutcome {
    let mut hearing = ArpOutcome::default();
    if arp.sender_mac != source || !arp.sender_mac.is_station() {
        hearing.suspicious = true;
        return hearing;
    }
    let own = &interface.settings;
    if own.owns(arp.sender) {
        hearing.claimed = true;
        let quiet = interface.defended.is_none_or(|at| now.since(at) >= DEFEND_INTERVAL);
        if quiet {
            hearing.conflict = Some(arp.sender);
            hearing.answer = Some((announcement(own.mac, arp.sender), Mac::BROADCAST));
            interface.defended = Some(now);
        }
        return hearing;
    }
    let for_us = own.owns(arp.target);
    if !arp.is_probe() {
        let key = Key::new(origin.interface, arp.sender);
        let answered = arp.operation == Operation::Reply && for_us;
        // A route onto the segment may lead beyond our subnets: whoever was asked there may answer.
        let adds = for_us && arp.operation == Operation::Request && own.reaches(arp.sender);
        let account = adds.then_some(Account::from(Some(origin.port)));
        let merged = neighbors.update(now, key, arp.sender_mac, answered, account);
        hearing.merged = Some((key, merged));
    }
    if for_us && arp.operation == Operation::Request {
        let reply = Arp {
            operation: Operation::Reply,
            sender_mac: own.mac,
            sender: arp.target,
            target_mac: arp.sender_mac,
            target: arp.sender,
        };
        hearing.answer = Some((reply, arp.sender_mac));
    }
    hearing
}

/// The question "who has `target`?".
const fn request(own: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Arp {
    let operation = Operation::Request;
    Arp { operation, sender_mac: own, sender, target_mac: Mac::ZERO, target }
}

/// "`address` is mine" to everybody (RFC 5227 section 2.3).
const fn announcement(own: Mac, address: Ipv4Addr) -> Arp {
    request(own, address, address)
}

impl Switch {
    /// Hears an ARP packet, and answers when it asks for us; `false` when it is none.
    pub(crate) fn arp_input(
        &mut self,
        now: Instant,
        ethernet: &Ethernet,
        origin: Origin,
        out: &mut Outbox,
    ) -> bool {
        let Some(packet) = Arp::parse(ethernet.payload()) else {
            return false;
        };
        let id = origin.interface;
        let Some(interface) = self.router.interfaces.state(id) else {
            return false;
        };
        let neighbors = &mut self.router.neighbors;
        let key = Key::new(id, packet.sender);
        let known = neighbors.one(key);
        let hearing = process(now, &packet, ethernet.source(), origin, interface, neighbors);
        self.trace.note(|| {
            let (hearing, now) = (hearing.view(), neighbors.one(key));
            Note::Arp { interface: id, arp: packet, hearing, known, now }
        });
        self.stats.totals.arp_suspicious += u64::from(hearing.suspicious);
        self.stats.totals.arp_conflicts += u64::from(hearing.claimed);
        if let Some(address) = hearing.conflict {
            out.notice(Notice::AddressConflict {
                interface: id,
                address,
                station: packet.sender_mac,
            });
        }
        if let Some((answer, to)) = hearing.answer {
            self.send_arp(id, &answer, to, out);
        }
        if let Some((key, merged)) = hearing.merged {
            self.follow(now, key, packet.sender_mac, merged, out);
        }
        true
    }

    /// Does what follows when `mac` speaks for a neighbour's address.
    fn follow(&mut self, now: Instant, key: Key, mac: Mac, merged: Merged, out: &mut Outbox) {
        let was = match merged {
            Merged::Same => return,
            Merged::Resolved { evicted } => {
                self.end_evicted(evicted);
                return self.release(now, key, mac, out);
            }
            Merged::Moved(was) => was,
            Merged::Claimed { known, ask } => {
                if ask {
                    self.ask(key, Some(known), out);
                }
                known
            }
        };
        if self.router.told.allow(now) {
            let (interface, address) = (key.interface(), key.address());
            let taken = matches!(merged, Merged::Moved(_));
            out.notice(Notice::NeighborMoved { interface, address, was, is: mac, taken });
        }
    }

    /// Tells a person that somebody else uses the router's MAC address, or that its frames come back.
    #[cold]
    pub(crate) fn notice_own_source(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        station: Mac,
        from: Location,
        out: &mut Outbox,
    ) {
        let Some(port) = from.port().and_then(|port| self.ports.get_mut(port)) else { return };
        if port.told.is_none_or(|at| now.since(at) >= BETWEEN_TELLINGS) {
            port.told = Some(now);
            out.notice(Notice::OwnSource { interface, station, from });
        }
    }

    /// Sends an ARP packet of our own.
    fn send_arp(&mut self, interface: InterfaceId, arp: &Arp, to: Mac, out: &mut Outbox) {
        let mut frame = out.pool.take();
        if arp.emit(&mut frame, to) {
            self.context(out).send_own(interface, frame);
        }
    }

    /// Asks who has an address: everybody, or the station that had it last.
    pub(crate) fn ask(&mut self, key: Key, to: Option<Mac>, out: &mut Outbox) {
        let Some(own) = self.router.interfaces.get(key.interface()) else {
            return;
        };
        let Some(sender) = own.address_towards(key.address()) else {
            return;
        };
        let request = request(own.mac, sender, key.address());
        self.send_arp(key.interface(), &request, to.unwrap_or(Mac::BROADCAST), out);
    }

    /// Tells everybody on a port that has come up which addresses are ours.
    pub(crate) fn announce_on(&mut self, port: PortId, out: &mut Outbox) {
        let Some(settings) = self.ports.get(port).filter(|port| port.up).map(|port| &port.settings)
        else {
            return;
        };
        for (_, own) in self.router.interfaces.iter() {
            let tag = match (&settings.role, own.link) {
                (Role::Routed { .. }, Link::Port(at)) if at == port => None,
                (role, Link::Vlan { bridge, vlan }) => match role.membership() {
                    Some(member) if member.bridge == bridge && member.vlans.carries(vlan, None) => {
                        member.vlans.tag(vlan, None, member.priority_tags)
                    }
                    _ => continue,
                },
                _ => continue,
            };
            for net in &own.addresses {
                let mut frame = out.pool.take();
                let copies = out.copies();
                if announcement(own.mac, net.addr()).emit(&mut frame, Mac::BROADCAST) {
                    out.copy_all(port, &settings.role, tag);
                }
                self.stats.totals.spoken += u64::from(out.send(copies, frame).is_ok());
            }
        }
    }

    /// Tells everybody on a port's segment, the router too, that the station behind it has an address.
    pub(crate) fn announce_for(
        &mut self,
        now: Instant,
        port: PortId,
        mac: Mac,
        address: Ipv4Addr,
        out: &mut Outbox,
    ) {
        let mut frame = out.pool.take();
        if !announcement(mac, address).emit(&mut frame, Mac::BROADCAST) {
            return out.pool.give(frame);
        }
        match self.ingress(now, Location::Port(port), frame, out) {
            Ok(fate) => self.stats.totals.spoken += u64::from(fate == Fate::Sent),
            Err(unheard) => out.pool.give(unheard.frame),
        }
    }

    /// Tells everybody on a segment which addresses are ours.
    pub(crate) fn announce(&mut self, interface: InterfaceId, out: &mut Outbox) {
        let Some(own) = self.router.interfaces.get(interface) else {
            return;
        };
        let mac = own.mac;
        for net in own.addresses.clone() {
            self.send_arp(interface, &announcement(mac, net.addr()), Mac::BROADCAST, out);
        }
    }
}
