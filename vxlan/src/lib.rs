//! Ethernet frames over UDP 4789: VXLAN (RFC 7348), as pure functions on bytes.
//!
//! [`Vni`] names a segment and [`header`] is the eight bytes that carry it. Sockets are the `os` crate's; who gets a
//! frame is the switch's.
#![forbid(unsafe_code)]

pub mod header;
mod vni;

pub use vni::Vni;
