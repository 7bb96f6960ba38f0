//! The frames that leave a dummy port, from the capture file that it writes while we read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use crate::error::CompareError;

/// A growing capture (pcap in this machine's byte order), read as far as it goes, and removed at
/// the end. Until then it keeps its name, by which the device opens it again after each change of
/// the bridge.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    file: File,
    /// Read and not yet whole records.
    pending: Vec<u8>,
    headed: bool,
}

impl Tail {
    /// From the file's beginning.
    pub(super) fn open(path: PathBuf) -> Result<Self, CompareError> {
        match File::open(&path) {
            Ok(file) => Ok(Self { path, file, pending: Vec::new(), headed: false }),
            Err(error) => Err(CompareError::File { path, error }),
        }
    }

    /// The frames written since the last time.
    pub(super) fn frames(&mut self) -> io::Result<Vec<Vec<u8>>> {
        self.file.read_to_end(&mut self.pending)?;
        let mut at = 0;
        if !self.headed && self.pending.len() >= FILE_HEADER {
            at = FILE_HEADER;
            self.headed = true;
        }
        let mut frames = Vec::new();
        while let Some(header) =
            self.pending.get(at..).and_then(|b| b.first_chunk::<RECORD_HEADER>())
        {
            let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *header;
            let len = u32::from_ne_bytes([a, b, c, d]) as usize;
            let begin = at + RECORD_HEADER;
            let Some(frame) = self.pending.get(begin..begin + len) else { break };
            frames.push(frame.to_vec());
            at = begin + len;
        }
        self.pending.drain(..at);
        Ok(frames)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // What is left goes with the directory.
        drop(fs::remove_file(&self.path));
    }
}

/// Bytes ahead of the first record.
const FILE_HEADER: usize = 24;
/// Bytes ahead of each frame.
const RECORD_HEADER: usize = 16;
