//! The built binary on a real kernel: what only root can show.
//!
//! Every test plays in a [`world`] of its own: network and mount namespaces that no other test and
//! nothing else on this machine shares. Hosts are real namespaces, their programs are sockets that
//! the tests open inside. Where there is no root a test says so and passes, except where the
//! environment says `CI=true`: there it fails.
//!
//! | file | what it is |
//! |---|---|
//! | [`world`], [`scenery`], [`underlay`] | the machine, what stands on it ahead of the daemon, cables between machines |
//! | [`binary`], [`process`], [`daemon`], [`http`] | what is tested: the command, the running daemon, its API |
//! | [`host`], [`transfer`], [`wait`] | what tests do: ping, connect, send many bytes, wait for a condition |
//! | [`pages`] | README.md and docs/, played as a reader would |
//! | the rest | tests |
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod binary;
mod daemon;
mod ethtool;
mod host;
mod http;
mod process;
mod raw;
mod rootless;
mod scenery;
mod transfer;
mod underlay;
mod wait;
mod world;

mod apply;
mod bad_tunnels;
mod beside_kernel;
mod compare;
mod damage;
mod docker;
mod ending;
mod examples;
mod explain;
mod files;
mod firewall;
mod found;
mod guest_tunnels;
mod interfaces;
mod internet;
mod interop_kernel;
mod interop_ovs;
mod lan;
mod lifecycle;
mod load;
mod logging;
mod machine;
mod many;
mod order;
mod overruns;
mod pages;
mod path;
mod ports;
mod printable;
mod record;
mod tables;
mod threads;
mod told;
mod traffic;
mod tunnel_mtu;
mod tunnels;
mod two_hosts;
mod two_hosts_demo;
mod two_hosts_tutorial;
mod veth;
