//! Which station goes next: those that were learned hang in their port's list, least recently heard
//! first.

use core::time::Duration;

use packet::{Instant, PortId};

use super::Fdb;
use super::entry::{EMPTY, Entry, NONE};

/// How much older than said an entry may look when it ages out.
const GRANULARITY: Duration = Duration::from_secs(1);

impl Fdb {
    /// Forgets every station that was learned, on `port` or anywhere; says how many.
    pub(crate) fn flush(&mut self, port: Option<PortId>) -> usize {
        let mut count = 0;
        for at in 0..self.lists.len() {
            if port.is_none_or(|port| port.index() == at) {
                while self.pop_head(at).is_some() {
                    count += 1;
                }
            }
        }
        count
    }

    /// Forgets stations that have been silent for the ageing time.
    pub(crate) fn timeout(&mut self, now: Instant) {
        let limit = self.ageing + GRANULARITY;
        for at in 0..self.lists.len() {
            while self.oldest(at).is_some_and(|heard| now.since(heard) >= limit) {
                self.pop_head(at);
                self.counts.expired += 1;
            }
        }
    }

    /// When the oldest station will have been silent for long enough.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let oldest = (0..self.lists.len()).filter_map(|at| self.oldest(at)).min()?;
        Some(oldest + self.ageing + GRANULARITY)
    }

    fn oldest(&self, list: usize) -> Option<Instant> {
        let head = self.lists.get(list)?.head;
        Some(self.entries.get(head as usize)?.heard)
    }

    fn pop_head(&mut self, list: usize) -> Option<()> {
        let head = self.lists.get(list)?.head;
        let key = self.entries.get(head as usize)?.key;
        self.remove_key(key).then_some(())
    }

    pub(super) fn evict(&mut self) {
        let Some(list) = self.tally.most() else {
            return;
        };
        if self.pop_head(list).is_some() {
            self.counts.evicted += 1;
        }
    }

    /// Adds a learned station behind those of its port.
    pub(super) fn append(&mut self, at: u32, port: PortId) {
        self.link(at, port);
        self.tally.add(port.index());
        self.learned += 1;
    }

    pub(super) fn link(&mut self, at: u32, port: PortId) {
        if self.lists.len() <= port.index() {
            self.lists.resize(port.index() + 1, EMPTY);
        }
        let Some(list) = self.lists.get_mut(port.index()) else {
            return;
        };
        let tail = core::mem::replace(&mut list.tail, at);
        if tail == NONE {
            list.head = at;
        } else if let Some(last) = self.entries.get_mut(tail as usize) {
            last.next = at;
        }
        if let Some(entry) = self.entries.get_mut(at as usize) {
            entry.previous = tail;
            entry.next = NONE;
        }
    }

    pub(super) fn unlink(&mut self, at: u32, port: PortId) {
        let Some(&Entry { previous, next, .. }) = self.entries.get(at as usize) else {
            return;
        };
        let Some(list) = self.lists.get_mut(port.index()) else {
            return;
        };
        match self.entries.get_mut(previous as usize) {
            Some(before) => before.next = next,
            None => list.head = next,
        }
        match self.entries.get_mut(next as usize) {
            Some(after) => after.previous = previous,
            None => list.tail = previous,
        }
    }
}
