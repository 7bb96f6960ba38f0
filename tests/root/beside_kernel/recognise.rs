//! Questions about a difference, by which the catalogue recognises it.

use lab::wire::Packet;

use super::decode::Row;
use super::play::{Difference, Place};
use super::wires::Wire;

/// Whose side.
#[derive(Copy, Clone)]
pub(crate) enum By {
    Ours,
    Kernel,
}

impl Difference {
    /// The packets of a side.
    pub(crate) fn packets(&self, by: By) -> Vec<Packet> {
        let told = self.packets[by as usize].iter();
        told.map(|told| told.arrived.packet().expect("routers send whole packets")).collect()
    }

    /// Whether a side sent nothing, where packets are compared.
    pub(crate) fn is_silent(&self, by: By) -> bool {
        self.place != Place::Flows && self.packets[by as usize].is_empty()
    }

    /// Whether all that a side sent are ICMP messages of one type and code.
    pub(crate) fn says(&self, by: By, kind: (u8, u8)) -> bool {
        let packets = self.packets(by);
        !packets.is_empty() && packets.iter().all(|packet| packet.kind() == kind)
    }

    /// Whether all that a side sent are resets of TCP.
    pub(crate) fn resets(&self, by: By) -> bool {
        let packets = self.packets(by);
        let is_reset = |packet: &Packet| packet.protocol == 6 && packet.flags() & 0x04 != 0;
        !packets.is_empty() && packets.iter().all(is_reset)
    }

    /// Whether both sides sent as many packets, which differ in nothing but these fields.
    pub(crate) fn is_only_in(&self, fields: &[&str]) -> bool {
        let [ours, kernel] = &self.packets;
        self.place != Place::Flows
            && ours.len() == kernel.len()
            && ours.iter().zip(kernel).all(|(ours, kernel)| {
                let others = |rows: &[Row]| -> Vec<Row> {
                    let other = rows.iter().filter(|(field, _)| !fields.contains(&field.as_str()));
                    other.cloned().collect()
                };
                others(&ours.rows) == others(&kernel.rows)
            })
    }

    /// Whether all that both sides sent are ICMP errors of the router's, which differ in nothing
    /// but their source.
    pub(crate) fn is_only_in_error_source(&self) -> bool {
        let routers = Wire::ALL.map(Wire::router);
        let is_own = |packet: &Packet| packet.is_error() && routers.contains(&packet.source);
        self.is_only_in(&["from"])
            && [By::Ours, By::Kernel].iter().all(|by| self.packets(*by).iter().all(is_own))
    }

    /// Whether the sides differ in nothing but that the kernel kept `port` outside, and ours chose
    /// another.
    pub(crate) fn is_only_in_port(&self, port: u16) -> bool {
        let kept = format!("{}:{port}", Wire::Wan.router());
        let chosen = format!("{}:chosen 1 ", Wire::Wan.router());
        if self.place != Place::Flows {
            let starts = |side: usize, with: &str| {
                let rows = self.packets[side].iter().flat_map(|told| &told.rows);
                rows.filter(|(field, _)| field == "from").all(|(_, from)| from.starts_with(with))
            };
            return self.is_only_in(&["from"]) && starts(0, &chosen) && starts(1, &kept);
        }
        let [ours, kernel] = &self.flows;
        ours.len() == kernel.len()
            && ours.iter().zip(kernel).all(|(ours, kernel)| {
                let same = kernel.text.strip_suffix(kept.as_str());
                same.is_some_and(|same| ours.text.starts_with(&(same.to_owned() + &chosen)))
            })
    }

    /// Whether the kernel let a packet with an inside source out, and all that it let out are such.
    pub(crate) fn is_leak(&self) -> bool {
        let packets = self.packets(By::Kernel);
        matches!(self.place, Place::Wire(_, Wire::Wan | Wire::Thin))
            && !packets.is_empty()
            && packets.iter().all(|packet| packet.source.octets()[..3] == [192, 168, 7])
            && self.packets(By::Ours).iter().all(|packet| packet.source.octets()[0] != 192)
    }

    /// Whether ours is one packet, and the kernel's are fragments of it.
    pub(crate) fn is_rejoined(&self) -> bool {
        let (ours, mut pieces) = (self.packets(By::Ours), self.packets(By::Kernel));
        let [whole] = ours.as_slice() else { return false };
        pieces.sort_by_key(|piece| piece.offset);
        let Some(first) = pieces.first().cloned() else { return false };
        let payload = pieces.iter().flat_map(|piece| piece.payload.clone()).collect();
        let dont_fragment = whole.dont_fragment;
        let joined = Packet { payload, more_fragments: false, dont_fragment, ..first };
        pieces.len() > 1 && joined == *whole
    }

    /// Whether the tables differ in nothing but times.
    pub(crate) fn is_only_in_times(&self) -> bool {
        self.place == Place::Flows && self.flows_without(&[])
    }

    /// Whether the tables differ in nothing but these words, and times.
    pub(crate) fn is_only_in_words(&self, words: &[&str]) -> bool {
        self.place == Place::Flows && !self.flows_without(&[]) && self.flows_without(words)
    }

    /// Whether only one side has flows.
    pub(crate) fn only_has_flows(&self, by: By) -> bool {
        let (one, other) = match by {
            By::Ours => (0, 1),
            By::Kernel => (1, 0),
        };
        !self.flows[one].is_empty() && self.flows[other].is_empty()
    }

    fn flows_without(&self, words: &[&str]) -> bool {
        let [ours, kernel] = self.flows.each_ref().map(|flows| {
            let texts = flows.iter().map(|flow| {
                let kept = flow.text.split(' ').filter(|word| !words.contains(word));
                kept.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
            });
            let mut texts: Vec<String> = texts.collect();
            texts.sort();
            texts
        });
        ours == kernel
    }
}
