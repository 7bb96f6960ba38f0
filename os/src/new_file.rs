//! A file to write that nobody else has: made, or an ordinary one that is emptied for it.
//!
//! # Theory of operation
//! What is at the path is looked at through a descriptor that opens nothing (`O_PATH |
//! O_NOFOLLOW`): a device would do something when it is opened, and a FIFO would wait. Only that
//! very file is then opened and emptied, so it does not matter what becomes of the path meanwhile.
//! Nothing is ever moved or taken from under a path.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::unistd::geteuid;

/// Why there is no file to write.
#[derive(Debug, thiserror::Error)]
pub enum NewFileError {
    /// An ordinary file is there, and was not to be replaced.
    #[error("is there already")]
    Exists,
    /// Something else is there; it is never replaced.
    #[error("is {0}, and only an ordinary file is replaced")]
    NotAFile(&'static str),
    /// Emptying it would empty another one.
    #[error("has another name, which would lose its content too: delete this one first")]
    Linked,
    /// Whoever has it could read what is written.
    #[error("belongs to another user: delete it first")]
    Foreign,
    /// The kernel refused.
    #[error("cannot be written: {0}")]
    Refused(#[from] io::Error),
}

/// Makes the file, which its owner alone may read; with `replace`, an ordinary file that is there
/// is emptied instead.
///
/// # Errors
/// See [`NewFileError`]; what was at the path is there as it was.
pub fn create(path: &Path, replace: bool) -> Result<File, NewFileError> {
    for _ in 0..ATTEMPTS {
        let made = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path);
        match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return Ok(made?),
        }
        match found(path, replace) {
            // It went in between.
            Err(NewFileError::Refused(error)) if error.kind() == ErrorKind::NotFound => {}
            found => return found,
        }
    }
    Err(io::Error::other("what is there comes and goes").into())
}

/// Takes away a file that was made, unless another is at its path by now.
///
/// # Errors
/// The kernel's.
pub fn remove(path: &Path, file: &File) -> io::Result<()> {
    let (there, ours) = (fs::symlink_metadata(path)?, file.metadata()?);
    let is_ours = (there.dev(), there.ino()) == (ours.dev(), ours.ino());
    if is_ours { fs::remove_file(path) } else { Ok(()) }
}

fn found(path: &Path, replace: bool) -> Result<File, NewFileError> {
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    let there = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let about = there.metadata()?;
    if let Some(kind) = other_kind(&about) {
        return Err(NewFileError::NotAFile(kind));
    }
    if !replace {
        return Err(NewFileError::Exists);
    }
    if about.nlink() > 1 {
        return Err(NewFileError::Linked);
    }
    if about.uid() != geteuid().as_raw() {
        return Err(NewFileError::Foreign);
    }
    let same = format!("/proc/self/fd/{}", there.as_raw_fd());
    let file = OpenOptions::new().write(true).open(same)?;
    file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    file.set_len(0)?;
    Ok(file)
}

/// What it is, if it is no ordinary file.
fn other_kind(about: &Metadata) -> Option<&'static str> {
    let kind = about.file_type();
    let kinds = [
        (kind.is_dir(), "a directory"),
        (kind.is_symlink(), "a symbolic link"),
        (kind.is_fifo(), "a FIFO"),
        (kind.is_socket(), "a socket"),
        (kind.is_char_device() || kind.is_block_device(), "a device"),
        (!kind.is_file(), "no file"),
    ];
    kinds.into_iter().find_map(|(is_it, name)| is_it.then_some(name))
}

/// There may be anything in it that passes the switch.
const OWNER_ONLY: u32 = 0o600;
/// How often something at the path may vanish between two looks.
const ATTEMPTS: u32 = 8;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    fn told(path: &Path, replace: bool) -> String {
        create(path, replace).unwrap_err().to_string()
    }

    #[test]
    fn only_an_ordinary_file_is_replaced() {
        let room = tempfile::tempdir().unwrap();
        let path = |name: &str| room.path().join(name);
        fs::write(path("target"), "kept").unwrap();
        symlink(path("target"), path("link")).unwrap();
        symlink(path("nowhere"), path("dangling")).unwrap();
        mkfifo(&path("fifo"), Mode::S_IRWXU).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        fs::create_dir(path("directory")).unwrap();
        for (name, kind) in [
            ("link", "a symbolic link"),
            ("dangling", "a symbolic link"),
            ("fifo", "a FIFO"),
            ("socket", "a socket"),
            ("directory", "a directory"),
        ] {
            let before = fs::symlink_metadata(path(name)).unwrap().ino();
            for replace in [false, true] {
                let expected = format!("is {kind}, and only an ordinary file is replaced");
                assert_eq!(told(&path(name), replace), expected, "{name}");
            }
            assert_eq!(fs::symlink_metadata(path(name)).unwrap().ino(), before);
        }
        for device in ["/dev/null", "/dev/full", "/dev/zero"] {
            let expected = "is a device, and only an ordinary file is replaced";
            assert_eq!(told(Path::new(device), true), expected);
        }
        assert_eq!(fs::read_to_string(path("target")).unwrap(), "kept");
        assert!(!path("nowhere").exists());
    }

    #[test]
    fn a_file_is_made_or_emptied_and_is_its_owner_s_alone() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("a");
        create(&path, false).unwrap().write_all(b"first").unwrap();
        assert_eq!(told(&path, false), "is there already");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        create(&path, true).unwrap().write_all(b"2nd").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2nd");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_with_two_names_is_left_alone() {
        let room = tempfile::tempdir().unwrap();
        let (one, other) = (room.path().join("one"), room.path().join("other"));
        fs::write(&one, "kept").unwrap();
        fs::hard_link(&one, &other).unwrap();
        assert!(told(&one, true).starts_with("has another name"));
        assert_eq!(fs::read(&other).unwrap(), b"kept");
    }

    #[test]
    fn what_is_at_the_path_by_now_is_not_taken_away() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("a");
        let ours = create(&path, false).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another's").unwrap();
        remove(&path, &ours).unwrap();
        let mut text = String::new();
        File::open(&path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "another's");
        remove(&path, &File::open(&path).unwrap()).unwrap();
        assert!(!path.exists());
    }
}
