//! Two and three machines, each with a daemon of its own, whose bridges are one over VXLAN.

use std::net::UdpSocket;

use crate::daemon::Daemon;
use crate::host::Host;
use crate::transfer::WHOLE;
use crate::underlay::{lab, no_wrong_checksums, pair, tcp_both_ways, three, udp_both_ways};
use crate::wait;
use crate::world::World;

#[test]
fn two_machines_are_one_segment() {
    two_machines(1500, 1450, "");
}

#[test]
fn two_machines_are_one_segment_of_jumbo_frames() {
    two_machines(9000, 8950, "");
}

#[test]
fn two_machines_are_one_segment_without_outer_checksums() {
    two_machines(1500, 1450, "checksum = \"zero\"");
}

/// The MTU inside is what the path leaves, at every port, and packets of every size pass whole both
/// ways.
fn two_machines(outer: u32, inner: u32, keys: &str) {
    let Some(worlds) = pair(outer) else { return };
    let _daemons = [1, 2].map(|number| {
        Daemon::with(&worlds[usize::from(number) - 1], &lab(number, &[3 - number], keys))
    });
    let (c1, c2) = (worlds[0].host("c1"), worlds[1].host("c2"));
    for (world, (name, host)) in worlds.iter().zip([("c1", &c1), ("c2", &c2)]) {
        assert_eq!(host.link("eth0").mtu, inner);
        assert_eq!(world.json(&["show"])["tunnels"][0]["mtu"], inner);
        assert_eq!(world.rows(&["port", "list"])[0]["mtu"], inner, "{name}");
    }
    c1.ping("10.1.0.2");
    c2.ping("10.1.0.1");
    // The other machine's router, too.
    c1.ping("10.1.255.2");
    let largest = usize::try_from(inner).unwrap() - 28;
    echo_every_size(&c1, &c2, "10.1.0.2", largest);
    udp_both_ways((&c1, "10.1.0.1"), (&c2, "10.1.0.2"), largest, WHOLE / 8);
    udp_both_ways((&c1, "10.1.0.1"), (&c2, "10.1.0.2"), 100, WHOLE / 64);
    tcp_both_ways((&c1, "10.1.0.1"), (&c2, "10.1.0.2"), WHOLE);
    no_wrong_checksums(&[&c1, &c2, &worlds[0].here(), &worlds[1].here()]);
}

/// A datagram of every size is answered by the same; of jumbo frames not every size, but the
/// extremes.
fn echo_every_size(from: &Host, at: &Host, to: &str, largest: usize) {
    let (near, far) = (from.udp(0), at.udp(7));
    near.connect((to, 7)).unwrap();
    let bytes: Vec<u8> = (0..largest).map(|at| (at * 7 + at / 256).to_le_bytes()[0]).collect();
    let step = largest.div_ceil(2000);
    let sizes = (0..=largest).filter(|size| size % step == 0 || size + 64 > largest);
    let (mut heard, mut back) = (vec![0; largest + 1], vec![0; largest + 1]);
    for size in sizes {
        near.send(&bytes[..size]).unwrap();
        let (count, peer) = far.recv_from(&mut heard).unwrap_or_else(|e| panic!("{size}: {e}"));
        far.send_to(&heard[..count], peer).unwrap();
        let count = near.recv(&mut back).unwrap_or_else(|e| panic!("{size} back: {e}"));
        assert!(back[..count] == bytes[..size], "{size}");
    }
}

/// Two segments whose hosts have the same addresses, told apart by the VNI alone.
#[test]
fn segments_on_one_udp_port_stay_apart() {
    let Some(worlds) = pair(1500) else { return };
    let second = |number: u8| {
        format!(
            "[bridge.sw1]\n[port.d{number}]\nbridge = \"sw1\"\nnetns = \"d{number}\"\n\
             address = \"10.1.0.{number}/16\"\n[tunnel.vx1]\nbridge = \"sw1\"\nvni = 43\n\
             remotes = [\"192.168.10.{}\"]\n",
            3 - number
        )
    };
    let daemons = [1_u8, 2].map(|number| {
        let text = lab(number, &[3 - number], "") + &second(number);
        Daemon::with(&worlds[usize::from(number) - 1], &text)
    });
    for (from, to) in [("c1", "c2"), ("d1", "d2")] {
        let (near, far) = (worlds[0].host(from), worlds[1].host(to));
        near.ping("10.1.0.2");
        tcp_both_ways((&near, "10.1.0.1"), (&far, "10.1.0.2"), WHOLE / 8);
    }
    // One segment goes; the socket and the other segment stay.
    daemons[1].apply(&lab(2, &[1], ""));
    worlds[0].host("c1").ping("10.1.0.2");
    worlds[0].host("d1").udp(0).send_to(b"?", "10.1.0.2:9").unwrap();
    until_dropped(&worlds[1], "unknown-vni");
}

