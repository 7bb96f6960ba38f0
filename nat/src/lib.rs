//! Addresses change here, and only here: connection tracking, masquerade and port publishing for IPv4.
//!
//! A packet meets [`Nat`] twice: [`Nat::inbound`] says whom it is really for, ahead of routing, and yields a
//! [`Destined`]; [`Nat::outbound`] says whom it is really from, behind routing, and yields a [`Translated`]. A new
//! flow is kept only in the second, once its packet has survived everything between. Fragments are put together by
//! [`fragments::Reassembly`] before they come here. Nothing here reads a clock, draws a random number or sends.
//!
//! The code map, in reading order: [`rules`] with [`masquerade`] and [`publish`] (what the administrator wants),
//! `tuple` and `flow` with `tcp` and [`lifetime`] (what one flow is), `table` with `index`, `slab` and `expiry` and `pairs` (all
//! flows), `mapping` with `ports` and `remotes` (external ports and who may use them), `nat` (the whole as one value),
//! `inbound`, `outbound`, `opening` and `icmp` (the two steps), `holding` (what ends a flow before its time), `known` and `ahead` (the short way), [`destined`]
//! (their witnesses), [`limits`], `room`, `ranks` and `queue` (how many, and who makes room), [`view`], [`stats`], [`facts`],
//! [`fragments`], `audit`.
#![forbid(unsafe_code)]

mod ahead;
mod audit;
pub mod destined;
mod expiry;
pub mod facts;
mod flow;
pub mod fragments;
mod holding;
mod icmp;
mod inbound;
mod index;
mod known;
pub mod lifetime;
pub mod limits;
mod mapping;
pub mod masquerade;
mod nat;
mod opening;
mod outbound;
mod pairs;
mod ports;
pub mod publish;
mod queue;
mod ranks;
mod remotes;
mod room;
pub mod rules;
mod slab;
pub mod stats;
mod table;
mod tcp;
mod tuple;
pub mod view;

pub use destined::{Arrival, Departure, Destined, Translated};
pub use fragments::{Assembled, Reassembly};
pub use known::{Course, Note, Seen};
pub use lifetime::Lifetimes;
pub use limits::Limits;
pub use masquerade::{Filtering, Judgement, Mapping, Masquerade, PortRange};
pub use nat::Nat;
pub use publish::{Listen, Publish};
pub use rules::Rules;
pub use stats::Stats;
pub use view::FlowView;
