//! Files as they come, cut anywhere, and as they are written.

use proptest::prelude::*;

use super::*;

#[test]
fn what_is_written_is_as_the_draft_has_it_and_is_read_again() {
    let mut writer = PcapNgWriter::new(Vec::new(), "red", LinkType::Ethernet).unwrap();
    writer.packet(Instant::from_nanos(0x1_0000_0002), &[1, 2, 3, 4, 5]).unwrap();
    let file = writer.finish().unwrap();
    #[rustfmt::skip]
    let expected = [
        0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 28, 0, 0, 0,
        1, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
        2, 0, 3, 0, b'r', b'e', b'd', 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0,
        6, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0,
        1, 2, 3, 4, 5, 0, 0, 0, 40, 0, 0, 0,
    ];
    assert_eq!(file, expected);
    let (records, _) = read(&file).unwrap();
    let at = Instant::from_nanos(0x1_0000_0002);
    assert_eq!(records, [CapturedFrame { at, bytes: vec![1, 2, 3, 4, 5], is_truncated: false }]);
}

proptest! {
    /// Cut anywhere, a file has the frames that are whole, and says so unless it was cut between two of them.
    #[test]
    fn a_file_cut_anywhere_has_the_frames_ahead(
        lens in prop::collection::vec(0usize..90, 1..6), kind in 0u8..4, cut in any::<prop::sample::Index>(),
    ) {
        let frames: Vec<(u64, Vec<u8>)> =
            lens.iter().enumerate().map(|(at, len)| (at as u64 * 1_000, vec![at as u8; *len])).collect();
        let file_of = |frames: &[(u64, Vec<u8>)]| match kind {
            0 => MICROS.file(frames),
            1 => NANOS.file(frames),
            2 => SECTION.file(9, 1, frames),
            _ => BIG.file(6, 1_000, frames),
        };
        let ends: Vec<usize> = (0..=frames.len()).map(|count| file_of(&frames[..count]).len()).collect();
        let file = file_of(&frames);
        let cut = cut.index(file.len() + 1);
        if cut < ends[0] {
            // Between blocks ahead of any packet, an empty file.
            prop_assert!(read(&file[..cut]).map_or(true, |(records, _)| records.is_empty()));
            return Ok(());
        }
        let count = ends.iter().filter(|end| **end <= cut).count() - 1;
        let (records, warnings) = read(&file[..cut]).unwrap();
        let got: Vec<(u64, Vec<u8>)> = records.into_iter().map(|r| (r.at.as_nanos(), r.bytes)).collect();
        prop_assert_eq!(&got, &frames[..count]);
        prop_assert_eq!(warnings.is_empty(), ends.contains(&cut));
    }

    /// Whatever is written is read again.
    #[test]
    fn every_packet_written_is_read_again(
        packets in prop::collection::vec((any::<u64>(), prop::collection::vec(any::<u8>(), 0..100)), 0..8),
        name in "[a-z0-9_.-]{0,300}",
    ) {
        let mut writer = PcapNgWriter::new(Vec::new(), &name, LinkType::Ethernet).unwrap();
        for (at, bytes) in &packets {
            writer.packet(Instant::from_nanos(*at), bytes).unwrap();
        }
        let (records, warnings) = read(&writer.finish().unwrap()).unwrap();
        prop_assert!(warnings.is_empty());
        let got: Vec<(u64, Vec<u8>)> = records.into_iter().map(|r| (r.at.as_nanos(), r.bytes)).collect();
        prop_assert_eq!(got, packets);
    }
}
