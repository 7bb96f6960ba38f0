//! Lives that are read from bytes: what the fuzz targets run, and the tests that replay their
//! corpora.
//!
//! The lab's own checks are the oracle: nothing panics, the books balance after every step, and
//! only frames leave that may leave. [`network`] and [`nat`] are also predicted step by step. The
//! topology is always the same, or is read from the input's first bytes, so that an input means the
//! same for ever.

use core::num::NonZeroU16;
use core::time::Duration;

use packet::coalesce::join_train;
use packet::{Frame, Offload, Pool, SegmentKind, Span};
use switch::Event;

use crate::lab::Lab;
use crate::port::Port;
use crate::tunnel::Tunnel;
use crate::wire::Address;

mod bytes;
mod change_sets;
mod corpus;
mod nat;
mod network;
mod seeds;
mod speech;
mod town;
mod virtio;

pub use change_sets::change_sets;
pub use corpus::{corpus, replay};
pub use nat::nat;
pub use network::network;
pub use seeds::seeds;
pub use virtio::virtio;

const PORTS: [&str; 5] = ["red", "blue", "trunk", "wan", "udp"];
const REMOTES: [&str; 4] = ["192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.9"];
/// Inputs are cut off after so many frames: a longer one says nothing new.
const MOST: usize = 32;

/// Datagrams for the underlay. Each is four bytes of head and its payload: the sender (two bits;
/// the eighth lets a second pass), the traffic class, and the payload's length, whose upper five
/// bits, when not zero, make a train of it in pieces of as many 64 bytes.
pub fn datagram(data: &[u8]) {
    let mut lab = village();
    let port = lab.port_id("udp");
    for ([who, traffic_class], split, payload) in records(data) {
        pass(&mut lab, who);
        let remote = REMOTES[usize::from(who & 3)].address();
        let train = Frame::copied_from(payload);
        let mut joined = Vec::new();
        join_train(train, split * 64, 8, &mut Pool::new(0), &mut |frame| joined.push(frame));
        for datagram in joined {
            lab.step(Event::Datagram { port, remote, traffic_class, datagram });
            lab.settle();
        }
    }
    finish(lab);
}

/// Frames for ports. Each is four bytes of head and its bytes: the port (three bits; the eighth
/// lets a second pass), the duty, and the frame's length, whose upper five bits are the segment
/// size in 64 bytes.
pub fn frame(data: &[u8]) {
    let mut lab = village();
    for ([at, duty], size, bytes) in records(data) {
        pass(&mut lab, at);
        let frame = burdened(bytes, duty, size * 64);
        let port = lab.port_id(PORTS[usize::from(at & 7) % PORTS.len()]);
        lab.step(Event::Frame { port, frame });
        lab.settle();
    }
    finish(lab);
}

/// Splits an input into records: two bytes, a number of five bits, and up to 2047 bytes.
fn records(mut data: &[u8]) -> impl Iterator<Item = ([u8; 2], usize, &[u8])> {
    let next = core::iter::from_fn(move || {
        let (&[a, b, high, low], rest) = data.split_first_chunk::<4>()?;
        let len = usize::from(u16::from_be_bytes([high & 7, low]));
        let (bytes, rest) = rest.split_at(len.min(rest.len()));
        data = rest;
        Some(([a, b], usize::from(high >> 3), bytes))
    });
    next.take(MOST)
}

fn pass(lab: &mut Lab, bits: u8) {
    if bits & 0x80 != 0 {
        lab.run_for(Duration::from_secs(1));
    }
}

/// The frame with a duty such as a device may hand over, or what is made of its frames: two bits
/// say which, three where.
fn burdened(bytes: &[u8], duty: u8, size: usize) -> Frame {
    let mut frame = Frame::copied_from(bytes);
    let start = [34, 38, 54, 14][usize::from(duty >> 2 & 3)];
    let is_udp = duty & 0x10 != 0;
    let span = Span { start, offset: if is_udp { 6 } else { 16 } };
    let size = NonZeroU16::new(size as u16);
    // A device lets no span reach beyond its frame.
    if span.field() + 2 > bytes.len() {
        return frame;
    }
    let kind = if is_udp { SegmentKind::Udp } else { SegmentKind::Tcp4 { ecn: duty & 0x20 != 0 } };
    match (duty & 3, size) {
        (1, _) => frame.set_offload(Offload::Checksum(span)),
        (2, Some(size)) => frame.set_offload(Offload::Segment { kind, size, span }),
        (3, Some(size)) if is_udp => {
            frame.set_offload(Offload::Segment { kind: SegmentKind::Fragments, size, span });
        }
        _ => {}
    }
    frame
}

/// Ends with nothing waiting.
fn finish(mut lab: Lab) {
    lab.run_for(Duration::from_secs(100));
    assert_eq!(lab.switch().totals().held, 0, "something waits for ever");
}

/// A bridge with router, masquerade, a published port, and three tunnels of different kinds.
fn village() -> Lab {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.router("br0.10", "10.0.10.1/24");
    lab.peer("red", Port::on("br0"), "192.168.0.2");
    lab.peer("blue", Port::on("br0").offload().isolated(), "192.168.0.3");
    lab.peer("trunk", Port::on("br0").trunk(&[0, 10]), "10.0.10.2");
    lab.peer("wan", Port::routed("203.0.113.1/24"), "203.0.113.254");
    lab.route("0.0.0.0/0", "203.0.113.254");
    lab.masquerade("192.168.0.0/24", "wan");
    lab.publish("203.0.113.1:80/tcp", "192.168.0.2:80");
    lab.underlay("udp");
    let access = Tunnel::on("br0", 42).to(REMOTES[0]).to(REMOTES[1]);
    lab.tunnel("vx0", &access.suppressing_arp().clamping_mss());
    lab.tunnel("vx1", &Tunnel::on("br0", 43).to(REMOTES[0]).trunk().strict().mtu(600));
    lab.tunnel("vx2", &Tunnel::on("br0", 42).to(REMOTES[2]).isolated().without_learning());
    lab.distrust();
    lab.clear();
    lab
}
