//! What a protocol may see and use of the switch while it works.
//!
//! A protocol keeps its own state and gets this lent for the time of a call. It looks at ports, bridges and interfaces
//! and changes none of them; it counts, takes notes for whoever asks why, and sends. What it can not decide, since routes
//! and NAT have a say, it leaves behind as a [`Report`].

use packet::icmp::IcmpError;
use packet::{Frame, InterfaceId};

use crate::bridge::Bridges;
use crate::interface::Interfaces;
use crate::outbox::Outbox;
use crate::port::Ports;
use crate::stats::Stats;
use crate::trace::Part;
use crate::witness::Witness;

/// See the module's own text.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) ports: &'a Ports,
    pub(crate) bridges: &'a Bridges,
    pub(crate) interfaces: &'a Interfaces,
    pub(crate) stats: &'a mut Stats,
    pub(crate) trace: &'a mut Witness,
    pub(crate) reports: &'a mut Vec<Report>,
    /// Pieces of one packet on their way out; empty between packets.
    pub(crate) pieces: &'a mut Vec<Frame>,
    pub(crate) out: &'a mut Outbox,
}

/// A packet that ended, as it was to leave, and what its sender is to be told. The switch tells it when the protocol's
/// call is over: an ICMP error finds its way through routes and NAT, and may itself need a neighbour.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) cause: Frame,
    pub(crate) error: IcmpError,
}

impl Context<'_> {
    /// Has the sender of a packet told what became of it.
    pub(crate) fn report(&mut self, cause: Frame, error: IcmpError) {
        self.reports.push(Report { cause, error });
    }

    /// Sends a whole frame of the switch's own on an interface, counted apart from frames that came in.
    pub(crate) fn send_own(&mut self, interface: InterfaceId, frame: Frame) {
        let first = self.out.len();
        match self.egress(interface, frame) {
            Ok(_) => self.stats.totals.spoken += 1,
            Err(dropped) => self.out.pool.give(dropped.frame),
        }
        self.trace.sent(first, self.out.len(), Part::Spoken);
    }
}
