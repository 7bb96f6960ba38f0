//! Tunnels at the edge of the switch: datagrams received, joined where they continue one another,
//! and frames cut and sent behind VXLAN headers.
//!
//! # Theory of operation
//! What leaves through tunnels is collected while a batch is written and sent at its end, so that
//! one system call carries many frames ([`Departures`]). A frame that goes to several remote VTEPs
//! of a tunnel is cut once. What arrives comes as trains of equal datagrams; each is joined,
//! outside the lock, into as few frames as it makes, and the switch opens them.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use os::underlay::{Datagrams, Listener, Outbound, Scratch, Sender};
use packet::segment::Pieces;
use packet::{Frame, Offload, Pool, PortId, SegmentKind, coalesce, partial};
use switch::{Egress, Event};
use vxlan::Vni;
use vxlan::encap::{SendLimits, Train};
use vxlan::entropy::flow_hash;
use vxlan::header;
use vxlan::outer::{Dscp, Outer, Ttl, outer};

use super::counters::Counters;
use super::table::{PortIo, Table};

/// A UDP port that datagrams come in on: a socket for each worker.
#[derive(Debug)]
pub(crate) struct Underlay {
    pub(crate) port: PortId,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) counters: Arc<Counters>,
}

/// How a tunnel's frames leave.
#[derive(Clone, Debug)]
pub struct Exit {
    /// Its segment.
    pub vni: Vni,
    /// The remote VTEPs' UDP port.
    pub udp_port: u16,
    /// The sockets; tunnels that leave alike share them.
    pub sender: Arc<Sender>,
    /// Of the outer header.
    pub ttl: Ttl,
    /// Of the outer header.
    pub dscp: Dscp,
}

/// A tunnel, open.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) port: PortId,
    pub(crate) exit: Exit,
    pub(crate) counters: Arc<Counters>,
}

/// Makes events of what was received in one piece; what continues the datagram before it is put
/// behind that.
pub(super) fn arrive(port: PortId, datagrams: Datagrams, pool: &mut Pool, batch: &mut Vec<Event>) {
    let before = batch.len();
    take_apart(port, datagrams, pool, batch);
    let Some((ahead, behind)) = batch.split_at_mut_checked(before) else { return };
    if let (Some(last), Some(first)) = (ahead.last_mut(), behind.first())
        && continues(last, first)
        && let Event::Datagram { datagram, .. } = batch.remove(before)
    {
        pool.give(datagram);
    }
}

/// Whether `next` continued the datagram of `last`, and is part of it now.
fn continues(last: &mut Event, next: &Event) -> bool {
    match (last, next) {
        (
            Event::Datagram { port, remote, traffic_class, datagram },
            Event::Datagram { port: p, remote: r, traffic_class: t, datagram: next },
        ) => {
            (*port, *remote, *traffic_class) == (*p, *r, *t)
                && coalesce::splice(datagram, next, header::LEN)
        }
        _ => false,
    }
}

fn take_apart(port: PortId, datagrams: Datagrams, pool: &mut Pool, batch: &mut Vec<Event>) {
    let Datagrams { mut frame, size, from, tos, truncated } = datagrams;
    if truncated {
        pool.give(frame);
        return batch.push(Event::Malformed { port });
    }
    let mut each = |datagram| {
        batch.push(Event::Datagram { port, remote: *from.ip(), traffic_class: tos, datagram });
    };
    if partial::detect_train(&mut frame, size, header::LEN) {
        return each(frame);
    }
    coalesce::join_train(frame, size, header::LEN, pool, &mut each);
}

/// Frames on their way into tunnels until the end of a batch.
#[derive(Debug, Default)]
pub(super) struct Departures {
    frames: Vec<Frame>,
    departures: Vec<Departure>,
    remotes: Vec<Ipv4Addr>,
    /// Trains to cut into, so that nothing is allocated once warm.
    spare: Vec<Train>,
    scratch: Scratch,
}

/// One frame for some remote VTEPs of one tunnel.
#[derive(Debug)]
struct Departure {
    tunnel: Arc<Tunnel>,
    frame: usize,
    train: Train,
    outer: Outer,
    hash: u32,
    first_remote: usize,
    remotes: usize,
}

impl Departures {
    /// Takes a frame for those of its copies that leave through tunnels, which carry fragments as
    /// they came.
    pub(super) fn add(&mut self, frame: Frame, copies: &[Egress], table: &Table, pool: &mut Pool) {
        if !matches!(frame.offload(), Offload::Segment { kind: SegmentKind::Fragments, .. }) {
            return self.add_one(frame, copies, table);
        }
        match Pieces::of(frame) {
            Ok(mut fragments) => {
                while let Some(fragment) = fragments.next(pool) {
                    self.add_one(fragment, copies, table);
                }
            }
            // It is counted as no tunnel's train.
            Err(dropped) => self.add_one(dropped.frame, copies, table),
        }
    }

