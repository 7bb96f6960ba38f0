//! The lab files of the tutorial, as examples/two-hosts has them, and the place where the daemons
//! find them.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::DemoError;

/// A lab file.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct LabFile {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

pub(super) const UNDERLAY: LabFile = LabFile {
    name: "underlay.toml",
    text: include_str!("../../../examples/two-hosts/underlay.toml"),
};
pub(super) const ROUTED_UNDERLAY: LabFile = LabFile {
    name: "routed-underlay.toml",
    text: include_str!("../../../examples/two-hosts/routed-underlay.toml"),
};
pub(super) const HOST1: LabFile =
    LabFile { name: "host1.toml", text: include_str!("../../../examples/two-hosts/host1.toml") };
pub(super) const HOST2: LabFile =
    LabFile { name: "host2.toml", text: include_str!("../../../examples/two-hosts/host2.toml") };
pub(super) const STRETCHED1: LabFile = LabFile {
    name: "stretched1.toml",
    text: include_str!("../../../examples/two-hosts/stretched1.toml"),
};
pub(super) const STRETCHED2: LabFile = LabFile {
    name: "stretched2.toml",
    text: include_str!("../../../examples/two-hosts/stretched2.toml"),
};

/// All of them.
pub(super) const FILES: [LabFile; 6] =
    [UNDERLAY, ROUTED_UNDERLAY, HOST1, HOST2, STRETCHED1, STRETCHED2];

/// A directory for the lab files and the hosts' control sockets, root's alone, which goes with this
/// value.
#[derive(Debug)]
pub(super) struct Room {
    path: PathBuf,
    /// The directory around it, if that was made too.
    made: Option<PathBuf>,
}

impl Room {
    /// Makes it beside the demo's control socket, `demo.hosts` for `demo.sock`, with the lab files
    /// inside.
    pub(super) fn make(socket: &Path) -> Result<Self, DemoError> {
        let path = socket.with_extension("hosts");
        let refused = |error| DemoError::Room { path: path.clone(), error };
        let around = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let made = around.filter(|parent| !parent.is_dir()).map(Path::to_owned);
        if let Some(made) = &made {
            DirBuilder::new().recursive(true).mode(0o750).create(made).map_err(refused)?;
        }
        // What is there already is somebody's, and stays.
        let created = DirBuilder::new().mode(0o700).create(&path);
        if let (Err(_), Some(made)) = (&created, &made) {
            // Fails when somebody else has put something there, who then keeps it.
            let _ = fs::remove_dir(made);
        }
        created.map_err(refused)?;
        let room = Self { path: path.clone(), made };
        room.furnish().map_err(refused)?;
        Ok(room)
    }

    /// The path of something inside.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn furnish(&self) -> io::Result<()> {
        FILES.iter().try_for_each(|file| fs::write(self.at(file.name), file.text))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!("{} stays: {error}", self.path.display());
        }
        if let Some(made) = &self.made {
            // Fails when somebody else has put something there, who then keeps it.
            let _ = fs::remove_dir(made);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_has_the_files_and_goes_with_what_was_made_for_it() {
        let around = tempfile::tempdir().unwrap();
        let socket = around.path().join("run/demo.sock");
        let room = Room::make(&socket).unwrap();
        assert_eq!(fs::read_to_string(room.at("host1.toml")).unwrap(), HOST1.text);
        assert_eq!(room.at("x"), around.path().join("run/demo.hosts/x"));
        drop(room);
        assert_eq!(fs::read_dir(around.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_in_the_place_of_a_room_stays() {
        let around = tempfile::tempdir().unwrap();
        let socket = around.path().join("demo.sock");
        fs::create_dir(around.path().join("demo.hosts")).unwrap();
        fs::write(around.path().join("demo.hosts/mine"), "precious").unwrap();
        let error = Room::make(&socket).unwrap_err().to_string();
        assert!(error.contains("demo.hosts") && error.contains("remove it"), "{error}");
        assert!(around.path().join("demo.hosts/mine").exists());
    }
}
