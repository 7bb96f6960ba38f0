//! Announcements: "this address is mine", to everybody on a segment (RFC 5227 section 2.3).

use core::net::Ipv4Addr;

use packet::arp::Arp as Packet;
use packet::{InterfaceId, Mac, PortId};

use super::{Arp, request, send};
use crate::context::Context;
use crate::interface::Link;
use crate::port::Role;

/// "`address` is mine".
pub(crate) const fn announcement(own: Mac, address: Ipv4Addr) -> Packet {
    request(own, address, address)
}

impl Arp {
    /// Tells everybody on a segment which addresses are ours.
    pub(crate) fn announce(&self, interface: InterfaceId, ctx: &mut Context<'_>) {
        let Some(own) = ctx.interfaces.get(interface) else {
            return;
        };
        for net in &own.addresses {
            send(interface, &announcement(own.mac, net.addr()), Mac::BROADCAST, ctx);
        }
    }

    /// Tells everybody on a port that has come up which addresses are ours.
    pub(crate) fn announce_on(&self, port: PortId, ctx: &mut Context<'_>) {
        let Some(settings) = ctx.ports.get(port).filter(|port| port.up).map(|port| &port.settings)
        else {
            return;
        };
        for (_, own) in ctx.interfaces.iter() {
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
                let mut frame = ctx.out.pool.take();
                let copies = ctx.out.copies();
                if announcement(own.mac, net.addr()).emit(&mut frame, Mac::BROADCAST) {
                    ctx.out.copy_all(port, &settings.role, tag);
                }
                ctx.stats.totals.spoken += u64::from(ctx.out.send(copies, frame).is_ok());
            }
        }
    }
}
