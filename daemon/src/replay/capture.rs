//! One capture file, frame by frame: pcap with micro- or nanoseconds, or pcapng with any resolution and any number of
//! interfaces, whose frames are all taken.
//!
//! The `pcap-file` crate splits files into records; what a record says is read here. Its own reading refuses frames
//! that were cut by a snap length, and takes every time stamp of a pcapng for nanoseconds.

use std::fs::File;
use std::io::{Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use packet::Instant;
use packet::frame::MAX_FRAME;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::PcapNgReader;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, Endianness, PcapError, TsResolution};

use super::error::ReplayError;

use crate::printable;

type Bytes = Box<dyn Read>;

/// A capture, open.
pub(crate) struct Capture {
    path: PathBuf,
    format: Format,
    /// Frames read.
    frames: u64,
    /// It ended in the middle of a record.
    pub(crate) cut_off: bool,
}

/// One frame of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// When it was captured; nanoseconds since 1970.
    pub(crate) at: Instant,
    /// What of it was captured.
    pub(crate) bytes: Vec<u8>,
    /// Whether it was longer.
    pub(crate) is_truncated: bool,
}

enum Format {
    Pcap(PcapReader<Bytes>),
    PcapNg(PcapNgReader<Bytes>),
}

impl Capture {
    /// Opens a file; a pipe will do.
    pub(crate) fn open(path: &Path) -> Result<Self, ReplayError> {
        let file = File::open(path);
        let unreadable = |error| ReplayError::Read { path: path.to_owned(), error };
        Self::read(path, Box::new(file.map_err(unreadable)?))
    }

    /// Takes `bytes` for a capture; errors name it as `path` does.
    pub(crate) fn read(path: &Path, mut bytes: Bytes) -> Result<Self, ReplayError> {
        let path = path.to_owned();
        let mut magic = [0; 4];
        if let Err(error) = bytes.read_exact(&mut magic) {
            return Err(match error.kind() {
                ErrorKind::UnexpectedEof => ReplayError::NotACapture { path },
                _ => ReplayError::Read { path, error },
            });
        }
        let whole: Bytes = Box::new(Cursor::new(magic).chain(bytes));
        let format = match u32::from_be_bytes(magic) {
            SECTION_HEADER => PcapNgReader::new(whole).map(Format::PcapNg),
            _ => PcapReader::new(whole).map(Format::Pcap),
        };
        let format = match format {
            Ok(format) => format,
            Err(PcapError::IoError(error)) if error.kind() != ErrorKind::UnexpectedEof => {
                return Err(ReplayError::Read { path, error });
            }
            Err(_) => return Err(ReplayError::NotACapture { path }),
        };
        if let Format::Pcap(reader) = &format {
            ethernet(&path, reader.header().datalink)?;
        }
        Ok(Self { path, format, frames: 0, cut_off: false })
    }

    /// The next frame; none at the end, or where the file breaks off.
    pub(crate) fn next(&mut self) -> Result<Option<Record>, ReplayError> {
        if self.cut_off {
            return Ok(None);
        }
        let record = match &mut self.format {
            Format::Pcap(reader) => pcap_record(reader),
            Format::PcapNg(reader) => pcapng_record(reader, &self.path),
        };
        let error = match record {
            Ok(record) => {
                self.frames += u64::from(record.is_some());
                return Ok(record);
            }
            Err(error) => error,
        };
        let (path, frames) = (self.path.clone(), self.frames);
        match error {
            Fault::Is(error) => Err(error),
            Fault::Of(PcapError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                self.cut_off = true;
                Ok(None)
            }
            Fault::Of(PcapError::IoError(error)) => Err(ReplayError::Read { path, error }),
            Fault::Of(error) => Err(ReplayError::Damaged { path, frames, why: error.to_string() }),
            Fault::Says(why) => Err(ReplayError::Damaged { path, frames, why: why.to_owned() }),
        }
    }

    /// What there is to say about the file when it has been read.
    pub(crate) fn warning(&self) -> Option<String> {
        let Self { path, frames, .. } = self;
        self.cut_off.then(|| {
            format!(
                "{} breaks off behind frame {frames}: what follows is lost",
                printable::path(path)
            )
        })
    }
}

