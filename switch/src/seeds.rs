//! Where the keys of hash tables come from.

use ahash::RandomState;
use serde::{Deserialize, Serialize};

/// A stream of seeds from one (splitmix64): each table gets its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Seeds(u64);

impl Seeds {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(crate) fn hasher(&mut self) -> RandomState {
        RandomState::with_seeds(self.next(), self.next(), self.next(), self.next())
    }
}

/// What tables have while they are being read, until the switch's own keys are known.
pub(crate) fn unkeyed() -> RandomState {
    RandomState::with_seeds(0, 0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the generator's published implementation (Vigna, splitmix64.c) from
    /// this seed.
    #[test]
    fn seeds_are_those_of_splitmix64() {
        let mut seeds = Seeds::new(1_234_567);
        for expected in [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ] {
            assert_eq!(seeds.next(), expected);
        }
    }
}
