//! The fate of each frame.

use super::*;
use crate::replay::{Cause, Fate, Part};

/// An account in one line: who, what became of it, and what left.
fn line(account: &Account) -> String {
    let cause = match &account.cause {
        Cause::Start => "start".to_owned(),
        Cause::Timer => "timer".to_owned(),
        Cause::Frame(arrival) => arrival.input.clone(),
        Cause::Change(words) => words.clone(),
    };
    let fate = match &account.fate {
        Some(Fate::Sent) => "sent",
        Some(Fate::Held) => "held",
        Some(Fate::Consumed) => "consumed",
        Some(Fate::Dropped { reason, .. }) => reason,
        None => "-",
    };
    let sent = account.sent.iter().map(|sent| {
        let part = match sent.part {
            Part::Frame => "it",
            Part::Released => "waited",
            Part::Spoken => "says",
        };
        format!("; {part} -> {}", sent.to.join(","))
    });
    let dropped = account.drops.iter().map(|drop| format!("; {} at {}", drop.reason, drop.port));
    format!("{cause} {fate}{}{}", sent.collect::<String>(), dropped.collect::<String>())
}

fn lines(accounts: &[Account]) -> Vec<String> {
    accounts.iter().filter(|account| account.cause != Cause::Start).map(line).collect()
}

fn total(summary: &Summary, name: &str) -> u64 {
    summary.stats.totals[name]
}

#[test]
fn every_frame_has_its_fate() {
    let room = Room::new();
    let (summary, accounts) = replay(&lab(), &options(room.story())).unwrap();
    let expected = [
        "red sent; says -> red; it -> blue",
        "red sent; it -> blue",
        "red held; says -> wan",
        "wan consumed; waited -> wan",
        // Red was heard of and never asked, so it is asked whether it is there.
        "wan sent; says -> red; it -> red",
        "red sent; it -> wan",
        "wan unsolicited",
    ];
    assert_eq!(lines(&accounts), expected, "{accounts:#?}");
    assert_eq!(total(&summary, "received"), 7);
    assert_eq!((total(&summary, "sent"), total(&summary, "consumed")), (5, 1));
    assert_eq!((total(&summary, "dropped"), total(&summary, "held")), (1, 0));
    let times: Vec<u64> = accounts.iter().map(|account| account.at / 1000).collect();
    assert_eq!(times.last(), Some(&6_000));
    assert_eq!(summary.start, EPOCH * 1_000_000_000);
    assert_eq!(summary.span, 6_000_000);
}

#[test]
fn the_tables_are_those_of_a_live_lab() {
    let room = Room::new();
    let (summary, _) = replay(&lab(), &options(room.story())).unwrap();
    let red = summary.fdb.iter().find(|station| station.port == "red").unwrap();
    assert_eq!((red.bridge.as_str(), &red.mac), ("br0", &mac_of("red").to_string()));
    let outside = summary.neighbors.iter().find(|known| known.address == OUTSIDE).unwrap();
    assert_eq!((outside.interface.as_str(), outside.state.as_str()), ("wan", "reachable"));
    let [flow] = &summary.conntrack[..] else { panic!("{:?}", summary.conntrack) };
    assert!(flow.src_nat && flow.line.contains("ESTABLISHED"), "{}", flow.line);
    let drops: Vec<_> = summary.drops.iter().map(|drop| (&*drop.port, &*drop.reason)).collect();
    assert_eq!(drops, [("wan", "unsolicited")]);
}

#[test]
fn a_refused_frame_says_why() {
    let room = Room::new();
    let frame = ping((Mac([1, 0, 0, 0, 0, 1]), mac_of("blue")), RED, BLUE);
    let file = room.pcap("a.pcap", &[(0, frame), (1, vec![2; 5])]);
    let (_, accounts) = replay(&lab(), &options(vec![input("red", file)])).unwrap();
    assert_eq!(lines(&accounts), ["red bad-source", "red runt"]);
    let Some(Fate::Dropped { meaning, .. }) = &accounts.last().unwrap().fate else { panic!() };
    assert_eq!(meaning, "The frame is shorter than an Ethernet header (14 bytes).");
}

#[test]
fn an_arp_reply_that_is_passed_on_frees_what_waited() {
    let room = Room::new();
    let (red, blue) = (mac_of("red"), mac_of("blue"));
    let far = (mac_of("wan"), wan_router_mac());
    // From outside to the published port: the router asks for red, and red tells everybody.
    let knock = tcp(far, (SERVER, 5_000), (EXTERNAL, 8_080), 0x02);
    let reply = arp(Operation::Reply, (red, RED), (Mac::BROADCAST, ROUTER));
    let blue_says = vec![(0, ping((blue, red), BLUE, RED))];
    let inputs = vec![
        input("blue", room.pcap("blue.pcap", &blue_says)),
        input("wan", room.pcap("wan.pcap", &[(10, knock.clone()), (11, knock)])),
        input("red", room.pcap("red.pcap", &[(20, reply)])),
    ];
    let (summary, accounts) = replay(&lab(), &options(inputs)).unwrap();
    assert_eq!(
        lines(&accounts)[1..],
        [
            "wan held; says -> blue,red",
            "wan held",
            "red sent; waited -> red; waited -> red; it -> blue",
        ]
    );
    assert_eq!(total(&summary, "held"), 0);
}

#[test]
fn a_frame_cut_by_the_capture_is_replayed_and_counted() {
    let room = Room::new();
    let whole = ping((mac_of("red"), mac_of("blue")), RED, BLUE);
    // As tcpdump -s 40 writes it: longer on the wire than the snap length.
    let lengths = [40, whole.len() as u32];
    let packet = MICROS.packet((EPOCH as u32, 0), lengths, &[], &whole[..40]);
    let file = room.write("a.pcap", &[MICROS.header(), packet].concat());
    let (summary, accounts) = replay(&lab(), &options(vec![input("red", file)])).unwrap();
    assert_eq!(summary.inputs[0].truncated, 1);
    assert_eq!(lines(&accounts), ["red sent; it -> blue"]);
}

#[test]
fn what_nobody_watches_comes_out_the_same() {
    let room = Room::new();
    let options = options(room.story());
    let (watched, _) = replay(&lab(), &options).unwrap();
    assert_eq!(run(&lab(), &options, None).unwrap(), watched);
}
