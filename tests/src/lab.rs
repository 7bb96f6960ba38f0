//! The lab: a switch, its cables and what is at their ends, and one clock.
//!
//! After each step of the switch its [`Totals`](switch::Totals) must balance, and its outbox is
//! judged frame by frame. How time passes is told in `turns`.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, VecDeque};

use packet::segment::{InnerOffload, complete_checksum, inner_offload, segment};
use packet::{Frame, Instant, Mac, PortId};
use switch::{Change, ChangeError, Egress, Event, Notice, Outbox, Switch};

use crate::checks::Checks;
use crate::fault::Fault;
use crate::foretold::Foretold;
use crate::host::Host;
use crate::link::Link;
use crate::rebirth::Rebirth;
use crate::reference::{Prediction, Reference, World, announced};
use crate::rng::Rng;
use crate::topology::Names;
use crate::tunnel::Datagram;
use crate::turns::Flight;
use crate::twin::Twin;
use crate::wire::{Packet, Seen, frame};

/// Frames told when a test fails.
const TRACE: usize = 24;

/// A switch with cables and ends. Its methods say what a test does, step by step; see also
/// [`crate::topology`] and [`crate::talk`].
pub struct Lab {
    pub(crate) switch: Switch,
    twin: Twin,
    pub(crate) now: Instant,
    pub(crate) names: Names,
    pub(crate) cables: BTreeMap<PortId, Cable>,
    pub(crate) checks: Checks,
    /// Predicts every step, where a test asks for that.
    reference: Option<Box<Reference>>,
    audits: u64,
    fault: Option<Fault>,
    /// Which of several labs this is: a byte of all its MAC addresses.
    pub(crate) site: u8,
    seed: u64,
    pub(crate) rng: Rng,
    outbox: Outbox,
    rebirth: Option<(u64, Rebirth)>,
    steps: u64,
    pub(crate) queue: BTreeMap<(Instant, u64), Flight>,
    pub(crate) sequence: u64,
    pub(crate) notices: Vec<Notice>,
    pub(crate) datagrams: Vec<Datagram>,
    digest: u64,
    /// Whether every step is explained ahead, and compared with what is said then.
    pub(crate) foretells: bool,
    trace: VecDeque<(Instant, &'static str, PortId, Frame)>,
}

/// One port's cable.
#[derive(Debug)]
pub(crate) struct Cable {
    pub(crate) link: Link,
    /// Whether the end takes partial checksums and super-frames.
    pub(crate) offload: bool,
    pub(crate) end: End,
    pub(crate) inbox: Vec<Seen>,
}

/// What was said of a step ahead of it.
#[derive(Default)]
struct Told {
    foretold: Option<Foretold>,
    prediction: Option<Prediction>,
}

/// What is at the far end of a cable.
#[derive(Debug)]
pub(crate) enum End {
    /// Somebody who writes and reads bytes. With addresses, ARP requests for them are answered.
    Station { mac: Mac, addresses: Vec<Ipv4Addr> },
    /// A host that speaks for itself.
    Host(Box<Host>),
}

impl End {
    pub(crate) fn mac(&self) -> Mac {
        match self {
            Self::Station { mac, .. } => *mac,
            Self::Host(host) => host.mac,
        }
    }
}

impl Lab {
    /// A switch without ports; all that is random comes from `seed`.
    pub fn new(seed: u64) -> Self {
        Self::at_site(0, seed)
    }

    /// The same, as one of several labs whose MAC addresses differ.
    pub fn at_site(site: u8, seed: u64) -> Self {
        Self {
            site,
            switch: Switch::new(seed),
            twin: Twin::new(seed),
            now: Instant::from_secs(1000),
            names: Names::default(),
            cables: BTreeMap::new(),
            checks: Checks::default(),
            reference: None,
            audits: 0,
            fault: Fault::planted(),
            seed,
            rng: Rng::new(seed),
            outbox: Outbox::new(8),
            rebirth: None,
            steps: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            notices: Vec::new(),
            datagrams: Vec::new(),
            digest: 0xcbf2_9ce4_8422_2325,
            foretells: false,
            trace: VecDeque::new(),
        }
    }

    /// The time.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The switch, to look at.
    pub const fn switch(&self) -> &Switch {
        &self.switch
    }

    /// From here on wrong transport checksums may come in, and so may come out: they are not judged
    /// any more.
    pub const fn distrust(&mut self) {
        self.checks.tainted = true;
    }

