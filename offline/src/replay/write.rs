//! What leaves, as files: `red.pcapng` for what the far end of port red got, `vx0@192.0.2.1.pcapng`
//! for what a remote VTEP got, outer headers included (link type RAW). A port that nothing left by
//! has none.
//!
//! The bytes depend on what was replayed and nothing else: no time of writing, no host.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::error::ReplayError;
use super::input::Input;
use crate::capture::{LinkType, PcapNgWriter};
use labfile::Lab;
use labfile::ids::Ids;
use packet::{Instant, PortId};

/// The files of one directory, each made when its first frame leaves.
pub(super) struct Files {
    dir: PathBuf,
    /// By name: a number may be given to another port while a record runs.
    open: BTreeMap<String, Capture>,
    force: bool,
}

struct Capture {
    path: PathBuf,
    writer: PcapNgWriter<BufWriter<File>>,
}

impl Files {
    /// Makes the directory, and makes room in it for every file that this lab may need.
    pub(super) fn in_dir(
        dir: &Path,
        lab: &Lab,
        inputs: &[Input],
        force: bool,
    ) -> Result<Self, ReplayError> {
        let unwritable = |path: &Path, error| ReplayError::Write { path: path.to_owned(), error };
        fs::create_dir_all(dir).map_err(|error| unwritable(dir, error))?;
        let read: Vec<PathBuf> =
            inputs.iter().filter_map(|input| input.file.canonicalize().ok()).collect();
        let ports = lab.ports.keys().map(ToString::to_string);
        let remotes = lab.tunnels.values().flat_map(|tunnel| {
            tunnel.remotes.iter().map(|remote| format!("{}@{remote}", tunnel.name))
        });
        let wanted: Vec<PathBuf> = ports.chain(remotes).map(|name| file(dir, &name)).collect();
        // All are looked at before one is touched.
        for path in wanted.iter().filter(|path| path.symlink_metadata().is_ok()) {
            if path.canonicalize().is_ok_and(|path| read.contains(&path)) {
                return Err(ReplayError::IsInput { path: path.clone() });
            }
            if !force {
                return Err(ReplayError::Exists { path: path.clone() });
            }
        }
        for path in &wanted {
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(unwritable(path, error));
                }
                Err(_) | Ok(()) => {}
            }
        }
        Ok(Self { dir: dir.to_owned(), open: BTreeMap::new(), force })
    }

    /// An Ethernet frame that left by a port.
    pub(super) fn write_frame(
        &mut self,
        now: Instant,
        ids: &Ids,
        port: PortId,
        bytes: &[u8],
    ) -> Result<(), ReplayError> {
        self.capture(ids, port, None, LinkType::Ethernet)?.write(now, bytes)
    }

    /// An IPv4 packet that left for a remote VTEP of a tunnel.
    pub(super) fn write_outer(
        &mut self,
        now: Instant,
        ids: &Ids,
        tunnel: PortId,
        remote: Ipv4Addr,
        bytes: &[u8],
    ) -> Result<(), ReplayError> {
        self.capture(ids, tunnel, Some(remote), LinkType::Raw)?.write(now, bytes)
    }

    /// Writes out what is still in memory, and says which files there are, by name.
    pub(super) fn finish(self) -> Result<Vec<String>, ReplayError> {
        let mut names = Vec::new();
        for Capture { path, writer } in self.open.into_values() {
            names.push(path.display().to_string());
            writer.finish().map_err(|error| ReplayError::Write { path, error })?;
        }
        names.sort_unstable();
        Ok(names)
    }

    fn capture(
        &mut self,
        ids: &Ids,
        port: PortId,
        remote: Option<Ipv4Addr>,
        link: LinkType,
    ) -> Result<&mut Capture, ReplayError> {
        use std::collections::btree_map::Entry;
        match self.open.entry(label(ids, port, remote)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let path = file(&self.dir, place.key());
                if self.force {
                    // Of a port that the lab did not have at the beginning; there need not be one.
                    let _ = fs::remove_file(&path);
                }
                let capture = Capture::create(path, place.key(), link)?;
                Ok(place.insert(capture))
            }
        }
    }
}

impl Capture {
    fn create(path: PathBuf, name: &str, link: LinkType) -> Result<Self, ReplayError> {
        let begun = File::create_new(&path)
            .and_then(|file| PcapNgWriter::new(BufWriter::new(file), name, link));
        match begun {
            Ok(writer) => Ok(Self { path, writer }),
            Err(error) => Err(ReplayError::Write { path, error }),
        }
    }

    fn write(&mut self, now: Instant, bytes: &[u8]) -> Result<(), ReplayError> {
        let written = self.writer.packet(now, bytes);
        written.map_err(|error| ReplayError::Write { path: self.path.clone(), error })
    }
}

/// What people call a way out: `red`, or `vx0@192.0.2.1`.
pub fn label(ids: &Ids, port: PortId, remote: Option<Ipv4Addr>) -> String {
    let name = ids.port_label(port).unwrap_or_else(|| port.to_string());
    remote.map_or_else(|| name.clone(), |remote| format!("{name}@{remote}"))
}

fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.pcapng"))
}
