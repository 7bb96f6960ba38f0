//! Time: what happens next, and when it is over.
//!
//! # Theory of operation
//! Frames on their way stand in one queue, ordered by the time of their arrival and then by their
//! number. Each turn takes what comes first: an arriving frame, a timer of the switch, or a host
//! that wants to work. The clock jumps there; between two turns nothing happens. A timer that has
//! run must lie ahead afterwards.

use core::time::Duration;

use packet::arp::Operation;
use packet::{Frame, Instant, Mac, PortId};
use switch::Event;

use crate::lab::{End, Lab};
use crate::wire::{Builder, Seen, arp_reply, frame};

/// Turns without the clock moving, beyond which something must be going in circles.
const STORM: usize = 2_000_000;
/// Timeouts at one time, beyond which a timer stands still.
const PARTS: usize = 1000;

/// A frame on a cable.
#[derive(Debug)]
pub(crate) struct Flight {
    port: PortId,
    to_switch: bool,
    frame: Frame,
}

impl Lab {
    /// Lets `span` pass.
    pub fn run_for(&mut self, span: Duration) {
        self.advance(self.now + span);
    }

    /// Lets time pass until `done`, at most for `limit`; says whether it was done.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            if !self.turn(end) {
                return done(self);
            }
        }
    }

    /// Lets everything happen that needs no time.
    pub(crate) fn settle(&mut self) {
        for _ in 0..STORM {
            let due = self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= self.now);
            if !due {
                return;
            }
            self.arrive();
        }
        panic!("a storm: frames go in circles");
    }

    /// Lets a host work and sends what it says.
    pub(crate) fn poll(&mut self, port: PortId) {
        let now = self.now;
        let End::Host(host) = &mut self.cable(port).end else { return };
        host.poll(now);
        let said: Vec<Frame> = core::iter::from_fn(|| host.next()).collect();
        for frame in said {
            self.fly(port, true, frame);
        }
    }

    /// Lets time pass until it is `end`, which several labs may share.
    pub(crate) fn advance(&mut self, end: Instant) {
        while self.turn(end) {}
    }

    /// When something happens next of its own accord.
    pub(crate) fn next_turn(&self) -> Option<Instant> {
        let (frame, timer, host) = self.upcoming();
        [frame, timer, host.map(|(at, _)| at)].into_iter().flatten().min()
    }

    /// When a frame arrives next, when a timer runs next, and when which host works next.
    fn upcoming(&self) -> (Option<Instant>, Option<Instant>, Option<(Instant, PortId)>) {
        let frame = self.queue.first_key_value().map(|((at, _), _)| *at);
        let timer = self.switch.next_timeout();
        let hosts = self.cables.iter().filter_map(|(port, cable)| match &cable.end {
            End::Host(host) => host.wake.map(|at| (at, *port)),
            End::Station { .. } => None,
        });
        (frame, timer, hosts.min())
    }

    /// The next thing that happens until `end`; `false` when there is none and it is `end`.
    fn turn(&mut self, end: Instant) -> bool {
        let (frame, timer, host) = self.upcoming();
        let next = self.next_turn();
        let Some(next) = next.filter(|at| *at <= end) else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(next);
        if frame == Some(next) {
            self.arrive();
        } else if timer == Some(next) {
            self.expire();
        } else if let Some((_, port)) = host {
            self.poll(port);
        }
        true
    }

    /// Runs the switch's timers until the next lies ahead: it may do a bounded part of its work at
    /// once.
    fn expire(&mut self) {
        for _ in 0..PARTS {
            self.step(Event::Timeout);
            if self.switch.next_timeout().is_none_or(|at| at > self.now) {
                return self.settle();
            }
        }
        panic!("a timer stands still at {:?}", self.switch.next_timeout());
    }

    fn arrive(&mut self) {
        let Some((_, flight)) = self.queue.pop_first() else { return };
        let Flight { port, to_switch, frame } = flight;
        if to_switch {
            return self.step(Event::Frame { port, frame });
        }
        let seen = Seen { at: self.now, bytes: frame.bytes().to_vec(), offload: frame.offload() };
        let Some(cable) = self.cables.get_mut(&port) else { return };
        match &mut cable.end {
            End::Host(host) => {
                if seen.packet().is_some_and(|packet| packet.protocol == 1) {
                    cable.inbox.push(seen.clone());
                }
                host.device.received.push_back(seen.bytes);
                self.poll(port);
            }
            End::Station { mac, addresses } => {
                let (mac, asked) = (*mac, seen.arp().filter(|arp| addresses.contains(&arp.target)));
                let asked = asked.filter(|arp| arp.sender != arp.target);
                let tag = seen.tag();
                match asked {
                    Some(arp) if arp.operation == Operation::Request => {
                        let answer = arp_reply(mac, arp.target, arp.sender_mac, arp.sender);
                        let to = frame_with(arp.sender_mac, mac, tag);
                        self.fly(port, true, Frame::copied_from(&to.arp(&answer)));
                    }
                    _ => cable.inbox.push(seen),
                }
            }
        }
    }

    /// Puts a frame on a cable.
    pub(crate) fn fly(&mut self, port: PortId, to_switch: bool, frame: Frame) {
        let Some(link) = self.cables.get(&port).map(|cable| cable.link) else { return };
        for journey in link.journeys(&mut self.rng) {
            self.sequence += 1;
            let flight = Flight { port, to_switch, frame: frame.clone() };
            self.queue.insert((self.now + journey, self.sequence), flight);
        }
    }
}

fn frame_with(to: Mac, from: Mac, tag: Option<u16>) -> Builder {
    let plain = frame(to, from);
    tag.map_or(plain.clone(), |bits| plain.tag_bits(bits))
}
