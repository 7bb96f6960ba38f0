//! Formats, and files that are broken.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::replay::capture::{Capture, Record};

fn read(bytes: &[u8]) -> Result<(Vec<Record>, bool), ReplayError> {
    let mut capture = Capture::read(Path::new("a.pcap"), Box::new(Cursor::new(bytes.to_vec())))?;
    let mut records = Vec::new();
    while let Some(record) = capture.next()? {
        records.push(record);
    }
    Ok((records, capture.cut_off))
}

#[test]
fn every_format_is_read_alike() {
    let room = Room::new();
    let frames = red_frames();
    let files = [
        room.pcap("micro.pcap", &frames, TsResolution::MicroSecond),
        room.pcap("nano.pcap", &frames, TsResolution::NanoSecond),
        room.pcapng("micro.pcapng", &frames, 6, 1_000),
        room.pcapng("nano.pcapng", &frames, 9, 1),
    ];
    let summaries: Vec<Summary> = files
        .iter()
        .map(|file| {
            let inputs = vec![input("red", file.clone())];
            let mut summary = run(&lab(), &options(inputs), None).unwrap();
            summary.inputs[0].file.clear();
            summary
        })
        .collect();
    assert_eq!(summaries[0].stats.totals["received"], 4);
    for summary in &summaries[1..] {
        assert_eq!(*summary, summaries[0]);
    }
}

#[test]
fn a_resolution_of_powers_of_two_is_understood() {
    let room = Room::new();
    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    let options = vec![
        InterfaceDescriptionOption::IfTsResol(0x80 | 10),
        InterfaceDescriptionOption::IfTsOffset(100),
    ];
    let linktype = DataLink::ETHERNET;
    writer.write_pcapng_block(InterfaceDescriptionBlock { linktype, snaplen: 0, options }).unwrap();
    let block = EnhancedPacketBlock {
        interface_id: 0,
        timestamp: Duration::from_nanos(1024 + 512),
        original_len: 14,
        data: Cow::Borrowed(&[2; 14]),
        options: Vec::new(),
    };
    writer.write_pcapng_block(block).unwrap();
    let path = room.write("a.pcapng", &writer.into_inner());
    let (records, _) = read(&fs::read(path).unwrap()).unwrap();
    assert_eq!(records[0].at, packet::Instant::from_millis(101_500));
}

#[test]
fn what_is_no_capture_says_so() {
    for bytes in [&b""[..], b"abc", b"[bridge.br0]\nrouter = \"10.0.0.1/8\"\n", &[0x0a; 40]] {
        let error = read(bytes).unwrap_err().to_string();
        assert_eq!(error, "a.pcap is not a capture: neither pcap nor pcapng begins like this");
    }
    let missing = Capture::open(Path::new("/nonexistent/a.pcap")).err().unwrap().to_string();
    assert_eq!(missing, "/nonexistent/a.pcap: No such file or directory (os error 2)");
}

#[test]
fn another_medium_is_refused() {
    let header = PcapHeader { datalink: DataLink::LINUX_SLL, ..PcapHeader::default() };
    let writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    let error = read(&writer.into_writer()).unwrap_err().to_string();
    assert!(error.starts_with("a.pcap holds frames of link type 113, and only Eth"), "{error}");
}

#[test]
fn a_file_that_breaks_off_is_replayed_up_to_there() {
    let room = Room::new();
    for (name, file) in [
        ("a.pcap", room.pcap("a.pcap", &red_frames(), TsResolution::MicroSecond)),
        ("a.pcapng", room.pcapng("a.pcapng", &red_frames(), 9, 1)),
    ] {
        let whole = fs::read(&file).unwrap();
        for len in 0..whole.len() {
            let Ok((records, cut_off)) = read(&whole[..len]) else { continue };
            assert!(records.len() < 4);
            assert!(cut_off || read(&whole[..len]).is_ok_and(|(again, _)| again == records));
        }
        let file = room.write(name, &whole[..whole.len() - 3]);
        let summary = run(&lab(), &options(vec![input("red", file)]), None).unwrap();
        assert_eq!(summary.stats.totals["received"], 3);
        let [warning] = &summary.warnings[..] else { panic!("{:?}", summary.warnings) };
        assert!(warning.ends_with("breaks off behind frame 3: what follows is lost"), "{warning}");
    }
}

#[test]
fn a_damaged_block_says_where() {
    let room = Room::new();
    let file = room.pcapng("a.pcapng", &red_frames(), 9, 1);
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let file = room.write("a.pcapng", &bytes);
    let error = run(&lab(), &options(vec![input("red", file)]), None).unwrap_err().to_string();
    assert!(error.contains("a.pcapng is damaged behind frame 3: "), "{error}");
}

proptest! {
    // Each takes a buffer of 8 MB.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_a_reader_panic(
        magic in prop::sample::select(vec![
            vec![],
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 1, 0, 0, 0],
            vec![
                0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255,
                255, 255, 255, 255, 255, 28, 0, 0, 0,
            ],
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        // An error is as good as an end.
        let _ = read(&[magic, bytes].concat());
    }

    #[test]
    fn no_flipped_byte_makes_a_replay_panic(at in 0usize..700, bits in 1u8.., is_new in any::<bool>()) {
        let room = Room::new();
        let file = match is_new {
            true => room.pcapng("a.pcap", &red_frames(), 9, 1),
            false => room.pcap("a.pcap", &red_frames(), TsResolution::MicroSecond),
        };
        let mut bytes = fs::read(&file).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= bits;
        let file = room.write("a.pcap", &bytes);
        if let Ok(summary) = run(&lab(), &options(vec![input("red", file)]), None) {
            let total = |name: &str| summary.stats.totals[name];
            let ends = total("sent") + total("held") + total("consumed") + total("dropped");
            prop_assert_eq!(total("received"), ends);
        }
    }
}
