//! Network address translation: connection tracking, masquerade and port publishing for IPv4.
//!
//! A packet meets [`Nat`] twice: [`Nat::inbound`] translates its destination ahead of routing and
//! yields an [`AfterDnat`]; [`Nat::outbound`] translates its source behind routing and yields an
//! [`AfterSnat`]. A new flow is kept only in the second, once its packet has survived everything
//! between. Fragments that a rule or a flow may concern are reassembled by [`fragments::Reassembly`] before
//! they come here. Nothing
//! here reads a clock, draws a random number or sends.
//!
//! The code map, in reading order: [`rules`] with [`masquerade`] (what the administrator wants),
//! `tuple` and `flow` with `tcp` and [`lifetime`] (what one flow is), `table` with `index`, `slab`,
//! `expiry` and `pairs` (all flows), `flow_id` and `path` (by what they are known, and where they
//! go), `mapping` with `ports` and `remotes` (external ports and who may use them), `nat` (the
//! whole as one value), `inbound`, `outbound`, `creation` and `icmp` (the two steps) with
//! [`translated`] (their witnesses), `lookup` (the fast path), `revalidation` with `sweep` (whether
//! flows hold when rules or routes change), [`eviction`], `accounts`, `groups` and `queue` (how
//! many flows, and who makes room), [`view`], [`stats`], [`facts`] with `explain`, [`fragments`],
//! `audit`.
#![forbid(unsafe_code)]

mod accounts;
mod audit;
mod creation;
pub mod eviction;
mod expiry;
mod explain;
pub mod facts;
mod flow;
mod flow_id;
pub mod fragments;
mod groups;
mod icmp;
mod inbound;
mod index;
pub mod lifetime;
mod lookup;
mod mapping;
mod mapping_id;
pub mod masquerade;
mod nat;
mod outbound;
mod pairs;
mod path;
mod ports;
mod queue;
mod remotes;
mod revalidation;
pub mod rules;
mod slab;
pub mod stats;
mod sweep;
mod sweeps;
mod table;
mod tcp;
pub mod translated;
mod tuple;
pub mod view;

pub use accounts::Limits;
pub use flow_id::{CachedHop, FlowDirection};
pub use fragments::{Assembled, Reassembly};
pub use lifetime::Lifetimes;
pub use lookup::Lookup;
pub use masquerade::{Filtering, Mapping, Masquerade, PortRange, RuleMatch};
pub use nat::Nat;
pub use rules::{Listen, Publish, Rules};
pub use stats::Stats;
pub use translated::{AfterDnat, AfterSnat, Arrival, Departure};
pub use view::FlowView;
