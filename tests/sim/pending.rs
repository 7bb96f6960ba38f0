//! What waits for a neighbour: in order, within bounds, and nobody in the way of another.

use lab::{Lab, Packet, Port};
use packet::DropReason;

use crate::neighbors::{SECOND, answer, datagram, two_subnets};

/// AR6.
#[test]
fn a_burst_to_a_neighbour_that_is_not_known_yet_arrives_in_order() {
    let mut lab = two_subnets();
    for number in 0..100 {
        lab.ip("red", &datagram(number));
    }
    assert_eq!((lab.drops(), lab.switch().totals().held), (vec![], 100));
    answer(&mut lab);
    let expected: Vec<Packet> = (0..100).map(|number| datagram(number).ttl(63)).collect();
    assert_eq!(lab.packets("mute"), expected);
    assert_eq!(lab.switch().totals().held, 0);
}

/// AR6.
#[test]
fn the_largest_datagram_arrives_the_first_time_in_all_its_fragments() {
    let mut lab = two_subnets();
    let data = lab.rng().bytes(65_507);
    let pieces = Packet::udp("192.168.0.2:1000", "10.0.0.9:2000", &data).id(7).fragments(1480);
    assert_eq!(pieces.len(), 45);
    for piece in &pieces {
        lab.ip("red", piece);
    }
    answer(&mut lab);
    let expected: Vec<Packet> = pieces.into_iter().map(|piece| piece.ttl(63)).collect();
    assert_eq!(lab.packets("mute"), expected);
}

/// Red and blue on routed ports, and a mute station on 10.0.0.0/24, all with room for 64 KB.
fn wide() -> Lab {
    let mut lab = Lab::new(1);
    lab.peer("red", Port::routed("192.168.0.1/24").mtu(65_535), "192.168.0.2");
    lab.peer("blue", Port::routed("192.168.1.1/24").mtu(65_535), "192.168.1.2");
    lab.station("mute", Port::routed("10.0.0.1/24").mtu(65_535));
    lab.clear();
    lab
}

fn large(from: &str, host: u8, number: u8) -> Packet {
    let (from, to) = (format!("{from}:1000"), format!("10.0.0.{host}:2000"));
    Packet::udp(&*from, &*to, &[number; 65_000])
}

/// AR6: at the bound the oldest gives way to the newest.
#[test]
fn what_waits_for_one_neighbour_is_bounded_in_bytes() {
    let mut lab = wide();
    for number in 0..60 {
        lab.ip("red", &large("192.168.0.2", 9, number));
    }
    let held = lab.switch().totals().held;
    assert!((28..=32).contains(&held), "2 MiB of 65 kB: {held}");
    assert_eq!(lab.drops(), [("red", DropReason::NeighborQueueFull, 60 - held)]);
    answer(&mut lab);
    let came: Vec<u8> = lab.packets("mute").iter().map(|packet| packet.data()[0]).collect();
    assert_eq!(came, (60 - held as u8..60).collect::<Vec<_>>());
}

#[test]
fn what_waits_is_bounded_in_all() {
    let mut lab = wide();
    for host in 2..=30 {
        for number in 0..16 {
            lab.ip("red", &large("192.168.0.2", host, number));
        }
    }
    let totals = lab.switch().totals();
    assert!((100..=130).contains(&totals.held), "8 MiB of 65 kB: {}", totals.held);
    assert_eq!(lab.drops(), [("red", DropReason::NeighborQueueFull, 29 * 16 - totals.held)]);
    lab.run_for(5 * SECOND);
    assert_eq!(lab.switch().totals().held, 0);
}

/// Neither the bound of one target nor that of all is a guest's to take from another.
#[test]
fn a_guest_that_floods_takes_nobodys_room() {
    let mut lab = wide();
    lab.ip("blue", &large("192.168.1.2", 9, 0));
    lab.ip("blue", &large("192.168.1.2", 9, 1));
    for number in 0..100 {
        lab.ip("red", &large("192.168.0.2", 9, number));
    }
    for host in 10..=30 {
        for number in 0..16 {
            lab.ip("red", &large("192.168.0.2", host, number));
        }
    }
    lab.ip("blue", &large("192.168.1.2", 9, 2));
    assert_eq!(lab.dropped("blue", DropReason::NeighborQueueFull), 0);
    answer(&mut lab);
    let blue: std::net::Ipv4Addr = "192.168.1.2".parse().unwrap();
    let came = lab.packets("mute").into_iter().filter(|packet| packet.source == blue);
    assert_eq!(came.map(|packet| packet.data()[0]).collect::<Vec<_>>(), [0, 1, 2]);
}
