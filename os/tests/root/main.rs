//! What only root can show: real namespaces, TAP devices and netlink. Everything happens in
//! namespaces that the tests make; without root each test says so and passes, except where
//! `CI=true`, where it fails.
#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

// The name that the other crates of the workspace know it by.
extern crate tapswitch_os as os;

mod bridge;
mod child;
mod links;
mod netns;
mod packet_socket;
mod packet_traffic;
mod scene;
mod tap;
mod traffic;
mod underlay;
mod underlay_port;
mod veth;
mod watch;
