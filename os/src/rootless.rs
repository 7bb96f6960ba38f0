//! Namespaces of a process's own, in which an ordinary user is root of what the switch makes and of
//! nothing else; and the way into those of a daemon.
//!
//! # Theory of operation
//! Whoever makes a user namespace has every capability in it, over the namespaces that are made
//! after it (user_namespaces(7)): a network namespace, in which devices are made, and a mount
//! namespace with a `/run` of its own, in which namespaces get names as `ip netns` gives them. Root
//! in there is the user outside, so files belong to who started it, and a file that is root's
//! outside stays out of reach. The directory of the control socket shows through the new `/run`:
//! the daemon is asked from outside as any other.
//!
//! A process of several threads may make and enter no user namespace, so this comes first of all.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{getegid, geteuid};

use crate::links::{LinkError, Links};
use crate::netns::{Netns, NetnsError, Place};

/// Why there are no namespaces of one's own, or none of a daemon's to enter.
#[derive(Debug, thiserror::Error)]
pub enum RootlessError {
    /// The machine's settings are against it.
    #[error("an ordinary user may make no namespaces here: {reason}")]
    Forbidden {
        /// Which setting, and what to do.
        reason: String,
    },
    /// The daemon is another user's.
    #[error(
        "the namespaces of process {pid} may not be entered: they are another user's, use sudo"
    )]
    NotOurs {
        /// The daemon.
        pid: u32,
    },
    /// A network namespace in there.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The loopback device in there.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Any other refusal.
    #[error("cannot {what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// The kernel's answer.
        error: io::Error,
    },
}

/// Whether this process is an ordinary user's.
pub fn is_ordinary() -> bool {
    !geteuid().is_root()
}

/// A directory of the caller's own for sockets: `XDG_RUNTIME_DIR`, or one below `/tmp`.
pub fn runtime_directory() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(directory) if directory.is_absolute() => directory.join("tapswitch"),
        _ => format!("/tmp/tapswitch-{}", geteuid()).into(),
    }
}

/// Makes the namespaces and enters them. `shared`, if it is below `/run`, shows through. Only while
/// this process has one thread.
///
/// # Errors
/// See [`RootlessError`].
pub fn enter(shared: &Path) -> Result<(), RootlessError> {
    let (uid, gid) = (geteuid(), getegid());
    let namespaces = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
    unshare(namespaces)
        .map_err(|error| refused("make user, network and mount namespaces", error))?;
    let map = |file: &str, text: String| {
        fs::write(format!("/proc/self/{file}"), text)
            .map_err(|error| refused(&format!("write {file}"), error))
    };
    // Else one could leave a group that keeps one out of something.
    map("setgroups", "deny".into())?;
    map("uid_map", format!("0 {uid} 1"))?;
    map("gid_map", format!("0 {gid} 1"))?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mounted("/", None, None, private)?;
    let base = fs::canonicalize(existing(shared)).ok();
    let base = base.filter(|base| base.starts_with(RUN) && base != Path::new(RUN));
    let kept = base.and_then(|base| Some((File::open(&base).ok()?, base)));
    mounted(RUN, Some("tmpfs"), Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV)?;
    if let Some((file, base)) = kept {
        fs::create_dir_all(&base).map_err(|error| refused("make a directory in /run", error))?;
        let source = format!("/proc/self/fd/{}", file.as_raw_fd());
        mounted(&base, Some(&source), None, MsFlags::MS_BIND | MsFlags::MS_REC)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| refused("make a runtime", error))?;
    let here = Netns::open(&Place::Current)?;
    runtime.block_on(async {
        let links = Links::open(&here).await.map_err(|error| refused("open netlink", error))?;
        Ok(links.loopback_up().await?)
    })
}

