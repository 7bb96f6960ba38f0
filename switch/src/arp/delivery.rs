//! Step 8 of a packet's life: to a MAC address, or wait (bounded) for one; then out on the segment.

use nat::Rules;
use packet::icmp::IcmpError;
use packet::{DropReason, Dropped, Frame, Instant, InterfaceId, Ip, Mac, PortId};

use crate::inside;
use crate::interface::Link;
use crate::neighbors::{Account, Due, Key, NeighborView, Resolution};
use crate::outbox::Outbox;
use crate::pending::Waiting;
use crate::router::Hop;
use crate::station::Location;
use crate::stats::Fate;
use crate::switch::Switch;
use crate::trace::{Note, Part};

impl Switch {
    /// Step 8: gives a packet to its next hop, or lets it wait until that has a MAC address.
    pub(crate) fn deliver(
        &mut self,
        now: Instant,
        frame: Frame,
        hop: Hop,
        from: Option<PortId>,
        out: &mut Outbox,
    ) -> Result<Fate, Dropped> {
        let key = Key::new(hop.interface, hop.next);
        self.trace.note(|| Note::next_hop(key, &self.router.neighbors));
        let mac = match self.router.neighbors.resolve(now, key, Account::from(from)) {
            Resolution::Known(mac) => mac,
            Resolution::KnownAsk(mac) => {
                self.ask(key, Some(mac), out);
                mac
            }
            Resolution::Ask { evicted } => {
                self.end_evicted(evicted);
                self.ask(key, None, out);
                return self.hold(key, frame, from, out);
            }
            Resolution::Wait => return self.hold(key, frame, from, out),
            Resolution::Unreachable => return Err(frame.refuse(DropReason::NoNeighbor)),
            Resolution::Full => return Err(frame.refuse(DropReason::NeighborTableFull)),
        };
        self.context(out).transmit(hop.interface, mac, frame)
    }

    /// Lets a packet wait, in a buffer of its own size.
    fn hold(
        &mut self,
        key: Key,
        frame: Frame,
        from: Option<PortId>,
        out: &mut Outbox,
    ) -> Result<Fate, Dropped> {
        let waiting = Waiting { frame: frame.compact(), from };
        out.pool.give(frame);
        self.stats.totals.held += u64::from(waiting.from.is_some());
        let (lost, refused) = self.router.pending.push(key, waiting);
        self.trace.note(|| Note::waits(key, &self.router.pending, lost, from));
        for port in refused.into_iter().filter_map(|refused| refused.from) {
            self.stats.drop_held(port, DropReason::NeighborQueueFull, 1);
        }
        Ok(Fate::Held)
    }

    /// Sends what waited for a neighbour.
    pub(crate) fn release(&mut self, now: Instant, key: Key, mac: Mac, out: &mut Outbox) {
        let (waiting, first) = (self.router.pending.take(key), out.len());
        if !waiting.is_empty() {
            let (address, packets) = (key.address(), waiting.len());
            self.trace.note(|| Note::Released { address, packets });
        }
        for Waiting { frame, from } in waiting {
            match (self.context(out).transmit(key.interface(), mac, frame), from) {
                (Ok(fate), Some(_)) => self.stats.release(fate, 1),
                (Err(dropped), Some(port)) => {
                    self.stats.drop_held(port, dropped.reason, 1);
                    self.report_lost(now, &dropped, key.interface(), out);
                    out.pool.give(dropped.frame);
                }
                (_, None) => {}
            }
        }
        self.trace.sent(first, out.len(), Part::Released);
    }

    /// Ends what waits for a neighbour that is gone or silent.
    pub(crate) fn give_up(&mut self, now: Instant, key: Key, out: &mut Outbox) {
        for Waiting { frame, from } in self.router.pending.take(key) {
            let Some(port) = from else { continue };
            self.stats.drop_held(port, DropReason::NoNeighbor, 1);
            self.send_icmp_error(now, &frame, None, IcmpError::HostUnreachable, out);
        }
    }

    /// Forgets the neighbours behind a port, or behind the part of it that is `gone`: they are asked for anew wherever
    /// they are now. A station of the port's bridge that is known nowhere may have been there.
    pub(crate) fn forget_neighbors_behind(
        &mut self,
        now: Instant,
        port: PortId,
        gone: impl Fn(Location) -> bool,
        out: &mut Outbox,
    ) {
        let (interfaces, bridges) = (&self.router.interfaces, &self.bridges);
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
        for key in self.router.neighbors.flush(was_there) {
            self.give_up(now, key, out);
        }
    }

    /// Ends what waits for a neighbour that gave way to another. Nobody is told: whoever asks for many would be.
    pub(crate) fn end_evicted(&mut self, evicted: Option<Key>) {
        let Some(key) = evicted else { return };
        for Waiting { from, .. } in self.router.pending.take(key) {
            if let Some(port) = from {
                self.stats.drop_held(port, DropReason::NeighborTableFull, 1);
            }
        }
    }

    /// Ends what waits to leave with a source that the rules translate now and did not `before`: it has passed NAT, and
    /// no rule may come too late for it.
    pub(crate) fn end_untranslated(&mut self, before: &Rules, out: &mut Outbox) {
        let (rules, routes) = (self.nat.rules(), &self.router.routes);
        let leaks = |key: Key, frame: &Frame| {
            let Some((_, Ip::V4(ip))) = Ip::in_frame(frame.bytes()) else { return false };
            let ends = (ip.source(), ip.destination());
            let shows = |rules: &Rules| inside::shows(rules, routes, ends, key.interface());
            shows(rules) && !shows(before)
        };
        for Waiting { frame, from } in self.router.pending.remove(leaks) {
            if let Some(port) = from {
                self.stats.drop_held(port, DropReason::NatNoFlow, 1);
            }
            out.pool.give(frame);
        }
    }

    pub(crate) fn expire_neighbors(&mut self, now: Instant, out: &mut Outbox) {
        while let Some(due) = self.router.neighbors.due(now) {
            match due {
                Due::Ask(key) => self.ask(key, None, out),
                Due::Probe(key, mac) => self.ask(key, Some(mac), out),
                Due::GaveUp(key) => self.give_up(now, key, out),
            }
        }
    }

    /// Tells the sender of a packet that NAT has passed and that cannot leave, where it should hear of it.
    #[cold]
    pub(crate) fn report_lost(
        &mut self,
        now: Instant,
        dropped: &Dropped,
        interface: InterfaceId,
        out: &mut Outbox,
    ) {
        if let Some(error) = self.context(out).error_of(dropped, interface) {
            self.send_icmp_error(now, &dropped.frame, None, error, out);
        }
    }
}
