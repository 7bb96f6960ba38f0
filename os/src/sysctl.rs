//! One value under `/proc/sys/net` of one namespace. Meant for namespaces that the switch made: it
//! never writes to a namespace unasked.

use std::fs;
use std::io;

use crate::netns::Netns;

/// Why a value could not be set.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// The path is not that of a network setting.
    #[error("`{path}` is not a network setting: write it as net/ipv6/conf/eth0/disable_ipv6")]
    BadPath {
        /// What was asked for.
        path: String,
    },
    /// The kernel has no such setting, or the device is not there.
    #[error(
        "{netns} has no setting `{path}`: check the device's name, and that the kernel has this feature"
    )]
    Missing {
        /// Which namespace.
        netns: String,
        /// Which setting.
        path: String,
    },
    /// The kernel refused.
    #[error("cannot set `{path}` to `{value}` in {netns}: {reason}")]
    Refused {
        /// Which namespace.
        netns: String,
        /// Which setting.
        path: String,
        /// Which value.
        value: String,
        /// What the kernel said.
        reason: io::Error,
    },
}

/// Writes `value` to the setting at `path` (relative to `/proc/sys`, as in
/// `net/ipv6/conf/eth0/disable_ipv6`), as the namespace sees it: the kernel shows each thread the
/// settings of the namespace that thread is in.
pub fn set_in(netns: &Netns, path: &str, value: &str) -> Result<(), SysctlError> {
    if !is_network_setting(path) {
        return Err(SysctlError::BadPath { path: path.into() });
    }
    let file = format!("/proc/sys/{path}");
    let written = netns.run(|| fs::write(&file, value)).and_then(|result| result);
    let Err(reason) = written else { return Ok(()) };
    let (netns, path) = (netns.to_string(), path.to_owned());
    if reason.kind() == io::ErrorKind::NotFound {
        return Err(SysctlError::Missing { netns, path });
    }
    Err(SysctlError::Refused { netns, path, value: value.into(), reason })
}

fn is_network_setting(path: &str) -> bool {
    path.starts_with("net/") && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_net_are_settings() {
        assert!(is_network_setting("net/ipv6/conf/eth0.10/disable_ipv6"));
        for path in ["kernel/panic", "/net/x", "net/../kernel/panic", "net//x", "net", ""] {
            assert!(!is_network_setting(path), "{path}");
        }
    }
}
