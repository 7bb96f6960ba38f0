//! How many descriptors this process may have open.
//!
//! A port takes one for each queue, one for its namespace and one for netlink there. The usual
//! limit of 1,024 is kept low for programs that use `select(2)`, which cannot name higher ones; the
//! switch never calls it, and takes what it is allowed.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit of this process, and of those it starts from now on, as far as it may without
/// asking: to the hard limit. Says what the limit is now. On an error it is as before.
pub fn raise_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]
mod tests {
    use super::*;

    #[test]
    fn the_limit_becomes_the_hard_one_and_stays() {
        let hard = raise_limit().unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (hard, hard));
        assert_eq!(raise_limit().unwrap(), hard);
    }
}
