//! What the switch keeps for packets that follow one another, and reads ahead, changes nothing but
//! the time they take.
//!
//! The lab compares every step of every test with a switch that knows no shortcut; here are tables
//! so large that reading ahead begins, and each change that ends what was kept.

use core::time::Duration;

use lab::wire::{arp_reply, frame};
use lab::{Lab, Packet, Port};
use packet::Mac;
use switch::Change;
use switch::change::BridgeSettings;

/// Two hosts inside, a gateway and the world outside.
fn home() -> Lab {
    let mut lab = Lab::new(11);
    let large = BridgeSettings { capacity: 40_000, ..BridgeSettings::default() };
    lab.bridge_with("br0", large);
    lab.router("br0", "192.168.0.1/24");
    lab.peer("red", Port::on("br0"), "192.168.0.2");
    lab.peer("blue", Port::on("br0"), "192.168.0.3");
    lab.peer("wan", Port::routed("203.0.113.1/24"), "203.0.113.254");
    lab.route("0.0.0.0/0", "203.0.113.254");
    lab.masquerade("192.168.0.0/24", "wan");
    lab.limits(20_000, 20_000);
    lab
}

/// One datagram of red's out and its answer back.
fn exchange(lab: &mut Lab, port: u16) {
    exchange_of(lab, "red", "192.168.0.2", port);
}

fn exchange_of(lab: &mut Lab, host: &str, address: &str, port: u16) {
    let inside = format!("{address}:{port}");
    lab.ip(host, &Packet::udp(&*inside, "198.51.100.9:53", b"question"));
    let asked = lab.packet("wan");
    let expected = Packet::udp(&*format!("203.0.113.1:{port}"), "198.51.100.9:53", b"question");
    assert_eq!(asked, expected.ttl(63));
    lab.ip("wan", &Packet::udp(asked.to(), asked.from(), b"answer"));
    let other = if host == "red" { "blue" } else { "red" };
    assert_eq!(lab.packets(host), [Packet::udp("198.51.100.9:53", &*inside, b"answer").ttl(63)]);
    assert!(lab.packets(other).is_empty());
}

#[test]
fn flows_beyond_the_near_caches_are_read_ahead_and_found() {
    let mut lab = home();
    for port in 1024..7024 {
        exchange(&mut lab, port);
    }
    // Now each packet of a random one is guessed, before and after its neighbours in the table
    // ended.
    for number in 0..3000u32 {
        let port = 1024 + (number * 7919 % 6000) as u16;
        exchange(&mut lab, port);
    }
    lab.run_for(Duration::from_secs(290));
    (1024..1100).for_each(|port| exchange(&mut lab, port));
    lab.run_for(Duration::from_secs(30));
    assert_eq!(lab.switch().nat_stats().flows, 76, "the others have ended");
    (1000..1200).for_each(|port| exchange(&mut lab, port));
}

#[test]
fn stations_beyond_the_near_caches_are_read_ahead_and_found() {
    let mut lab = home();
    let station =
        |number: u32| Mac([2, 7, 0, (number >> 16) as u8, (number >> 8) as u8, number as u8]);
    let say = |lab: &mut Lab, from: u32, to: u32| {
        let port = if from.is_multiple_of(2) { "red" } else { "blue" };
        lab.send(port, &frame(station(to), station(from)).payload(0x88b5, b"here"));
        lab.heard()
    };
    for number in 0..STATIONS {
        say(&mut lab, number, number);
    }
    for number in 0..2000 {
        let (from, to) = (number * 7919 % STATIONS, number * 104_729 % STATIONS);
        let expected: &[&str] = match (from % 2, to % 2) {
            (0, 1) => &["blue"],
            (1, 0) => &["red"],
            _ => &[],
        };
        assert_eq!(say(&mut lab, from, to), expected, "{from} to {to}");
    }
}

/// More than the switch takes for near.
const STATIONS: u32 = 34_000;

/// What happens between two packets of a flow, and who hears the second.
type Happening = (&'static [&'static str], fn(&mut Lab));

