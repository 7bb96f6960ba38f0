//! Answering ARP for stations beyond a tunnel, so that the question need not go to every far end.
//!
//! # Theory of operation
//! On bridges that ask for it, every ARP packet teaches who has which address. A request from a local port is answered
//! here, in the name of the station asked for, when the forwarding database knows that station beyond a tunnel; the
//! router's neighbour table is asked too. An answer is only as old as the station's own entry, since a station that
//! the forwarding database has forgotten is asked for again.

use core::net::Ipv4Addr;

use packet::arp::{Arp, Operation};
use packet::{BridgeId, Ethernet, Instant, Mac};

use crate::bridge::Ingress;
use crate::interface::Origin;
use crate::neighbors::Key;
use crate::outbox::Outbox;
use crate::port::Role;
use crate::station::{Location, Segment};
use crate::switch::Switch;
use crate::trace::{Note, Part};

impl Switch {
    /// Hears an ARP packet on a bridge for the router, and where a tunnel asks for that, answers in the name of a station
    /// beyond it: then nothing is left to do. Otherwise says whether the router heard it.
    pub(crate) fn snoop_arp(
        &mut self,
        now: Instant,
        ethernet: &Ethernet,
        segment: Segment,
        from: Location,
        out: &mut Outbox,
    ) -> Option<bool> {
        let interface = self.router.interfaces.on(segment.bridge, segment.vlan);
        let origin = from.port().zip(interface).map(|(port, interface)| Origin { port, interface });
        let heard = origin.is_some_and(|origin| self.arp_input(now, ethernet, origin, out));
        if !self.suppresses(segment.bridge) {
            return Some(heard);
        }
        let arp = Arp::parse(ethernet.payload());
        let is_own = |arp: &Arp| arp.sender_mac == ethernet.source() && arp.sender_mac.is_station();
        let Some(arp) = arp.filter(is_own) else { return Some(heard) };
        if !arp.is_probe() {
            self.arp_snoop.learn(now, (segment, arp.sender), arp.sender_mac, &self.bridges);
        }
        (!self.answers_for_another(&arp, segment, from, out)).then_some(heard)
    }

    /// Answers a request for a station that is known to be beyond a tunnel; whether it did.
    fn answers_for_another(
        &mut self,
        arp: &Arp,
        segment: Segment,
        from: Location,
        out: &mut Outbox,
    ) -> bool {
        let asks = arp.operation == Operation::Request && arp.target != arp.sender;
        // The router answers for its own addresses, whoever else may have claimed them.
        if !asks || from.is_peer() || self.is_routers(segment, arp.target) {
            return false;
        }
        let Some(mac) = self.known_beyond(segment, arp.target, from) else { return false };
        let reply = Arp {
            operation: Operation::Reply,
            sender_mac: mac,
            sender: arp.target,
            target_mac: arp.sender_mac,
            target: arp.sender,
        };
        let mut frame = out.pool.take();
        let Some(bridge) =
            self.bridges.get(segment.bridge).filter(|_| reply.emit(&mut frame, arp.sender_mac))
        else {
            out.pool.give(frame);
            return false;
        };
        let ingress = Ingress { vlan: segment.vlan, from: None };
        let first = out.len();
        match bridge.forward(&self.ports, ingress, from, frame, out) {
            Ok(_) => {
                self.stats.totals.spoken += 1;
                self.trace.note(|| Note::AnsweredFor { address: arp.target, mac });
                self.trace.sent(first, out.len(), Part::Spoken);
                true
            }
            Err(dropped) => {
                out.pool.give(dropped.frame);
                false
            }
        }
    }

    fn is_routers(&self, segment: Segment, address: Ipv4Addr) -> bool {
        let own = self.router.interfaces.on(segment.bridge, segment.vlan);
        own.and_then(|id| self.router.interfaces.get(id)).is_some_and(|own| own.owns(address))
    }

    fn suppresses(&self, bridge: BridgeId) -> bool {
        let members = self.bridges.get(bridge).map_or(&[][..], |bridge| &bridge.ports);
        members.iter().filter_map(|port| self.ports.get(*port)).any(
            |port| matches!(&port.settings.role, Role::Tunnel(_, tunnel) if tunnel.suppress_arp),
        )
    }

    /// The MAC address of who has `address`, when that station is beyond a tunnel that asks for suppression and that
    /// `asker` may talk to.
    fn known_beyond(&self, segment: Segment, address: Ipv4Addr, asker: Location) -> Option<Mac> {
        let heard = self.arp_snoop.find(segment, address);
        let neighbor = || {
            let interface = self.router.interfaces.on(segment.bridge, segment.vlan)?;
            self.router.neighbors.known(Key::new(interface, address))
        };
        let mac = heard.or_else(neighbor)?;
        let place = self.bridges.get(segment.bridge)?.fdb.find(mac, segment.vlan)?;
        let role = |place: Location| Some(&self.ports.get(place.port()?)?.settings.role);
        let isolated = |place: Location| {
            role(place).and_then(Role::membership).is_some_and(|member| member.isolated)
        };
        let suppresses = matches!(role(place), Some(Role::Tunnel(_, far)) if far.suppress_arp);
        (place.is_peer() && suppresses && !(isolated(place) && isolated(asker))).then_some(mac)
    }
}
