//! On whose account neighbours are remembered, so that a full table takes from whoever has most of
//! it.

use std::collections::BTreeSet;

use packet::{Instant, PortId};
use serde::{Deserialize, Serialize};

use super::{Key, NeighborState};
use crate::tally::Tally;

/// Who had a neighbour asked for or made known: a port, or the switch itself.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct Account(Option<PortId>);

impl From<Option<PortId>> for Account {
    fn from(port: Option<PortId>) -> Self {
        Self(port)
    }
}

impl Account {
    /// The switch's own is the first.
    fn number(self) -> usize {
        self.0.map_or(0, |port| port.index() + 1)
    }
}

/// In which order the neighbours of an account give way: what is of least use goes first.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Rank {
    Failed,
    Stale,
    Incomplete,
    Probe,
    Reachable,
}

impl Rank {
    /// Static neighbours are on nobody's account.
    const fn of(state: NeighborState) -> Option<Self> {
        match state {
            NeighborState::Failed => Some(Self::Failed),
            NeighborState::Stale => Some(Self::Stale),
            NeighborState::Incomplete => Some(Self::Incomplete),
            NeighborState::Probe => Some(Self::Probe),
            NeighborState::Reachable => Some(Self::Reachable),
            NeighborState::Static => None,
        }
    }
}

/// What each account holds, in the order in which it gives way.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    held: BTreeSet<(usize, Rank, Instant, Key)>,
    tally: Tally,
}

impl Accounts {
    pub(super) fn add(&mut self, account: Account, state: NeighborState, at: Instant, key: Key) {
        let number = account.number();
        if let Some(rank) = Rank::of(state)
            && self.held.insert((number, rank, at, key))
        {
            self.tally.add(number);
        }
    }

    pub(super) fn remove(&mut self, account: Account, state: NeighborState, at: Instant, key: Key) {
        let number = account.number();
        if let Some(rank) = Rank::of(state)
            && self.held.remove(&(number, rank, at, key))
        {
            self.tally.remove(number);
        }
    }

    /// The neighbour that gives way: of the account that has most, the one of least use whose timer
    /// is nearest. None when all are static.
    pub(super) fn first_to_go(&self) -> Option<Key> {
        let most = self.tally.most()?;
        let (.., key) =
            self.held.range((most, Rank::Failed, Instant::ZERO, Key::LEAST)..).next()?;
        Some(*key)
    }
}
