//! How many entries of a table each port has, and which port has most: the one whose entries give way when the table
//! is full, so that nobody takes the room of others.
//!
//! # Theory of operation
//! A complete binary tree over the ports, as of a knockout tournament: a leaf is a port's count, and each inner node the
//! larger of its two children, the lower port number where they are equal. The root is the port that has most, found
//! without a walk over the ports; a changed count is played up to the root, one comparison a level.

use packet::PortId;

/// See the module's own text. Eight bytes a port.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// A power of two of them, or none.
    counts: Vec<u32>,
    /// Node `n` has the children `2 n` and `2 n + 1`; those from `counts.len()` on are the leaves, and not stored.
    winners: Vec<u32>,
}

impl Tally {
    /// The number of entries that a port has.
    pub(crate) fn count(&self, port: PortId) -> u32 {
        self.of(port.index() as u32)
    }

    /// The port that has most entries, the first of equals; none when no port has any.
    pub(crate) fn most(&self) -> Option<PortId> {
        let port = match self.winners.get(1) {
            Some(&winner) => winner,
            None => 0,
        };
        (self.of(port) > 0).then_some(PortId::new(port))
    }

    pub(crate) fn add(&mut self, port: PortId) {
        if self.counts.len() <= port.index() {
            self.grow(port.index() + 1);
        }
        self.change(port, self.count(port) + 1);
    }

    pub(crate) fn remove(&mut self, port: PortId) {
        self.change(port, self.count(port).saturating_sub(1));
    }

    fn change(&mut self, port: PortId, count: u32) {
        let Some(slot) = self.counts.get_mut(port.index()) else {
            return;
        };
        *slot = count;
        let mut node = (self.counts.len() + port.index()) / 2;
        while node > 0 {
            self.play(node);
            node /= 2;
        }
    }

    fn grow(&mut self, ports: usize) {
        let leaves = ports.next_power_of_two();
        self.counts.resize(leaves, 0);
        self.winners = vec![0; leaves];
        (1..leaves).rev().for_each(|node| self.play(node));
    }

    fn play(&mut self, node: usize) {
        let [left, right] = [2 * node, 2 * node + 1].map(|child| self.winner(child));
        let winner = if self.of(right) > self.of(left) { right } else { left };
        if let Some(place) = self.winners.get_mut(node) {
            *place = winner;
        }
    }

    fn winner(&self, node: usize) -> u32 {
        match node.checked_sub(self.counts.len()) {
            Some(port) => port as u32,
            None => self.winners.get(node).copied().unwrap_or(0),
        }
    }

    fn of(&self, port: u32) -> u32 {
        self.counts.get(port as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_nobody_nobody_has_most() {
        let mut tally = Tally::default();
        assert_eq!((tally.most(), tally.count(PortId::new(7))), (None, 0));
        tally.remove(PortId::new(7));
        tally.add(PortId::new(0));
        assert_eq!(tally.most(), Some(PortId::new(0)), "a port alone");
        tally.remove(PortId::new(0));
        assert_eq!(tally.most(), None);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_walk_over_all_ports(
            acts in prop::collection::vec((any::<bool>(), 0_usize..40), 0..300)
        ) {
            let (mut tally, mut model) = (Tally::default(), [0_u32; 40]);
            for (adds, port) in acts {
                match adds {
                    true => tally.add(PortId::new(port as u32)),
                    false => tally.remove(PortId::new(port as u32)),
                }
                model[port] = if adds { model[port] + 1 } else { model[port].saturating_sub(1) };
                let most = (0..40).rev().max_by_key(|port| model[*port]);
                let most = most.filter(|port| model[*port] > 0).map(|port| PortId::new(port as u32));
                prop_assert_eq!(tally.most(), most);
                prop_assert_eq!(tally.count(PortId::new(port as u32)), model[port]);
            }
        }
    }
}
