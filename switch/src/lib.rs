//! The whole switch as one value: bridges, ARP, router, NAT and their timers, without a clock or a
//! socket.
//!
//! Two doors lead in. [`Switch::step`] takes what happened (a frame came, time passed) and cannot
//! fail; [`Switch::apply_all`] takes what somebody wants changed and is all or nothing. Both are
//! told the time and leave their effects in an [`Outbox`] that the caller owns. A packet's life is
//! told in `datapath`, top to bottom.
//!
//! The code map, in reading order: [`event`] and [`outbox`] (in and out), `datapath` (the eight
//! steps), [`vlan`] and [`port`], `bridge`, `station` and `fdb` with `tally`, `tunnel`, `protocols`
//! (which there are) with `context` (what they may see and use) and `egress`, `arp` with
//! `neighbors` and `pending`, `reassembly`, `router` with `routes` (and `fib`) and `local`, what
//! only saves time (`fast_paths` with `l2_fast_path` and `flow_cache`, `adjacency`, `prefetch`),
//! [`change`] with `draft` and `apply`, [`flows`] (which of them somebody means), [`view`]
//! (read-only listings), [`stats`], [`trace`] with `witness` and `explain` (why a frame became what
//! it became), `timers`, and `snapshot`.
#![forbid(unsafe_code)]

mod adjacency;
mod apply;
mod arp;
mod bridge;
pub mod change;
mod context;
mod datapath;
mod draft;
mod egress;
pub mod event;
mod explain;
mod fast_paths;
mod fdb;
mod fib;
mod flow_cache;
pub mod flows;
mod guard;
mod inside;
mod interface;
mod l2_fast_path;
mod limiter;
mod local;
mod neighbors;
pub mod outbox;
mod pending;
pub mod port;
mod prefetch;
mod protocols;
mod reassembly;
mod router;
mod routes;
mod seeds;
mod snapshot;
mod station;
pub mod stats;
mod switch;
mod tally;
mod timers;
pub mod trace;
mod tunnel;
pub mod view;
pub mod vlan;
mod witness;

pub use change::{Change, ChangeError};
pub use draft::{Draft, Prepared};
pub use event::Event;
pub use outbox::{Egress, Notice, Outbox};
pub use stats::Totals;
pub use switch::Switch;
pub use trace::Explanation;
