//! What can be wrong with a namespace, each in one sentence.

use std::io;

use super::Place;

/// Why a namespace could not be found, made or removed.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// Not a file name, or one that `ip netns` could not show.
    #[error(
        "`{name}` cannot name a namespace: use 1 to 255 bytes without `/`, and neither `.` nor `..`"
    )]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// The name is in use.
    #[error(
        "namespace `{name}` exists already: choose another name, or remove it with `ip netns del {name}`"
    )]
    AlreadyExists {
        /// The name.
        name: String,
    },
    /// Nothing is called so.
    #[error(
        "there is no namespace `{name}`: make it with `ip netns add {name}`, or check the name with `ip netns`"
    )]
    NoSuchName {
        /// The name.
        name: String,
    },
    /// Nothing is there.
    #[error("there is no namespace at {path}: check the path")]
    NoSuchPath {
        /// The path.
        path: String,
    },
    /// Nobody has that number, or it ended.
    #[error("there is no process {pid}: check that the container or process is still running")]
    NoSuchProcess {
        /// The number.
        pid: u32,
    },
    /// Something is there, but it is an ordinary file, or a namespace of another kind.
    #[error("{place} is not a network namespace: {advice}")]
    NotANamespace {
        /// Where.
        place: String,
        /// What to do about it.
        advice: String,
    },
    /// The kernel refused.
    #[error("cannot {verb} {place}: {reason}")]
    Refused {
        /// Open, make or remove.
        verb: &'static str,
        /// Where.
        place: String,
        /// What the kernel said.
        reason: io::Error,
    },
}

impl NetnsError {
    pub(super) fn opening(place: &Place, reason: io::Error) -> Self {
        if !matches!(reason.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ESRCH)) {
            return Self::refused("open", place, reason);
        }
        match place {
            Place::Current => Self::refused("open", place, reason),
            Place::Name(name) => Self::NoSuchName { name: name.clone() },
            Place::Path(path) => Self::NoSuchPath { path: path.display().to_string() },
            Place::Pid(pid) => Self::NoSuchProcess { pid: *pid },
        }
    }

    pub(super) fn not_one(place: &Place) -> Self {
        let advice = match place {
            // What a half-made or half-removed name leaves behind: a file that nothing is mounted
            // on.
            Place::Name(name) => format!("remove what is left of it with `ip netns del {name}`"),
            Place::Current | Place::Path(_) | Place::Pid(_) => {
                "give a file such as /proc/PID/ns/net or /run/netns/NAME".into()
            }
        };
        Self::NotANamespace { place: place.to_string(), advice }
    }

    pub(super) fn refused(verb: &'static str, place: &Place, reason: impl Into<io::Error>) -> Self {
        Self::Refused { verb, place: place.to_string(), reason: reason.into() }
    }
}
