//! Captures as tcpdump writes them (pcap, both byte orders, micro- or nanoseconds), turned into steps.
//!
//! Time passes in whole seconds, as everywhere in a scenario: a frame comes at its second.

use super::error::CompareError;
use super::scenario::Step;
use crate::config::Name;

/// The frames of a capture as they come in on `port`, with the seconds between them.
///
/// # Errors
/// [`CompareError::Capture`]: it is no pcap file, or not one of Ethernet frames.
pub(super) fn steps(file: &str, bytes: &[u8], port: &Name) -> Result<Vec<Step>, CompareError> {
    let wrong = |wrong| CompareError::Capture { file: file.to_owned(), wrong };
    let no_pcap = "this is no pcap file; write one with `tcpdump -w FILE`, or `editcap -F pcap`";
    let Some((header, mut rest)) = bytes.split_first_chunk::<FILE_HEADER>() else {
        return Err(wrong(no_pcap));
    };
    let number = match *header {
        [0xd4, 0xc3, 0xb2, 0xa1, ..] | [0x4d, 0x3c, 0xb2, 0xa1, ..] => u32::from_le_bytes,
        [0xa1, 0xb2, 0xc3, 0xd4, ..] | [0xa1, 0xb2, 0x3c, 0x4d, ..] => u32::from_be_bytes,
        _ => return Err(wrong(no_pcap)),
    };
    let [.., a, b, c, d] = *header;
    if number([a, b, c, d]) & 0x0fff_ffff != ETHERNET {
        return Err(wrong("its frames are no Ethernet frames (link type 1)"));
    }
    let (mut steps, mut second) = (Vec::new(), None);
    while let Some((record, tail)) = rest.split_first_chunk::<RECORD_HEADER>() {
        let len = captured(record, number);
        let Some((frame, tail)) = tail.split_at_checked(len) else {
            return Err(wrong("it is cut off in the middle of a frame"));
        };
        let [a, b, c, d, ..] = *record;
        let now = number([a, b, c, d]);
        let passed = second.map_or(0, |second| now.saturating_sub(second));
        if passed > 0 {
            steps.push(Step::Wait(passed));
        }
        second = Some(second.unwrap_or(0).max(now));
        steps.push(Step::Frame { port: port.clone(), bytes: frame.to_vec() });
        rest = tail;
    }
    Ok(steps)
}

/// Bytes of a frame that a record holds.
pub(super) fn captured(record: &[u8; RECORD_HEADER], number: fn([u8; 4]) -> u32) -> usize {
    let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *record;
    number([a, b, c, d]) as usize
}

/// Bytes ahead of the first record.
pub(super) const FILE_HEADER: usize = 24;
/// Bytes ahead of each frame.
pub(super) const RECORD_HEADER: usize = 16;
/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn pcap(seconds: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1];
        bytes.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0]);
        for second in seconds {
            for word in [*second, 5, 3, 3] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.extend(b"abc");
        }
        bytes
    }

    #[test]
    fn frames_come_at_their_seconds() {
        let port: Name = "red".parse().unwrap();
        let steps = steps("x", &pcap(&[100, 100, 130, 129]), &port).unwrap();
        let frame = Step::Frame { port, bytes: b"abc".to_vec() };
        assert_eq!(
            steps,
            [frame.clone(), frame.clone(), Step::Wait(30), frame.clone(), frame],
            "time never runs backwards"
        );
    }

    #[test]
    fn other_files_are_refused() {
        let port: Name = "red".parse().unwrap();
        assert!(steps("x", b"hello", &port).is_err());
        let mut cut = pcap(&[1]);
        cut.pop();
        let error = steps("x", &cut, &port).unwrap_err();
        assert!(error.to_string().contains("cut off"), "{error}");
        let mut cooked = pcap(&[]);
        cooked[20] = 113;
        assert!(steps("x", &cooked, &port).is_err());
    }
}
