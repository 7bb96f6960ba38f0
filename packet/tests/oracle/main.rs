//! The packet crate against second opinions: etherparse, and naive code that is obviously right.
//!
//! Each file holds the properties of one noun; [`sample`] makes the packets, [`naive`] judges them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// The name that every other crate knows it by.
extern crate tapswitch_packet as packet;

mod coalesce;
mod fragment;
mod icmp;
mod mss;
mod naive;
mod offload;
mod parser;
mod rewrite;
mod sample;
mod segment;
mod tags;
mod tower;
mod tunnelled;
