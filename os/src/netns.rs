//! Network namespaces: found, made, removed, and entered for the length of one closure.
//!
//! # Theory of operation
//! A [`Netns`] is an open file of the kernel's nsfs, which keeps the namespace alive, so its inode
//! number names the namespace for as long as the value lives. A named namespace is a bind mount of
//! that file on `/run/netns/NAME`, laid out as iproute2 does it and under iproute2's own lock, so
//! `ip netns` sees ours and we see its.
//!
//! A thread belongs to one namespace at a time. Entering one happens on a thread that is made for
//! it and ends with it, and never on a thread that other work could land on later. Nothing here
//! forks. What the thread opened (sockets, TAP queues) stays in the namespace whichever thread uses
//! it afterwards.
//!
//! A removed name does not end the namespace: open files, sockets and TAP queues keep it running.
//! Whether the place still shows the same namespace is asked with [`Netns::still_exists`].

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use crate::blocking;

mod advice;
mod error;
mod inhabitants;
mod mounts;
mod name;

pub(crate) use advice::Whereabouts;
pub use error::NetnsError;
pub use inhabitants::{Inhabitant, Inhabitants};
pub use mounts::{are_names_hidden, name_of_current};
pub use name::{list, remove};

/// Where to look for a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The one this process runs in.
    Current,
    /// A name as `ip netns` shows it: a mount below `/run/netns`.
    Name(String),
    /// A file of nsfs, such as `/var/run/docker/netns/1f0c5e6a8d2b`.
    Path(PathBuf),
    /// The one that a process is in: `/proc/PID/ns/net`.
    Pid(u32),
}

impl Place {
    /// The file to open.
    fn path(&self) -> PathBuf {
        match self {
            // The process's own namespace is its main thread's; a worker's own could be a
            // throw-away one.
            Self::Current => "/proc/self/ns/net".into(),
            Self::Name(name) => name::path(name),
            Self::Path(path) => path.clone(),
            Self::Pid(pid) => format!("/proc/{pid}/ns/net").into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("the current namespace"),
            Self::Name(name) => write!(f, "namespace `{name}`"),
            Self::Path(path) => write!(f, "the namespace at {}", path.display()),
            Self::Pid(pid) => write!(f, "the namespace of process {pid}"),
        }
    }
}

/// One network namespace, kept alive by this value. Cheap to clone. Two are equal when they are the
/// same namespace, wherever they were found. Shown as the place it came from.
#[derive(Clone)]
pub struct Netns {
    file: Arc<File>,
    place: Option<Place>,
    id: Id,
}

/// Device and inode on nsfs: the identity of a namespace while it is kept alive.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
struct Id {
    device: u64,
    inode: u64,
}

impl Netns {
    /// The namespace at `place`, which must exist.
    pub fn open(place: &Place) -> Result<Self, NetnsError> {
        if let Place::Name(name) = place {
            name::check(name)?;
        }
        let file = open_nsfs(&place.path()).map_err(|reason| NetnsError::opening(place, reason))?;
        let id = network_id(&file).ok_or_else(|| NetnsError::not_one(place))?;
        Ok(Self { file: Arc::new(file), place: Some(place.clone()), id })
    }

    /// Makes a namespace called `name`, empty but for its loopback device, which is down.
    pub fn create(name: &str) -> Result<Self, NetnsError> {
        name::check(name)?;
        name::create(name)?;
        Self::open(&Place::Name(name.into()))
    }

    /// The namespace called `name`, made when there is none. The flag tells whether it was made
    /// here.
    pub fn ensure(name: &str) -> Result<(Self, bool), NetnsError> {
        match Self::create(name) {
            Ok(netns) => Ok((netns, true)),
            Err(NetnsError::AlreadyExists { .. }) => {
                Self::open(&Place::Name(name.into())).map(|netns| (netns, false))
            }
            Err(error) => Err(error),
        }
    }

    /// A new namespace without a name, which ends with the last value and descriptor that keep it.
    pub fn anonymous() -> io::Result<Self> {
        let file = on_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            open_nsfs(Path::new("/proc/thread-self/ns/net"))
        })??;
        let id = network_id(&file).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        Ok(Self { file: Arc::new(file), place: None, id })
    }

    /// Runs `task` on a thread of its own inside the namespace and waits for it. Fails when the
    /// thread cannot be made or may not enter; a panic in `task` goes on in the caller. Costs a
    /// thread: tens of microseconds.
    pub fn run<T: Send, F: FnOnce() -> T + Send>(&self, task: F) -> io::Result<T> {
        on_a_thread(|| {
            self.enter()?;
            Ok(task())
        })?
    }

    /// Moves the calling thread here: one that ends with a closure, or a child's ahead of its exec.
    /// One system call.
    pub(crate) fn enter(&self) -> nix::Result<()> {
        setns(&*self.file, CloneFlags::CLONE_NEWNET)
    }

    /// Whether the place it was opened at still shows this namespace: `false` once the name was
    /// removed or given to another, or the process has ended or moved. Always `true` for one
    /// without a place.
    pub fn still_exists(&self) -> bool {
        let Some(place) = &self.place else {
            return true;
        };
        // `metadata` follows the link in /proc to the nsfs file without keeping the namespace
        // alive.
        fs::metadata(place.path()).is_ok_and(|found| self.id == id_of(&found))
    }

    /// Where it was found; `None` for an anonymous one.
    pub const fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// The inode number that `ls -l /proc/PID/ns/net` and `lsns` show: the same for every view of
    /// one namespace.
    pub const fn inode(&self) -> u64 {
        self.id.inode
    }

    /// The open file, for netlink messages that name a namespace by descriptor.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl PartialEq for Netns {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Netns {}

impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place @ Place::Pid(_)) if self.is_own() => {
                write!(f, "{place}, which is the daemon's own,")
            }
            Some(place) => place.fmt(f),
            None => write!(f, "the unnamed namespace {}", self.id.inode),
        }
    }
}

impl fmt::Debug for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Netns({self}, inode {})", self.id.inode)
    }
}

/// Without blocking, should the path be a pipe or a terminal.
fn open_nsfs(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Its identity, if the file stands for a network namespace and not for a plain file or another
/// kind of namespace.
fn network_id(file: &File) -> Option<Id> {
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is open while `file` is borrowed, and this request takes no argument
    // (ioctl_nsfs(2)).
    let kind = unsafe { ioctl::namespace_type(file.as_raw_fd()) };
    if kind != Ok(libc::CLONE_NEWNET) {
        return None;
    }
    file.metadata().ok().map(|found| id_of(&found))
}

fn id_of(found: &fs::Metadata) -> Id {
    Id { device: found.dev(), inode: found.ino() }
}

/// Runs `task` on a thread that is made for it, so that a change of namespace ends with it.
fn on_a_thread<T: Send, F: FnOnce() -> io::Result<T> + Send>(task: F) -> io::Result<io::Result<T>> {
    let run = || {
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("netns".into()).spawn_scoped(scope, task)?;
            Ok(thread.join().unwrap_or_else(|cause| panic::resume_unwind(cause)))
        })
    };
    blocking(run)
}

/// The one request of ioctl_nsfs(2) that is needed here.
mod ioctl {
    /// `NSIO`, the type of nsfs requests, in linux/nsfs.h.
    const NSFS: u8 = 0xb7;
    nix::ioctl_none!(
        /// `NS_GET_NSTYPE`: the `CLONE_NEW*` flag of the namespace.
        namespace_type,
        NSFS,
        0x3
    );
}
