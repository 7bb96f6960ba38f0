//! Words every layer of the switch shares: frames, views of them, offload, checksums and drop
//! reasons.
//!
//! Bytes enter as a [`Frame`] and are understood by consuming views: [`Ethernet`], then [`Ipv4`]. A
//! view exists only when its header has been checked, so later code asks for the view and never for
//! the bytes. [`rewrite`] is the only editor of addresses and ports; [`segment`] cuts super-frames,
//! [`coalesce`] joins them and [`partial`] tells them by their bytes; [`shares`] says who makes
//! room where things wait. Nothing here reads a clock, allocates per frame or knows of a port's
//! name.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod arp;
pub mod checksum;
pub mod coalesce;
pub mod damaged;
pub mod drop;
pub mod ethernet;
pub mod fields;
pub mod fragment;
pub mod frame;
pub mod icmp;
pub mod id;
pub mod ip;
pub mod ipv4;
mod layers;
pub mod mac;
pub mod offload;
pub mod partial;
pub mod pool;
pub mod rewrite;
pub mod segment;
pub mod shares;
pub mod snapshot;
pub mod time;
pub mod transport;
pub mod vlan;
pub mod vnet;

pub use drop::DropReason;
pub use ethernet::{EtherType, Ethernet, EthernetHeader};
pub use frame::{Dropped, Frame};
pub use icmp::IcmpHeader;
pub use id::{BridgeId, InterfaceId, PortId};
pub use ip::{Ip, Protocol};
pub use ipnet::Ipv4Net;
pub use ipv4::Ipv4;
pub use mac::Mac;
pub use offload::{Offload, SegmentKind, Span};
pub use pool::Pool;
pub use shares::Shares;
pub use time::Instant;
pub use transport::{TcpHeader, Transport, UdpHeader};
pub use vlan::{Tag, VlanId};
