//! The clock: timers run between frames, at their own time.

use super::*;
use crate::replay::Cause;

#[test]
fn a_silent_station_is_forgotten_within_a_capture() {
    let room = Room::new();
    let (red, blue) = (mac_of("red"), mac_of("blue"));
    let red_says = [(0, ping((red, blue), RED, BLUE))];
    let later = [(400_000_000, ping((blue, red), BLUE, RED))];
    let inputs = vec![
        input("red", room.pcap("red.pcap", &red_says)),
        input("blue", room.pcap("blue.pcap", &later)),
    ];
    let (summary, _) = replay(&lab(), &options(inputs)).unwrap();
    let ports: Vec<&str> = summary
        .fdb
        .iter()
        .filter(|station| station.origin == "learned")
        .map(|station| station.port.as_str())
        .collect();
    assert_eq!(ports, ["blue"]);
    assert_eq!(summary.span, 400_000_000_000);
}

#[test]
fn a_neighbor_that_never_answers_is_given_up_at_its_time() {
    let room = Room::new();
    let file = room.pcap("red.pcap", &red_frames()[..3]);
    let until = Some(Duration::from_secs(10));
    let options = ReplayOptions { until, ..options(vec![input("red", file)]) };
    let (summary, accounts) = replay(&lab(), &options).unwrap();
    let timers: Vec<(u64, usize, usize)> = accounts
        .iter()
        .filter(|account| account.cause == Cause::Timer)
        .map(|account| (account.at, account.sent.len(), account.drops.len()))
        .collect();
    // Asked again after one and two seconds; after three the sender hears that nobody is there, and
    // as nobody has asked for him yet, he is asked three times in turn.
    let (asked, second) = (200_000, 1_000_000_000);
    let expected = [(1, 1, 0), (2, 1, 0), (3, 2, 1), (4, 1, 0), (5, 1, 0)];
    let expected = expected.map(|(after, sent, drops)| (asked + after * second, sent, drops));
    assert_eq!(timers, expected, "{accounts:#?}");
    let drops: Vec<_> = summary.drops.iter().map(|drop| (&*drop.port, &*drop.reason)).collect();
    assert_eq!(drops, [("red", "no-neighbor")]);
    assert_eq!(summary.span, 10 * second);
}

#[test]
fn it_ends_when_it_is_told_to() {
    let room = Room::new();
    let until = Some(Duration::from_micros(200));
    let options = ReplayOptions { until, ..options(room.story()) };
    let (summary, _) = replay(&lab(), &options).unwrap();
    assert_eq!(summary.stats.totals["received"], 3);
    assert_eq!(summary.inputs.iter().map(|input| input.frames).collect::<Vec<_>>(), [3, 0]);
}

#[test]
fn a_capture_that_runs_backwards_is_straightened_with_a_warning() {
    let room = Room::new();
    let mut frames = red_frames();
    frames[2].0 = 50;
    let file = room.pcap("red.pcap", &frames);
    let (summary, accounts) = replay(&lab(), &options(vec![input("red", file)])).unwrap();
    let times: Vec<u64> = accounts
        .iter()
        .filter(|account| matches!(account.cause, Cause::Frame(_)))
        .map(|account| account.at / 1000)
        .collect();
    assert_eq!(times, [0, 100, 100, 5_000]);
    let [warning] = &summary.warnings[..] else { panic!("{:?}", summary.warnings) };
    assert!(warning.contains("runs backwards (1 times, first at frame 3)"), "{warning}");
}
