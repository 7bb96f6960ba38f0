//! The one random number that seeds every table of the switch.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A number that no neighbour can guess, from the kernel. Blocks only before its pool is filled,
/// early in boot. Where a filter forbids to ask, it is the seed that the standard library keeps for
/// its maps.
pub fn seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| RandomState::new().build_hasher().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ() {
        assert_ne!(seed(), seed());
    }
}
