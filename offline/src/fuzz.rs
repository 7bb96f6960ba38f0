//! Bytes that may be a capture, from a disk or from a pipe that gives them one by one.

use std::io::{self, Cursor, Read};
use std::path::Path;

use packet::frame::MAX_FRAME;

use crate::capture::{Capture, CaptureError, CapturedFrame, LinkType, PcapNgWriter, samples};

/// A file is read the same however its bytes come, no frame is longer than any device sends, what
/// is wrong with it is a sentence, and its frames, written, are read again.
pub fn capture(data: &[u8]) {
    let (records, sentence) = read(Box::new(Cursor::new(data.to_vec())));
    assert_eq!(
        (&records, &sentence),
        (&read(Box::new(Dribble(Cursor::new(data.to_vec())))).0, &sentence)
    );
    assert!(sentence.chars().all(|c| !c.is_control()), "{sentence:?}");
    let mut writer = PcapNgWriter::new(Vec::new(), "port", LinkType::Ethernet).expect("memory");
    for record in &records {
        assert!(record.bytes.len() <= MAX_FRAME);
        writer.packet(record.at, &record.bytes).expect("memory");
    }
    let again = read(Box::new(Cursor::new(writer.finish().expect("memory"))));
    let whole = |record: &CapturedFrame| CapturedFrame { is_truncated: false, ..record.clone() };
    assert_eq!(again, (records.iter().map(whole).collect(), String::new()));
}

/// The frames, and all that is said of the file.
fn read(bytes: Box<dyn Read>) -> (Vec<CapturedFrame>, String) {
    let mut records = Vec::new();
    let said = Capture::read(Path::new("a.pcap"), bytes).and_then(|mut capture| {
        while let Some(record) = capture.next_record()? {
            records.push(record);
        }
        Ok::<_, CaptureError>(capture.warnings().collect::<Vec<_>>().concat())
    });
    (records, said.unwrap_or_else(|error| error.to_string()))
}

/// One byte at a time.
struct Dribble(Cursor<Vec<u8>>);

impl Read for Dribble {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let one = space.len().min(1);
        self.0.read(space.get_mut(..one).unwrap_or_default())
    }
}

/// The first inputs: captures of every kind.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    samples::seeds()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_corpus_of_captures_holds() {
        lab::fuzz::replay("capture", capture);
    }
}
