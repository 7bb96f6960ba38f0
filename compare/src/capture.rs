//! Captures turned into steps.
//!
//! Time passes in whole seconds, as everywhere in a scenario: a frame comes at its second.

use std::path::Path;

use super::error::CompareError;
use super::scenario::Step;
use labfile::Name;
use labfile::printable;
use offline::capture::Capture;

/// A capture as steps, and what there is to say about it.
#[derive(Debug)]
pub(super) struct Captured {
    pub(super) steps: Vec<Step>,
    /// A sentence each.
    pub(super) warnings: Vec<String>,
    /// Whether it could not be read to its end.
    pub(super) is_broken: bool,
}

/// The frames of a capture as they come in on `port`, with the seconds between them.
///
/// # Errors
/// It is no capture of Ethernet frames, or holds more than a comparison does.
pub(super) fn steps(path: &Path, port: &Name) -> Result<Captured, CompareError> {
    steps_of(path, Capture::open(path)?, port)
}

fn steps_of(path: &Path, mut capture: Capture, port: &Name) -> Result<Captured, CompareError> {
    let (mut steps, mut second, mut room, mut truncated) = (Vec::new(), None, ROOM, 0u64);
    while let Some(record) = capture.next_record()? {
        let taken = record.bytes.len() + PER_FRAME;
        room = room.checked_sub(taken).ok_or_else(|| CompareError::TooLarge {
            path: path.to_owned(),
            mebibytes: ROOM >> 20,
        })?;
        truncated += u64::from(record.is_truncated);
        let now = record.at.as_nanos() / NANOS;
        let passed = second.map_or(0, |second| now.saturating_sub(second));
        // In pieces: times are between 1970 and 2554, and a wait goes no further than 136 years.
        let (pieces, rest) = (passed / MOST, passed % MOST);
        steps.extend((0..pieces).map(|_| Step::Wait(MOST as u32)));
        steps.extend((rest > 0).then_some(Step::Wait(rest as u32)));
        second = Some(second.unwrap_or(0).max(now));
        steps.push(Step::Frame { port: port.clone(), bytes: record.bytes });
    }
    let path = printable::path(path);
    let truncated = (truncated > 0).then(|| {
        format!("{path} has {truncated} frames that were not captured whole, or are longer than any device sends: what there is of them was compared")
    });
    let warnings = capture.warnings().chain(truncated).collect();
    Ok(Captured { steps, warnings, is_broken: capture.broken().is_some() })
}

/// What all frames of a comparison may take, which holds them while it looks for the smallest
/// difference.
const ROOM: usize = 256 << 20;
/// What a frame takes beside its bytes.
const PER_FRAME: usize = 64;
const NANOS: u64 = 1_000_000_000;
/// The longest wait, in seconds.
const MOST: u64 = u32::MAX as u64;

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use offline::capture::{LinkType, PcapNgWriter};
    use packet::Instant;

    use super::*;

    fn read(bytes: impl Read + 'static) -> Result<Vec<Step>, CompareError> {
        let capture = Capture::read(Path::new("x"), Box::new(bytes))?;
        steps_of(Path::new("x"), capture, &"red".parse().unwrap()).map(|captured| captured.steps)
    }

    /// A pcap file of microseconds, little endian, with frames at these nanoseconds.
    fn pcap(frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let put = |words: &[u64]| -> Vec<u8> {
            words.iter().flat_map(|word| (*word as u32).to_le_bytes()).collect()
        };
        let mut file = put(&[0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65_535, 1]);
        for (at, bytes) in frames {
            let length = bytes.len() as u64;
            file.extend(put(&[at / NANOS, at % NANOS / 1000, length, length]));
            file.extend(bytes);
        }
        file
    }

    /// The same as pcapng, whose times have more than 32 bits of seconds.
    fn pcapng(frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut writer = PcapNgWriter::new(Vec::new(), "port", LinkType::Ethernet).unwrap();
        for (at, bytes) in frames {
            writer.packet(Instant::from_nanos(*at), bytes).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn frames_come_at_their_seconds() {
        let port: Name = "red".parse().unwrap();
        let seconds = [100, 100, 130, 129];
        let frames = seconds.map(|second| (second * NANOS + 5_000, b"abc".to_vec()));
        let steps = read(Cursor::new(pcap(&frames))).unwrap();
        let frame = Step::Frame { port, bytes: b"abc".to_vec() };
        assert_eq!(
            steps,
            [frame.clone(), frame.clone(), Step::Wait(30), frame.clone(), frame],
            "time never runs backwards"
        );
    }

    #[test]
    fn a_gap_is_a_wait_of_its_length() {
        let frames = [0, 17_000_000_000].map(|second| (second * NANOS, b"abc".to_vec()));
        let waits =
            read(Cursor::new(pcapng(&frames))).unwrap().into_iter().filter_map(|step| match step {
                Step::Wait(seconds) => Some(u64::from(seconds)),
                _ => None,
            });
        assert_eq!(waits.sum::<u64>(), 17_000_000_000);
    }

    #[test]
    fn a_capture_that_never_ends_is_refused_before_memory_is_full() {
        let file = pcap(&[(NANOS, vec![7; 60_000])]);
        let (header, packet) = file.split_at(24);
        let endless = Cursor::new(header.to_vec()).chain(Endless(packet.to_vec(), 0));
        let error = read(endless).unwrap_err().to_string();
        assert!(error.starts_with("x holds more than 256 MiB of frames"), "{error}");
    }

    /// The same bytes again and again.
    struct Endless(Vec<u8>, usize);

    impl Read for Endless {
        fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
            let rest = &self.0[self.1..];
            let count = rest.len().min(space.len());
            space[..count].copy_from_slice(&rest[..count]);
            self.1 = (self.1 + count) % self.0.len();
            Ok(count)
        }
    }
}
