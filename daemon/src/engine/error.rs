//! Why a change of the running lab is refused.

use std::io;

use os::underlay::UnderlayError;
use switch::ChangeError;

use super::cable::CableError;
use labfile::{ConfigError, Name, printable};

/// Why a lab cannot be made what was wanted. The running lab is as it was, unless a variant says
/// otherwise.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// What is wanted is no valid lab.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What is wanted names something that does not exist in the running lab.
    #[error("{0}")]
    Unknown(String),
    /// What is wanted to be new is there already, or what should go is still needed.
    #[error("{0}")]
    Conflict(String),
    /// What is wanted has nothing in it, and does not say that it means that.
    #[error(
        "the running lab has {0}, and what is to replace it has nothing: to take everything away, write `empty = true` \
         into it, or say `apply --empty` (`?empty=true`)"
    )]
    Empties(String),
    /// A port's far end cannot be made.
    #[error("port {port}: {}", printable::line(&error.to_string()))]
    Port {
        /// The port.
        port: Name,
        /// What stands in the way.
        error: CableError,
    },
    /// A tunnel's sockets cannot be had, or a remote not be reached.
    #[error("tunnel {tunnel}: {error}")]
    Tunnel {
        /// The tunnel.
        tunnel: Name,
        /// What stands in the way.
        error: UnderlayError,
    },
    /// A tunnel's path carries packets that are too small.
    #[error(
        "tunnel {tunnel}: the path to its remotes carries packets of {path} bytes, so {inner} inside, and the least is \
         {LEAST_INNER}: raise the MTU of the devices on the way"
    )]
    Narrow {
        /// The tunnel.
        tunnel: Name,
        /// What the path carries.
        path: u16,
        /// What is left inside.
        inner: u16,
    },
    /// The switch refused.
    #[error("the switch refuses: {0}")]
    Switch(#[from] ChangeError),
    /// A device's queues cannot be watched. The port is lost; all else is as wanted.
    #[error("port {port} cannot be watched: {error}")]
    Attach {
        /// The port.
        port: Name,
        /// The kernel's answer.
        error: io::Error,
    },
    /// Changes have come to their end.
    #[error("the daemon is ending and makes no more changes: start it again, and repeat this then")]
    Ending,
}

/// What a tunnel must carry inside: every host takes packets of 576 bytes (RFC 791 section 3.1).
pub(super) const LEAST_INNER: u16 = 576;
