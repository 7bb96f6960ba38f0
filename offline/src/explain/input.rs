//! The frames that somebody asks about: written as digits, or taken out of a capture.

use std::path::{Path, PathBuf};

use packet::frame::MAX_FRAME;

use super::MAX_FRAMES;
use super::error::ExplainError;
use crate::capture::{Capture, CapturedFrame};
use labfile::printable;

/// A frame written as hexadecimal digits. White space, colons, hyphens, dots and commas between the
/// bytes are passed over, and so is `0x` ahead of any of them.
///
/// # Errors
/// What is no digit, half a byte, no frame at all, or one that is longer than any.
pub fn hex(text: &str) -> Result<Vec<u8>, ExplainError> {
    let mut digits = Vec::new();
    let mut characters = text.chars().enumerate().peekable();
    while let Some((at, found)) = characters.next() {
        let is_prefix = found == '0' && matches!(characters.peek(), Some((_, 'x' | 'X')));
        match found.to_digit(16) {
            _ if is_prefix => {
                characters.next();
            }
            Some(digit) => digits.push(digit as u8),
            None if found.is_whitespace() || matches!(found, ':' | '-' | '.' | ',') => {}
            None => return Err(ExplainError::NotHex { found, at: at + 1 }),
        }
    }
    let (pairs, half) = digits.as_chunks::<2>();
    if !half.is_empty() {
        return Err(ExplainError::HalfByte { digits: digits.len() });
    }
    whole(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn whole(bytes: Vec<u8>) -> Result<Vec<u8>, ExplainError> {
    match bytes.len() {
        0 => Err(ExplainError::Empty),
        1..=MAX_FRAME => Ok(bytes),
        bytes => Err(ExplainError::TooLong { bytes }),
    }
}

/// Frames of a capture, as the command line names them: `a.pcap` for all of them, `a.pcap:7` for
/// the seventh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    file: PathBuf,
    frame: Option<u64>,
}

impl Selection {
    /// Understands `FILE[:N]`; a file whose own name is that is meant as a whole.
    ///
    /// # Errors
    /// Frame 0.
    pub fn parse(text: &str) -> Result<Self, ExplainError> {
        let all = Self { file: PathBuf::from(text), frame: None };
        let Some((file, number)) = text.rsplit_once(':') else { return Ok(all) };
        match number.parse() {
            _ if all.file.exists() => Ok(all),
            Ok(0) => Err(ExplainError::FrameZero(PathBuf::from(file))),
            Ok(number) => Ok(Self { file: PathBuf::from(file), frame: Some(number) }),
            Err(_) => Ok(all),
        }
    }

    /// Reads the frames.
    ///
    /// # Errors
    /// The file is no capture of Ethernet frames, has none or too many, does not have the one that
    /// was asked for, or has not the whole of it.
    pub fn read(&self) -> Result<Vec<Vec<u8>>, ExplainError> {
        let mut capture = Capture::open(&self.file)?;
        let mut frames = Vec::new();
        let mut count = 0;
        while let Some(record) = capture.next_record()? {
            count += 1;
            if self.frame.is_none_or(|wanted| wanted == count) {
                frames.push(taken(&self.file, count, record)?);
            }
            if self.frame == Some(count) {
                return Ok(frames);
            }
            if frames.len() > MAX_FRAMES {
                let what = format!("{} has", printable::path(&self.file));
                return Err(ExplainError::TooMany { what });
            }
        }
        let path = self.file.clone();
        let wanted = self.frame.unwrap_or(count + 1);
        match (capture.broken(), self.frame) {
            (Some(why), _) => Err(ExplainError::Broken { why: why.to_owned(), wanted }),
            (None, None) if frames.is_empty() => Err(ExplainError::NoFrames(path)),
            (None, None) => Ok(frames),
            (None, Some(wanted)) => Err(ExplainError::PastEnd { path, frames: count, wanted }),
        }
    }
}

fn taken(path: &Path, frame: u64, record: CapturedFrame) -> Result<Vec<u8>, ExplainError> {
    if record.is_truncated {
        let bytes = record.bytes.len();
        return Err(ExplainError::Truncated { path: path.to_owned(), frame, bytes });
    }
    whole(record.bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_are_read_however_they_are_set() {
        let plain = vec![0x02, 0x00, 0xab, 0x0f];
        for text in
            ["0200ab0f", "02:00:AB:0f", "0x02 0x00 0xab 0x0f", "02 00\nab-0f\n", "0X0200.ab0f"]
        {
            assert_eq!(hex(text).unwrap(), plain, "{text}");
        }
    }

    #[test]
    fn what_is_no_frame_is_a_sentence() {
        for (text, sentence) in [
            ("02zz", "this is no frame in hexadecimal digits: 'z' at character 3"),
            (
                "020",
                "a frame of 3 hexadecimal digits ends in half a byte: one is missing, or one is too many",
            ),
            (" : ", "there is no frame to explain: give its bytes as hexadecimal digits"),
            ("0x", "there is no frame to explain: give its bytes as hexadecimal digits"),
        ] {
            assert_eq!(hex(text).unwrap_err().to_string(), sentence, "{text:?}");
        }
        let error = hex(&"00".repeat(MAX_FRAME + 1)).unwrap_err().to_string();
        assert_eq!(
            error,
            "a frame of 65558 bytes is longer than any device sends: the most is 65557"
        );
    }

    #[test]
    fn a_frame_of_a_capture_is_named_behind_a_colon() {
        let parse = |text| Selection::parse(text).unwrap();
        assert_eq!(parse("a.pcap"), Selection { file: "a.pcap".into(), frame: None });
        assert_eq!(parse("a.pcap:7"), Selection { file: "a.pcap".into(), frame: Some(7) });
        assert_eq!(parse("C:a.pcap"), Selection { file: "C:a.pcap".into(), frame: None });
        let room = tempfile::tempdir().unwrap();
        let odd = room.path().join("a:7");
        std::fs::write(&odd, b"").unwrap();
        let whole = parse(odd.to_str().unwrap());
        assert_eq!(whole, Selection { file: odd, frame: None });
        assert_eq!(
            Selection::parse("a.pcap:0").unwrap_err().to_string(),
            "a.pcap: frames are counted from 1"
        );
    }

    proptest! {
        #[test]
        fn every_frame_written_is_read_again(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
            let text: String = bytes.iter().map(|byte| format!("{byte:02x} ")).collect();
            prop_assert_eq!(hex(&text).unwrap(), bytes);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = (hex(&text), Selection::parse(&text));
        }
    }
}
