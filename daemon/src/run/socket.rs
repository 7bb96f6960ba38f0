//! The control socket: one daemon's, root's alone, and gone when the daemon is.
//!
//! # Theory of operation
//! The directory is locked while a socket is claimed, so two daemons that start at once cannot both
//! find the place free. A socket that refuses connections was left by a daemon that is dead, and is
//! replaced; one that takes them is somebody's. The new socket is bound in a directory that only we
//! may enter and gets its mode there, before it is moved to its place: nobody can connect in
//! between.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use labfile::printable;

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another daemon answers there.
    #[error("a tapswitch daemon answers at {path} already: stop it, or give this one another --socket", path = printable::path(.0))]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{path} is there and is no socket: remove it, or name another --socket", path = printable::path(.0))]
    NotASocket(PathBuf),
    /// Someone holds the directory's lock.
    #[error("the directory of {path} is locked by another process: try again", path = printable::path(.0))]
    Locked(PathBuf),
    /// A system call refused.
    #[error("cannot make the control socket {path}: {error}", path = printable::path(path))]
    Refused {
        /// Where.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
}

/// A socket in its place, which goes with this value, and its directory too if it was made for it.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode: whether what is at the path is still ours.
    identity: (u64, u64),
    made: Option<PathBuf>,
}

impl ControlSocket {
    /// Binds `path`, mode 0600; its directory is made, mode 0750, when there is none.
    ///
    /// # Errors
    /// See [`SocketError`]; nothing is left behind.
    pub fn claim(path: &Path) -> Result<Self, SocketError> {
        let refused = |error| SocketError::Refused { path: path.to_owned(), error };
        // Binding and moving would succeed with a path too long for anybody to connect to.
        SocketAddr::from_pathname(path).map_err(refused)?;
        let directory = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(SocketError::NotASocket(path.to_owned())),
        };
        let made = make_directory(directory).map_err(refused)?;
        let claimed = Self::claim_in(directory, path, made.clone());
        if let (Err(_), Some(made)) = (&claimed, &made) {
            // Fails when somebody else has put something there, who then keeps it.
            let _ = fs::remove_dir(made);
        }
        claimed
    }

    fn claim_in(directory: &Path, path: &Path, made: Option<PathBuf>) -> Result<Self, SocketError> {
        let refused = |error| SocketError::Refused { path: path.to_owned(), error };
        let _lock = lock(directory, path)?;
        remove_stale(path)?;
        let private = directory.join(format!(".{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&private).map_err(refused)?;
        let bound = bind(&private.join("s"), path);
        // Empty unless binding failed halfway.
        let _ = fs::remove_file(private.join("s"));
        let _ = fs::remove_dir(&private);
        let (listener, identity) = bound.map_err(refused)?;
        Ok(Self { listener, path: path.to_owned(), identity, made })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The listener, for the runtime that this is called in.
    ///
    /// # Errors
    /// A system call's.
    pub(super) fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        tokio::net::UnixListener::from_std(listener)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!("{} stays: {error}", self.path.display());
        }
        if let Some(made) = &self.made {
            // Fails when somebody else has put something there, who then keeps it.
            let _ = fs::remove_dir(made);
        }
    }
}

fn make_directory(directory: &Path) -> io::Result<Option<PathBuf>> {
    if directory.is_dir() {
        return Ok(None);
    }
    DirBuilder::new().recursive(true).mode(0o750).create(directory)?;
    Ok(Some(directory.to_owned()))
}

fn lock(directory: &Path, path: &Path) -> Result<File, SocketError> {
    let refused = |error| SocketError::Refused { path: path.to_owned(), error };
    let file = File::open(directory).map_err(refused)?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(refused(error)),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(SocketError::Locked(path.to_owned()));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let refused = |error| SocketError::Refused { path: path.to_owned(), error };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(SocketError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(refused)
        }
        Err(error) => Err(refused(error)),
    }
}

fn bind(private: &Path, path: &Path) -> io::Result<(UnixListener, (u64, u64))> {
    let listener = UnixListener::bind(private)?;
    fs::set_permissions(private, Permissions::from_mode(0o600))?;
    let found = fs::symlink_metadata(private)?;
    fs::rename(private, path)?;
    Ok((listener, (found.dev(), found.ino())))
}

/// How long another daemon may take to claim its socket.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_root_s_alone_and_goes_with_its_directory() {
        let room = tempfile::tempdir().unwrap();
        let directory = room.path().join("made");
        let path = directory.join("control.sock");
        let socket = ControlSocket::claim(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o750);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing else is left there");
        UnixStream::connect(&path).unwrap();
        drop(socket);
        assert!(!directory.exists());
    }

    #[test]
    fn a_second_daemon_is_refused() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("control.sock");
        let _first = ControlSocket::claim(&path).unwrap();
        let error = ControlSocket::claim(&path).unwrap_err();
        assert!(matches!(error, SocketError::InUse(_)), "{error}");
        assert!(path.exists());
    }

    #[test]
    fn a_socket_that_a_dead_daemon_left_is_replaced() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        let socket = ControlSocket::claim(&path).unwrap();
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_socket_stays() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("control.sock");
        fs::write(&path, "precious").unwrap();
        let error = ControlSocket::claim(&path).unwrap_err();
        assert!(matches!(error, SocketError::NotASocket(_)), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_socket_that_somebody_replaced_stays() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("control.sock");
        let socket = ControlSocket::claim(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _theirs = UnixListener::bind(&path).unwrap();
        drop(socket);
        assert!(path.exists());
    }

    #[test]
    fn a_path_that_is_too_long_is_a_sentence() {
        let room = tempfile::tempdir().unwrap();
        let error = ControlSocket::claim(&room.path().join("x".repeat(120))).unwrap_err();
        assert!(error.to_string().starts_with("cannot make the control socket"), "{error}");
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 0);
    }
}
