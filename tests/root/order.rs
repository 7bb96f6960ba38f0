//! What every flow is owed, whatever the switch does to be fast: its bytes, in its order. Joined or
//! one by one, by one worker or by two.

use std::fs;
use std::net::UdpSocket;

use crate::daemon::Daemon;
use crate::host::Host;
use crate::traffic::lab;
use crate::world::world;

#[test]
fn flows_keep_their_bytes_and_their_order_joined_by_one_worker() {
    flows_keep_their_bytes_and_their_order(1, true);
}

#[test]
fn flows_keep_their_bytes_and_their_order_joined_by_two_workers() {
    flows_keep_their_bytes_and_their_order(2, true);
}

#[test]
fn flows_keep_their_bytes_and_their_order_one_by_one_by_one_worker() {
    flows_keep_their_bytes_and_their_order(1, false);
}

#[test]
fn flows_keep_their_bytes_and_their_order_one_by_one_by_two_workers() {
    flows_keep_their_bytes_and_their_order(2, false);
}

/// Bursts of datagrams of several flows in turn, bridged and masqueraded.
fn flows_keep_their_bytes_and_their_order(workers: usize, offload: bool) {
    let Some(world) = world() else { return };
    let switch = format!("[switch]\nworkers = {workers}\n");
    let _daemon = Daemon::with(&world, &(switch + &lab(offload, 1500)));
    let red = world.host("red");
    for (far, address) in [("blue", "192.168.0.3"), ("net", "203.0.113.254")] {
        let far = world.host(far);
        red.ping(address);
        let door = far.udp(PORT);
        let flows: Vec<UdpSocket> = (0..FLOWS).map(|_| red.udp(0)).collect();
        flows.iter().for_each(|flow| flow.connect((address, PORT)).unwrap());
        let before = packets_of(&far);
        let mut expected = [0; FLOWS];
        for burst in 0..BURSTS {
            let sent = FLOWS * IN_TURN;
            for number in 0..sent {
                let (flow, number) = (number % FLOWS, burst * IN_TURN + number / FLOWS);
                flows[flow].send(&datagram(flow, number)).unwrap();
            }
            for _ in 0..sent {
                let mut bytes = [0; 2048];
                let (len, _) = door.recv_from(&mut bytes).unwrap();
                let flow = usize::from(bytes[0]);
                assert_eq!(bytes[..len], datagram(flow, expected[flow]), "flow {flow}");
                expected[flow] += 1;
            }
        }
        let (came, sent) = (packets_of(&far) - before, (FLOWS * IN_TURN * BURSTS) as u64);
        // The device counts what was written to it; its kernel may have got a stray packet more.
        match offload {
            true => assert!(came < sent, "{came} of {sent}: nothing was joined"),
            false => assert!(came >= sent, "{came} of {sent}: something was joined"),
        }
    }
}

/// What a flow says for the `number`th time: mostly as long as before, so that it can be joined.
fn datagram(flow: usize, number: usize) -> Vec<u8> {
    let len = if number % 29 == 28 { 900 } else { 32 + flow };
    let mut bytes = vec![(number * 31 + flow) as u8; len];
    bytes[0] = flow as u8;
    bytes[1..9].copy_from_slice(&(number as u64).to_be_bytes());
    bytes
}

/// Packets that a host's device has received.
fn packets_of(host: &Host) -> u64 {
    let table = host.run(|| fs::read_to_string("/proc/thread-self/net/dev")).unwrap();
    let line = table.lines().find_map(|line| line.trim().strip_prefix("eth0:"));
    // Bytes, then packets.
    line.unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}

const PORT: u16 = 5300;
const FLOWS: usize = 8;
/// Datagrams of each flow in a burst. A burst fits the socket's buffer.
const IN_TURN: usize = 12;
const BURSTS: usize = 60;
