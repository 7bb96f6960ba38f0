//! Frames of remote VTEPs, and what leaves for them.

use super::*;
use crate::replay::Fate;

const LAB: &str = r#"
[bridge.br0]

[port.red]
bridge = "br0"
netns = "red"
address = "192.168.0.2/24"

[tunnel.vx0]
bridge = "br0"
vni = 42
remotes = "192.0.2.1"
local = "192.0.2.9"
"#;

const FAR: Mac = Mac([2, 0, 0, 0, 0, 9]);
const NEAR: Mac = Mac([2, 0, 0, 0, 0, 1]);

fn from_far(room: &Room, remote: Option<&str>) -> Input {
    let frames = [(0, ping((FAR, NEAR), BLUE, RED))];
    let file = room.pcap("far.pcap", &frames);
    let remote = remote.map(|remote| remote.parse().unwrap());
    Input { name: "vx0".into(), remote, file }
}

#[test]
fn what_a_remote_sent_comes_out_of_its_tunnel() {
    let room = Room::new();
    for remote in [None, Some("192.0.2.1")] {
        let options = options(vec![from_far(&room, remote)]);
        let (summary, accounts) = replay(&lab_of(LAB), &options).unwrap();
        assert_eq!(accounts.last().unwrap().sent[0].to, ["red"]);
        let station = &summary.fdb[0];
        assert_eq!((&*station.port, &*station.mac), ("vx0", &*FAR.to_string()));
        assert_eq!(station.remote, Some("192.0.2.1".parse().unwrap()));
        let tunnel = summary.stats.ports.iter().find(|port| port.port == "vx0").unwrap();
        assert_eq!(tunnel.received_frames, 1);
    }
}

#[test]
fn a_stranger_is_refused_as_he_would_be() {
    let room = Room::new();
    let options = options(vec![from_far(&room, Some("192.0.2.77"))]);
    let (summary, accounts) = replay(&lab_of(LAB), &options).unwrap();
    let Some(Fate::Dropped { reason, .. }) = &accounts.last().unwrap().fate else { panic!() };
    assert_eq!(reason, "unknown-vtep");
    assert_eq!(summary.unknown_vteps.len(), 1);
}

#[test]
fn what_leaves_through_a_tunnel_is_written_with_its_outer_headers() {
    let room = Room::new();
    let inner = ping((NEAR, FAR), RED, BLUE);
    let file = room.pcap("red.pcap", &[(7, inner.clone())]);
    let dir = room.path("out");
    let options = ReplayOptions { write: Some(dir.clone()), ..options(vec![input("red", file)]) };
    let (_, accounts) = replay(&lab_of(LAB), &options).unwrap();
    assert_eq!(accounts.last().unwrap().sent[0].to, ["vx0@192.0.2.1"]);
    let written = written(&dir.join("vx0@192.0.2.1.pcapng"));
    let [(at, outer)] = &written[..] else { panic!("{written:?}") };
    assert_eq!(*at, EPOCH * 1_000_000_000 + 7_000);
    assert_eq!(outer[..2], [0x45, 0]);
    assert!(checksum::holds(&outer[..20]));
    assert_eq!(outer[12..20], [192, 0, 2, 9, 192, 0, 2, 1]);
    let udp = &outer[20..];
    assert!(u16::from_be_bytes([udp[0], udp[1]]) >= 49_152);
    assert_eq!(udp[2..4], 4789u16.to_be_bytes());
    let pseudo = checksum::pseudo_header(
        Ipv4Addr::new(192, 0, 2, 9),
        Ipv4Addr::new(192, 0, 2, 1),
        17,
        udp.len() as u16,
    );
    assert!([udp[6], udp[7]] == [0, 0] || checksum::sum(udp, pseudo) == 0xffff);
    assert_eq!(udp[8..16], [8, 0, 0, 0, 0, 0, 42, 0]);
    assert_eq!(udp[16..], inner);
}

#[test]
fn a_tunnel_of_several_remotes_must_be_told_which() {
    let room = Room::new();
    let lab = lab_of(&LAB.replace("\"192.0.2.1\"", "[\"192.0.2.1\", \"192.0.2.2\"]"));
    let error = replay(&lab, &options(vec![from_far(&room, None)])).unwrap_err();
    assert!(error.is_wrong_input());
    assert!(error.to_string().contains("--in vx0@192.0.2.1=FILE"), "{error}");
    let on_port = Input { name: "red".into(), ..from_far(&room, Some("192.0.2.1")) };
    let error = replay(&lab, &options(vec![on_port])).unwrap_err();
    assert!(error.to_string().contains("write --in red=FILE"), "{error}");
}
