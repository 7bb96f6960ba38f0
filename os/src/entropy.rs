//! The one random number that seeds every table of the switch.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A number that no neighbour can guess, from `getrandom(2)`. Blocks only before the kernel's pool is filled, early
/// in boot. Without that call (a seccomp filter) it falls back to the seed the standard library keeps for its maps.
pub fn seed() -> u64 {
    let mut bytes = [0u8; size_of::<u64>()];
    // SAFETY: the pointer and the length are those of `bytes`, which lives through the call.
    let count = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    // Requests of up to 256 bytes are answered whole or not at all.
    if usize::try_from(count) == Ok(bytes.len()) {
        return u64::from_ne_bytes(bytes);
    }
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ() {
        assert_ne!(seed(), seed());
    }
}