    fn add_one(&mut self, mut frame: Frame, copies: &[Egress], table: &Table) {
        let through = copies.iter().filter(|copy| copy.remote.is_some());
        let mut last: Option<&Egress> = None;
        for copy in through {
            let Some(remote) = copy.remote else { continue };
            let same = last.is_some_and(|last| (last.port, last.tag) == (copy.port, copy.tag));
            last = Some(copy);
            self.remotes.push(remote);
            if same && let Some(departure) = self.departures.last_mut() {
                departure.remotes += 1;
                continue;
            }
            let Some(PortIo::Tunnel(tunnel)) = table.get(copy.port) else {
                // It is being taken away: none of its copies belongs to the tunnel before it.
                last = None;
                continue;
            };
            let mut train = self.spare.pop().unwrap_or_default();
            frame.set_tag(copy.tag);
            if train.cut(tunnel.exit.vni, &frame).is_err() {
                tunnel.counters.failed();
                self.spare.push(train);
                last = None;
                continue;
            }
            self.departures.push(Departure {
                outer: outer(tunnel.exit.ttl, tunnel.exit.dscp, frame.bytes()),
                hash: flow_hash(frame.bytes()),
                tunnel: Arc::clone(tunnel),
                frame: self.frames.len(),
                train,
                first_remote: self.remotes.len() - 1,
                remotes: 1,
            });
        }
        self.frames.push(frame);
    }

    /// Sends everything and gives the buffers back.
    pub(super) fn leave(&mut self, pool: &mut Pool) {
        let Self { frames, departures, remotes, spare, scratch } = self;
        for group in departures.chunk_by(|a, b| Arc::ptr_eq(&a.tunnel, &b.tunnel)) {
            let Some(first) = group.first() else { continue };
            let tunnel = &first.tunnel;
            let (mut count, mut bytes) = (0, 0);
            for departure in group {
                let len = frames.get(departure.frame).map_or(0, Frame::len);
                count += departure.remotes as u64;
                bytes += (len * departure.remotes) as u64;
            }
            let messages = group.iter().flat_map(|departure| {
                let Departure { first_remote, remotes: many, .. } = *departure;
                let far = remotes.get(first_remote..first_remote + many).unwrap_or_default();
                let frame = frames.get(departure.frame);
                let pairs = far.iter().flat_map(move |remote| frame.map(|frame| (remote, frame)));
                pairs.flat_map(move |(remote, frame)| {
                    departure.train.sends(frame, SendLimits::BATCH).map(move |batch| Outbound {
                        lane: departure.hash as usize,
                        to: SocketAddrV4::new(*remote, departure.tunnel.exit.udp_port),
                        ttl: departure.outer.ttl,
                        tos: departure.outer.tos,
                        segment: batch.segment_size(),
                        parts: batch.parts().flat_map(|(headers, payload)| [headers, payload]),
                    })
                })
            });
            let report = tunnel.exit.sender.send(messages, scratch);
            tunnel.counters.sent_many(count, bytes, report.failed as u64);
        }
        spare.extend(departures.drain(..).map(|departure| departure.train));
        frames.drain(..).for_each(|frame| pool.give(frame));
        remotes.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU16;
    use std::net::Ipv4Addr;

    use os::underlay::SenderOptions;
    use packet::Span;

    use super::*;

    const HERE: PortId = PortId::new(1);

    /// A table with one tunnel.
    fn table() -> Table {
        let options = SenderOptions {
            local: Ipv4Addr::LOCALHOST,
            dont_fragment: true,
            checksum: true,
            lanes: 1,
        };
        let exit = Exit {
            vni: Vni::MAX,
            udp_port: 4789,
            sender: Arc::new(Sender::open(&options).unwrap()),
            ttl: Ttl::default(),
            dscp: Dscp::default(),
        };
        let counters = Arc::new(Counters::default());
        Table::default().with(&[PortIo::Tunnel(Arc::new(Tunnel { port: HERE, exit, counters }))])
    }

    fn copy(port: PortId, last: u8) -> Egress {
        Egress { port, remote: Some(Ipv4Addr::new(127, 0, 0, last)), tag: None }
    }

    #[test]
    fn copies_for_a_tunnel_that_is_gone_are_not_sent_through_another() {
        let gone = PortId::new(2);
        let copies = [copy(HERE, 1), copy(gone, 2), copy(gone, 3), copy(HERE, 4), copy(HERE, 5)];
        let (mut departures, mut pool) = (Departures::default(), Pool::new(1));
        departures.add(Frame::copied_from(&[0; 60]), &copies, &table(), &mut pool);
        let sent: Vec<Vec<u8>> = departures
            .departures
            .iter()
            .map(|departure| {
                let last = departure.first_remote + departure.remotes;
                let remotes = &departures.remotes[departure.first_remote..last];
                remotes.iter().map(|remote| remote.octets()[3]).collect()
            })
            .collect();
        assert_eq!(sent, [vec![1], vec![4, 5]]);
    }

    #[test]
    fn a_datagram_in_place_of_its_fragments_leaves_in_them() {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        bytes.extend([0x45, 0, 0x0b, 0xb8, 0, 9, 0, 0, 64, 17, 0, 0]);
        bytes.extend([10, 0, 0, 1, 10, 0, 1, 1, 0x30, 1, 0, 53, 0x0b, 0xa4]);
        bytes.resize(14 + 3000, 7);
        let mut whole = Frame::copied_from(&bytes);
        let (size, span) = (NonZeroU16::new(1480).unwrap(), Span { start: 34, offset: 6 });
        whole.set_offload(Offload::Segment { kind: SegmentKind::Fragments, size, span });
        let (mut departures, mut pool) = (Departures::default(), Pool::new(4));
        departures.add(whole, &[copy(HERE, 1)], &table(), &mut pool);
        let lengths: Vec<usize> = departures.frames.iter().map(Frame::len).collect();
        assert_eq!(lengths, [1514, 1514, 54]);
        assert_eq!(departures.departures.len(), 3);
        assert!(departures.frames.iter().all(|frame| frame.offload() == Offload::Complete));
    }
}
