//! A file's bytes as both formats read them: numbers in either order, packets kept as far as a
//! frame goes, the rest read past.

use std::io::{self, ErrorKind, Read};

use packet::frame::MAX_FRAME;

use super::error::Fault;

/// Where a capture comes from.
pub(super) type Source = Box<dyn Read>;

/// In which order a file's numbers have their bytes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    pub(super) fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }

    /// So many numbers of 32 bits.
    pub(super) fn words<const N: usize>(self, from: &mut dyn Read) -> io::Result<[u32; N]> {
        let mut words = [0; N];
        for word in &mut words {
            *word = self.u32(array(from)?);
        }
        Ok(words)
    }
}

/// So many bytes.
pub(super) fn array<const N: usize>(from: &mut dyn Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// So many bytes, or none at the stream's end.
pub(super) fn array_unless_end<const N: usize>(from: &mut dyn Read) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    let mut count = 0;
    while let Some(space) = bytes.get_mut(count..).filter(|space| !space.is_empty()) {
        match from.read(space) {
            Ok(0) if count == 0 => return Ok(None),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => count += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(bytes))
}

/// A packet of `captured` bytes, as far as a frame goes.
pub(super) fn packet(from: &mut dyn Read, captured: u32) -> Result<Vec<u8>, Fault> {
    if captured > MAX_PACKET {
        let most = MAX_PACKET >> 20;
        return Err(format!(
            "a packet claims {captured} bytes, and more than {most} MiB are not believed"
        )
        .into());
    }
    let captured = u64::from(captured);
    let kept = captured.min(MAX_FRAME as u64);
    let mut bytes = Vec::new();
    from.take(kept).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < kept {
        return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
    }
    skip(from, captured - kept)?;
    Ok(bytes)
}

/// Reads past so many bytes.
pub(super) fn skip(from: &mut dyn Read, count: u64) -> io::Result<()> {
    match io::copy(&mut from.take(count), &mut io::sink())? {
        passed if passed == count => Ok(()),
        _ => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// The longest packet that is taken for one: 64 times what Wireshark believes. It is read past and
/// not kept, so this bounds no memory; a longer one is a damaged length.
const MAX_PACKET: u32 = 16 << 20;
