//! Ethernet frames over UDP 4789: VXLAN (RFC 7348), as pure functions on bytes.
//!
//! [`Vni`] names a segment and [`header`] is the eight bytes that carry it. [`encap`] cuts a frame
//! into datagrams, [`outer`] chooses what their IP header says, [`entropy`] the flow they belong
//! to, and [`tunnels`] knows whose a datagram is that came. Sockets are the `os` crate's; who gets
//! a frame is the switch's.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod encap;
pub mod entropy;
pub mod header;
pub mod outer;
pub mod tunnels;
mod vni;

pub use tunnels::{RemoteVtep, Tunnels, UnknownVtep};
pub use vni::Vni;
