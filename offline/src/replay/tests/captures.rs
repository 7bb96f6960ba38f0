//! Captures of every format, and files that are broken.

use proptest::prelude::*;

use super::*;

#[test]
fn every_format_is_read_alike() {
    let room = Room::new();
    let frames = red_frames();
    let files = [
        room.pcap("micro.pcap", &frames),
        room.write("nano.pcap", &NANOS.file(&timed(&frames))),
        room.write("micro.pcapng", &SECTION.file(6, 1_000, &timed(&frames))),
        room.pcapng("nano.pcapng", &frames),
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
fn a_file_that_breaks_off_is_replayed_up_to_there() {
    let room = Room::new();
    for (name, file) in [
        ("a.pcap", room.pcap("a.pcap", &red_frames())),
        ("a.pcapng", room.pcapng("a.pcapng", &red_frames())),
    ] {
        let whole = fs::read(&file).unwrap();
        let file = room.write(name, &whole[..whole.len() - 3]);
        let summary = run(&lab(), &options(vec![input("red", file)]), None).unwrap();
        assert_eq!(summary.stats.totals["received"], 3);
        let [warning] = &summary.warnings[..] else { panic!("{:?}", summary.warnings) };
        assert!(warning.ends_with("breaks off behind frame 3: what follows is lost"), "{warning}");
    }
}

#[test]
fn a_damaged_file_is_replayed_up_to_the_damage() {
    let room = Room::new();
    let file = room.pcapng("a.pcapng", &red_frames());
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let file = room.write("a.pcapng", &bytes);
    let summary = run(&lab(), &options(vec![input("red", file)]), None).unwrap();
    assert_eq!(summary.stats.totals["received"], 3);
    assert!(summary.is_cut_off);
    let [warning] = &summary.warnings[..] else { panic!("{:?}", summary.warnings) };
    assert!(warning.contains("a.pcapng is damaged behind frame 3: a block has "), "{warning}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_flipped_byte_makes_a_replay_panic(at in 0usize..700, bits in 1u8.., is_new in any::<bool>()) {
        let room = Room::new();
        let file = match is_new {
            true => room.pcapng("a.pcap", &red_frames()),
            false => room.pcap("a.pcap", &red_frames()),
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
