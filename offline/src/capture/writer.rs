//! A pcapng of one interface, written as a stream: a block at a time, so that who reads along never
//! has half a one.

use std::io::{self, Write};

use packet::Instant;

/// What packets begin with, as tcpdump.org numbers it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// An Ethernet header.
    Ethernet = 1,
    /// An IP header.
    Raw = 101,
}

/// A capture that is being written, in little endian and nanoseconds.
#[derive(Debug)]
pub struct PcapNgWriter<W> {
    to: W,
    /// The block that is being put together.
    block: Vec<u8>,
}

impl<W: Write> PcapNgWriter<W> {
    /// Begins a file whose one interface is called `name`.
    pub fn new(to: W, name: &str, link_type: LinkType) -> io::Result<Self> {
        let mut writer = Self { to, block: Vec::new() };
        writer.put(&0x1a2b_3c4d_u32.to_le_bytes());
        // Version 1.0, and a length that is not known yet.
        writer.put(&[1, 0, 0, 0]);
        writer.put(&[0xff; 8]);
        writer.end(0x0a0d_0d0a)?;
        writer.put(&(link_type as u32).to_le_bytes());
        // No snap length.
        writer.put(&[0; 4]);
        // A longer name than the option has room for is no device's.
        let name = name.as_bytes().get(..MAX_NAME).unwrap_or(name.as_bytes());
        writer.option(2, name);
        // Times are in 10^-9 s.
        writer.option(9, &[9]);
        writer.option(0, &[]);
        writer.end(1)?;
        Ok(writer)
    }

    /// A packet.
    pub fn packet(&mut self, at: Instant, bytes: &[u8]) -> io::Result<()> {
        let at = at.as_nanos();
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?.to_le_bytes();
        self.put(&[0; 4]);
        self.put(&((at >> 32) as u32).to_le_bytes());
        self.put(&(at as u32).to_le_bytes());
        self.put(&length);
        self.put(&length);
        self.put(bytes);
        self.end(6)
    }

    /// Where it was written, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        self.block.extend(code.to_le_bytes());
        self.block.extend((value.len() as u16).to_le_bytes());
        self.put(value);
    }

    /// Adds to the block, up to a multiple of four bytes.
    fn put(&mut self, bytes: &[u8]) {
        self.block.extend(bytes);
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    /// Writes the block.
    fn end(&mut self, kind: u32) -> io::Result<()> {
        let length = (self.block.len() as u32 + 12).to_le_bytes();
        let head = [kind.to_le_bytes(), length].concat();
        self.block.splice(..0, head);
        self.block.extend(length);
        let written = self.to.write_all(&self.block);
        self.block.clear();
        written
    }
}

/// Bytes of an interface's name.
const MAX_NAME: usize = 255;
