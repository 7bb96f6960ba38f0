//! What ARP makes of a packet that it hears: whom it learns, what it answers, and what follows for
//! packets that wait.

use core::net::Ipv4Addr;
use core::time::Duration;

use packet::arp::{Arp as Packet, Operation};
use packet::{Ethernet, Instant, Mac};

use super::{Arp, announcement, ask, send};
use crate::context::Context;
use crate::interface::{InterfaceSettings, Origin};
use crate::neighbors::{Account, Key, Merged};
use crate::outbox::Notice;
use crate::trace::{ArpVerdict, Note};

/// At most one defence of an address in this time (RFC 5227 section 2.4 c, DEFEND_INTERVAL).
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// What came of an ARP packet.
#[derive(Debug, Default)]
struct Outcome {
    /// What to answer, and to whom.
    answer: Option<(Packet, Mac)>,
    /// The sender, and what became of it in the neighbour table.
    merged: Option<(Key, Merged)>,
    /// A station that claims this address of ours; told once per [`DEFEND_INTERVAL`].
    conflict: Option<Ipv4Addr>,
    /// Whether the sender field contradicts the frame's source, or is no station's.
    suspicious: bool,
    /// Whether a station claims an address of ours.
    claimed: bool,
}

impl Outcome {
    const fn verdict(&self) -> ArpVerdict {
        match self {
            Self { suspicious: true, .. } => ArpVerdict::Suspicious,
            Self { claimed: true, .. } => ArpVerdict::Conflict,
            Self { merged: Some((_, Merged::Claimed { .. })), .. } => ArpVerdict::Doubted,
            Self { answer: Some(_), .. } => ArpVerdict::Answered,
            Self { answer: None, .. } => ArpVerdict::Accepted,
        }
    }
}

impl Arp {
    /// Hears an ARP packet on an interface, and answers when it asks for us; `false` when it is
    /// none.
    pub(crate) fn input(
        &mut self,
        now: Instant,
        ethernet: &Ethernet,
        origin: Origin,
        ctx: &mut Context<'_>,
    ) -> bool {
        let Some(packet) = Packet::parse(ethernet.payload()) else {
            return false;
        };
        let interface = origin.interface;
        let Some(own) = ctx.interfaces.get(interface) else {
            return false;
        };
        let key = Key::new(interface, packet.sender);
        let known = self.neighbors.one(key);
        let outcome = self.process(now, &packet, ethernet.source(), origin, own);
        ctx.trace.note(|| {
            let (verdict, now) = (outcome.verdict(), self.neighbors.one(key));
            Note::Arp { interface, arp: packet, verdict, known, now }
        });
        ctx.stats.totals.arp_suspicious += u64::from(outcome.suspicious);
        ctx.stats.totals.arp_conflicts += u64::from(outcome.claimed);
        if let Some(address) = outcome.conflict {
            let station = packet.sender_mac;
            ctx.out.notice(Notice::AddressConflict { interface, address, station });
        }
        if let Some((answer, to)) = outcome.answer {
            send(interface, &answer, to, ctx);
        }
        if let Some((key, merged)) = outcome.merged {
            self.follow(now, key, packet.sender_mac, merged, ctx);
        }
        true
    }

    /// Takes in an ARP packet that came from `source` on an interface.
    fn process(
        &mut self,
        now: Instant,
        packet: &Packet,
        source: Mac,
        origin: Origin,
        own: &InterfaceSettings,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        if packet.sender_mac != source || !packet.sender_mac.is_station() {
            outcome.suspicious = true;
            return outcome;
        }
        if own.owns(packet.sender) {
            outcome.claimed = true;
            let last = self.defended.get(&origin.interface);
            if last.is_none_or(|at| now.since(*at) >= DEFEND_INTERVAL) {
                outcome.conflict = Some(packet.sender);
                outcome.answer = Some((announcement(own.mac, packet.sender), Mac::BROADCAST));
                self.defended.insert(origin.interface, now);
            }
            return outcome;
        }
        let for_us = own.owns(packet.target);
        if !packet.is_probe() {
            let key = Key::new(origin.interface, packet.sender);
            let answered = packet.operation == Operation::Reply && for_us;
            // A route onto the segment may lead beyond our subnets: whoever was asked there may
            // answer.
            let adds =
                for_us && packet.operation == Operation::Request && own.reaches(packet.sender);
            let account = adds.then_some(Account::from(Some(origin.port)));
            let merged = self.neighbors.update(now, key, packet.sender_mac, answered, account);
            outcome.merged = Some((key, merged));
        }
        if for_us && packet.operation == Operation::Request {
            let reply = Packet {
                operation: Operation::Reply,
                sender_mac: own.mac,
                sender: packet.target,
                target_mac: packet.sender_mac,
                target: packet.sender,
            };
            outcome.answer = Some((reply, packet.sender_mac));
        }
        outcome
    }

    /// Does what follows when `mac` speaks for a neighbour's address.
    fn follow(&mut self, now: Instant, key: Key, mac: Mac, merged: Merged, ctx: &mut Context<'_>) {
        let was = match merged {
            Merged::Same => return,
            Merged::Resolved { evicted } => {
                self.end_evicted(evicted, ctx);
                return self.release(key, mac, ctx);
            }
            Merged::Moved(was) => was,
            Merged::Claimed { known, ask: asks } => {
                if asks {
                    ask(key, Some(known), ctx);
                }
                known
            }
        };
        if self.told.allow(now) {
            let (interface, address) = (key.interface(), key.address());
            let taken = matches!(merged, Merged::Moved(_));
            ctx.out.notice(Notice::NeighborMoved { interface, address, was, is: mac, taken });
        }
    }
}