/// Why there is no next record.
enum Fault {
    Of(PcapError),
    Says(&'static str),
    Is(ReplayError),
}

fn pcap_record(reader: &mut PcapReader<Bytes>) -> Result<Option<Record>, Fault> {
    let unit = match reader.header().ts_resolution {
        TsResolution::MicroSecond => 1000,
        TsResolution::NanoSecond => 1,
    };
    let Some(raw) = reader.next_raw_packet() else { return Ok(None) };
    let raw = raw.map_err(Fault::Of)?;
    // Both factors are of 32 bits, so this cannot overflow.
    let at = u64::from(raw.ts_sec) * NANOS + u64::from(raw.ts_frac) * unit;
    Ok(Some(record(at, &raw.data, raw.orig_len)))
}

fn pcapng_record(reader: &mut PcapNgReader<Bytes>, path: &Path) -> Result<Option<Record>, Fault> {
    loop {
        if reader.interfaces().len() > MAX_INTERFACES {
            return Err(Fault::Says("it describes too many interfaces"));
        }
        let is_big = reader.section().endianness == Endianness::Big;
        let Some(block) = reader.next_raw_block() else { return Ok(None) };
        let block = block.map_err(Fault::Of)?;
        match block.type_ {
            ENHANCED_PACKET => {
                let body = block.body.into_owned();
                let Some(packet) = Packet::parse(&body, is_big) else {
                    return Err(Fault::Says("a packet is longer than the block that holds it"));
                };
                let known = usize::try_from(packet.interface).ok();
                let interface = known.and_then(|number| reader.interfaces().get(number));
                let Some(interface) = interface else {
                    return Err(Fault::Says("a packet names an interface that is not described"));
                };
                ethernet(path, interface.linktype).map_err(Fault::Is)?;
                let Some(at) = since_1970(interface, packet.time) else {
                    return Err(Fault::Says("a packet's time is before 1970 or after 2554"));
                };
                return Ok(Some(record(at, packet.bytes, packet.length)));
            }
            PACKET | SIMPLE_PACKET => {
                return Err(Fault::Says(
                    "its packets are of the kinds that are obsolete or have no time: write it anew with editcap",
                ));
            }
            _ => {}
        }
    }
}

fn record(at: u64, bytes: &[u8], length: u32) -> Record {
    let taken = bytes.get(..MAX_FRAME).unwrap_or(bytes);
    let is_truncated = usize::try_from(length).is_ok_and(|length| length > taken.len());
    Record { at: Instant::from_nanos(at), bytes: taken.to_vec(), is_truncated }
}

/// The fields of an enhanced packet block (draft-ietf-opsawg-pcapng section 4.3).
struct Packet<'a> {
    interface: u32,
    /// In the interface's units.
    time: u64,
    length: u32,
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    fn parse(body: &'a [u8], is_big: bool) -> Option<Self> {
        let (fields, rest) = body.split_first_chunk::<20>()?;
        let (fields, _) = fields.as_chunks::<4>();
        let word = |bytes: [u8; 4]| match is_big {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        };
        let [interface, high, low, captured, length] = *fields else { return None };
        let captured = usize::try_from(word(captured)).ok()?;
        Some(Self {
            interface: word(interface),
            time: u64::from(word(high)) << 32 | u64::from(word(low)),
            length: word(length),
            bytes: rest.get(..captured)?,
        })
    }
}

/// A time in an interface's units, in nanoseconds; none when it does not fit.
fn since_1970(interface: &InterfaceDescriptionBlock<'_>, time: u64) -> Option<u64> {
    let mut resolution = MICROSECONDS;
    let mut offset = 0;
    for option in &interface.options {
        match option {
            InterfaceDescriptionOption::IfTsResol(written) => resolution = *written,
            InterfaceDescriptionOption::IfTsOffset(written) => offset = written.cast_signed(),
            _ => {}
        }
    }
    let power = u32::from(resolution & !BINARY);
    let second = match resolution & BINARY {
        0 => 10u128.checked_pow(power)?,
        _ => 2u128.checked_pow(power)?,
    };
    let nanos = u128::from(time).checked_mul(u128::from(NANOS))? / second;
    let shift = i128::from(offset) * i128::from(NANOS);
    u64::try_from(i128::try_from(nanos).ok()? + shift).ok()
}

fn ethernet(path: &Path, link: DataLink) -> Result<(), ReplayError> {
    if link == DataLink::ETHERNET {
        return Ok(());
    }
    Err(ReplayError::NotEthernet { path: path.to_owned(), link_type: link.into() })
}

/// Block types (draft-ietf-opsawg-pcapng section 11.1).
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Interfaces of one section: what a description takes is kept, about 100 bytes and its options.
const MAX_INTERFACES: usize = 4096;
/// The resolution of an interface that does not say: 10^-6 s. With the highest bit it is a power of 2.
const MICROSECONDS: u8 = 6;
const BINARY: u8 = 0x80;
const NANOS: u64 = 1_000_000_000;
