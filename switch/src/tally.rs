//! How many entries of a table each holder (a port) has, and who has most: whose entries give way
//! when the table is full, so that nobody takes the room of others.
//!
//! # Theory of operation
//! A complete binary tree over the holders, as of a knockout tournament: a leaf is a holder's
//! count, and each inner node the larger of its two children, the lower number where they are
//! equal. The root is who has most, found without a walk over all holders; a changed count is
//! played up to the root, one comparison a level.

/// See the module's own text. Holders are small numbers; eight bytes each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// A power of two of them, or none.
    counts: Vec<u32>,
    /// Node `n` has the children `2 n` and `2 n + 1`; those from `counts.len()` on are the leaves,
    /// and not stored.
    winners: Vec<u32>,
}

impl Tally {
    /// The number of entries that a holder has.
    pub(crate) fn count(&self, holder: usize) -> u32 {
        self.counts.get(holder).copied().unwrap_or(0)
    }

    /// Who has most entries, the first of equals; none when nobody has any.
    pub(crate) fn most(&self) -> Option<usize> {
        let winner = self.winner(1);
        (self.count(winner) > 0).then_some(winner)
    }

    pub(crate) fn add(&mut self, holder: usize) {
        if self.counts.len() <= holder {
            self.grow(holder + 1);
        }
        self.change(holder, self.count(holder) + 1);
    }

    pub(crate) fn remove(&mut self, holder: usize) {
        self.change(holder, self.count(holder).saturating_sub(1));
    }

    fn change(&mut self, holder: usize, count: u32) {
        let Some(slot) = self.counts.get_mut(holder) else {
            return;
        };
        *slot = count;
        let mut node = (self.counts.len() + holder) / 2;
        while node > 0 {
            self.play(node);
            node /= 2;
        }
    }

    fn grow(&mut self, holders: usize) {
        let leaves = holders.next_power_of_two();
        self.counts.resize(leaves, 0);
        self.winners = vec![0; leaves];
        (1..leaves).rev().for_each(|node| self.play(node));
    }

    fn play(&mut self, node: usize) {
        let [left, right] = [2 * node, 2 * node + 1].map(|child| self.winner(child));
        let winner = if self.count(right) > self.count(left) { right } else { left };
        if let Some(place) = self.winners.get_mut(node) {
            *place = winner as u32;
        }
    }

    fn winner(&self, node: usize) -> usize {
        match node.checked_sub(self.counts.len()) {
            Some(holder) => holder,
            None => self.winners.get(node).map_or(0, |winner| *winner as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_nobody_nobody_has_most() {
        let mut tally = Tally::default();
        assert_eq!((tally.most(), tally.count(7)), (None, 0));
        tally.remove(7);
        tally.add(0);
        assert_eq!(tally.most(), Some(0), "one alone");
        tally.remove(0);
        assert_eq!(tally.most(), None);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_walk_over_all_holders(
            acts in prop::collection::vec((any::<bool>(), 0_usize..40), 0..300)
        ) {
            let (mut tally, mut model) = (Tally::default(), [0_u32; 40]);
            for (adds, holder) in acts {
                match adds {
                    true => tally.add(holder),
                    false => tally.remove(holder),
                }
                let count = model[holder];
                model[holder] = if adds { count + 1 } else { count.saturating_sub(1) };
                let most = (0..40).rev().max_by_key(|holder| model[*holder]);
                prop_assert_eq!(tally.most(), most.filter(|holder| model[*holder] > 0));
                prop_assert_eq!(tally.count(holder), model[holder]);
            }
        }
    }
}
