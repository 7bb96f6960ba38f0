//! What a protocol may see and use of the switch while it works.
//!
//! A protocol keeps its own state and gets this lent for the time of a call. It looks at ports,
//! bridges and interfaces and changes none of them; it counts, takes notes for whoever asks why,
//! and sends. What it can not decide, since routes and NAT have a say, it leaves behind as a
//! [`Report`](crate::outbox::Report).

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
    pub(crate) out: &'a mut Outbox,
}

impl Context<'_> {
    /// Sends a whole frame of the switch's own on an interface, counted apart from frames that came
    /// in.
    pub(crate) fn send_own(&mut self, interface: InterfaceId, frame: Frame) {
        let first = self.out.len();
        match self.egress(interface, frame) {
            Ok(_) => self.stats.totals.spoken += 1,
            Err(dropped) => self.out.pool.give(dropped.frame),
        }
        self.trace.sent(first, self.out.len(), Part::Spoken);
    }
}