/// Becomes `command`, with one more variable, in the namespaces of a process, and in the network
/// namespace that has a name there. Only while this process has one thread.
///
/// # Errors
/// See [`RootlessError`]; none of `command`'s own.
pub fn join(
    pid: u32,
    netns: Option<&str>,
    command: &OsStr,
    arguments: &[impl AsRef<OsStr>],
    (variable, value): (&str, &Path),
) -> Result<std::convert::Infallible, RootlessError> {
    let here = std::env::current_dir();
    let kinds = [
        ("user", CloneFlags::CLONE_NEWUSER),
        ("mnt", CloneFlags::CLONE_NEWNS),
        ("net", CloneFlags::CLONE_NEWNET),
    ];
    // All are opened ahead of entering the first, behind which `/proc` may be another's.
    let opened: Vec<_> = kinds
        .into_iter()
        .map(|(name, kind)| {
            let theirs = File::open(format!("/proc/{pid}/ns/{name}"))?;
            let (theirs_is, ours) =
                (theirs.metadata()?, fs::metadata(format!("/proc/self/ns/{name}"))?);
            let is_ours = (theirs_is.dev(), theirs_is.ino()) == (ours.dev(), ours.ino());
            Ok((!is_ours).then_some((theirs, kind)))
        })
        .collect::<io::Result<_>>()
        .map_err(|error| joining(pid, error))?;
    for (namespace, kind) in opened.into_iter().flatten() {
        setns(namespace, kind).map_err(|error| joining(pid, error.into()))?;
    }
    if let Ok(here) = here {
        // A directory that is not there: the root of the mounts is where one is then.
        let _ = std::env::set_current_dir(here);
    }
    if let Some(name) = netns {
        let netns = Netns::open(&Place::Name(name.to_owned()))?;
        netns.enter().map_err(|error| joining(pid, error.into()))?;
    }
    let error = Command::new(command).args(arguments).env(variable, value).exec();
    Err(RootlessError::System { what: format!("run {}", command.display()), error })
}

/// The deepest directory of a path that is there.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"))
}

fn mounted(
    at: impl AsRef<Path>,
    source: Option<&str>,
    kind: Option<&str>,
    flags: MsFlags,
) -> Result<(), RootlessError> {
    let what = || format!("mount {}", at.as_ref().display());
    mount(source, at.as_ref(), kind, flags, None::<&str>).map_err(|error| refused(&what(), error))
}

fn joining(pid: u32, error: io::Error) -> RootlessError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => RootlessError::NotOurs { pid },
        _ => {
            RootlessError::System { what: format!("enter the namespaces of process {pid}"), error }
        }
    }
}

/// What a refusal means: the setting that is against it, where one is.
fn refused(what: &str, error: impl Into<io::Error>) -> RootlessError {
    let error = error.into();
    let is_set = |name: &str, value: &str| {
        fs::read_to_string(format!("/proc/sys/{name}")).is_ok_and(|text| text.trim() == value)
    };
    let setting = |words: &str| RootlessError::Forbidden { reason: words.to_owned() };
    match error.raw_os_error() {
        Some(libc::ENOSPC) if is_set("user/max_user_namespaces", "0") => setting(
            "user.max_user_namespaces is 0; raise it (`sysctl user.max_user_namespaces=1000`) or use sudo",
        ),
        Some(libc::EPERM | libc::EACCES) if is_set("kernel/unprivileged_userns_clone", "0") => {
            setting("kernel.unprivileged_userns_clone is 0; set it to 1 with sysctl or use sudo")
        }
        Some(libc::EPERM | libc::EACCES)
            if is_set("kernel/apparmor_restrict_unprivileged_userns", "1") =>
        {
            setting(
                "AppArmor keeps them from programs without a profile; set \
                 kernel.apparmor_restrict_unprivileged_userns to 0 with sysctl or use sudo",
            )
        }
        Some(libc::EPERM | libc::EACCES) if is_filtered() => setting(
            "a seccomp filter is in force, as in most containers; start the container with one that \
             allows unshare and mount, or use sudo",
        ),
        _ => RootlessError::System { what: what.to_owned(), error },
    }
}

/// Whether a seccomp filter decides which system calls this process may make.
fn is_filtered() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]))
}

/// Where names of namespaces and control sockets are.
const RUN: &str = "/run";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_exists_as_far_as_it_does() {
        assert_eq!(existing(Path::new("/proc/self/ns/none/deeper")), Path::new("/proc/self/ns"));
        assert_eq!(existing(Path::new("/nowhere/at/all")), Path::new("/"));
    }
}
