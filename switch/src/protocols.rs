//! The protocols that live in the switch, side by side, and what they have in common.
//!
//! A protocol is a type with state of its own, in a module of its own. It is entered by narrow
//! doors: `input(now, frame, origin, ctx)` for what it hears, `timeout(now, ctx)` and
//! `next_timeout()` for what it does by itself, and one for each thing that others ask of it, named
//! for that. All else that it may see and use is in the [`Context`](crate::context::Context); so it
//! knows no other protocol, and none of the steps of a packet's life. Those know it: `datapath`
//! calls the first door, `timers` the other two.

use serde::{Deserialize, Serialize};

use crate::arp::Arp;
use crate::reassembly::Reassembly;

/// See the module's own text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Protocols {
    pub(crate) arp: Arp,
    pub(crate) reassembly: Reassembly,
}
