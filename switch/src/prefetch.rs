//! Prefetch: what a batch of frames will look up, fetched before any of them needs it.

use core::hint::black_box;
use core::num::NonZeroU32;

use packet::ethernet::first_tag;
use packet::vlan::TPID_8021Q;
use packet::{EthernetHeader, Ip};

use crate::event::Event;
use crate::fdb::Fdb;
use crate::switch::Switch;

/// Frames prefetched at once.
const BATCH: usize = 64;

impl Switch {
    /// Reads what these events will look up in tables that are too large for the processor's nearer
    /// caches, so that the loads overlap in place of waiting for one another. Changes nothing but
    /// hints that it leaves with the frames, and may be left out. It pays for more than a few
    /// frames, and costs nothing while tables are small.
    pub fn prefetch(&self, events: &mut [Event]) {
        let far_stations = self.bridges.iter().any(|(_, bridge)| bridge.fdb.is_far());
        for batch in events.chunks_mut(BATCH) {
            if far_stations {
                self.prefetch_stations(batch);
            }
            if self.nat.needs_prefetch() {
                self.prefetch_flows(batch);
            }
        }
    }

    fn prefetch_stations(&self, batch: &[Event]) {
        let mut wanted = [None; BATCH];
        for (wanted, event) in wanted.iter_mut().zip(batch) {
            *wanted = self.station_hashes(event);
        }
        let mut read = 0;
        for (fdb, hashes) in wanted.iter().flatten() {
            read ^= fdb.touch(hashes[0]) ^ fdb.touch(hashes[1]);
        }
        black_box(read);
    }

    /// The database that a frame's stations are in, and what to look for there.
    fn station_hashes(&self, event: &Event) -> Option<(&Fdb, [u64; 2])> {
        let Event::Frame { port, frame } = event else { return None };
        let member = self.ports.get(*port)?.settings.role.membership()?;
        let fdb = &self.bridges.get(member.bridge)?.fdb;
        let header = EthernetHeader::of(frame.bytes())?;
        let tag = first_tag(frame.bytes()).filter(|tag| tag.tpid() == TPID_8021Q);
        let vlan = member.vlans.admit(tag).ok()?;
        let stations = [header.destination(), header.source()];
        Some((fdb, stations.map(|mac| fdb.hash(mac, vlan))))
    }

    fn prefetch_flows(&self, batch: &mut [Event]) {
        let mut hashes = [None; BATCH];
        for (hash, event) in hashes.iter_mut().zip(&*batch) {
            *hash = self.flow_hash(event);
        }
        let mut hints: [Option<NonZeroU32>; BATCH] = [None; BATCH];
        for (hint, hash) in hints.iter_mut().zip(hashes) {
            *hint = hash.and_then(|hash| self.nat.flow_hint(hash));
        }
        let mut read = 0;
        for (hint, event) in hints.iter().zip(batch) {
            if let Some(hint) = hint
                && let Event::Frame { frame, .. } = event
            {
                frame.set_flow_hint(Some(*hint));
                read ^= self.nat.prefetch(*hint);
            }
        }
        black_box(read);
    }

    fn flow_hash(&self, event: &Event) -> Option<u64> {
        let Event::Frame { frame, .. } = event else { return None };
        match Ip::in_frame(frame.bytes())? {
            (_, Ip::V4(packet)) => self.nat.flow_hash(packet),
            (_, Ip::V6(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use packet::{BridgeId, Frame, Instant, Mac, PortId, VlanId};

    use super::*;
    use crate::bridge::BridgeSettings;
    use crate::change::Change;
    use crate::outbox::Outbox;
    use crate::port::{Membership, PortSettings, Role};
    use crate::station::Location;
    use crate::vlan::{PriorityTags, VlanMode};

    #[test]
    fn a_frames_stations_are_read_where_their_look_up_begins() {
        let (bridge, port) = (BridgeId::new(0), PortId::new(1));
        let vlan = VlanId::new(10).unwrap();
        let (vlans, priority_tags) = (VlanMode::Access(vlan), PriorityTags::Never);
        let member = Membership { bridge, vlans, priority_tags, isolated: false };
        let role = Role::Bridged(member);
        let (mut switch, mut out) = (Switch::new(1), Outbox::new(1));
        for change in [
            Change::SetBridge(bridge, BridgeSettings::default()),
            Change::SetPort(port, PortSettings { role, mtu: 1500, guard: None }),
        ] {
            switch.apply(Instant::ZERO, change, &mut out).unwrap();
        }
        let (to, from) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
        let fdb = &mut switch.bridges.get_mut(bridge).unwrap().fdb;
        fdb.learn(Instant::ZERO, from, vlan, Location::Port(port)).unwrap();
        let frame = Frame::copied_from(&[&to.0[..], &from.0, &[0; 48]].concat());
        let (fdb, hashes) = switch.station_hashes(&Event::Frame { port, frame }).unwrap();
        assert_eq!(hashes, [to, from].map(|mac| fdb.hash(mac, vlan)));
        assert_eq!(hashes.map(|hash| fdb.touch(hash) != 0), [false, true]);
        assert!(switch.station_hashes(&Event::Timeout).is_none());
    }
}
