//! What is read of every kind of file, as Wireshark reads it, and what is said of those that are
//! damaged.

use std::io::{self, Cursor};

use packet::frame::MAX_FRAME;

use super::bytes::Order;
use super::samples::{END, MICROS, NANOS, Pcap, SECTION, Section, gzip};
use super::*;

mod round_trip;

const FRAME: [u8; 60] = [7; 60];
const FCS: [u8; 4] = [0xde, 0xad, 0xbe, 0xef];
const BIG: Section = Section(Order::Big);
/// 2023-11-14, in seconds.
const THEN: u64 = 1_700_000_000;

/// All frames, and why there are no more.
fn read(bytes: &[u8]) -> Result<(Vec<CapturedFrame>, Vec<String>), CaptureError> {
    let mut capture = Capture::read(Path::new("a"), Box::new(Cursor::new(bytes.to_vec())))?;
    let mut records = Vec::new();
    while let Some(record) = capture.next_record()? {
        records.push(record);
    }
    Ok((records, capture.warnings().collect()))
}

/// Frames and seconds of a file without fault.
fn whole(bytes: &[u8]) -> Vec<(f64, Vec<u8>)> {
    let (records, warnings) = read(bytes).unwrap();
    assert_eq!(warnings, [""; 0]);
    let seconds = |at: Instant| at.as_nanos() as f64 / 1e9;
    records.into_iter().map(|record| (seconds(record.at), record.bytes)).collect()
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

/// The number of frames ahead of the fault, and what is said of it.
fn broken(bytes: &[u8]) -> (usize, String) {
    let (records, warnings) = read(bytes).unwrap();
    (records.len(), warnings.concat())
}

fn plain() -> Vec<u8> {
    MICROS.file(&[(THEN * 1_000_000_000, FRAME.to_vec())])
}

/// A section with one interface that says nothing more, and one frame.
fn section(section: Section) -> Vec<u8> {
    let parts = [
        section.begin((1, 0), &[]),
        section.interface(1, 0, &[]),
        section.enhanced(0, THEN * 1_000_000, &FRAME, &[]),
    ];
    parts.concat()
}

#[test]
fn pcap_is_read_in_both_orders_both_units_and_the_modified_format() {
    let one = [(THEN as f64 + 0.5, FRAME.to_vec())];
    for order in [Order::Little, Order::Big] {
        for kind in [MICROS, NANOS] {
            let file = Pcap { order, ..kind }
                .file(&[(THEN * 1_000_000_000 + 500_000_000, FRAME.to_vec())]);
            assert_eq!(whole(&file), one);
        }
        let modified = Pcap { order, magic: 0xa1b2_cd34, ..MICROS };
        let packet = modified.packet((THEN as u32, 500_000), [60; 2], &[1; 8], &FRAME);
        assert_eq!(
            whole(&[modified.header(), packet.clone(), packet].concat()),
            [one[0].clone(), one[0].clone()]
        );
    }
}

#[test]
fn lengths_of_old_pcap_files_are_the_other_way_around() {
    for (minor, lengths, is_truncated) in [
        (2, [1500, 60], true),
        (3, [1500, 60], true),
        (3, [60, 1500], true),
        (3, [60, 60], false),
        (5, [60, 1500], true),
    ] {
        let old = Pcap { version: (2, minor), ..MICROS };
        let packet = old.packet((1, 0), lengths, &[], &FRAME);
        let (records, _) = read(&[old.header(), packet].concat()).unwrap();
        let at = Instant::from_secs(1);
        assert_eq!(records, [CapturedFrame { at, bytes: FRAME.to_vec(), is_truncated }], "{minor}");
    }
}

#[test]
fn an_fcs_is_cut_off_where_it_is_declared_and_only_there() {
    let with_fcs = [&FRAME[..], &FCS].concat();
    for (network, frame, kept) in [
        (0x2400_0001, &with_fcs, &FRAME[..]),
        (0x3000_0001, &with_fcs, &with_fcs),
        (0x0800_0001, &with_fcs, &with_fcs),
        (0x1400_0001, &with_fcs, &with_fcs[..62]),
        (0xf400_0001, &vec![1, 2, 3], &[]),
    ] {
        let file = Pcap { network, ..MICROS }.file(&[(0, frame.clone())]);
        assert_eq!(whole(&file), [(0.0, kept.to_vec())], "{network:x}");
    }
    let said = [SECTION.option(13, &[4]), END.to_vec()].concat();
    let flags = [SECTION.option(2, &(2u32 << 5).to_le_bytes()), END.to_vec()].concat();
    let file = [
        SECTION.begin((1, 0), &[]),
        SECTION.interface(1, 0, &said),
        SECTION.enhanced(0, 0, &with_fcs, &[]),
        SECTION.enhanced(0, 0, &with_fcs, &flags),
        SECTION.obsolete(0, 0, &with_fcs),
        SECTION.simple(64, &with_fcs),
    ];
    let (records, _) = read(&file.concat()).unwrap();
    let lengths: Vec<usize> = records.iter().map(|record| record.bytes.len()).collect();
    assert_eq!(lengths, [60, 62, 60, 60]);
}

#[test]
fn of_an_fcs_that_was_not_captured_nothing_is_cut_off() {
    let file = Pcap { network: 0x2400_0001, ..MICROS };
    for (captured, kept, is_truncated) in [(40, 40, true), (60, 60, false), (62, 60, false)] {
        let packet = file.packet((0, 0), [captured, 64], &[], &[7; 64][..captured as usize]);
        let (records, _) = read(&[file.header(), packet].concat()).unwrap();
        assert_eq!((records[0].bytes.len(), records[0].is_truncated), (kept, is_truncated));
    }
}

#[test]
fn other_versions_and_other_media_are_refused() {
    for (version, said) in [((1, 0), "1.0"), ((543, 0), "543.0"), ((3, 0), "3.0")] {
        let sentence =
            format!("a cannot be read: it is pcap of version {said}, and only version 2 is known");
        assert_eq!(refusal(&Pcap { version, ..MICROS }.file(&[])), sentence);
    }
    for (version, said) in [((9, 0), "9.0"), ((1, 1), "1.1"), ((0, 0), "0.0")] {
        let sentence = format!(
            "a cannot be read: it is pcapng of version {said}, and only version 1.0 is known"
        );
        assert_eq!(refusal(&SECTION.begin(version, &[])), sentence);
        let (frames, said) = broken(&[section(SECTION), SECTION.begin(version, &[])].concat());
        assert_eq!(frames, 1);
        assert!(said.starts_with("a is damaged behind frame 1: it is pcapng of version"), "{said}");
    }
    assert_eq!(whole(&[SECTION.begin((1, 2), &[]), section(BIG)].concat()).len(), 1);
    for network in [113, 0x0001_0001] {
        let said = refusal(&Pcap { network, ..MICROS }.file(&[]));
        assert!(
            said.starts_with(&format!("a holds frames of link type {network}, and the")),
            "{said}"
        );
    }
    let file = [
        SECTION.begin((1, 0), &[]),
        SECTION.interface(113, 0, &[]),
        SECTION.interface(1, 0, &[]),
        SECTION.enhanced(1, 0, &FRAME, &[]),
    ];
    assert_eq!(whole(&file.concat()).len(), 1, "an interface without packets is no matter");
    let said = refusal(&[file.concat(), SECTION.enhanced(0, 0, &FRAME, &[])].concat());
    assert!(said.starts_with("a holds frames of link type 113"), "{said}");
}

#[test]
fn what_is_no_capture_says_so() {
    let gzipped = gzip(b"hello, this is text");
    for bytes in
        [&b""[..], b"abc", b"[bridge.br0]\nhub = true\n", &[0x0a; 40], &gzipped, &gzipped[..9]]
    {
        assert_eq!(refusal(bytes), "a is not a capture: neither pcap nor pcapng begins like this");
    }
    let missing = Capture::open(Path::new("/nonexistent/a.pcap")).err().unwrap().to_string();
    assert_eq!(missing, "/nonexistent/a.pcap: No such file or directory (os error 2)");
    let folder = Capture::open(Path::new("/")).err().unwrap().to_string();
    assert_eq!(folder, "/: Is a directory (os error 21)");
}

#[test]
fn options_may_have_no_end_any_text_and_wrong_lengths() {
    let endless = SECTION.option(3, b"eth0");
    let latin1 = [SECTION.option(3, b"Caf\xe9 f\xfcr"), END.to_vec()].concat();
    let wrong =
        [SECTION.option(6, &[0; 8]), SECTION.option(9, &[9, 0]), SECTION.option(14, &[1])].concat();
    let beyond = [2, 0, 0xff, 0xff, 1, 2, 3, 4].to_vec();
    let long = [SECTION.option(1, &[b'x'; 65_534]), SECTION.option(9, &[6]), END.to_vec()].concat();
    for options in [endless, latin1, wrong, beyond, long, vec![1, 0], vec![0; 64]] {
        let file = [
            SECTION.begin((1, 0), &options),
            SECTION.interface(1, 0, &options),
            SECTION.enhanced(0, THEN * 1_000_000, &FRAME, &options),
        ];
        let file = [&file.concat()[..], &section(BIG)].concat();
        assert_eq!(whole(&file), [(THEN as f64, FRAME.to_vec()), (THEN as f64, FRAME.to_vec())]);
    }
}

#[test]
fn simple_and_obsolete_packet_blocks_are_read() {
    for order in [SECTION, BIG] {
        let file = [
            order.begin((1, 0), &[]),
            order.interface(1, 20, &[]),
            order.obsolete(0, 5_000_000, &FRAME),
            order.simple(60, &FRAME[..20]),
            order.simple(18, &FRAME[..18]),
        ];
        let (records, warnings) = read(&file.concat()).unwrap();
        let at = Instant::from_secs(5);
        let record = |len: usize, is_truncated| CapturedFrame {
            at,
            bytes: FRAME[..len].to_vec(),
            is_truncated,
        };
        assert_eq!(records, [record(60, false), record(20, true), record(18, false)]);
        assert!(warnings.concat().starts_with("a has 2 frames without a time"), "{warnings:?}");
    }
}

#[test]
fn a_section_has_its_own_byte_order_interfaces_and_resolutions() {
    let interface =
        |section: Section, options: &[&[u8]]| section.interface(1, 0, &options.concat());
    let nanos = SECTION.option(9, &[9]);
    let binary =
        [SECTION.option(9, &[0x80 | 10]), SECTION.option(14, &100u64.to_le_bytes())].concat();
    let file = [
        SECTION.begin((1, 0), &[]),
        interface(SECTION, &[&nanos]),
        interface(SECTION, &[&binary]),
        SECTION.enhanced(1, 1024 + 512, &FRAME, &[]),
        SECTION.enhanced(0, 7_000_000_000, &FRAME, &[]),
        BIG.begin((1, 0), &[]),
        interface(BIG, &[]),
        BIG.enhanced(0, 8_000_000, &FRAME, &[]),
    ]
    .concat();
    let times: Vec<f64> = whole(&file).into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [101.5, 7.0, 8.0]);
    let (frames, said) = broken(&[file, BIG.enhanced(1, 0, &FRAME, &[])].concat());
    assert_eq!((frames, said.contains("an interface that is not described")), (3, true), "{said}");
}

