//! Whether this process may make devices and enter namespaces, asked once at the start, so that the
//! answer is one sentence and not the first system call that happens to fail.

use std::fs::{self, OpenOptions};
use std::io;

use nix::unistd::geteuid;

/// Why the switch cannot run here.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// Neither root nor the two capabilities.
    #[error(
        "tapswitch needs root to make devices and enter namespaces: use sudo or `run --rootless`"
    )]
    NotRoot,
    /// Root by number only, as in an unprivileged container.
    #[error(
        "this process is root but lacks {missing}: give the container or service those capabilities"
    )]
    Capability {
        /// The capabilities' names, joined by "and".
        missing: String,
    },
    /// The kernel or the container has no TUN/TAP.
    #[error(
        "{TUN} is missing: load the driver with `modprobe tun`, or pass the device to the container"
    )]
    NoTun,
    /// A device cgroup, or the file's mode.
    #[error("{TUN} may not be opened: give this process read and write access to it")]
    TunDenied,
    /// Any other refusal.
    #[error("{TUN} cannot be opened ({reason}): check that the driver works with `modprobe tun`")]
    Tun {
        /// What the kernel said.
        reason: io::Error,
    },
}

/// Checks for `CAP_NET_ADMIN` (devices, addresses, routes) and `CAP_SYS_ADMIN` (namespaces), and
/// that the TUN/TAP driver is there. Leaves nothing open and changes nothing.
pub fn check() -> Result<(), PrivilegeError> {
    check_capabilities()?;
    check_tun()
}

/// Whether this process lacks the capabilities, and is an ordinary user's.
pub fn are_missing() -> bool {
    matches!(check_capabilities(), Err(PrivilegeError::NotRoot))
}

/// Where TAP devices come from.
const TUN: &str = "/dev/net/tun";

/// Bit positions in the effective set, capabilities(7).
const NEEDED: [(u32, &str); 2] = [(12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN")];

fn check_capabilities() -> Result<(), PrivilegeError> {
    let root = geteuid().is_root();
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let missing = match effective(&status) {
        Some(set) => missing_from(set),
        // No /proc to ask: the uid is the best guess, and the first system call will tell.
        None if root => return Ok(()),
        None => return Err(PrivilegeError::NotRoot),
    };
    match (missing.is_empty(), root) {
        (true, _) => Ok(()),
        (false, false) => Err(PrivilegeError::NotRoot),
        (false, true) => Err(PrivilegeError::Capability { missing: missing.join(" and ") }),
    }
}

fn check_tun() -> Result<(), PrivilegeError> {
    let Err(reason) = OpenOptions::new().read(true).write(true).open(TUN) else {
        return Ok(());
    };
    Err(match reason.raw_os_error() {
        // ENODEV and ENXIO: the node is there, the driver behind it is not.
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => PrivilegeError::NoTun,
        Some(libc::EACCES | libc::EPERM) => PrivilegeError::TunDenied,
        _ => PrivilegeError::Tun { reason },
    })
}

fn effective(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn missing_from(set: u64) -> Vec<&'static str> {
    NEEDED.iter().filter(|(bit, _)| set >> bit & 1 == 0).map(|&(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_set_is_the_one_that_counts() {
        let status = "Name:\tx\nCapPrm:\tffff\nCapEff:\t0000000000201000\n";
        assert_eq!(effective(status), Some(0x20_1000));
        assert_eq!(missing_from(0x20_1000), [""; 0]);
        assert_eq!(missing_from(0x1000), ["CAP_SYS_ADMIN"]);
        assert_eq!(missing_from(0), ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]);
        assert_eq!(effective("Name:\tx\n"), None);
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let missing = PrivilegeError::Capability { missing: "CAP_SYS_ADMIN".into() };
        for (error, hint) in [
            (PrivilegeError::NotRoot, "sudo"),
            (missing, "CAP_SYS_ADMIN"),
            (PrivilegeError::NoTun, "modprobe tun"),
            (PrivilegeError::TunDenied, "access"),
        ] {
            assert!(error.to_string().contains(hint), "{error}");
        }
    }
}
