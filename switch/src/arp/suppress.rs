//! Answering ARP for stations beyond a tunnel, so that the question need not go to every VTEP.
//!
//! # Theory of operation
//! On bridges that ask for it, every ARP packet teaches who has which address. A request from a
//! local port is answered here, in the name of the station asked for, when the forwarding database
//! knows that station beyond a tunnel; the router's neighbour table is asked too. An answer is only
//! as old as the station's own entry, since a station that the forwarding database has forgotten is
//! asked for again.

use core::net::Ipv4Addr;

use packet::arp::{Arp as Packet, Operation};
use packet::{BridgeId, Ethernet, Instant, Mac};

use super::Arp;
use crate::bridge::Ingress;
use crate::context::Context;
use crate::interface::Origin;
use crate::neighbors::Key;
use crate::port::Role;
use crate::station::{Location, Segment};
use crate::trace::{Note, Part};

impl Arp {
    /// Hears an ARP packet on a bridge for the router, and where a tunnel asks for that, answers in
    /// the name of a station beyond it: then nothing is left to do. Otherwise says whether the
    /// router heard it.
    pub(crate) fn input_bridged(
        &mut self,
        now: Instant,
        ethernet: &Ethernet,
        segment: Segment,
        from: Location,
        ctx: &mut Context<'_>,
    ) -> Option<bool> {
        let interface = ctx.interfaces.on(segment.bridge, segment.vlan);
        let origin = from.port().zip(interface).map(|(port, interface)| Origin { port, interface });
        let heard = origin.is_some_and(|origin| self.input(now, ethernet, origin, ctx));
        if !suppresses(segment.bridge, ctx) {
            return Some(heard);
        }
        let arp = Packet::parse(ethernet.payload());
        let is_own =
            |arp: &Packet| arp.sender_mac == ethernet.source() && arp.sender_mac.is_station();
        let Some(arp) = arp.filter(is_own) else { return Some(heard) };
        if !arp.is_probe() {
            self.snooped.learn(now, (segment, arp.sender), arp.sender_mac, ctx.bridges);
        }
        (!self.answers_for_another(&arp, segment, from, ctx)).then_some(heard)
    }

    /// Answers a request for a station that is known to be beyond a tunnel; whether it did.
    fn answers_for_another(
        &self,
        arp: &Packet,
        segment: Segment,
        from: Location,
        ctx: &mut Context<'_>,
    ) -> bool {
        let asks = arp.operation == Operation::Request && arp.target != arp.sender;
        // The router answers for its own addresses, whoever else may have claimed them.
        if !asks || from.is_remote() || is_routers(segment, arp.target, ctx) {
            return false;
        }
        let Some(mac) = self.known_beyond(segment, arp.target, from, ctx) else { return false };
        let reply = Packet {
            operation: Operation::Reply,
            sender_mac: mac,
            sender: arp.target,
            target_mac: arp.sender_mac,
            target: arp.sender,
        };
        let mut frame = ctx.out.pool.take();
        let Some(bridge) =
            ctx.bridges.get(segment.bridge).filter(|_| reply.emit(&mut frame, arp.sender_mac))
        else {
            ctx.out.pool.give(frame);
            return false;
        };
        let ingress = Ingress { vlan: segment.vlan, from: None };
        let first = ctx.out.len();
        match bridge.forward(ctx.ports, ingress, from, frame, ctx.out) {
            Ok(_) => {
                ctx.stats.totals.spoken += 1;
                ctx.trace.note(|| Note::AnsweredFor { address: arp.target, mac });
                ctx.trace.sent(first, ctx.out.len(), Part::Spoken);
                true
            }
            Err(dropped) => {
                ctx.out.pool.give(dropped.frame);
                false
            }
        }
    }

    /// The MAC address of who has `address`, when that station is beyond a tunnel that asks for
    /// suppression and that `asker` may talk to.
    fn known_beyond(
        &self,
        segment: Segment,
        address: Ipv4Addr,
        asker: Location,
        ctx: &Context<'_>,
    ) -> Option<Mac> {
        let heard = self.snooped.find(segment, address);
        let neighbor = || {
            let interface = ctx.interfaces.on(segment.bridge, segment.vlan)?;
            self.neighbors.known(Key::new(interface, address))
        };
        let mac = heard.or_else(neighbor)?;
        let place = ctx.bridges.get(segment.bridge)?.fdb.find(mac, segment.vlan)?;
        let role = |place: Location| Some(&ctx.ports.get(place.port()?)?.settings.role);
        let isolated = |place: Location| {
            role(place).and_then(Role::membership).is_some_and(|member| member.isolated)
        };
        let suppresses = matches!(role(place), Some(Role::Tunnel(_, far)) if far.suppress_arp);
        (place.is_remote() && suppresses && !(isolated(place) && isolated(asker))).then_some(mac)
    }
}

fn is_routers(segment: Segment, address: Ipv4Addr, ctx: &Context<'_>) -> bool {
    let own = ctx.interfaces.on(segment.bridge, segment.vlan);
    own.and_then(|id| ctx.interfaces.get(id)).is_some_and(|own| own.owns(address))
}

fn suppresses(bridge: BridgeId, ctx: &Context<'_>) -> bool {
    let members = ctx.bridges.get(bridge).map_or(&[][..], |bridge| &bridge.ports);
    members
        .iter()
        .filter_map(|port| ctx.ports.get(*port))
        .any(|port| matches!(&port.settings.role, Role::Tunnel(_, tunnel) if tunnel.suppress_arp))
}