#[test]
fn what_was_kept_of_a_way_ends_with_what_it_came_from() {
    let changes: [Happening; 7] = [
        // The neighbour has another address.
        (&["red"], |lab| {
            let moved = Mac([2, 9, 9, 9, 9, 9]);
            let request = lab.router_mac("br0");
            lab.send(
                "red",
                &frame(request, moved).arp(&arp_reply(
                    moved,
                    "192.168.0.2",
                    request,
                    "192.168.0.1",
                )),
            );
        }),
        // The station is behind another port.
        (&["blue"], |lab| {
            let mac = lab.mac("red");
            lab.send("blue", &frame(Mac::BROADCAST, mac).payload(0x88b5, b"moved"));
        }),
        // The port is down, and nobody knows where the neighbour is now.
        (&[], |lab| lab.down("red")),
        // The port was down.
        (&["red"], |lab| {
            lab.down("red");
            lab.up("red");
        }),
        // The station is forgotten.
        (&["red", "blue"], |lab| lab.change(Change::FlushStations(None, None))),
        // The neighbour is forgotten.
        (&["red"], |lab| lab.change(Change::FlushNeighbors)),
        // Nobody spoke for longer than a neighbour is trusted.
        (&["red"], |lab| lab.run_for(Duration::from_secs(100))),
    ];
    for (hears, happens) in changes {
        let mut lab = home();
        for _ in 0..3 {
            exchange(&mut lab, 4000);
        }
        happens(&mut lab);
        lab.clear();
        let answer = Packet::udp("198.51.100.9:53", "203.0.113.1:4000", b"late");
        for _ in 0..3 {
            lab.ip("wan", &answer);
            lab.run_for(Duration::from_secs(1));
            for port in ["red", "blue"] {
                let count = lab.packets(port).iter().filter(|packet| packet.protocol == 17).count();
                assert_eq!(
                    count,
                    usize::from(hears.contains(&port)),
                    "{port}; should hear: {hears:?}"
                );
            }
        }
    }
}

#[test]
fn a_packet_that_its_predecessors_way_does_not_fit_goes_the_long_way() {
    let mut lab = home();
    for _ in 0..3 {
        exchange(&mut lab, 4000);
    }
    let answer = |data: &[u8]| Packet::udp("198.51.100.9:53", "203.0.113.1:4000", data);
    lab.ip("wan", &answer(b"the last hop").ttl(1));
    assert_eq!(lab.packet("wan").kind(), (11, 0));
    lab.ip("wan", &answer(b"source routed").options(&[131, 7, 4, 10, 0, 0, 1, 0]));
    assert!(lab.packets("red").is_empty());
    let (router, gateway) = (lab.router_mac("wan"), lab.mac("wan"));
    for to in [Mac::BROADCAST, router] {
        lab.send("wan", &frame(to, gateway).ip(&answer(b"to whom?")));
        assert_eq!(lab.packets("red").len(), usize::from(to == router));
    }
    lab.router_mtu("br0", 600);
    for _ in 0..3 {
        exchange(&mut lab, 4000);
        lab.ip("wan", &answer(&[0; 1000]));
        assert_eq!(lab.packets("red").len(), 2, "in pieces");
        lab.ip("wan", &answer(&[0; 1000]).df());
        assert_eq!(lab.packet("wan").kind(), (3, 4));
    }
    lab.down("wan");
    lab.ip("red", &Packet::udp("192.168.0.2:4000", "198.51.100.9:53", b"question"));
    assert_eq!(lab.switch().totals().held, 1, "whoever was behind the port is asked for anew");
}

#[test]
fn a_flow_in_the_place_of_another_goes_its_own_way() {
    let mut lab = home();
    (0..3).for_each(|_| exchange(&mut lab, 4000));
    lab.run_for(Duration::from_secs(250));
    exchange(&mut lab, 5000);
    exchange_of(&mut lab, "blue", "192.168.0.3", 6000);
    lab.run_for(Duration::from_secs(60));
    assert_eq!(lab.switch().nat_stats().flows, 2, "the first has ended, and its place is free");
    // Both neighbours are trusted, and how packets reach red was noted a moment ago.
    for _ in 0..2 {
        exchange_of(&mut lab, "blue", "192.168.0.3", 6000);
        exchange(&mut lab, 5000);
    }
    exchange_of(&mut lab, "blue", "192.168.0.3", 7000);
}
