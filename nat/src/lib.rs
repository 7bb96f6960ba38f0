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
//! `inbound`, `outbound`, `creation` and `icmp` (the two steps), `revalidation` (what ends a flow before its time), `lookup` and `ahead` (the short way), [`translated`]
//! (their witnesses), [`limits`], `eviction`, `groups` and `queue` (how many, and who makes room), [`view`], [`stats`], [`facts`],
//! [`fragments`], `audit`.
#![forbid(unsafe_code)]

mod ahead;
mod audit;
mod creation;
mod eviction;
mod expiry;
pub mod facts;
mod flow;
pub mod fragments;
mod groups;
mod icmp;
mod inbound;
mod index;
pub mod lifetime;
pub mod limits;
mod lookup;
mod mapping;
pub mod masquerade;
mod nat;
mod outbound;
mod pairs;
mod ports;
pub mod publish;
mod queue;
mod remotes;
mod revalidation;
pub mod rules;
mod slab;
pub mod stats;
mod table;
mod tcp;
pub mod translated;
mod tuple;
pub mod view;

pub use fragments::{Assembled, Reassembly};
pub use lifetime::Lifetimes;
pub use limits::Limits;
pub use lookup::{Course, Note, Seen};
pub use masquerade::{Filtering, Judgement, Mapping, Masquerade, PortRange};
pub use nat::Nat;
pub use publish::{Listen, Publish};
pub use rules::Rules;
pub use stats::Stats;
pub use translated::{Arrival, Departure, Destined, Translated};
pub use view::FlowView;