#[test]
fn a_time_beyond_the_clock_is_that_of_the_frame_ahead() {
    for (resolution, offset, time, expected) in [
        (0, 0, THEN, Some(THEN as f64)),
        (0, 0, u64::MAX, None),
        (6, -1_800_000_000i64, THEN * 1_000_000, None),
        (20, 0, u64::MAX, Some(0.184_467_440)),
        (0x7f, 0, u64::MAX, Some(0.0)),
        (0xff, 0, u64::MAX, Some(0.0)),
    ] {
        let options = [SECTION.option(9, &[resolution]), SECTION.option(14, &offset.to_le_bytes())];
        let file = [
            SECTION.begin((1, 0), &[]),
            SECTION.interface(1, 0, &[]),
            SECTION.interface(1, 0, &options.concat()),
            SECTION.enhanced(0, 2_000_000, &FRAME, &[]),
            SECTION.enhanced(1, time, &FRAME, &[]),
        ];
        let (records, warnings) = read(&file.concat()).unwrap();
        let at = records[1].at.as_nanos() as f64 / 1e9;
        assert_eq!(at, expected.unwrap_or(2.0));
        assert_eq!(warnings.is_empty(), expected.is_some(), "{warnings:?}");
    }
}

#[test]
fn blocks_that_are_of_no_interest_are_read_past_whatever_their_size() {
    let large = SECTION.block(10, vec![3; 40 << 20]);
    let custom = SECTION.block(0xbad, b"hello".to_vec());
    let first = section(SECTION);
    let file = [&first[..], &large, &custom, &SECTION.enhanced(0, 0, &FRAME, &[])].concat();
    assert_eq!(whole(&file).len(), 2);
}

