//! Captures made here, replayed through the demo's lab: red and blue on a bridge, wan behind
//! masquerade.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use packet::arp::{Arp, Operation};
use packet::fields::Fields;
use packet::{EtherType, Ethernet, Frame, Mac, Protocol, checksum};
use tempfile::TempDir;

use super::{Account, Input, ReplayError, ReplayOptions, Summary, run};
use crate::capture::samples::{self, MICROS, NANOS, SECTION};
use labfile::{self, Lab};

mod captures;
mod fates;
mod files;
mod time;
mod tunnels;

pub(crate) const RED: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);
pub(crate) const BLUE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 3);
pub(crate) const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 254);
pub(crate) const EXTERNAL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// The captures begin here: 2026-01-01.
const EPOCH: u64 = 1_767_225_600;

/// A frame and its time in microseconds after [`EPOCH`].
pub(crate) type Timed = (u64, Vec<u8>);

pub(crate) fn lab() -> Lab {
    lab_of(labfile::demo())
}

pub(crate) fn lab_of(text: &str) -> Lab {
    labfile::parse(text.as_bytes(), "lab.toml").unwrap()
}

pub(crate) fn mac_of(name: &str) -> Mac {
    lab().ports[name].mac
}

/// The router's address on the bridge.
pub(crate) fn router_mac() -> Mac {
    lab().bridges["br0"].mac
}

/// The router's address on wan.
pub(crate) fn wan_router_mac() -> Mac {
    let lab = lab();
    lab.interfaces().into_iter().find(|interface| interface.name.to_string() == "wan").unwrap().mac
}

pub(crate) fn arp(operation: Operation, from: (Mac, Ipv4Addr), to: (Mac, Ipv4Addr)) -> Vec<u8> {
    let mut frame = Frame::copied_from(&[0; 60]);
    let (sender_mac, sender) = from;
    let target_mac = if operation == Operation::Request { Mac::ZERO } else { to.0 };
    let arp = Arp { operation, sender_mac, sender, target_mac, target: to.1 };
    assert!(arp.emit(&mut frame, to.0));
    frame.bytes().to_vec()
}

fn ipv4(
    macs: (Mac, Mac),
    from: Ipv4Addr,
    to: Ipv4Addr,
    protocol: Protocol,
    body: &[u8],
) -> Vec<u8> {
    let mut frame = Frame::copied_from(&[&[0; 34][..], body].concat());
    Ethernet::emit(&mut frame, macs.1, macs.0, EtherType::IPV4);
    let header = Fields {
        source: from,
        destination: to,
        protocol,
        ttl: 64,
        traffic_class: 0,
        identification: 1,
        dont_fragment: true,
    };
    assert!(header.emit(&mut frame));
    frame.bytes().to_vec()
}

pub(crate) fn ping(macs: (Mac, Mac), from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let mut body = [&[8, 0, 0, 0, 0, 7, 0, 1][..], &[0x55; 56]].concat();
    let sum = checksum::of(&body);
    body[2..4].copy_from_slice(&sum.to_be_bytes());
    ipv4(macs, from, to, Protocol::ICMP, &body)
}

pub(crate) fn tcp(
    macs: (Mac, Mac),
    from: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
    flags: u8,
) -> Vec<u8> {
    let mut body = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
    body.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    let pseudo = checksum::pseudo_header(from.0, to.0, 6, 20);
    let sum = !checksum::sum(&body, pseudo);
    body[16..18].copy_from_slice(&sum.to_be_bytes());
    ipv4(macs, from.0, to.0, Protocol::TCP, &body)
}

/// What red sends: a question for its gateway, a ping to blue, and the beginning of a connection to
/// the outside.
pub(crate) fn red_frames() -> Vec<Timed> {
    let red = mac_of("red");
    vec![
        (0, arp(Operation::Request, (red, RED), (Mac::BROADCAST, ROUTER))),
        (100, ping((red, mac_of("blue")), RED, BLUE)),
        (200, tcp((red, router_mac()), (RED, 40_000), (SERVER, 80), 0x02)),
        (5_000, tcp((red, router_mac()), (RED, 40_000), (SERVER, 80), 0x10)),
    ]
}

/// What the outside sends: its MAC address, the answer, and a connection that nobody wants.
fn wan_frames() -> Vec<Timed> {
    let (here, there) = (mac_of("wan"), wan_router_mac());
    vec![
        (1_000, arp(Operation::Reply, (here, OUTSIDE), (there, EXTERNAL))),
        (2_000, tcp((here, there), (SERVER, 80), (EXTERNAL, 40_000), 0x12)),
        (6_000, tcp((here, there), (SERVER, 80), (EXTERNAL, 9), 0x02)),
    ]
}

/// A directory of captures.
pub(crate) struct Room(TempDir);

impl Room {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A pcap in microseconds.
    pub(crate) fn pcap(&self, name: &str, frames: &[Timed]) -> PathBuf {
        self.write(name, &MICROS.file(&timed(frames)))
    }

    /// A pcapng of one interface whose times count nanoseconds.
    fn pcapng(&self, name: &str, frames: &[Timed]) -> PathBuf {
        self.write(name, &SECTION.file(9, 1, &timed(frames)))
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Both captures of the usual story, as inputs.
    fn story(&self) -> Vec<Input> {
        vec![
            input("red", self.pcap("red.pcap", &red_frames())),
            input("wan", self.pcap("wan.pcap", &wan_frames())),
        ]
    }
}

fn input(name: &str, file: PathBuf) -> Input {
    Input { name: name.to_owned(), remote: None, file }
}

fn options(inputs: Vec<Input>) -> ReplayOptions {
    ReplayOptions { inputs, ..ReplayOptions::default() }
}

/// Replays and collects every account.
fn replay(lab: &Lab, options: &ReplayOptions) -> Result<(Summary, Vec<Account>), ReplayError> {
    let mut accounts = Vec::new();
    let summary = run(lab, options, Some(&mut |account| accounts.push(account.clone())))?;
    Ok((summary, accounts))
}

/// The frames with their times in nanoseconds since 1970.
fn timed(frames: &[Timed]) -> Vec<(u64, Vec<u8>)> {
    let nanos = |micros: &u64| (EPOCH * 1_000_000 + micros) * 1000;
    frames.iter().map(|(micros, bytes)| (nanos(micros), bytes.clone())).collect()
}

/// The times, in nanoseconds since 1970, and the frames of a file that was written here.
fn written(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let (link_type, packets) = samples::written(&fs::read(path).unwrap());
    assert_eq!(link_type, if path.to_str().unwrap().contains('@') { 101 } else { 1 });
    packets
}
