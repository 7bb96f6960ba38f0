//! A switch without a machine: made from a lab, driven by a clock that only moves when it is told
//! to.

use std::collections::BTreeMap;

use packet::{Frame, Instant, PortId};
use switch::{Change, ChangeError, Event, Outbox, Switch, Totals};

use super::input::{Ingress, Source, in_buffer};
use crate::capture::CapturedFrame;
use crate::listing::counts::PortCounts;
use crate::listing::rows::Drops;
use crate::record::Head;
use labfile::Lab;
use labfile::ids::Ids;
use labfile::ids::udp_ports;
use labfile::plan::Plan;

/// The switch, its clock, and what each port has carried.
pub(crate) struct Stage {
    pub switch: Switch,
    pub ids: Ids,
    pub now: Instant,
    pub(super) out: Outbox,
    pub(super) carried: BTreeMap<PortId, PortCounts>,
    changes: Vec<Change>,
    ports: Vec<PortId>,
    totals: Totals,
    drops: Vec<Drops>,
    /// When timers ran last: what is still due then will not become less so.
    expired: Option<Instant>,
}

/// What one step changed in the counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(super) sent: u64,
    pub(super) consumed: u64,
    pub(super) dropped: u64,
    /// Frames that began to wait, less those that ended waiting.
    pub(super) held: i64,
    pub(super) spoken: u64,
    pub(super) drops: Vec<Drops>,
}

impl Stage {
    /// The switch that `lab` asks for, not begun yet.
    pub(crate) fn new(lab: &Lab, seed: u64) -> Self {
        let mut ids = Ids::default();
        let changes = {
            let empty = Lab::default();
            Plan::between(&empty, lab).changes(&empty, lab, &mut ids)
        };
        // In the order in which a daemon takes them up.
        let tunnels = lab.tunnels.keys().filter_map(|name| ids.known_port(name.as_str()));
        let underlays = udp_ports(lab).into_iter().filter_map(|udp| ids.known_udp_port(udp));
        let ports = lab.ports.keys().filter_map(|name| ids.known_port(name.as_str()));
        let ports: Vec<PortId> = tunnels.chain(underlays).chain(ports).collect();
        Self {
            switch: Switch::new(seed),
            now: Instant::ZERO,
            out: Outbox::new(BUFFERS),
            carried: ports.iter().map(|port| (*port, PortCounts::default())).collect(),
            changes,
            ports,
            ids,
            totals: Totals::default(),
            drops: Vec::new(),
            expired: None,
        }
    }

    /// The switch that a record begins with, and what its ports had carried by then.
    pub(super) fn of_record(switch: Switch, head: &Head) -> Self {
        Self {
            totals: switch.totals(),
            drops: switch.drops(),
            switch,
            ids: head.names.ids.clone(),
            now: head.start,
            out: Outbox::new(BUFFERS),
            carried: head.carried.iter().copied().collect(),
            changes: Vec::new(),
            ports: Vec::new(),
            expired: None,
        }
    }

    /// Lets in what entered at `at`.
    pub(super) fn enter(&mut self, at: Instant, event: Event) -> Difference {
        let event = match event {
            Event::Frame { port, frame } => {
                self.count(port, frame.len());
                Event::Frame { port, frame: self.roomy(&frame) }
            }
            Event::Datagram { port, remote, traffic_class, datagram } => {
                self.count(port, datagram.len());
                let datagram = self.roomy(&datagram);
                Event::Datagram { port, remote, traffic_class, datagram }
            }
            Event::PortUp(port) => {
                self.carried.entry(port).or_default();
                event
            }
            Event::PortDown(port) => {
                self.carried.remove(&port);
                event
            }
            Event::Malformed { port } => {
                self.count(port, 0);
                event
            }
            Event::Timeout => event,
        };
        self.now = self.now.max(at);
        self.switch.step(at, event, &mut self.out);
        self.difference()
    }