/// Waits until a machine has counted a drop for this reason.
pub(crate) fn until_dropped(world: &World, reason: &str) {
    wait::until(&format!("a drop for {reason}"), || {
        let rows = world.rows(&["drops"]);
        let counted = rows.iter().any(|row| row["reason"] == reason && row["frames"] != 0);
        counted.then_some(())
    });
}

#[test]
fn a_broadcast_reaches_every_machine_once() {
    let Some((worlds, _room)) = three() else { return };
    let _daemons = [1_u8, 2, 3].map(|number| {
        let others: Vec<u8> = (1..=3).filter(|other| *other != number).collect();
        Daemon::with(&worlds[usize::from(number) - 1], &lab(number, &others, ""))
    });
    let hosts = [1, 2, 3].map(|number| worlds[number - 1].host(&format!("c{number}")));
    for (number, host) in (1..).zip(&hosts) {
        for other in (1..=3).filter(|other| *other != number) {
            host.ping(&format!("10.1.0.{other}"));
        }
    }
    for (from, speaker) in hosts.iter().enumerate() {
        let ears: Vec<UdpSocket> = hosts.iter().map(|host| host.udp(4001)).collect();
        let mouth = speaker.udp(0);
        mouth.set_broadcast(true).unwrap();
        for number in 0..ROUNDS {
            mouth.send_to(&[number], "10.1.255.255:4001").unwrap();
        }
        for (_, ear) in ears.iter().enumerate().filter(|(to, _)| *to != from) {
            assert_eq!(heard(ear), (0..ROUNDS).collect::<Vec<_>>(), "each once, in order");
        }
    }
    let (one, other) = ((&hosts[1], "10.1.0.2"), (&hosts[2], "10.1.0.3"));
    tcp_both_ways(one, other, WHOLE / 8);
    // What goes between machines 2 and 3 does not pass machine 1.
    let stats = worlds[0].json(&["stats"]);
    let ports = stats["ports"].as_array().unwrap();
    let bytes: u64 = ports.iter().map(|port| port["received_bytes"].as_u64().unwrap()).sum();
    assert!(bytes < 1 << 20, "{stats}");
}

/// The datagrams up to the last of them, and those that came after it, of which there must be none.
fn heard(ear: &UdpSocket) -> Vec<u8> {
    let mut numbers = Vec::new();
    let mut byte = [0];
    while numbers.last() != Some(&(ROUNDS - 1)) {
        ear.recv(&mut byte).unwrap_or_else(|error| panic!("{error} after {numbers:?}"));
        numbers.push(byte[0]);
    }
    // A frame that goes around does so at once.
    ear.set_read_timeout(Some(std::time::Duration::from_millis(20))).unwrap();
    while ear.recv(&mut byte).is_ok() {
        numbers.push(byte[0]);
    }
    numbers
}

const ROUNDS: u8 = 20;

/// A machine that learns from a third one that a station has moved.
#[test]
fn a_station_that_moves_is_found_at_its_new_machine() {
    let Some((worlds, _room)) = three() else { return };
    let daemons = [1_u8, 2, 3].map(|number| {
        let others: Vec<u8> = (1..=3).filter(|other| *other != number).collect();
        Daemon::with(&worlds[usize::from(number) - 1], &lab(number, &others, ""))
    });
    let c1 = worlds[0].host("c1");
    let roamer = "[port.roamer]\nbridge = \"sw0\"\nnetns = \"roamer\"\n\
                  mac = \"02:00:00:00:00:77\"\naddress = \"10.1.0.77/16\"\n";
    let peer = |world: &World| {
        let rows = world.rows(&["fdb", "list"]);
        let row = rows.iter().find(|row| row["mac"] == "02:00:00:00:00:77")?;
        row["remote"].as_str().map(str::to_owned)
    };
    for (number, others) in [(2, [1, 3]), (3, [1, 2])] {
        let at = usize::from(number) - 1;
        daemons[at].apply(&(lab(number, &others, "") + roamer));
        worlds[at].host("roamer").ping("10.1.0.1");
        c1.ping("10.1.0.77");
        assert_eq!(peer(&worlds[0]).as_deref(), Some(&*format!("192.168.10.{number}")));
        daemons[at].apply(&lab(number, &others, ""));
    }
}
