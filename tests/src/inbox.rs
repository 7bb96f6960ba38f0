//! What arrived at the ends of cables, and what the switch counted and said.

use packet::DropReason;
use switch::Notice;

use crate::lab::Lab;
use crate::wire::{Packet, Seen};

impl Lab {
    /// Takes all frames that arrived at the end of a port's cable. A host gives only ICMP.
    pub fn take(&mut self, port: &str) -> Vec<Seen> {
        let port = self.names.port(port);
        core::mem::take(&mut self.cable(port).inbox)
    }

    /// Takes all frames that arrived, and gives the IPv4 packets in them.
    pub fn packets(&mut self, port: &str) -> Vec<Packet> {
        self.take(port).iter().filter_map(Seen::packet).collect()
    }

    /// The one IPv4 packet that arrived.
    ///
    /// # Panics
    /// None or several arrived.
    pub fn packet(&mut self, port: &str) -> Packet {
        let mut packets = self.packets(port);
        assert_eq!(
            packets.len(),
            1,
            "one packet at {port}, not {packets:?}; drops {:?}",
            self.drops()
        );
        packets.remove(0)
    }

    /// Takes all that arrived anywhere, and gives the name of a port for each frame there, by port.
    pub fn heard(&mut self) -> Vec<String> {
        let counts = self.cables.iter().map(|(port, cable)| (*port, cable.inbox.len()));
        let names =
            counts.flat_map(|(port, count)| vec![self.names.port_name(port).to_string(); count]);
        let names = names.collect();
        self.cables.values_mut().for_each(|cable| cable.inbox.clear());
        names
    }

    /// Forgets what arrived until now.
    pub fn clear(&mut self) {
        self.cables.values_mut().for_each(|cable| cable.inbox.clear());
        self.notices.clear();
    }

    /// Takes the notices.
    pub fn notices(&mut self) -> Vec<Notice> {
        core::mem::take(&mut self.notices)
    }

    /// Every drop by port and reason.
    pub fn drops(&self) -> Vec<(&str, DropReason, u64)> {
        let drops = self.switch.drops().into_iter();
        drops.map(|(port, reason, count)| (self.names.port_name(port), reason, count)).collect()
    }

    /// How many frames of a port ended for `reason`.
    pub fn dropped(&self, port: &str, reason: DropReason) -> u64 {
        let drops = self.drops().into_iter();
        drops.filter(|drop| (drop.0, drop.1) == (port, reason)).map(|drop| drop.2).sum()
    }
}
