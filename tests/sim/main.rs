//! The whole switch, driven through `lab`: simulated hosts and stations, virtual time, no root.
//!
//! A test's name is the sentence that it proves; its doc line has the requirement's ID. See `lab`
//! for what is asserted beside that after every step of every test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod arp;
mod change_sets;
mod common;
mod conformance;
mod conservation;
mod corpora;
mod explain;
mod explain_router;
mod flooding;
mod flow_cache;
mod flows;
mod guard;
mod guest_tunnels;
mod hosts;
mod inside_reach;
mod l2_fast_path;
mod learning;
mod masquerade;
mod nat_changes;
mod nat_errors;
mod nat_fragments;
mod nat_lifetimes;
mod nat_limits;
mod nat_manners;
mod nat_offload;
mod nat_rule_changes;
mod neighbors;
mod network;
mod own_packets;
mod pending;
mod pieces;
mod planted;
mod publish;
mod refusals;
mod replaced_stations;
mod reverse_path;
mod routing;
mod snapshots;
mod tunnel_arp;
mod tunnel_chaos;
mod tunnel_hostile;
mod tunnel_mesh;
mod tunnel_mss;
mod tunnel_outer;
mod tunnel_remotes;
mod tunnel_router;
mod tunnel_settings;
mod tunnel_size;
mod tunnels;
mod unfinished;
mod vlans;
