//! Who has been heard in the second that is under way, one bit an entry: hearing such a station
//! again where it is changes nothing.

use packet::Instant;

/// See the module's own text. A second begins when the clock's does, so that it need not be kept
/// with a snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Fresh {
    end: Instant,
    heard: Vec<u64>,
}

impl Fresh {
    #[inline]
    pub(super) fn has(&self, now: Instant, entry: u32) -> bool {
        let word = self.heard.get(entry as usize / BITS).copied().unwrap_or(0);
        now < self.end && word >> (entry as usize % BITS) & 1 == 1
    }

    /// Notes that an entry was heard `at`, which matters if that is in the latest second that
    /// anything was heard in.
    pub(super) fn add(&mut self, at: Instant, entry: u32) {
        let end = Instant::from_secs(at.as_secs() + 1);
        if end > self.end {
            self.heard.fill(0);
            self.end = end;
        }
        let word = entry as usize / BITS;
        if self.heard.len() <= word {
            self.heard.resize(word + 1, 0);
        }
        if let Some(word) = self.heard.get_mut(word).filter(|_| end == self.end) {
            *word |= 1 << (entry as usize % BITS);
        }
    }
}

const BITS: usize = u64::BITS as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heard_in_a_second_is_fresh_until_its_end() {
        let mut fresh = Fresh::default();
        fresh.add(Instant::from_millis(5_200), 0);
        fresh.add(Instant::from_millis(5_900), 130);
        for entry in [0, 130] {
            assert!(fresh.has(Instant::from_millis(5_999), entry));
            assert!(!fresh.has(Instant::from_secs(6), entry));
        }
        assert!(!fresh.has(Instant::from_millis(5_950), 1));
        assert!(!fresh.has(Instant::from_millis(5_950), 1_000_000));
        fresh.add(Instant::from_secs(6), 1);
        let now = Instant::from_millis(6_001);
        assert_eq!([0, 1, 130].map(|entry| fresh.has(now, entry)), [false, true, false]);
    }

    #[test]
    fn seconds_before_the_latest_do_not_count_whatever_the_order() {
        let mut fresh = Fresh::default();
        for (at, entry) in [(7_100, 0), (6_900, 1), (7_900, 2), (3_000, 3)] {
            fresh.add(Instant::from_millis(at), entry);
        }
        let now = Instant::from_millis(7_950);
        assert_eq!([0, 1, 2, 3].map(|entry| fresh.has(now, entry)), [true, false, true, false]);
    }
}