#[test]
fn of_a_packet_no_more_is_kept_than_the_longest_frame() {
    let long = vec![7; 300_000];
    for file in [MICROS.file(&[(0, long.clone())]), SECTION.file(9, 1, &[(0, long)])] {
        let (records, warnings) = read(&file).unwrap();
        assert_eq!((records[0].bytes.len(), records[0].is_truncated), (MAX_FRAME, true));
        assert!(warnings.is_empty());
    }
    let wild = [plain(), MICROS.packet((0, 0), [0x4141_4141; 2], &[], &FRAME)].concat();
    let (frames, said) = broken(&wild);
    assert_eq!(frames, 1);
    assert!(
        said.contains("claims 1094795585 bytes, and more than 16 MiB are not believed"),
        "{said}"
    );
}

#[test]
fn what_contradicts_the_format_ends_the_capture_behind_the_frames_ahead() {
    let one = section(SECTION);
    let mut mismatch = SECTION.enhanced(0, 0, &FRAME, &[]);
    let last = mismatch.len() - 1;
    mismatch[last] ^= 1;
    let mut over = SECTION.enhanced(0, 0, &FRAME, &[]);
    over[20..22].copy_from_slice(&900u16.to_le_bytes());
    for (damage, why) in [
        (mismatch, "has 92 bytes at its begin and 16777308 at its end"),
        (over, "longer than the block that holds it"),
        ([6, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0].to_vec(), "too short for what it is"),
        (SECTION.block(1, vec![0; 4]), "too short for what it is"),
        (SECTION.block(0x0a0d_0d0a, b"1234123412341234".to_vec()), "says no byte order"),
        (SECTION.simple(600, &FRAME), "longer than the block that holds it"),
        (vec![0; 16], "too short for what it is"),
        (vec![0; 3], "breaks off behind frame 1"),
        (SECTION.begin((1, 0), &[])[..9].to_vec(), "breaks off behind frame 1"),
    ] {
        let (frames, said) =
            broken(&[&one[..], &damage, &one].concat()[..one.len() + damage.len()]);
        assert_eq!(frames, 1, "{why}: {said}");
        assert!(
            said.contains(why)
                && said.ends_with("; what follows is lost") | said.contains("breaks off"),
            "{said}"
        );
    }
}

