//! What is written, and that it is the same each time.

use std::collections::BTreeMap;

use super::*;

/// All files of a directory.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    entries.map(read).collect()
}

fn into_dir(room: &Room, inputs: Vec<Input>, dir: &str) -> (Summary, BTreeMap<String, Vec<u8>>) {
    let dir = room.path(dir);
    let options = ReplayOptions { write: Some(dir.clone()), ..options(inputs) };
    let (summary, _) = replay(&lab(), &options).unwrap();
    (summary, contents(&dir))
}

#[test]
fn each_port_has_a_file_of_what_it_got_and_when() {
    let room = Room::new();
    let (summary, files) = into_dir(&room, room.story(), "out");
    assert_eq!(files.keys().collect::<Vec<_>>(), ["blue.pcapng", "red.pcapng", "wan.pcapng"]);
    assert_eq!(summary.files.len(), 3);
    let wan = written(&room.path("out/wan.pcapng"));
    let ports: Vec<(u64, [u8; 4], u16)> = wan
        .iter()
        .filter(|(_, frame)| frame[12..14] == [8, 0] && frame[23] == 6)
        .map(|(at, frame)| {
            let source = frame[26..30].try_into().unwrap();
            (at - EPOCH * 1_000_000_000, source, u16::from_be_bytes([frame[34], frame[35]]))
        })
        .collect();
    // The first waited for an answer.
    let own = EXTERNAL.octets();
    assert_eq!(ports, [(1_000_000, own, 40_000), (5_000_000, own, 40_000)]);
    for (_, frame) in &wan {
        assert!(frame[12..14] != [8, 0] || checksum::holds(&frame[14..34]));
    }
    let blue = written(&room.path("out/blue.pcapng"));
    assert!(blue.contains(&(EPOCH * 1_000_000_000 + 100_000, red_frames()[1].1.clone())));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let room = Room::new();
    let (first, files) = into_dir(&room, room.story(), "out");
    let again =
        ReplayOptions { write: Some(room.path("out")), force: true, ..options(room.story()) };
    let (second, _) = replay(&lab(), &again).unwrap();
    assert_eq!(first, second);
    assert_eq!(files, contents(&room.path("out")));
}

#[test]
fn frames_of_one_time_go_in_the_order_of_the_inputs() {
    let room = Room::new();
    let frames = |from: &str, to: &str, addresses: (Ipv4Addr, Ipv4Addr)| -> Vec<Timed> {
        let frame = ping((mac_of(from), mac_of(to)), addresses.0, addresses.1);
        vec![(0, frame.clone()), (0, frame)]
    };
    let red = input("red", room.pcap("r.pcap", &frames("red", "blue", (RED, BLUE))));
    let blue = input("blue", room.pcap("b.pcap", &frames("blue", "red", (BLUE, RED))));
    let order = |inputs: Vec<Input>| -> Vec<String> {
        let (_, accounts) = replay(&lab(), &options(inputs)).unwrap();
        let names = accounts.into_iter().filter_map(|account| match account.cause {
            crate::replay::Cause::Frame(arrival) => Some(arrival.input),
            _ => None,
        });
        names.collect()
    };
    for _ in 0..3 {
        assert_eq!(order(vec![red.clone(), blue.clone()]), ["red", "red", "blue", "blue"]);
        assert_eq!(order(vec![blue.clone(), red.clone()]), ["blue", "blue", "red", "red"]);
    }
}

#[test]
fn nothing_is_replaced_unasked() {
    let room = Room::new();
    into_dir(&room, room.story(), "out");
    let write = Some(room.path("out"));
    let again = ReplayOptions { write: write.clone(), ..options(room.story()) };
    let error = replay(&lab(), &again).unwrap_err().to_string();
    assert!(error.ends_with("blue.pcapng is there already: --force replaces it"), "{error}");
    // What would be read and replaced at once is neither.
    let own = input("red", room.path("out/red.pcapng"));
    let before = contents(&room.path("out"));
    let own = ReplayOptions { write, force: true, ..options(vec![own]) };
    let error = replay(&lab(), &own).unwrap_err();
    assert!(matches!(error, ReplayError::IsInput { .. }), "{error}");
    assert_eq!(contents(&room.path("out")), before);
}

#[test]
fn a_wrong_input_makes_no_files() {
    let room = Room::new();
    let mut inputs = room.story();
    inputs.push(input("green", room.path("red.pcap")));
    let options = ReplayOptions { write: Some(room.path("out")), ..options(inputs) };
    let error = replay(&lab(), &options).unwrap_err();
    assert!(error.is_wrong_input());
    let sentence = "the lab has no port `green` to take frames in: it has blue, red, wan";
    assert_eq!(error.to_string(), sentence);
    assert!(!room.path("out").exists());
}
