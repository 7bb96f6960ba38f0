//! A record read back: its beginning at once, its entries one by one.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use switch::Switch;

use super::format::{CHUNK_HEAD, FORMAT, Head, Kind, MAGIC, RecordEntry, VERSION, checksum};

use labfile::printable;

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The machine's answer.
    #[error("{path}: {error}", path = printable::path(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Its format has another number.
    #[error(
        "{path} is a record of format {format}, and this is tapswitch {VERSION}, which reads format {FORMAT}: replay it \
         with the version that wrote it",
        path = printable::path(path)
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its number.
        format: u16,
    },
    /// Another version wrote it, which may do otherwise.
    #[error(
        "{path} was recorded by tapswitch {version}, and this is {VERSION}: replay it with the version that wrote it",
        path = printable::path(path)
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Who wrote it.
        version: String,
    },
    /// It ends before the switch's state is complete.
    #[error("{path} breaks off in its beginning: nothing of it can be replayed", path = printable::path(path))]
    CutOff {
        /// The file.
        path: PathBuf,
    },
    /// Its bytes are not those that were written.
    #[error("{path} is damaged behind {entries} entries: {why}", path = printable::path(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Entries that could be read.
        entries: u64,
        /// What is wrong.
        why: String,
    },
}

/// Whether a file begins as records do. One that cannot be read does not.
pub fn is_record(path: &Path) -> bool {
    let mut magic = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == MAGIC
}

/// A record, open.
pub struct Record {
    path: PathBuf,
    bytes: Box<dyn Read>,
    /// What was known at the beginning.
    pub head: Head,
    chunk: Vec<u8>,
    /// How much of the chunk has been read.
    at: usize,
    /// Entries that were read.
    pub entries: u64,
    has_ended: bool,
    /// It ended in the middle of a chunk.
    pub is_cut_off: bool,
}

impl Record {
    /// Opens a file and reads its beginning.
    pub fn open(path: &Path) -> Result<(Self, Switch), Unreadable> {
        let file = File::open(path);
        let unreadable = |error| Unreadable::Read { path: path.to_owned(), error };
        Self::read(path, Box::new(BufReader::with_capacity(1 << 16, file.map_err(unreadable)?)))
    }

    /// Takes `bytes` for a record; errors name it as `path` does.
    pub fn read(path: &Path, mut bytes: Box<dyn Read>) -> Result<(Self, Switch), Unreadable> {
        let path = path.to_owned();
        check_version(&path, &mut bytes)?;
        let mut part = |kind| match next_chunk(&mut bytes) {
            Ok(Chunk::Whole(found, content)) if found == kind as u8 => Ok(content),
            Ok(Chunk::Whole(..)) => Err(damaged(&path, 0, "its parts are not in order")),
            Ok(Chunk::CutOff | Chunk::None) => Err(Unreadable::CutOff { path: path.clone() }),
            Err(fault) => Err(fault.of(&path, 0)),
        };
        let (head, switch) = (part(Kind::Head)?, part(Kind::Switch)?);
        let wrong = |error: postcard::Error| damaged(&path, 0, error);
        let head: Head = postcard::from_bytes(&head).map_err(wrong)?;
        let state = || damaged(&path, 0, "the switch's state contradicts itself");
        let switch = postcard::from_bytes(&switch).map_err(|_| state())?;
        let (chunk, at, entries) = (Vec::new(), 0, 0);
        let (has_ended, is_cut_off) = (false, false);
        Ok((Self { path, bytes, head, chunk, at, entries, has_ended, is_cut_off }, switch))
    }

    /// The next entry; none at the end, or where the file breaks off.
    pub fn next_entry(&mut self) -> Result<Option<RecordEntry>, Unreadable> {
        if self.has_ended || self.is_cut_off {
            return Ok(None);
        }
        while self.at >= self.chunk.len() {
            match next_chunk(&mut self.bytes).map_err(|fault| fault.of(&self.path, self.entries))? {
                Chunk::Whole(kind, content) if kind == Kind::Entries as u8 => {
                    (self.chunk, self.at) = (content, 0);
                }
                Chunk::Whole(..) => return Err(self.damaged("its parts are not in order")),
                Chunk::CutOff | Chunk::None => {
                    self.is_cut_off = true;
                    return Ok(None);
                }
            }
        }
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        let (entry, left) =
            postcard::take_from_bytes::<RecordEntry>(rest).map_err(|error| self.damaged(error))?;
        self.at = self.chunk.len() - left.len();
        self.entries += 1;
        self.has_ended = matches!(entry, RecordEntry::End(_));
        Ok(Some(entry))
    }

    fn damaged(&self, why: impl ToString) -> Unreadable {
        damaged(&self.path, self.entries, why)
    }
}

fn damaged(path: &Path, entries: u64, why: impl ToString) -> Unreadable {
    Unreadable::Damaged { path: path.to_owned(), entries, why: why.to_string() }
}

fn check_version(path: &Path, bytes: &mut dyn Read) -> Result<(), Unreadable> {
    let path = || path.to_owned();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Unreadable::CutOff { path: path() },
        _ => Unreadable::Read { path: path(), error },
    };
    let mut head = [0; MAGIC.len() + 3];
    bytes.read_exact(&mut head).map_err(failed)?;
    let [.., low, high, length] = head;
    if !head.starts_with(&MAGIC) {
        return Err(damaged(&path(), 0, "it does not begin as records do"));
    }
    let format = u16::from_le_bytes([low, high]);
    if format != FORMAT {
        return Err(Unreadable::Format { path: path(), format });
    }
    let mut version = vec![0; usize::from(length)];
    bytes.read_exact(&mut version).map_err(failed)?;
    if version != VERSION.as_bytes() {
        let version = String::from_utf8_lossy(&version).escape_debug().to_string();
        return Err(Unreadable::Version { path: path(), version });
    }
    Ok(())
}

enum Chunk {
    Whole(u8, Vec<u8>),
    CutOff,
    /// The file ends between two chunks.
    None,
}

/// Why there is no next chunk.
enum Fault {
    Io(io::Error),
    Checksum,
}

impl Fault {
    fn of(self, path: &Path, entries: u64) -> Unreadable {
        match self {
            Self::Io(error) => Unreadable::Read { path: path.to_owned(), error },
            Self::Checksum => damaged(path, entries, "a checksum is wrong"),
        }
    }
}

fn next_chunk(bytes: &mut dyn Read) -> Result<Chunk, Fault> {
    let mut head = Vec::with_capacity(CHUNK_HEAD);
    bytes.take(CHUNK_HEAD as u64).read_to_end(&mut head).map_err(Fault::Io)?;
    let Ok([kind, l0, l1, l2, l3, c0, c1, c2, c3]) = <[u8; CHUNK_HEAD]>::try_from(&head[..]) else {
        return Ok(if head.is_empty() { Chunk::None } else { Chunk::CutOff });
    };
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    // Memory is taken as bytes come: a wrong length costs nothing.
    let mut content = Vec::new();
    bytes.take(length.into()).read_to_end(&mut content).map_err(Fault::Io)?;
    if content.len() != length as usize {
        return Ok(Chunk::CutOff);
    }
    match checksum(kind, &content) == u32::from_le_bytes([c0, c1, c2, c3]) {
        true => Ok(Chunk::Whole(kind, content)),
        false => Err(Fault::Checksum),
    }
}
