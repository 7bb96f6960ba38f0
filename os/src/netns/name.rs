//! Names of namespaces: mounts below `/run/netns`, kept exactly as iproute2 keeps them.
//!
//! Making a name is four steps under a lock on the directory: the directory is a shared mount (so
//! that other mount namespaces see names come and go), an empty file is made for the name, a new
//! namespace is made on a thread, and that thread's nsfs file is mounted on the name. Removing a
//! name is the unmount and the unlink. A step that fails undoes those ahead of it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use super::{NetnsError, Place, on_a_thread};
use crate::blocking;

/// Every name that there is, in alphabetical order; none when the directory is missing. A name left
/// behind by a namespace that has ended is listed too.
pub fn list() -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(DIRECTORY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// Takes a name away. The namespace goes on for as long as processes, sockets or devices' queues
/// keep it.
pub fn remove(name: &str) -> Result<(), NetnsError> {
    check(name)?;
    let path = path(name);
    let place = Place::Name(name.into());
    let refused = |reason: io::Error| NetnsError::refused("remove", &place, reason);
    let lock = blocking(lock_directory).map_err(|reason| NetnsError::opening(&place, reason))?;
    // Nothing is mounted on a name that was half made; what is left then is the file.
    match umount2(&path, MntFlags::MNT_DETACH) {
        Ok(()) | Err(Errno::EINVAL) => {}
        Err(Errno::ENOENT) => return Err(NetnsError::NoSuchName { name: name.into() }),
        Err(errno) => return Err(refused(errno.into())),
    }
    fs::remove_file(&path).map_err(refused)?;
    drop(lock);
    Ok(())
}

/// Makes the name and a namespace behind it.
pub(super) fn create(name: &str) -> Result<(), NetnsError> {
    let path = path(name);
    let place = Place::Name(name.into());
    let refused = |reason: io::Error| NetnsError::refused("make", &place, reason);
    DirBuilder::new().recursive(true).mode(0o755).create(DIRECTORY).map_err(refused)?;
    let lock = blocking(lock_directory).map_err(refused)?;
    share_directory().map_err(refused)?;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o000).open(&path);
    if let Err(reason) = made {
        return Err(match reason.kind() {
            io::ErrorKind::AlreadyExists => NetnsError::AlreadyExists { name: name.into() },
            _ => refused(reason),
        });
    }
    let mounted = on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        bind(Path::new("/proc/thread-self/ns/net"), &path, MsFlags::empty())?;
        Ok(())
    });
    if let Err(reason) = mounted.and_then(|result| result) {
        // The name was ours alone under the lock. If taking it back fails too, the first reason is
        // the one to tell.
        let _ = fs::remove_file(&path);
        return Err(refused(reason));
    }
    drop(lock);
    Ok(())
}

/// Whether the name can be a file's, as `ip netns` demands.
pub(super) fn check(name: &str) -> Result<(), NetnsError> {
    let fits = (1..=MAX_NAME).contains(&name.len());
    if fits && name != "." && name != ".." && !name.contains(['/', '\0']) {
        return Ok(());
    }
    Err(NetnsError::BadName { name: name.into() })
}

pub(super) fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// `NAME_MAX`: the longest file name in bytes.
const MAX_NAME: usize = 255;
/// Where iproute2 keeps names.
pub(super) const DIRECTORY: &str = "/run/netns";

/// iproute2 takes the same lock around the same steps. Released when the file is closed.
fn lock_directory() -> io::Result<File> {
    let directory =
        OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(DIRECTORY)?;
    directory.lock()?;
    Ok(directory)
}

/// Makes the directory a shared mount, after making it a mount if it is none yet.
fn share_directory() -> io::Result<()> {
    let directory = Path::new(DIRECTORY);
    let share = || propagate(directory, MsFlags::MS_SHARED | MsFlags::MS_REC);
    match share() {
        Err(Errno::EINVAL) => {}
        result => return Ok(result?),
    }
    bind(directory, directory, MsFlags::MS_REC)?;
    Ok(share()?)
}

fn bind(source: &Path, target: &Path, more: MsFlags) -> nix::Result<()> {
    mount(Some(source), target, None::<&str>, MsFlags::MS_BIND | more, None::<&str>)
}

fn propagate(target: &Path, flags: MsFlags) -> nix::Result<()> {
    mount(None::<&str>, target, None::<&str>, flags, None::<&str>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leaves_the_directory_is_refused() {
        for name in ["", ".", "..", "a/b", "/", "a\0b", &"x".repeat(256)] {
            assert!(matches!(check(name), Err(NetnsError::BadName { .. })), "{name:?}");
        }
        for name in ["red", "a.b", "...", &"x".repeat(255)] {
            assert!(check(name).is_ok(), "{name:?}");
        }
    }
}
