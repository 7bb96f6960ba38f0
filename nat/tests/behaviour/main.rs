//! NAT as a router around it sees it: packets in, packets out, virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::wildcard_imports)]

mod common;
mod filtering;
mod fragments;
mod fragments_model;
mod hairpin;
mod icmp;
mod invariant;
mod masquerade;
mod model;
mod publish;
mod room;
mod steps;
mod swept;
mod tcp;
mod view;