    /// Makes changes that were made together at `at`, or are refused as they were then.
    pub(super) fn change(&mut self, at: Instant, changes: Vec<Change>) -> Difference {
        self.now = self.now.max(at);
        let _ = self.switch.apply_all(at, changes, &mut self.out);
        self.difference()
    }

    /// Counts a frame that came in.
    fn count(&mut self, port: PortId, bytes: usize) {
        if let Some(counts) = self.carried.get_mut(&port) {
            counts.received_frames += 1;
            counts.received_bytes += bytes as u64;
        }
    }

    /// The same frame in a buffer as large as a daemon's.
    fn roomy(&mut self, frame: &Frame) -> Frame {
        let mut roomy = in_buffer(self.out.pool.take(), &[], frame.bytes());
        roomy.set_tag(frame.tag());
        roomy.set_offload(frame.offload());
        roomy
    }

    /// Builds the lab at `start` and plugs every port in.
    pub(crate) fn begin(&mut self, start: Instant) -> Result<Difference, ChangeError> {
        self.now = start;
        self.switch.apply_all(start, core::mem::take(&mut self.changes), &mut self.out)?;
        for port in &self.ports {
            self.switch.step(start, Event::PortUp(*port), &mut self.out);
        }
        Ok(self.difference())
    }

    /// When a timer is due, up to `time`.
    pub(super) fn next_timer(&self, time: Instant) -> Option<Instant> {
        let due = self.switch.next_timeout()?.max(self.now);
        (due <= time && self.expired != Some(due)).then_some(due)
    }

    /// Runs the timers that are due at `time`, which is not before the last step.
    pub(super) fn expire(&mut self, time: Instant) -> Difference {
        self.expired = Some(time);
        self.step(time, Event::Timeout)
    }

    /// Lets a frame in.
    pub(super) fn take(&mut self, source: &Source, record: &CapturedFrame) -> Difference {
        match source.way {
            Ingress::Port(port) => self.count(port, record.bytes.len()),
            Ingress::Vtep { underlay, .. } => self.count(underlay, record.bytes.len()),
        }
        let event = source.event(&record.bytes, &mut self.out.pool);
        // It may have set a timer that is due at once.
        self.expired = None;
        self.step(record.at, event)
    }

    /// Moves the clock on, when there is nothing more to do.
    pub(super) fn rest_until(&mut self, time: Instant) {
        self.now = self.now.max(time);
    }

    /// What came in through a tunnel is counted by the switch; the rest here.
    pub(super) fn carried(&self) -> impl Iterator<Item = (PortId, PortCounts)> {
        self.carried.iter().map(|(port, counts)| {
            let mut counts = *counts;
            if let Some(through) = self.switch.received_through(*port) {
                (counts.received_frames, counts.received_bytes) = through;
            }
            (*port, counts)
        })
    }

    fn step(&mut self, time: Instant, event: Event) -> Difference {
        self.now = self.now.max(time);
        self.switch.step(self.now, event, &mut self.out);
        self.difference()
    }

    fn difference(&mut self) -> Difference {
        let (old, new) = (self.totals, self.switch.totals());
        self.totals = new;
        let mut difference = Difference {
            sent: new.sent - old.sent,
            consumed: new.consumed - old.consumed,
            dropped: new.dropped - old.dropped,
            held: new.held.cast_signed() - old.held.cast_signed(),
            spoken: new.spoken - old.spoken,
            drops: Vec::new(),
        };
        if (new.dropped, new.copies_dropped) != (old.dropped, old.copies_dropped) {
            let drops = self.switch.drops();
            let before = |port, reason| {
                let known = self.drops.iter().find(|(p, r, _)| (*p, *r) == (port, reason));
                known.map_or(0, |(_, _, count)| *count)
            };
            let more = drops
                .iter()
                .map(|&(port, reason, count)| (port, reason, count - before(port, reason)));
            difference.drops = more.filter(|(_, _, count)| *count > 0).collect();
            self.drops = drops;
        }
        difference
    }
}

/// Buffers kept: one frame is under way at a time, with what it sets free.
const BUFFERS: usize = 64;
