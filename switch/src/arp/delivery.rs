//! Step 8 of a packet's life: to a MAC address, or wait (bounded) for one; and how the waiting
//! ends.

use packet::icmp::IcmpError;
use packet::{DropReason, Dropped, Frame, Instant, Mac, PortId};

use super::{Arp, ask};
use crate::context::Context;
use crate::interface::Link;
use crate::neighbors::{Account, Key, NeighborView, Resolution};
use crate::pending::Waiting;
use crate::router::Hop;
use crate::station::Location;
use crate::stats::Fate;
use crate::trace::{Note, Part};

impl Arp {
    /// Step 8: gives a packet to its next hop, or lets it wait until that has a MAC address. `from`
    /// is the port that it came in on, none for the router's own.
    #[inline(always)]
    pub(crate) fn deliver(
        &mut self,
        now: Instant,
        frame: Frame,
        hop: Hop,
        from: Option<PortId>,
        ctx: &mut Context<'_>,
    ) -> Result<Fate, Dropped> {
        let key = Key::new(hop.interface, hop.next);
        ctx.trace.note(|| Note::next_hop(key, &self.neighbors));
        let mac = match self.neighbors.resolve(now, key, Account::from(from)) {
            Resolution::Known(mac) => mac,
            Resolution::KnownAsk(mac) => {
                ask(key, Some(mac), ctx);
                mac
            }
            Resolution::Ask { evicted } => {
                self.end_evicted(evicted, ctx);
                ask(key, None, ctx);
                return self.hold(key, frame, from, ctx);
            }
            Resolution::Wait => return self.hold(key, frame, from, ctx),
            Resolution::Unreachable => return Err(frame.refuse(DropReason::NoNeighbor)),
            Resolution::Full => return Err(frame.refuse(DropReason::NeighborTableFull)),
        };
        ctx.transmit(hop.interface, mac, frame)
    }

    /// Lets a packet wait, in a buffer of its own size.
    fn hold(
        &mut self,
        key: Key,
        frame: Frame,
        from: Option<PortId>,
        ctx: &mut Context<'_>,
    ) -> Result<Fate, Dropped> {
        let waiting = Waiting { frame: frame.compact(), from };
        ctx.out.pool.give(frame);
        ctx.stats.totals.held += u64::from(waiting.from.is_some());
        let (lost, refused) = self.pending.push(key, waiting);
        ctx.trace.note(|| Note::waits(key, &self.pending, lost, from));
        for port in refused.into_iter().filter_map(|refused| refused.from) {
            ctx.stats.drop_held(port, DropReason::NeighborQueueFull, 1);
        }
        Ok(Fate::Held)
    }

    /// Sends what waited for a neighbour.
    pub(super) fn release(&mut self, key: Key, mac: Mac, ctx: &mut Context<'_>) {
        let (waiting, first) = (self.pending.take(key), ctx.out.len());
        if !waiting.is_empty() {
            let (address, packets) = (key.address(), waiting.len());
            ctx.trace.note(|| Note::Released { address, packets });
        }
        for Waiting { frame, from } in waiting {
            match (ctx.transmit(key.interface(), mac, frame), from) {
                (Ok(fate), Some(_)) => ctx.stats.release(fate, 1),
                (Err(dropped), Some(port)) => {
                    ctx.stats.drop_held(port, dropped.reason, 1);
                    match ctx.error_of(&dropped, key.interface()) {
                        Some(error) => ctx.out.report(dropped.frame, error),
                        None => ctx.out.pool.give(dropped.frame),
                    }
                }
                (_, None) => {}
            }
        }
        ctx.trace.sent(first, ctx.out.len(), Part::Released);
    }

    /// Ends what waits for a neighbour that is gone or silent.
    pub(super) fn give_up(&mut self, key: Key, ctx: &mut Context<'_>) {
        for Waiting { frame, from } in self.pending.take(key) {
            let Some(port) = from else { continue };
            ctx.stats.drop_held(port, DropReason::NoNeighbor, 1);
            ctx.out.report(frame, IcmpError::HostUnreachable);
        }
    }

    /// Ends what waits for a neighbour that gave way to another. Nobody is told: whoever asks for
    /// many would be.
    #[cold]
    pub(super) fn end_evicted(&mut self, evicted: Option<Key>, ctx: &mut Context<'_>) {
        let Some(key) = evicted else { return };
        for Waiting { from, .. } in self.pending.take(key) {
            if let Some(port) = from {
                ctx.stats.drop_held(port, DropReason::NeighborTableFull, 1);
            }
        }
    }

    /// Binds a neighbour to a MAC address for good, and sends what waited for it.
    /// Changes nothing where the table is full of such.
    pub(crate) fn pin(&mut self, key: Key, mac: Mac, ctx: &mut Context<'_>) {
        let Ok(evicted) = self.neighbors.pin(key, mac) else { return };
        self.end_evicted(evicted, ctx);
        self.release(key, mac, ctx);
    }

    /// Forgets all neighbours that `forget` names, static ones only where it names them too.
    pub(crate) fn forget(&mut self, forget: impl Fn(&NeighborView) -> bool, ctx: &mut Context<'_>) {
        for key in self.neighbors.flush(forget) {
            self.give_up(key, ctx);
        }
    }

    /// Forgets the neighbours behind a port, or behind the part of it that is `gone`: they are
    /// asked for anew wherever they are now. A station of the port's bridge that is known nowhere
    /// may have been there.
    pub(crate) fn forget_behind(
        &mut self,
        port: PortId,
        gone: impl Fn(Location) -> bool,
        ctx: &mut Context<'_>,
    ) {
        let (interfaces, bridges) = (ctx.interfaces, ctx.bridges);
        let was_there = |neighbor: &NeighborView| {
            let own = interfaces.get(neighbor.interface).filter(|_| !neighbor.is_static());
            match own.zip(neighbor.mac).map(|(own, mac)| (own.link, mac)) {
                Some((Link::Port(at), _)) => at == port,
                Some((Link::Vlan { bridge, vlan }, mac)) => {
                    bridges.get(bridge).is_some_and(|bridge| {
                        let place = bridge.fdb.find(mac, vlan);
                        place.map_or_else(|| bridge.ports.contains(&port), &gone)
                    })
                }
                None => false,
            }
        };
        self.forget(was_there, ctx);
    }

    /// Forgets one neighbour.
    pub(crate) fn remove(&mut self, key: Key, ctx: &mut Context<'_>) {
        self.neighbors.remove(key);
        self.give_up(key, ctx);
    }
}
