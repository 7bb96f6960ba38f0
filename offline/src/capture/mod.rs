//! Capture files, read and written: one reader for `replay`, `explain` and `compare`.
//!
//! # Theory of operation
//! The first bytes say what a file is: [`pcap`], [`pcapng`], or either one inside gzip,
//! concatenated members included. The name says nothing. A file is read as a stream, so a pipe will
//! do, and a block is never held in memory: what is of no interest is read past, and of a packet no
//! more is kept than the longest frame, whatever its length says. The reader is as lenient as
//! Wireshark's, and in options more so: they carry nothing that a frame hangs on.
//!
//! Only a file that begins as no capture does, or as one of an unknown version, is refused. What
//! goes wrong behind that ends the capture there: the packets ahead of it count, and
//! [`Capture::broken`] says why there are no more.

use std::fs::File;
use std::io::{BufReader, Chain, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use packet::Instant;

mod bytes;
mod error;
mod pcap;
mod pcapng;
mod writer;

#[cfg(any(test, fuzzing))]
#[allow(clippy::unwrap_used, dead_code)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use bytes::Source;
pub use error::CaptureError;
use error::Fault;
use pcap::Pcap;
use pcapng::PcapNg;
pub use writer::{LinkType, PcapNgWriter};

use labfile::printable;

/// A capture, open.
pub struct Capture {
    path: PathBuf,
    source: Source,
    format: Format,
    /// Frames read.
    frames: u64,
    /// Of these, how many have no time of their own.
    timeless: u64,
    /// The latest time of all.
    latest: Instant,
    broken: Option<String>,
}

/// One frame of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedFrame {
    /// When it was captured; nanoseconds since 1970. That of the frame ahead of it when it has no
    /// time of its own.
    pub at: Instant,
    /// What of it was captured, without FCS.
    pub bytes: Vec<u8>,
    /// Whether it was longer.
    pub is_truncated: bool,
}

/// A packet as a file has it.
struct Packet {
    /// Nanoseconds since 1970; none where the format has no time for it, or one before 1970 or
    /// after 2554.
    at: Option<u64>,
    /// No more than the longest frame.
    bytes: Vec<u8>,
    /// Bytes that were captured.
    captured: u32,
    /// Its length on the wire.
    length: u32,
    /// Bytes of FCS that it ends with on the wire.
    fcs: u32,
}

enum Format {
    Pcap(Pcap),
    PcapNg(PcapNg),
}

