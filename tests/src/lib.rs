//! A laboratory for the whole switch: simulated hosts, cables, a clock that tests turn, and judges
//! that watch.
//!
//! A [`Lab`] owns a [`Switch`](switch::Switch) and everything around it. Nothing here needs root,
//! reads a real clock or sleeps; one seed reproduces everything, and is printed when a test fails.
//! After every step the lab asserts that no frame is lost from the books, that every frame that
//! leaves is one that may leave (see `checks`), and that a second switch, which knows no fast path,
//! says the same (see `twin`); where a test asks for it, also that the switch had foretold the step
//! to the byte (see `foretold`).
//!
//! The code map: [`lab`] (the value and its steps) with `turns` (its clock), [`topology`] (what is
//! connected, by name) with `nat_rules` and [`tunnel`], [`talk`] (what hosts say: pings, datagrams,
//! transfers) and `inbox` (what arrived), [`wire`] (frames and packets as tests write them),
//! [`link`] (cables), [`mesh`] (several labs whose tunnels meet), [`fuzz`] (lives that are read
//! from bytes), `reference` (a naive switch that predicts every step) with [`model`] (a
//! naive forwarding database), [`fault`] (planted ones), [`rng`].
#![forbid(unsafe_code)]
// This is test code: a lab that cannot be built should stop the test there.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod beyond;
mod checks;
pub mod conformance;
mod device;
pub mod fault;
mod foretold;
pub mod fuzz;
mod host;
mod inbox;
pub mod lab;
pub mod link;
pub mod mesh;
pub mod model;
mod nat_rules;
mod port;
mod rebirth;
mod reference;
pub mod rng;
pub mod talk;
pub mod topology;
pub mod tunnel;
mod turns;
mod twin;
pub mod wire;

pub use lab::Lab;
pub use link::Link;
pub use mesh::Mesh;
pub use port::Port;
pub use rebirth::Rebirth;
pub use talk::Connection;
pub use tunnel::{Datagram, Tunnel};
pub use wire::{Packet, Seen};
