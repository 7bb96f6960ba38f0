//! Faults planted between the switch and the lab, to test the tests: each must be found by whoever
//! is there to find it.
//!
//! The switch itself stays as it is. A fault changes what it is told or what is believed to have
//! left it, on one thread and for the time of one closure.

use core::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use packet::{Frame, Mac, Offload};
use switch::Change;

use crate::checks::seen;

/// What is wrong.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The router's TCP and UDP packets leave with a transport checksum that is wrong by one bit.
    WrongChecksum,
    /// Masquerade rules translate for all destinations, those of their `except` too.
    NoExceptions,
    /// A hop is not counted: the TTL of routed packets stays.
    KeptTtl,
}

thread_local! {
    static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// Whether `test` fails in labs with this fault.
pub fn finds(fault: Fault, test: impl FnOnce()) -> bool {
    PLANTED.set(Some(fault));
    let outcome = catch_unwind(AssertUnwindSafe(test));
    PLANTED.set(None);
    outcome.is_err()
}

impl Fault {
    /// The fault that labs made now on this thread have.
    pub(crate) fn planted() -> Option<Self> {
        PLANTED.get()
    }

    /// The change as the faulty switch makes it.
    pub(crate) fn misread(self, change: &mut Change) {
        if let (Self::NoExceptions, Change::SetRules(rules)) = (self, change) {
            rules.masquerade.iter_mut().for_each(|rule| rule.except.clear());
        }
    }

    /// The frame as the faulty switch sends it; `own` are the router's addresses.
    pub(crate) fn spoil(self, frame: &mut Frame, own: &[Mac]) {
        let source = frame.bytes()[6..].first_chunk().map(|mac| Mac(*mac));
        let routed = source.is_some_and(|source| own.contains(&source));
        let Some(packet) = seen(frame).packet().filter(|_| routed) else { return };
        let transport = 34 + packet.options.len();
        match self {
            Self::WrongChecksum
                if !packet.is_fragment() && frame.offload() == Offload::Complete =>
            {
                let field = match packet.protocol {
                    6 => transport + 16,
                    17 => transport + 6,
                    _ => return,
                };
                if let Some(byte) = frame.bytes_mut().get_mut(field) {
                    *byte ^= 0x10;
                }
            }
            Self::KeptTtl if packet.ttl != 64 => {
                let again = crate::wire::Packet { ttl: packet.ttl + 1, ..packet };
                let header = again.bytes();
                frame.bytes_mut()[14..transport].copy_from_slice(&header[..transport - 14]);
            }
            Self::WrongChecksum | Self::NoExceptions | Self::KeptTtl => {}
        }
    }
}
