//! Hashes of stations: one wide multiplication, for every bridged frame pays for two.

use ahash::RandomState;

/// A hash whose key nobody else knows, so that nobody can choose addresses that collide.
#[derive(Clone, Debug)]
pub(super) struct StationHash {
    mask: u64,
    factor: u64,
}

impl StationHash {
    pub(super) fn keyed(seed: &RandomState) -> Self {
        // Odd, so that no bit of a station is multiplied away.
        Self { mask: seed.hash_one(0_u64), factor: seed.hash_one(1_u64) | 1 }
    }

    /// The product's halves, folded: its low bits and its high ones depend on all of the station's.
    #[inline]
    pub(super) fn of(&self, key: u64) -> u64 {
        let product = u128::from(key ^ self.mask) * u128::from(self.factor);
        (product >> 64) as u64 ^ product as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_stations_spread_over_both_ends_of_the_hash() {
        let hash = StationHash::keyed(&RandomState::with_seeds(1, 2, 3, 4));
        for shift in [0, 8, 24, 48] {
            let hashes: Vec<u64> = (0..4096_u64).map(|number| hash.of(number << shift)).collect();
            for of in [|hash: u64| hash & 0xfff, |hash: u64| hash >> 52] {
                let mut counts = [0_u32; 4096];
                hashes.iter().for_each(|hash| counts[of(*hash) as usize] += 1);
                let most = counts.iter().max().copied().unwrap_or(0);
                assert!(most <= 16, "{most} of 4,096 in one place, keys shifted by {shift}");
            }
        }
    }
}