    /// From here on another switch takes the first one's place after every `steps` steps.
    pub const fn be_reborn(&mut self, steps: u64, rebirth: Rebirth) {
        self.rebirth = Some((steps, rebirth));
    }

    /// From here on every step is predicted by a naive switch, which must agree. Only a lab without
    /// ports begins so.
    pub fn predict(&mut self) {
        assert!(self.checks.ports.is_empty(), "the reference has missed the beginning");
        self.reference = Some(Box::default());
    }

    /// Random numbers of this lab's own.
    pub const fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// A number that stands for every byte that left the switch until now, where and when.
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// Changes the switch.
    ///
    /// # Panics
    /// The switch refuses.
    pub fn change(&mut self, change: Change) {
        if let Err(error) = self.try_change(change.clone()) {
            panic!("{error}: {change:?}");
        }
    }

    /// Changes the switch.
    ///
    /// # Errors
    /// The switch refuses.
    pub fn try_change(&mut self, change: Change) -> Result<(), ChangeError> {
        let mut made = change.clone();
        if let Some(fault) = self.fault {
            fault.misread(&mut made);
        }
        let beside = self.twin.apply(self.now, made.clone());
        let outcome = self.switch.apply(self.now, made, &mut self.outbox);
        assert_eq!(outcome, beside, "a switch and its twin");
        outcome?;
        let world = World { settings: &self.checks, switch: &self.switch, now: self.now };
        if let Some(reference) = &mut self.reference {
            reference.change(world, &change);
        }
        // An interface that goes still says who is unreachable now.
        if matches!(change, Change::DeleteInterface(_)) {
            self.after_step(None, Told::default());
        }
        let came = announced(&change);
        self.note(change);
        self.after_step(came.as_ref(), Told::default());
        self.settle();
        Ok(())
    }

    /// One step of the switch, now.
    pub fn step(&mut self, event: Event) {
        let mut came = None;
        match &event {
            Event::Frame { port, frame } => {
                self.checks.hear(frame);
                let mut original = frame.clone();
                let service = self.checks.has_service_vlans(*port);
                if original.pop_tag() && (!service || original.pop_service_tag()) {
                    came = Some((*port, original));
                }
                self.log("in", *port, frame);
            }
            Event::Datagram { port, remote, traffic_class, datagram } => {
                came = self.inside(*port, *remote, *traffic_class, datagram);
                if let Some((_, frame)) = &came {
                    self.checks.hear(frame);
                }
                self.log("in", *port, datagram);
            }
            Event::PortUp(port) => {
                if self.checks.ports.contains_key(port) {
                    self.checks.up.insert(*port);
                }
            }
            Event::PortDown(port) => {
                self.checks.up.remove(port);
            }
            Event::Malformed { .. } | Event::Timeout => {}
        }
        let foretold = self.foretells.then(|| Foretold::of(&self.switch, self.now, &event));
        let world = World { settings: &self.checks, switch: &self.switch, now: self.now };
        let reference = self.reference.as_mut();
        let prediction = reference.map(|r| r.predict(world, &event, came.as_ref()));
        self.twin.step(self.now, event.clone());
        let event = self.guessing(event);
        self.switch.step(self.now, event, &mut self.outbox);
        self.after_step(came.as_ref(), Told { foretold, prediction });
    }

    /// Sends bytes from the end of a port's cable and lets things settle.
    pub fn send(&mut self, port: &str, bytes: &[u8]) {
        self.send_frame(port, Frame::copied_from(bytes));
    }

    /// Sends a frame, with what it leaves to the switch, from the end of a port's cable and lets
    /// things settle.
    pub fn send_frame(&mut self, port: &str, frame: Frame) {
        let port = self.names.port(port);
        self.fly(port, true, frame);
        self.settle();
    }

    /// Sends an IPv4 packet to the router's MAC address from the end of a port's cable.
    pub fn ip(&mut self, port: &str, packet: &Packet) {
        let to = self.router_beside(port);
        let bytes = frame(to, self.mac(port)).ip(packet);
        self.send(port, &bytes);
    }

    pub(crate) fn cable(&mut self, port: PortId) -> &mut Cable {
        self.cables.get_mut(&port).unwrap_or_else(|| panic!("nothing is at {port}"))
    }