#[test]
fn a_length_without_its_padding_is_one_with_it() {
    let mut block = SECTION.enhanced(0, 0, &[7; 61], &[]);
    let (first, last) = (4, block.len() - 4);
    let length = block[4] - 3;
    block[first] = length;
    block[last] = length;
    let file = [section(SECTION), block, section(BIG)].concat();
    assert_eq!(whole(&file).len(), 3);
}

#[test]
fn gzip_is_recognised_by_content_and_read_member_by_member() {
    for file in [plain(), section(SECTION)] {
        let expected = whole(&file);
        assert_eq!(whole(&gzip(&file)), expected);
        let (begin, end) = file.split_at(30);
        assert_eq!(whole(&[gzip(begin), gzip(&[]), gzip(end)].concat()), expected);
    }
    let many: Vec<(u64, Vec<u8>)> = (0..50).map(|at| (at, (0..60).collect())).collect();
    let packed = gzip(&MICROS.file(&many));
    let (frames, said) = broken(&packed[..packed.len() - 4]);
    assert_eq!((frames, said.as_str()), (50, "a breaks off behind frame 50: what follows is lost"));
    let mut wrong = packed.clone();
    let at = wrong.len() - 6;
    wrong[at] ^= 1;
    for damaged in [wrong, [packed, b"and more of another kind".to_vec()].concat()] {
        let (frames, said) = broken(&damaged);
        assert_eq!(frames, 50);
        assert!(said.starts_with("a is damaged behind frame 50: "), "{said}");
    }
}

#[test]
fn what_is_ahead_of_the_damage_in_gzip_is_read() {
    let many: Vec<(u64, Vec<u8>)> = (0..50).map(|at| (at, vec![at as u8; 60])).collect();
    let packed = gzip(&MICROS.file(&many));
    let damaged = |at: usize| [&packed[..at], &[0xff; 8]].concat();
    // Behind the data of all, ahead of the sum.
    let (frames, said) = broken(&damaged(packed.len() - 12));
    assert!(frames >= 40 && said.starts_with("a is damaged behind frame "), "{frames}: {said}");
    let said = refusal(&damaged(11));
    let why = "it is gzip, damaged ahead of the first frame: corrupt deflate stream";
    assert_eq!(said, format!("a cannot be read: {why}"));
}

#[test]
fn a_block_of_any_size_is_read_in_small_pieces() {
    struct Counted<R>(R, std::rc::Rc<std::cell::Cell<usize>>);
    impl<R: Read> Read for Counted<R> {
        fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
            self.1.set(self.1.get().max(space.len()));
            self.0.read(space)
        }
    }
    let mut block = SECTION.block(10, Vec::new());
    let length = ((64u32 << 20) + 12).to_le_bytes();
    block[4..8].copy_from_slice(&length);
    block.truncate(8);
    let (begin, one) = (section(SECTION), SECTION.enhanced(0, 0, &FRAME, &[]));
    let largest = std::rc::Rc::default();
    let body = io::repeat(0).take(64 << 20);
    let file = Cursor::new([begin, block].concat())
        .chain(body)
        .chain(Cursor::new([&length[..], &one].concat()));
    let counted = Counted(file, std::rc::Rc::clone(&largest));
    let mut capture = Capture::read(Path::new("a"), Box::new(counted)).unwrap();
    assert!(capture.next_record().unwrap().is_some() && capture.next_record().unwrap().is_some());
    assert!(largest.get() <= MAX_FRAME, "{} bytes were asked for at once", largest.get());
}