impl Capture {
    /// Opens a file; a pipe will do.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let file = File::open(path);
        let file = file.map_err(|error| CaptureError::Read { path: path.to_owned(), error })?;
        Self::read(path, Box::new(BufReader::new(file)))
    }

    /// Takes `bytes` for a capture; errors name it as `path` does.
    pub fn read(path: &Path, bytes: Box<dyn Read>) -> Result<Self, CaptureError> {
        let path = path.to_owned();
        match Self::begin(bytes) {
            Ok((source, format)) => {
                let latest = Instant::ZERO;
                Ok(Self { path, source, format, frames: 0, timeless: 0, latest, broken: None })
            }
            Err(Fault::Io(error)) if !is_content(error.kind()) => {
                Err(CaptureError::Read { path, error })
            }
            Err(Fault::Io(_)) => Err(CaptureError::NotACapture { path }),
            Err(Fault::Says(why)) => Err(CaptureError::NotUnderstood { path, why }),
            Err(Fault::LinkType(link_type)) => Err(CaptureError::NotEthernet { path, link_type }),
        }
    }

    /// What stands ahead of the first packet.
    fn begin(bytes: Box<dyn Read>) -> Result<(Source, Format), Fault> {
        let (magic, whole) = peek(bytes)?;
        let [0x1f, 0x8b, ..] = magic else { return Self::begin_plain(magic, whole) };
        // Byte by byte: what was unpacked of a run of bytes is lost where one of them is wrong.
        let packed = BufReader::with_capacity(1, whole);
        let unpacked = Box::new(BufReader::new(MultiGzDecoder::new(packed)));
        let begun = peek(unpacked).and_then(|(magic, whole)| Self::begin_plain(magic, whole));
        begun.map_err(|fault| match fault {
            Fault::Io(error) if error.kind() == ErrorKind::InvalidInput => {
                Fault::Says(format!("it is gzip, damaged ahead of the first frame: {error}").into())
            }
            fault => fault,
        })
    }

    fn begin_plain(magic: [u8; 4], whole: Whole) -> Result<(Source, Format), Fault> {
        let mut source: Source = Box::new(whole);
        let format = match u32::from_be_bytes(magic) {
            pcapng::SECTION_HEADER => Format::PcapNg(PcapNg::open(&mut source)?),
            _ => Format::Pcap(Pcap::open(&mut source)?),
        };
        Ok((source, format))
    }

    /// The next frame; none at the end, or where the file breaks off or is damaged.
    pub fn next_record(&mut self) -> Result<Option<CapturedFrame>, CaptureError> {
        if self.broken.is_some() {
            return Ok(None);
        }
        let packet = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.source),
            Format::PcapNg(pcapng) => pcapng.next(&mut self.source),
        };
        let frames = self.frames;
        let path = || printable::path(&self.path);
        let broken = match packet {
            Ok(None) => return Ok(None),
            Ok(Some(packet)) => return Ok(Some(self.record(packet))),
            Err(Fault::LinkType(link_type)) => {
                return Err(CaptureError::NotEthernet { path: self.path.clone(), link_type });
            }
            Err(Fault::Io(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                format!("{} breaks off behind frame {frames}: what follows is lost", path())
            }
            Err(Fault::Io(error)) if is_content(error.kind()) => {
                format!(
                    "{} is damaged behind frame {frames}: {error}; what follows is lost",
                    path()
                )
            }
            Err(Fault::Io(error)) => {
                return Err(CaptureError::Read { path: self.path.clone(), error });
            }
            Err(Fault::Says(why)) => {
                format!("{} is damaged behind frame {frames}: {why}; what follows is lost", path())
            }
        };
        self.broken = Some(broken);
        Ok(None)
    }

    /// Why the file could not be read to its end, a sentence; none while it can.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// What there is to say about the file when it has been read.
    pub fn warnings(&self) -> impl Iterator<Item = String> + use<> {
        let Self { path, timeless, .. } = self;
        let timeless = (*timeless > 0).then(|| {
            format!(
                "{} has {timeless} frames without a time, or with one that is not between 1970 and 2554: they were \
                 taken to be simultaneous with those ahead of them",
                printable::path(path)
            )
        });
        self.broken.clone().into_iter().chain(timeless)
    }

    fn record(&mut self, packet: Packet) -> CapturedFrame {
        let Packet { at, mut bytes, captured, length, fcs } = packet;
        self.frames += 1;
        self.timeless += u64::from(at.is_none());
        let at = at.map_or(self.latest, Instant::from_nanos);
        self.latest = self.latest.max(at);
        let whole = captured.max(length).saturating_sub(fcs);
        let whole = usize::try_from(whole).unwrap_or(usize::MAX);
        bytes.truncate(whole);
        let is_truncated = whole > bytes.len();
        CapturedFrame { at, bytes, is_truncated }
    }
}

/// The first bytes, and a stream that has them still.
fn peek(mut bytes: Box<dyn Read>) -> Result<([u8; 4], Whole), Fault> {
    let mut magic = [0; 4];
    bytes.read_exact(&mut magic)?;
    Ok((magic, Cursor::new(magic).chain(bytes)))
}

/// Whether an error is the content's and not the machine's: an end that comes too early, or what
/// gzip cannot unpack.
const fn is_content(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput)
}

type Whole = Chain<Cursor<[u8; 4]>, Box<dyn Read>>;