    fn after_step(&mut self, came: Option<&(PortId, Frame)>, told: Told) {
        self.audit();
        let mut sent = Vec::new();
        self.outbox.drain(|frame, copies| sent.push((frame.compact(), copies.to_vec())));
        self.twin.compare(self.now, &self.switch, &sent);
        if let Some(foretold) = told.foretold {
            foretold.came_true(&self.switch, self.now, &sent);
        }
        if let Some(fault) = self.fault {
            let own: Vec<Mac> = self.checks.interfaces.values().map(|own| own.mac).collect();
            sent.iter_mut().for_each(|(frame, _)| fault.spoil(frame, &own));
        }
        let world = World { settings: &self.checks, switch: &self.switch, now: self.now };
        if let (Some(reference), Some(prediction)) = (&mut self.reference, told.prediction) {
            reference.confirm(world, &prediction, came, &sent);
        }
        for (frame, copies) in sent {
            for copy in &copies {
                self.log("out", copy.port, &frame);
                self.mark(&frame, *copy);
            }
            let (switch, now) = (&self.switch, self.now);
            self.checks.judge(came, &frame, &copies, &|from, to| {
                let mut flows = switch.flows(now).into_iter().map(|flow| flow.original);
                flows.any(|way| (way.source, way.destination) == (to, from))
            });
            for copy in copies {
                self.hand_out(&frame, copy);
            }
        }
        self.notices.extend(self.outbox.notices());
        self.steps += 1;
        if let Some((steps, rebirth)) = self.rebirth
            && self.steps.is_multiple_of(steps)
        {
            let switch = core::mem::replace(&mut self.switch, Switch::new(0));
            self.switch = rebirth.of(switch);
        }
    }

    /// What must hold of the switch between two steps: the books balance, nothing waits for ever,
    /// and its tables agree with each other.
    fn audit(&mut self) {
        let totals = self.switch.totals();
        assert!(totals.balance(), "frames are missing from the books: {totals:?}");
        assert!(
            totals.held == 0 || self.switch.next_timeout().is_some(),
            "{} frames wait for ever",
            totals.held
        );
        // With many flows, now and then: it looks at every one.
        self.audits += 1;
        if self.audits.is_multiple_of(1 + (self.switch.nat_stats().flows / 16) as u64)
            && let Err(wrong) = self.switch.audit()
        {
            panic!("{wrong}");
        }
    }

    /// Gives one copy to its cable, as its end can take it.
    fn hand_out(&mut self, frame: &Frame, copy: Egress) {
        if let Some(remote) = copy.remote {
            return self.hand_to_remote(frame.clone(), copy, remote);
        }
        let Some(offload) = self.cables.get(&copy.port).map(|cable| cable.offload) else { return };
        let mut frame = frame.clone();
        frame.set_tag(copy.tag);
        // As a daemon does ahead of a device: none takes what is owed to a packet inside a tunnel.
        let inside = inner_offload(&frame);
        if inside == Some(InnerOffload::Checksum) {
            complete_checksum(&mut frame);
        }
        if offload && inside != Some(InnerOffload::Segments) {
            assert!(frame.push_tag(), "a tag always fits");
            return self.fly(copy.port, false, frame);
        }
        let mut pieces = Vec::new();
        // A super-frame that was never one may be bridged, and is refused here as a device would.
        let _ = segment(frame, &mut self.outbox.pool, &mut |piece| pieces.push(piece));
        for mut piece in pieces {
            assert!(piece.push_tag(), "a tag always fits");
            self.fly(copy.port, false, piece);
        }
    }

    /// Mixes a frame that leaves into the digest (FNV-1a).
    fn mark(&mut self, frame: &Frame, copy: Egress) {
        let mut mix =
            |byte: u8| self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        let head = format!("{:?}{copy:?}{:?}", self.now, frame.offload());
        head.bytes().for_each(&mut mix);
        frame.bytes().iter().copied().for_each(&mut mix);
    }

    fn log(&mut self, way: &'static str, port: PortId, frame: &Frame) {
        if self.trace.len() == TRACE {
            self.trace.pop_front();
        }
        self.trace.push_back((self.now, way, port, frame.compact()));
    }
}

impl Drop for Lab {
    /// Tells what is needed to see a failure again.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("lab of seed {} at {:?}; {:?}", self.seed, self.now, self.switch.totals());
            eprintln!("drops: {:?}", self.drops());
            for (at, way, port, frame) in &self.trace {
                eprintln!("  {at:?} {way} {port} {frame:?}");
            }
        }
    }
}
